import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_pilot.config import CameraConfig
from edge_pilot.sim.labels import boxes_2d
from edge_pilot.sim.vehicle import Motion
from edge_pilot.sim.world import Actor, Box, make_world

CAMERA = CameraConfig()
STILL = Motion(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, (0.0, 0.0), 0.0, 0.0)
LEANING = replace(STILL, x=30.0, y=-20.0, heading=2.1, pitch=0.03, roll=-0.04)
SIZE = (4.2, 1.8, 1.5)


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


places = {
    "motion": st.sampled_from([STILL, LEANING]),
    "forward": st.floats(-10.0, 60.0),
    "left": st.floats(-25.0, 25.0),
    "turn": st.floats(-3.2, 3.2),
    "size": st.tuples(st.floats(0.3, 9.0), st.floats(0.3, 9.0), st.floats(0.5, 9.0)),
}


@settings(max_examples=150, deadline=None)
@given(**places)
def test_a_label_encloses_tightly_every_ray_that_meets_the_box(motion, size, **place):
    box = ahead(motion, size=size, **place)
    columns, rows = np.nonzero(is_met(box, motion).T)
    labels = boxes_2d([box], motion, CAMERA)
    if len(rows):
        (label,) = labels
        found = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
        # A corner that is thinner than a pixel lies between the rays.
        np.testing.assert_allclose((label.x0, label.y0, label.x1, label.y1), found, atol=3.0)


def is_met(box, motion):
    """March along the ray of each pixel (H, W), and say where it comes to lie in the box."""
    v, u = np.mgrid[0 : CAMERA.height_px, 0 : CAMERA.width_px] + 0.5
    right, down = (u - 160.0) / CAMERA.focal_px, (v - 90.0) / CAMERA.focal_px
    right, down = turned(right, down, -motion.roll)
    pitch = CAMERA.pitch_rad + motion.pitch
    forward, down = turned(1.0, down, pitch)
    height = CAMERA.height_m - motion.pitch * CAMERA.forward_m
    along, aside = box_axes(box, motion)
    reach = np.linspace(0.5, 90.0, 1200)[:, None, None]
    return inside(box, reach * forward, -reach * right, height - reach * down, along, aside)


def turned(first, second, angle):
    cos, sin = math.cos(angle), math.sin(angle)
    return cos * first - sin * second, cos * second + sin * first
