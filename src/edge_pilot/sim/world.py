"""The world as geometry: a road from a seed, what stands beside it and what moves on it.

Everything is a function of the seed and of time, so that the same seed gives the same world to
the camera, the LiDAR, the judge of collisions and the labels. Lengths are metres, the frame is a
fixed one with z up. A road is described along the centre of the lane that the car drives in (the
right one of two); lateral offsets are positive to the left.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

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
LIGHTS = ("day", "dusk", "haze")
HOLDOUT = ("night", "rain", "glare")  # weather and light that no model is trained on


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


@dataclass(frozen=True, slots=True)
class Actor:
    """Something that moves along the road at constant speed, or stands beside it."""

    kind: str  # vehicle, pedestrian
    s: float  # at time 0
    lateral: float
    speed: float  # along s; negative comes towards the car
    size: tuple[float, float, float]  # length, width, height
    colour: tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Prop:
    """Something that never moves: a tree, a building, a post."""

    kind: str
    s: float
    lateral: float
    turn: float  # rad, against the road
    size: tuple[float, float, float]  # length, width, height
    colour: tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Box:
    """An upright box on the ground."""

    kind: str
    x: float
    y: float
    heading: float
    size: tuple[float, float, float]  # length, width, height


@dataclass(frozen=True, slots=True, eq=False)
class World:
    """All of it."""

    seed: int
    light: str
    road: Road
    actors: tuple[Actor, ...]
    props: tuple[Prop, ...]
    crossings: tuple[float, ...]  # s of zebra crossings
    side_streets: tuple[float, ...]  # s of streets that meet the road
    solid: tuple[tuple[float, float], ...]  # stretches without overtaking: a solid centre line
    style: dict[str, float] = field(default_factory=dict)  # see make_style

    def boxes(self, time_s: float, near: float, reach: float = 150.0) -> list[Box]:
        """Give the actors within `reach` of station `near` at a time."""
        found = []
        for actor in self.actors:
            if abs(self._station(actor, time_s) - near) < reach:
                found.append(Box(actor.kind, *self.place(actor, time_s), actor.size))
        return found

    def place(self, actor: Actor, time_s: float) -> tuple[float, float, float]:
        """Give x, y and heading of an actor at a time."""
        x, y, heading = self.road.pose(self._station(actor, time_s), actor.lateral)
        turn = math.pi if actor.speed < 0 else 0.0
        return float(x), float(y), float(heading) + turn

    def _station(self, actor: Actor, time_s: float) -> float:
        return (actor.s + actor.speed * time_s) % self.road.length_m

    def prop_boxes(self) -> list[Box]:
        """Give the props."""
        found = []
        for prop in self.props:
            x, y, heading = self.road.pose(prop.s, prop.lateral)
            found.append(Box(prop.kind, float(x), float(y), float(heading) + prop.turn, prop.size))
        return found


def make_world(seed: int, length_m: float = 1200.0, light: str = "auto") -> World:
    """Make a world; `auto` and `holdout` take their lights in turn, by the seed."""
    rng = np.random.default_rng([seed, 0xED6E])
    road = make_road(rng, length_m)
    crossings, side_streets = _junctions(rng, length_m)
    towns = _stretches(rng, length_m, 120.0, 260.0)
    props, actors = _scenery(rng, length_m, towns, crossings + side_streets)
    return World(
        seed=seed,
        light={"auto": LIGHTS[seed % 3], "holdout": HOLDOUT[seed % 3]}.get(light, light),
        road=road,
        actors=(*actors, *_traffic(rng, length_m)),
        props=props,
        crossings=crossings,
        side_streets=side_streets,
        solid=_stretches(rng, length_m, 60.0, 200.0),
        style=make_style(rng),
    )


def make_style(rng: np.random.Generator) -> dict[str, float]:
    """Draw how the road and its surroundings look."""
    return {
        "asphalt": float(rng.uniform(55, 115)),  # grey level
        "paint": float(rng.uniform(0.70, 1.0)),  # brightness of the markings
        "wear": float(rng.uniform(0.0, 0.25)),  # share of marking pieces that are worn away
        "line_m": float(rng.uniform(0.10, 0.16)),
        "dash_m": float(rng.choice([3.0, 4.0, 6.0])),
        "gap_m": float(rng.choice([4.0, 6.0, 9.0])),
        "grass_hue": float(rng.uniform(0.16, 0.33)),
        "grass_value": float(rng.uniform(0.35, 0.6)),
        "sun": float(rng.uniform(-math.pi, math.pi)),
        "gain": float(rng.uniform(0.88, 1.12)),  # exposure of the camera
        "warmth": float(rng.uniform(-0.05, 0.05)),  # white balance
    }


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
    curvature = np.concatenate(pieces)[:count]
    start = rng.uniform(-math.pi, math.pi)
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


def _stretches(
    rng: np.random.Generator, length: float, low: float, high: float
) -> tuple[tuple[float, float], ...]:
    """Draw stretches that take about half of the road."""
    found, s = [], rng.uniform(0.0, high)
    while s < length:
        end = s + rng.uniform(low, high)
        found.append((s, min(end, length)))
        s = end + rng.uniform(low, high)
    return tuple(found)


def _junctions(
    rng: np.random.Generator, length: float
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Draw zebra crossings and side streets, well apart."""
    places = np.arange(90.0, length - 40.0, 110.0)
    places = places + rng.uniform(-30.0, 30.0, len(places))
    kinds = rng.random(len(places))
    return (
        tuple(float(s) for s in places[kinds < 0.4]),
        tuple(float(s) for s in places[(kinds >= 0.4) & (kinds < 0.7)]),
    )


