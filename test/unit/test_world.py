import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_pilot.sim.sensors import corners, table
from edge_pilot.sim.world import LANE_WIDTH, LIGHTS, STEP, Box, make_road, make_world

LENGTH = 800.0
seeds = st.integers(0, 2**31 - 1)


def road_of(seed, length=LENGTH):
    return make_road(np.random.default_rng(seed), length)


@settings(max_examples=60, deadline=None)
@given(seeds)
def test_no_bend_is_tighter_than_35_m(seed):
    road = road_of(seed)
    assert np.abs(road.curvature).max() <= 1.0 / 35.0 + 1e-9
    turned = np.diff(road.heading) / STEP
    assert np.abs(turned).max() <= 1.0 / 35.0 + 1e-9


def test_roads_bend_both_ways_and_use_the_tight_end():
    roads = [road_of(seed) for seed in range(30)]
    curvature = np.concatenate([road.curvature for road in roads])
    assert curvature.max() > 1.0 / 40.0
    assert curvature.min() < -1.0 / 40.0
    assert 0.05 < (curvature == 0.0).mean() < 0.5


@settings(max_examples=60, deadline=None)
@given(seeds)
def test_bends_begin_and_end_gently(seed):
    road = road_of(seed)
    ramp_m = 2.0 * math.sqrt(2.0 * 35.0)  # 2 s at the speed that gives 2 m/s^2 in 35 m
    change = np.abs(np.diff(road.curvature)) / STEP
    assert change.max() <= 1.1 / 35.0 / ramp_m


@settings(max_examples=60, deadline=None)
@given(seeds)
def test_stations_lie_one_step_apart_along_their_heading(seed):
    road = road_of(seed)
    dx, dy = np.diff(road.x), np.diff(road.y)
    np.testing.assert_allclose(np.hypot(dx, dy), STEP, rtol=1e-9)
    middle = 0.5 * (road.heading[1:] + road.heading[:-1])
    np.testing.assert_allclose(np.cos(np.arctan2(dy, dx) - middle), 1.0, atol=1e-9)


@settings(max_examples=60, deadline=None)
@given(seeds)
def test_a_road_always_gets_on_in_its_main_direction_so_that_it_never_meets_itself(seed):
    road = road_of(seed)
    aside = road.heading - road.heading[0]
    progress = np.diff(road.x * math.cos(road.heading[0]) + road.y * math.sin(road.heading[0]))
    assert np.abs(aside).max() <= math.radians(75.0) + 1e-6
    assert progress.min() >= STEP * math.cos(math.radians(75.5))


@settings(max_examples=200, deadline=None)
@given(
    seed=seeds,
    s=st.floats(0.0, LENGTH),
    lateral=st.floats(-0.5 * LANE_WIDTH, 0.5 * LANE_WIDTH),
    guess=st.floats(-15.0, 15.0),
)
def test_project_inverts_pose(seed, s, lateral, guess):
    road = road_of(seed)
    x, y, _ = road.pose(s, lateral)
    found = road.project(float(x), float(y), near=s + guess)
    np.testing.assert_allclose(found, (s, lateral), atol=0.02)


def test_lateral_is_positive_to_the_left():
    road = road_of(1)
    x, y, heading = road.pose(20.0, 1.0)
    centre_x, centre_y, _ = road.pose(20.0)
    left = (-math.sin(heading), math.cos(heading))
    np.testing.assert_allclose((x - centre_x, y - centre_y), left, atol=1e-9)


def test_the_same_seed_gives_the_same_world():
    a, b = make_world(11), make_world(11)
    for name in ("x", "y", "heading", "curvature"):
        np.testing.assert_array_equal(getattr(a.road, name), getattr(b.road, name))
    for name in ("light", "actors", "props", "crossings", "side_streets", "solid", "style"):
        assert getattr(a, name) == getattr(b, name)


def test_another_seed_gives_another_world():
    a, b = make_world(11), make_world(14)
    assert not np.array_equal(a.road.curvature, b.road.curvature)
    for name in ("actors", "props", "solid", "style"):
        assert getattr(a, name) != getattr(b, name)


def test_the_light_changes_nothing_else():
    day, haze = make_world(5, light="day"), make_world(5, light="haze")
    assert (day.light, haze.light) == ("day", "haze")
    assert (day.actors, day.props, day.style) == (haze.actors, haze.props, haze.style)


@pytest.mark.parametrize("first", [0, 100, 2**31 - 3])
def test_three_seeds_in_a_row_show_every_light(first):
    lights = {make_world(seed, 200.0).light for seed in range(first, first + 3)}
    assert lights == set(LIGHTS)


@pytest.mark.parametrize("seed", range(6))
def test_only_what_drives_ahead_is_in_the_lane(seed):
    world = make_world(seed)
    aside = [actor for actor in world.actors if not actor.track]
    boxes = [Box(one.kind, *world.place(one, 0.0), one.size) for one in aside]
    boxes += world.prop_boxes()
    outlines = corners(table(boxes))[:, :4, :2]
    lateral = [
        abs(world.road.project(float(x), float(y), near=thing.s)[1])
        for thing, outline in zip([*aside, *world.props], outlines, strict=True)
        for x, y in outline
    ]
    assert len(boxes) > 100
    assert min(lateral) > 0.5 * LANE_WIDTH


def test_there_are_vehicles_pedestrians_and_cyclists_on_every_road():
    for seed in range(10):
        kinds = {actor.kind for actor in make_world(seed).actors}
        assert kinds == {"vehicle", "pedestrian", "cyclist"}


def test_an_oncoming_car_comes_nearer_facing_us():
    world = make_world(3)
    car = next(actor for actor in world.actors if actor.speed < -5.0 and actor.s > 100.0)
    before, after = (_box_of(world, car, time_s) for time_s in (0.0, 2.0))
    along = [world.road.project(box.x, box.y, car.s)[0] for box in (before, after)]
    assert along[1] - along[0] == pytest.approx(2.0 * car.speed, abs=0.05)
    assert math.cos(before.heading - world.road.heading_at(car.s)) == pytest.approx(-1.0)


def _box_of(world, actor, time_s):
    return next(box for box in world.boxes(time_s, near=actor.s) if box.size == actor.size)


def test_boxes_are_those_within_reach():
    world = make_world(3)
    near = world.boxes(0.0, near=400.0, reach=60.0)
    stations = [actor.progress(0.0, world.road.length_m).s for actor in world.actors]
    within = [abs(s - 400.0) < 60.0 for s in stations]
    expected = [actor for actor, is_near in zip(world.actors, within, strict=True) if is_near]
    assert [box.size for box in near] == [actor.size for actor in expected]
    assert 0 < len(near) < len(world.actors)
