import copy
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from edge_pilot.config import Config
from edge_pilot.sim.expert import expert
from edge_pilot.sim.simulator import START, Simulator
from edge_pilot.sim.world import LANE_WIDTH, STEP, Actor, Prop, Road, make_world
from edge_pilot.types import NANOSECONDS

CONFIG = Config()
CAR = CONFIG.vehicle
ROOM = 0.5 * (LANE_WIDTH - CAR.width_m)  # m, to either side of a car in the lane's middle
CAR_MIDDLE = 0.5 * CAR.length_m - CAR.rear_overhang_m  # ahead of base_link
GREY = (128, 128, 128)
EMPTY = replace(make_world(0, 200.0, "day"), actors=(), props=())
STRAIGHT = np.arange(0.0, 300.0, STEP)


def line(x0=0.0, y0=0.0, heading=0.0):
    """Make a straight road, whose station `START` lies at a place."""
    along = STRAIGHT - START
    x, y = x0 + along * math.cos(heading), y0 + along * math.sin(heading)
    return Road(x, y, np.full_like(x, heading), np.zeros_like(x))


def simulator(actors=(), props=(), road=None):
    return Simulator(CONFIG, replace(EMPTY, road=road or line(), actors=actors, props=props))


BARE = simulator()


def standing_aside(lateral, heading_error=0.0):
    """Give a car that stands off the lane's centre: the road is laid beside it."""
    sim = copy.copy(BARE)
    x, y = -lateral * math.sin(heading_error), -lateral * math.cos(heading_error)
    sim.world = replace(sim.world, road=line(x, y, -heading_error))
    return sim


def drive(sim, distance_m):
    """Let the expert drive, and give the truth at 20 Hz."""
    truths = [sim.truth()]
    while truths[-1].s < START + distance_m:
        if sim.steps % 5 == 0:
            truths.append(sim.truth())
            command = expert(sim, CONFIG)
        sim.step(command.steering_rad, command.acceleration_mps2)
    return truths


@pytest.mark.parametrize("side", [-1.0, 1.0])
@pytest.mark.parametrize(("beyond", "expected"), [(-0.005, False), (0.005, True)])
def test_a_departure_is_a_wheel_over_the_middle_of_a_line(side, beyond, expected):
    truth = standing_aside(side * (ROOM + beyond)).truth()
    assert truth.lateral == pytest.approx(side * (ROOM + beyond))
    assert truth.off_lane == expected


@settings(max_examples=200, deadline=None)
@given(lateral=st.floats(-1.8, 1.8), heading_error=st.floats(-0.15, 0.15))
def test_a_slanting_car_departs_with_its_outermost_wheel(lateral, heading_error):
    truth = standing_aside(lateral, heading_error).truth()
    half = 0.5 * CAR.width_m
    wheels = [
        lateral + forward * math.sin(heading_error) + left * math.cos(heading_error)
        for forward in (0.0, CAR.wheelbase_m)
        for left in (-half, half)
    ]
    outermost = max(abs(wheel) for wheel in wheels)
    assume(abs(outermost - 0.5 * LANE_WIDTH) > 0.01)  # the judge takes the body's width for level
    assert truth.off_lane == (outermost > 0.5 * LANE_WIDTH)


def test_truth_is_positive_to_the_left():
    truth = standing_aside(0.4, 0.1).truth()
    assert (truth.lateral, truth.heading_error) == pytest.approx((0.4, 0.1))
    assert truth.s == pytest.approx(START)


def test_the_heading_error_is_taken_the_short_way_round():
    sim = simulator(road=line(heading=math.pi - 0.01))
    sim.world = replace(sim.world, road=line(heading=-math.pi + 0.01))
    assert sim.truth().heading_error == pytest.approx(-0.02)


sizes = st.tuples(st.floats(0.1, 9.0), st.floats(0.1, 9.0), st.just(2.0))


@settings(max_examples=200, deadline=None)
@given(
    ahead=st.floats(-7.0, 9.0), left=st.floats(-6.0, 6.0), turn=st.floats(-3.2, 3.2), size=sizes
)
def test_bodies_collide_where_they_share_a_point(ahead, left, turn, size):
    sim = copy.copy(BARE)
    actor = Actor("vehicle", START, 0.0, 0.0, size, GREY)
    sim.world = replace(sim.world, road=line(ahead, left, turn), actors=(actor,))
    car = (CAR_MIDDLE, 0.0, 0.0, CAR.length_m, CAR.width_m)
    for scale, expected in ((0.99, True), (1.01, False)):  # clear of the touching itself
        other = (ahead, left, turn, scale * size[0], scale * size[1])
        if share_a_point(car, other) is expected:
            assert sim.truth().collided is expected


