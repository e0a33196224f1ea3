"""Scenes that a careful driver must master, after Euro NCAP's names and geometry.

The car arrives at a constant speed; unbraked, its front would be at the point of impact after
`ARRIVAL_S`. The near side is the right. Pedestrians who hit "at 25 %" meet the car's front a
quarter of its width from the near side (Euro NCAP, AEB VRU test protocol: CPNA, CPFA, CPNCO,
CBNA, CBLA; AEB car-to-car: CCRs, CCRm, CCRb). The road is straight for even seeds and bends
gently for odd ones; looks, sizes, colours and small offsets vary with the seed. Later the way
gets free, so that going on is tested too.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from edge_pilot.config import VehicleConfig
from edge_pilot.sim.actors import Actor, Knot, driven
from edge_pilot.sim.road import LANE_WIDTH, STEP, Road, integrated
from edge_pilot.sim.simulator import START
from edge_pilot.sim.traffic import (
    KERB,
    Size,
    any_colour,
    car_colour,
    car_size,
    cyclist_size,
    person_size,
    vehicle_size,
)
from edge_pilot.sim.world import World, make_world

LENGTH_M = 600.0
ARRIVAL_S = 6.0
LEAVES_S = ARRIVAL_S + 5.0  # what stands or is slow drives off
WATCHED_S = 10.0  # how long the car may take to go on after that
KMH = 1.0 / 3.6
FAR_EDGE = 1.5 * LANE_WIDTH
CLEAR_M = 12.0  # of a crossing: no props and no other people


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """One test."""

    name: str
    seed: int
    speed_mps: float  # of the car
    world: World  # whose first actors are `things`
    things: tuple[Actor, ...]  # what the test is about; the first is what may be hit
    must_brake: bool
    hazard_s: float  # no reason to brake before
    free_s: float  # from then on the way is free again


class Draft(NamedTuple):
    """What one kind of scene says."""

    things: tuple[Actor, ...]
    must_brake: bool = True
    hazard_s: float = 0.0
    free_s: float = LEAVES_S
    crossing: bool = False


class Place(NamedTuple):
    """What a scene is drawn from."""

    rng: np.random.Generator
    speed: float  # m/s, of the car
    front: float  # m, from base_link to the front
    width: float  # m, of the car

    @property
    def impact(self) -> float:
        """Give the station of the point of impact."""
        return START + self.front + self.speed * ARRIVAL_S


def make_scene(
    name: str, seed: int, speed_mps: float, vehicle: VehicleConfig, light: str = "auto"
) -> Scene:
    """Make the scene `name` of SCENES; the car starts at station `START` with its speed."""
    rng = np.random.default_rng([seed, zlib.crc32(name.encode())])
    front = vehicle.length_m - vehicle.rear_overhang_m
    place = Place(rng, speed_mps, front, vehicle.width_m)
    draft = SCENES[name](place)
    base = make_world(seed, LENGTH_M, light)
    people = tuple(one for one in base.actors if one.kind == "pedestrian")
    world = replace(base, road=_road(rng, bends=seed % 2 == 1))
    if draft.crossing:
        near = place.impact
        people = tuple(one for one in people if abs(one.s - near) > 2.0 * CLEAR_M)
        props = tuple(one for one in base.props if abs(one.s - near) > CLEAR_M)
        world = replace(world, props=props)
    if name == "empty":
        people = ()
    return Scene(
        name=name,
        seed=seed,
        speed_mps=speed_mps,
        world=replace(world, actors=(*draft.things, *people)),
        things=draft.things,
        must_brake=draft.must_brake,
        hazard_s=draft.hazard_s,
        free_s=draft.free_s,
    )


def _road(rng: np.random.Generator, bends: bool) -> Road:
    """Make a straight road, or one that bends with 300 to 900 m after a clothoid."""
    count = round(LENGTH_M / STEP) + 1
    peak = float(rng.choice([-1.0, 1.0])) / rng.uniform(300.0, 900.0) if bends else 0.0
    ramp = np.interp(STEP * np.arange(count), [30.0, 70.0], [0.0, peak])
    return integrated(ramp, rng.uniform(-math.pi, math.pi))


def _crossing(
    place: Place, kind: str, size: Size, start: float, hit: float, speed: float
) -> Actor:
    """Send somebody across from `start`, who is at `hit` when the unbraked car arrives."""
    s = place.impact + 0.5 * size[1]
    end = FAR_EDGE + 4.0 if start < 0.0 else -0.5 * LANE_WIDTH - 6.0
    begins_s = ARRIVAL_S - abs(hit - start) / speed
    knots = (Knot(begins_s, s, start), Knot(begins_s + abs(end - start) / speed, s, end))
    turn = math.copysign(math.pi / 2, -start)
    return Actor(kind, 0.0, 0.0, 0.0, size, any_colour(place.rng), turn, knots)


def _walks(start: float, share: float, kmh: float, child: float = 0.0) -> Callable[[Place], Draft]:
    """Make a scene of somebody who crosses; `share` counts from the near side of the car."""

    def draft(place: Place) -> Draft:
        size = person_size(place.rng, child)
        hit = (share - 0.5) * place.width
        walker = _crossing(place, "pedestrian", size, start, hit, kmh * KMH)
        things = [walker]
        if child:
            things.append(_screen(place))
        return Draft(tuple(things), free_s=_passed_s(walker), crossing=True)

    return draft


def _passed_s(walker: Actor) -> float:
    """Give when somebody has left the lane, or will when nobody stops for him."""
    (begins, _, start), (ends, _, end) = walker.track
    edge = math.copysign(0.5 * LANE_WIDTH + 0.5, end)
    return begins + (edge - start) / (end - start) * (ends - begins)


def _screen(place: Place) -> Actor:
    """Park a car 1 m before the path of a child, 1 m beside the car's side."""
    size = car_size(place.rng)
    lateral = -0.5 * place.width - 1.0 - 0.5 * size[1]
    s = place.impact - 1.0 - 0.5 * size[0]
    return Actor("vehicle", s, lateral, 0.0, size, car_colour(place.rng))


