"""How well a picture was taken: numbers that the safety process judges.

They are measured on the network's view, where a defect matters. Whether a picture is mirrored or
its colours have changed places is told from the picture before: two pictures of a camera that
drives look alike, unless something between the lens and here has changed.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from edge_pilot.types import Floats, Image

SMALL = (40, 14)  # columns and rows of what two pictures are compared by
DARK, BRIGHT = 8, 247  # grey levels; beyond, a pixel says nothing
USUAL_LEVEL = 80.0  # grey levels, of a picture that is exposed well
LIKE = 0.6  # so much better it must fit when it is turned round
DIFFERENT = 2.0  # grey levels; what fits better than this is the same picture


class PictureHealth(NamedTuple):
    """Of one picture; the names are those of the scalars that the pilot publishes."""

    image_dark: float  # share of pixels that are black
    image_bright: float  # share of pixels that are white
    image_level: float  # mean brightness, 1 is usual
    image_sharpness: float  # power of the smallest details, as a share of the picture's contrast
    image_change: float  # grey levels, mean difference to the picture before
    image_swapped: float  # 1: red and blue have changed places since the first picture
    image_mirrored: float  # 1: left and right have


class PictureCheck:
    """Measures one picture after the other."""

    def __init__(self) -> None:
        self._before: Image | None = None
        self._small: Floats | None = None
        self._swapped = self._mirrored = False

    def measure(self, view: Image) -> PictureHealth:
        """Measure a picture (H, W, 3) RGB, as the network sees it."""
        view = np.ascontiguousarray(view)
        grey = cv2.cvtColor(view, cv2.COLOR_RGB2GRAY)
        small = cv2.resize(view, SMALL, interpolation=cv2.INTER_AREA).astype(np.float64)
        change = 255.0
        if self._before is not None:
            change = cv2.norm(view, self._before, cv2.NORM_L1) / view.size
        if self._small is not None:
            self._compare(small, self._small)
        self._before, self._small = view.copy(), small  # whose memory may be used again
        contrast = float(np.var(grey)) + 1.0
        details = float(cv2.Laplacian(grey, cv2.CV_32F, ksize=1).var())
        return PictureHealth(
            image_dark=float(np.mean(grey < DARK)),
            image_bright=float(np.mean(grey > BRIGHT)),
            image_level=float(np.mean(grey)) / USUAL_LEVEL,
            image_sharpness=details / contrast,
            image_change=change,
            image_swapped=float(self._swapped),
            image_mirrored=float(self._mirrored),
        )

    def _compare(self, small: Floats, before: Floats) -> None:
        """Look whether the picture fits better to the one before when that is turned round."""
        same = _apart(small, before)
        self._swapped ^= _fits(_apart(small, before[..., ::-1]), same)
        self._mirrored ^= _fits(_apart(small, before[:, ::-1]), same)


def _apart(one: Floats, other: Floats) -> float:
    return float(np.mean(np.abs(one - other)))


def _fits(turned: float, same: float) -> bool:
    return same > DIFFERENT and turned < LIKE * same
