import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("vehiclemodels", reason="the extra `sim` is not installed")

from edge_pilot.config import Config
from edge_pilot.sim.actors import Actor, Box, Knot
from edge_pilot.sim.road import STEP, integrated
from edge_pilot.sim.sight import facing
from edge_pilot.sim.simulator import START, Simulator
from edge_pilot.sim.world import make_world

CONFIG = Config()
STRAIGHT = integrated(np.zeros(round(300.0 / STEP) + 1), 0.7)
EMPTY = replace(make_world(0, 200.0), road=STRAIGHT, props=(), actors=())
CAR = (4.0, 1.8, 1.5)


def simulator(*actors):
    return Simulator(CONFIG, replace(EMPTY, actors=actors))


def car(ahead, lateral=0.0, speed=0.0, track=()):
    return Actor("vehicle", START + ahead, lateral, speed, CAR, (0, 0, 0), track=track)


def test_a_car_ahead_shows_its_rear():
    (one,) = simulator(car(20.0, 0.5, 6.0)).truth_obstacles()
    assert (one.x_m, one.y_m, one.width_m) == pytest.approx((18.0, 0.5, 1.8))
    assert (one.vx_mps, one.vy_mps) == pytest.approx((6.0, 0.0), abs=1e-9)


def test_an_oncoming_car_shows_its_front_and_comes_nearer():
    (one,) = simulator(car(30.0, 3.5, -9.0)).truth_obstacles()
    assert (one.x_m, one.y_m) == pytest.approx((28.0, 3.5))
    assert one.vx_mps == pytest.approx(-9.0)


def test_who_crosses_from_the_right_moves_to_the_left():
    track = (Knot(-1.0, START + 15.0, -4.0), Knot(3.0, START + 15.0, 4.0))
    (one,) = simulator(car(0.0, track=track)).truth_obstacles()
    assert (one.vx_mps, one.vy_mps) == pytest.approx((0.0, 2.0), abs=1e-9)


def test_what_is_beside_reaches_no_farther_in_than_its_side():
    (one,) = simulator(car(2.5, -2.7)).truth_obstacles()
    assert one.y_m + 0.5 * one.width_m == pytest.approx(-1.8)


def test_only_what_is_ahead_and_near_is_seen_nearest_first():
    sim = simulator(car(60.0), car(-10.0), car(20.0), car(95.0))
    assert [one.x_m for one in sim.truth_obstacles(80.0)] == pytest.approx([18.0, 58.0])


def test_sight_moves_on_with_the_car():
    sim = simulator(car(20.0))
    before = sim.truth_obstacles()[0].x_m
    sim.place(START + 5.0)
    assert sim.truth_obstacles()[0].x_m == pytest.approx(before - 5.0)


@settings(max_examples=200, deadline=None)
@given(st.floats(6.0, 60.0), st.floats(-20.0, 20.0), st.floats(-3.2, 3.2))
def test_the_facing_side_lies_on_the_body_and_is_its_nearest(x, y, heading):
    motion = simulator().motion
    at = math.cos(motion.heading), math.sin(motion.heading)
    place = motion.x + at[0] * x - at[1] * y, motion.y + at[1] * x + at[0] * y
    fx, fy, width = facing(Box("vehicle", *place, motion.heading + heading, CAR), motion)
    assert math.hypot(fx - x, fy - y) in (pytest.approx(2.0), pytest.approx(0.9))
    assert math.hypot(fx, fy) < math.hypot(x, y)
    assert 0.0 <= width <= 4.0 + 1e-9