def _cyclist_crosses(place: Place) -> Draft:
    rider = _crossing(place, "cyclist", cyclist_size(place.rng), -10.0, 0.0, 15.0 * KMH)
    return Draft((rider,), free_s=_passed_s(rider), crossing=True)


def _lead(
    place: Place, kind: str, size: Size, gap: float, speed: Callable[[float], float],
    lateral: float = 0.0,
) -> Actor:  # fmt: skip
    """Put something ahead whose rear is `gap` before the car's front at time 0."""
    s = START + place.front + gap + 0.5 * size[0]
    track = driven(s, lateral, speed, LEAVES_S + WATCHED_S + 10.0, 0.1)
    return Actor(kind, 0.0, 0.0, 0.0, size, car_colour(place.rng), track=track)


def _then_off(speed: Callable[[float], float], to: float, at_s: float) -> Callable[[float], float]:
    """Speed up to `to` by 2 m/s^2 from a moment on."""
    before = speed(at_s)
    return lambda t: speed(t) if t < at_s else min(to, before + 2.0 * (t - at_s))


def _stopped(place: Place) -> Draft:
    speed = _then_off(lambda _: 0.0, place.speed + 3.0, LEAVES_S)
    lateral = place.rng.uniform(-0.2, 0.2)
    size = vehicle_size(place.rng)
    return Draft((_lead(place, "vehicle", size, ARRIVAL_S * place.speed, speed, lateral),))


def _slower(kind: str, kmh: float) -> Callable[[Place], Draft]:
    """Make a scene of something slower ahead, at most 60 % as fast as the car."""

    def draft(place: Place) -> Draft:
        own = min(kmh * KMH, 0.6 * place.speed)
        speed = _then_off(lambda _: own, place.speed + 3.0, LEAVES_S)
        is_car = kind == "vehicle"
        size = vehicle_size(place.rng) if is_car else cyclist_size(place.rng)
        lateral = place.rng.uniform(-0.2, 0.2) if is_car else place.rng.uniform(-0.5, 0.0)
        gap = ARRIVAL_S * (place.speed - own)
        return Draft((_lead(place, kind, size, gap, speed, lateral),))

    return draft


