"""What a recorded drive teaches."""

from __future__ import annotations

import numpy as np
import pytest

from edge_pilot.learning.dataset import (
    GUARD_S,
    Drive,
    Pictures,
    labels,
    past_rows,
    smoothed,
    split,
    stretches,
)

STEP = 50_000_000


def drive(count=2000, gap_at=1000, steering=0.1, speed=np.nan):
    stamps = np.arange(count, dtype=np.int64) * STEP
    stamps[gap_at:] += 60 * 10**9
    return Drive(
        np.zeros((count, 2, 2, 3), np.uint8), stamps, np.full(count, steering),
        np.full(count, speed), np.zeros((count, 2), np.float32), np.zeros(count, bool),
    )  # fmt: skip


def test_the_last_part_of_each_stretch_is_withheld_with_a_guard_before_it():
    found = split(drive(), 0.2, 0.1)

    assert found.test.min() >= 799 and set(found.test) & set(range(1000, 1790)) == set()
    assert {999, 1999} <= set(found.test)
    for earlier, later in ((found.train, found.validate), (found.validate, found.test)):
        apart = np.abs(earlier[:, None] - later[None, :])
        assert apart.min() * STEP >= 0.9 * GUARD_S * 1e9


def test_rows_without_a_label_and_bad_rows_are_not_learned_from():
    one = drive()
    one.steering_rad[:10] = np.nan
    one.is_bad[10:20] = True

    found = split(one)

    assert found.train.min() == 20


def test_a_gap_ends_a_stretch_and_a_past():
    one = drive(10, gap_at=5)

    assert [len(rows) for rows in stretches(one.stamp_ns)] == [5, 5]
    past = past_rows(one.stamp_ns, (0.05, 0.1))
    assert past.tolist()[3:7] == [[2, 1], [3, 2], [5, 5], [5, 5]]


def test_without_speed_the_path_is_the_arc_of_the_steering():
    found = labels(drive(), 2.0, (5.0, 10.0), 0.0, 0.0)

    radius = 2.0 / np.tan(0.1)
    np.testing.assert_allclose(found["curvature"], 1 / radius, rtol=1e-5)
    arc = radius * (1 - np.cos(np.array([5.0, 10.0]) / radius))
    np.testing.assert_allclose(found["path"][3], arc, rtol=1e-4)


def test_with_speed_the_path_is_where_the_car_went():
    one = drive(400, gap_at=400, steering=0.0, speed=10.0)
    one.steering_rad[100:] = 0.1  # straight on for 5 m more, then a bend

    found = labels(one, 2.0, (5.0, 15.0), 0.0, 0.0)

    radius = 2.0 / np.tan(0.1)
    assert found["path"][90, 0] == pytest.approx(0.0, abs=0.05)
    assert found["path"][90, 1] == pytest.approx(radius * (1 - np.cos(10 / radius)), rel=0.06)


def test_smoothing_keeps_a_slope_and_rounds_a_step():
    at = np.arange(100) * 0.05
    slope, step = 0.1 * at, (at > 2.5).astype(float)

    np.testing.assert_allclose(smoothed(at, slope, 0.1)[20:80], slope[20:80], atol=1e-6)
    assert 0.1 < smoothed(at, step, 0.1)[50] < 0.9
    np.testing.assert_allclose(smoothed(at, slope, 0.0, 0.1)[:90], slope[:90] + 0.01, atol=1e-6)


def test_pictures_of_several_drives_are_one_array():
    parts = [np.full((n, 1, 1, 3), n, np.uint8) for n in (2, 3)]

    assert Pictures(parts)[np.array([0, 2, 4, 1])][:, 0, 0, 0].tolist() == [2, 3, 3, 2]
