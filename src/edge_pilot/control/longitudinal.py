"""Speed along a path: the limit, less where it bends, and whoever is in the way.

Two laws look at each lead. The first comes up to it comfortably and follows it at a time gap, as
ISO 15622 asks of adaptive cruise control. The second knows no comfort: it brakes as hard as it
must so that the car stops behind a lead that brakes too, and fully where that comes near the
5 m/s^2 from which UN R152 calls a braking an emergency.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from operator import mul

import numpy as np

from edge_pilot.config import ControlConfig, VehicleConfig
from edge_pilot.control.leads import Lead, may_pass
from edge_pilot.types import EgoState, Floats, Path

STRAIGHT = 1e-4  # 1/m, a radius of 10 km: less is no bend
BITE_S = 0.25  # from a command to the deceleration, a passenger car's brakes
MIN_WAY_M = 0.5  # what is nearer than the gap counts as this far
# Beyond, neither path nor thing is sure: comfort alone. From 14 m/s enough way is left.
FAR_M = 33.0
LEARN_S = 1.5  # of way: who is nearer is taken as he seems
EMERGENCY_MPS2 = 5.0  # m/s^2, UN R152 6.1.2 and ISO 22839: the least of an emergency braking
FIT_DEGREE = 3  # of heading over distance: a bend's entry, arc and exit within the horizon


def accelerate(
    path: Path, ego: EgoState, control: ControlConfig, leads: Sequence[Lead] = ()
) -> float:
    """Give the acceleration [m/s^2] towards the speed that path and leads permit.

    It is NaN where the path is not finite: the gate refuses that.
    """
    if not np.isfinite(path.points_m).all():
        return math.nan
    error = target_speed(path, control) - ego.speed_mps
    free = max(control.speed_gain_1ps * error, -control.max_braking_mps2)
    wanted = [free, *(respond(lead, ego.speed_mps, control) for lead in leads)]
    return min(max(min(wanted), -control.emergency_braking_mps2), control.max_acceleration_mps2)


def respond(lead: Lead, speed_mps: float, control: ControlConfig) -> float:
    """Give the acceleration [m/s^2] that one lead permits."""
    if may_pass(lead.distance_m, lead.speed_mps, speed_mps):
        lead = replace(lead, speed_mps=0.0)
    comfortable = max(follow(lead, speed_mps, control), -control.max_braking_mps2)
    needed = needed_braking(_at_most(lead, speed_mps), speed_mps, control)
    comfort = control.max_braking_mps2 if lead.is_sure else EMERGENCY_MPS2
    if needed <= comfort or lead.distance_m > FAR_M or not lead.is_certain:
        return comfortable
    return min(comfortable, -_urgent(needed, control))


def _at_most(lead: Lead, speed_mps: float) -> Lead:
    """Give a lead as fast as it may well be, where there is time to learn its speed."""
    if lead.distance_m < LEARN_S * speed_mps:
        return lead
    fast = min(lead.speed_mps + lead.speed_std_mps, speed_mps)
    return replace(lead, speed_mps=max(lead.speed_mps, fast))


def follow(lead: Lead, speed_mps: float, control: ControlConfig) -> float:
    """Give the acceleration [m/s^2] that comes up to a lead and keeps the time gap.

    The gap is that for the lead's speed. What is left of the way to it permits a closing speed:
    the root of what comfortable braking takes back, and near the end the way over the time gap,
    since a root is too steep there. The second term is how that speed falls by itself.
    """
    lead_mps = max(lead.speed_mps, 0.0)
    spare = lead.distance_m - control.standstill_gap_m - control.time_gap_s * lead_mps
    linear_m = control.max_braking_mps2 * control.time_gap_s**2
    if spare < linear_m:
        closing, slope = spare / control.time_gap_s, 1.0 / control.time_gap_s
    else:
        closing = math.sqrt(2.0 * control.max_braking_mps2 * (spare - 0.5 * linear_m))
        slope = control.max_braking_mps2 / closing
    error = lead_mps + closing - speed_mps
    return control.speed_gain_1ps * error - slope * max(speed_mps - lead_mps, 0.0)


def needed_braking(lead: Lead, speed_mps: float, control: ControlConfig) -> float:
    """Give the deceleration [m/s^2] to stop where the lead would, had it braked equally hard.

    The standstill gap is kept, and the way is counted from when the brakes bite. What comes
    towards the car uses up its share of the way.
    """
    closing = speed_mps - lead.speed_mps
    if closing <= 0.0:
        return 0.0
    way = lead.distance_m
    if lead.speed_mps < 0.0:
        way *= speed_mps / closing
    way -= control.standstill_gap_m + BITE_S * closing
    return (speed_mps**2 - max(lead.speed_mps, 0.0) ** 2) / (2.0 * max(way, MIN_WAY_M))


def _urgent(needed: float, control: ControlConfig) -> float:
    """Give the braking for a need: the need itself, and all there is towards EMERGENCY_MPS2."""
    hard, most = control.hard_braking_mps2, control.emergency_braking_mps2
    share = min(max((needed - hard) / max(EMERGENCY_MPS2 - hard, 0.1), 0.0), 1.0)
    return min(needed + share * max(most - needed, 0.0), most)


def target_speed(path: Path, control: ControlConfig) -> float:
    """Give the speed [m/s] at which every bend ahead can still be met by comfortable braking.

    In a bend v^2 |curvature| is the lateral acceleration; before it v^2 = v_bend^2 + 2 a s.
    """
    # Half of the comfortable braking is left for what the gain and the actuator lag behind.
    braking_mps2 = 0.5 * control.max_braking_mps2
    now_sq = (
        control.max_lateral_acceleration_mps2 / max(abs(curvature), STRAIGHT)
        + 2.0 * braking_mps2 * distance
        for distance, curvature in zip(*bends(path.points_m), strict=True)
    )
    return min(control.max_speed_mps, math.sqrt(min(now_sq)))


def bends(points_m: Floats) -> tuple[list[float], list[float]]:
    """Give distance [m] and curvature [1/m] along a path of N >= 2 points, smoothed.

    The heading of each piece is fitted by a polynomial over distance; its slope is the curvature.
    """
    # Numbers of Python: for ten points each call of NumPy costs more than what it does.
    steps = [(x - x0, y - y0) for (x0, y0), (x, y) in pairwise(points_m.tolist())]
    middles, headings, distance, heading = [], [], 0.0, 0.0
    x0, y0 = steps[0]
    for x, y in steps:
        length = max(math.hypot(x, y), 1e-6)
        heading += math.atan2(x0 * y - y0 * x, x0 * x + y0 * y)
        middles.append(distance + 0.5 * length)
        headings.append(heading)
        distance += length
        x0, y0 = x, y
    return middles, _slopes(middles, headings, FIT_DEGREE)


def _slopes(at: Sequence[float], values: Sequence[float], degree: int) -> list[float]:
    """Give the slopes, at N places, of the polynomial that fits N values best.

    It is a sum of polynomials that are orthogonal at these places (Forsythe, 1957), so that
    least squares need no matrix.
    """
    zeros = [0.0] * len(at)
    found = zeros
    own, slope, size = [1.0] * len(at), zeros, math.inf
    before, slope_before = zeros, zeros
    for _ in range(min(degree + 1, len(at))):
        size_before, size = size, sum(p * p for p in own)
        if size == 0.0:  # no more places than this that differ
            break
        weight = sum(map(mul, own, values)) / size
        found = [value + weight * d for value, d in zip(found, slope, strict=True)]
        middle = sum(x * p * p for x, p in zip(at, own, strict=True)) / size
        share = size / size_before
        rows = list(zip(at, own, before, slope, slope_before, strict=True))
        before, slope_before = own, slope
        own = [(x - middle) * p - share * p0 for x, p, p0, _, _ in rows]
        slope = [p + (x - middle) * d - share * d0 for x, p, _, d, d0 in rows]
    return found


def pedals(acceleration_mps2: float, vehicle: VehicleConfig) -> tuple[float, float]:
    """Give throttle and brake, each 0 to 1, for an acceleration: linear up to what both give."""
    throttle = acceleration_mps2 / vehicle.max_acceleration_mps2
    brake = -acceleration_mps2 / vehicle.max_braking_mps2
    return min(max(throttle, 0.0), 1.0), min(max(brake, 0.0), 1.0)
