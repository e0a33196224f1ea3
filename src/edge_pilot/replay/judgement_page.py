"""A judgement as a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from edge_pilot.replay import page
from edge_pilot.replay.judgement import Drivers, Rows, Table, Track
from edge_pilot.types import NANOSECONDS, Floats

NAME = "evaluation.html"
HEADS = {
    "mae_rad": "mean error [rad]", "curvature_mae_1pm": "curvature error [1/m]",
    "correlation": "correlation", "sign_accuracy": "right side in bends",
    "disagreement": "share above 0.05 rad", "rate_rms_radps": "rate [rad/s]",
    "jerk_rms_radps2": "jerk [rad/s\u00b2]", "ade_m": "path error [m]",
}  # fmt: skip
WIDTH, HEIGHT, MARGIN = 940, 220, 30
COLOURS = {"human": "var(--ink)", "model": "var(--orange)", "previous": "var(--purple)"}
MOST_POINTS = 1500


def write(
    folder: Path, title: str, verdict: str, is_good: bool, found: Table, scenes: Table,
    track: Track, drivers: Drivers, rows: Rows, stills: Sequence[tuple[str, bytes]],
    video: Path | None, facts: Sequence[tuple[str, str]],
) -> Path:  # fmt: skip
    """Write the page, self-contained but for the video, and give its path."""
    parts = [
        f"<h1>edge_pilot: {escape(title)}</h1>",
        f'<p class="verdict{"" if is_good else " bad"}">{escape(verdict)}</p>',
        _film(video) if video else "",
        "<h2>Beside the human</h2>",
        _scroll(_drivers(found)),
        _chart(track, drivers, rows),
        "<h2>By scene</h2>",
        _scroll(_scenes(scenes)),
        "<h2>Worst moments</h2>",
        _strip(stills),
        "<h2>Facts</h2>",
        f'<div class="cards">{page.card("This run", facts)}</div>',
    ]
    path = folder / NAME
    path.write_text(page.page(f"edge_pilot: {title}", filter(None, parts)), encoding="utf-8")
    return path


def _drivers(found: Table) -> str:
    rows = [(name, *(_cell(figures[key]) for key in HEADS)) for name, figures in found.items()]
    caption = (
        "In brackets the interval of 95 %, resampled by blocks of 10 s. The ridge sees 40x14 "
    )
    caption += "grey pixels, and predicts each fifth of the log from the other four."
    return page.figure(page.table(rows, ("driver", *HEADS.values())), caption)


def _scenes(scenes: Table) -> str:
    rows = [
        (name, str(figures["frames"]), *(_number(figures[key]) for key in HEADS))
        for name, figures in scenes.items()
    ]
    return page.figure(page.table(rows, ("scene", "frames", *HEADS.values())), "The model only.")


def _chart(track: Track, drivers: Drivers, rows: Rows) -> str:
    """Draw steering over time."""
    chosen = rows[:: max(1, len(rows) // MOST_POINTS)]
    at = (track.stamp_ns[chosen] - track.stamp_ns[rows[0]]) / NANOSECONDS
    lines = {"human": track.human_rad[chosen]}
    lines |= {n: d.steering_rad[chosen] for n, d in drivers.items() if n in COLOURS}
    top = max(float(np.abs(np.concatenate(list(lines.values()))).max()), 1e-3)
    drawn = "".join(_line(at, values, top, COLOURS[name]) for name, values in lines.items())
    middle = HEIGHT / 2
    labels = (
        f'<text x="0" y="12" fill="var(--soft)" font-size="12">{top:+.2f} rad (left)</text>'
        f'<text x="0" y="{HEIGHT - 2}" fill="var(--soft)" font-size="12">{-top:+.2f} rad</text>'
        f'<line x1="0" x2="{WIDTH}" y1="{middle}" y2="{middle}" stroke="var(--grid)"/>'
    )
    svg = f'<svg viewBox="0 0 {WIDTH} {HEIGHT}">{labels}{drawn}</svg>'
    caption = "Steering over time: the human black (white), the model orange, the previous purple."
    return page.figure(page.svg(svg, "steering over time"), caption, "Steering")


def _line(at: Floats, values: Floats, top: float, colour: str) -> str:
    x = WIDTH * at / max(float(at[-1]), 1e-9)
    y = HEIGHT / 2 - (HEIGHT / 2 - MARGIN / 2) * values / top
    points = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True))
    return f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.2"/>'


def _strip(stills: Sequence[tuple[str, bytes]]) -> str:
    figures = "".join(
        page.figure(f'<img alt="" src="{page.data_uri("image/jpeg", jpeg)}">', caption)
        for caption, jpeg in stills
    )
    return f'<div class="pairs">{figures}</div>'


def _film(path: Path) -> str:
    caption = "The log: the human's steering black, the model's orange."
    player = (
        f'<video controls loop muted playsinline preload="metadata" src="{path.name}"></video>'
    )
    return f'<div class="media">{page.figure(player, caption)}</div>'


def _scroll(content: str) -> str:
    return f'<div class="scroll">{content}</div>'


def _cell(one: Mapping[str, Any]) -> str:
    if one["value"] is None or one["interval"] is None:
        return _number(one["value"])
    low, high = one["interval"]
    return f"{_number(one['value'])} [{_number(low)}, {_number(high)}]"


def _number(value: float | None) -> str:
    return "\u2013" if value is None else f"{value:.3g}"
