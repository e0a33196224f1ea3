import math
from dataclasses import replace

import fakes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_pilot.perception.heads import OUTPUTS, decode, encode_state, points_along
from edge_pilot.types import EgoState


def decoded(**changed):
    values = fakes.outputs() | {
        name: np.array([[value]], np.float32) for name, value in changed.items()
    }
    return decode(values, fakes.CARD, 7)


def test_the_state_vector_follows_the_card():
    card = replace(fakes.CARD, state=("yaw_rate_radps", "speed_mps"), state_scale=(0.2, 10.0))
    state = encode_state(EgoState(0, 8.0, 0.1), card)
    assert (state.shape, state.dtype) == ((1, 2), np.float32)
    assert state[0] == pytest.approx([0.5, 0.8])


def test_the_stamp_of_the_frame_is_that_of_all_that_follows():
    prediction = decoded()
    assert (prediction.stamp_ns, prediction.path.stamp_ns) == (7, 7)


def test_a_log_variance_becomes_a_standard_deviation():
    prediction = decoded(curvature_log_variance=math.log(0.04))
    assert prediction.curvature_std_1pm == pytest.approx(0.2)
    assert prediction.path_std_m == pytest.approx(np.full(9, math.exp(-2.0)))


def test_the_numbers_of_the_lane_are_passed_on():
    prediction = decoded(curvature=0.01, lane_offset=0.5, heading_error=-0.1)
    said = prediction.curvature_1pm, prediction.lane_offset_m, prediction.heading_error_rad
    assert said == pytest.approx((0.01, 0.5, -0.1))


def test_the_path_begins_at_the_lane_s_centre_beside_the_car():
    start = decoded(lane_offset=0.5).path.points_m[0]
    assert start == pytest.approx([0.0, -0.5])


def test_the_foot_of_a_turned_car_on_the_lane_is_behind_or_ahead_of_it():
    offset, error = 1.0, 0.2  # left of the lane, pointing left: the foot lies behind
    start = decoded(lane_offset=offset, heading_error=error).path.points_m[0]
    assert start == pytest.approx([-math.sin(error), -math.cos(error)], abs=1e-6)


def test_a_path_has_a_point_for_each_distance_of_the_card_and_one_at_the_car():
    values = fakes.outputs(path_m=fakes.bend(40.0))
    points = decode(values, fakes.CARD, 0).path.points_m
    assert points.shape == (10, 2)
    assert points[-1] == pytest.approx([40.0 * math.sin(45 / 40), points[-1, 1]], rel=0.01)


def test_every_output_that_a_network_must_have_is_read():
    for name in OUTPUTS:
        with pytest.raises(KeyError, match=name):
            decode({key: v for key, v in fakes.outputs().items() if key != name}, fakes.CARD, 0)


@given(st.floats(-0.04, 0.04))
def test_points_along_a_bend_of_more_than_45_degrees_lie_on_its_circle(curvature_1pm):
    distances = np.arange(0.0, 36.0, 3.0)
    k = curvature_1pm or 1e-9
    points = points_along((1.0 - np.cos(distances * k)) / k, distances)
    assert points[:, 0] == pytest.approx(np.sin(distances * k) / k, abs=0.05)


@given(st.lists(st.floats(-100.0, 100.0), min_size=2, max_size=12))
def test_a_path_that_jumps_sideways_still_goes_forward(lateral_m):
    distances = np.arange(len(lateral_m)) * 5.0
    points = points_along(lateral_m, distances)
    assert (np.diff(points[:, 0]) >= 0.0).all()
    assert points[:, 1] == pytest.approx(lateral_m)
