import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_pilot.sim.actors import Actor, Knot, driven
from edge_pilot.sim.road import LANE_WIDTH, STEP, integrated
from edge_pilot.sim.traffic import KERB
from edge_pilot.sim.world import make_world

LENGTH = 400.0
BEND = integrated(np.full(round(LENGTH / STEP) + 1, 0.01), 0.3)
WORLDS = [make_world(seed, 800.0) for seed in range(40)]
CAR, PERSON = (4.0, 1.8, 1.5), (0.4, 0.5, 1.7)


def world_of(actor):
    world = make_world(0, LENGTH)
    return type(world)(0, "day", BEND, (actor,), (), (), (), ())


def on_track(*knots, turn=0.0):
    return Actor("pedestrian", 0.0, 0.0, 0.0, PERSON, (0, 0, 0), turn, tuple(knots))


def test_a_track_is_linear_between_its_knots_and_held_outside():
    walker = on_track(Knot(1.0, 10.0, -4.0), Knot(3.0, 12.0, 0.0))
    assert walker.progress(0.0, LENGTH) == (10.0, -4.0, 0.0, 0.0)
    assert walker.progress(2.0, LENGTH) == (11.0, -2.0, 1.0, 2.0)
    assert walker.progress(9.0, LENGTH) == (12.0, 0.0, 0.0, 0.0)


def test_who_crosses_faces_where_he_walks_and_then_as_he_stood():
    world = world_of(on_track(Knot(1.0, 50.0, -4.0), Knot(3.0, 50.0, 4.0), turn=0.5))
    heading = [world.place(world.actors[0], time_s)[2] for time_s in (0.0, 2.0, 5.0)]
    road = BEND.heading_at(50.0)
    assert heading == pytest.approx([road + 0.5, road + math.pi / 2, road + 0.5])


@settings(max_examples=100, deadline=None)
@given(st.floats(20.0, 300.0), st.floats(-6.0, 6.0), st.floats(-12.0, 12.0), st.floats(-3.0, 3.0))
def test_the_velocity_is_how_the_place_changes(s, lateral, along, aside):
    end = Knot(2.0, s + 2.0 * along, lateral + 2.0 * aside)
    world = world_of(on_track(Knot(0.0, s, lateral), end))
    actor = world.actors[0]
    before, after = (world.place(actor, 1.0 + dt) for dt in (-0.05, 0.05))
    moved = [(b - a) / 0.1 for a, b in zip(before[:2], after[:2], strict=True)]
    assert world.velocity(actor, 1.0) == pytest.approx(moved, abs=0.1)


def test_what_leaves_the_road_goes_straight_on():
    world = world_of(on_track(Knot(0.0, LENGTH - 10.0, 0.0), Knot(10.0, LENGTH + 90.0, 0.0)))
    x, y, heading = world.place(world.actors[0], 5.0)
    end_x, end_y, end_heading = BEND.pose(LENGTH)
    assert math.hypot(x - end_x, y - end_y) == pytest.approx(40.0)
    assert heading == pytest.approx(float(end_heading))


def test_a_driven_track_covers_the_distance_of_its_speed():
    track = driven(5.0, 0.0, lambda time_s: 2.0 * time_s, 4.0)
    assert track[-1].time_s == 4.0
    assert track[-1].s == pytest.approx(5.0 + 16.0)


def own_lane(world):
    return [one for one in world.actors if one.track]


def test_some_roads_have_a_platoon_some_a_cyclist_and_some_are_free():
    kinds = [tuple(sorted({one.kind for one in own_lane(world)})) for world in WORLDS]
    assert set(kinds) == {("vehicle",), ("cyclist",), ()}


@pytest.mark.parametrize("time_s", [0.0, 20.0, 60.0])
def test_cars_of_a_platoon_never_touch(time_s):
    for world in WORLDS:
        cars = [one for one in own_lane(world) if one.kind == "vehicle"]
        at = sorted((one.progress(time_s, 800.0).s, one.size[0]) for one in cars)
        for (rear, length), (ahead, other) in pairwise(at):
            assert ahead - rear > 0.5 * (length + other) + 3.0 or ahead > 800.0


def test_a_platoon_stops_for_ten_seconds_at_most():
    for world in WORLDS:
        for car in (one for one in world.actors if one.kind == "vehicle" and one.track):
            stands_s = longest_s = 0.0
            for a, b in pairwise(car.track):
                stands_s = stands_s + b.time_s - a.time_s if b.s - a.s < 0.01 else 0.0
                longest_s = max(longest_s, stands_s)
            assert longest_s < 10.0


def test_what_is_ahead_starts_far_enough_ahead_and_never_comes_back():
    for world in WORLDS:
        for one in own_lane(world):
            stations = [knot.s for knot in one.track]
            assert stations[0] - 0.5 * one.size[0] > 34.0
            assert np.diff(stations).min() >= 0.0


def test_people_keep_off_the_lanes():
    for world in WORLDS:
        for one in world.actors:
            if one.kind == "pedestrian":
                right, left = -0.5 * LANE_WIDTH, 1.5 * LANE_WIDTH
                aside = max(right - one.lateral, one.lateral - left)
                assert aside - 0.5 * max(one.size[:2]) >= KERB