def _traffic(rng: np.random.Generator, length: float) -> tuple[Actor, ...]:
    """Draw the cars of the other lane."""
    gaps = np.cumsum(rng.uniform(60.0, 220.0, int(length / 60.0) + 1))
    speed = -rng.uniform(7.0, 12.0)  # one speed: nobody overtakes
    return tuple(
        Actor("vehicle", float(s), LANE_WIDTH + rng.uniform(-0.2, 0.3), speed, _car_size(rng),
              _car_colour(rng))
        for s in gaps[gaps < length - 60.0]
    )  # fmt: skip


def _car_size(rng: np.random.Generator) -> tuple[float, float, float]:
    return (rng.uniform(3.8, 5.0), rng.uniform(1.65, 1.9), rng.uniform(1.4, 1.8))


def _car_colour(rng: np.random.Generator) -> tuple[int, int, int]:
    palette = ((200, 30, 30), (30, 60, 170), (235, 235, 235), (40, 40, 45), (150, 155, 160),
               (30, 110, 60), (210, 170, 50))  # fmt: skip
    return palette[int(rng.integers(len(palette)))]


def _scenery(
    rng: np.random.Generator,
    length: float,
    towns: tuple[tuple[float, float], ...],
    clear: tuple[float, ...],
) -> tuple[tuple[Prop, ...], tuple[Actor, ...]]:
    """Draw what stands and walks on both sides, with the junctions kept clear."""
    props: list[Prop] = []
    actors: list[Actor] = []
    for side in (-1.0, 1.0):
        edge = LANE_WIDTH * (0.5 if side < 0 else 1.5)
        s = rng.uniform(0.0, 10.0)
        while s < length:
            town = any(low <= s < high for low, high in towns)
            free = all(abs(s - place) > 14.0 for place in clear)
            if free:
                (_town if town else _country)(rng, s, side, edge, props, actors)
            s += rng.uniform(10.0, 18.0) if town else rng.uniform(4.0, 14.0)
    return tuple(props), tuple(actors)


def _town(
    rng: np.random.Generator, s: float, side: float, edge: float,
    props: list[Prop], actors: list[Actor],
) -> None:  # fmt: skip
    if rng.random() < 0.75:
        size = (rng.uniform(7.0, 11.0), rng.uniform(7.0, 12.0), rng.uniform(4.0, 13.0))
        lateral = side * (edge + rng.uniform(5.5, 9.0) + size[1] / 2)
        grey = rng.uniform(120, 220)
        tint = rng.uniform(-25, 25, 3) + grey
        colour = (int(tint[0]), int(tint[1]), int(tint[2]))
        props.append(Prop("building", s, lateral, 0.0, size, colour))
    if rng.random() < 0.3:
        size = _car_size(rng)
        # Parked with all wheels off the lane, half on the pavement.
        lateral = side * (edge + 0.35 + size[1] / 2)
        speed = 0.0
        actors.append(Actor("vehicle", s, lateral, speed, size, _car_colour(rng)))
    if rng.random() < 0.45:
        size = (rng.uniform(0.35, 0.5), rng.uniform(0.45, 0.6), rng.uniform(1.2, 1.9))
        speed = float(rng.choice([-1.0, 1.0]) * rng.uniform(0.6, 1.6))
        red, green, blue = (int(v) for v in rng.integers(20, 230, 3))
        lateral = side * (edge + rng.uniform(2.9, 4.6))
        actors.append(Actor("pedestrian", s, lateral, speed, size, (red, green, blue)))
    if rng.random() < 0.4:
        props.append(Prop("post", s + 4.0, side * (edge + 2.6), 0.0, (0.15, 0.15, 5.0),
                          (90, 90, 95)))  # fmt: skip


def _country(
    rng: np.random.Generator, s: float, side: float, edge: float,
    props: list[Prop], actors: list[Actor],
) -> None:  # fmt: skip
    if rng.random() < 0.8:
        height = rng.uniform(3.0, 9.0)
        width = height * rng.uniform(0.35, 0.6)
        lateral = side * (edge + rng.uniform(3.0, 25.0) + width / 2)
        colour = (int(rng.uniform(25, 75)), int(rng.uniform(70, 125)), int(rng.uniform(25, 55)))
        props.append(Prop("tree", s, lateral, rng.uniform(0, 3), (width, width, height), colour))
    if rng.random() < 0.25:
        props.append(Prop("post", s, side * (edge + 1.0), 0.0, (0.12, 0.12, 1.0),
                          (230, 230, 230)))  # fmt: skip
