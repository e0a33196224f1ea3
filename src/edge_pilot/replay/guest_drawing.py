"""A picture with what a guest finds in it."""

from __future__ import annotations

import math

import cv2
import numpy as np

from edge_pilot.perception.found import Found
from edge_pilot.types import Image

# Okabe and Ito's colours, which most people can tell apart.
COLOURS = ((230, 159, 0), (86, 180, 233), (0, 158, 115), (240, 228, 66), (0, 114, 178),
           (213, 94, 0), (204, 121, 167))  # fmt: skip
LEAST_PX = 640  # width of what is drawn
STRENGTH = 0.45  # of a class's colour
MOST_SCORES = 5
FONT = cv2.FONT_HERSHEY_SIMPLEX


def draw(image: Image, found: Found) -> Image:
    """Give a picture (H, W, 3) RGB, at least LEAST_PX wide, with all drawn into it."""
    scale = max(1, math.ceil(LEAST_PX / image.shape[1]))
    canvas = np.ascontiguousarray(np.repeat(np.repeat(image, scale, axis=0), scale, axis=1))
    for number, mask in enumerate(found.classes.values()):
        large = np.repeat(np.repeat(mask, scale, axis=0), scale, axis=1)
        tint = np.array(COLOURS[number % len(COLOURS)])
        canvas[large] = ((1.0 - STRENGTH) * canvas[large] + STRENGTH * tint).astype(np.uint8)
    labels = sorted({box.label for box in found.boxes})
    for box in reversed(found.boxes):
        colour = COLOURS[labels.index(box.label) % len(COLOURS)]
        x0, y0, x1, y1 = (round(scale * value) for value in box[2:])
        cv2.rectangle(canvas, (x0, y0), (x1, y1), colour, 2, cv2.LINE_AA)
        _write(canvas, f"{box.label} {box.score:.2f}", (x0 + 2, max(y0 - 4, 12)), colour)
    for row, line in enumerate(_lines(found)):
        _write(canvas, line, (8, 20 + canvas.shape[1] * row // 36), (255, 255, 255))
    if found.steering_rad is not None:
        _arrow(canvas, found.steering_rad)
    return canvas


def _lines(found: Found) -> list[str]:
    best = sorted(found.scores.items(), key=lambda item: -item[1])[:MOST_SCORES]
    lines = [f"{label} {score:.2f}" for label, score in best]
    lines += [f"{label}: {100 * mask.mean():.1f} %" for label, mask in found.classes.items()]
    if found.steering_rad is not None:
        lines.append(f"steering {found.steering_rad:+.3f} rad")
    return lines


def _arrow(canvas: Image, steering_rad: float) -> None:
    height, width = canvas.shape[:2]
    foot = (width // 2, height - 8)
    length = 0.4 * height
    tip = (round(foot[0] - length * math.sin(steering_rad)),
           round(foot[1] - length * math.cos(steering_rad)))  # fmt: skip
    cv2.arrowedLine(canvas, foot, tip, COLOURS[2], 3, cv2.LINE_AA, tipLength=0.15)


def _write(canvas: Image, text: str, at: tuple[int, int], colour: tuple[int, int, int]) -> None:
    size = max(0.5, canvas.shape[1] / 1600)
    cv2.putText(canvas, text, at, FONT, size, (0, 0, 0), 3, cv2.LINE_AA)
    cv2.putText(canvas, text, at, FONT, size, colour, 1, cv2.LINE_AA)
