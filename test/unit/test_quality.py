import math
from dataclasses import replace

import pytest

from edge_pilot.perception.quality import Picture, Truth, average_precision, judge
from edge_pilot.types import Detection

CAR = Truth("vehicle", (100.0, 100.0, 120.0, 110.0), 20.0, must=True)


def seen(score=0.9, kind="vehicle", shift=0.0, distance_m=20.0):
    x0, y0, x1, y1 = CAR.box_px
    return Detection(kind, score, distance_m, 0.0, 1.8, (x0 + shift, y0, x1 + shift, y1))


def cars(*pictures):
    return judge([Picture(found, truths, 0.0) for found, truths in pictures])["vehicle"]


def test_what_is_found_where_it_is_counts_fully():
    it = cars(([seen()], [CAR]))
    assert (it.average_precision, it.there, it.recall[2]) == (1.0, 1, 1.0)
    assert it.distance_error == pytest.approx(0.0)


@pytest.mark.parametrize("wrong", [seen(shift=12.0), seen(kind="cyclist")])
def test_another_place_or_kind_does_not_count(wrong):
    assert cars(([wrong], [CAR])).average_precision == 0.0


def test_two_detections_of_one_thing_are_one_hit_and_one_mistake():
    it = cars(([seen(0.9), seen(0.8)], [CAR]), ([seen(0.7)], [CAR]))
    assert it.average_precision == pytest.approx(0.5 + 0.5 * 2 / 3)


def test_a_mistake_that_is_surer_than_the_hits_costs_most():
    mistake = seen(0.95, shift=60.0)
    assert cars(([seen(0.9), mistake], [CAR])).average_precision == pytest.approx(0.5)


def test_what_need_not_be_found_counts_neither_way():
    may = replace(CAR, must=False)
    it = cars(([seen(0.9)], [may]), ([seen(0.8)], [CAR]))
    assert (it.average_precision, it.there) == (1.0, 1)


def test_recall_is_told_by_distance():
    far = replace(CAR, distance_m=35.0)
    recall = cars(([seen()], [CAR]), ([], [far])).recall
    assert recall[2:4] == (1.0, 0.0)
    assert math.isnan(recall[0])


def test_a_distance_is_judged_from_the_camera():
    picture = Picture([replace(seen(), x_m=23.6)], [CAR], forward_m=1.6)
    it = judge([picture])["vehicle"]
    assert (it.distance_error, it.distance_bias) == (pytest.approx(0.1), pytest.approx(0.1))


def test_where_there_was_nothing_to_find_there_is_no_figure():
    assert math.isnan(cars(([], [])).average_precision)


def test_average_precision_is_the_area_under_the_envelope():
    value = average_precision([0.9, 0.8, 0.7, 0.6], [True, False, True, False], 2)
    assert value == pytest.approx(0.5 * 1.0 + 0.5 * 2 / 3)
