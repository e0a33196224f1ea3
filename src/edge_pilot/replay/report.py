"""The report of a drive: one HTML file that needs no other."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from edge_pilot.config import CameraConfig
from edge_pilot.replay import video
from edge_pilot.replay.drivelog import DriveLog

MAX_EMBEDDED_BYTES = 16_000_000
STRIP = 4  # pictures, where there is no video
BLUE, ORANGE, GREY = "#0072b2", "#d55e00", "#888888"  # Okabe and Ito: told apart by everybody

PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>edge_pilot: {title}</title>
<style>
:root {{ color-scheme: light dark; --ink: #1b1f24; --page: #ffffff; --soft: #5b6570;
  --card: #f4f6f8 }}
@media (prefers-color-scheme: dark) {{
  :root {{ --ink: #e6e9ec; --page: #14171a; --soft: #9aa4ae;
    --card: #1d2226 }} }}
body {{ font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--page);
  max-width: 62rem; margin: 2rem auto; padding: 0 1rem }}
h1 {{ font-size: 1.5rem; margin: 0 }} h2 {{ font-size: 1.1rem; margin: 2rem 0 .3rem }}
.verdict {{ font-size: 1.15rem; border-left: .4rem solid {colour}; padding: .5rem 1rem;
  background: var(--card) }}
video, .strip img {{ width: 100%; border-radius: .4rem }} .strip {{ display: grid; gap: .4rem;
  grid-template-columns: repeat(auto-fit, minmax(18rem, 1fr)) }}
figure {{ margin: 0 }} figure svg {{ width: 100%; height: auto; background: #fff;
  border-radius: .4rem }} figcaption, .soft {{ color: var(--soft); font-size: .9rem }}
table {{ border-collapse: collapse; width: 100% }} td, th {{ text-align: left;
  padding: .25rem .8rem .25rem 0; border-bottom: 1px solid var(--card); vertical-align: top }}
td.number {{ text-align: right; font-variant-numeric: tabular-nums }}
.columns {{ display: grid; gap: 0 2rem;
  grid-template-columns: repeat(auto-fit, minmax(20rem, 1fr)) }}
</style>
<h1>{title}</h1><p class="soft">{subtitle}</p>
<p class="verdict">{verdict}</p>
{film}
<div class="columns"><div><h2>Driving</h2>{driving}</div>
<div><h2>Frames and time</h2>{timing}</div></div>
{figures}
<h2>What the safety process said</h2>{states}
</html>
"""


def summary(log: DriveLog) -> dict[str, Any]:
    """Give the plain numbers of a drive."""
    truth, latency = log.truth, log.latency_ms
    lateral = np.abs(truth["lateral_m"])
    steps = np.hypot(np.diff(truth["x_m"]), np.diff(truth["y_m"]))
    p50, p99 = np.percentile(latency, (50, 99)) if len(latency) else (np.nan, np.nan)
    return {
        "seed": log.seed,
        "light": log.light,
        "model": log.model,
        "distance_m": float(steps.sum()),
        "duration_s": float(truth["time_s"][-1]),
        "departures": _rises(truth["off_lane"]),
        "collisions": _rises(truth["collided"]),
        "lateral_mean_m": float(lateral.mean()),
        "lateral_max_m": float(lateral.max()),
        "speed_mean_mps": float(truth["speed_mps"].mean()),
        "speed_max_mps": float(truth["speed_mps"].max()),
        "latency_p50_ms": float(p50),
        "latency_p99_ms": float(p99),
        "latency_max_ms": float(latency.max()) if len(latency) else np.nan,
        **{f"frames_{name}": log.counts.get(name, 0)
           for name in ("published", "received", "lost", "superseded")},
    }  # fmt: skip


def is_good(numbers: Mapping[str, Any]) -> bool:
    """Tell whether the car drove, in its lane, hit nothing and lost no frame."""
    faults = numbers["departures"] + numbers["collisions"] + numbers["frames_lost"]
    return bool(faults == 0 and numbers["distance_m"] > 1.0 and numbers["frames_received"] > 0)


