"""Steering along a path.

Pure pursuit (Coulter, CMU-RI-TR-92-01, 1992): the arc from the rear axle, tangent to the car,
through a point of the path ahead. Its curvature is 2 y / d^2 for a point at distance d and
lateral offset y.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np

from edge_pilot.config import ControlConfig, VehicleConfig
from edge_pilot.types import EgoState, Floats, Path

Point: TypeAlias = tuple[float, float]

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
    return min(max(angle, -vehicle.max_steering_rad), vehicle.max_steering_rad)


def steering_of(curvature_1pm: float, vehicle: VehicleConfig) -> float:
    """Give the road wheel's angle [rad] for a curvature of the rear axle (kinematic model)."""
    return math.atan(vehicle.wheelbase_m * curvature_1pm)


def curvature_of(steering_rad: float, vehicle: VehicleConfig) -> float:
    """Give the curvature [1/m] of the rear axle for an angle of the road wheel."""
    return math.tan(steering_rad) / vehicle.wheelbase_m


def point_at(points_m: Floats, radius_m: float) -> Point:
    """Give the first point ahead where the path leaves the circle of `radius_m` about the car.

    Between its points the path is a smooth cubic. One that ends inside is extended straight, one
    that begins outside gives its first point.
    """
    # Numbers of Python: for points of two each call of NumPy costs more than what it does.
    points: list[Point] = [(x, y) for x, y in points_m.tolist()]
    reach = (i for i, point in enumerate(points) if math.hypot(*point) >= radius_m)
    last = next(reach, None)
    if last is None:
        return _extended(points[-2], points[-1], radius_m)
    if last == 0:
        return points[0]
    x_at, y_at = _piece(points, last)
    low, high = 0.0, 1.0
    for _ in range(BISECTIONS):
        middle = 0.5 * (low + high)
        is_inside = math.hypot(x_at(middle), y_at(middle)) < radius_m
        low, high = (middle, high) if is_inside else (low, middle)
    return x_at(high), y_at(high)


def _extended(start: Point, end: Point, radius_m: float) -> Point:
    dx, dy = _step(start, end)
    # |start + t step|^2 = radius^2, the larger root
    a, b = dx * dx + dy * dy, start[0] * dx + start[1] * dy
    c = start[0] ** 2 + start[1] ** 2 - radius_m**2
    t = (-b + math.sqrt(max(b * b - a * c, 0.0))) / max(a, 1e-9)
    return start[0] + t * dx, start[1] + t * dy


def _piece(
    points: Sequence[Point], last: int
) -> tuple[Callable[[float], float], Callable[[float], float]]:
    """Give x and y at a share of the piece that ends in `last`, by Hermite's cubic."""
    start, step = points[last - 1], _step(points[last - 1], points[last])
    length = math.hypot(*step)
    entry, exit_ = _tangents(points, last, step, length)

    def along(axis: int) -> Callable[[float], float]:
        begin, way, into, out = start[axis], step[axis], entry[axis], exit_[axis]
        return lambda t: (
            begin
            + t * t * (3.0 - 2.0 * t) * way
            + length * t * (1.0 - t) * ((1.0 - t) * into - t * out)
        )

    return along(0), along(1)


def _tangents(
    points: Sequence[Point], last: int, step: Point, length: float
) -> tuple[Point, Point]:
    """Give the directions at both ends of a piece, by parabolas through its neighbours."""
    own = _times(1.0 / max(length, 1e-6), step)
    entry = exit_ = None
    if last >= 2:
        entry = _joint(_step(points[last - 2], points[last - 1]), own, length)
    if last + 1 < len(points):
        exit_ = _joint(_step(points[last], points[last + 1]), own, length)
    if entry is None:
        entry = own if exit_ is None else _step(exit_, _times(2.0, own))
    if exit_ is None:
        exit_ = _step(entry, _times(2.0, own))
    return entry, exit_


def _joint(neighbour: Point, own: Point, length: float) -> Point | None:
    """Give the direction where two pieces meet: the shorter one counts more."""
    other = math.hypot(*neighbour)
    if other < 1e-3:
        return None
    mine, its = other / (other + length), length / other / (other + length)
    return own[0] * mine + neighbour[0] * its, own[1] * mine + neighbour[1] * its


def _step(start: Point, end: Point) -> Point:
    return end[0] - start[0], end[1] - start[1]


def _times(factor: float, point: Point) -> Point:
    return factor * point[0], factor * point[1]
