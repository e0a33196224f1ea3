import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_pilot.config import ControlConfig, VehicleConfig
from edge_pilot.control.cruise import Cruise
from edge_pilot.control.lateral import curvature_of, point_at, steer, steering_of
from edge_pilot.control.leads import Lead
from edge_pilot.control.longitudinal import accelerate, bends, pedals, respond, target_speed
from edge_pilot.types import EgoState, Path

VEHICLE, CONTROL = VehicleConfig(), ControlConfig()
STATIONS = np.arange(0.0, 50.0, 5.0)
STRAIGHT = np.column_stack([STATIONS, np.zeros(10)])


def arc(radius_m, lead_m=0.0):
    """Give a path that is straight for a while, then bends (left for a positive radius)."""
    angle = np.maximum(STATIONS - lead_m, 0.0) / radius_m
    x = np.minimum(STATIONS, lead_m) + radius_m * np.sin(angle)
    return Path(0, np.column_stack([x, radius_m * (1.0 - np.cos(angle))]))


def shifted(x, y):
    return STRAIGHT + np.array([x, y])


def ego(speed_mps=8.0):
    return EgoState(0, speed_mps, 0.0)


@pytest.mark.parametrize("radius_m", [35.0, -35.0, 200.0])
def test_on_a_circle_the_steering_is_that_of_its_curvature(radius_m):
    expected = steering_of(1.0 / radius_m, VEHICLE)
    assert steer(arc(radius_m), ego(), VEHICLE, CONTROL) == pytest.approx(expected, rel=0.03)


def test_a_path_on_the_left_steers_left():
    path = Path(0, shifted(0.0, 0.5))
    assert steer(path, ego(), VEHICLE, CONTROL) > 0.01


def test_a_faster_car_aims_farther_and_steers_less():
    path = Path(0, shifted(0.0, 0.5))
    slow, fast = (steer(path, ego(speed), VEHICLE, CONTROL) for speed in (5.0, 20.0))
    assert 0.0 < fast < 0.5 * slow


def test_the_steering_stays_within_the_car_s_limit():
    beside = Path(0, np.array([[0.0, 0.0], [0.5, 9.0]]))
    assert steer(beside, ego(), VEHICLE, CONTROL) == VEHICLE.max_steering_rad


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_gives_numbers_that_the_gate_refuses(value):
    path = Path(0, np.column_stack([STATIONS, np.full(10, value)]))
    assert math.isnan(steer(path, ego(), VEHICLE, CONTROL))
    assert math.isnan(accelerate(path, ego(), CONTROL))


@given(st.floats(-0.3, 0.3))
def test_curvature_and_steering_are_each_other_s_inverse(curvature_1pm):
    angle = steering_of(curvature_1pm, VEHICLE)
    assert curvature_of(angle, VEHICLE) == pytest.approx(curvature_1pm)


@pytest.mark.parametrize(
    ("radius_m", "point"), [(7.0, (7.0, 0.0)), (60.0, (60.0, 0.0)), (0.0, (0.0, 0.0))]
)
def test_the_point_at_a_distance_lies_on_the_path_or_on_its_extension(radius_m, point):
    assert point_at(STRAIGHT, radius_m) == pytest.approx(point)


def test_a_path_that_begins_beyond_the_distance_gives_its_first_point():
    assert point_at(shifted(9.0, 1.0), 5.0) == (9.0, 1.0)


def test_on_a_straight_road_the_car_speeds_up_to_the_limit():
    assert target_speed(Path(0, STRAIGHT), CONTROL) == CONTROL.max_speed_mps
    assert accelerate(Path(0, STRAIGHT), ego(13.0), CONTROL) == pytest.approx(0.8)


@pytest.mark.parametrize("radius_m", [35.0, -35.0])
def test_in_a_bend_the_lateral_acceleration_is_the_comfortable_one(radius_m):
    speed = target_speed(arc(radius_m), CONTROL)
    assert speed**2 / 35.0 == pytest.approx(CONTROL.max_lateral_acceleration_mps2, rel=0.1)


def test_the_car_slows_down_before_a_bend_but_not_earlier_than_it_must():
    ahead = arc(35.0, lead_m=25.0)
    assert accelerate(ahead, ego(14.0), CONTROL) < -0.5
    assert target_speed(ahead, CONTROL) > target_speed(arc(35.0), CONTROL) + 1.0


@pytest.mark.parametrize(("speed_mps", "expected"), [(0.0, 1.5), (60.0, -2.0)])
def test_the_acceleration_stays_comfortable(speed_mps, expected):
    assert accelerate(Path(0, STRAIGHT), ego(speed_mps), CONTROL) == expected


@pytest.mark.parametrize("radius_m", [50.0, -50.0, 12.0])  # the last turns by 215 degrees
def test_the_curvature_along_an_arc_is_constant_and_positive_to_the_left(radius_m):
    _, curvature = bends(arc(radius_m).points_m)
    assert curvature == pytest.approx(np.full(9, 1.0 / radius_m), rel=0.02)


