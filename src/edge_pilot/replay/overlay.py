"""Draws into a picture what the car made of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

import cv2
import numpy as np

from edge_pilot.config import CameraConfig, VehicleConfig
from edge_pilot.replay import gauges
from edge_pilot.replay.gauges import SHIFT
from edge_pilot.types import Command, Floats, Image, Path

SCALE = 2  # of the drawing against the camera's picture
WIDTH_M = VehicleConfig().width_m  # of the corridor where nothing else is said
NEAR_M = 0.5  # in front of the camera; what is nearer is cut off
SAME_M = 1e-3  # points nearer to one another are one
STEP_M = 0.5  # between the corners of what is drawn
GREEN, PALE_GREEN, WHITE = (0, 196, 132), (150, 240, 205), (255, 255, 255)
CORRIDOR, SPREAD, EDGE, CENTRE = 0.42, 0.20, 0.85, 0.70  # how much they hide
FAR_SHARE = 0.35  # of that at the far end of the path


def draw(
    image: Image,
    path: Path | None,
    prediction: Mapping[str, float],
    command: Command | None,
    camera: CameraConfig,
    caption: Sequence[str] = (),
    width_m: float = WIDTH_M,
) -> Image:
    """Draw path, steering, speed and lateral offset into an enlarged copy of a picture.

    The edge of the pale band beside the corridor is one standard deviation `path_std_m` of the
    prediction away at the path's far end, and proportionally less before.

    Args:
        image: (H, W, 3) RGB as the camera took it.
        path: where the car means to drive, or None.
        prediction: named scalars of `pilot/prediction`; what it lacks is not drawn.
        command: what the vehicle was told, or None.
        camera: which camera took the picture.
        caption: lines of text for the upper left corner.
        width_m: the car's.

    Returns:
        (SCALE H, SCALE W, 3) RGB.
    """
    canvas = cast("Image", cv2.resize(image, None, fx=SCALE, fy=SCALE,
                                      interpolation=cv2.INTER_CUBIC))  # fmt: skip
    if path is not None and len(path.points_m) > 1:
        _draw_path(canvas, path.points_m, prediction.get("path_std_m", 0.0), width_m, camera)
    gauges.draw(canvas, prediction, command, caption)
    return canvas


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


def _cut(line: Floats) -> Floats:
    """Keep what of a line (N, 3) of camera coordinates is beyond NEAR_M, with its new ends."""
    over = line[:, 2] - NEAR_M
    is_seen = over >= 0.0
    last = np.flatnonzero(is_seen[1:] != is_seen[:-1])  # the points before each crossing
    share = over[last] / (over[last] - over[last + 1])
    crossings = line[last] + share[:, None] * (line[last + 1] - line[last])
    kept = np.insert(is_seen, last + 1, True)
    return np.insert(line, last + 1, crossings, axis=0)[kept]


def _draw_path(
    canvas: Image, points_m: Floats, std_m: float, width_m: float, camera: CameraConfig
) -> None:
    line, left = _smooth(points_m)
    half, spread = 0.5 * width_m, std_m * np.linspace(0.0, 1.0, len(line))[:, None]
    edges = [_on_canvas(line + side * half * left, camera) for side in (1.0, -1.0)]
    outer = [_on_canvas(line + side * (half + spread) * left, camera) for side in (1.0, -1.0)]
    if min(map(len, edges + outer)) < 2:
        return  # all of it is behind the camera
    corridor = _filled(canvas, *edges)
    if std_m > 0.0:
        band = cv2.subtract(_filled(canvas, *outer), corridor)
        _tint(canvas, cast("Image", band), PALE_GREEN, SPREAD)
    _tint(canvas, corridor, GREEN, CORRIDOR)
    _tint(canvas, _stroked(canvas, edges), PALE_GREEN, EDGE)
    _tint(canvas, _stroked(canvas, [_on_canvas(line, camera)]), WHITE, CENTRE)


def _smooth(points_m: Floats) -> tuple[Floats, Floats]:
    """Give a line (M, 2) through points, STEP_M apart, and its normals to the left.

    Cubic Hermite pieces, so that a bend does not look like a polygon.
    """
    steps = np.concatenate([[0.0], np.hypot(*np.diff(points_m, axis=0).T)])
    is_new = np.append(True, steps[1:] > SAME_M)
    points_m, along = points_m[is_new], steps.cumsum()[is_new]
    if len(along) < 2:
        return np.zeros((0, 2)), np.zeros((0, 2))
    tangents = np.gradient(points_m, along, axis=0)
    at = np.arange(0.0, along[-1], STEP_M)
    i = np.searchsorted(along, at, side="right") - 1
    length = np.diff(along)[i, None]
    t = (at - along[i])[:, None] / length
    line = (
        (1.0 + 2.0 * t) * (1.0 - t) ** 2 * points_m[i]
        + t * (1.0 - t) ** 2 * length * tangents[i]
        + t**2 * (3.0 - 2.0 * t) * points_m[i + 1]
        + t**2 * (t - 1.0) * length * tangents[i + 1]
    )
    slope = np.gradient(line, axis=0) if len(line) > 1 else np.zeros_like(line)
    normals = np.column_stack([-slope[:, 1], slope[:, 0]])
    return line, normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-9)


def _on_canvas(points_m: Floats, camera: CameraConfig) -> Image:
    """Project to the enlarged picture, in OpenCV's fixed-point pixels (M, 2)."""
    pixels = (project(points_m, camera) + 0.5) * SCALE - 0.5
    return cast("Image", np.rint(np.clip(pixels, -1e4, 1e4) * 2**SHIFT).astype(np.int32))


def _filled(canvas: Image, left: Image, right: Image) -> Image:
    """Give the coverage (H, W) of the area between two lines."""
    mask = np.zeros(canvas.shape[:2], np.uint8)
    corners = np.concatenate([left, right[::-1]])
    cv2.fillPoly(mask, [corners], 255, cv2.LINE_AA, SHIFT)
    return mask


def _stroked(canvas: Image, lines: Sequence[Image]) -> Image:
    """Give the coverage (H, W) of thin lines."""
    mask = np.zeros(canvas.shape[:2], np.uint8)
    cv2.polylines(mask, list(lines), False, 255, 1, cv2.LINE_AA, SHIFT)
    return mask


def _tint(canvas: Image, mask: Image, colour: tuple[int, int, int], strength: float) -> None:
    """Blend a colour in, weaker towards the upper end of the mask: the distance."""
    covered = np.flatnonzero(mask)
    if not covered.size:
        return
    rows = covered // mask.shape[1]
    fade = np.interp(rows, (rows[0], rows[-1]), (FAR_SHARE, 1.0))
    share = (fade * mask.ravel()[covered] * (strength / 255.0)).astype(np.float32)
    pixels = canvas.reshape(-1, 3)
    under = pixels[covered].astype(np.float32)
    under += share[:, None] * (np.array(colour, np.float32) - under)
    pixels[covered] = np.rint(under)
