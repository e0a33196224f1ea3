"""The figures of a report, as SVG that takes its colours from the page around it."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from edge_pilot.replay.drivelog import DriveLog
from edge_pilot.types import NANOSECONDS, Floats

Axes: TypeAlias = Any  # matplotlib's, which is imported when it is needed
INK, SOFT, GRID, LANE = "#010101", "#020202", "#030303", "#040404"
FIRST, SECOND, BAD, GOOD, SKY = "#050505", "#060606", "#070707", "#080808", "#090909"
THIRD = "#0a0a0a"
# The page defines these for light and dark; the data's are of Okabe and Ito, which people with
# any colour vision can tell apart.
VARIABLES = {
    INK: "--ink", SOFT: "--soft", GRID: "--grid", LANE: "--lane", FIRST: "--blue",
    SECOND: "--orange", BAD: "--red", GOOD: "--green", SKY: "--sky",
    THIRD: "--purple",
}  # fmt: skip
STYLE: Any = {
    "svg.fonttype": "none", "font.family": "sans-serif", "font.size": 10.0,
    "text.color": INK, "axes.labelcolor": SOFT, "axes.edgecolor": GRID, "axes.linewidth": 0.8,
    "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True,
    "axes.axisbelow": True, "grid.color": GRID, "grid.linewidth": 0.6,
    "xtick.color": GRID, "ytick.color": GRID, "xtick.labelcolor": SOFT, "ytick.labelcolor": SOFT,
    "legend.frameon": False, "legend.borderaxespad": 0.2, "legend.handlelength": 1.4,
    "legend.columnspacing": 1.2, "lines.linewidth": 1.4, "lines.solid_capstyle": "round",
}  # fmt: skip
WIDE_PT, NARROW_PT = 940.0, 370.0
ERROR_STEPS_M = (0.1, 0.2, 0.4, np.inf)  # upper ends of the classes on the map
ERROR_COLOURS = (FIRST, SKY, SECOND, BAD)
JUMP_M = 5.0  # between two rows: the car was put somewhere else
ROAD_AROUND_M = 40.0  # of the driven line that is on the map
MAP_ROOM_IN, MAP_HEIGHT_IN = 1.1, (2.6, 7.0)  # for its axes and legend; least and most
STATE_COLOURS = {"engaged": GOOD, "stopping": SECOND, "emergency": BAD}


class Figure(NamedTuple):
    """One figure; its width is that of the page or half of that."""

    draw: Callable[[Axes, DriveLog, float], None]
    height_pt: float


def render(name: str, log: DriveLog, width_m: float, width_pt: float) -> str:
    """Give figure `name` of FIGURES as an <svg> element.

    Args:
        name: also goes before its ids, so that figures on one page keep apart.
        log: the drive.
        width_m: the car's.
        width_pt: in points, which are the pixels of the page where it has this width.
    """
    figure = FIGURES[name]
    return to_svg(name, width_pt, figure.height_pt, lambda axes: figure.draw(axes, log, width_m))


def to_svg(name: str, width_pt: float, height_pt: float, draw: Callable[[Axes], None]) -> str:
    """Give what `draw` draws into axes as an <svg> element; `name` goes before its ids."""
    import matplotlib as mpl
    from matplotlib.figure import Figure as Canvas

    with mpl.rc_context({**STYLE, "svg.hashsalt": name}):
        canvas = Canvas((width_pt / 72.0, height_pt / 72.0), layout="constrained")
        draw(canvas.add_subplot())
        file = io.StringIO()
        nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        canvas.savefig(file, format="svg", transparent=True, metadata=nothing)
    return _themed(file.getvalue(), f"{name}-{width_pt:.0f}-")


def _themed(document: str, prefix: str) -> str:
    svg = document[document.index("<svg") :]
    svg = re.sub(r'<svg [^>]*?viewBox="([^"]*)"[^>]*>', r'<svg viewBox="\1">', svg, count=1)
    svg = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{prefix}", svg).replace("xlink:href", "href")
    for colour, variable in VARIABLES.items():
        svg = svg.replace(colour, f"var({variable})")
    return svg


def _draw_map(axes: Axes, log: DriveLog, width_m: float) -> None:
    from matplotlib.collections import LineCollection

    place = np.column_stack([log.truth["x_m"], log.truth["y_m"]])
    turn = _turn(place)
    road, place = (_near(log.road_m, place) - place[0]) @ turn, (place - place[0]) @ turn
    error = np.abs(log.truth["lateral_m"])
    _draw_lane(axes, road, log.lane_width_m)
    classes = np.searchsorted(ERROR_STEPS_M, np.maximum(error[1:], error[:-1]))
    low = 0.0
    for number, (high, colour) in enumerate(zip(ERROR_STEPS_M, ERROR_COLOURS, strict=True)):
        lines = _runs(place, classes == number)
        axes.add_collection(LineCollection(lines, colors=colour, linewidths=2.2))
        label = f"{low:g} to {high:g} m" if np.isfinite(high) else f"over {low:g} m"
        axes.plot([], [], color=colour, linewidth=2.2, label=label)
        low = high
    axes.plot(*place[0], "o", color=INK, markersize=5)
    axes.annotate("start", place[0], (0, 8), textcoords="offset points", ha="center")
    for name, marker in (("off_lane", "x"), ("collided", "D")):
        at = place[_begins(log.truth[name])]
        if len(at):
            said = {"off_lane": "left its lane", "collided": "collided"}[name]
            axes.plot(*at.T, marker, color=BAD, markersize=8, markeredgewidth=2, label=said)
    axes.set(xlabel="along [m]", ylabel="across [m]")
    axes.set_aspect("equal", adjustable="datalim")
    legend(axes)
    extent = np.ptp(road, axis=0) + ROAD_AROUND_M
    height = MAP_ROOM_IN + axes.figure.get_figwidth() * extent[1] / extent[0]
    axes.figure.set_figheight(float(np.clip(height, *MAP_HEIGHT_IN)))


def _turn(place: Floats) -> Floats:
    """Give the rotation (2, 2), to be applied from the right, that makes a drive go to the right.

    The longest extent of its points becomes the first axis.
    """
    _, _, axes = np.linalg.svd(place - place.mean(axis=0), full_matrices=False)
    x, y = axes[0] * (1.0 if axes[0] @ (place[-1] - place[0]) >= 0.0 else -1.0)
    return np.array([[x, -y], [y, x]])


def _draw_lane(axes: Axes, road: Floats, lane_width_m: float) -> None:
    slope = np.gradient(road, axis=0)
    normal = np.column_stack([-slope[:, 1], slope[:, 0]])
    normal *= 0.5 * lane_width_m / np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-9)
    left, right = road + normal, road - normal
    axes.fill(*np.concatenate([left, right[::-1]]).T, color=LANE, linewidth=0)
    for edge in (left, right):
        axes.plot(*edge.T, color=SOFT, linewidth=0.5)


def _near(road: Floats, place: Floats) -> Floats:
    """Give the stretch of the road that the car was on, and a little more."""
    visited = place[::20]
    gaps = np.linalg.norm(road[:, None] - visited, axis=2).min(axis=1)
    close = np.flatnonzero(gaps < ROAD_AROUND_M)
    return road[close[0] : close[-1] + 1] if len(close) > 1 else road


def _runs(place: Floats, wanted: Any) -> list[Floats]:
    """Give the unbroken lines of those steps that are wanted."""
    steps = np.linalg.norm(np.diff(place, axis=0), axis=1)
    chosen = np.flatnonzero(wanted & (steps < JUMP_M))
    groups = np.split(chosen, np.flatnonzero(np.diff(chosen) > 1) + 1)
    return [place[group[0] : group[-1] + 2] for group in groups if len(group)]


def _begins(flags: Floats) -> Any:
    return np.flatnonzero(np.diff(flags != 0, prepend=False) & (flags != 0))


def _draw_lateral(axes: Axes, log: DriveLog, width_m: float) -> None:
    time = log.truth["time_s"]
    limit = 0.5 * (log.lane_width_m - width_m)
    axes.plot(time, log.truth["lateral_m"], color=FIRST, label="true")
    _draw_own(axes, log, _believed(log, "lane_offset_m"), "as the car believed")
    for side, label in ((limit, "a wheel reaches the line"), (-limit, None)):
        axes.axhline(side, color=BAD, linewidth=1.0, linestyle=(0, (6, 4)), label=label)
    outside = log.truth["off_lane"] != 0
    if outside.any():
        span = axes.get_xaxis_transform()
        axes.fill_between(time, 0, 1, where=outside, step="mid", transform=span, color=BAD,
                          alpha=0.25, linewidth=0, label="out of its lane")  # fmt: skip
    most = max(1.15 * limit, 1.05 * float(np.abs(log.truth["lateral_m"]).max()))
    axes.set(ylim=(-most, most), ylabel="lateral error [m]\n(left positive)")
    _finish(axes, log)


def _draw_steering(axes: Axes, log: DriveLog, width_m: float) -> None:
    steering = np.degrees(log.truth["steering_rad"])
    axes.plot(log.truth["time_s"], steering, color=FIRST, label="true")
    told = [frame.command.steering_rad if frame.command else np.nan for frame in log.frames]
    _draw_own(axes, log, np.degrees(told), "as commanded")
    axes.set(ylabel="road wheel angle [deg]\n(left positive)")
    _finish(axes, log)


def _draw_speed(axes: Axes, log: DriveLog, width_m: float) -> None:
    axes.plot(log.truth["time_s"], log.truth["speed_mps"], color=FIRST, label="true")
    _draw_own(axes, log, _believed(log, "speed_mps"), "as the car believed")
    axes.set_ylim(bottom=min(0.0, float(log.truth["speed_mps"].min())))
    axes.set(ylabel="speed [m/s]")
    _finish(axes, log)


def _believed(log: DriveLog, name: str) -> Floats:
    return np.array([frame.prediction.get(name, np.nan) for frame in log.frames])


def _draw_own(axes: Axes, log: DriveLog, values: Floats, label: str) -> None:
    """Draw what the car itself believed or decided, of each picture; NaN leaves a gap."""
    stamps = np.array([frame.stamp_ns for frame in log.frames], np.int64)
    time = (stamps - stamps[:1]) / NANOSECONDS
    axes.plot(time, values, color=SECOND, linewidth=0.9, zorder=1.9, label=label)


def _draw_latency(axes: Axes, log: DriveLog, width_m: float) -> None:
    latency = log.latency_ms[np.isfinite(log.latency_ms)]
    axes.set(xlabel="image stamp to command [ms]", ylabel="frames (log scale)", yscale="log")
    if not len(latency):
        axes.text(0.5, 0.5, "nothing was measured", ha="center", transform=axes.transAxes)
        return
    axes.hist(latency, bins=60, range=(0.0, 1.05 * float(latency.max())), color=FIRST)
    axes.set_ylim(bottom=0.7)
    for percent, style in ((50, "-"), (99, (0, (4, 3)))):
        value = float(np.percentile(latency, percent))
        label = f"p{percent}: {value:.1f} ms"
        axes.axvline(value, color=SECOND, linewidth=1.6, linestyle=style, label=label)
    legend(axes)


def _draw_states(axes: Axes, log: DriveLog, width_m: float) -> None:
    names = list(dict.fromkeys(state for _, state, _ in log.states))
    ends = [*(time for time, _, _ in log.states[1:]), float(log.truth["time_s"][-1])]
    for (begin, state, _), end in zip(log.states, ends, strict=False):
        at = (names.index(state) - 0.32, 0.64)
        # A state of one decision would be too thin to be seen.
        bar = [(begin, max(end - begin, 0.05))]
        axes.broken_barh(bar, at, color=STATE_COLOURS.get(state, SOFT), linewidth=0.8)
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(max(len(names), 2) - 0.4, -0.6)
    axes.grid(axis="y", visible=False)
    _finish(axes, log)


def _finish(axes: Axes, log: DriveLog) -> None:
    axes.set_xlabel("time [s]")
    axes.set_xlim(0.0, max(float(log.truth["time_s"][-1]), 0.1))
    legend(axes)


def legend(axes: Axes) -> None:
    """Name the lines above the axes."""
    handles, labels = axes.get_legend_handles_labels()
    if labels:
        columns = 6 if axes.figure.get_figwidth() * 72.0 > NARROW_PT else 2
        axes.legend(handles, labels, loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=columns)


FIGURES = {
    "map": Figure(_draw_map, 330.0),
    "lateral": Figure(_draw_lateral, 250.0),
    "steering": Figure(_draw_steering, 220.0),
    "speed": Figure(_draw_speed, 220.0),
    "latency": Figure(_draw_latency, 220.0),
    "states": Figure(_draw_states, 110.0),
}
