import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_pilot.config import ControlConfig, VehicleConfig
from edge_pilot.control.lateral import curvature_of, point_at, steer, steering_of
from edge_pilot.control.longitudinal import accelerate, bends, pedals, target_speed
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


def test_two_points_are_a_straight_path():
    assert bends(STRAIGHT[:2])[1] == pytest.approx([0.0])


@pytest.mark.parametrize(
    ("acceleration_mps2", "expected"),
    [(1.5, (0.5, 0.0)), (-4.0, (0.0, 0.5)), (0.0, (0.0, 0.0)), (9.0, (1.0, 0.0)),
     (-20.0, (0.0, 1.0))],
)  # fmt: skip
def test_never_both_pedals_and_never_more_than_all(acceleration_mps2, expected):
    assert pedals(acceleration_mps2, VEHICLE) == expected
