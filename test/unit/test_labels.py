import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from edge_pilot.config import CameraConfig
from edge_pilot.sim.labels import boxes_2d, pose
from edge_pilot.sim.sensors import hit_distance, table
from edge_pilot.sim.vehicle import Motion
from edge_pilot.sim.world import Actor, Box, make_world

CAMERA = CameraConfig()
STILL = Motion(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, (0.0, 0.0), 0.0, 0.0)
LEANING = replace(STILL, x=30.0, y=-20.0, heading=2.1, pitch=0.03, roll=-0.04)
SIZE = (4.2, 1.8, 1.5)
PICTURE = np.array([CAMERA.width_px, CAMERA.height_px])


def ahead(motion, forward, left, turn=0.0, size=SIZE, kind="vehicle"):
    """Place a box in the car's axes."""
    cos, sin = math.cos(motion.heading), math.sin(motion.heading)
    x, y = motion.x + forward * cos - left * sin, motion.y + forward * sin + left * cos
    return Box(kind, x, y, motion.heading + turn, size)


def test_a_box_straight_ahead_lies_where_a_pinhole_camera_puts_it():
    camera = replace(CAMERA, pitch_rad=0.0)
    (label,) = boxes_2d([ahead(STILL, 12.1 + camera.forward_m, 0.0)], STILL, camera)
    near_m, focal = 10.0, camera.focal_px
    expected = (160 - focal * 0.09, 90 - focal * 0.01, 160 + focal * 0.09, 90 + focal * 0.14)
    assert (label.x0, label.y0, label.x1, label.y1) == pytest.approx(expected, abs=0.01)
    assert label.distance_m == pytest.approx(near_m)
    assert (label.kind, label.visible) == ("vehicle", 1.0)


@settings(max_examples=150, deadline=None)
@given(
    motion=st.sampled_from([STILL, LEANING]),
    place=st.tuples(st.floats(-10.0, 60.0), st.floats(-25.0, 25.0), st.floats(-3.2, 3.2)),
    size=st.tuples(st.floats(0.3, 9.0), st.floats(0.3, 9.0), st.floats(0.5, 9.0)),
)
def test_a_label_fits_tightly_around_the_rays_that_meet_the_box(motion, place, size):
    box = ahead(motion, *place, size=size)
    eye, _ = pose(motion, CAMERA)
    assume(math.hypot(box.x - eye[0], box.y - eye[1]) > 1.0 + 0.5 * math.hypot(*size[:2]))
    seen = where_met(box, motion, np.zeros(2), PICTURE)
    labels = boxes_2d([box], motion, CAMERA)
    assert len(labels) == 1 or not len(seen)
    for label in labels:
        low, high = np.array([(label.x0, label.y0), (label.x1, label.y1)])
        share = (where_met(box, motion, low, high) - low) / (high - low)
        assert share.min(axis=0).max() < 0.05
        assert share.max(axis=0).min() > 0.95
        assert ((seen > low - 0.01) & (seen < high + 0.01)).all()


def where_met(box, motion, low, high):
    """Give the pixels (N, 2), of a fine grid from `low` to `high`, whose rays meet a box."""
    eye, axes = pose(motion, CAMERA)
    at = (np.arange(150) + 0.5) / 150
    pixels = low + np.stack(np.meshgrid(at, at), axis=-1).reshape(-1, 2) * (high - low)
    left, up = (0.5 * PICTURE - pixels).T / CAMERA.focal_px
    rays = axes @ np.array([np.ones_like(left), left, up])
    return pixels[np.isfinite(hit_distance(eye, rays, table([box])))]


@pytest.mark.parametrize(
    ("forward", "left"), [(-8.0, 0.0), (20.0, 30.0), (20.0, -30.0), (1.0, 6.0)]
)
def test_what_is_outside_the_picture_has_no_label(forward, left):
    assert boxes_2d([ahead(STILL, forward, left)], STILL, CAMERA) == []


def test_a_box_beside_the_camera_is_cut_at_the_edge_of_the_picture():
    (label,) = boxes_2d([ahead(STILL, 3.0, 2.5)], STILL, CAMERA)
    assert label.x0 == 0.0
    assert 0.0 < label.x1 < 100.0
    assert 60.0 < label.y0 < 90.0
    assert label.y1 == CAMERA.height_px


def test_only_vehicles_and_pedestrians_get_labels():
    kinds = ("vehicle", "tree", "pedestrian", "building", "post")
    boxes = [ahead(STILL, 20.0, 8.0 - 4.0 * i, kind=kind) for i, kind in enumerate(kinds)]
    assert [label.kind for label in boxes_2d(boxes, STILL, CAMERA)] == ["vehicle", "pedestrian"]
    assert boxes_2d([], STILL, CAMERA) == []


