"""Whether steering has the side that is said: what the picture and the gyro say of the same turn.

Where the car turns left, the scene moves to the right in the picture, a moment later, and the
yaw rate is positive: v * tan(steering) / wheelbase.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

import cv2
import numpy as np

from edge_pilot.types import Floats, Image

WIDTH_PX, HEIGHT_PX = 160, 60
TOP, BOTTOM = 0.2, 0.6  # rows of the picture that are looked at: what is far, as a rule
MAX_STEP_S = 0.3  # between two pictures that are compared
LEAST_RESPONSE = 0.03  # of the correlation peak; below, the pictures have nothing in common
LAGS_S = tuple(0.05 * i for i in range(9))
LEAST_CORRELATION = 0.3
LEAST_PAIRS = 60
LEAST_SPEED_MPS = 0.3
WHEELBASES_M = (0.05, 12.0)  # of toy and lorry


class Series(Protocol):
    """Values with their stamps."""

    at: list[float]
    values: list[float]

    def before(self, moments: Floats, lag_s: float = 0.0) -> Floats:
        """Give the newest value before each moment less the lag; NaN where there is none."""
        ...


class Findings(NamedTuple):
    """What was compared, and what does not fit."""

    notes: tuple[str, ...]
    warnings: tuple[str, ...]
    lag_s: float | None  # of the picture behind the steering; None: they do not go together


class Shift:
    """How far pictures move sideways, from one to the next."""

    def __init__(self) -> None:
        self._before: tuple[float, Floats] | None = None
        self._window = cv2.createHanningWindow((WIDTH_PX, HEIGHT_PX), cv2.CV_64F)

    def update(self, at: float, image: Image) -> float:
        """Give the shift to the right [widths of the picture] since the one before, or NaN."""
        height = len(image)
        band = image[int(TOP * height) : max(int(BOTTOM * height), 1)]
        small = cv2.resize(
            np.ascontiguousarray(band[..., 1]), (WIDTH_PX, HEIGHT_PX), interpolation=cv2.INTER_AREA
        ).astype(np.float64)
        before, self._before = self._before, (at, small)
        if before is None or not 0.0 < at - before[0] <= MAX_STEP_S:
            return float("nan")
        (across, _), response = cv2.phaseCorrelate(before[1], small, self._window)
        return float(across) / WIDTH_PX if response >= LEAST_RESPONSE else float("nan")


def check(shift: Series, turn: Series, steering: Series, speed: Series) -> Findings:
    """Compare steering with the shift of pictures and with the yaw rate."""
    notes, warnings = [], []
    lag_s, picture = _best(shift, steering, speed)
    if picture is not None:
        notes.append(f"pictures follow the steering by {lag_s:.2f} s, correlation {picture:+.2f}")
        if picture < -LEAST_CORRELATION:
            warnings.append(_wrong("the pictures move", picture))
    _, gyro = _best(turn, steering, speed)
    if gyro is not None:
        notes.append(f"the yaw rate goes with the steering, correlation {gyro:+.2f}")
        if gyro < -LEAST_CORRELATION:
            warnings.append(_wrong("the gyro turns", gyro))
        elif gyro > LEAST_CORRELATION and (fault := _unit_fault(turn, steering, speed)):
            warnings.append(fault)
    sound = picture is not None and picture > LEAST_CORRELATION
    return Findings(tuple(notes), tuple(warnings), lag_s if sound else None)


def _wrong(what: str, correlation: float) -> str:
    return (
        f"expected steering that is positive to the left, but {what} the other way (correlation "
        f"{correlation:+.2f}): is the right side positive (--steering-scale ...,right)?"
    )


def _unit_fault(turn: Series, steering: Series, speed: Series) -> str:
    """Say where the steering would need an impossible wheelbase to turn the car as it does."""
    moments = np.array(turn.at)
    pace, angle = speed.before(moments), steering.before(moments)
    drive, rate = pace * np.tan(angle), np.array(turn.values)
    known = np.isfinite(drive) & (np.abs(pace) > LEAST_SPEED_MPS)
    if known.sum() < LEAST_PAIRS:
        return ""
    wheelbase_m = float((drive[known] ** 2).sum() / max((drive[known] * rate[known]).sum(), 1e-9))
    if WHEELBASES_M[0] <= wheelbase_m <= WHEELBASES_M[1]:
        return ""
    return (
        f"expected a steering angle that turns a car, got one that fits a wheelbase of "
        f"{wheelbase_m:.3g} m: is its unit right (--steering-scale)?"
    )


def _best(effect: Series, steering: Series, speed: Series) -> tuple[float, float | None]:
    """Give the lag with the strongest correlation, and that; None: there is too little."""
    moments, felt = np.array(effect.at), np.array(effect.values)
    pace = speed.before(moments)
    pace = np.where(np.isfinite(pace), pace, 1.0) if speed.at else np.ones(len(moments))
    best: tuple[float, float | None] = (0.0, None)
    for lag_s in LAGS_S:
        cause = steering.before(moments, lag_s) * pace
        known = np.isfinite(cause) & np.isfinite(felt)
        if known.sum() < LEAST_PAIRS or np.ptp(cause[known]) == 0 or np.ptp(felt[known]) == 0:
            continue
        found = float(np.corrcoef(cause[known], felt[known])[0, 1])
        if best[1] is None or abs(found) > abs(best[1]):
            best = lag_s, found
    return best
