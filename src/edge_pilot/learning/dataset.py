"""What a recorded drive teaches: labels from the human's steering, and which rows are for what.

Rows are split in blocks of time, never at random: neighbours in time are all but equal, and a
network that has seen one knows the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_pilot.preprocess import MAX_GAP_NS, at_age
from edge_pilot.types import NANOSECONDS, Floats, Image

Rows = NDArray[np.int64]
GUARD_S = 2.0  # between rows to learn from and rows to judge by
MIN_SPEED_MPS = 0.5  # below, the way ahead is taken for an arc
SMOOTHED_OVER = 3.0  # deviations of the bell


@dataclass(frozen=True, eq=False)
class Drive:
    """One recorded drive, a row for each picture, by stamp."""

    image: Image  # (N, h, w, 3) crops as the network sees them; may lie on disk
    stamp_ns: Rows  # (N,)
    steering_rad: Floats  # (N,) the human's, positive left; NaN: not known
    speed_mps: Floats  # (N,) NaN: not known
    state: NDArray[np.float32]  # (N, S)
    is_bad: NDArray[np.bool_]  # (N,) standing, reversing and the like: not for learning


class Pictures:
    """The pictures of several drives as one array (N, h, w, 3), of which rows are taken."""

    def __init__(self, parts: Sequence[Image]) -> None:
        self._parts = parts
        self._starts = np.cumsum([0, *(len(part) for part in parts)])
        self.shape = (int(self._starts[-1]), *parts[0].shape[1:])

    def __len__(self) -> int:
        return int(self.shape[0])

    def __getitem__(self, rows: Rows) -> Image:
        out = np.empty((len(rows), *self.shape[1:]), np.uint8)
        owner = np.searchsorted(self._starts, rows, side="right") - 1
        for number, part in enumerate(self._parts):
            own = owner == number
            if own.any():
                out[own] = part[rows[own] - self._starts[number]]
        return out


@dataclass(frozen=True, eq=False)
class Split:
    """Rows by what they are for."""

    train: Rows
    validate: Rows
    test: Rows


def stretches(stamp_ns: Rows) -> list[Rows]:
    """Give the rows of each part without gaps."""
    edges = np.flatnonzero((np.diff(stamp_ns) > MAX_GAP_NS) | (np.diff(stamp_ns) <= 0)) + 1
    return np.split(np.arange(len(stamp_ns)), edges)


def split(drive: Drive, test: float = 0.2, validate: float = 0.1) -> Split:
    """Withhold the last part of each long stretch: later laps of the same road.

    Short stretches are all learned from. Rows without a label are nobody's, bad ones are only
    judged by.
    """
    parts: dict[str, list[Rows]] = {"train": [], "validate": [], "test": []}
    known = np.isfinite(drive.steering_rad)
    least_s = 2.0 * GUARD_S / max(test * validate, 1e-6)
    for rows in stretches(drive.stamp_ns):
        at_s = (drive.stamp_ns[rows] - drive.stamp_ns[rows[0]]) / NANOSECONDS
        length_s = float(at_s[-1])
        if length_s < least_s and length_s < 0.5 * _longest_s(drive):
            parts["train"].append(rows[known[rows] & ~drive.is_bad[rows]])
            continue
        first, second = (1.0 - test - validate) * length_s, (1.0 - test) * length_s
        guard_s = min(GUARD_S, 0.05 * length_s)
        good = known[rows] & ~drive.is_bad[rows]
        parts["train"].append(rows[good & (at_s < first - guard_s)])
        parts["validate"].append(rows[good & (first <= at_s) & (at_s < second - guard_s)])
        parts["test"].append(rows[good & (second <= at_s)])
    return Split(**{name: np.concatenate(rows or [_NONE]) for name, rows in parts.items()})


def labels(
    drive: Drive, wheelbase_m: float, distances_m: Sequence[float], smooth_s: float, lag_s: float
) -> dict[str, NDArray[np.float32]]:
    """Give the labels of `learning.losses` that a human's steering holds.

    The car is taken to drive where it should. The path is where it went, where the speed is
    known, else the arc of its steering.

    Args:
        drive: the drive.
        wheelbase_m: of its car.
        distances_m: of the path's points (P,).
        smooth_s: deviation of the bell that steering is averaged with.
        lag_s: so much later is the steering that belongs to a picture.

    Returns:
        `path` (N, P), `curvature`, `lane_offset` and `heading_error` (N, 1); NaN: not known.
    """
    count, distances = len(drive.stamp_ns), np.asarray(distances_m)
    curvature, path = np.full(count, np.nan), np.full((count, len(distances)), np.nan)
    for rows in stretches(drive.stamp_ns):
        at_s = (drive.stamp_ns[rows] - drive.stamp_ns[rows[0]]) / NANOSECONDS
        steering = smoothed(at_s, drive.steering_rad[rows], smooth_s, lag_s)
        bend = np.tan(steering) / wheelbase_m
        curvature[rows] = bend
        path[rows] = _arcs(bend, distances)
        _drive_on(path, rows, at_s, bend, drive.speed_mps[rows], distances)
    zero = np.where(np.isfinite(curvature), 0.0, np.nan)
    named = {"path": path, "curvature": curvature, "lane_offset": zero, "heading_error": zero}
    return {name: _as_label(values) for name, values in named.items()}


def smoothed(at_s: Floats, values: Floats, smooth_s: float, lag_s: float = 0.0) -> Floats:
    """Average with a bell in time around each moment plus the lag; NaN stays unknown."""
    known = np.isfinite(values)
    if not known.any():
        return values
    if smooth_s <= 0.0:
        moved = np.interp(at_s + lag_s, at_s[known], values[known])
        return np.where(known, moved, np.nan)
    result = np.full(len(values), np.nan)
    times, given = at_s[known], values[known]
    for i in np.flatnonzero(known):
        middle = at_s[i] + lag_s
        reach = SMOOTHED_OVER * smooth_s + 1e-6  # both ends, whatever the rounding
        low, high = np.searchsorted(times, [middle - reach, middle + reach])
        if high > low:
            weight = np.exp(-0.5 * ((times[low:high] - middle) / smooth_s) ** 2)
            result[i] = weight @ given[low:high] / weight.sum()
        else:
            result[i] = values[i]
    return result


def past_rows(stamp_ns: Rows, history_s: Sequence[float]) -> Rows:
    """Give the row of each earlier picture (N, P), chosen as the car chooses it."""
    past = np.empty((len(stamp_ns), len(history_s)), np.int64)
    for rows in stretches(stamp_ns):
        stamps = stamp_ns[rows].tolist()
        for column, age_s in enumerate(history_s):
            age_ns = round(age_s * NANOSECONDS)
            past[rows, column] = [rows[at_age(stamps, now - age_ns)] for now in stamps]
    return past


def _longest_s(drive: Drive) -> float:
    spans = (
        drive.stamp_ns[rows[-1]] - drive.stamp_ns[rows[0]] for rows in stretches(drive.stamp_ns)
    )
    return max(float(span) / NANOSECONDS for span in spans)


def _arcs(curvature: Floats, distances: Floats) -> Floats:
    """Give the lateral offset (N, P) at distances along an arc."""
    turned = curvature[:, None] * distances
    # (1 - cos a) / a, which is a / 2 for a small one
    small = np.abs(turned) < 1e-4
    safe = np.where(small, 1.0, turned)
    share = np.where(small, 0.5 * turned, (1.0 - np.cos(safe)) / safe)
    return share * distances


def _drive_on(
    path: Floats, rows: Rows, at_s: Floats, bend: Floats, speed: Floats, distances: Floats
) -> None:
    """Replace arcs by where the car went, for rows that know their speed up to the last point."""
    if not np.isfinite(speed).any() or len(rows) < 2:
        return
    pace = np.nan_to_num(speed)
    moved = _between(pace) * np.diff(at_s, prepend=at_s[0])  # m since the row before
    way = np.cumsum(moved)
    heading = np.cumsum(_between(np.nan_to_num(bend)) * moved)
    # The mean heading of a step is that of its chord.
    north = np.cumsum(np.cos(_between(heading)) * moved)
    west = np.cumsum(np.sin(_between(heading)) * moved)
    for i in np.flatnonzero(np.isfinite(bend) & (pace > MIN_SPEED_MPS)):
        at = way[i] + distances
        reached = at <= way[-1]
        x = np.interp(at, way[i:], north[i:]) - north[i]
        y = np.interp(at, way[i:], west[i:]) - west[i]
        aside = y * np.cos(heading[i]) - x * np.sin(heading[i])
        path[rows[i]] = np.where(reached, aside, path[rows[i]])


def _between(values: Floats) -> Floats:
    """Give the mean of each value and the one before; the first is its own."""
    result: Floats = 0.5 * (values + np.concatenate([values[:1], values[:-1]]))
    return result


def _as_label(values: Floats) -> NDArray[np.float32]:
    return values.reshape(len(values), -1).astype(np.float32)


_NONE: Rows = np.zeros(0, np.int64)