def _braking(headway_m: float, by_mps2: float) -> Callable[[Place], Draft]:
    """Make a scene of a car ahead, as fast as ours, that brakes to a stop."""
    begins_s = 2.0

    def draft(place: Place) -> Draft:
        def speed(time_s: float) -> float:
            return max(0.0, place.speed - by_mps2 * max(0.0, time_s - begins_s))

        leaves_s = begins_s + place.speed / by_mps2 + 5.0
        then = _then_off(speed, place.speed + 3.0, leaves_s)
        lead = _lead(place, "vehicle", car_size(place.rng), headway_m, then)
        return Draft((lead,), hazard_s=begins_s, free_s=leaves_s)

    return draft


def _cut_in(place: Place) -> Draft:
    """Let a slower car come over from the left, close ahead."""
    own, begins_s, takes_s = 0.6 * place.speed, 2.0, 2.5
    closing = place.speed - own
    gap = max(8.0, 2.0 * closing + 4.0) + (begins_s + takes_s) * closing
    speed = _then_off(lambda _: own, place.speed + 3.0, LEAVES_S)
    lead = _lead(place, "vehicle", car_size(place.rng), gap, speed)

    def lateral(time_s: float) -> float:
        share = min(1.0, max(0.0, (time_s - begins_s) / takes_s))
        return LANE_WIDTH * 0.5 * (1.0 + math.cos(math.pi * share))

    track = tuple(knot._replace(lateral=lateral(knot.time_s)) for knot in lead.track)
    return Draft((replace(lead, track=track),), hazard_s=begins_s)


def _oncoming(place: Place) -> Draft:
    speed = place.speed * place.rng.uniform(0.8, 1.2)
    cars = []
    for meets_s in (3.0, 5.0, 8.0):
        s = START + place.front + place.speed * meets_s + speed * meets_s
        lateral = LANE_WIDTH + place.rng.uniform(-0.25, 0.25)
        knots = (Knot(0.0, s, lateral), Knot(40.0, s - 40.0 * speed, lateral))
        colour, size = car_colour(place.rng), vehicle_size(place.rng)
        cars.append(Actor("vehicle", 0.0, 0.0, 0.0, size, colour, track=knots))
    return Draft(tuple(cars), must_brake=False)


def _pavement(place: Place) -> Draft:
    """Have people wait at both kerbs, and others walk behind them."""
    found, s = [], START + 15.0
    while s < LENGTH_M - 100.0:
        side = float(place.rng.choice([-1.0, 1.0]))
        edge = LANE_WIDTH * (0.5 if side < 0.0 else 1.5)
        size, colour = person_size(place.rng, 0.3), any_colour(place.rng)
        waits = place.rng.random() < 0.5
        aside = KERB + 0.5 * size[0] if waits else place.rng.uniform(1.8, 4.0)
        speed = 0.0 if waits else float(place.rng.choice([-1.0, 1.0])) * 1.4
        turn = -side * math.pi / 2
        found.append(Actor("pedestrian", s, side * (edge + aside), speed, size, colour, turn))
        s += place.rng.uniform(6.0, 16.0)
    return Draft(tuple(found), must_brake=False)


def _empty(place: Place) -> Draft:
    return Draft((), must_brake=False)


SCENES: dict[str, Callable[[Place], Draft]] = {
    "CPNA-25": _walks(-4.0, 0.25, 5.0),
    "CPNA-75": _walks(-4.0, 0.75, 5.0),
    "CPFA-50": _walks(6.0, 0.50, 8.0),
    "CPNCO-50": _walks(-4.0, 0.50, 5.0, child=1.0),
    "CBNA-50": _cyclist_crosses,
    "CBLA": _slower("cyclist", 15.0),
    "CCRs": _stopped,
    "CCRm": _slower("vehicle", 20.0),
    "CCRb-12-2": _braking(12.0, 2.0),
    "CCRb-12-6": _braking(12.0, 6.0),
    "CCRb-40-2": _braking(40.0, 2.0),
    "CCRb-40-6": _braking(40.0, 6.0),
    "cut-in": _cut_in,
    "oncoming": _oncoming,
    "pavement": _pavement,
    "empty": _empty,
}
