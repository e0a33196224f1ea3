"""`edge_pilot evaluate`: a model beside the human who drove, and beside simpler drivers."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import cv2
import numpy as np
from tqdm import tqdm

from edge_pilot import card as cards
from edge_pilot import guest_card, results
from edge_pilot.commands import (
    add_config_arguments,
    add_model_argument,
    load_config,
    sources,
)
from edge_pilot.commands.sources import Source
from edge_pilot.config import Config
from edge_pilot.ego import EgoFilter
from edge_pilot.errors import BagError, ConfigError, ImageError
from edge_pilot.inference import backend, guests
from edge_pilot.learning import dataset
from edge_pilot.pipeline import Pipeline
from edge_pilot.replay import baselines, judgement, judgement_page, scene, video
from edge_pilot.replay.camera import find_intrinsics
from edge_pilot.replay.evaluate import Event, Speed, Steering, Unreadable, feel, is_fresh
from edge_pilot.replay.judgement import FIGURES, Proposal, Rows, Table, Track
from edge_pilot.resources import model as model_path
from edge_pilot.types import NANOSECONDS, EgoState, Floats, Frame, Image

EXAMPLES = (
    "edge_pilot evaluate --data drive.mcap --model out/mine.onnx --out out/evaluation",
    "edge_pilot evaluate --data tub/ --model new.onnx --previous old.onnx "
    "--fail-under correlation=0.8 --fail-under mae_rad=0.03",
)
DISTANCES_M = tuple(float(d) for d in range(5, 50, 5))  # of a path, where a model gives none
JPEG = [cv2.IMWRITE_JPEG_QUALITY, 80]


class Driver(Protocol):
    """Proposes a steering for a picture."""

    def __call__(self, frame: Frame, ego: EgoState) -> tuple[float, Floats | None]:
        """Give the steering [rad] and lateral offsets (P,) of the path, where it has one."""
        ...


class Seen(NamedTuple):
    """What passed once through a log."""

    track: Track
    grey: Floats
    jpegs: list[bytes]
    proposals: dict[str, Proposal]
    latency_ms: Floats  # of the model
    unreadable: list[Unreadable]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.description = (
        "Compare a model with what a human did in a log, beside driving straight on, a ridge on "
        "40x14 grey pixels and another model; with intervals by blocks of time. Exit status 1: a "
        "figure is not as good as --fail-under wants it."
    )
    parser.add_argument("--data", metavar="LOG", required=True, help=sources.help_text())
    parser.add_argument("--previous", metavar="FILE", type=Path, help="another model, beside it")
    parser.add_argument("--out", metavar="DIR", type=Path, help="write a page and a video here")
    parser.add_argument("--no-video", action="store_true", help="leave the video out")
    parser.add_argument("--json", metavar="FILE", help="write the result here; -: to stdout")
    parser.add_argument(
        "--fail-under", metavar="FIGURE=VALUE", type=_floor, action="append", default=[],
        help=f"of {', '.join(FIGURES)}; may be repeated",
    )  # fmt: skip
    parser.add_argument(
        "--last", metavar="SHARE", type=float, default=1.0,
        help="judge the last share of each stretch only, as training withholds it (default: 1)",
    )  # fmt: skip
    add_model_argument(parser)
    sources.add_arguments(parser)
    add_config_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Evaluate a model.

    Raises:
        InputError: the log or a model cannot be used, or nobody's steering is in the log.
    """
    config = load_config(args)
    paths = {"model": model_path(config.pilot.model)}
    paths |= {"previous": args.previous} if args.previous else {}
    with sources.open_source(args.data, args, config) as source:
        camera = find_intrinsics(source.log, source.selection, config.camera).camera
        drivers = {name: _driver(path, config, camera) for name, path in paths.items()}
        seen = _watch(source, config, drivers)
    rows = _judged(seen.track, args.last)
    if not len(rows):
        raise BagError(f"expected steering of a human in {args.data}, got none beside a picture")
    all_drivers = {
        **seen.proposals,
        "straight on": Proposal(np.zeros(len(seen.track.stamp_ns))),
        "ridge": judgement.ridge(seen.track, seen.grey, rows),
        "human": Proposal(seen.track.human_rad),
    }
    found = judgement.table(seen.track, all_drivers, rows)
    scenes = judgement.by_scene(seen.track, seen.proposals["model"], rows)
    short = judgement.shortfalls(found["model"], dict(args.fail_under))
    stream = sys.stderr if args.json == results.STANDARD_OUTPUT else sys.stdout
    stream.write("\n".join(_say(found, scenes, seen, rows, short)) + "\n")
    if args.out:
        place = _page(args, seen, all_drivers, rows, found, scenes, short)
        stream.write(f"page      {place}\n")
    if args.json:
        _write_json(args, config, seen, rows, found, scenes, short)
    return 1 if short else 0


