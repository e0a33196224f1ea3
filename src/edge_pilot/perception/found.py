"""What guests find in a picture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Box2d(NamedTuple):
    """A thing, in pixels of the picture."""

    label: str
    score: float
    x0: float
    y0: float
    x1: float
    y1: float


@dataclass(frozen=True, eq=False)
class Found:
    """What one guest says about one picture; what it does not tell is empty."""

    boxes: tuple[Box2d, ...] = ()  # best first
    classes: Mapping[str, NDArray[np.bool_]] = field(default_factory=dict)  # (H, W) by label
    scores: Mapping[str, float] = field(default_factory=dict)  # by label
    steering_rad: float | None = None  # at the road wheel, positive left
