"""A recorded picture with the human's steering and another's."""

from __future__ import annotations

import math

import cv2
import numpy as np

from edge_pilot.types import Image

WIDTH_PX = 480
HUMAN, MODEL = (255, 255, 255), (230, 159, 0)
GAIN = 4.0  # arrows turn by more than the wheel, so that one sees it
FONT = cv2.FONT_HERSHEY_SIMPLEX


def draw(image: Image, human_rad: float, own_rad: float, caption: str) -> Image:
    """Give a picture (H, WIDTH_PX, 3) RGB with two arrows; NaN draws none."""
    height, width = image.shape[:2]
    size = (WIDTH_PX, 2 * round(WIDTH_PX * height / width / 2))  # even, as videos want it
    canvas = np.asarray(cv2.resize(np.ascontiguousarray(image), size), np.uint8)
    for angle, colour, thickness in ((human_rad, HUMAN, 5), (own_rad, MODEL, 2)):
        if math.isfinite(angle):
            _arrow(canvas, GAIN * angle, colour, thickness)
    cv2.putText(canvas, caption, (8, 18), FONT, 0.45, (0, 0, 0), 3, cv2.LINE_AA)
    cv2.putText(canvas, caption, (8, 18), FONT, 0.45, HUMAN, 1, cv2.LINE_AA)
    return canvas


def _arrow(canvas: Image, angle: float, colour: tuple[int, int, int], thickness: int) -> None:
    height, width = canvas.shape[:2]
    foot, length = (width // 2, height - 6), 0.35 * height
    tip = (
        round(foot[0] - length * math.sin(angle)),
        round(foot[1] - length * math.cos(angle)),
    )
    cv2.arrowedLine(canvas, foot, tip, (0, 0, 0), thickness + 3, cv2.LINE_AA, tipLength=0.12)
    cv2.arrowedLine(canvas, foot, tip, colour, thickness, cv2.LINE_AA, tipLength=0.12)
