"""The figures of `edge_pilot perceive`. Full lines: the usual light; dashed: the hold-out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from edge_pilot.perception.quality import DISTANCES_M
from edge_pilot.replay import figures, sights
from edge_pilot.replay.figures import BAD, FIRST, INK, SECOND, SOFT, THIRD, Axes
from edge_pilot.replay.sights import Sights
from edge_pilot.types import KINDS, Floats

Groups = Mapping[str, Sights]
COLOURS = {"pedestrian": SECOND, "vehicle": FIRST, "cyclist": THIRD}
DASHES: tuple[Any, ...] = ("-", (0, (4, 2.5)))  # of each group
MOST_POINTS = 500  # of each kind in a figure
HEIGHT_PT = 300.0


def render(name: str, groups: Groups, width_pt: float = figures.NARROW_PT) -> str:
    """Give figure `name` of FIGURES as an <svg> element."""
    return figures.to_svg(name, width_pt, HEIGHT_PT, lambda axes: FIGURES[name](axes, groups))


def _draw_precision(axes: Axes, groups: Groups) -> None:
    for kind, group, dashes, label in _lines(groups):
        recall, precision = sights.precision_recall(group, kind)
        label = f"{label}: {group.kinds[kind].average_precision:.2f}"
        first = precision[0] if len(precision) else 0.0
        recall, precision = np.append(0.0, recall), np.append(first, precision)
        axes.plot(recall, precision, color=COLOURS[kind], linestyle=dashes, label=label)
    axes.set(xlabel="recall", ylabel="precision", xlim=(0.0, 1.0), ylim=(0.0, 1.02))
    figures.legend(axes)


def _draw_recall(axes: Axes, groups: Groups) -> None:
    middle = 0.5 * (np.array(DISTANCES_M[1:]) + DISTANCES_M[:-1])
    for kind, group, dashes, label in _lines(groups):
        recall = group.kinds[kind].recall
        axes.plot(middle, recall, marker="o", linestyle=dashes, color=COLOURS[kind],
                  markersize=4, label=label)  # fmt: skip
    axes.set(xlabel="distance [m]", ylabel="share that is found", ylim=(0.0, 1.02))
    axes.set_xlim(0.0, DISTANCES_M[-1])
    figures.legend(axes)


def _draw_distance(axes: Axes, groups: Groups) -> None:
    group, reach = next(iter(groups.values())), DISTANCES_M[-1]
    for kind in KINDS:
        true, said = (_thin(values) for values in sights.distances(group, kind))
        axes.plot(true, said, ".", color=COLOURS[kind], markersize=3, alpha=0.5,
                  label=kind)  # fmt: skip
    axes.plot((0.0, reach), (0.0, reach), color=INK, linewidth=1.0, label="right")
    axes.set(xlabel="true distance [m]", ylabel="distance said [m]")
    axes.set(xlim=(0.0, reach), ylim=(0.0, 1.25 * reach))
    figures.legend(axes)


def _draw_path(axes: Axes, groups: Groups) -> None:
    for (name, group), colour in zip(groups.items(), (FIRST, SECOND), strict=False):
        lane, at = group.lane, group.distances_m
        axes.plot(at, lane.path_mean_m, color=colour, label=f"{name}: mean")
        axes.plot(at, lane.path_p95_m, color=colour, linestyle=DASHES[1], label="95 % below")
    axes.plot(sights.PATH_AT_M, sights.MAX_PATH_ERROR_M, "v", color=BAD, markersize=6,
              label="most that is permitted")  # fmt: skip
    axes.axvline(sights.PATH_AT_M, color=SOFT, linewidth=0.5)
    axes.set(xlabel="along the path [m]", ylabel="|error| across it [m]")
    axes.set_ylim(bottom=0.0)
    figures.legend(axes)


def _lines(groups: Groups) -> list[tuple[str, Sights, Any, str]]:
    """Give kind, group, dashes and label of each line to draw."""
    return [
        (kind, group, dashes, kind if number == 0 else f"{kind}, {name}")
        for number, ((name, group), dashes) in enumerate(zip(groups.items(), DASHES, strict=False))
        for kind in KINDS
        if group.kinds[kind].there
    ]


def _thin(values: Floats) -> Floats:
    return values[:: max(1, len(values) // MOST_POINTS)]


FIGURES: dict[str, Callable[[Axes, Groups], None]] = {
    "precision": _draw_precision,
    "recall": _draw_recall,
    "distance": _draw_distance,
    "path": _draw_path,
}
