"""What the car does when there is no proposal that may be followed.

The stop steers along the last good path while it brakes. For that the path, given in the
`base_link` of its image, is carried into the present `base_link` by dead reckoning over speed
and yaw rate.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edge_pilot.config import ControlConfig, VehicleConfig
from edge_pilot.control.lateral import steer
from edge_pilot.safety.gate import HOLDING_MPS2
from edge_pilot.types import NANOSECONDS, Command, EgoState, Floats, Path

STANDING_MPS = 0.1
EXTENSION_M = 100.0  # a path goes on straight for this long, so that a stop never outlives it
MAX_STEP_S = 0.5  # a motion is not taken to go on unchanged for longer than this


@dataclass(frozen=True, slots=True)
class Pose:
    """Where the car is and how it moves, in the frame where its reckoning began."""

    stamp_ns: int
    x_m: float
    y_m: float
    heading_rad: float
    speed_mps: float
    yaw_rate_radps: float


def begin(ego: EgoState) -> Pose:
    """Begin a reckoning here."""
    return Pose(ego.stamp_ns, 0.0, 0.0, 0.0, ego.speed_mps, ego.yaw_rate_radps)


def advance(pose: Pose, ego: EgoState) -> Pose:
    """Go on to a later motion."""
    moved = extrapolate(pose, ego.stamp_ns)
    return Pose(
        ego.stamp_ns, moved.x_m, moved.y_m, moved.heading_rad, ego.speed_mps, ego.yaw_rate_radps
    )


def extrapolate(pose: Pose, stamp_ns: int) -> Pose:
    """Give the pose at a later moment, on an arc of constant speed and yaw rate."""
    elapsed_s = min(max((stamp_ns - pose.stamp_ns) / NANOSECONDS, 0.0), MAX_STEP_S)
    turn = pose.yaw_rate_radps * elapsed_s
    course = pose.heading_rad + 0.5 * turn
    way = pose.speed_mps * elapsed_s * float(np.sinc(turn / (2.0 * math.pi)))  # the arc's chord
    return Pose(
        stamp_ns,
        pose.x_m + way * math.cos(course),
        pose.y_m + way * math.sin(course),
        pose.heading_rad + turn,
        pose.speed_mps,
        pose.yaw_rate_radps,
    )


def pose_at(history: Sequence[Pose], stamp_ns: int) -> Pose:
    """Give the pose at a moment from poses in the order of time, the oldest where it is before."""
    before = [pose for pose in history if pose.stamp_ns <= stamp_ns]
    return extrapolate(before[-1] if before else history[0], stamp_ns)


def carry(path: Path, start: Pose, now: Pose) -> Path:
    """Express a path, given at `start`, in the car's frame `now`."""
    moved = _turn(start.heading_rad) @ path.points_m.T  # (2, N)
    moved += [[start.x_m - now.x_m], [start.y_m - now.y_m]]
    return Path(now.stamp_ns, (_turn(-now.heading_rad) @ moved).T)


def stop(
    path: Path | None,
    ego: EgoState,
    vehicle: VehicleConfig,
    control: ControlConfig,
    held_rad: float,
    braking_mps2: float,
) -> Command:
    """Brake along a path; at standstill only hold the car.

    Args:
        path: in the car's present frame; None: there was never a good one.
        ego: the present motion; its stamp becomes the command's.
        vehicle: the car.
        control: how a path is followed.
        held_rad: the steering that is kept at standstill, or without a path.
        braking_mps2: the deceleration, positive.
    """
    if ego.speed_mps < STANDING_MPS:
        return Command(ego.stamp_ns, held_rad, HOLDING_MPS2)
    steering = held_rad if path is None else steer(ahead(path), ego, vehicle, control)
    return Command(ego.stamp_ns, steering, -braking_mps2)


def ahead(path: Path) -> Path:
    """Give what is left of a path: from the point nearest to the car, and on straight."""
    points = path.points_m
    last = points[-1] - points[-2]
    end = points[-1] + EXTENSION_M * last / max(float(np.hypot(*last)), 1e-6)
    points = np.vstack([points, end])
    feet = _feet(points)
    nearest = int(np.argmin(np.hypot(feet[:, 0], feet[:, 1])))
    return Path(path.stamp_ns, np.vstack([feet[nearest], points[nearest + 1 :]]))


def _feet(points_m: Floats) -> Floats:
    """Give the point nearest to the origin on each piece of a path (N, 2) -> (N - 1, 2)."""
    start, step = points_m[:-1], np.diff(points_m, axis=0)
    length_sq = np.maximum((step**2).sum(axis=1), 1e-12)
    t = np.clip(-(start * step).sum(axis=1) / length_sq, 0.0, 1.0)
    feet: Floats = start + t[:, None] * step
    return feet


def _turn(angle_rad: float) -> Floats:
    cos, sin = math.cos(angle_rad), math.sin(angle_rad)
    return np.array([[cos, -sin], [sin, cos]])
