"""Speed along a path: the limit, less where it bends, and a comfortable way there."""

from __future__ import annotations

import math

import numpy as np

from edge_pilot.config import ControlConfig, VehicleConfig
from edge_pilot.types import EgoState, Floats, Path

STRAIGHT = 1e-4  # 1/m, a radius of 10 km: less is no bend
FIT_DEGREE = 3  # of heading over distance: a bend's entry, arc and exit within the horizon


def accelerate(path: Path, ego: EgoState, control: ControlConfig) -> float:
    """Give the acceleration [m/s^2] towards the speed that the path ahead permits.

    It is NaN where the path is not finite: the gate refuses that.
    """
    if not np.isfinite(path.points_m).all():
        return math.nan
    error = target_speed(path, control) - ego.speed_mps
    wanted = control.speed_gain_1ps * error
    return float(np.clip(wanted, -control.max_braking_mps2, control.max_acceleration_mps2))


def target_speed(path: Path, control: ControlConfig) -> float:
    """Give the speed [m/s] at which every bend ahead can still be met by comfortable braking.

    In a bend v^2 |curvature| is the lateral acceleration; before it v^2 = v_bend^2 + 2 a s.
    """
    distance, curvature = bends(path.points_m)
    in_bend_sq = control.max_lateral_acceleration_mps2 / np.maximum(np.abs(curvature), STRAIGHT)
    # Half of the comfortable braking is left for what the gain and the actuator lag behind.
    now_sq = in_bend_sq + 2.0 * 0.5 * control.max_braking_mps2 * distance
    return min(control.max_speed_mps, math.sqrt(float(now_sq.min())))


def bends(points_m: Floats) -> tuple[Floats, Floats]:
    """Give distance [m] and curvature [1/m] along a path of N >= 2 points, smoothed.

    The heading of each piece is fitted by a polynomial over distance; its slope is the curvature.
    """
    steps = np.diff(points_m, axis=0)
    length = np.maximum(np.hypot(steps[:, 0], steps[:, 1]), 1e-6)
    middle = np.cumsum(length) - 0.5 * length
    heading = np.unwrap(np.arctan2(steps[:, 1], steps[:, 0]))
    degree = min(FIT_DEGREE, len(heading) - 1)
    slope = np.polyder(np.polynomial.polynomial.polyfit(middle, heading, degree)[::-1])
    return middle, np.polyval(slope, middle)


def pedals(acceleration_mps2: float, vehicle: VehicleConfig) -> tuple[float, float]:
    """Give throttle and brake, each 0 to 1, for an acceleration: linear up to what both give."""
    throttle = acceleration_mps2 / vehicle.max_acceleration_mps2
    brake = -acceleration_mps2 / vehicle.max_braking_mps2
    return min(max(throttle, 0.0), 1.0), min(max(brake, 0.0), 1.0)
