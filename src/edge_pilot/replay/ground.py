"""Where points on the ground are in the picture of a camera, and in the drawing made of it."""

from __future__ import annotations

from typing import cast

import numpy as np

from edge_pilot.card import CameraModel
from edge_pilot.config import CameraConfig
from edge_pilot.types import Floats, Image

SCALE = 2  # of the drawing against the camera's picture
SHIFT = 4  # bits behind the point of OpenCV's pixels
NEAR_M = 0.5  # in front of the camera; what is nearer is cut off
Box = tuple[float, float, float, float]  # x0, y0, x1, y1


def project(points_m: Floats, camera: CameraConfig) -> Floats:
    """Give the pixels (M, 2) of a line on the ground, given by points (N, 2) of base_link.

    Whole numbers are the centres of pixels. What is less than NEAR_M in front of the camera is
    cut off, with a new point where the line crosses that plane.
    """
    cos, sin = np.cos(camera.pitch_rad), np.sin(camera.pitch_rad)
    ahead = points_m[:, 0] - camera.forward_m
    depth = ahead * cos + camera.height_m * sin
    down = camera.height_m * cos - ahead * sin
    seen = _cut(np.column_stack([-points_m[:, 1], down, depth]))
    middle = 0.5 * (np.array([camera.width_px, camera.height_px]) - 1.0)
    return middle + camera.focal_px * seen[:, :2] / seen[:, 2:]


def on_canvas(points_m: Floats, camera: CameraConfig) -> Image:
    """Project to the enlarged picture, in OpenCV's fixed-point pixels (M, 2)."""
    pixels = (project(points_m, camera) + 0.5) * SCALE - 0.5
    return cast("Image", np.rint(np.clip(pixels, -1e4, 1e4) * 2**SHIFT).astype(np.int32))


def seen_by(box_px: Box, own: CameraModel, shown: CameraModel) -> Box:
    """Give where a box of one camera's picture is in another's, without its distortion.

    Boxes count from the outer corner of the picture, optical centres from its first pixel's
    middle.
    """
    x0, y0, x1, y1 = box_px
    across, down = shown.fx_px / own.fx_px, shown.fy_px / own.fy_px
    left, right = (across * (x - own.cx_px - 0.5) + shown.cx_px + 0.5 for x in (x0, x1))
    top, bottom = (down * (y - own.cy_px - 0.5) + shown.cy_px + 0.5 for y in (y0, y1))
    return left, top, right, bottom


def _cut(line: Floats) -> Floats:
    """Keep what of a line (N, 3) of camera coordinates is beyond NEAR_M, with its new ends."""
    over = line[:, 2] - NEAR_M
    is_seen = over >= 0.0
    last = np.flatnonzero(is_seen[1:] != is_seen[:-1])  # the points before each crossing
    share = over[last] / (over[last] - over[last + 1])
    crossings = line[last] + share[:, None] * (line[last + 1] - line[last])
    kept = np.insert(is_seen, last + 1, True)
    return np.insert(line, last + 1, crossings, axis=0)[kept]
