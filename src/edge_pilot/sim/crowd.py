"""Things all over the road, for pictures to learn from: nobody could drive there.

A detector must know a car that stands across the lane and a child in front of a truck, though
no drive that ends well ever shows them.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from edge_pilot.sim.actors import Actor
from edge_pilot.sim.traffic import (
    any_colour,
    car_colour,
    cyclist_size,
    person_size,
    vehicle_size,
)
from edge_pilot.sim.world import World

EVERY_M = (4.0, 16.0)  # of road, one thing
SHARES = {"pedestrian": 0.5, "vehicle": 0.25, "cyclist": 0.25}
SPEEDS = {"pedestrian": 1.5, "vehicle": 4.0, "cyclist": 3.0}  # m/s, either way


def crowded(world: World, rng: np.random.Generator) -> World:
    """Put things on the road of a world, in lanes and beside them, standing and moving."""
    things, s = [], 20.0
    while s < world.road.length_m:
        things.append(_thing(rng, s))
        s += rng.uniform(*EVERY_M)
    return replace(world, actors=(*world.actors, *things))


def _thing(rng: np.random.Generator, s: float) -> Actor:
    kind = str(rng.choice(list(SHARES), p=list(SHARES.values())))
    size = {"pedestrian": person_size, "vehicle": vehicle_size, "cyclist": cyclist_size}[kind](rng)
    colour = car_colour(rng) if kind == "vehicle" and rng.random() < 0.5 else any_colour(rng)
    lateral = float(rng.uniform(-5.5, 8.0))
    moves = rng.random() < 0.3
    speed = SPEEDS[kind] * float(rng.uniform(-1.0, 1.0)) if moves else 0.0
    # Most stand along the road, or across it.
    turn = float(rng.choice([0.0, math.pi / 2, math.pi, -math.pi / 2]) + rng.normal(0.0, 0.3))
    return Actor(kind, s, lateral, speed, size, colour, turn)