def _driver(path: Path, config: Config, camera: cards.CameraModel | None) -> Driver:
    """Give a driver for a pilot's model, or for a guest that steers.

    Raises:
        InputError: it is neither.
    """
    if guest_card.decoder_of(guest_card.beside(path)) != guest_card.PILOT:
        return _guest_driver(path, config)
    model = cards.load(path)
    pipeline = Pipeline(config, model, backend.load(model, config.pilot.threads), camera)

    def drive(frame: Frame, ego: EgoState) -> tuple[float, Floats | None]:
        decision = pipeline.step(frame, ego)
        return decision.command.steering_rad, _at(DISTANCES_M, decision.prediction.path.points_m)

    return drive


def _guest_driver(path: Path, config: Config) -> Driver:
    guest = guests.load(guest_card.load(path), config.pilot.threads)

    def drive(frame: Frame, ego: EgoState) -> tuple[float, Floats | None]:
        steering = guest.look(frame.image).steering_rad
        if steering is None:
            raise ConfigError(f"expected a model that steers, got a {guest.file.card.decoder}")
        return steering, None

    return drive


def _watch(source: Source, config: Config, drivers: dict[str, Driver]) -> Seen:
    """Pass through the log once, and let each driver see each picture."""
    ego, human, speed = EgoFilter(), None, None
    rows: list[tuple[int, float, float, float]] = []
    grey, jpegs, unreadable, laps = [], [], [], []
    said: dict[str, list[tuple[float, Floats | None]]] = {name: [] for name in drivers}
    for event in _shown(source, config):
        feel(ego, event)
        if isinstance(event, Speed):
            speed = event
        elif isinstance(event, Steering):
            human = event
        elif isinstance(event, Unreadable):
            unreadable.append(event)
        elif isinstance(event, Frame):
            try:
                for name, drive in drivers.items():
                    begun = time.perf_counter()
                    said[name].append(drive(event, ego.state()))
                    if name == "model":
                        laps.append(1e3 * (time.perf_counter() - begun))
            except ImageError as error:
                unreadable.append(Unreadable(event.stamp_ns, str(error)))
                continue
            now = event.stamp_ns
            steering = human.steering_rad if human and is_fresh(human, now) else np.nan
            pace = speed.speed_mps if speed and is_fresh(speed, now) else np.nan
            rows.append((now, steering, pace, float(event.image.mean())))
            grey.append(baselines.grey(_lower(event.image)))
            jpegs.append(_thumbnail(event.image))
    if not rows:
        raise BagError(f"expected readable pictures in {source.log.path}, got none")
    stamps, *known = (np.array(column) for column in zip(*rows, strict=True))
    track = _track(stamps.astype(np.int64), known, config)
    proposals = {
        name: Proposal(
            np.array([one for one, _ in values]),
            None if values[0][1] is None else np.array([path for _, path in values]),
        )
        for name, values in said.items()
    }
    return Seen(track, np.array(grey), jpegs, proposals, np.array(laps), unreadable)


def _shown(source: Source, config: Config) -> Iterator[Event]:
    camera = source.selection.camera
    with tqdm(total=camera.count if camera else 0, unit="frame", disable=None) as bar:
        for event in source.events(config):
            yield event
            bar.update(isinstance(event, Frame))


def _track(stamps: Rows, known: list[Floats], config: Config) -> Track:
    steering, speed, light = known
    nothing = np.zeros((len(stamps), 1, 1, 3), np.uint8)
    bad = np.zeros(len(stamps), np.bool_)
    drive = dataset.Drive(
        nothing, stamps, steering, speed, np.zeros((len(stamps), 0), np.float32), bad
    )
    wheelbase = config.vehicle.wheelbase_m
    path = dataset.labels(drive, wheelbase, DISTANCES_M, 0.0, 0.0)["path"]
    return Track(stamps, steering, speed, light, path.astype(np.float64), wheelbase)


def _judged(track: Track, share: float) -> Rows:
    parts = []
    for rows in dataset.stretches(track.stamp_ns):
        at = track.stamp_ns[rows] - track.stamp_ns[rows[0]]
        parts.append(rows[at >= (1.0 - share) * at[-1]])
    rows = np.concatenate(parts)
    return rows[np.isfinite(track.human_rad[rows])]


def _at(distances_m: tuple[float, ...], points: Floats) -> Floats:
    """Give the lateral offset of a path at distances along it; NaN beyond its end."""
    along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(points, axis=0).T))])
    return np.interp(distances_m, along, points[:, 1], right=np.nan)


def _lower(image: Image) -> Image:
    return image[round(0.3 * len(image)) :]


def _thumbnail(image: Image) -> bytes:
    height = max(2, round(scene.WIDTH_PX * image.shape[0] / image.shape[1]))
    small = cv2.resize(np.ascontiguousarray(image), (scene.WIDTH_PX, height))
    return bytes(cv2.imencode(".jpg", small[..., ::-1], JPEG)[1])


