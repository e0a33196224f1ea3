"""Driving through events, and the comparison with the human."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from edge_pilot.card import CameraModel, InputSpec, ModelCard, ModelFile
from edge_pilot.config import Config
from edge_pilot.pipeline import Pipeline
from edge_pilot.replay.evaluate import (
    Evaluation,
    Row,
    Speed,
    Steering,
    Unreadable,
    digest,
    evaluate,
    first_frames,
    total,
)
from edge_pilot.types import NANOSECONDS, Frame, Imu, Tensor

CAMERA = CameraModel(32, 18, 20.0, 20.0, 15.5, 8.5)
SPEC = InputSpec(16, 8, CAMERA, 2, 18, (0.5, 0.5, 0.5), (0.25, 0.25, 0.25))
CARD = ModelCard("fake", SPEC, ("speed_mps",), (10.0,), (5.0, 10.0, 20.0), 1.4, 0.04)


class BrightnessBackend:
    """Steers left in bright pictures, right in dark ones."""

    def run(self, image: Tensor, state: Tensor) -> Mapping[str, Tensor]:
        side = np.full((1, 1), np.sign(image.mean()), np.float32)
        zero = np.zeros((1, 1), np.float32)
        return {
            "path": side * np.float32([[0.2, 0.5, 2.0]]),
            "path_log_variance": np.zeros((1, 3), np.float32),
            "curvature": side * 0.01,
            "curvature_log_variance": zero,
            "lane_offset": state,
            "heading_error": zero,
        }


def pipeline(camera: CameraModel | None = None) -> Pipeline:
    model = ModelFile(Path("fake.onnx"), b"", CARD, "0" * 12)
    return Pipeline(Config(), model, BrightnessBackend(), camera)


def frame(index: int, brightness: int = 255, height: int = 18) -> Frame:
    return Frame(index * NANOSECONDS // 20, np.full((height, 32, 3), brightness, np.uint8))


def row(steering: float, human: float | None) -> Row:
    return Row(0, steering, 0.0, 0.0, 0.0, 0.0, human)


def sums(*rows: Row) -> dict[str, object]:
    return total(Evaluation(rows, ()))


def test_every_frame_gives_a_row():
    rows = evaluate(pipeline(), [frame(0), frame(1, brightness=0)]).rows

    assert [row.stamp_ns for row in rows] == [0, 50_000_000]
    assert rows[0].steering_rad > 0.01 and rows[1].steering_rad < -0.01
    assert rows[0].curvature_1pm == pytest.approx(0.01)


def test_speed_and_inertia_reach_the_network():
    events = [Speed(0, 5.0, 0.01), frame(1), Imu(0, (0, 0, 9.8), (0, 0, 0))]
    events += [Imu(i * 10_000_000, (2.0, 0.0, 9.8), (0.0, 0.0, 0.0)) for i in range(1, 101)]

    rows = evaluate(pipeline(), [*events, frame(21)]).rows

    assert rows[0].speed_mps == pytest.approx(5.0, abs=0.1)
    assert rows[0].lane_offset_m == pytest.approx(0.5, abs=0.01)  # the fake gives its state
    assert rows[1].speed_mps == pytest.approx(7.0, abs=0.3)


def test_the_human_counts_for_half_a_second():
    events = [frame(0), Steering(1, 0.1), frame(1), frame(10), frame(11)]

    rows = evaluate(pipeline(), events).rows

    assert [row.human_steering_rad for row in rows] == [None, 0.1, 0.1, None]


def test_what_cannot_be_read_is_counted_and_passed_over():
    damaged = Unreadable(0, "damaged")

    result = evaluate(pipeline(CAMERA), [damaged, frame(1, height=20), frame(2)])

    assert [item.reason[:8] for item in result.unreadable] == ["damaged", "expected"]
    assert len(result.rows) == 1


def test_the_same_events_give_the_same_digest():
    events = [Speed(0, 5.0, 0.1), frame(1), Steering(2, 0.1), frame(3)]

    digests = {digest(evaluate(pipeline(), events).rows) for _ in range(2)}
    other = digest(evaluate(pipeline(), events[1:]).rows)

    assert len(digests) == 1 and other not in digests


def test_the_digest_is_that_of_plain_json():
    rows = (row(0.1, None), row(math.nan, 0.2))

    values = [{**asdict(rows[0])}, {**asdict(rows[1]), "steering_rad": None}]
    text = json.dumps(values, sort_keys=True, separators=(",", ":"))
    assert digest(rows) == hashlib.sha256(text.encode()).hexdigest()


def test_differences_from_the_human_are_summed_up():
    result = sums(row(0.1, 0.2), row(-0.1, 0.1), row(0.3, 0.3), row(-0.1, 0.01), row(9.0, None))

    assert result["human_frames"] == 4
    assert result["human_mae_rad"] == pytest.approx((0.1 + 0.2 + 0.0 + 0.11) / 4)
    assert result["human_correlation"] == pytest.approx(0.0685 / math.sqrt(0.11 * 0.047075))
    assert (result["human_turns"], result["human_sign_errors"]) == (3, 1)


def test_without_a_human_nothing_is_said_about_one():
    result = sums(row(0.1, None))

    assert result["human_frames"] == 0
    assert result["human_mae_rad"] is result["human_correlation"] is None


def test_a_steering_that_never_changes_has_no_correlation():
    assert sums(row(0.1, 0.2), row(0.2, 0.2))["human_correlation"] is None


def test_the_limit_counts_frames_only():
    events = [Speed(0, 1.0, 0.1), frame(1), Speed(2, 1.0, 0.1), frame(3), Speed(4, 1.0, 0.1)]

    assert list(first_frames(events, 2)) == events[:4]
    assert list(first_frames(events, 9)) == events
