import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from edge_pilot.config import Config
from edge_pilot.control.lateral import steering_of
from edge_pilot.safety import fallback
from edge_pilot.safety.fallback import Pose
from edge_pilot.safety.gate import HOLDING_MPS2, Past, limit
from edge_pilot.types import NANOSECONDS, Command, EgoState, Path

CONFIG = Config()
VEHICLE, CONTROL, SAFETY = CONFIG.vehicle, CONFIG.control, CONFIG.safety
SECOND = NANOSECONDS
STRAIGHT = Path(0, np.column_stack([np.arange(0.0, 50.0, 5.0), np.zeros(10)]))

SPEEDS = st.floats(0.0, 150.0)
EGOS = st.builds(EgoState, st.integers(0, 2**62), SPEEDS, st.floats(-20.0, 20.0))
PATHS = arrays(
    np.float64, st.tuples(st.integers(2, 12), st.just(2)), elements=st.floats(-1e4, 1e4)
)


def arc(radius_m, length_m=45.0):
    angle = np.linspace(0.0, length_m / radius_m, 20)
    return Path(0, radius_m * np.column_stack([np.sin(angle), 1.0 - np.cos(angle)]))


def moving(speed_mps, stamp_ns=0, yaw_rate_radps=0.0):
    return EgoState(stamp_ns, speed_mps, yaw_rate_radps)


def stop(path, ego, held_rad=0.0):
    return fallback.stop(path, ego, VEHICLE, CONTROL, held_rad, SAFETY.stop_braking_mps2)


def test_a_stop_brakes_along_the_path():
    command = stop(arc(30.0), moving(8.0, stamp_ns=7))
    assert command.acceleration_mps2 == -SAFETY.stop_braking_mps2
    assert command.steering_rad == pytest.approx(steering_of(1 / 30.0, VEHICLE), abs=2e-3)
    assert command.stamp_ns == 7


def test_without_a_path_a_stop_holds_the_steering():
    assert stop(None, moving(8.0, stamp_ns=7), held_rad=0.1) == Command(7, 0.1, -3.0)


def test_at_standstill_the_car_is_held_lightly_with_the_wheels_left_alone():
    command = stop(arc(30.0), moving(0.05), held_rad=0.2)
    assert command == Command(0, 0.2, HOLDING_MPS2)


def test_the_steering_leads_back_to_the_path_that_the_car_leaves():
    left_of_path = Path(0, STRAIGHT.points_m - [0.0, 1.0])
    assert stop(left_of_path, moving(8.0), held_rad=0.1).steering_rad < -0.05


def test_points_behind_the_car_are_not_followed():
    passed = Path(0, STRAIGHT.points_m - [32.0, 0.0])
    ahead = fallback.ahead(passed)
    assert ahead.points_m[0] == pytest.approx([0.0, 0.0])
    assert (np.diff(ahead.points_m[:, 0]) > 0.0).all()


def test_a_path_that_is_used_up_goes_on_straight():
    used_up = Path(0, STRAIGHT.points_m - [80.0, 0.5])
    x, y = fallback.ahead(used_up).points_m[-1]
    assert (x, y) == pytest.approx((45.0 - 80.0 + fallback.EXTENSION_M, -0.5))


def test_a_path_without_extent_is_still_a_path():
    point = Path(0, np.full((3, 2), 4.0))
    assert math.isfinite(stop(point, moving(8.0)).steering_rad)


def test_dead_reckoning_follows_a_circle():
    radius_m, speed_mps = 20.0, 10.0
    rate = speed_mps / radius_m
    pose = fallback.begin(moving(speed_mps, 0, rate))
    for step in range(1, 101):
        pose = fallback.advance(pose, moving(speed_mps, step * SECOND // 100, rate))
    assert pose.heading_rad == pytest.approx(rate)
    expected = (radius_m * math.sin(rate), radius_m * (1.0 - math.cos(rate)))
    assert (pose.x_m, pose.y_m) == pytest.approx(expected)


def test_dead_reckoning_does_not_believe_in_one_motion_for_long():
    pose = fallback.begin(moving(10.0))
    late = fallback.extrapolate(pose, 60 * SECOND)
    assert late.x_m == pytest.approx(10.0 * fallback.MAX_STEP_S)


def test_dead_reckoning_stands_still_when_time_goes_backwards():
    pose = fallback.begin(moving(10.0, 5 * SECOND))
    assert fallback.extrapolate(pose, 0).x_m == 0.0


def test_the_pose_of_a_moment_lies_between_its_neighbours():
    history = [Pose(0, 0.0, 0.0, 0.0, 10.0, 0.0), Pose(SECOND // 10, 1.0, 0.0, 0.0, 10.0, 0.0)]
    assert fallback.pose_at(history, SECOND // 20).x_m == pytest.approx(0.5)


def test_before_the_first_pose_the_first_one_counts():
    first = Pose(SECOND, 3.0, 0.0, 0.0, 10.0, 0.0)
    assert fallback.pose_at([first], 0).x_m == 3.0


def test_a_path_is_carried_into_the_frame_of_the_car_that_has_moved():
    start = Pose(0, 2.0, 1.0, math.pi / 2, 0.0, 0.0)
    now = Pose(9, 2.0, 4.0, -math.pi / 2, 0.0, 0.0)  # 3 m ahead, and facing about
    carried = fallback.carry(Path(0, np.array([[3.0, 0.0], [3.0, 2.0]])), start, now)
    assert carried.points_m == pytest.approx(np.array([[0.0, 0.0], [0.0, -2.0]]), abs=1e-12)
    assert carried.stamp_ns == 9


@given(points=PATHS, ego=EGOS, held_rad=st.floats(-0.6, 0.6), now_ns=st.integers(0, 2**62))
def test_whatever_the_path_and_the_motion_the_stop_stays_within_limits(
    points, ego, held_rad, now_ns
):
    wanted = stop(Path(0, points), ego, held_rad)
    assert abs(wanted.steering_rad) <= VEHICLE.max_steering_rad
    past = Past(Command(now_ns - SECOND // 20, held_rad, 0.0))
    command = limit(wanted, past, ego.speed_mps, now_ns, CONFIG).command
    assert abs(command.steering_rad - held_rad) <= 0.4 * 0.05 + 1e-12
    assert wanted.acceleration_mps2 in (-SAFETY.stop_braking_mps2, HOLDING_MPS2)


@given(
    points=PATHS,
    start=st.builds(Pose, st.just(0), *[st.floats(-1e6, 1e6)] * 2, st.floats(-10, 10), SPEEDS,
                    st.floats(-20.0, 20.0)),
    egos=st.lists(EGOS, max_size=5),
)  # fmt: skip
def test_carrying_a_path_keeps_its_shape(points, start, egos):
    now = start
    for ego in egos:
        now = fallback.advance(now, ego)
    carried = fallback.carry(Path(0, points), start, now).points_m
    lengths, expected = (np.hypot(*np.diff(p, axis=0).T) for p in (carried, points))
    assert lengths == pytest.approx(expected, abs=1e-6)