def verdict(numbers: Mapping[str, Any]) -> str:
    """Say in one sentence how the drive went."""
    left = numbers["departures"]
    lane = "stayed in its lane" if not left else f"left its lane {left} times"
    hit = f", hit something {numbers['collisions']} times" if numbers["collisions"] else ""
    return (
        f"The car drove {numbers['distance_m']:.0f} m and {lane}{hit}: on average "
        f"{numbers['lateral_mean_m']:.2f} m from its centre, at most "
        f"{numbers['lateral_max_m']:.2f} m. {numbers['frames_lost']} of "
        f"{numbers['frames_published']} frames were lost; from image to command took "
        f"{numbers['latency_p50_ms']:.0f} ms, 99 % under {numbers['latency_p99_ms']:.0f} ms."
    )


def write(log: DriveLog, camera: CameraConfig, out: Path, film: Path | None) -> Path:
    """Write `report.html` into a folder; `film` is embedded where it is not too large."""
    numbers = summary(log)
    page = PAGE.format(
        title=f"A drive on road {log.seed}, {html.escape(log.light)}",
        subtitle=html.escape(f"model {log.model}, {numbers['duration_s']:.0f} s on the wall clock, "
                             f"through ROS 2 nodes"),
        colour=BLUE if is_good(numbers) else ORANGE,
        verdict=html.escape(verdict(numbers)),
        film=_film(log, camera, film),
        driving=_table(_driving(numbers)),
        timing=_table(_timing(numbers, log)),
        figures=_figures(log),
        states=_states(log),
    )  # fmt: skip
    path = out / "report.html"
    path.write_text(page, encoding="utf-8")
    return path


def _rises(flags: np.ndarray) -> int:
    return int((np.diff(np.concatenate([[0.0], flags])) > 0.0).sum())


def _driving(numbers: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [
        ("distance", f"{numbers['distance_m']:.0f} m"),
        ("speed, mean and highest",
         f"{numbers['speed_mean_mps']:.1f} and {numbers['speed_max_mps']:.1f} m/s"),
        ("distance from the lane's centre, mean",
         f"{numbers['lateral_mean_m']:.3f} m"),
        ("largest", f"{numbers['lateral_max_m']:.3f} m"),
        ("departures from the lane", str(numbers["departures"])),
        ("collisions", str(numbers["collisions"])),
    ]  # fmt: skip


def _timing(numbers: Mapping[str, Any], log: DriveLog) -> list[tuple[str, str]]:
    rows = [(name, str(count)) for name, count in log.counts.items()]
    rows += [
        ("image to command, p50 and p99",
         f"{numbers['latency_p50_ms']:.1f} and {numbers['latency_p99_ms']:.1f} ms"),
    ]  # fmt: skip
    for name, values in log.stages_ms.items():
        if len(values):
            p50, p99 = np.percentile(values, (50, 99))
            rows.append((f"of it {name}", f"{p50:.2f} and {p99:.2f} ms"))
    return rows


def _table(rows: list[tuple[str, str]]) -> str:
    cells = "".join(
        f'<tr><td>{html.escape(name)}</td><td class="number">{html.escape(value)}</td></tr>'
        for name, value in rows
    )
    return f"<table>{cells}</table>"


def _states(log: DriveLog) -> str:
    rows = "".join(
        f'<tr><td class="number">{time_s:.1f} s</td><td>{html.escape(state)}</td>'
        f"<td>{html.escape(sentence)}</td></tr>"
        for time_s, state, sentence in log.states
    )
    return f"<table>{rows}</table>"


def _film(log: DriveLog, camera: CameraConfig, film: Path | None) -> str:
    if film is not None and film.stat().st_size <= MAX_EMBEDDED_BYTES:
        data = base64.b64encode(film.read_bytes()).decode()
        return f'<video controls muted autoplay loop src="data:video/webm;base64,{data}"></video>'
    if film is not None:
        return f'<video controls src="{html.escape(film.name)}"></video>'
    last = len(log.frames) - 1
    at = [last * (shot + 1) // (STRIP + 1) for shot in range(STRIP)] if log.frames else []
    shots = [still(log, camera, index) for index in at]
    images = "".join(
        f'<img alt="" src="data:image/jpeg;base64,{base64.b64encode(shot).decode()}">'
        for shot in shots
    )
    return f'<div class="strip">{images}</div>'


def still(log: DriveLog, camera: CameraConfig, index: int) -> bytes:
    """Give one frame with its overlay as JPEG."""
    frame = log.frames[index]
    time_s = (frame.stamp_ns - log.frames[0].stamp_ns) / 1e9
    bgr = cv2.cvtColor(video.picture(frame, camera, time_s), cv2.COLOR_RGB2BGR)
    return bytes(cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, 88])[1])