def test_the_curvature_is_the_slope_of_the_heading_s_best_cubic():
    rng = np.random.default_rng(3)
    points = np.cumsum(np.column_stack([np.full(10, 5.0), rng.normal(0.0, 0.8, 10)]), axis=0)
    steps = np.diff(points, axis=0)
    headings, lengths = np.arctan2(steps[:, 1], steps[:, 0]), np.hypot(*steps.T)
    distances = np.cumsum(lengths) - 0.5 * lengths
    best = np.polynomial.Polynomial.fit(distances, headings, 3).deriv()
    assert bends(points)[0] == pytest.approx(distances)
    assert bends(points)[1] == pytest.approx(best(distances), rel=1e-9)


@pytest.mark.parametrize("far_m", [0.0, 1e38])
def test_points_in_one_place_or_beyond_all_measure_are_no_error(far_m):
    points = np.array([[0.0, 0.0], [0.0, far_m], [1.0, far_m], [1.0, far_m], [2.0, far_m]])
    assert 0.0 <= target_speed(Path(0, points), CONTROL) <= CONTROL.max_speed_mps


def test_two_points_are_a_straight_path():
    assert bends(STRAIGHT[:2])[1] == pytest.approx([0.0])


@pytest.mark.parametrize(
    ("acceleration_mps2", "expected"),
    [(1.5, (0.5, 0.0)), (-4.0, (0.0, 0.5)), (0.0, (0.0, 0.0)), (9.0, (1.0, 0.0)),
     (-20.0, (0.0, 1.0))],
)  # fmt: skip
def test_never_both_pedals_and_never_more_than_all(acceleration_mps2, expected):
    assert pedals(acceleration_mps2, VEHICLE) == expected


def simulate(lead, speed_mps, seconds=30.0, lead_seen=lambda t: True, noise=None):
    """Drive on a straight road: 20 decisions a second on what was 0.1 s ago, brakes lag 0.25 s.

    `lead(t)` gives place and speed of what is ahead, from the bumper at the start. Gives rows of
    time, gap, speed and acceleration.
    """
    dt, place, drive, rows, past = 0.01, 0.0, 0.0, [], []
    cruise, wanted = Cruise(CONTROL), 0.0
    for i in range(round(seconds / dt)):
        t = i * dt
        gap, lead_mps = lead(t)[0] - place, lead(t)[1]
        past.append((gap, lead_mps, lead_seen(t)))
        if i % 5 == 0:
            gap_seen, mps_seen, is_seen = past[max(0, i - 10)]
            error = noise() if noise else (0.0, 0.0)
            seen = Lead(max(gap_seen + error[0], 0.0), mps_seen + error[1], "vehicle", False)
            found = (seen,) if is_seen and gap_seen < 41.0 else ()
            free = accelerate(Path(0, STRAIGHT), ego(speed_mps), CONTROL, found)
            wanted = cruise.update(i * 10_000_000, speed_mps, found, free).acceleration_mps2
        drive += dt / 0.25 * (wanted - drive)
        speed_mps = max(0.0, speed_mps + drive * dt)
        place += speed_mps * dt
        rows.append((t, gap, speed_mps, drive))
    return np.array(rows)


SPEEDS = [5.0, 6.0, 8.0, 10.0, 12.0, 14.0]


@pytest.mark.parametrize("speed_mps", SPEEDS)
def test_behind_a_standing_car_seen_early_it_stops_comfortably_at_the_gap(speed_mps):
    rows = simulate(lambda t: (60.0, 0.0), speed_mps)
    assert rows[-1, 1] == pytest.approx(CONTROL.standstill_gap_m, abs=0.7)
    assert rows[:, 3].min() > -3.6
    assert rows[-1, 2] == 0.0


@pytest.mark.parametrize("speed_mps", SPEEDS)
def test_it_stops_before_what_appears_as_near_as_it_can_be_avoided(speed_mps):
    gap = 0.5 * speed_mps + speed_mps**2 / 16.0
    assert simulate(lambda t: (gap, 0.0), speed_mps, 5.0)[:, 1].min() > 0.2


@pytest.mark.parametrize("speed_mps", SPEEDS)
def test_the_speed_of_an_impact_that_cannot_be_avoided_is_halved(speed_mps):
    gap = 0.8 * (0.5 * speed_mps + speed_mps**2 / 16.0)
    rows = simulate(lambda t: (gap, 0.0), speed_mps, 5.0)
    hit = rows[rows[:, 1] <= 0.0]
    assert not len(hit) or hit[0, 2] < 0.5 * speed_mps


def braking(gap_m, speed_mps, braking_mps2, until_mps=0.0):
    """Give a lead that brakes after 2 s."""

    def lead(t):
        s = min(max(t - 2.0, 0.0), (speed_mps - until_mps) / braking_mps2)
        rest = max(t - 2.0 - s, 0.0)
        way = speed_mps * (min(t, 2.0) + s) - 0.5 * braking_mps2 * s * s + until_mps * rest
        return gap_m + way, speed_mps - braking_mps2 * s

    return lead


