"""What stands and moves around the car, as marks in its picture.

The colours are of Okabe and Ito, as on the pages; what the car brakes for is vermilion.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

from edge_pilot.config import CameraConfig, ControlConfig, VehicleConfig
from edge_pilot.control.leads import Lead, leads
from edge_pilot.control.longitudinal import accelerate
from edge_pilot.replay import gauges
from edge_pilot.replay.ground import SCALE, SHIFT, Box, on_canvas, project
from edge_pilot.types import UNKNOWN, Detection, EgoState, Image, Obstacle, Path

Plate = tuple[int, int, int, int]  # x0, y0, x1, y1 in whole pixels
Colour = tuple[int, int, int]
COLOURS: dict[str, Colour] = {
    "pedestrian": (230, 159, 0), "vehicle": (86, 180, 233), "cyclist": (204, 121, 167),
    UNKNOWN: (235, 235, 235),
}  # fmt: skip
WARNING: Colour = (213, 94, 0)
SHADE, TRUE = (20, 22, 25), (255, 255, 255)
BRAKES_MPS2 = -0.3  # what is wanted below this is braking
MOVES_MPS = 0.5  # what is slower stands
LONGEST_TTC_S = 9.9  # what takes longer is not said
MIN_RADIUS_M = 0.35  # of a mark on the ground
SLACK_PX = 4.0  # of 320 across, between a thing and its box
LETTERS, SMALL_LETTERS = 0.36, 0.30
CIRCLE = np.linspace(0.0, 2.0 * math.pi, 25)


class Mark(NamedTuple):
    """One thing to draw."""

    kind: str
    place_m: tuple[float, float]  # x, y in base_link
    width_m: float
    box_px: Box | None  # in the picture as the camera took it; None: a mark on the ground
    label: str
    warns: bool = False


def of_obstacles(
    obstacles: Sequence[Obstacle],
    path: Path | None,
    speed_mps: float,
    vehicle: VehicleConfig,
    control: ControlConfig,
    camera: CameraConfig,
) -> list[Mark]:
    """Mark what is tracked, with the distance from the bumper and the speed.

    The time to collision is said of what is in the car's way; what it brakes for warns. A box
    that the thing has left since it was seen last is not shown.
    """
    marks = []
    for one in obstacles:
        found = _leads(one, path, speed_mps, vehicle, control)
        # Walls and bushes are many; their distance matters in the way only.
        is_scenery = one.kind == UNKNOWN and not found
        said = "" if is_scenery else _say(one, vehicle)
        said += _time_left(found[0], speed_mps) if found else ""
        warns = bool(found) and brakes_for(one, path, speed_mps, vehicle, control)
        place, box = (one.x_m, one.y_m), one.box_px
        box = box if box and _is_current(box, place, camera) else None
        marks.append(Mark(one.kind, place, one.width_m, box, said, warns))
    return marks


def of_detections(detections: Sequence[Detection], forward_m: float) -> list[Mark]:
    """Mark what was found in one picture, with score and distance from the camera."""
    return [
        Mark(one.kind, (one.x_m, one.y_m), one.width_m, one.box_px,
             f"{one.kind} {one.score:.2f} {math.hypot(one.x_m - forward_m, one.y_m):.0f} m")
        for one in detections
    ]  # fmt: skip


def brakes_for(
    obstacle: Obstacle,
    path: Path | None,
    speed_mps: float,
    vehicle: VehicleConfig,
    control: ControlConfig,
) -> bool:
    """Whether the car would brake for this thing alone, and would not without it."""
    found = _leads(obstacle, path, speed_mps, vehicle, control)
    if path is None or not found:
        return False
    ego = EgoState(0, speed_mps, 0.0)
    alone, free = (accelerate(path, ego, control, who) for who in (found, ()))
    return alone < min(BRAKES_MPS2, free)


def draw(canvas: Image, marks: Sequence[Mark], camera: CameraConfig) -> None:
    """Draw marks into an enlarged picture, the nearest above the others.

    A label that would cover that of something nearer is left out.
    """
    near_first = sorted(marks, key=lambda one: (not one.warns, math.hypot(*one.place_m)))
    corners = [_draw_mark(canvas, mark, camera) for mark in reversed(near_first)][::-1]
    plates: list[Plate] = []
    for mark, corner in zip(near_first, corners, strict=True):
        if corner is None or not mark.label:
            continue
        plate = _plate(mark, corner, canvas.shape[1])
        if not any(_touch(plate, other) for other in plates):
            _label(canvas, mark, plate)
            plates.append(plate)


def draw_truth(canvas: Image, boxes_px: Sequence[Box]) -> None:
    """Draw thin boxes of what there truly is."""
    for box in boxes_px:
        cv2.rectangle(canvas, *_corners(box), TRUE, 1)


def draw_missed(canvas: Image, boxes_px: Sequence[Box]) -> None:
    """Cross out what there truly is and was not seen."""
    for box in boxes_px:
        first, last = _corners(box)
        cv2.rectangle(canvas, first, last, WARNING, 1)
        cv2.line(canvas, first, last, WARNING, 1, cv2.LINE_AA)
        cv2.line(canvas, (first[0], last[1]), (last[0], first[1]), WARNING, 1, cv2.LINE_AA)


def _is_current(box: Box, place_m: tuple[float, float], camera: CameraConfig) -> bool:
    """Whether a thing is still about where its box is, across the picture."""
    seen = project(np.array([place_m]), camera)
    middle, half = 0.5 * (box[0] + box[2]), 0.5 * (box[2] - box[0])
    return len(seen) > 0 and abs(float(seen[0, 0]) + 0.5 - middle) <= half + SLACK_PX


def _leads(
    obstacle: Obstacle,
    path: Path | None,
    speed_mps: float,
    vehicle: VehicleConfig,
    control: ControlConfig,
) -> tuple[Lead, ...]:
    if path is None or len(path.points_m) < 2:
        return ()
    return leads([obstacle], path, EgoState(0, speed_mps, 0.0), vehicle, control)


def _say(obstacle: Obstacle, vehicle: VehicleConfig) -> str:
    gap = max(obstacle.x_m - (vehicle.length_m - vehicle.rear_overhang_m), 0.0)
    said = f"{math.hypot(gap, obstacle.y_m):.0f} m"
    pace = math.hypot(obstacle.vx_mps, obstacle.vy_mps)
    return said + (f"  {pace:.0f} m/s" if pace >= MOVES_MPS else "")


def _time_left(lead: Lead, speed_mps: float) -> str:
    closing = speed_mps - lead.speed_mps
    if closing <= 0.0 or lead.distance_m > LONGEST_TTC_S * closing:
        return ""
    return f"  in {lead.distance_m / closing:.1f} s"


def _colour(mark: Mark) -> Colour:
    return WARNING if mark.warns else COLOURS[mark.kind]


def _draw_mark(canvas: Image, mark: Mark, camera: CameraConfig) -> tuple[int, int] | None:
    """Draw one without its label; give its upper left corner, or None where it is not seen."""
    if mark.box_px is None:
        return _draw_on_ground(canvas, mark, camera, _colour(mark))
    first, second = _corners(mark.box_px)
    thick = 2 if mark.warns else 1
    cv2.rectangle(canvas, first, second, SHADE, thick + 2)
    cv2.rectangle(canvas, first, second, _colour(mark), thick)
    return first


def _draw_on_ground(
    canvas: Image, mark: Mark, camera: CameraConfig, colour: Colour
) -> tuple[int, int] | None:
    """Draw a ring that lies on the road; None where the camera does not see it."""
    radius = max(0.5 * mark.width_m, MIN_RADIUS_M)
    ring = np.column_stack([np.cos(CIRCLE), np.sin(CIRCLE)]) * radius + mark.place_m
    corners = on_canvas(ring, camera)
    if len(corners) < len(ring):
        return None
    cv2.polylines(canvas, [corners], True, SHADE, 4, cv2.LINE_AA, SHIFT)
    cv2.polylines(canvas, [corners], True, colour, 2, cv2.LINE_AA, SHIFT)
    left, top = corners.min(axis=0) >> SHIFT
    height, width = canvas.shape[:2]
    return (int(left), int(top)) if 0 <= left < width and 0 <= top < height else None


def _corners(box: Box) -> tuple[tuple[int, int], tuple[int, int]]:
    """Give the first and the last pixel of a box in the enlarged picture."""
    x0, y0, x1, y1 = (round(float(np.clip(SCALE * value, -1e4, 1e4))) for value in box)
    return (x0, y0), (x1 - 1, y1 - 1)


def _plate(mark: Mark, corner: tuple[int, int], columns: int) -> Plate:
    """Give where a label goes: above a corner, or below where there is no room."""
    width = gauges.text_width(mark.label, _letters(mark), gauges.PLAIN) + 4
    height = 12 if mark.warns else 10
    x = max(min(corner[0], columns - width), 0)
    y = corner[1] - height - 2 if corner[1] > height + 2 else corner[1] + 2
    return x, max(y, 0), x + width, max(y, 0) + height


def _label(canvas: Image, mark: Mark, plate: Plate) -> None:
    x0, y0, x1, y1 = plate
    under = canvas[y0:y1, x0:x1]
    shaded = (0.35 * under + 0.65 * np.array(SHADE)).astype(np.uint8)
    under[:] = WARNING if mark.warns else shaded
    colour = SHADE if mark.warns else _colour(mark)
    gauges.text(canvas, mark.label, (x0 + 2, y1 - 2), colour, _letters(mark))


def _letters(mark: Mark) -> float:
    return LETTERS if mark.warns else SMALL_LETTERS


def _touch(a: Plate, b: Plate) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
