"""What the car met on a drive: the obstacles of its pictures, put together to things.

The message of an obstacle carries no name, so a thing is followed from picture to picture by
where its speed takes it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from edge_pilot.config import ControlConfig, VehicleConfig
from edge_pilot.replay import marks
from edge_pilot.replay.drivelog import DriveLog, FrameLog
from edge_pilot.types import KINDS, NANOSECONDS, UNKNOWN, Obstacle

SAME_M = 2.5  # from where it was expected
FORGET_S = 0.7  # unseen
SHORTEST_S = 0.4  # what was seen for less is no thing


@dataclass(slots=True)
class Encounter:
    """One thing that was met."""

    kind: str  # as it was seen last
    begin_ns: int
    newest: Obstacle
    nearest_m: float  # from the bumper, while it was ahead
    was_braked_for: bool = False

    @property
    def duration_s(self) -> float:
        """How long it was seen."""
        return (self.newest.stamp_ns - self.begin_ns) / NANOSECONDS


def find(log: DriveLog, vehicle: VehicleConfig, control: ControlConfig) -> list[Encounter]:
    """Give what was met, in the order in which it was first seen."""
    all_met: list[Encounter] = []
    for frame in log.frames:
        speed_mps = frame.prediction.get("speed_mps", 0.0)
        known = [one for one in all_met if _age_s(one, frame) < FORGET_S]
        for obstacle in frame.obstacles:
            met = _same(known, obstacle, speed_mps)
            if met is None:
                met = Encounter(obstacle.kind, obstacle.stamp_ns, obstacle, math.inf)
                all_met.append(met)
            else:
                known.remove(met)
            _note(met, obstacle, frame, vehicle, control)
    return [one for one in all_met if one.duration_s >= SHORTEST_S]


def count(found: list[Encounter]) -> Mapping[str, tuple[int, int]]:
    """Give for each kind that was met how many, and how many of them the car braked for."""
    kinds = [kind for kind in (*KINDS, UNKNOWN) if any(one.kind == kind for one in found)]
    return {
        kind: (
            sum(one.kind == kind for one in found),
            sum(one.kind == kind and one.was_braked_for for one in found),
        )
        for kind in kinds
    }


def _age_s(met: Encounter, frame: FrameLog) -> float:
    return (frame.stamp_ns - met.newest.stamp_ns) / NANOSECONDS


def _same(known: list[Encounter], obstacle: Obstacle, speed_mps: float) -> Encounter | None:
    """Give the thing that was expected nearest to where an obstacle is."""

    def gap(met: Encounter) -> float:
        old = met.newest
        age_s = (obstacle.stamp_ns - old.stamp_ns) / NANOSECONDS
        x = old.x_m + (old.vx_mps - speed_mps) * age_s
        return math.hypot(x - obstacle.x_m, old.y_m + old.vy_mps * age_s - obstacle.y_m)

    best = min(known, key=gap, default=None)
    return best if best is not None and gap(best) < SAME_M else None


def _note(
    met: Encounter,
    obstacle: Obstacle,
    frame: FrameLog,
    vehicle: VehicleConfig,
    control: ControlConfig,
) -> None:
    met.kind, met.newest = obstacle.kind, obstacle
    front_m = vehicle.length_m - vehicle.rear_overhang_m
    if obstacle.x_m > front_m:
        gap = math.hypot(obstacle.x_m - front_m, obstacle.y_m)
        met.nearest_m = min(met.nearest_m, gap)
    speed_mps = frame.prediction.get("speed_mps", 0.0)
    if not met.was_braked_for and frame.command is not None:
        does_brake = frame.command.acceleration_mps2 < marks.BRAKES_MPS2
        met.was_braked_for = does_brake and marks.brakes_for(
            obstacle, frame.path, speed_mps, vehicle, control
        )
