"""Who else is on the road, drawn from a seed of its own: the road stays as it is.

In the car's own lane, cars and cyclists only ever go ahead of it and never wait round a corner:
a platoon shares one speed profile, so that its cars keep their gaps. People on the pavement stay
at least `KERB` off the lane.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from edge_pilot.sim.actors import Actor, Knot, driven
from edge_pilot.sim.road import LANE_WIDTH, Road

KERB = 1.2  # m, from the lane's edge to whoever stands nearest
CYCLE_PATH = 2.55  # m, beyond the parked cars
BEYOND_M = 250.0  # what leaves the road's end goes on until nobody sees it
PALETTE = ((200, 30, 30), (30, 60, 170), (235, 235, 235), (40, 40, 45), (150, 155, 160),
           (30, 110, 60), (210, 170, 50))  # fmt: skip
Size = tuple[float, float, float]
Colour = tuple[int, int, int]


def car_size(rng: np.random.Generator) -> Size:
    """Draw a passenger car."""
    return (rng.uniform(3.8, 5.0), rng.uniform(1.65, 1.9), rng.uniform(1.4, 1.8))


def car_colour(rng: np.random.Generator) -> Colour:
    """Draw a colour that cars have."""
    return PALETTE[int(rng.integers(len(PALETTE)))]


def any_colour(rng: np.random.Generator) -> Colour:
    """Draw a colour of clothes."""
    red, green, blue = (int(value) for value in rng.integers(20, 230, 3))
    return red, green, blue


def vehicle_size(rng: np.random.Generator) -> Size:
    """Draw a car, a van, or a truck or bus."""
    kind = rng.random()
    if kind < 0.7:
        return car_size(rng)
    if kind < 0.88:
        return (rng.uniform(4.6, 6.0), rng.uniform(1.85, 2.05), rng.uniform(1.95, 2.6))
    return (rng.uniform(7.0, 11.0), rng.uniform(2.2, 2.45), rng.uniform(2.8, 3.4))


def person_size(rng: np.random.Generator, child: float = 0.2) -> Size:
    """Draw an adult, or with probability `child` a child."""
    if rng.random() < child:
        return (rng.uniform(0.3, 0.5), rng.uniform(0.3, 0.42), rng.uniform(1.0, 1.3))
    return (rng.uniform(0.35, 0.7), rng.uniform(0.45, 0.6), rng.uniform(1.5, 1.95))


def cyclist_size(rng: np.random.Generator) -> Size:
    """Draw a rider on a bicycle."""
    return (rng.uniform(1.65, 1.9), rng.uniform(0.48, 0.6), rng.uniform(1.6, 1.85))


def draw(
    rng: np.random.Generator,
    road: Road,
    standing: Sequence[Actor],
    towns: Sequence[tuple[float, float]],
) -> tuple[Actor, ...]:
    """Draw what joins the parked cars, the walkers and the oncoming cars (`standing`)."""
    parked = [one.s for one in standing if one.kind == "vehicle" and one.speed == 0.0]
    found = [*_ahead(rng, road.length_m), *_cyclists(rng, road.length_m)]
    for low, high in towns:
        found += _people(rng, low, high, parked)
    return tuple(found)


def mixed(rng: np.random.Generator, actors: Sequence[Actor]) -> tuple[Actor, ...]:
    """Make vans and trucks of some of the moving cars, and children of some people."""
    found = []
    for one in actors:
        if one.kind == "pedestrian":
            one = replace(one, size=person_size(rng))
        elif one.speed != 0.0:
            one = replace(one, size=vehicle_size(rng))
        found.append(one)
    return tuple(found)


def _ahead(rng: np.random.Generator, length_m: float) -> list[Actor]:
    """Draw a platoon, a slow cyclist, or nothing in the car's own lane."""
    kind, first = rng.random(), 5.0 + rng.uniform(30.0, 120.0)
    if kind < 0.45:
        return _platoon(rng, first, length_m)
    return [_slow_cyclist(rng, first)] if kind < 0.7 else []