@pytest.mark.parametrize(("aside", "expected"), [(0.0, 0.0), (0.3, 0.5), (-0.3, 0.5), (3.0, 1.0)])
def test_props_hide_what_is_behind_them(aside, expected):
    # Half way, and so half as wide, as the car's rear seen from the camera.
    wall = ahead(
        STILL, 11.6, aside + math.copysign(0.15, aside), size=(0.1, 0.9, 3.0), kind="post"
    )
    car = ahead(STILL, 20.0 + CAMERA.forward_m + 2.1, 0.0)
    (label,) = boxes_2d([car, wall], STILL, CAMERA)
    assert label.visible == pytest.approx(expected, abs=0.13)


def test_a_farther_box_hides_nothing():
    boxes = [ahead(STILL, 15.0, 0.0), ahead(STILL, 25.0, 0.0, size=(5.0, 9.0, 9.0), kind="tree")]
    (label,) = boxes_2d(boxes, STILL, CAMERA)
    assert label.visible == 1.0


@pytest.mark.parametrize(
    ("forward", "left", "turn", "expected"),
    [
        (22.1, 0.0, 0.0, 20.0),
        (20.9, 0.0, math.pi / 2, 20.0),
        (22.1 + 3.0, 4.0 + 0.9, 0.0, math.hypot(23.0, 4.0)),
    ],
)
def test_the_distance_is_that_of_the_nearest_point(forward, left, turn, expected):
    box = ahead(LEANING, CAMERA.forward_m + forward, left, turn)
    (label,) = boxes_2d([box], LEANING, CAMERA)
    assert label.distance_m == pytest.approx(expected)


WORLD = make_world(4, 300.0, "day")
S = 8.0  # the road begins straight


@pytest.fixture(scope="module")
def renderer():
    pytest.importorskip("panda3d", reason="the simulator's extra is not installed")
    from edge_pilot.sim.renderer import Renderer

    return Renderer(CAMERA)


def on_the_road(pitch=0.0, roll=0.0):
    x, y, heading = (float(v) for v in WORLD.road.pose(S))
    return replace(STILL, x=x, y=y, heading=heading, pitch=pitch, roll=roll)


def painted(renderer, motion, actor, rest=()):
    """Give where a picture shows an actor's paint (H, W): it changes with its colour alone."""
    views = []
    for colour in ((255, 0, 0), (0, 0, 255)):
        renderer.show(replace(WORLD, props=(), actors=(replace(actor, colour=colour), *rest)))
        views.append(renderer.render(motion, 0.0).astype(int))
    return np.abs(views[0] - views[1]).sum(axis=2) > 40


def car(forward, lateral, size=SIZE):
    return Actor("vehicle", S + forward, lateral, 0.0, size, (0, 255, 0))


@pytest.mark.parametrize(
    ("pitch", "roll"), [(0.0, 0.0), (0.05, 0.0), (-0.03, 0.06), (0.02, -0.08)]
)
@pytest.mark.parametrize(
    "place", [(12.0, 0.0), (25.0, 3.5), (40.0, -4.0), (7.0, 3.5), (9.0, -5.0)]
)
def test_what_is_drawn_of_a_car_fills_its_label_within_2_px(renderer, pitch, roll, place):
    motion, actor = on_the_road(pitch, roll), car(*place)
    world = replace(WORLD, actors=(actor,))
    (label,) = boxes_2d(world.boxes(0.0, S), motion, CAMERA)
    rows, columns = np.nonzero(painted(renderer, motion, actor))
    assert columns.min() == pytest.approx(label.x0, abs=2.0)
    assert columns.max() + 1 == pytest.approx(label.x1, abs=2.0)
    assert label.y0 - 2.0 <= rows.min() < rows.max() + 1 <= label.y1 + 2.0
    # Paint begins 0.22 m above the ground and ends at the roof, which is shorter than the car.
    assert rows.max() - rows.min() > 0.6 * (label.y1 - label.y0)


def test_what_is_drawn_of_a_pedestrian_lies_in_its_label(renderer):
    actor = Actor("pedestrian", S + 8.0, -2.5, 1.2, (0.4, 0.5, 1.8), (0, 0, 0))
    (label,) = boxes_2d(replace(WORLD, actors=(actor,)).boxes(0.0, S), on_the_road(), CAMERA)
    rows, columns = np.nonzero(painted(renderer, on_the_road(), actor))
    assert label.x0 - 2.0 <= columns.min() < columns.max() + 1 <= label.x1 + 2.0
    assert label.y0 < rows.min() < rows.max() < label.y1
    assert columns.max() - columns.min() > 0.6 * (label.x1 - label.x0)


@pytest.mark.parametrize("aside", [-1.2, -0.8, 0.8, 1.2])
def test_the_visible_share_is_that_of_the_drawn_pixels(renderer, aside):
    target, nearer = car(30.0, 0.0), car(15.0, 0.5 * aside, (4.2, 1.2, 1.9))
    motion, world = on_the_road(), replace(WORLD, actors=(target, nearer))
    label, _ = boxes_2d(world.boxes(0.0, S), motion, CAMERA)
    whole = painted(renderer, motion, target).sum()
    seen = painted(renderer, motion, target, rest=(nearer,)).sum()
    assert 0.1 < seen / whole < 0.9
    assert label.visible == pytest.approx(seen / whole, abs=0.12)