def share_a_point(a, b):
    return is_any_inside(points(a), b) or is_any_inside(points(b), a)


def points(rectangle):
    """Give a dense grid of points (2, N) over a rectangle, its edges included."""
    x, y, heading, length, width = rectangle
    grid = np.meshgrid(np.linspace(-0.5, 0.5, 41) * length, np.linspace(-0.5, 0.5, 41) * width)
    along, left = (axis.ravel() for axis in grid)
    cos, sin = math.cos(heading), math.sin(heading)
    return np.array([x + cos * along - sin * left, y + sin * along + cos * left])


def is_any_inside(points, rectangle):
    x, y, heading, length, width = rectangle
    dx, dy = points[0] - x, points[1] - y
    cos, sin = math.cos(heading), math.sin(heading)
    along, left = np.abs(cos * dx + sin * dy), np.abs(cos * dy - sin * dx)
    return bool(((along <= 0.5 * length) & (left <= 0.5 * width)).any())


@pytest.mark.parametrize(("gap", "expected"), [(-0.01, True), (0.01, False)])
def test_a_wall_on_the_road_collides(gap, expected):
    front = CAR_MIDDLE + 0.5 * CAR.length_m
    wall = Prop("building", START + front + gap + 0.5, 0.0, 0.0, (1.0, 8.0, 3.0), GREY)
    assert simulator(props=(wall,)).truth().collided is expected


def test_a_car_that_drives_into_us_collides():
    oncoming = Actor("vehicle", START + 40.0, 0.0, -10.0, (4.0, 1.8, 1.5), GREY)
    sim = simulator(actors=(oncoming,))
    gap = 40.0 - 2.0 - CAR_MIDDLE - 0.5 * CAR.length_m
    collided = []
    for _ in range(400):
        collided.append(sim.truth().collided)
        sim.step(0.0, 0.0)
    assert collided.index(True) == pytest.approx(100.0 * gap / 10.0, abs=1.0)


@pytest.mark.parametrize("seed", [0, 6, 8])
def test_the_expert_keeps_to_the_lane_for_300_m(seed):
    sim = Simulator(CONFIG, make_world(seed, 400.0))
    truths = drive(sim, 300.0)
    assert max(abs(truth.lateral) for truth in truths) < 0.15
    assert not any(truth.off_lane or truth.collided for truth in truths)
    assert 300.0 / sim.time_s > 6.0
    assert max(abs(truth.curvature) for truth in truths) > 0.02


def test_the_same_seed_and_commands_give_the_same_drive():
    once, again = (drive(Simulator(CONFIG, make_world(4, 200.0)), 100.0) for _ in range(2))
    assert once == again


def test_the_path_ahead_is_the_lane_in_the_axes_of_the_car():
    path = standing_aside(0.5, 0.1).path_ahead((10.0, 20.0))
    along = np.array([0.0, 10.0, 20.0])
    cos, sin = math.cos(0.1), math.sin(0.1)
    expected = np.column_stack([along * cos - 0.5 * sin, -along * sin - 0.5 * cos])
    np.testing.assert_allclose(path.points_m, expected, atol=1e-6)


def test_the_path_ahead_turns_left_in_a_left_bend():
    sim = Simulator(CONFIG, make_world(0))
    sim.place(STEP * int(sim.world.road.curvature.argmax()))
    lateral = sim.path_ahead((5.0, 10.0)).points_m[1:, 1]
    np.testing.assert_allclose(lateral, 0.5 * sim.truth().curvature * np.square([5, 10]), rtol=0.2)


def test_time_goes_by_in_steps_of_10_ms():
    sim = Simulator(CONFIG, EMPTY, start_ns=7 * NANOSECONDS)
    for _ in range(25):
        sim.step(0.0, 0.0)
    assert sim.time_s == 0.25
    assert sim.stamp_ns == 7_250_000_000


def test_obstacles_are_those_within_reach_of_the_car():
    sim = Simulator(CONFIG, make_world(2))
    sim.place(400.0)
    near, far = sim.obstacles(30.0), sim.obstacles(90.0)
    props = [box for box in sim.world.prop_boxes() if reach(sim, box) < 90.0]
    assert 0 < len(near) < len(far)
    assert [box for box in far if box.kind in {prop.kind for prop in props}] == props
    assert max(reach(sim, box) for box in near) < 31.0


def reach(sim, box):
    return math.hypot(box.x - sim.motion.x, box.y - sim.motion.y)


def test_the_end_of_the_road_is_seen_60_m_ahead():
    sim = Simulator(CONFIG, make_world(2, 300.0))
    sim.place(235.0)
    assert not sim.at_end
    sim.place(245.0)
    assert sim.at_end
