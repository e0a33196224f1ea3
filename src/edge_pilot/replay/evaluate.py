"""What the pipeline makes of a recording, and how far that is from what the human did.

Nothing here depends on the time of day or of computing: the same events, model and
configuration give the same rows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from edge_pilot import results
from edge_pilot.ego import EgoFilter
from edge_pilot.errors import ImageError
from edge_pilot.pipeline import Pipeline
from edge_pilot.replay import agreement
from edge_pilot.types import NANOSECONDS, EgoState, Frame, Imu

MAX_STEERING_AGE_NS = NANOSECONDS // 2


@dataclass(frozen=True, slots=True)
class Speed:
    """A measured speed."""

    stamp_ns: int
    speed_mps: float
    std_mps: float


@dataclass(frozen=True, slots=True)
class Steering:
    """What the human did."""

    stamp_ns: int
    steering_rad: float  # at the road wheel, positive left


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A message that could not be used."""

    stamp_ns: int
    reason: str


Event: TypeAlias = Frame | Imu | Speed | Steering | Unreadable


@dataclass(frozen=True, slots=True)
class Row:
    """What one frame led to."""

    stamp_ns: int
    steering_rad: float
    acceleration_mps2: float
    curvature_1pm: float
    lane_offset_m: float
    speed_mps: float
    human_steering_rad: float | None  # None: none within MAX_STEERING_AGE_NS before


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What a recording led to."""

    rows: tuple[Row, ...]
    unreadable: tuple[Unreadable, ...]


def evaluate(pipeline: Pipeline, events: Iterable[Event]) -> Evaluation:
    """Drive through events in the order of their stamps."""
    ego, human = EgoFilter(), None
    rows: list[Row] = []
    unreadable: list[Unreadable] = []
    for event in events:
        feel(ego, event)
        if isinstance(event, Steering):
            human = event
        elif isinstance(event, Unreadable):
            unreadable.append(event)
        elif isinstance(event, Frame):
            try:
                rows.append(_drive(pipeline, event, ego.state(), human))
            except ImageError as error:
                unreadable.append(Unreadable(event.stamp_ns, str(error)))
    return Evaluation(tuple(rows), tuple(unreadable))


def feel(ego: EgoFilter, event: Event) -> None:
    """Feed a filter with what an event says of the car's motion, if it does."""
    if isinstance(event, Imu):
        ego.add_imu(event)
    elif isinstance(event, Speed):
        ego.add_speed(event.stamp_ns, event.speed_mps, event.std_mps)


def is_fresh(event: Steering | Speed, now_ns: int) -> bool:
    """Tell whether something that was said still counts."""
    return 0 <= now_ns - event.stamp_ns <= MAX_STEERING_AGE_NS


def first_frames(events: Iterable[Event], count: int) -> Iterator[Event]:
    """Give the events up to the frame number `count`."""
    for event in events:
        yield event
        count -= isinstance(event, Frame)
        if count <= 0:
            return


def digest(rows: Sequence[Row]) -> str:
    """Give the SHA-256 of the rows as `results` writes them, in hexadecimal."""
    return hashlib.sha256(results.canonical(rows)).hexdigest()


def total(evaluation: Evaluation) -> dict[str, object]:
    """Sum up; what cannot be said (no human, a steering that never changes) is None."""
    rows = evaluation.rows
    stamps = [row.stamp_ns for row in rows]
    return {
        "frames": len(rows),
        "unreadable": len(evaluation.unreadable),
        "duration_s": (max(stamps) - min(stamps)) / NANOSECONDS if stamps else 0.0,
        **_compare([row for row in rows if row.human_steering_rad is not None]),
        "digest": digest(rows),
    }


def _drive(pipeline: Pipeline, frame: Frame, ego: EgoState, human: Steering | None) -> Row:
    decision = pipeline.step(frame, ego)
    is_known = human is not None and is_fresh(human, frame.stamp_ns)
    return Row(
        stamp_ns=frame.stamp_ns,
        steering_rad=decision.command.steering_rad,
        acceleration_mps2=decision.command.acceleration_mps2,
        curvature_1pm=decision.prediction.curvature_1pm,
        lane_offset_m=decision.prediction.lane_offset_m,
        speed_mps=ego.speed_mps,
        human_steering_rad=human.steering_rad if human and is_known else None,
    )


def _compare(rows: Sequence[Row]) -> dict[str, object]:
    """Compare with the human on the frames where there was one."""
    own = np.array([row.steering_rad for row in rows], np.float64)
    human = np.array([row.human_steering_rad for row in rows], np.float64)
    found = agreement.compare(own, human)
    return {
        "human_frames": found.frames,
        "human_mae_rad": found.mae_rad if rows else None,
        "human_correlation": found.correlation,
        "human_turns": found.turns,
        "human_sign_errors": found.sign_errors,
    }
