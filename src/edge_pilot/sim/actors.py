"""What moves in the world: each thing's place along the road is a pure function of time."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter
from typing import NamedTuple

from edge_pilot.sim.road import Road

SLOWEST = 0.05  # m/s, what is slower keeps the heading of a standing one


class Knot(NamedTuple):
    """Where something is at one moment of its track."""

    time_s: float
    s: float
    lateral: float


class Progress(NamedTuple):
    """Where something is along the road, and how fast."""

    s: float
    lateral: float
    along_mps: float
    aside_mps: float


@dataclass(frozen=True, slots=True)
class Actor:
    """Something that moves along the road at constant speed, or stands, or follows a track."""

    kind: str  # of types.KINDS
    s: float  # at time 0
    lateral: float
    speed: float  # along s; negative comes towards the car
    size: tuple[float, float, float]  # length, width, height
    colour: tuple[int, int, int]
    turn: float = 0.0  # rad, against the road, while it stands
    track: tuple[Knot, ...] = ()  # in place of s, lateral and speed: linear between, held outside

    def progress(self, time_s: float, road_length_m: float) -> Progress:
        """Give place and speed; at the end of the road, what has no track begins anew."""
        if self.track:
            return _along(self.track, time_s)
        s = (self.s + self.speed * time_s) % road_length_m
        return Progress(s, self.lateral, self.speed, 0.0)


@dataclass(frozen=True, slots=True)
class Box:
    """An upright box on the ground."""

    kind: str
    x: float
    y: float
    heading: float
    size: tuple[float, float, float]  # length, width, height


def pose(at: Progress, road: Road, turn: float) -> tuple[float, float, float]:
    """Give x, y and heading; beyond both ends the road is taken to go on straight."""
    x, y, heading = road.point(at.s, at.lateral)
    beyond = at.s - min(max(at.s, 0.0), road.length_m)
    if math.hypot(at.along_mps, at.aside_mps) > SLOWEST:
        turn = math.atan2(at.aside_mps, at.along_mps)
    return x + beyond * math.cos(heading), y + beyond * math.sin(heading), heading + turn


def velocity(at: Progress, road: Road) -> tuple[float, float]:
    """Give the velocity over ground; beside the centre of a bend it differs from that along s."""
    _, _, heading = road.point(at.s, at.lateral)
    along = at.along_mps * (1.0 - at.lateral * road.curvature_at(at.s))
    cos, sin = math.cos(heading), math.sin(heading)
    return along * cos - at.aside_mps * sin, along * sin + at.aside_mps * cos


def driven(
    s: float,
    lateral: float,
    speed: Callable[[float], float],
    until_s: float,
    step_s: float = 0.25,
    start_s: float = 0.0,
) -> tuple[Knot, ...]:
    """Make the track of something that keeps its lateral offset, by its speed over time."""
    knots = [Knot(start_s, s, lateral)]
    for i in range(math.ceil((until_s - start_s) / step_s)):
        s += step_s * speed(start_s + (i + 0.5) * step_s)
        knots.append(Knot(start_s + (i + 1) * step_s, s, lateral))
    return tuple(knots)


def _along(track: tuple[Knot, ...], time_s: float) -> Progress:
    after = bisect_right(track, time_s, key=attrgetter("time_s"))
    if after in (0, len(track)):
        held = track[min(after, len(track) - 1)]
        return Progress(held.s, held.lateral, 0.0, 0.0)
    a, b = track[after - 1], track[after]
    span = b.time_s - a.time_s
    along, aside = (b.s - a.s) / span, (b.lateral - a.lateral) / span
    passed = time_s - a.time_s
    return Progress(a.s + along * passed, a.lateral + aside * passed, along, aside)
