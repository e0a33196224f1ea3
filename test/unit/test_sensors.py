import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from edge_pilot.config import Config, LidarConfig
from edge_pilot.ego import EgoFilter
from edge_pilot.sim import sensors
from edge_pilot.sim.sensors import Gps, ImuSensor, Lidar, Odometer, hit_distance, table, to_wgs84
from edge_pilot.sim.simulator import Simulator
from edge_pilot.sim.vehicle import Motion, Vehicle
from edge_pilot.sim.world import Box, make_world

MOUNT = LidarConfig()
STILL = Motion(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, (0.0, 0.0), 0.0, 0.0)
SEEDS = range(200)
MS = 1_000_000


def repeat(sensor, motion, count, period_ms):
    return [sensor.sample(motion, i * period_ms * MS) for i in range(count)]


def forces(samples):
    return np.array([sample.acceleration_mps2 for sample in samples])


def turns(samples):
    return np.array([sample.angular_velocity_radps for sample in samples])


def mean_imu(motion):
    """Average over many sensors, so that no bias is left."""
    samples = [ImuSensor(seed).sample(motion, 0) for seed in SEEDS]
    return forces(samples).mean(axis=0), turns(samples).mean(axis=0)


def test_an_imu_at_rest_feels_gravity_upward():
    force, turn = mean_imu(STILL)
    np.testing.assert_allclose(force, (0.0, 0.0, 9.81), atol=0.006)
    np.testing.assert_allclose(turn, 0.0, atol=0.0008)


@pytest.mark.parametrize(
    ("pitch", "roll", "expected"),
    [
        (0.1, 0.0, (-9.81 * math.sin(0.1), 0.0, 9.81 * math.cos(0.1))),  # nose down
        (0.0, 0.1, (0.0, 9.81 * math.sin(0.1), 9.81 * math.cos(0.1))),  # leans right
    ],
)
def test_a_leaning_imu_feels_gravity_in_its_own_axes(pitch, roll, expected):
    force, _ = mean_imu(replace(STILL, pitch=pitch, roll=roll))
    np.testing.assert_allclose(force, expected, atol=0.006)


def test_leaning_adds_to_what_braking_and_turning_feel_like():
    braking = replace(STILL, acceleration=(-5.0, 0.0), pitch=0.03)
    turning = replace(STILL, acceleration=(0.0, 3.0), yaw_rate=0.3, roll=0.024)
    assert mean_imu(braking)[0][0] == pytest.approx(-5.0 - 9.81 * 0.03, abs=0.01)
    assert mean_imu(turning)[0][1] == pytest.approx(3.0 + 9.81 * 0.024, abs=0.01)
    assert mean_imu(turning)[1][2] == pytest.approx(0.3, abs=0.001)


def test_an_imu_measures_how_fast_the_body_pitches_and_rolls():
    motions = [replace(STILL, pitch=0.002 * i, roll=-0.001 * i) for i in range(40)]
    sensor = ImuSensor(0)
    samples = [sensor.sample(motion, i * 10 * MS) for i, motion in enumerate(motions)]
    mean = turns(samples[1:]).mean(axis=0)
    np.testing.assert_allclose(mean[:2], (-0.1, 0.2), atol=0.01)


def test_the_noise_of_an_imu_is_that_of_its_data_sheet():
    samples = repeat(ImuSensor(1), STILL, 2000, 10)
    # 175 ug and 0.014 deg/s per root of 50 Hz
    np.testing.assert_allclose(forces(samples).std(axis=0), 0.01214, rtol=0.1)
    np.testing.assert_allclose(turns(samples).std(axis=0), 0.001728, rtol=0.1)
    half = forces(samples)[:1000], forces(samples)[1000:]
    np.testing.assert_allclose(half[0].mean(axis=0), half[1].mean(axis=0), atol=0.002)


def test_each_imu_has_a_bias_of_its_own():
    bias = np.array([forces(repeat(ImuSensor(s), STILL, 50, 10)).mean(axis=0) for s in range(80)])
    np.testing.assert_allclose((bias - [0.0, 0.0, 9.81]).std(axis=0), 0.0196, rtol=0.3)


def drive(seconds=20.0, steering=0.05, speed=10.0):
    """Give stamps and motions, 100 a second, of a steady bend."""
    config = Config()
    car = Vehicle(config.vehicle, config.sim)
    car.place(5.0, -3.0, 0.7, speed)
    for i in range(round(100 * seconds)):
        yield i * 10 * MS, car.motion
        car.step(steering, 0.0)