def _figures(log: DriveLog) -> str:
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib.figure import Figure

    def svg(draw: Any, title: str, caption: str, height: float = 2.6) -> str:
        figure = Figure(figsize=(9.0, height), layout="constrained")
        draw(log, figure)
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None})
        text = buffer.getvalue()
        return (
            f"<h2>{title}</h2><figure>{text[text.index('<svg') :]}"
            f"<figcaption>{html.escape(caption)}</figcaption></figure>"
        )

    return "".join([
        svg(_draw_map, "Map", "The lane's edges, and the line that the car drove, coloured by its "
            "distance from the lane's centre [m].", 5.0),
        svg(_draw_lateral, "Distance from the lane's centre", "Positive is left. The lines show "
            "where a wheel would be over the edge of the lane on a straight."),
        svg(_draw_steering, "Steering", "Angle of the road wheel, positive left."),
        svg(_draw_speed, "Speed", "The car slows for bends and stands at the beginning."),
        svg(_draw_latency, "From image to command", "Wall time from the stamp of the image to the "
            "decision of the safety process; the simulator's camera needs its share of it."),
    ])  # fmt: skip


def _draw_map(log: DriveLog, figure: Any) -> None:
    axes = figure.subplots()
    truth, half = log.truth, 0.5 * log.lane_width_m
    near = _near(log.road_m, truth)
    step = np.gradient(near, axis=0)
    normal = np.column_stack([-step[:, 1], step[:, 0]])
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-9)
    for side in (-half, half):
        axes.plot(*(near + side * normal).T, color=GREY, linewidth=0.6)
    dots = axes.scatter(truth["x_m"], truth["y_m"], c=np.abs(truth["lateral_m"]), s=4,
                        cmap="viridis", vmin=0.0)  # fmt: skip
    figure.colorbar(dots, ax=axes, label="|distance from centre| [m]")
    axes.set_aspect("equal", adjustable="datalim")
    axes.set_xlabel("x [m]")
    axes.set_ylabel("y [m]")


def _near(road_m: np.ndarray, truth: Mapping[str, np.ndarray]) -> np.ndarray:
    """Cut the road to where the car was, and 30 m on both sides."""
    ends = [np.hypot(road_m[:, 0] - truth["x_m"][i], road_m[:, 1] - truth["y_m"][i]).argmin()
            for i in (0, -1)]  # fmt: skip
    return road_m[max(0, min(ends) - 60) : max(ends) + 60]


def _over_time(figure: Any, log: DriveLog, name: str, label: str, factor: float = 1.0) -> Any:
    axes = figure.subplots()
    axes.plot(log.truth["time_s"], factor * log.truth[name], color=BLUE, linewidth=1.2)
    axes.set_xlabel("time [s]")
    axes.set_ylabel(label)
    axes.grid(alpha=0.3)
    return axes


def _draw_lateral(log: DriveLog, figure: Any) -> None:
    axes = _over_time(figure, log, "lateral_m", "left of centre [m]")
    for side in (-1, 1):
        axes.axhline(side * (0.5 * log.lane_width_m - 0.805), color=ORANGE, linestyle="--")


def _draw_steering(log: DriveLog, figure: Any) -> None:
    _over_time(figure, log, "steering_rad", "steering [deg]", 180.0 / np.pi)


def _draw_speed(log: DriveLog, figure: Any) -> None:
    _over_time(figure, log, "speed_mps", "speed [m/s]").set_ylim(bottom=0.0)


def _draw_latency(log: DriveLog, figure: Any) -> None:
    axes = figure.subplots()
    axes.hist(log.latency_ms, bins=60, color=BLUE)
    for share, style in ((50, "-"), (99, "--")):
        value = float(np.percentile(log.latency_ms, share)) if len(log.latency_ms) else 0.0
        axes.axvline(value, color=ORANGE, linestyle=style, label=f"p{share} {value:.1f} ms")
    axes.set_xlabel("image stamp to command [ms]")
    axes.set_ylabel("frames")
    axes.legend()
