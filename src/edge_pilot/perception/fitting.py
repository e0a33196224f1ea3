"""From a picture to a guest's input, and from its pixels back to the picture's."""

from __future__ import annotations

from typing import NamedTuple, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_pilot.guest_card import GuestInput
from edge_pilot.types import Floats, Image, Tensor


class Fit(NamedTuple):
    """Where the input's pixels lie in the picture: x = left + u / across."""

    left: float
    top: float
    across: float  # pixels of the input for one of the picture
    down: float
    picture: tuple[int, int]  # its height and width

    def boxes(self, boxes: Floats) -> Floats:
        """Turn boxes (N, 4) x0 y0 x1 y1 of the input into the picture's, cut at its edges."""
        height, width = self.picture
        scale = np.array([self.across, self.down, self.across, self.down])
        moved = np.array([self.left, self.top, self.left, self.top]) + boxes / scale
        result: Floats = np.clip(moved, 0.0, [width, height, width, height])
        return result

    def mask(self, classes: NDArray[np.uint8], spec: GuestInput) -> NDArray[np.uint8]:
        """Turn a map of classes (h, w), of any resolution, into the picture's (H, W)."""
        height, width = self.picture
        scale = classes.shape[1] / spec.width_px, classes.shape[0] / spec.height_px
        x = ((np.arange(width) + 0.5 - self.left) * self.across * scale[0]).astype(np.int64)
        y = ((np.arange(height) + 0.5 - self.top) * self.down * scale[1]).astype(np.int64)
        seen_x, seen_y = (x >= 0) & (x < classes.shape[1]), (y >= 0) & (y < classes.shape[0])
        out = np.zeros((height, width), np.uint8)
        rows, columns = np.flatnonzero(seen_y), np.flatnonzero(seen_x)
        out[np.ix_(rows, columns)] = classes[np.ix_(y[rows], x[columns])]
        return out


def fit(image: Image, spec: GuestInput) -> tuple[Tensor, Fit]:
    """Give the tensor for a picture (H, W, 3) RGB, shaped as the card says, and how it fits."""
    height, width = image.shape[:2]
    x0, y0 = round(spec.region[0] * width), round(spec.region[1] * height)
    x1 = max(round(spec.region[2] * width), x0 + 1)
    y1 = max(round(spec.region[3] * height), y0 + 1)
    part = image[y0:y1, x0:x1]
    sized, left, top, across, down = RESIZERS[spec.resize](np.ascontiguousarray(part), spec)
    place = Fit(x0 + left, y0 + top, across, down, (height, width))
    return _tensor(sized, spec), place


def _tensor(sized: Image, spec: GuestInput) -> Tensor:
    if spec.colour == "GREY":
        sized = np.asarray(cv2.cvtColor(sized, cv2.COLOR_RGB2GRAY), np.uint8)[..., None]
    elif spec.colour == "BGR":
        sized = sized[..., ::-1]
    mean, std = (np.array(v[: spec.channels], np.float32) for v in (spec.mean, spec.std))
    values = (sized.astype(np.float32) / np.float32(spec.scale) - mean) / std  # (h, w, C)
    if spec.layout == "NCHW":
        values = values.transpose(2, 0, 1)
    return np.ascontiguousarray(values[None], np.float32)


def _plain(part: Image, spec: GuestInput) -> tuple[Image, float, float, float, float]:
    height, width = part.shape[:2]
    sized = _resized(part, spec.width_px, spec.height_px)
    return sized, 0.0, 0.0, spec.width_px / width, spec.height_px / height


def _letterbox(part: Image, spec: GuestInput) -> tuple[Image, float, float, float, float]:
    height, width = part.shape[:2]
    scale = min(spec.width_px / width, spec.height_px / height)
    w, h = max(round(width * scale), 1), max(round(height * scale), 1)
    x = (spec.width_px - w) // 2 if spec.align == "centre" else 0
    y = (spec.height_px - h) // 2 if spec.align == "centre" else 0
    out = np.full((spec.height_px, spec.width_px, 3), spec.pad, np.uint8)
    out[y : y + h, x : x + w] = _resized(part, w, h)
    across, down = w / width, h / height
    return out, -x / across, -y / down, across, down


def _crop(part: Image, spec: GuestInput) -> tuple[Image, float, float, float, float]:
    """Cut the middle of the input's shape."""
    height, width = part.shape[:2]
    scale = max(spec.width_px / width, spec.height_px / height)
    w, h = min(round(spec.width_px / scale), width), min(round(spec.height_px / scale), height)
    x, y = (width - w) // 2, (height - h) // 2
    sized = _resized(part[y : y + h, x : x + w], spec.width_px, spec.height_px)
    return sized, float(x), float(y), spec.width_px / w, spec.height_px / h


def _resized(part: Image, width: int, height: int) -> Image:
    # What these networks were trained with, as a rule.
    return cast("Image", cv2.resize(part, (width, height), interpolation=cv2.INTER_LINEAR))


RESIZERS = {"plain": _plain, "letterbox": _letterbox, "crop": _crop}
