"""The report of a drive: one HTML file that says first whether it went well."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote

import cv2
import numpy as np

from edge_pilot.config import CameraConfig, VehicleConfig
from edge_pilot.replay import encounters, figures, overlay, page, video
from edge_pilot.replay.drivelog import DriveLog
from edge_pilot.types import Floats

NAME = "report.html"
LARGEST_VIDEO = 16 * 2**20  # bytes that go into the page
MOVED_M = 10.0  # less is no drive
FRAMES = ("published", "received", "lost", "superseded")
STILLS = 6
MOST_STATES = 40  # that are listed
MISSING = "\N{EN DASH}"
CAPTIONS = {
    "map": "The road from above, in metres from the start, turned so that the drive goes from "
    "left to right: the lane in its true width, and the line that the middle of the rear axle "
    "drove, coloured by how far from the lane's centre it was.",
    "lateral": "How far the middle of the rear axle was from the lane's centre, in metres, over "
    "time in seconds; and what the car believed. Beyond the dashed lines a wheel is over a line "
    "of the lane, while the car is parallel to it.",
    "steering": "The angle of the road wheels in degrees, and what the vehicle was told.",
    "speed": "The speed in metres per second, and what the car believed.",
    "latency": "Wall time in milliseconds from the stamp of a picture to the command that was "
    "decided from it. The scale of the counts is logarithmic, so that single late ones are seen.",
    "states": "The state of the safety process over time in seconds.",
}
TITLES = {
    "map": "Map", "lateral": "Lateral error", "steering": "Steering", "speed": "Speed",
    "latency": "Latency", "states": "Safety",
}  # fmt: skip


def summary(log: DriveLog) -> dict[str, Any]:
    """Sum a drive up in plain numbers; what was not measured is NaN."""
    truth = log.truth
    error, speed = np.abs(truth["lateral_m"]), truth["speed_mps"]
    periods = np.diff(truth["time_s"])
    named = {f"frames_{name}": log.counts[name] for name in FRAMES}
    others = {name.replace(" ", "_"): n for name, n in log.counts.items() if name not in FRAMES}
    return {
        "seed": log.seed,
        "light": log.light,
        "duration_s": float(truth["time_s"][-1]),
        "distance_m": float((0.5 * (speed[1:] + speed[:-1]) * periods).sum()),
        "departures": _count_begins(truth["off_lane"]),
        "collisions": _count_begins(truth["collided"]),
        "lateral_mean_m": float(error.mean()),
        "lateral_max_m": float(error.max()),
        "speed_mean_mps": float(speed.mean()),
        "speed_max_mps": float(speed.max()),
        **{f"latency_{name}_ms": value for name, value in _spread(log.latency_ms).items()},
        **named,
        **others,
    }


def is_good(summary: Mapping[str, Any]) -> bool:
    """Whether the car moved, stayed in its lane, touched nothing, and no frame was lost."""
    faults = summary["departures"] + summary["collisions"] + summary["frames_lost"]
    return bool(faults == 0 and summary["distance_m"] >= MOVED_M)


def verdict(summary: Mapping[str, Any]) -> str:
    """Say in one sentence how the drive went."""
    lost, published = summary["frames_lost"], summary["frames_published"]
    frames = f"{lost or 'none'} of {published} frames {'were' if lost > 1 else 'was'} lost"
    drive = f"{summary['distance_m']:.0f} m and {summary['duration_s']:.0f} s"
    if summary["distance_m"] < MOVED_M:
        return f"The car hardly moved: {drive}; {frames}."
    left, hit = summary["departures"], summary["collisions"]
    lane = f"left its lane {_times(left)}" if left else "stayed in its lane"
    collided = f" and collided {_times(hit)}" if hit else ""
    return f"The car {lane}{collided} {'in' if left or hit else 'for'} {drive}; {frames}."


def write(
    log: DriveLog,
    camera: CameraConfig,
    out_folder: Path,
    video_path: Path | None,
    vehicle: VehicleConfig = overlay.CAR,
) -> None:
    """Write `report.html`, self-contained but for a video that is too large to go into it.

    Args:
        log: the drive.
        camera: what took its pictures.
        out_folder: where it goes; exists.
        video_path: a WebM file of the drive, or None.
        vehicle: the car.

    Raises:
        ImageError: a picture of the log is damaged.
        OSError: the file cannot be written.
    """
    total, width_m = summary(log), vehicle.width_m
    stills = _stills(log, camera, vehicle)
    parts = [
        _head(log, total),
        _film(video_path, out_folder, stills) if video_path else "",
        _strip(stills) if stills else "",
        "<h2>In numbers</h2>",
        _numbers(log, total, vehicle),
        "<h2>The drive</h2>",
        *(_wide(name, log, width_m) for name in ("map", "lateral")),
        _halves(_half(name, log, width_m) for name in ("steering", "speed")),
        "<h2>Latency and safety</h2>",
        _halves([_half("latency", log, width_m), _stages(log.stages_ms)]),
        _wide("states", log, width_m),
        _sentences(log.states),
    ]
    text = page.page(f"edge_pilot: road {log.seed}, {log.light}", filter(None, parts))
    (out_folder / NAME).write_text(text, encoding="utf-8")


def _head(log: DriveLog, total: Mapping[str, Any]) -> str:
    kind = "verdict" if is_good(total) else "verdict bad"
    about = f"road {log.seed} \N{MIDDLE DOT} {log.light} \N{MIDDLE DOT} model {log.model}"
    return (
        f"<h1>edge_pilot: report of a drive</h1>\n"
        f'<p class="{kind}">{escape(verdict(total))}</p>\n<p class="about">{escape(about)}</p>'
    )


def _film(path: Path, out_folder: Path, stills: Sequence[str]) -> str:
    size = path.stat().st_size
    source = quote(os.path.relpath(path, out_folder))
    caption = "The drive with what the car made of it: where it means to drive (green, as wide as "
    caption += "the car; paler: one standard deviation of the path), what it saw (vermilion: what "
    caption += "it brakes for), steering, offset and speed."
    if size < LARGEST_VIDEO:
        source = page.data_uri("video/webm", path.read_bytes())
    else:
        caption += f" The video is a file of its own, {source} ({size / 1e6:.0f} MB)."
    poster = f' poster="{stills[len(stills) // 2]}"' if stills else ""
    player = f'<video controls loop muted playsinline preload="metadata"{poster}'
    content = f'{player} src="{source}"></video>'
    return f'<div class="media">{page.figure(content, caption)}</div>'


def _strip(stills: Sequence[str]) -> str:
    pictures = "\n".join(
        f'<img alt="picture {number} of the drive" src="{still}">'
        for number, still in enumerate(stills, start=1)
    )
    caption = "Pictures of the drive at equal intervals of time, the first and the last included."
    return page.figure(f'<div class="strip">\n{pictures}\n</div>', caption)


def _stills(log: DriveLog, camera: CameraConfig, vehicle: VehicleConfig) -> list[str]:
    """Give some pictures of the drive, everything drawn into them, as addresses."""
    chosen = np.unique(np.linspace(0, len(log.frames) - 1, STILLS).round().astype(int))
    addresses = []
    for i in chosen if log.frames else ():
        picture = video.still(log, log.frames[i], camera, vehicle)
        bgr = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
        jpeg = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, 85])[1].tobytes()
        addresses.append(page.data_uri("image/jpeg", jpeg))
    return addresses


def _numbers(log: DriveLog, total: Mapping[str, Any], vehicle: VehicleConfig) -> str:
    rows = {
        "Drive": [
            ("distance", f"{total['distance_m']:.0f} m"),
            ("duration", f"{total['duration_s']:.1f} s"),
            ("mean speed", f"{total['speed_mean_mps']:.1f} m/s"),
            ("highest speed", f"{total['speed_max_mps']:.1f} m/s"),
            ("seed", str(log.seed)), ("light", log.light), ("model", log.model),
        ],
        "Lane": [
            ("departures", str(total["departures"])),
            ("collisions", str(total["collisions"])),
            ("mean |lateral error|", f"{total['lateral_mean_m']:.3f} m"),
            ("largest |lateral error|", f"{total['lateral_max_m']:.3f} m"),
            ("width of the lane", f"{log.lane_width_m:.2f} m"),
        ],
        "Latency, picture to command": [
            (name, _ms(total[f"latency_{key}_ms"]))
            for name, key in (("half below (p50)", "p50"), ("99 % below (p99)", "p99"),
                              ("longest", "max"))
        ],
        "Frames and decisions": [(name, str(count)) for name, count in log.counts.items()],
        "Obstacles that were met": _met(log, vehicle),
    }  # fmt: skip
    cards = "\n".join(page.card(title, lines) for title, lines in rows.items())
    return f'<div class="cards">\n{cards}\n</div>'


def _met(log: DriveLog, vehicle: VehicleConfig) -> list[tuple[str, str]]:
    """Say how many things of each kind were seen, and how many of them the car braked for."""
    met = encounters.find(log, vehicle, overlay.CONTROL)
    return [
        (kind, f"{seen}, braked for {braked or 'none'}")
        for kind, (seen, braked) in encounters.count(met).items()
    ] or [("any", "none was seen")]


def _wide(name: str, log: DriveLog, width_m: float) -> str:
    """Give a figure twice, for wide and for narrow screens; the page shows one of them."""
    drawings = [
        page.svg(figures.render(name, log, width_m, width), TITLES[name], kind)
        for width, kind in ((figures.WIDE_PT, "wide"), (figures.NARROW_PT, "narrow"))
    ]
    return page.figure("\n".join(drawings), CAPTIONS[name], TITLES[name])


def _half(name: str, log: DriveLog, width_m: float) -> str:
    drawing = page.svg(figures.render(name, log, width_m, figures.NARROW_PT), TITLES[name])
    return page.figure(drawing, CAPTIONS[name], TITLES[name])


def _halves(parts: Iterable[str]) -> str:
    return '<div class="halves">\n' + "\n".join(parts) + "\n</div>"


def _stages(stages_ms: Mapping[str, Floats]) -> str:
    rows = [
        (name, *(_ms(value) for value in _spread(values).values()))
        for name, values in stages_ms.items()
    ]
    caption = "What was measured on the way, in wall time. Waiting between these is not in them."
    return page.figure(page.table(rows, ("stage", "p50", "p99", "longest")), caption, "Stages")


def _sentences(states: Sequence[tuple[float, str, str]]) -> str:
    rows = [(f"{time:.2f} s", state, said) for time, state, said in states[:MOST_STATES]]
    more = len(states) - len(rows)
    caption = "What the safety process said where its state changed."
    caption += f" {more} more changes followed." if more else ""
    return page.figure(page.table(rows, words=True), caption)


def _count_begins(flags: Floats) -> int:
    is_set = flags != 0
    return int(is_set[0]) + int((is_set[1:] & ~is_set[:-1]).sum())


def _spread(values: Floats) -> dict[str, float]:
    known = values[np.isfinite(values)]
    if not len(known):
        return dict.fromkeys(("p50", "p99", "max"), float("nan"))
    p50, p99 = np.percentile(known, [50, 99])
    return {"p50": float(p50), "p99": float(p99), "max": float(known.max())}


def _ms(value: float) -> str:
    return f"{value:.1f} ms" if np.isfinite(value) else MISSING


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"
