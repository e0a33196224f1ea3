"""How far one steering is from another."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from edge_pilot.types import Floats

TURN_RAD = 0.02  # of steering; below, its sign says nothing


class Agreement(NamedTuple):
    """A steering compared with the human's, over frames."""

    frames: int
    mae_rad: float  # NaN: there is no frame
    correlation: float | None  # None: one of them never changes
    turns: int  # frames where the human steered beyond TURN_RAD
    sign_errors: int  # of these to the other side

    @property
    def sign_accuracy(self) -> float | None:
        """The share of turns to the right side; None: there was none."""
        return 1.0 - self.sign_errors / self.turns if self.turns else None


def compare(own: Floats, human: Floats, turn_rad: float = TURN_RAD) -> Agreement:
    """Compare two steerings (N,) [rad]."""
    turns = np.abs(human) > turn_rad
    return Agreement(
        frames=len(own),
        mae_rad=float(np.abs(own - human).mean()) if len(own) else math.nan,
        correlation=correlation(own, human),
        turns=int(turns.sum()),
        sign_errors=int((own[turns] * human[turns] < 0).sum()),
    )


def correlation(a: Floats, b: Floats) -> float | None:
    """Give Pearson's correlation, or None where one never changes."""
    if len(a) < 2 or np.ptp(a) == 0 or np.ptp(b) == 0:
        return None
    return float(np.corrcoef(a, b)[0, 1])
