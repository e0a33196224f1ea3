"""Draws into a picture what the car made of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

import cv2
import numpy as np

from edge_pilot.config import CameraConfig, ControlConfig, VehicleConfig
from edge_pilot.replay import gauges, marks
from edge_pilot.replay.ground import SCALE, SHIFT, on_canvas
from edge_pilot.replay.marks import Mark
from edge_pilot.types import Command, Floats, Image, Obstacle, Path

CAR, CONTROL = VehicleConfig(), ControlConfig()  # where nothing else is said
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
    vehicle: VehicleConfig = CAR,
    obstacles: Sequence[Obstacle] = (),
    control: ControlConfig = CONTROL,
) -> Image:
    """Draw path, obstacles, steering, speed and offset into an enlarged copy of a picture.

    The edge of the pale band beside the corridor is one standard deviation `path_std_m` of the
    prediction away at the path's far end, and proportionally less before.

    Args:
        image: (H, W, 3) RGB as the camera took it.
        path: where the car means to drive, or None.
        prediction: named scalars of `pilot/prediction`; what it lacks is not drawn.
        command: what the vehicle was told, or None.
        camera: which camera took the picture.
        caption: lines of text for the upper left corner.
        vehicle: the car.
        obstacles: what is around the car, with boxes in pixels of `image`.
        control: how it follows and brakes.

    Returns:
        (SCALE H, SCALE W, 3) RGB.
    """
    speed_mps = prediction.get("speed_mps", 0.0)
    marked = marks.of_obstacles(obstacles, path, speed_mps, vehicle, control, camera)
    std_m = prediction.get("path_std_m", 0.0)
    canvas = sketch(image, path, std_m, marked, camera, vehicle.width_m)
    gauges.draw(canvas, prediction, command, caption)
    return canvas


def sketch(
    image: Image,
    path: Path | None,
    path_std_m: float,
    marked: Sequence[Mark],
    camera: CameraConfig,
    width_m: float = CAR.width_m,
) -> Image:
    """Draw path and marks only; see `draw`."""
    canvas = cast("Image", cv2.resize(image, None, fx=SCALE, fy=SCALE,
                                      interpolation=cv2.INTER_CUBIC))  # fmt: skip
    if path is not None and len(path.points_m) > 1 and np.isfinite(path.points_m).all():
        _draw_path(canvas, path.points_m, path_std_m, width_m, camera)
    marks.draw(canvas, marked, camera)
    return canvas


def _draw_path(
    canvas: Image, points_m: Floats, std_m: float, width_m: float, camera: CameraConfig
) -> None:
    line, left = _smooth(points_m)
    half, spread = 0.5 * width_m, std_m * np.linspace(0.0, 1.0, len(line))[:, None]
    edges = [on_canvas(line + side * half * left, camera) for side in (1.0, -1.0)]
    outer = [on_canvas(line + side * (half + spread) * left, camera) for side in (1.0, -1.0)]
    if min(map(len, edges + outer)) < 2:
        return  # all of it is behind the camera
    corridor = _filled(canvas, *edges)
    if std_m > 0.0:
        band = cv2.subtract(_filled(canvas, *outer), corridor)
        _tint(canvas, cast("Image", band), PALE_GREEN, SPREAD)
    _tint(canvas, corridor, GREEN, CORRIDOR)
    _tint(canvas, _stroked(canvas, edges), PALE_GREEN, EDGE)
    _tint(canvas, _stroked(canvas, [on_canvas(line, camera)]), WHITE, CENTRE)


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
