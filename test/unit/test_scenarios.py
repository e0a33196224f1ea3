import math
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("vehiclemodels", reason="the extra `sim` is not installed")

from edge_pilot.config import Config
from edge_pilot.sim import trial
from edge_pilot.sim.closed_loop import Expert
from edge_pilot.sim.road import LANE_WIDTH
from edge_pilot.sim.scenarios import ARRIVAL_S, SCENES, make_scene
from edge_pilot.sim.simulator import START
from edge_pilot.types import KINDS, Command

CAR = Config().vehicle
FRONT = CAR.length_m - CAR.rear_overhang_m


def at_speed(speed):
    config = Config()
    return replace(config, control=replace(config.control, max_speed_mps=speed))


def scene_of(name, speed=10.0, seed=0):
    return make_scene(name, seed, speed, CAR)


def run(name, driver, speed=10.0, seed=0):
    config = at_speed(speed)
    scene = make_scene(name, seed, speed, CAR)
    return trial.run(scene, driver(config), config, trial.prepare(scene, config))


class Sleeper(Expert):
    def decide(self, sim):
        return replace(super().decide(sim), acceleration_mps2=0.0)


class Coward(Expert):
    def decide(self, sim):
        return Command(sim.stamp_ns, super().decide(sim).steering_rad, -3.0)


@pytest.mark.parametrize(
    ("name", "share"), [("CPNA-25", 0.25), ("CPNA-75", 0.75), ("CPFA-50", 0.5), ("CBNA-50", 0.5)]
)
@pytest.mark.parametrize("speed", [5.0, 14.0])
def test_who_crosses_meets_the_front_of_an_unbraked_car_where_the_name_says(name, share, speed):
    scene = scene_of(name, speed)
    at = scene.things[0].progress(ARRIVAL_S, scene.world.road.length_m)
    assert at.lateral == pytest.approx((share - 0.5) * CAR.width_m)
    near_side = at.s - 0.5 * scene.things[0].size[1]
    assert near_side == pytest.approx(START + FRONT + speed * ARRIVAL_S)


@pytest.mark.parametrize("name", [name for name in SCENES if name[:2] in ("CP", "CB", "CC")])
def test_a_sleeping_driver_hits_something(name):
    outcome = run(name, Sleeper)
    assert not outcome.avoided
    assert not outcome.passed
    assert outcome.impact_mps > 3.0


def test_the_impact_is_against_the_thing_and_not_the_ground():
    outcome = run("CCRm", Sleeper, speed=10.0)
    assert outcome.impact_mps == pytest.approx(10.0 - 20.0 / 3.6, abs=0.05)


@pytest.mark.parametrize("name", ["CPNA-75", "CPNCO-50", "CCRs", "CCRb-12-6", "cut-in"])
def test_perfect_sight_avoids_and_goes_on(name):
    outcome = run(name, Expert)
    assert outcome.passed
    assert outcome.avoided
    assert outcome.released
    assert (outcome.false_brakes, outcome.stuck_s) == (0, 0.0)


@pytest.mark.parametrize("name", ["oncoming", "pavement", "empty"])
@pytest.mark.parametrize("seed", [0, 1])
def test_perfect_sight_brakes_for_nothing_beside_its_lane(name, seed):
    outcome = run(name, Expert, speed=13.0, seed=seed)
    assert outcome.passed
    assert outcome.used_mps2 < 0.5


def test_a_car_that_always_brakes_fails_and_brakes_falsely():
    outcome = run("empty", Coward)
    assert not outcome.passed
    assert outcome.false_brakes == 1


def test_a_car_that_never_goes_on_fails():
    outcome = run("CCRs", Coward)
    assert outcome.avoided
    assert not outcome.released
    assert not outcome.passed


@pytest.mark.parametrize("speed", range(5, 15))
def test_what_is_possible_follows_the_rule_of_the_stopping_distance(speed):
    scene = scene_of("CPNA-75", float(speed))
    walker = scene.things[0]
    edge = 0.5 * CAR.width_m + trial.MARGIN_M + 0.5 * walker.size[0]
    before_s = (edge + 0.25 * CAR.width_m) * 3.6 / 5.0
    gap = speed * before_s
    rule = speed * 0.5 + speed**2 / 16.0 < gap
    assert trial.foresee(scene, CAR).possible is rule


def test_a_standing_car_can_always_be_avoided_and_needs_what_mechanics_say():
    foresight = trial.foresee(scene_of("CCRs", 12.0), CAR)
    assert foresight.possible
    assert foresight.needed_mps2 == pytest.approx(12.0**2 / (2.0 * 72.0), abs=0.11)


def test_the_child_is_hidden_by_a_car_that_leaves_the_lane_free():
    walker, parked = scene_of("CPNCO-50").things
    assert walker.size[2] < 1.35 < parked.size[2]
    assert parked.lateral + 0.5 * parked.size[1] == pytest.approx(-0.5 * CAR.width_m - 1.0)


@pytest.mark.parametrize("name", SCENES)
def test_the_same_seed_gives_the_same_scene_and_another_one_another(name):
    first, again, other = (scene_of(name, seed=seed) for seed in (1, 1, 2))
    assert first.things == again.things
    assert first.world.style == again.world.style != other.world.style
    assert {thing.kind for thing in first.things} <= set(KINDS)


def test_roads_of_odd_seeds_bend_gently():
    straight, bent = (scene_of("empty", seed=seed).world.road.curvature for seed in (0, 1))
    assert np.abs(straight).max() == 0.0
    assert 1.0 / 900.0 <= np.abs(bent).max() <= 1.0 / 300.0


def test_a_cut_in_ends_in_the_middle_of_the_lane():
    lead = scene_of("cut-in").things[0]
    assert lead.progress(0.0, 600.0).lateral == pytest.approx(LANE_WIDTH)
    assert lead.progress(6.0, 600.0).lateral == pytest.approx(0.0, abs=1e-6)


def test_nothing_in_the_corridor_leaves_the_gap_unknown():
    assert math.isnan(run("empty", Expert).min_gap_m)
