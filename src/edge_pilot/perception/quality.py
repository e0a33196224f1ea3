"""How good detections are: average precision, recall by distance, error of the distance.

A detection is right when it overlaps a box of its own kind by an IoU of 0.5 that no better one
has taken. Boxes that need not be found (too small, hidden) count neither way.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from edge_pilot.perception.boxes import Box, overlap
from edge_pilot.types import KINDS, Detection, Floats

RIGHT_IOU = 0.5
DISTANCES_M = (0.0, 10.0, 20.0, 30.0, 40.0, 60.0)  # edges of the bins
WORKING_SCORE = 0.4  # recall and distance are judged at this score


@dataclass(frozen=True, slots=True)
class Truth:
    """What there is to see."""

    kind: str
    box_px: Box
    distance_m: float  # level, from the camera to the middle of the side that faces it
    must: bool  # be found; else it may be


class Picture(NamedTuple):
    """What was seen in one picture, and what there was."""

    detections: Sequence[Detection]
    truths: Sequence[Truth]
    forward_m: float  # of the camera, in front of base_link


class Match(NamedTuple):
    """One detection that counts; `truth` is None where it is wrong."""

    detection: Detection
    truth: Truth | None
    forward_m: float


class KindQuality(NamedTuple):
    """How well one kind is found."""

    average_precision: float  # area under precision over recall, at IoU 0.5; NaN: there was none
    there: int  # how many there were to find
    recall: tuple[float, ...]  # for each bin of DISTANCES_M; NaN: there was none
    distance_error: float  # mean |error| / distance
    distance_bias: float  # mean error / distance, positive: said to be farther


def judge(pictures: Iterable[Picture]) -> dict[str, KindQuality]:
    """Judge pictures by kind."""
    matches: list[Match] = []
    truths: list[Truth] = []
    for picture in pictures:
        matches += match(picture)
        truths += [truth for truth in picture.truths if truth.must]
    return {kind: _judge(kind, matches, truths) for kind in KINDS}


def match(picture: Picture) -> list[Match]:
    """Pair the detections of one picture with what there was, best score first."""
    free = list(picture.truths)
    found = []
    for detection in sorted(picture.detections, key=lambda one: -one.score):
        if detection.box_px is None:
            continue
        right = [
            (overlap(detection.box_px, truth.box_px), i)
            for i, truth in enumerate(free)
            if truth.kind == detection.kind
        ]
        best, index = max(right, default=(0.0, -1))
        truth = free.pop(index) if best >= RIGHT_IOU else None
        may = truth is not None and not truth.must
        if not may and not (truth is None and _is_excused(detection, picture.truths)):
            found.append(Match(detection, truth, picture.forward_m))
    return found


def average_precision(scores: Sequence[float], right: Sequence[bool], count: int) -> float:
    """Give the area under the precision envelope over recall, for `count` things to find."""
    if not count:
        return float("nan")
    order = np.argsort(-np.asarray(scores, np.float64), kind="stable")
    hits = np.cumsum(np.asarray(right, bool)[order])
    recall = np.concatenate([[0.0], hits / count])
    precision = hits / np.arange(1, len(hits) + 1)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    return float(np.sum(np.diff(recall) * envelope))


def _is_excused(detection: Detection, truths: Sequence[Truth]) -> bool:
    """Whether a wrong detection lies mostly on something that need not be found."""
    x0, y0, x1, y1 = detection.box_px or (0.0, 0.0, 0.0, 0.0)
    x, y = 0.5 * (x0 + x1), 0.5 * (y0 + y1)
    return any(
        not truth.must
        and truth.box_px[0] <= x <= truth.box_px[2]
        and truth.box_px[1] <= y <= truth.box_px[3]
        for truth in truths
    )


def _judge(kind: str, matches: Sequence[Match], truths: Sequence[Truth]) -> KindQuality:
    own = [one for one in matches if one.detection.kind == kind]
    wanted = [truth for truth in truths if truth.kind == kind]
    scores = [one.detection.score for one in own]
    right = [one.truth is not None for one in own]
    sure = [one for one in own if one.detection.score >= WORKING_SCORE]
    error = _distance_errors(sure)
    return KindQuality(
        average_precision=average_precision(scores, right, len(wanted)),
        there=len(wanted),
        recall=_recall(sure, wanted),
        distance_error=float(np.abs(error).mean()) if len(error) else float("nan"),
        distance_bias=float(error.mean()) if len(error) else float("nan"),
    )


def _recall(sure: Sequence[Match], wanted: Sequence[Truth]) -> tuple[float, ...]:
    there, _ = np.histogram([truth.distance_m for truth in wanted], DISTANCES_M)
    seen, _ = np.histogram([one.truth.distance_m for one in sure if one.truth], DISTANCES_M)
    share = np.divide(seen, there, out=np.full(len(there), np.nan), where=there > 0)
    return tuple(float(value) for value in share)


def _distance_errors(sure: Sequence[Match]) -> Floats:
    errors = [
        np.hypot(one.detection.x_m - one.forward_m, one.detection.y_m) / one.truth.distance_m - 1.0
        for one in sure
        if one.truth
    ]
    return np.array(errors, np.float64)
