"""What a driver would want to read: steering, lateral offset, speed, state."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np

from edge_pilot.replay.ground import SHIFT
from edge_pilot.types import Command, Image

WHITE, SOFT, DIM, GREEN = (255, 255, 255), (214, 220, 224), (150, 158, 164), (60, 226, 170)
PLAIN, BOLD = cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_DUPLEX
SCRIM = 0.72  # how much the shade behind the gauges hides at the lower edge
STEERING_RATIO = 15.0  # of the drawn steering wheel to the road wheel, as in many cars
OFFSET_SCALE_M, OFFSET_SCALE_PX = 1.0, 64  # half the scale
WHEEL_PX = 21  # radius


def draw(
    canvas: Image,
    prediction: Mapping[str, float],
    command: Command | None,
    caption: Sequence[str],
) -> None:
    """Draw the gauges along the lower edge and the caption at the upper left of (H, W, 3)."""
    height, width = canvas.shape[:2]
    _shade(canvas[-76:], np.linspace(0.0, SCRIM, 76))
    if caption:
        _shade(canvas[: 16 + 18 * len(caption)], np.linspace(0.55, 0.0, 16 + 18 * len(caption)))
    for row, line in enumerate(caption):
        text(canvas, line, (16, 22 + 18 * row), WHITE if row == 0 else SOFT, 0.42)
    _steering(canvas, (16 + WHEEL_PX, height - 34), command)
    if "lane_offset_m" in prediction:
        _offset(canvas, (width // 2, height - 24), prediction["lane_offset_m"])
    if "speed_mps" in prediction:
        _speed(canvas, (width - 16, height - 18), prediction["speed_mps"])


def _steering(canvas: Image, centre: tuple[int, int], command: Command | None) -> None:
    """Show the commanded angle as a steering wheel and as a number."""
    angle = command.steering_rad if command else 0.0
    colour = WHITE if command else DIM
    turn = -STEERING_RATIO * angle  # on the screen, clockwise is positive
    cv2.circle(canvas, centre, WHEEL_PX, colour, 3, cv2.LINE_AA)
    for spoke in (0.0, 0.5 * math.pi, math.pi):
        rim = (centre[0] + (WHEEL_PX - 1) * math.cos(turn + spoke),
               centre[1] + (WHEEL_PX - 1) * math.sin(turn + spoke))  # fmt: skip
        cv2.line(canvas, fixed(centre), fixed(rim), colour, 2, cv2.LINE_AA, SHIFT)
    cv2.circle(canvas, centre, 5, colour, -1, cv2.LINE_AA)
    at = (centre[0] + WHEEL_PX + 12, centre[1])
    text(canvas, "steering", (at[0], at[1] - 4), DIM, 0.36)
    said = _sided(math.degrees(angle), "deg", 1) if command else "no command"
    text(canvas, said, (at[0], at[1] + 14), colour, 0.46)


def _offset(canvas: Image, centre: tuple[int, int], offset_m: float) -> None:
    """Show where the car believes to be across its lane, on a scale of 1 m to each side."""
    x, y = centre
    half = OFFSET_SCALE_PX
    cv2.line(canvas, (x - half, y), (x + half, y), DIM, 1, cv2.LINE_AA)
    for tick, size in ((-half, 4), (-half // 2, 2), (0, 5), (half // 2, 2), (half, 4)):
        cv2.line(canvas, (x + tick, y - size), (x + tick, y + size), SOFT, 1, cv2.LINE_AA)
    at = x - half * max(-1.0, min(1.0, offset_m / OFFSET_SCALE_M))  # the car's left is ours
    cv2.circle(canvas, fixed((at, y)), 5 << SHIFT, GREEN, -1, cv2.LINE_AA, SHIFT)
    text(canvas, "1 m", (x - half - 8, y + 4), DIM, 0.34, anchor=1.0)
    text(canvas, "1 m", (x + half + 8, y + 4), DIM, 0.34)
    where = f"{_sided(offset_m, 'm', 2)} of" if abs(offset_m) >= 0.005 else "in"
    text(canvas, f"{where} the lane's centre", (x, y - 14), WHITE, 0.42, anchor=0.5)


def _speed(canvas: Image, corner: tuple[int, int], speed_mps: float) -> None:
    x, y = corner
    text(canvas, f"{3.6 * speed_mps:.0f} km/h", (x, y), SOFT, 0.40, anchor=1.0)
    unit = text_width("m/s", 0.42, PLAIN)
    text(canvas, "m/s", (x, y - 18), SOFT, 0.42, anchor=1.0)
    text(canvas, f"{speed_mps:.1f}", (x - unit - 6, y - 18), WHITE, 0.85, BOLD, anchor=1.0)


def _sided(value: float, unit: str, digits: int) -> str:
    """Say a signed value with its side; positive is left."""
    said = f"{abs(value):.{digits}f}"
    side = "" if float(said) == 0.0 else " left" if value > 0.0 else " right"
    return f"{said} {unit}{side}"


def text(
    canvas: Image, line: str, at: tuple[int, int], colour: tuple[int, int, int], size: float,
    font: int = PLAIN, anchor: float = 0.0,
) -> None:  # fmt: skip
    """Write; `anchor` is the share of the text that lies left of `at`."""
    corner = (at[0] - round(anchor * text_width(line, size, font)), at[1])
    cv2.putText(canvas, line, corner, font, size, colour, 1, cv2.LINE_AA)


def text_width(line: str, size: float, font: int) -> int:
    """Give how many pixels a text is wide."""
    return int(cv2.getTextSize(line, font, size, 1)[0][0])


def _shade(part: Image, share: Any) -> None:
    """Darken rows, each by its share."""
    part[:] = (part * (1.0 - np.asarray(share, np.float32))[:, None, None]).astype(np.uint8)


def fixed(point: tuple[float, float]) -> tuple[int, int]:
    """Give a pixel with OpenCV's fixed point."""
    return round(point[0] * 2**SHIFT), round(point[1] * 2**SHIFT)
