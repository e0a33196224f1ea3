"""The world as geometry: a road from a seed, what stands beside it and what moves on it.

Everything is a function of the seed and of time, so that the same seed gives the same world to
the camera, the LiDAR, the judge of collisions and the labels. Lengths are metres, the frame is a
fixed one with z up. A road is described along the centre of the lane that the car drives in (the
right one of two); lateral offsets are positive to the left.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from edge_pilot.sim import traffic
from edge_pilot.sim.actors import Actor, Box, Progress, pose, velocity
from edge_pilot.sim.road import LANE_WIDTH, MAX_RADIUS, MIN_RADIUS, STEP, Road, make_road

__all__ = (
    "HOLDOUT", "LANE_WIDTH", "LIGHTS", "MAX_RADIUS", "MIN_RADIUS", "STEP", "Actor", "Box", "Prop",
    "Road", "World", "make_road", "make_style", "make_world",
)  # fmt: skip

TRAFFIC_TAG = 0x7AFF1C
LIGHTS = ("day", "dusk", "haze")
HOLDOUT = ("night", "rain", "glare")  # weather and light that no model is trained on


@dataclass(frozen=True, slots=True)
class Prop:
    """Something that never moves: a tree, a building, a post."""

    kind: str
    s: float
    lateral: float
    turn: float  # rad, against the road
    size: tuple[float, float, float]  # length, width, height
    colour: tuple[int, int, int]


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
        return [
            Box(actor.kind, *pose(at, self.road, actor.turn), actor.size)
            for actor, at in self.moving(time_s, near, reach)
        ]

    def moving(self, time_s: float, near: float, reach: float) -> Iterator[tuple[Actor, Progress]]:
        """Give the actors within `reach` of station `near`, and how far each one is."""
        for actor in self.actors:
            at = actor.progress(time_s, self.road.length_m)
            if abs(at.s - near) < reach:
                yield actor, at

    def place(self, actor: Actor, time_s: float) -> tuple[float, float, float]:
        """Give x, y and heading of an actor at a time."""
        return pose(actor.progress(time_s, self.road.length_m), self.road, actor.turn)

    def velocity(self, actor: Actor, time_s: float) -> tuple[float, float]:
        """Give the velocity of an actor over ground [m/s] at a time."""
        return velocity(actor.progress(time_s, self.road.length_m), self.road)

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
    actors += _oncoming(rng, length_m)
    own = np.random.default_rng([seed, TRAFFIC_TAG])
    actors = traffic.mixed(own, actors)
    return World(
        seed=seed,
        light={"auto": LIGHTS[seed % 3], "holdout": HOLDOUT[seed % 3]}.get(light, light),
        road=road,
        actors=(*actors, *traffic.draw(own, road, actors, towns)),
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


def _oncoming(rng: np.random.Generator, length: float) -> tuple[Actor, ...]:
    """Draw the cars of the other lane."""
    gaps = np.cumsum(rng.uniform(60.0, 220.0, int(length / 60.0) + 1))
    speed = -rng.uniform(7.0, 12.0)  # one speed: nobody overtakes
    cars = []
    for s in gaps[gaps < length - 60.0]:
        lateral = LANE_WIDTH + rng.uniform(-0.2, 0.3)
        size, colour = traffic.car_size(rng), traffic.car_colour(rng)
        cars.append(Actor("vehicle", float(s), lateral, speed, size, colour))
    return tuple(cars)


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
        size = traffic.car_size(rng)
        # Parked with all wheels off the lane, half on the pavement.
        lateral = side * (edge + 0.35 + size[1] / 2)
        speed = 0.0
        actors.append(Actor("vehicle", s, lateral, speed, size, traffic.car_colour(rng)))
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
