import math
import struct
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from edge_pilot import clusters, lidar
from edge_pilot.config import LidarConfig
from edge_pilot.errors import CloudError
from edge_pilot.lidar import DATATYPES, Cloud, Field
from edge_pilot.sim.sensors import Lidar
from edge_pilot.sim.vehicle import Motion
from edge_pilot.sim.world import Box
from edge_pilot.types import NANOSECONDS, Scan

MOUNT = LidarConfig()
STILL = Motion(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, (0.0, 0.0), 0.0, 0.0)
LETTERS = dict(zip(DATATYPES, "bBhHiIfd", strict=True))
FLAT = tuple(Field(name, 4 * i, 7, 1) for i, name in enumerate("xyz"))
SMALL = Cloud(5, 1, 2, FLAT, False, 12, 24, struct.pack("<6f", *range(6)))
STRAIGHT = np.array([[0.0, 0.0], [60.0, 0.0]])


@st.composite
def layouts(draw):
    """Draw a cloud of any layout, full of any bytes."""
    kinds = draw(st.tuples(*[st.sampled_from(list(DATATYPES))] * 3))
    fields, end = [], 0
    for name, kind in zip(draw(st.permutations("xyz")), kinds, strict=True):
        offset = end + draw(st.integers(0, 3))
        fields.append(Field(name, offset, kind, 1))
        end = offset + struct.calcsize(LETTERS[kind])
    fields.insert(draw(st.integers(0, 3)), Field("ring", 0, 4, 7))
    height, width = draw(st.integers(0, 3)), draw(st.integers(0, 4))
    point_step = end + draw(st.integers(0, 5))
    row_step = width * point_step + draw(st.integers(0, 7))
    data = draw(st.binary(min_size=height * row_step, max_size=height * row_step))
    return Cloud(0, height, width, tuple(fields), draw(st.booleans()), point_step, row_step, data)


def naive(cloud):
    """Read point by point."""
    order = ">" if cloud.is_bigendian else "<"
    columns = [item for name in "xyz" for item in cloud.fields if item.name == name]
    points = []
    for row in range(cloud.height):
        for column in range(cloud.width):
            start = row * cloud.row_step + column * cloud.point_step
            point = [
                struct.unpack_from(order + LETTERS[item.datatype], cloud.data, start + item.offset)
                for item in columns
            ]
            if all(abs(value) <= lidar.MAX_RANGE_M for (value,) in point):
                points.append([value for (value,) in point])
    return np.array(points, np.float32).reshape(-1, 3)


@given(layouts())
def test_any_layout_is_read_as_a_reader_of_single_points_does(cloud):
    np.testing.assert_array_equal(lidar.read(cloud), naive(cloud))


@given(
    st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1),
    st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1), st.integers(0, 9),
)  # fmt: skip
def test_lengths_that_lie_give_an_error_and_never_a_crash(height, width, point, row, at, kind):
    assume(height * width > 2)
    fields = (Field("x", at, kind, 1), *FLAT[1:])
    with pytest.raises(CloudError, match="expected"):
        lidar.read(replace(SMALL, height=height, width=width, fields=fields,
                           point_step=point, row_step=row))  # fmt: skip


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"fields": FLAT[:2]}, "expected a point cloud with one number 'z', got fields"),
        ({"fields": (*FLAT, FLAT[0])}, "expected a point cloud with one number 'x'"),
        ({"point_step": 11}, "expected 'z' within the 11 bytes of a point, got it at 8"),
        ({"row_step": 23}, "expected rows of at least 24 bytes for 2 points, got 23"),
        ({"data": bytes(23)}, "expected at least 24 bytes for 1 rows, got 23"),
    ],
)
def test_a_cloud_that_contradicts_itself_is_refused(changed, expected):
    with pytest.raises(CloudError, match=expected):
        lidar.read(replace(SMALL, **changed))


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_point_that_is_not_finite_is_dropped(bad):
    data = struct.pack("<6f", 1.0, bad, 2.0, 3.0, 4.0, 5.0)
    assert lidar.read(replace(SMALL, data=data)).tolist() == [[3.0, 4.0, 5.0]]


def test_the_mount_turns_and_moves_the_points():
    mount = LidarConfig(forward_m=1.0, left_m=0.5, height_m=2.0, yaw_rad=math.pi / 2)
    scan = lidar.to_scan(replace(SMALL, width=1), mount)  # the point 0, 1, 2
    assert scan.stamp_ns == 5
    np.testing.assert_allclose(scan.points_m, [[0.0, 0.5, 4.0]], atol=1e-6)


