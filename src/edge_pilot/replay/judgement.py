"""How well a steering fits a human's: in figures with intervals, by scene, at its worst."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_pilot.replay import baselines
from edge_pilot.replay.agreement import TURN_RAD, compare
from edge_pilot.types import NANOSECONDS, Floats

BLOCK_S = 10.0  # neighbours in time are not independent; blocks nearly are
FOLDS = 5  # of the ridge: each part of the log is predicted from the others
RESAMPLES = 400
LEVEL = 0.95
DISAGREE_RAD = 0.05
MAX_STEP_S = 0.5  # between frames whose change counts
WORST, WORST_APART_S = 6, 3.0
DARK = 60.0  # mean of a picture's pixels
FAST_MPS = 8.0
HIGHER_IS_BETTER = ("correlation", "sign_accuracy")
FIGURES = (
    "mae_rad", "curvature_mae_1pm", "correlation", "sign_accuracy", "disagreement",
    "rate_rms_radps", "jerk_rms_radps2", "ade_m",
)  # fmt: skip

Rows = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Track:
    """What was driven, frame by frame; NaN where it is not known."""

    stamp_ns: Rows  # (N,)
    human_rad: Floats  # (N,)
    speed_mps: Floats  # (N,)
    brightness: Floats  # (N,) 0 to 255
    path_m: Floats  # (N, P) where the human went, at distances along the path
    wheelbase_m: float


@dataclass(frozen=True, eq=False)
class Proposal:
    """What one driver would have done."""

    steering_rad: Floats  # (N,)
    path_m: Floats | None = None  # (N, P)


def figures(track: Track, own: Proposal, rows: Rows) -> dict[str, float | None]:
    """Give the figures over some frames where the human's steering is known."""
    steering, human = own.steering_rad[rows], track.human_rad[rows]
    found = compare(steering, human)
    rate, jerk = _roughness(track.stamp_ns[rows], steering)
    bend = np.abs(np.tan(steering) - np.tan(human)) / track.wheelbase_m
    return {
        "mae_rad": found.mae_rad,
        "curvature_mae_1pm": float(bend.mean()),
        "correlation": found.correlation,
        "sign_accuracy": found.sign_accuracy,
        "disagreement": float((np.abs(steering - human) > DISAGREE_RAD).mean()),
        "rate_rms_radps": rate,
        "jerk_rms_radps2": jerk,
        "ade_m": _displacement(track, own, rows),
    }


def with_intervals(track: Track, own: Proposal, rows: Rows, seed: int = 0) -> dict[str, Any]:
    """Give each figure with its interval [low, high], resampled by blocks of time.

    The moving parts are whole blocks (Künsch, "The jackknife and the bootstrap for general
    stationary observations", 1989); None where there are fewer than two.
    """
    value = figures(track, own, rows)
    blocks = _blocks(track.stamp_ns[rows], rows)
    if len(blocks) < 2:
        return {name: {"value": v, "interval": None} for name, v in value.items()}
    rng = np.random.default_rng(seed)
    drawn: dict[str, list[float]] = {name: [] for name in value}
    for _ in range(RESAMPLES):
        chosen = rng.integers(0, len(blocks), len(blocks))
        sample = figures(track, own, np.concatenate([blocks[i] for i in chosen]))
        for name, one in sample.items():
            if one is not None:
                drawn[name].append(one)
    edges = [50.0 * (1.0 - LEVEL), 50.0 * (1.0 + LEVEL)]
    return {
        name: {
            "value": v,
            "interval": np.percentile(drawn[name], edges).tolist() if drawn[name] else None,
        }
        for name, v in value.items()
    }