def _drawn(seen: Seen, row: int) -> Image:
    picture = cv2.imdecode(np.frombuffer(seen.jpegs[row], np.uint8), cv2.IMREAD_COLOR)
    human = float(seen.track.human_rad[row])
    own = float(seen.proposals["model"].steering_rad[row])
    at_s = (seen.track.stamp_ns[row] - seen.track.stamp_ns[0]) / NANOSECONDS
    caption = f"{at_s:.1f} s  human {human:+.3f}  model {own:+.3f} rad"
    return scene.draw(np.asarray(picture, np.uint8)[..., ::-1], human, own, caption)


def _page(
    args: argparse.Namespace, seen: Seen, drivers: dict[str, Proposal], rows: Rows,
    found: Table, scenes: Table, short: list[str],
) -> Path:  # fmt: skip
    args.out.mkdir(parents=True, exist_ok=True)
    stills = []
    for row in judgement.worst(seen.track, seen.proposals["model"], rows):
        drawn = _drawn(seen, row)
        jpeg = bytes(cv2.imencode(".jpg", drawn[..., ::-1], JPEG)[1])
        at_s = (seen.track.stamp_ns[row] - seen.track.stamp_ns[0]) / NANOSECONDS
        stills.append((f"after {at_s:.1f} s", jpeg))
    verdict = "; ".join(short) or _verdict(found)
    latency = [(f"latency {q} %", f"{ms:.1f} ms") for q, ms in _latency(seen).items()]
    facts = [("log", Path(args.data).name), ("frames judged", str(len(rows))), *latency]
    return judgement_page.write(
        args.out, f"{Path(args.data).name} against its human", verdict, not short, found, scenes,
        seen.track, drivers, rows, stills, _film(args, seen), facts,
    )  # fmt: skip


def _film(args: argparse.Namespace, seen: Seen) -> Path | None:
    if args.no_video:
        return None
    steps = np.diff(seen.track.stamp_ns)
    rate = NANOSECONDS / float(np.median(steps[steps > 0])) if (steps > 0).any() else 20.0
    path = args.out / "evaluation.webm"
    first = _drawn(seen, 0)
    pictures = (_drawn(seen, row) for row in range(len(seen.jpegs)))
    try:
        video.encode(pictures, (first.shape[1], first.shape[0]), path, round(rate, 2))
    except video.VideoError as error:
        sys.stderr.write(f"no video: {error}\n")
        return None
    return Path(path.name)


def _latency(seen: Seen) -> dict[str, float]:
    return {str(q): float(np.percentile(seen.latency_ms, q)) for q in (50, 99)}


def _verdict(found: Table) -> str:
    own, ridge = (found[name]["mae_rad"]["value"] for name in ("model", "ridge"))
    side = "nearer to the human than" if own < ridge else "not nearer to the human than"
    return f"The model steers {side} a ridge on grey pixels: {own:.4f} and {ridge:.4f} rad."


def _say(found: Table, scenes: Table, seen: Seen, rows: Rows, short: list[str]) -> Iterator[str]:
    yield f"judged    {len(rows)} frames, {len(seen.unreadable)} messages unusable"
    for name, figures in found.items():
        parts = [f"{key} {_number(figures[key])}" for key in FIGURES]
        yield f"driver    {name}: " + ", ".join(parts)
    for name, some in scenes.items():
        yield f"scene     {name}: {some['frames']} frames, mae_rad {some['mae_rad']:.4f}"
    times = ", ".join(f"p{q} {ms:.1f} ms" for q, ms in _latency(seen).items())
    yield f"latency   {times}"
    yield f"verdict   {_verdict(found)}"
    yield from (f"short     {line}" for line in short)


def _number(one: dict[str, Any]) -> str:
    if one["value"] is None:
        return "-"
    text = f"{one['value']:.4g}"
    low_high = one["interval"]
    return text + (f" [{low_high[0]:.3g}, {low_high[1]:.3g}]" if low_high else "")


def _write_json(
    args: argparse.Namespace, config: Config, seen: Seen, rows: Rows, found: Table,
    scenes: Table, short: list[str],
) -> None:  # fmt: skip
    worst = judgement.worst(seen.track, seen.proposals["model"], rows)
    results.write(
        args.json, config=config, model=None, results=[],
        total={
            "frames": len(rows), "unreadable": len(seen.unreadable), "drivers": found,
            "scenes": scenes, "latency_ms": _latency(seen), "shortfalls": short,
            "worst_stamps_ns": [int(seen.track.stamp_ns[row]) for row in worst],
        },
        data=Path(args.data).name,
    )  # fmt: skip


def _floor(text: str) -> tuple[str, float]:
    name, sign, value = text.partition("=")
    try:
        if not sign or name not in FIGURES:
            raise ValueError
        return name, float(value)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"expected FIGURE=VALUE with a figure of {', '.join(FIGURES)}, got {text!r}"
        ) from None
