"""What a model has to be better than: always straight on, and a ridge regression on grey pixels.

The ridge sees 40x14 grey values; Hoerl and Kennard, "Ridge regression", Technometrics 1970.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_pilot.types import Floats, Image

WIDTH_PX, HEIGHT_PX = 40, 14
PENALTY = 10.0


@dataclass(frozen=True, eq=False)
class Ridge:
    """A linear model of pixels."""

    weights: Floats
    mean: Floats
    offset: float

    def __call__(self, pixels: Floats) -> Floats:
        """Predict (N,) from `grey` pixels (N, 560)."""
        predicted: Floats = (pixels - self.mean) @ self.weights + self.offset
        return predicted


def grey(image: Image) -> Floats:
    """Give 40x14 grey values 0 to 1 of a picture (H, W, 3) RGB, row by row (560,)."""
    small = cv2.resize(
        np.ascontiguousarray(image), (WIDTH_PX, HEIGHT_PX), interpolation=cv2.INTER_AREA
    )
    values: NDArray[np.uint8] = np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), np.uint8)
    return values.reshape(-1) / 255.0


def fit(pixels: Floats, wanted: Floats) -> Ridge:
    """Fit to `wanted` (N,) from pixels (N, 560)."""
    mean, offset = pixels.mean(axis=0), float(wanted.mean())
    centred = pixels - mean
    square = centred.T @ centred + PENALTY * np.eye(centred.shape[1])
    return Ridge(np.linalg.solve(square, centred.T @ (wanted - offset)), mean, offset)
