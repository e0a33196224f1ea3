"""Steering along a path.

Pure pursuit (Coulter, CMU-RI-TR-92-01, 1992): the arc from the rear axle, tangent to the car,
through a point of the path ahead. Its curvature is 2 y / d^2 for a point at distance d and
lateral offset y.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from edge_pilot.config import ControlConfig, VehicleConfig
from edge_pilot.types import EgoState, Floats, Path

MAX_LATERAL_MPS2 = 2.9  # a little less than ISO 11270's 3, which the safety gate keeps
BISECTIONS = 20  # of a piece of 5 m: to a hundredth of a millimetre


def steer(path: Path, ego: EgoState, vehicle: VehicleConfig, control: ControlConfig) -> float:
    """Give the angle of the road wheel [rad] that follows the path, within the car's limits.

    It is NaN where the path is not finite: the gate refuses that.
    """
    if not np.isfinite(path.points_m).all():
        return math.nan
    lookahead = max(control.min_lookahead_m, control.lookahead_s * ego.speed_mps)
    x, y = point_at(path.points_m, lookahead)
    curvature = 2.0 * y / max(x * x + y * y, 1e-6)
    fastest = MAX_LATERAL_MPS2 / max(ego.speed_mps**2, 1e-6)
    angle = steering_of(min(max(curvature, -fastest), fastest), vehicle)
    return float(np.clip(angle, -vehicle.max_steering_rad, vehicle.max_steering_rad))


def steering_of(curvature_1pm: float, vehicle: VehicleConfig) -> float:
    """Give the road wheel's angle [rad] for a curvature of the rear axle (kinematic model)."""
    return math.atan(vehicle.wheelbase_m * curvature_1pm)


def curvature_of(steering_rad: float, vehicle: VehicleConfig) -> float:
    """Give the curvature [1/m] of the rear axle for an angle of the road wheel."""
    return math.tan(steering_rad) / vehicle.wheelbase_m


def point_at(points_m: Floats, radius_m: float) -> tuple[float, float]:
    """Give the first point ahead where the path leaves the circle of `radius_m` about the car.

    Between its points the path is a smooth cubic. One that ends inside is extended straight, one
    that begins outside gives its first point.
    """
    distance = np.hypot(points_m[:, 0], points_m[:, 1])
    beyond = np.flatnonzero(distance >= radius_m)
    last = int(beyond[0]) if beyond.size else len(points_m) - 1
    if last == 0:
        return float(points_m[0, 0]), float(points_m[0, 1])
    if not beyond.size:
        return _extended(points_m[-2], points_m[-1], radius_m)
    x_at, y_at = _piece(points_m, last)
    low, high = 0.0, 1.0
    for _ in range(BISECTIONS):
        middle = 0.5 * (low + high)
        is_inside = math.hypot(x_at(middle), y_at(middle)) < radius_m
        low, high = (middle, high) if is_inside else (low, middle)
    return x_at(high), y_at(high)


def _extended(start: Floats, end: Floats, radius_m: float) -> tuple[float, float]:
    step = end - start
    # |start + t step|^2 = radius^2, the larger root
    a, b = float(step @ step), float(start @ step)
    c = float(start @ start) - radius_m**2
    t = (-b + math.sqrt(max(b * b - a * c, 0.0))) / max(a, 1e-9)
    x, y = start + t * step
    return float(x), float(y)


def _piece(
    points_m: Floats, last: int
) -> tuple[Callable[[float], float], Callable[[float], float]]:
    """Give x and y at a share of the piece that ends in `last`, by Hermite's cubic."""
    start, step = points_m[last - 1], points_m[last] - points_m[last - 1]
    length = math.hypot(step[0], step[1])
    entry, exit_ = _tangents(points_m, last, step, length)

    def along(axis: int) -> Callable[[float], float]:
        # Numbers of Python: twenty steps with arrays of two would cost ten times as much.
        begin, way, into, out = (float(v[axis]) for v in (start, step, entry, exit_))
        return lambda t: (
            begin
            + t * t * (3.0 - 2.0 * t) * way
            + length * t * (1.0 - t) * ((1.0 - t) * into - t * out)
        )

    return along(0), along(1)


def _tangents(points_m: Floats, last: int, step: Floats, length: float) -> tuple[Floats, Floats]:
    """Give the directions (2,) at both ends of a piece, by parabolas through its neighbours."""
    own = step / max(length, 1e-6)
    before = points_m[last - 1] - points_m[last - 2] if last >= 2 else None
    after = points_m[last + 1] - points_m[last] if last + 1 < len(points_m) else None
    entry = None if before is None else _joint(before, own, length)
    exit_ = None if after is None else _joint(after, own, length)
    if entry is None:
        entry = own if exit_ is None else 2.0 * own - exit_
    if exit_ is None:
        exit_ = 2.0 * own - entry
    return entry, exit_


def _joint(neighbour: Floats, own: Floats, length: float) -> Floats | None:
    """Give the direction where two pieces meet: the shorter one counts more."""
    other = math.hypot(neighbour[0], neighbour[1])
    if other < 1e-3:
        return None
    direction: Floats = (own * other + neighbour / other * length) / (other + length)
    return direction
