"""One scene, driven and judged."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from edge_pilot.config import Config, VehicleConfig
from edge_pilot.sim import judge
from edge_pilot.sim.actors import Actor, Progress
from edge_pilot.sim.closed_loop import Driver
from edge_pilot.sim.expert import demand
from edge_pilot.sim.scenarios import WATCHED_S, Scene
from edge_pilot.sim.simulator import COMMAND_STEPS, STANDING, START, Simulator
from edge_pilot.sim.vehicle import DT
from edge_pilot.types import Command, Floats

MARGIN_M = 0.3  # the corridor is the body's width and so much on either side
DELAY_S, BRAKING_MPS2 = 0.5, 8.0  # of the car that could avoid it
TRIED_MPS2 = np.arange(0.0, 20.0, 0.1)
SETTLING_S = 1.0  # the first estimates of speed are no reason
NO_BRAKE_MPS2 = 1.0  # where nothing is to be braked for, demanding less is driving
GOING = 0.5  # of the test speed: the car goes on


class Outcome(NamedTuple):
    """What came of one scene."""

    scene: str
    seed: int
    speed_mps: float
    light: str
    must_brake: bool
    possible: bool  # see `foresee`
    avoided: bool
    impact_mps: float  # of the car against the thing at the first touch; 0: none
    min_gap_m: float  # between the front and what is in the corridor; NaN: nothing was
    needed_mps2: float  # constant and at once, when it is in the corridor; infinite: over 20
    used_mps2: float  # the hardest demand
    false_brakes: int
    stood_s: float
    stuck_s: float
    released: bool  # it goes on at the end
    distance_m: float
    passed: bool


class Foresight(NamedTuple):
    """What the geometry of a scene permits a car that comes unbraked."""

    possible: bool
    needed_mps2: float


def run(scene: Scene, driver: Driver, config: Config, sim: Simulator) -> Outcome:
    """Drive a scene until it is over; `sim` stands at its beginning (`prepare`)."""
    rows: list[tuple[float, float, float]] = []  # speed, demand, what perfect sight demands
    impact, gap, command = 0.0, math.nan, Command(0, 0.0, 0.0)
    touched = False
    while not touched and not _is_over(scene, sim):
        driver.sense(sim)
        if sim.steps % COMMAND_STEPS == 0:
            perfect = demand(sim, config)
            command = driver.decide(sim)
            rows.append((sim.motion.speed, command.acceleration_mps2, perfect))
            gap = float(np.fmin(gap, _gap(sim, scene, config.vehicle)))
        sim.step(command.steering_rad, command.acceleration_mps2)
        speed = sim.closing_at_touch(scene.things)
        if speed is not None and sim.motion.speed > STANDING:
            touched, impact = True, speed
    return _judge(scene, config, np.array(rows), sim, touched, impact, gap)


def prepare(scene: Scene, config: Config) -> Simulator:
    """Put the car at the start of a scene, with its speed."""
    sim = Simulator(config, scene.world)
    sim.place(START, scene.speed_mps)
    return sim


def foresee(scene: Scene, vehicle: VehicleConfig) -> Foresight:
    """Say whether a car with `DELAY_S` and `BRAKING_MPS2` could avoid the first thing.

    It comes at its constant speed until the thing is in its corridor (and is a hazard), and then
    acts; the thing stays in the corridor and moves on as it does. For one that stands this is
    the rule v * 0.5 s + v^2 / (2 * 8 m/s^2) < gap.
    """
    if not scene.must_brake:
        return Foresight(True, 0.0)
    thing, v = scene.things[0], scene.speed_mps
    times = np.arange(0.0, scene.free_s + WATCHED_S, DT)
    at = [thing.progress(float(time_s), scene.world.road.length_m) for time_s in times]
    entry = next(
        (i for i, one in enumerate(at)
         if times[i] >= scene.hazard_s and _reach(thing, one) < 0.5 * vehicle.width_m + MARGIN_M),
        None,
    )  # fmt: skip
    if entry is None:
        return Foresight(True, 0.0)
    front = START + vehicle.length_m - vehicle.rear_overhang_m + v * times[entry]
    rear = np.array([one.s - 0.5 * _length(thing, one) for one in at[entry:]])
    since, room = times[entry:] - times[entry], rear - front
    late = v * np.minimum(since, DELAY_S) + _way(v, BRAKING_MPS2, since - DELAY_S)
    enough = (a for a in TRIED_MPS2 if (_way(v, a, since) < room).all())
    return Foresight(bool((late < room).all()), float(next(enough, math.inf)))


def _way(speed: float, braking: float, since_s: Floats) -> Floats:
    """Give the distance under constant braking to a stop."""
    braked = np.clip(since_s, 0.0, speed / braking if braking > 0.0 else math.inf)
    return speed * braked - 0.5 * braking * braked**2


def _is_over(scene: Scene, sim: Simulator) -> bool:
    late_s = sim.time_s - scene.free_s
    return late_s > WATCHED_S or (late_s > 1.0 and sim.motion.speed > GOING * scene.speed_mps)


def _length(thing: Actor, at: Progress) -> float:
    return thing.size[1] if abs(at.aside_mps) > abs(at.along_mps) else thing.size[0]


def _reach(thing: Actor, at: Progress) -> float:
    """Give the lateral offset of that part of a thing which is nearest to the lane's centre."""
    across = thing.size[0] if abs(at.aside_mps) > abs(at.along_mps) else thing.size[1]
    return max(0.0, abs(at.lateral) - 0.5 * across)


def _gap(sim: Simulator, scene: Scene, vehicle: VehicleConfig) -> float:
    """Give the distance from the front to the nearest thing in the corridor, NaN without one."""
    front = sim.truth().s + vehicle.length_m - vehicle.rear_overhang_m
    gaps = []
    for thing in scene.things:
        at = thing.progress(sim.time_s, scene.world.road.length_m)
        gap = at.s - 0.5 * _length(thing, at) - front
        if gap > -1.0 and _reach(thing, at) < 0.5 * vehicle.width_m + MARGIN_M:
            gaps.append(gap)
    return min(gaps, default=math.nan)


def _judge(
    scene: Scene, config: Config, rows: np.ndarray, sim: Simulator, touched: bool,
    impact: float, gap: float,
) -> Outcome:  # fmt: skip
    speed, demanded, perfect = rows.T
    settled = slice(round(SETTLING_S / judge.PERIOD_S), None)
    used = max(0.0, -float(demanded[settled].min(initial=0.0)))
    foresight = foresee(scene, config.vehicle)
    false_brakes = judge.false_brakes(demanded[settled], perfect[settled], speed[settled])
    stuck_s = judge.stuck_s(speed, perfect)
    released = not touched and sim.motion.speed > GOING * scene.speed_mps
    if not scene.must_brake:
        passed = not touched and used < NO_BRAKE_MPS2 and false_brakes == 0
    elif touched:
        passed = not foresight.possible and impact <= 0.5 * scene.speed_mps
    else:
        passed = released and stuck_s == 0.0
    return Outcome(
        scene.name, scene.seed, scene.speed_mps, scene.world.light, scene.must_brake,
        foresight.possible, not touched, impact, gap, foresight.needed_mps2, used, false_brakes,
        float((speed < STANDING).sum()) * judge.PERIOD_S, stuck_s, released,
        sim.truth().s - START, passed,
    )  # fmt: skip