def scenes(track: Track, rows: Rows) -> dict[str, Rows]:
    """Sort frames by what the human did and by the light; a frame may be in several."""
    human, speed = track.human_rad[rows], track.speed_mps[rows]
    dark = track.brightness[rows] < DARK
    found = {
        "straight": np.abs(human) <= TURN_RAD,
        "left bend": human > TURN_RAD,
        "right bend": human < -TURN_RAD,
        "dark": dark,
        "slow": speed < FAST_MPS,
        "fast": speed >= FAST_MPS,
    }
    return {name: rows[flags] for name, flags in found.items() if flags.any()}


def worst(track: Track, own: Proposal, rows: Rows) -> list[int]:
    """Give the frames of the largest differences, some seconds apart, the worst first."""
    miss = np.abs(own.steering_rad[rows] - track.human_rad[rows])
    chosen: list[int] = []
    for row in rows[np.argsort(-miss, kind="stable")]:
        apart = (abs(int(track.stamp_ns[row]) - int(track.stamp_ns[other])) for other in chosen)
        if all(ns > WORST_APART_S * NANOSECONDS for ns in apart):
            chosen.append(int(row))
        if len(chosen) == WORST:
            break
    return chosen


def ridge(track: Track, grey: Floats, rows: Rows) -> Proposal:
    """Predict each part of the log by a ridge that was fitted to the others."""
    steering = np.zeros(len(track.stamp_ns))
    for part in np.array_split(rows, FOLDS):
        others = np.setdiff1d(rows, part)
        if len(part) and len(others):
            steering[part] = baselines.fit(grey[others], track.human_rad[others])(grey[part])
    return Proposal(steering)


def shortfalls(found: Mapping[str, Mapping[str, Any]], floors: Mapping[str, float]) -> list[str]:
    """Say which figures are not good enough."""
    said = []
    for name, floor in floors.items():
        value = found[name]["value"]
        is_high = name in HIGHER_IS_BETTER
        if value is None or (value < floor if is_high else value > floor):
            side = "at least" if is_high else "at most"
            got = "nothing" if value is None else f"{value:.4g}"
            said.append(f"expected {name} of {side} {floor:g}, got {got}")
    return said


def _displacement(track: Track, own: Proposal, rows: Rows) -> float | None:
    """Give the mean distance of the paths where the human's is known and the car moved."""
    if own.path_m is None:
        return None
    moves = np.isfinite(track.speed_mps[rows])
    apart = np.abs(own.path_m[rows] - track.path_m[rows])[moves]
    known = apart[np.isfinite(apart)]
    return float(known.mean()) if known.size else None


def _roughness(stamp_ns: Rows, steering: Floats) -> tuple[float | None, float | None]:
    """Give the root mean square of rate and of its change, within parts without gaps."""
    step_s = np.diff(stamp_ns) / NANOSECONDS
    good = (step_s > 0.0) & (step_s <= MAX_STEP_S)
    rate = np.where(good, np.diff(steering) / np.where(good, step_s, 1.0), np.nan)
    change = np.diff(rate) / np.where(good[1:], step_s[1:], 1.0)
    return _rms(rate), _rms(change)


def _rms(values: Floats) -> float | None:
    known = values[np.isfinite(values)]
    return float(np.sqrt(np.mean(known**2))) if known.size else None


def _blocks(stamp_ns: Rows, rows: Rows) -> list[Rows]:
    number = ((stamp_ns - stamp_ns[0]) // round(BLOCK_S * NANOSECONDS)).astype(np.int64)
    return [rows[number == one] for one in np.unique(number)]


Drivers = Mapping[str, Proposal]
Table = dict[str, dict[str, Any]]


def table(track: Track, drivers: Drivers, rows: Rows) -> Table:
    """Give the figures of each driver."""
    return {name: with_intervals(track, own, rows) for name, own in drivers.items()}


def by_scene(track: Track, own: Proposal, rows: Rows) -> Table:
    """Give the figures of one driver, scene by scene, with the number of frames."""
    return {
        name: {"frames": len(some), **figures(track, own, some)}
        for name, some in scenes(track, rows).items()
    }