def look(*boxes, mount=MOUNT, seed=0, **motion):
    """Scan boxes with the simulator's LiDAR, which may sit elsewhere than is said."""
    return Scan(0, lidar.placed(Lidar(seed, mount).scan(replace(STILL, **motion), boxes), MOUNT))


def person(x, y=0.0, height=1.7):
    return Box("pedestrian", x, y, 0.0, (0.5, 0.5, height))


def car(x, y=0.0):
    return Box("vehicle", x + 2.25, y, 0.0, (4.5, 1.8, 1.5))  # its rear end is at x


LEANS = [(0.0, 0.0), (0.04, 0.0), (-0.03, 0.0), (0.0, 0.04), (0.03, -0.03)]


@pytest.mark.parametrize(("pitch", "roll"), LEANS)
@pytest.mark.parametrize("height", [1.75, 1.9, 2.0])
def test_an_empty_road_is_empty_however_the_car_leans_and_its_lidar_is_mounted(
    pitch, roll, height
):
    for seed in range(5):
        scan = look(mount=replace(MOUNT, height_m=height), seed=seed, pitch=pitch, roll=roll)
        assert clusters.detect(scan) == ()


def hill(x, y):
    """Give heights of a road that climbs more and more, and falls to its left."""
    return 0.03 * x + 0.0006 * x * x - 0.02 * y


def test_a_road_that_bends_upwards_is_no_obstacle_and_a_thing_on_it_is_one():
    rng = np.random.default_rng(1)
    x, y = rng.uniform(0.0, 60.0, 8000), rng.uniform(-15.0, 15.0, 8000)
    road = np.stack([x, y, hill(x, y) + 0.02 * rng.standard_normal(8000)], axis=1)
    assert clusters.detect(Scan(0, road.astype(np.float32))) == ()
    post = np.array([[40.0, 1.0, hill(40.0, 1.0) + up] for up in (0.5, 1.0, 1.5)])
    (found,) = clusters.detect(Scan(0, np.concatenate([road, post]).astype(np.float32)))
    assert (found.x_m, found.y_m) == pytest.approx((40.0, 1.0), abs=0.1)


@pytest.mark.parametrize(("pitch", "roll"), LEANS[:3])
@settings(max_examples=40, deadline=None)
@given(st.floats(25.0, 30.0), st.floats(-1.5, 1.5), st.floats(1.3, 1.9), st.integers(0, 99))
def test_a_pedestrian_is_found_at_30_m(pitch, roll, x, y, height, seed):
    scan = look(person(x, y, height), seed=seed, pitch=pitch, roll=roll)
    # Rays are a degree apart: one that is 0.5 m wide may stand between two of them.
    assume((np.hypot(scan.points_m[:, 0] - x, scan.points_m[:, 1] - y) < 0.5).sum() >= 2)
    (found,) = clusters.detect(scan)
    assert math.hypot(found.x_m - x, found.y_m - y) < 0.6
    assert found.width_m < 0.8


@pytest.mark.parametrize(("pitch", "roll"), LEANS)
@pytest.mark.parametrize("x", [6.0, 15.0, 30.0, 49.0])
def test_a_car_is_one_thing_whose_rear_end_is_measured(x, pitch, roll):
    found = clusters.detect(look(car(x), pitch=pitch, roll=roll))[0]
    assert found.x_m == pytest.approx(x, abs=0.15 + 0.004 * x)
    assert found.y_m == pytest.approx(0.0, abs=0.5)
    assert 0.8 <= found.width_m < 2.0


def test_a_bridge_is_no_obstacle():
    x, y = np.meshgrid(np.linspace(20.0, 30.0, 30), np.linspace(-10.0, 10.0, 60))
    bridge = np.stack([x.ravel(), y.ravel(), np.full(x.size, 3.0)], axis=1)
    scan = look()
    points = np.concatenate([scan.points_m, bridge.astype(np.float32)])
    assert clusters.detect(Scan(0, points)) == ()


