import math

import numpy as np
import pytest
from fakes_drive import AHEAD, PREDICTION
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from edge_pilot.config import CameraConfig
from edge_pilot.replay import ground, overlay
from edge_pilot.types import Command, Path

LEVEL = CameraConfig(pitch_rad=0.0)  # 320x180, focal length 190, 1.4 m high, 1.6 m forward
GREY = np.full((180, 320, 3), 100, np.uint8)
LINES = arrays.arrays(np.float64, st.tuples(st.integers(1, 8), st.just(2)),
                      elements=st.floats(-200.0, 200.0))  # fmt: skip


def draw(points=None, prediction=PREDICTION, steering=0.0, camera=LEVEL):
    path = None if points is None else Path(0, np.asarray(points, float))
    return overlay.draw(GREY, path, prediction, Command(0, steering, 0.0), camera)


def greenness(picture):
    return picture[..., 1].astype(int) - picture[..., 0]


def road(picture):
    return picture[: -80 * ground.SCALE // 2]  # without the gauges


def test_a_level_camera_sees_ground_10_m_ahead_where_pythagoras_says():
    # 190 * 1.4 / 10 = 26.6 below the middle; 190 * 2 / 10 = 38 to its left
    pixels = ground.project(np.array([[11.6, 0.0], [11.6, 2.0]]), LEVEL)

    assert pixels == pytest.approx(np.array([[159.5, 116.1], [121.5, 116.1]]))


def test_where_the_optical_axis_meets_the_ground_is_the_middle_of_the_picture():
    camera = CameraConfig(pitch_rad=0.3)
    distance = camera.height_m / math.tan(0.3)

    pixels = ground.project(np.array([[camera.forward_m + distance, 0.0]]), camera)

    assert pixels == pytest.approx(np.array([[159.5, 89.5]]))


def test_a_point_beside_the_axis_of_a_pitched_camera_is_where_trigonometry_says():
    camera, below = CameraConfig(pitch_rad=0.3), math.atan2(1.4, 3.0)
    depth = math.hypot(1.4, 3.0) * math.cos(below - 0.3)

    pixels = ground.project(np.array([[1.6 + 3.0, -1.0]]), camera)

    expected = [159.5 + 190.0 / depth, 89.5 + 190.0 * math.tan(below - 0.3)]
    assert pixels == pytest.approx(np.array([expected]))


def test_a_line_that_begins_behind_the_camera_is_cut_just_in_front_of_it():
    pixels = ground.project(np.array([[-5.0, 0.0], [11.6, 0.0]]), LEVEL)

    lowest = 89.5 + 190.0 * 1.4 / ground.NEAR_M
    assert pixels == pytest.approx(np.array([[159.5, lowest], [159.5, 116.1]]))


def test_a_line_behind_the_camera_has_no_pixels():
    assert ground.project(np.array([[-5.0, 0.0], [1.0, 0.0]]), LEVEL).shape == (0, 2)


@given(LINES)
def test_no_pixel_is_further_out_than_the_near_plane_permits(points):
    pixels = ground.project(points, LEVEL)

    assert np.isfinite(pixels).all()
    assert (pixels[:, 1] <= 89.5 + 190.0 * 1.4 / ground.NEAR_M + 1e-6).all()


@given(LINES)
def test_any_path_can_be_drawn(points):
    assert draw(points).shape == (360, 640, 3)


def test_the_picture_that_is_drawn_into_is_an_enlarged_copy():
    picture = draw(AHEAD)

    assert picture.shape == (360, 640, 3)
    assert picture.dtype == np.uint8
    assert (GREY == 100).all()


def test_the_corridor_is_as_wide_as_the_car_in_each_row():
    picture = draw(AHEAD, prediction={}, camera=LEVEL)

    row = 232  # (232 + 0.5) / 2 - 0.5 - 89.5 = 26.25 rows below the middle: 10.13 m away
    width_px = (greenness(picture)[row] > 20).sum()
    assert width_px == pytest.approx(2 * 190.0 * overlay.CAR.width_m / 10.13, abs=3)


def test_a_path_to_the_left_is_drawn_on_the_left():
    bend = AHEAD + np.column_stack([np.zeros(10), AHEAD[:, 0] ** 2 / 60.0])

    columns = np.nonzero(greenness(road(draw(bend))) > 20)[1]

    assert columns.min() < 220
    assert columns.max() < 450


def test_an_uncertain_path_gets_a_band_beside_the_corridor():
    sure, unsure = (
        (road(draw(AHEAD, {"path_std_m": std})) != 100).any(axis=2).sum() for std in (0.0, 1.0)
    )

    assert unsure > 1.1 * sure


def test_without_a_path_the_road_stays_as_it_was():
    assert (road(draw()) == 100).all()


@pytest.mark.parametrize("step", [0.0, 1e-200])
def test_a_path_of_one_place_is_not_drawn(step):
    assert (road(draw([[5.0, 0.0], [5.0, step], [5.0, 0.0]])) == 100).all()


@pytest.mark.parametrize(("steering", "side"), [(0.03, 1), (-0.03, -1)])
def test_the_wheel_turns_with_the_command(steering, side):
    picture = draw(steering=steering)  # its lower spoke goes right when it turns left

    below = picture[326 + 6 : 326 + 17, 37 - 14 : 37 + 15].sum(axis=(0, 2)).astype(int)

    assert np.sign(below[15:].sum() - below[:14].sum()) == side


@pytest.mark.parametrize("offset", [-0.5, 0.5])
def test_the_offset_is_shown_on_its_own_side(offset):
    columns = np.nonzero(greenness(draw(prediction={"lane_offset_m": offset})) > 60)[1]

    assert columns.mean() == pytest.approx(320 - 64 * offset, abs=1)