@pytest.mark.parametrize(("gap_m", "braking_mps2"), [(12.0, 2.0), (12.0, 6.0), (40.0, 6.0)])
def test_it_stops_behind_a_lead_that_brakes(gap_m, braking_mps2):
    rows = simulate(braking(gap_m, 13.9, braking_mps2), 13.9)
    assert rows[:, 1].min() > 1.0


@pytest.mark.parametrize("speed_mps", [8.0, 10.0, 14.0])
def test_it_follows_a_slower_car_at_the_time_gap_without_swinging(speed_mps):
    rows = simulate(lambda t: (45.0 + 5.56 * t, 5.56), speed_mps, 40.0)
    settled = rows[rows[:, 0] > 25.0]
    wanted = CONTROL.standstill_gap_m + CONTROL.time_gap_s * 5.56
    assert settled[:, 1] == pytest.approx(np.full(len(settled), wanted), abs=0.5)
    assert np.ptp(settled[:, 2]) < 0.1
    assert rows[:, 3].min() > -3.0


def test_noise_in_what_is_seen_makes_no_hard_braking_while_following():
    rng = np.random.default_rng(1)
    rows = simulate(lambda t: (16.0 + 8.0 * t, 8.0), 8.0, 30.0,
                    noise=lambda: rng.normal(0.0, (0.2, 0.3)))  # fmt: skip
    assert np.abs(rows[:, 3]).max() < 1.0


def test_it_drives_on_within_two_seconds_of_the_lead_s_leaving():
    rows = simulate(lambda t: (12.0, 0.0), 6.0, 20.0, lead_seen=lambda t: t < 15.0)
    assert rows[rows[:, 0] < 15.0][-1, 2] == 0.0
    assert rows[rows[:, 0] > 17.0][0, 2] > 0.3


def test_it_follows_a_lead_that_drives_off():
    rows = simulate(
        lambda t: (12.0 + 0.5 * max(t - 10.0, 0.0) ** 2, max(t - 10.0, 0.0)), 6.0, 16.0
    )
    moves = rows[(rows[:, 0] > 10.0) & (rows[:, 2] > 0.2)][0, 0]
    assert moves < 13.0


def test_for_what_is_not_sure_it_brakes_comfortably_until_that_is_an_emergency():
    demand = [respond(Lead(d, 0.0, "vehicle", False, is_sure), 14.0, CONTROL)
              for is_sure in (True, False) for d in (29.0, 20.0)]  # fmt: skip
    assert demand[0] < -3.5
    assert demand[2] == -CONTROL.max_braking_mps2
    assert demand[1] == demand[3] == -CONTROL.emergency_braking_mps2


def test_for_what_is_not_certain_comfort_is_enough():
    lead = Lead(12.0, 0.0, "pedestrian", is_entering=True, is_certain=False)
    assert respond(lead, 14.0, CONTROL) == -CONTROL.max_braking_mps2


def test_what_is_new_and_not_near_is_taken_for_as_fast_as_it_may_be():
    far, near = (Lead(d, 0.0, "vehicle", False, speed_std_mps=7.0) for d in (28.0, 12.0))
    assert respond(far, 12.0, CONTROL) == -CONTROL.max_braking_mps2
    assert respond(near, 12.0, CONTROL) == -CONTROL.emergency_braking_mps2


LEADS = st.builds(Lead, st.floats(0.0, 60.0), st.floats(-20.0, 20.0), st.just("vehicle"),
                  st.booleans())  # fmt: skip


@given(LEADS, st.floats(0.0, 30.0), st.floats(0.0, 10.0), st.floats(0.0, 10.0))
def test_a_nearer_or_slower_lead_never_permits_more(lead, speed_mps, nearer_m, slower_mps):
    worse = Lead(max(lead.distance_m - nearer_m, 0.0), lead.speed_mps - slower_mps, "vehicle",
                 is_entering=False)  # fmt: skip
    values = [accelerate(Path(0, STRAIGHT), ego(speed_mps), CONTROL, (one,))
              for one in (lead, worse)]  # fmt: skip
    assert values[1] <= values[0] + 1e-9


@given(st.lists(LEADS, max_size=4), st.floats(0.0, 40.0))
def test_with_any_leads_the_acceleration_is_within_its_limits(found, speed_mps):
    value = accelerate(Path(0, STRAIGHT), ego(speed_mps), CONTROL, found)
    assert -CONTROL.emergency_braking_mps2 <= value <= CONTROL.max_acceleration_mps2


@pytest.mark.parametrize("lookahead_m", [5.0, 6.0, 7.5, 9.0])
@pytest.mark.parametrize("radius_m", [40.0, -40.0])
def test_between_its_points_a_path_is_as_round_as_the_bend(radius_m, lookahead_m):
    x, y = point_at(arc(radius_m).points_m, lookahead_m)
    assert 2.0 * y / (x * x + y * y) == pytest.approx(1.0 / radius_m, rel=0.01)
