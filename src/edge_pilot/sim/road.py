"""The road: one lane's centre line, drawn from a seed out of straights, clothoids and arcs.

Lengths are metres, the frame is a fixed one with z up. Distances `s` run along the centre of the
lane that the car drives in (the right one of two); lateral offsets are positive to the left.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from edge_pilot.types import Floats

LANE_WIDTH = 3.5  # m, RASt 06 for a main street
STEP = 0.5  # m, between two stations of a road
MIN_RADIUS, MAX_RADIUS = 35.0, 300.0  # m
MAX_TURN = math.radians(100.0)  # of one bend
MAX_HEADING = math.radians(75.0)  # against the main direction: a road never meets itself
TRANSITION_S = 2.0  # s, from straight to bend at the speed of that bend: a clothoid
LATERAL_ACCELERATION = 2.0  # m/s^2, gives that speed
RUN_IN = 40.0  # m, straight at the start


@dataclass(frozen=True, slots=True, eq=False)
class Road:
    """The lane's centre at stations `STEP` apart."""

    x: Floats  # (N,)
    y: Floats
    heading: Floats  # rad, unwrapped
    curvature: Floats  # 1/m

    @property
    def length_m(self) -> float:
        """Length of the lane's centre line."""
        return (len(self.x) - 1) * STEP

    def pose(self, s: ArrayLike, lateral: ArrayLike = 0.0) -> tuple[Floats, Floats, Floats]:
        """Give x, y and heading at distance `s`, `lateral` metres left of the centre."""
        at = np.clip(np.asarray(s, np.float64) / STEP, 0, len(self.x) - 1)
        grid = np.arange(len(self.x))
        heading = np.interp(at, grid, self.heading)
        x = np.interp(at, grid, self.x) - np.sin(heading) * lateral
        y = np.interp(at, grid, self.y) + np.cos(heading) * lateral
        return x, y, heading

    def point(self, s: float, lateral: float) -> tuple[float, float, float]:
        """Give what `pose` gives, for one place and faster."""
        at = min(max(s / STEP, 0.0), len(self.x) - 1.0)
        low = min(int(at), len(self.x) - 2)
        share = at - low
        x, y, heading = (
            float(row[low]) + share * float(row[low + 1] - row[low])
            for row in (self.x, self.y, self.heading)
        )
        return x - math.sin(heading) * lateral, y + math.cos(heading) * lateral, heading

    def project(self, x: float, y: float, near: float) -> tuple[float, float]:
        """Give distance along and lateral offset of a point, searched 20 m around `near`."""
        low = int(np.clip((near - 20.0) / STEP, 0, len(self.x) - 2))
        window = slice(low, low + int(40.0 / STEP) + 2)
        dx, dy = x - self.x[window], y - self.y[window]
        i = low + int(np.argmin(dx * dx + dy * dy))
        cos, sin = math.cos(self.heading[i]), math.sin(self.heading[i])
        along = (x - self.x[i]) * cos + (y - self.y[i]) * sin
        left = -(x - self.x[i]) * sin + (y - self.y[i]) * cos
        # The station's tangent leaves the arc by along^2 curvature / 2.
        return i * STEP + along, left - 0.5 * along * along * float(self.curvature[i])

    def heading_at(self, s: float) -> float:
        """Give the lane's heading at distance `s`."""
        return float(np.interp(s / STEP, np.arange(len(self.x)), self.heading))

    def curvature_at(self, s: float) -> float:
        """Give the lane's curvature at distance `s`."""
        return float(np.interp(s / STEP, np.arange(len(self.x)), self.curvature))


def make_road(rng: np.random.Generator, length_m: float) -> Road:
    """Draw straights and bends with clothoids between them, and integrate."""
    count = math.ceil(length_m / STEP) + 1
    pieces = [np.zeros(int(RUN_IN / STEP))]
    heading, size = 0.0, len(pieces[0])
    while size < count:
        piece = _straight(rng) if rng.random() < 0.3 else _bend(rng, heading)
        heading += float(piece.sum()) * STEP
        pieces.append(piece)
        size += len(piece)
    return integrated(np.concatenate(pieces)[:count], rng.uniform(-math.pi, math.pi))


def integrated(curvature: Floats, start: float) -> Road:
    """Make a road of its curvature at stations `STEP` apart, from the origin along `start`."""
    course = (
        start + np.concatenate([[0.0], np.cumsum(0.5 * (curvature[1:] + curvature[:-1]))]) * STEP
    )
    middle = 0.5 * (course[1:] + course[:-1])
    x = np.concatenate([[0.0], np.cumsum(np.cos(middle))]) * STEP
    y = np.concatenate([[0.0], np.cumsum(np.sin(middle))]) * STEP
    return Road(x, y, course, curvature)


def _straight(rng: np.random.Generator) -> Floats:
    return np.zeros(int(rng.uniform(15.0, 60.0) / STEP))


def _bend(rng: np.random.Generator, heading: float) -> Floats:
    """Give the curvature of one bend, which keeps the road within `MAX_HEADING`."""
    radius = math.exp(rng.uniform(math.log(MIN_RADIUS), math.log(MAX_RADIUS)))
    ramp_m = TRANSITION_S * math.sqrt(LATERAL_ACCELERATION * radius)
    side = 1.0 if rng.random() < 0.5 - 0.5 * heading / MAX_HEADING else -1.0
    room = MAX_HEADING - side * heading
    turn = min(rng.uniform(math.radians(15.0), MAX_TURN), room)
    # Both ramps together turn by ramp / radius; a bend with no room for that gets flatter.
    arc_m = max(0.0, turn * radius - ramp_m)
    ramp = np.linspace(0.0, 1.0, int(ramp_m / STEP))
    shape = np.concatenate([ramp, np.ones(int(arc_m / STEP)), ramp[::-1]])
    peak = min(1.0 / radius, turn / (float(shape.sum()) * STEP))
    return side * peak * shape
