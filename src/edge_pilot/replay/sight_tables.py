"""The tables of `edge_pilot perceive`, as words for the terminal and for the page."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np

from edge_pilot.perception.quality import DISTANCES_M
from edge_pilot.replay import sights
from edge_pilot.replay.sights import Sights
from edge_pilot.types import KINDS

MISSING = "\N{EN DASH}"
BINS = [f"{near:g}-{far:g} m" for near, far in pairwise(DISTANCES_M)]
KIND_HEADS = ("", "there", "AP@0.5", *BINS, "distance error", "bias")
LANE_HEADS = ("", "pictures", "path at 10 m", "p95", "at 20 m", "p95", "at 40 m", "p95",
              "offset", "heading", "curvature")  # fmt: skip
PATH_AT_M = (10.0, 20.0, 40.0)
Rows = list[tuple[str, ...]]


def kind_rows(groups: Mapping[str, Sights]) -> Rows:
    """Give how well each kind is found: precision, recall by distance, error of the distance."""
    rows = []
    for name, group in groups.items():
        for kind in KINDS:
            it = group.kinds[kind]
            shares = (it.average_precision, *it.recall)
            errors = (_percent(it.distance_error), _percent(it.distance_bias, "+"))
            said = (f"{name}: {kind}", str(it.there), *map(_share, shares), *errors)
            rows.append(said)
    return rows


def lane_rows(groups: Mapping[str, Sights]) -> Rows:
    """Give how well the lane is seen: mean absolute errors, and the path's 95th percentile."""
    rows = []
    for name, group in groups.items():
        lane, at = group.lane, group.distances_m
        path = [
            f"{float(np.interp(far, at, values)):.2f} m"
            for far in PATH_AT_M
            for values in (lane.path_mean_m, lane.path_p95_m)
        ]
        rest = (f"{lane.mean['lane_offset']:.3f} m",
                f"{math.degrees(lane.mean['heading_error']):.2f}\N{DEGREE SIGN}",
                f"{lane.mean['curvature']:.4f} 1/m")  # fmt: skip
        rows.append((name, str(len(group.pictures)), *path, *rest))
    return rows


def with_lights(groups: Mapping[str, Sights]) -> dict[str, Sights]:
    """Add the lights of each group behind it, where there are several."""
    found: dict[str, Sights] = {}
    for name, group in groups.items():
        lights = sights.by_light(group)
        found |= {name: group} | (lights if len(lights) > 1 else {})
    return found


def plain(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Set a table in columns for a terminal."""
    table = [tuple(heads), *rows]
    widths = [max(len(row[i]) for row in table) for i in range(len(heads))]
    lines = [
        row[0].ljust(widths[0])
        + "".join(cell.rjust(width + 2) for cell, width in zip(row[1:], widths[1:], strict=True))
        for row in table
    ]
    return "\n".join(lines) + "\n"


def _share(value: float) -> str:
    return f"{value:.2f}" if math.isfinite(value) else MISSING


def _percent(value: float, sign: str = "") -> str:
    return f"{100.0 * value:{sign}.1f} %" if math.isfinite(value) else MISSING