def test_a_wall_beside_the_road_has_no_middle_in_the_road():
    wall = Box("wall", 30.0, 5.0, 0.0, (60.0, 0.4, 2.0))
    found = clusters.detect(look(wall))
    assert len(found) > 8
    assert min(one.y_m for one in found) > 4.2
    assert max(one.width_m for one in found) < 4.5
    reached = sorted(one.x_m for one in found if one.x_m < 25.0)
    assert max(np.diff(reached)) < 4.0  # no part of it is left out


def test_things_come_nearest_first_and_those_far_aside_do_not_come():
    found = clusters.detect(look(car(30.0), person(12.0, -3.0), person(14.0, 13.5)))
    assert [round(one.y_m) for one in found] == [-3, 0]


@pytest.mark.parametrize("lateral", [0.0, 3.5, -3.0])
def test_the_flank_of_a_car_and_its_cabin_are_no_things_of_their_own(lateral):
    for x in np.arange(8.0, 30.0, 1.7):
        cabin = Box("vehicle", x + 3.0, lateral, 0.0, (2.5, 1.5, 1.9))
        found = clusters.detect(look(car(float(x), lateral), cabin))
        assert len(found) == 1


def test_who_stands_beside_a_car_is_a_thing_of_his_own():
    found = clusters.detect(look(car(10.0), person(13.0, 2.6)))
    assert [round(one.y_m) for one in found] == [0, 3]


def test_nothing_at_all_is_an_empty_road():
    assert clusters.detect(Scan(0, np.empty((0, 3), np.float32))) == ()
    assert lidar.nearest(np.empty((0, 3), np.float32), STRAIGHT, 1.0) is None


def arc(radius_m, length_m=40.0):
    angle = np.linspace(0.0, length_m / radius_m, 41)
    return radius_m * np.stack([np.sin(angle), 1.0 - np.cos(angle)], axis=1)


@given(st.floats(12.0, 200.0), st.floats(1.0, 38.0), st.floats(-3.0, 3.0))
def test_a_place_on_a_bend_is_given_along_it_and_across(radius, along, lateral):
    assume(abs(abs(lateral) - 1.5) > 0.05)
    angle = along / radius
    place = (radius - lateral) * np.array([math.sin(angle), -math.cos(angle)]) + [0.0, radius]
    found = lidar.nearest(place[None].astype(np.float32), arc(radius), 1.5)
    assert (found is not None) == (abs(lateral) < 1.5)
    if found:
        assert found.distance_m == pytest.approx(along, abs=0.1 + 0.02 * abs(lateral))
        assert found.lateral_m == pytest.approx(lateral, abs=0.05)


def test_what_lies_behind_the_path_or_beyond_its_end_is_not_on_it():
    points = np.array([[-0.5, 0.0], [60.5, 0.0]], np.float32)
    assert lidar.nearest(points, STRAIGHT, 1.0) is None


def test_a_single_point_is_passed_over_where_more_are_asked_for():
    points = np.array([[9.0, 0.1], [20.0, -0.2], [20.3, 0.2], [20.9, 0.0]], np.float32)
    assert lidar.nearest(points, STRAIGHT, 1.0) == pytest.approx((9.0, 0.1, 1))
    assert lidar.nearest(points, STRAIGHT, 1.0, min_points=2) == pytest.approx((20.0, -0.2, 3))


def approach(speed, noise=0.0, count=8):
    rng, closing = np.random.default_rng(3), lidar.Closing()
    for i in range(count):
        distance = 30.0 - speed * 0.1 * i + noise * rng.standard_normal()
        found = closing.update(i * NANOSECONDS // 10, distance)
    return closing, found


@pytest.mark.parametrize("speed", [-10.0, 0.0, 8.0, 30.0])
def test_the_closing_speed_is_measured(speed):
    _, found = approach(speed, noise=0.03)
    assert found.closing_mps == pytest.approx(speed, abs=0.3)
    assert found.distance_m == pytest.approx(30.0 - 0.7 * speed, abs=0.08)


def test_two_distances_are_too_few_for_a_speed():
    assert approach(5.0, count=2)[1] is None
    assert approach(5.0, count=3)[1] is not None


@pytest.mark.parametrize(("ms", "distance"), [(800, None), (800, 3.0), (700, 24.0), (100, 24.0)])
def test_a_gap_a_jump_and_a_clock_set_back_begin_anew(ms, distance):
    closing, found = approach(8.0)
    assert found is not None
    assert closing.update(ms * NANOSECONDS // 1000, distance) is None
    assert closing.update(900 * NANOSECONDS // 1000, 24.0) is None
