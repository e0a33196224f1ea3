"""What `edge_pilot bench` prints and draws."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from html import escape
from pathlib import Path

import numpy as np

from edge_pilot.commands.bench_cases import Check, Row
from edge_pilot.nodes.load_spec import Heard
from edge_pilot.replay import page
from edge_pilot.replay.figures import Axes, to_svg

HEAD = (
    f"{'':14}{'p50':>8}{'p90':>8}{'p99':>8}{'p99.9':>8}{'CPU':>8}{'of it IMU':>11}"
    f"{'lost':>11}{'superseded':>12}{'memory':>9}"
)
UNITS = f"{'':14}{'ms':>8}{'ms':>8}{'ms':>8}{'ms':>8}{'ms':>8}{'ms':>11}{'':>23}{'MB':>9}"
WIDTH_PT, HEIGHT_PT = 640.0, 260.0


def table(rows: Sequence[Row]) -> str:
    """Give the live cases, one block each."""
    lines = [HEAD, UNITS]
    case = ""
    for one in rows:
        if one.case != case:
            case = one.case
            lines.append(case)
        lost = f"{one.lost} of {one.published}"
        lines.append(
            f"  {one.contender:12}{one.p50_ms:8.2f}{one.p90_ms:8.2f}{one.p99_ms:8.2f}"
            f"{one.p999_ms:8.2f}{one.cpu_ms:8.2f}{one.imu_cpu_ms:11.2f}{lost:>11}"
            f"{one.superseded:12d}{one.memory_mb:9.0f}"
        )
        if one.stages_ms:
            stages = [f"{name.removesuffix('_ms')} {value:.2f}"
                      for name, value in one.stages_ms.items()]  # fmt: skip
            lines.append("  its stages    " + ", ".join(stages))
    return "\n".join(lines) + "\n"


def verdicts(checks: Sequence[Check], worse: Sequence[str]) -> str:
    """Say what holds and what does not."""
    lines = [
        f"{'holds' if one.holds else 'FAILS':7}{one.what}: {one.value:.3g}, "
        f"at most {one.limit:.3g}"
        for one in checks
    ]
    return "\n".join([*lines, *(f"WORSE  {line}" for line in worse)]) + "\n"


def write(
    path: Path, heard: Mapping[str, Mapping[str, Sequence[Heard]]], rows: Sequence[Row],
    checks: Sequence[Check], worse: Sequence[str], memory_mb: Sequence[float] = (),
) -> None:  # fmt: skip
    """Write the page: a plot of the latencies of each case, the memory, and what is printed."""
    parts = [
        "<p>The share of frames that are answered within a time after their image's stamp.</p>"
    ]
    for number, (case, contenders) in enumerate(heard.items()):
        latencies = {
            name: np.sort([value for part in said for value in part.latencies_ms])
            for name, said in contenders.items()
        }
        plot = to_svg(f"case{number}", WIDTH_PT, HEIGHT_PT, partial(_draw, latencies=latencies))
        parts.append(page.figure(page.svg(plot, f"Latencies, {case}"), escape(case)))
    if memory_mb:
        plot = to_svg("memory", WIDTH_PT, HEIGHT_PT, partial(_draw_memory, memory_mb=memory_mb))
        parts.append(page.figure(page.svg(plot, "Memory"), "The pilot's memory over the run"))
    parts.append(f"<pre>{escape(table(rows))}\n{escape(verdicts(checks, worse))}</pre>")
    path.write_text(page.page("edge_pilot bench", parts), encoding="utf-8")


def _draw(axes: Axes, latencies: Mapping[str, np.ndarray]) -> None:
    for name, values in latencies.items():
        if values.size:
            axes.plot(values, np.arange(1, values.size + 1) / values.size, label=name)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter("{x:g}")
    axes.set_xlabel("ms")
    axes.legend(loc="lower right")


def _draw_memory(axes: Axes, memory_mb: Sequence[float]) -> None:
    axes.plot(np.arange(len(memory_mb)) / len(memory_mb), memory_mb)
    axes.set_xlabel("share of the frames")
    axes.set_ylabel("MB")
