"""Steering along a path.

Pure pursuit (Coulter, CMU-RI-TR-92-01, 1992): the arc from the rear axle, tangent to the car,
through a point of the path ahead. Its curvature is 2 y / d^2 for a point at distance d and
lateral offset y.
"""

from __future__ import annotations

import math

import numpy as np

from edge_pilot.config import ControlConfig, VehicleConfig
from edge_pilot.types import EgoState, Floats, Path


def steer(path: Path, ego: EgoState, vehicle: VehicleConfig, control: ControlConfig) -> float:
    """Give the angle of the road wheel [rad] that follows the path, within the car's limit.

    It is NaN where the path is not finite: the gate refuses that.
    """
    if not np.isfinite(path.points_m).all():
        return math.nan
    lookahead = max(control.min_lookahead_m, control.lookahead_s * ego.speed_mps)
    x, y = point_at(path.points_m, lookahead)
    curvature = 2.0 * y / max(x * x + y * y, 1e-6)
    angle = steering_of(curvature, vehicle)
    return float(np.clip(angle, -vehicle.max_steering_rad, vehicle.max_steering_rad))


def steering_of(curvature_1pm: float, vehicle: VehicleConfig) -> float:
    """Give the road wheel's angle [rad] for a curvature of the rear axle (kinematic model)."""
    return math.atan(vehicle.wheelbase_m * curvature_1pm)


def curvature_of(steering_rad: float, vehicle: VehicleConfig) -> float:
    """Give the curvature [1/m] of the rear axle for an angle of the road wheel."""
    return math.tan(steering_rad) / vehicle.wheelbase_m


def point_at(points_m: Floats, radius_m: float) -> tuple[float, float]:
    """Give the first point ahead where the path leaves the circle of `radius_m` about the car.

    A path that ends inside is extended along its last piece, one that begins outside gives its
    first point.
    """
    distance = np.hypot(points_m[:, 0], points_m[:, 1])
    beyond = np.flatnonzero(distance >= radius_m)
    last = int(beyond[0]) if beyond.size else len(points_m) - 1
    if last == 0:
        return float(points_m[0, 0]), float(points_m[0, 1])
    start, step = points_m[last - 1], points_m[last] - points_m[last - 1]
    # |start + t step|^2 = radius^2, the larger root
    a, b, c = step @ step, start @ step, start @ start - radius_m**2
    t = (-b + math.sqrt(max(b * b - a * c, 0.0))) / max(a, 1e-9)
    x, y = start + t * step
    return float(x), float(y)