def test_an_odometer_reckons_where_the_car_went_within_its_scale():
    moments = list(drive())[::2]
    ends = [end_of(Odometer(seed), moments) for seed in range(20)]
    start, last = moments[0][1], moments[-1][1]
    cos, sin = math.cos(start.heading), math.sin(start.heading)
    dx, dy = last.x - start.x, last.y - start.y
    true = (cos * dx + sin * dy, cos * dy - sin * dx, last.heading - start.heading)
    error = np.array([(end.x, end.y, end.heading) for end in ends]) - true
    assert np.abs(error.mean(axis=0)).max() < 2.0
    assert 0.5 < error[:, :2].std() < 8.0  # of 200 m
    assert 0.03 < error[:, 2].std() < 0.3


def end_of(odometer, moments):
    return [odometer.sample(motion, stamp_ns) for stamp_ns, motion in moments][-1]


def test_an_odometer_begins_at_zero():
    first = Odometer(3).sample(replace(STILL, x=70.0, heading=1.0, speed=9.0), 5 * MS)
    assert (first.x, first.y, first.heading) == (0.0, 0.0, 0.0)
    assert first.speed_mps == pytest.approx(9.0, rel=0.05)


def test_an_odometer_at_a_standstill_says_exactly_zero():
    odometer = Odometer(3)
    for stamp_ns, motion in list(drive(1.0))[::2]:
        moving = odometer.sample(motion, stamp_ns)
    still = repeat_from(odometer, STILL, moving.stamp_ns)
    assert {(s.speed_mps, s.yaw_rate_radps) for s in still} == {(0.0, 0.0)}
    assert len({(s.x, s.y, s.heading) for s in still[1:]}) == 1


def repeat_from(sensor, motion, start_ns):
    return [sensor.sample(motion, start_ns + i * 20 * MS) for i in range(1, 50)]


def test_the_errors_of_an_odometer_are_a_scale_and_noise():
    steady = replace(STILL, speed=10.0)
    speeds = np.array([[s.speed_mps for s in repeat(Odometer(n), steady, 100, 20)] for n in SEEDS])
    assert speeds.mean(axis=1).std() == pytest.approx(0.1, rel=0.2)  # 1 % of 10 m/s
    assert speeds.std(axis=1).mean() == pytest.approx(0.02 / math.sqrt(2.0), rel=0.1)


def earth_fixed(latitude_deg, longitude_deg):
    """Give the WGS 84 Earth-centred position [m] of a point on the ellipsoid."""
    lat, lon = math.radians(latitude_deg), math.radians(longitude_deg)
    a, b = 6378137.0, 6356752.314245
    n = a * a / math.hypot(a * math.cos(lat), b * math.sin(lat))
    level = n * math.cos(lat)
    return np.array(
        [level * math.cos(lon), level * math.sin(lon), (b / a) ** 2 * n * math.sin(lat)]
    )


@settings(max_examples=100, deadline=None)
@given(st.floats(-1000.0, 1000.0), st.floats(-1000.0, 1000.0))
def test_distances_on_the_ellipsoid_are_those_on_the_plane(east, north):
    here, there = earth_fixed(*to_wgs84(0.0, 0.0)), earth_fixed(*to_wgs84(east, north))
    assert np.linalg.norm(there - here) == pytest.approx(math.hypot(east, north), abs=0.3)


def test_east_and_north_are_where_they_are_on_a_map():
    latitude, longitude = to_wgs84(0.0, 0.0)
    assert (latitude, longitude) == sensors.ORIGIN_DEG
    assert to_wgs84(0.0, 100.0)[0] > latitude
    assert to_wgs84(100.0, 0.0)[1] > longitude
    # A minute of latitude is about a nautical mile.
    assert to_wgs84(0.0, 1852.0)[0] - latitude == pytest.approx(1.0 / 60.0, rel=0.002)


def errors(fixes):
    """Give the errors [m] east and north of fixes taken at (0, 0)."""
    a_metre = np.array(to_wgs84(1.0, 1.0)) - sensors.ORIGIN_DEG
    places = np.array([(fix.latitude_deg, fix.longitude_deg) for fix in fixes])
    return (places - sensors.ORIGIN_DEG) / a_metre


def test_a_fix_is_off_by_about_a_metre_and_says_so():
    fixes = [Gps(seed).sample(STILL, 0) for seed in range(400)]
    np.testing.assert_allclose(errors(fixes).std(axis=0), fixes[0].horizontal_std_m, rtol=0.1)
    assert np.std([fix.altitude_m for fix in fixes]) == pytest.approx(
        fixes[0].vertical_std_m, rel=0.1
    )
    assert 0.9 < fixes[0].horizontal_std_m < 1.2


