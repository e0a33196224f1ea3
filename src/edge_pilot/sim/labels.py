"""What a detector should find in a picture: boxes around vehicles and people."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from edge_pilot.config import CameraConfig
from edge_pilot.sim.sensors import corners, hit_distance, rotation, table
from edge_pilot.sim.sight import facing
from edge_pilot.sim.vehicle import Motion
from edge_pilot.sim.world import Box
from edge_pilot.types import KINDS, Floats

NEAR = 0.5  # m, the renderer's near plane
GRID = 8  # rays a side to judge what is hidden
EDGES = np.array([(0, 1), (1, 2), (2, 3), (3, 0), (4, 5), (5, 6), (6, 7), (7, 4), (0, 4), (1, 5),
                  (2, 6), (3, 7)])  # of a box, between its corners  # fmt: skip


@dataclass(frozen=True, slots=True)
class Label:
    """One object in a picture; (0, 0) is the outer corner of the first pixel, x to the right."""

    kind: str
    x0: float  # pixels, cut at the picture's edges
    y0: float
    x1: float
    y1: float
    distance_m: float  # level, from the camera to the nearest side
    ahead_m: float  # of the camera, along the car: the middle of the side that faces the car
    left_m: float
    width_m: float  # of that side, across the line of sight
    visible: float  # share, of what is in the picture, that nothing nearer hides


def boxes_2d(boxes: Sequence[Box], motion: Motion, camera: CameraConfig) -> list[Label]:
    """Label everything of `KINDS` in the picture, what is hidden too.

    A label surrounds the projected box, so it may be some pixels wider than what is drawn in it.
    All `boxes` hide others; a tree counts as a full box.
    """
    if not boxes:
        return []
    places = table(boxes)
    eye, axes = pose(motion, camera)
    points = (corners(places) - eye) @ axes  # (B, 8, 3) forward, left, up of the camera
    labels = []
    for i, box in enumerate(boxes):
        rectangle = _rectangle(points[i], camera) if box.kind in KINDS else None
        if rectangle is not None:
            rays = axes @ _rays(rectangle, camera)
            x, y, width = facing(box, motion)
            labels.append(
                Label(
                    box.kind,
                    *rectangle,
                    distance_m=_distance(eye, box),
                    ahead_m=x - camera.forward_m,
                    left_m=y,
                    width_m=width,
                    visible=_visible(i, eye, rays, places),
                )
            )
    return labels


def pose(motion: Motion, camera: CameraConfig) -> tuple[Floats, Floats]:
    """Give where the renderer's camera is (3,), and its axes as columns (3, 3)."""
    cos, sin = math.cos(motion.heading), math.sin(motion.heading)
    eye = np.array([
        motion.x + camera.forward_m * cos,
        motion.y + camera.forward_m * sin,
        camera.height_m - motion.pitch * camera.forward_m,
    ])  # fmt: skip
    return eye, rotation(motion.heading, camera.pitch_rad + motion.pitch, motion.roll)


def _rectangle(points: Floats, camera: CameraConfig) -> tuple[float, float, float, float] | None:
    """Give x0, y0, x1, y1 around a box by its corners (8, 3), None outside the picture."""
    shown = _clipped(points)
    if not len(shown):
        return None
    size = np.array([camera.width_px, camera.height_px], np.float64)
    pixels = 0.5 * size - camera.focal_px * shown[:, 1:] / shown[:, :1]
    outline: Floats = cv2.convexHull(pixels.astype(np.float32))[:, 0].astype(np.float64)
    for axis in (0, 1):
        outline = _cut(outline, outline[:, axis])
        outline = _cut(outline, size[axis] - outline[:, axis])
    if not len(outline):
        return None
    (x0, y0), (x1, y1) = outline.min(axis=0).tolist(), outline.max(axis=0).tolist()
    return (x0, y0, x1, y1) if x0 < x1 and y0 < y1 else None


def _clipped(points: Floats) -> Floats:
    """Give the corners (N, 3) of what lies beyond the near plane."""
    beyond = points[:, 0] >= NEAR
    start, end = points[EDGES[:, 0]], points[EDGES[:, 1]]
    cut = beyond[EDGES[:, 0]] != beyond[EDGES[:, 1]]
    start, end = start[cut], end[cut]
    share = (NEAR - start[:, :1]) / (end[:, :1] - start[:, :1])
    return np.concatenate([points[beyond], start + share * (end - start)])


def _cut(outline: Floats, inside: Floats) -> Floats:
    """Cut a polygon (N, 2) off along a line that its corners are `inside` of by so much (N,).

    Sutherland and Hodgman, CACM 17(1), 1974.
    """
    keep, change = inside >= 0.0, np.roll(inside, -1) - inside
    crosses = keep != np.roll(keep, -1)
    share = -inside[crosses] / change[crosses]
    step = np.roll(outline, -1, axis=0) - outline
    met = outline[crosses] + share[:, None] * step[crosses]
    order = np.concatenate([2 * np.flatnonzero(keep), 2 * np.flatnonzero(crosses) + 1])
    return np.concatenate([outline[keep], met])[np.argsort(order)]


def _rays(rectangle: tuple[float, float, float, float], camera: CameraConfig) -> Floats:
    """Give directions (3, GRID^2) in the camera's axes, spread over a rectangle."""
    x0, y0, x1, y1 = rectangle
    at = (np.arange(GRID) + 0.5) / GRID
    x, y = (grid.ravel() for grid in np.meshgrid(x0 + at * (x1 - x0), y0 + at * (y1 - y0)))
    left = (0.5 * camera.width_px - x) / camera.focal_px
    up = (0.5 * camera.height_px - y) / camera.focal_px
    return np.stack([np.ones_like(left), left, up])


def _visible(index: int, eye: Floats, rays: Floats, places: Floats) -> float:
    distance = hit_distance(eye, rays[:, None, :], places[:, :, None])  # (B, GRID^2)
    own = distance[index]
    hit = np.isfinite(own)
    others = np.delete(distance, index, axis=0).min(axis=0, initial=np.inf)
    return float((others >= own)[hit].mean()) if hit.any() else 0.0


def _distance(eye: Floats, box: Box) -> float:
    """Give the distance in the plane to the nearest point of a box."""
    cos, sin = math.cos(box.heading), math.sin(box.heading)
    dx, dy = float(eye[0]) - box.x, float(eye[1]) - box.y
    aside = (
        max(0.0, abs(cos * dx + sin * dy) - 0.5 * box.size[0]),
        max(0.0, abs(cos * dy - sin * dx) - 0.5 * box.size[1]),
    )
    return math.hypot(*aside)
