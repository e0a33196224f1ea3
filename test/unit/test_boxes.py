from dataclasses import replace

import fakes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_pilot.perception.boxes import find, is_beside, overlap
from edge_pilot.types import KINDS

CARD = replace(
    fakes.CARD,
    input=replace(fakes.CARD.input, width_px=320, height_px=112, crop_top_px=68),
    kinds=KINDS,
)
GRID = (28, 80)
ASIDE = 0.25


def maps(*peaks):
    """Make maps with a peak (kind, row, column, score, width, height, metres ahead) each."""
    heat = np.full((3, *GRID), 0.01, np.float32)
    box = np.ones((7, *GRID), np.float32)
    for kind, row, column, score, width, height, ahead in peaks:
        heat[kind, row, column] = score
        box[:, row, column] = (0.0, 0.0, width, height, ahead, ASIDE, 1.8)
    return heat, box


def test_a_peak_becomes_a_detection_of_its_kind_in_the_picture():
    heat, box = maps((1, 10, 39, 0.9, 20.0, 12.0, 15.0))
    (found,) = find(heat, box, CARD, forward_m=1.6)
    assert (found.kind, found.score) == ("vehicle", pytest.approx(0.9))
    assert found.box_px == pytest.approx((148.0, 104.0, 168.0, 116.0))


def test_what_is_left_in_the_picture_is_left_of_the_car():
    heat, box = maps((0, 10, 20, 0.9, 6.0, 14.0, 20.0))
    (found,) = find(heat, box, CARD, forward_m=1.6)
    slope = (160.5 - 82.0) / 190.0
    assert (found.x_m, found.y_m) == pytest.approx((21.6, 20.0 * slope + ASIDE))


@pytest.mark.parametrize(("column", "width", "is_so"), [(2, 20.0, True), (30, 20.0, False),
                                                        (38, 318.0, False)])  # fmt: skip
def test_what_a_side_of_the_picture_cuts_is_beside_the_car(column, width, is_so):
    heat, box = maps((1, 10, column, 0.9, width, 12.0, 5.0))
    (found,) = find(heat, box, CARD, 0.0)
    assert is_beside(found, CARD) is is_so


def test_a_crop_at_half_size_gives_boxes_of_the_whole_picture():
    half = replace(CARD, input=replace(CARD.input, width_px=160, height_px=56))
    heat = np.zeros((3, 14, 40), np.float32)
    heat[0, 5, 10] = 0.8
    box = np.zeros((7, 14, 40), np.float32)
    box[:, 5, 10] = (0.0, 0.0, 8.0, 10.0, 12.0, 0.0, 0.5)
    (found,) = find(heat, box, half, 0.0)
    assert found.box_px == pytest.approx((76.0, 102.0, 92.0, 122.0))


def test_a_weaker_neighbour_is_the_same_thing():
    heat, box = maps(
        (1, 10, 39, 0.9, 20.0, 12.0, 15.0), (1, 10, 40, 0.7, 20.0, 12.0, 15.0),
        (2, 10, 40, 0.6, 20.0, 12.0, 15.0),
    )  # fmt: skip
    assert [one.kind for one in find(heat, box, CARD, 0.0)] == ["vehicle"]


def test_two_things_apart_are_two_and_the_surer_comes_first():
    heat, box = maps((0, 10, 20, 0.5, 6.0, 14.0, 20.0), (2, 12, 60, 0.8, 9.0, 14.0, 18.0))
    assert [one.kind for one in find(heat, box, CARD, 0.0)] == ["cyclist", "pedestrian"]


def test_what_is_less_than_sure_enough_is_left_out():
    heat, box = maps((0, 10, 20, 0.2, 6.0, 14.0, 20.0))
    assert find(heat, box, CARD, 0.0) == ()
    assert len(find(heat, box, CARD, 0.0, min_score=0.1)) == 1


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_box_that_is_not_finite_is_left_out(value):
    heat, box = maps((0, 10, 20, 0.9, 6.0, value, 20.0))
    assert find(heat, box, CARD, 0.0) == ()


def test_a_heat_map_without_peaks_gives_a_bounded_number():
    heat, box = maps()
    heat[:] = 0.7
    assert len(find(heat, box, CARD, 0.0)) <= 32


CORNER = st.tuples(st.floats(0, 50), st.floats(0, 50), st.floats(1, 50), st.floats(1, 50))


@given(CORNER, CORNER)
def test_overlap_is_a_share_and_the_same_both_ways(a, b):
    one, other = ((x, y, x + w, y + h) for x, y, w, h in (a, b))
    assert 0.0 <= overlap(one, other) <= 1.0
    assert overlap(one, other) == pytest.approx(overlap(other, one))
    assert overlap(one, one) == pytest.approx(1.0)