def test_the_error_of_a_fix_wanders_slowly_and_neither_grows_nor_fades():
    tracks = np.array([errors(repeat(Gps(seed), STILL, 25, 10_000))[:, 0] for seed in range(300)])

    def correlation(lag):
        return np.corrcoef(tracks[:, 5], tracks[:, 5 + lag])[0, 1]

    share = 1.0 / (1.0 + 0.3**2)  # of the variance that wanders
    assert correlation(1) == pytest.approx(share * math.exp(-10.0 / 60.0), abs=0.1)
    assert correlation(6) == pytest.approx(share * math.exp(-1.0), abs=0.15)
    np.testing.assert_allclose(tracks.std(axis=0), 1.04, rtol=0.2)


UP, ROUND = (
    a.ravel() for a in np.radians(np.meshgrid(range(-15, 16, 2), range(360), indexing="ij"))
)
RAYS = np.array([np.cos(UP) * np.cos(ROUND), np.cos(UP) * np.sin(ROUND), np.sin(UP)])


def wall(forward, left=0.0, size=(0.5, 10.0, 10.0), motion=STILL):
    """Stand a box so that its near face is `forward` of the lidar."""
    cos, sin = math.cos(motion.heading), math.sin(motion.heading)
    along = 1.0 + forward + 0.5 * size[0]
    x, y = motion.x + cos * along - sin * left, motion.y + sin * along + cos * left
    return Box("building", x, y, motion.heading, size)


def rings_of(points):
    up = np.degrees(np.arctan2(points[:, 2], np.hypot(points[:, 0], points[:, 1])))
    return np.unique(np.round(up).astype(int))


def test_rays_at_the_ground_lie_at_the_height_of_the_lidar():
    points = Lidar(0, MOUNT).scan(STILL, [])
    assert points.dtype == np.float32
    assert rings_of(points).tolist() == [-15, -13, -11, -9, -7, -5, -3]  # -1 degree is 109 m
    assert len(points) == 7 * 360
    np.testing.assert_allclose(points[:, 2], -1.9, atol=0.03)
    assert abs(points[:, 2].mean() + 1.9) < 0.001


@pytest.mark.parametrize("heading", [0.0, 1.3, -2.9])
def test_a_wall_20_m_ahead_gives_ranges_of_20_m(heading):
    motion = replace(STILL, x=40.0, y=-7.0, heading=heading)
    points = Lidar(0, MOUNT).scan(motion, [wall(20.0, motion=motion)])
    upright = points[points[:, 2] > -1.8]
    assert len(upright) > 12 * 20
    np.testing.assert_allclose(upright[:, 0], 20.0, atol=0.1)
    assert np.abs(upright[:, 1]).max() == pytest.approx(5.0, abs=0.36)
    straight = upright[np.abs(upright[:, 1]) < 0.1]
    ranges = np.hypot(straight[:, 0], straight[:, 2])
    np.testing.assert_allclose(ranges * np.cos(np.arctan2(straight[:, 2], 20.0)), 20.0, atol=0.1)


def test_the_range_is_noisy_by_2_cm():
    points = np.concatenate([Lidar(seed, MOUNT).scan(STILL, [wall(20.0)]) for seed in range(10)])
    upright = points[(points[:, 2] > -0.5) & (np.abs(points[:, 1]) < 2.0)]
    assert upright[:, 0].std() == pytest.approx(0.02, rel=0.15)


def test_a_nearer_box_hides_a_farther_one():
    boxes = [wall(30.0), wall(10.0), wall(20.0)]
    points = Lidar(0, MOUNT).scan(STILL, boxes)
    upright = points[(points[:, 0] > 0.0) & (points[:, 2] > -1.5) & (np.abs(points[:, 1]) < 2.0)]
    np.testing.assert_allclose(upright[:, 0], 10.0, atol=0.1)


def test_nothing_is_seen_beyond_80_m_or_nearer_than_half_a_metre():
    lidar = Lidar(0, MOUNT)
    for forward, expected in ((78.0, True), (82.0, False), (1.0, True), (0.3, False)):
        points = lidar.scan(STILL, [wall(forward)])
        ahead = points[(points[:, 0] > 0.0) & (np.abs(points[:, 1]) < 0.3)]
        assert (ahead[:, 2] > -0.2).any() == expected


def test_a_lidar_leans_with_the_body():
    dive, lean = (
        Lidar(0, MOUNT).scan(replace(STILL, **{axis: 0.03}), []) for axis in ("pitch", "roll")
    )
    ahead, right = dive[dive[:, 0] > 10.0], lean[lean[:, 1] < -10.0]
    np.testing.assert_allclose(ahead[:, 2], -1.9 + 0.03 * (ahead[:, 0] + 1.0), atol=0.05)
    np.testing.assert_allclose(right[:, 2], -1.9 - 0.03 * right[:, 1], atol=0.05)


