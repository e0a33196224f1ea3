"""What the car thinks, drawn into what it sees."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import cv2
import numpy as np

from edge_pilot.config import CameraConfig
from edge_pilot.types import Command, Floats, Image, Path

SCALE = 2
NEAREST_M = 0.5  # before the camera: what is nearer is not drawn
HALF_WIDTH_M = 0.8  # of the corridor: the car's own
GREEN, WHITE, DARK, AMBER = (0, 200, 120), (255, 255, 255), (25, 25, 30), (255, 180, 40)
FONT = cv2.FONT_HERSHEY_SIMPLEX


def project(points_m: Floats, camera: CameraConfig) -> tuple[Floats, np.ndarray]:
    """Give the pixels (N, 2) of points of the ground (N, 2) in base_link, and which are ahead.

    A pinhole at `camera.height_m`, turned down by `camera.pitch_rad`.
    """
    ahead = points_m[:, 0] - camera.forward_m
    cos, sin = math.cos(camera.pitch_rad), math.sin(camera.pitch_rad)
    depth = ahead * cos + camera.height_m * sin
    down = camera.height_m * cos - ahead * sin
    seen = depth > NEAREST_M
    safe = np.where(seen, depth, 1.0)
    u = 0.5 * camera.width_px - camera.focal_px * points_m[:, 1] / safe
    v = 0.5 * camera.height_px + camera.focal_px * down / safe
    return np.column_stack([u, v]), seen


def draw(
    image: Image,
    path: Path | None,
    prediction: Mapping[str, float],
    command: Command | None,
    camera: CameraConfig,
    captions: Sequence[str] = (),
) -> Image:
    """Give the picture (2 H, 2 W, 3) RGB with the corridor, a gauge and captions."""
    size = (SCALE * image.shape[1], SCALE * image.shape[0])
    picture = cv2.resize(image, size, interpolation=cv2.INTER_CUBIC)
    if path is not None:
        picture = _corridor(picture, path, camera)
    if command is not None:
        _gauge(picture, command)
    for row, text in enumerate(captions):
        _write(picture, text, (12, 24 + 20 * row))
    return np.asarray(picture, np.uint8)


def _corridor(picture: Image, path: Path, camera: CameraConfig) -> Image:
    points = _dense(path.points_m)
    step = np.gradient(points, axis=0)
    normal = np.column_stack([-step[:, 1], step[:, 0]])
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-6)
    left, seen = project(points + HALF_WIDTH_M * normal, camera)
    right, _ = project(points - HALF_WIDTH_M * normal, camera)
    middle, _ = project(points, camera)
    outline = np.concatenate([left[seen], right[seen][::-1]])
    layer = picture.copy()
    cv2.fillPoly(layer, [_pixels(outline)], GREEN, cv2.LINE_AA, 4)
    picture = np.asarray(cv2.addWeighted(layer, 0.35, picture, 0.65, 0.0), np.uint8)
    for line, thickness in ((left, 2), (right, 2), (middle, 1)):
        cv2.polylines(picture, [_pixels(line[seen])], False, GREEN, thickness, cv2.LINE_AA, 4)
    return picture


def _dense(points_m: Floats) -> Floats:
    """Put points every half metre along a path."""
    length = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(points_m, axis=0).T))])
    at = np.arange(0.0, length[-1], 0.5)
    return np.column_stack([np.interp(at, length, points_m[:, i]) for i in (0, 1)])


def _pixels(points: Floats) -> np.ndarray:
    """Give pixels of the scaled picture with 4 fractional bits, as OpenCV draws them."""
    limited = np.clip(points * SCALE, -2000.0, 4000.0)
    return np.round(limited * 16.0).astype(np.int32)


def _gauge(picture: Image, command: Command) -> None:
    """Draw steering as a wheel, acceleration as a bar, at the lower edge."""
    height, width = picture.shape[:2]
    centre, radius = (width - 52, height - 50), 30
    cv2.circle(picture, centre, radius, DARK, 8, cv2.LINE_AA)
    cv2.circle(picture, centre, radius, WHITE, 3, cv2.LINE_AA)
    # A steering wheel turns about 15 times as far as the road wheels.
    turn = -15.0 * command.steering_rad
    for spoke in (0.0, math.pi, 0.5 * math.pi):
        x, y = math.cos(turn + spoke), math.sin(turn + spoke)
        end = (round(centre[0] + radius * x), round(centre[1] + radius * y))
        cv2.line(picture, centre, end, WHITE, 3, cv2.LINE_AA)
    base, full = (width - 104, height - 50), 30
    top = base[1] - round(full * float(np.clip(command.acceleration_mps2 / 3.0, -1.0, 1.0)))
    cv2.line(picture, (base[0], base[1] - full), (base[0], base[1] + full), DARK, 10)
    cv2.line(picture, base, (base[0], top), GREEN if top <= base[1] else AMBER, 6)


def _write(picture: Image, text: str, at: tuple[int, int]) -> None:
    cv2.putText(picture, text, at, FONT, 0.5, DARK, 4, cv2.LINE_AA)
    cv2.putText(picture, text, at, FONT, 0.5, WHITE, 1, cv2.LINE_AA)
