"""What a model saw on some roads, against what there was: the numbers of `edge_pilot perceive`."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from edge_pilot.perception import quality
from edge_pilot.perception.quality import WORKING_SCORE, KindQuality, Match, Picture, Truth
from edge_pilot.types import KINDS, Detection, Floats

LANE = ("curvature", "lane_offset", "heading_error")
UNITS = {"curvature": "1pm", "lane_offset": "m", "heading_error": "rad"}
NEAREST_M = 5.0  # a fault that is nearer than this weighs no more
# What a model must reach in the light that it was trained for.
MIN_PRECISION = {"vehicle": 0.7, "pedestrian": 0.5}  # average precision at IoU 0.5
MAX_PATH_ERROR_M = 0.4  # mean, at PATH_AT_M
PATH_AT_M = 20.0


class Still(NamedTuple):
    """One picture with everything drawn into it."""

    jpeg: bytes
    caption: str
    badness: float  # 0: nothing was wrong


@dataclass(frozen=True, slots=True, eq=False)
class Road:
    """What was seen on one road."""

    seed: int
    light: str
    pictures: Sequence[Picture] = field(repr=False)
    errors: Mapping[str, Floats] = field(repr=False)  # absolute (N, ...): `path` and each of LANE
    stills: Sequence[Still] = field(repr=False)


class LaneQuality(NamedTuple):
    """How well the lane is seen: absolute errors."""

    path_mean_m: tuple[float, ...]  # at each distance of the card
    path_p95_m: tuple[float, ...]
    mean: dict[str, float]  # of each of LANE
    p95: dict[str, float]


class Sights(NamedTuple):
    """Roads of one sort, and how well they are seen."""

    roads: tuple[Road, ...]
    kinds: dict[str, KindQuality]
    lane: LaneQuality
    distances_m: tuple[float, ...]  # of the path

    @property
    def pictures(self) -> list[Picture]:
        """All of them."""
        return [picture for road in self.roads for picture in road.pictures]


class Faults(NamedTuple):
    """What is wrong in one picture, at the working score."""

    missed: list[Truth]
    false: list[Detection]

    @property
    def badness(self) -> float:
        """Weigh faults: near ones more."""
        gaps = [truth.distance_m for truth in self.missed]
        gaps += [math.hypot(one.x_m, one.y_m) for one in self.false]
        return sum(1.0 / max(gap, NEAREST_M) for gap in gaps)


def sum_up(roads: Sequence[Road], distances_m: Sequence[float]) -> Sights:
    """Judge what was seen on at least one road."""
    pictures = [picture for road in roads for picture in road.pictures]
    return Sights(tuple(roads), quality.judge(pictures), _lane(roads), tuple(distances_m))


def by_light(sights: Sights) -> dict[str, Sights]:
    """Judge each light on its own."""
    lights = dict.fromkeys(road.light for road in sights.roads)
    return {
        light: sum_up([road for road in sights.roads if road.light == light], sights.distances_m)
        for light in lights
    }


def path_error(sights: Sights) -> float:
    """Give the mean error of the path [m] at PATH_AT_M."""
    return float(np.interp(PATH_AT_M, sights.distances_m, sights.lane.path_mean_m))


def shortfalls(sights: Sights) -> list[str]:
    """Say which floors are missed."""
    said = [
        f"{kind} average precision {sights.kinds[kind].average_precision:.2f} is below {floor:g}"
        for kind, floor in MIN_PRECISION.items()
        if sights.kinds[kind].average_precision < floor  # of what was not there it is NaN
    ]
    error = path_error(sights)
    if not error <= MAX_PATH_ERROR_M:
        said.append(f"path error {error:.2f} m at {PATH_AT_M:g} m is above {MAX_PATH_ERROR_M:g} m")
    return said


def faults(picture: Picture) -> Faults:
    """Give what is missed or invented."""
    sure = [one for one in quality.match(picture) if one.detection.score >= WORKING_SCORE]
    found = {id(one.truth) for one in sure}
    missed = [truth for truth in picture.truths if truth.must and id(truth) not in found]
    return Faults(missed, [one.detection for one in sure if one.truth is None])


def precision_recall(sights: Sights, kind: str) -> tuple[Floats, Floats]:
    """Give recall and precision (N,) of a kind for falling scores."""
    own = sorted(_matches(sights, kind), key=lambda one: -one.detection.score)
    hits = np.cumsum([one.truth is not None for one in own])
    there = max(sights.kinds[kind].there, 1)
    return hits / there, hits / np.arange(1, len(own) + 1)


def distances(sights: Sights, kind: str) -> tuple[Floats, Floats]:
    """Give the true distance and the one said [m] (N,) of what was found of a kind."""
    pairs = [
        (one.truth.distance_m, math.hypot(one.detection.x_m - one.forward_m, one.detection.y_m))
        for one in _matches(sights, kind)
        if one.truth and one.detection.score >= WORKING_SCORE
    ]
    true, said = np.array(pairs, np.float64).reshape(-1, 2).T
    return true, said


def numbers(sights: Sights) -> dict[str, Any]:
    """Give all of it in plain numbers."""
    lane = sights.lane
    return {
        "roads": len(sights.roads),
        "pictures": sum(len(road.pictures) for road in sights.roads),
        "kinds": {kind: sights.kinds[kind]._asdict() for kind in KINDS},
        "path": {
            "distance_m": sights.distances_m,
            "mean_m": lane.path_mean_m,
            "p95_m": lane.path_p95_m,
        },
        **{f"{name}_mean_{UNITS[name]}": lane.mean[name] for name in LANE},
        **{f"{name}_p95_{UNITS[name]}": lane.p95[name] for name in LANE},
    }


def _matches(sights: Sights, kind: str) -> list[Match]:
    found = [one for picture in sights.pictures for one in quality.match(picture)]
    return [one for one in found if one.detection.kind == kind]


def _lane(roads: Sequence[Road]) -> LaneQuality:
    errors = {
        name: np.concatenate([road.errors[name] for road in roads]) for name in ("path", *LANE)
    }
    # Where the road ends, or bends away, there is no true path so far ahead.
    with_path = errors["path"][np.isfinite(errors["path"]).all(axis=1)]
    return LaneQuality(
        path_mean_m=tuple(with_path.mean(axis=0).tolist()),
        path_p95_m=tuple(np.percentile(with_path, 95, axis=0).tolist()),
        mean={name: float(errors[name].mean()) for name in LANE},
        p95={name: float(np.percentile(errors[name], 95)) for name in LANE},
    )