boxes = st.builds(
    Box,
    st.just("post"),
    st.floats(-30.0, 30.0),
    st.floats(-30.0, 30.0),
    st.floats(-3.2, 3.2),
    st.tuples(st.floats(0.1, 12.0), st.floats(0.1, 12.0), st.floats(0.5, 9.0)),
)
motions = st.builds(
    lambda heading, pitch, roll: replace(STILL, heading=heading, pitch=pitch, roll=roll),
    st.floats(-3.2, 3.2), st.floats(-0.1, 0.1), st.floats(-0.1, 0.1),
)  # fmt: skip


@settings(max_examples=100, deadline=None)
@given(motion=motions, others=st.lists(boxes, min_size=1, max_size=5))
def test_a_scan_is_what_all_rays_against_all_boxes_give(motion, others):
    axes = sensors.rotation(motion.heading, motion.pitch, motion.roll)
    eye = axes @ [MOUNT.forward_m, MOUNT.left_m, MOUNT.height_m]
    rays = axes @ RAYS
    ground = np.where(rays[2] < 0.0, -eye[2] / np.where(rays[2] < 0.0, rays[2], -1.0), np.inf)
    met = hit_distance(eye, rays[:, None, :], table(others)[:, :, None]).min(axis=0)
    distance = np.minimum(ground, met)
    assume(not ((abs(distance - 0.5) < 0.1) | (abs(distance - 80.0) < 0.1)).any())
    found = np.linalg.norm(Lidar(0, MOUNT).scan(motion, others), axis=1)
    expected = distance[(distance > 0.5) & (distance < 80.0)]
    np.testing.assert_allclose(found, expected, atol=0.12)


@settings(max_examples=100, deadline=None)
@given(box=boxes, azimuth=st.floats(-3.2, 3.2), elevation=st.floats(-0.5, 0.5))
def test_a_ray_ends_where_a_march_along_it_enters_the_box(box, azimuth, elevation):
    eye = np.array([1.037, -2.041, 1.513])
    ray = np.array([math.cos(elevation) * math.cos(azimuth),
                    math.cos(elevation) * math.sin(azimuth), math.sin(elevation)])  # fmt: skip
    reach = np.arange(0.0, 60.0, 0.005)
    inside = is_inside(box, eye[:, None] + ray[:, None] * reach)
    found = float(hit_distance(eye, ray, table([box])[:, 0]))
    if inside[0] or not inside.any():
        assert found == math.inf or inside.sum() <= 1
    else:
        assert found == pytest.approx(reach[inside.argmax()], abs=0.006)


def is_inside(box, points):
    cos, sin = math.cos(box.heading), math.sin(box.heading)
    dx, dy = points[0] - box.x, points[1] - box.y
    along, left = np.abs(cos * dx + sin * dy), np.abs(cos * dy - sin * dx)
    length, width, height = box.size
    level = (points[2] >= 0.0) & (points[2] <= height)
    return (along <= 0.5 * length) & (left <= 0.5 * width) & level


def test_a_scan_of_the_world_sees_what_stands_beside_the_road():
    sim = Simulator(Config(), make_world(2))
    sim.place(300.0)
    points = Lidar(2, MOUNT).scan(sim.motion, sim.obstacles())
    upright = points[points[:, 2] > -1.7]
    assert len(upright) > 200
    assert len(points) - len(upright) > 1000


SENSORS = {
    "imu": lambda seed: ImuSensor(seed).sample,
    "odometer": lambda seed: Odometer(seed).sample,
    "gps": lambda seed: Gps(seed).sample,
    "lidar": lambda seed: lambda motion, _: Lidar(seed, MOUNT).scan(motion, [wall(9.0)]).tobytes(),
}


@pytest.mark.parametrize("make", SENSORS.values(), ids=SENSORS)
def test_the_same_seed_gives_the_same_values_and_another_does_not(make):
    moments = list(drive(0.5))
    once, again, other = (
        [sample(motion, stamp_ns) for stamp_ns, motion in moments]
        for sample in (make(5), make(5), make(6))
    )
    assert once == again
    assert once != other


def test_these_sensors_are_good_enough_to_know_the_speed():
    imu, odometer, ego = ImuSensor(8), Odometer(8), EgoFilter()
    for stamp_ns, motion in drive(10.0, steering=0.02, speed=12.0):
        ego.add_imu(imu.sample(motion, stamp_ns))
        if stamp_ns % (20 * MS) == 0:
            ego.add_speed(stamp_ns, odometer.sample(motion, stamp_ns).speed_mps)
    assert ego.state().speed_mps == pytest.approx(motion.speed, rel=0.03)
    assert ego.state().yaw_rate_radps == pytest.approx(motion.yaw_rate, abs=0.012)
