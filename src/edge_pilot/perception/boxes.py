"""From a centre heat map to detections, and how good a set of boxes is.

A thing is a peak in the heat map of its kind (CenterNet: Zhou et al., "Objects as Points", 2019);
the box and the distance are read at the peak.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_pilot.card import ModelCard
from edge_pilot.types import Detection, Tensor

MIN_SCORE = 0.4
BESIDE_RAD = math.radians(20.0)
MAX_DETECTIONS = 32
SAME_IOU = 0.5  # two boxes of any kinds that overlap more are one thing
EDGE_PX = 3.0  # of the picture: a box that ends there may go on
BORDER = np.ones((3, 3), np.uint8)
Box = tuple[float, float, float, float]  # x0, y0, x1, y1
Index = NDArray[np.intp]


def find(
    heat: Tensor, box: Tensor, card: ModelCard, forward_m: float, min_score: float = MIN_SCORE
) -> tuple[Detection, ...]:
    """Decode the heat map (K, h, w) and the boxes (7, h, w) of one picture, best first.

    Boxes are in pixels of the picture of `card.input.camera`.
    """
    kinds, rows, columns = _peaks(heat, min_score)
    scores = heat[kinds, rows, columns]
    stride = card.input.height_px / heat.shape[1]
    values = box[:, rows, columns].astype(np.float64)  # (7, N)
    x = (columns + 0.5) * stride + values[0]
    y = (rows + 0.5) * stride + values[1]
    found: list[Detection] = []
    for i in np.argsort(-scores, kind="stable"):
        if not np.isfinite(values[:, i]).all():
            continue
        pixels = in_picture(
            float(x[i]), float(y[i]), float(values[2, i]), float(values[3, i]), card
        )
        if all(overlap(pixels, other.box_px or pixels) < SAME_IOU for other in found):
            kind = card.kinds[int(kinds[i])]
            ahead, aside, width = values[4:, i].tolist()
            place = (forward_m + ahead, ahead * slope(pixels, card) + aside, max(width, 0.0))
            found.append(Detection(kind, float(scores[i]), *place, pixels))
        if len(found) == MAX_DETECTIONS:
            break
    return tuple(found)


def is_beside(one: Detection, card: ModelCard) -> bool:
    """Tell whether a thing is cut by a side of the picture, and not in front of the camera.

    Only a part of it is seen then, so that its place is not known well.
    """
    if one.box_px is None:
        return False
    x0, _, x1, _ = one.box_px
    is_cut = x0 < EDGE_PX or x1 > card.input.camera.width_px - EDGE_PX
    return is_cut and abs(math.atan(slope(one.box_px, card))) > BESIDE_RAD


def overlap(a: Box, b: Box) -> float:
    """Give intersection over union."""
    wide = min(a[2], b[2]) - max(a[0], b[0])
    high = min(a[3], b[3]) - max(a[1], b[1])
    if wide <= 0.0 or high <= 0.0:
        return 0.0
    both = wide * high
    return both / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both)


def _peaks(heat: Tensor, min_score: float) -> tuple[Index, Index, Index]:
    """Give kind, row and column (N,) of the cells that no neighbour exceeds, best first."""
    around = np.stack([cv2.dilate(plane, BORDER) for plane in heat.astype(np.float32)])
    kinds, rows, columns = np.nonzero((heat >= around) & (heat >= min_score))
    best = np.argsort(-heat[kinds, rows, columns], kind="stable")[: 2 * MAX_DETECTIONS]
    return kinds[best], rows[best], columns[best]


def in_picture(x: float, y: float, width: float, height: float, card: ModelCard) -> Box:
    """Turn a box of the network's input into one of its camera's picture."""
    spec = card.input
    across = spec.camera.width_px / spec.width_px
    down = (spec.crop_bottom_px - spec.crop_top_px) / spec.height_px
    return (
        (x - 0.5 * width) * across,
        (y - 0.5 * height) * down + spec.crop_top_px,
        (x + 0.5 * width) * across,
        (y + 0.5 * height) * down + spec.crop_top_px,
    )


def slope(pixels: Box, card: ModelCard) -> float:
    """Give metres to the left for each metre ahead, of the ray through the middle of a box."""
    camera = card.input.camera
    # Pixel coordinates of boxes count from the outer corner, those of cx from its middle.
    return (camera.cx_px + 0.5 - 0.5 * (pixels[0] + pixels[2])) / camera.fx_px
