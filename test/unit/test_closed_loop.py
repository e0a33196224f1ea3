from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("vehiclemodels", reason="the extra `sim` is not installed")

from edge_pilot.config import Config
from edge_pilot.sim.closed_loop import (
    COLUMNS,
    Expert,
    ZeroSteering,
    drive,
    score,
)
from edge_pilot.sim.simulator import Simulator
from edge_pilot.sim.world import Actor, make_world
from edge_pilot.types import Command

CONFIG = Config()


def simulator(seed=3, length=400.0, **changes):
    return Simulator(CONFIG, replace(make_world(seed, length), **changes))


class Parked:
    def sense(self, sim):
        pass

    def decide(self, sim):
        return Command(sim.stamp_ns, 0.0, -1.0)


class Blind(Expert):
    def decide(self, sim):
        return replace(super().decide(sim), acceleration_mps2=0.5)


class Timid(Expert):
    def decide(self, sim):
        brakes = sim.motion.speed > 8.0
        command = super().decide(sim)
        return replace(command, acceleration_mps2=-4.0) if brakes else command


def test_the_expert_stays_in_its_lane_and_comes_to_the_end():
    it = score([drive(simulator(), Expert(CONFIG), 250.0, CONFIG)])
    assert it.distance_m >= 250.0
    assert (it.departures, it.collisions, it.stuck_s) == (0, 0, 0.0)
    assert it.lateral_max_m < 0.15


def test_wheels_that_stay_straight_leave_the_lane_in_every_bend():
    it = score([drive(simulator(), ZeroSteering(CONFIG), 250.0, CONFIG)])
    assert it.departures_per_km > 20.0


def test_a_departure_is_counted_once_and_the_car_is_put_back():
    trajectory = drive(simulator(), ZeroSteering(CONFIG), 250.0, CONFIG)
    off = trajectory.column("off_lane")
    assert off.sum() == trajectory.departures
    after = trajectory.column("lateral_m")[1:][off[:-1] == 1.0]
    assert np.abs(after).max() < 0.2


def test_a_car_that_stands_ends_the_drive():
    trajectory = drive(simulator(), Parked(), 250.0, CONFIG)
    assert trajectory.column("time_s")[-1] < 30.0
    assert score([trajectory]).stuck_s > 19.0


def test_hitting_a_car_in_the_lane_is_one_collision():
    wall = Actor("vehicle", 60.0, 0.0, 0.0, (4.0, 1.8, 1.5), (0, 0, 0))
    trajectory = drive(simulator(actors=(wall,), props=()), Blind(CONFIG), 100.0, CONFIG)
    assert trajectory.collisions == 1


def test_the_expert_stops_behind_a_car_in_the_lane_and_is_not_stuck():
    wall = Actor("vehicle", 60.0, 0.0, 0.0, (4.0, 1.8, 1.5), (0, 0, 0))
    trajectory = drive(simulator(actors=(wall,), props=()), Expert(CONFIG), 100.0, CONFIG)
    assert trajectory.column("speed_mps")[-1] < 0.1
    it = score([trajectory])
    assert (it.collisions, it.false_brakes, it.stuck_s) == (0, 0, 0.0)


def test_braking_for_nothing_is_counted():
    it = score([drive(simulator(actors=(), props=()), Timid(CONFIG), 150.0, CONFIG)])
    assert it.false_brakes > 1
    assert it.false_brakes_per_km == pytest.approx(1000.0 * it.false_brakes / it.distance_m)


def test_the_same_seed_gives_the_same_drive_to_the_last_bit():
    first, second = (drive(simulator(), Expert(CONFIG), 120.0, CONFIG).rows for _ in range(2))
    assert first.tobytes() == second.tobytes()


def test_a_score_over_several_drives_weighs_each_sample_alike():
    one = drive(simulator(), Expert(CONFIG), 100.0, CONFIG)
    wide = replace(one, rows=one.rows.copy())
    wide.rows[:, COLUMNS.index("lateral_m")] = 1.0
    both = score([one, wide])
    assert both.lateral_mean_m == pytest.approx(0.5 * (score([one]).lateral_mean_m + 1.0))
    assert both.distance_m == pytest.approx(2.0 * score([one]).distance_m)