def _platoon(rng: np.random.Generator, s: float, length_m: float) -> list[Actor]:
    until_s = (length_m + BEYOND_M) / 3.0
    speed, cars = _profile(rng, until_s), []
    for _ in range(int(rng.integers(1, 5))):
        size = vehicle_size(rng)
        track = driven(s + 0.5 * size[0], rng.uniform(-0.25, 0.25), speed, until_s)
        ended = next((i for i, knot in enumerate(track) if knot.s > length_m + BEYOND_M), None)
        cars.append(Actor("vehicle", 0.0, 0.0, 0.0, size, car_colour(rng), track=track[:ended]))
        s += size[0] + rng.uniform(6.0, 25.0)
    return cars


def _profile(rng: np.random.Generator, until_s: float) -> Callable[[float], float]:
    """Draw a speed over time: stretches of 4 to 12 m/s, some stops, 0.8 to 2 m/s^2 between."""
    times, speeds = [0.0], [rng.uniform(4.0, 10.0)]
    while times[-1] < until_s:
        stops = rng.random() < 0.25 and speeds[-1] > 0.0  # once: two together stand too long
        target = 0.0 if stops else rng.uniform(4.0, 12.0)
        change = max(0.5, abs(target - speeds[-1]) / rng.uniform(0.8, 2.0))
        hold = rng.uniform(3.0, 8.0) if stops else rng.uniform(5.0, 20.0)
        times += [times[-1] + change, times[-1] + change + hold]
        speeds += [target, target]
    return lambda time_s: float(np.interp(time_s, times, speeds))


def _slow_cyclist(rng: np.random.Generator, s: float) -> Actor:
    """Draw a rider at the lane's right edge, who turns off after a while."""
    speed, lateral = rng.uniform(3.0, 5.5), rng.uniform(-1.2, -0.5)
    rides_s = rng.uniform(15.0, 40.0)
    there = s + speed * rides_s
    knots = (
        Knot(0.0, s, lateral),
        Knot(rides_s, there, lateral),
        Knot(rides_s + 2.0, there + 1.6 * speed, lateral - 1.0 * speed),
        Knot(rides_s + 12.0, there + 2.5 * speed, lateral - 11.0 * speed),
    )
    return Actor("cyclist", 0.0, 0.0, 0.0, cyclist_size(rng), any_colour(rng), track=knots)


def _cyclists(rng: np.random.Generator, length_m: float) -> list[Actor]:
    """Draw riders beside both lanes, each side in its own direction."""
    found = []
    for side in (-1.0, 1.0):
        edge = LANE_WIDTH * (0.5 if side < 0 else 1.5)
        speed = -side * rng.uniform(3.0, 6.0)  # one speed: nobody rides through another
        for s in np.arange(rng.uniform(20.0, 150.0), length_m, rng.uniform(150.0, 350.0)):
            aside = CYCLE_PATH if rng.random() < 0.6 else 0.95
            lateral = side * (edge + aside + rng.uniform(0.0, 0.2))
            found.append(
                Actor("cyclist", float(s), lateral, speed, cyclist_size(rng), any_colour(rng))
            )
    return found


def _people(
    rng: np.random.Generator, low: float, high: float, parked: Sequence[float]
) -> list[Actor]:
    """Draw those who walk along a town's pavements, and those who wait at its kerbs."""
    found = []
    for side in (-1.0, 1.0):
        edge = LANE_WIDTH * (0.5 if side < 0 else 1.5)
        for s in np.arange(low + rng.uniform(0.0, 15.0), high, rng.uniform(12.0, 30.0)):
            size, colour = person_size(rng), any_colour(rng)
            waits = rng.random() < 0.4 and all(abs(s - place) > 5.0 for place in parked)
            if waits:
                lateral, speed = side * (edge + KERB + 0.4 + rng.uniform(0.0, 0.8)), 0.0
            else:
                lateral = side * (edge + rng.uniform(2.9, 4.6))
                speed = float(rng.choice([-1.0, 1.0]) * rng.uniform(0.6, 1.8))
            turn = -side * math.pi / 2 + rng.uniform(-0.4, 0.4)
            found.append(Actor("pedestrian", float(s), lateral, speed, size, colour, turn))
    return found
