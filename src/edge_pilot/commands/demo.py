"""`edge_pilot demo`: the car drives an unseen road through real ROS 2 nodes, with a report."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

from tqdm import tqdm

from edge_pilot import results
from edge_pilot.commands import add_config_arguments, add_model_argument, load_config, load_model
from edge_pilot.config import Config
from edge_pilot.errors import ConfigError
from edge_pilot.replay import report, video
from edge_pilot.replay.drivelog import DriveLog
from edge_pilot.sim.world import LIGHTS

EXAMPLES = (
    "edge_pilot demo",
    "edge_pilot demo --seed 7 --light dusk --seconds 120 --out out/dusk",
)
FASTEST_MPS = 15.0  # the road must last for the whole drive
SPARE_M = 150.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument("--seconds", type=float, default=60.0, help="of driving; default: 60")
    parser.add_argument("--seed", type=int, default=42, help="of the road; default: 42")
    parser.add_argument("--light", choices=("auto", *LIGHTS), default="auto")
    parser.add_argument("--out", metavar="DIR", type=Path, default=Path("out/demo"))
    parser.add_argument("--no-video", action="store_true", help="leave the video out")
    add_model_argument(parser)
    add_config_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Drive, then write the report, the video and the JSON."""
    from edge_pilot.nodes.demo import DriveError, drive_live  # needs ROS 2

    if not 5.0 <= args.seconds <= 1200.0:
        raise ConfigError(f"expected --seconds from 5 to 1200, got {args.seconds:g}")
    config = load_config(args)
    length = args.seconds * FASTEST_MPS + SPARE_M
    config = replace(config, sim=replace(config.sim, seed=args.seed, light=args.light,
                                         road_length_m=max(length, 200.0)))  # fmt: skip
    model = load_model(config)
    logs = args.out / "log"
    logs.mkdir(parents=True, exist_ok=True)
    _tell(f"starting sim, pilot and safety (what they say: {logs}/*.log)")
    try:
        with tqdm(desc="driving", total=args.seconds, unit="s", file=sys.stderr,
                  bar_format="{desc} {percentage:3.0f}%|{bar}| {n:.0f}/{total:.0f} s {postfix}"
                  ) as bar:  # fmt: skip
            log = drive_live(config, model, args.seconds, logs, lambda s, t: _show(bar, s, t))
    except DriveError as error:
        _tell(str(error))
        return 1
    film = None if args.no_video else _film(args.out, log, config)
    report.write(log, config.camera, args.out, film, config.vehicle)
    summary = report.summary(log)
    results.write(str(args.out / "demo.json"), config=config, model=model, results=[summary],
                  total=summary)  # fmt: skip
    _tell(report.verdict(summary))
    _tell(f"report: {args.out / 'report.html'}")
    return 0 if report.is_good(summary) else 1


def _film(out: Path, log: DriveLog, config: Config) -> Path | None:
    """Write the video, or say why there is none."""
    path = out / "drive.webm"
    with tqdm(desc="video  ", total=len(log.frames), unit="frame", file=sys.stderr) as bar:

        def show(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        try:
            camera = config.camera
            video.write(log, camera, path, camera.rate_hz, show, config.vehicle)
        except video.VideoError as error:
            _tell(str(error))
            return None
    return path


def _show(bar: tqdm[NoReturn], seconds: float, truth: Mapping[str, float]) -> None:
    bar.set_postfix_str(
        f"{truth['speed_mps']:.1f} m/s, {truth['lateral_m']:+.2f} m from the lane's centre",
        refresh=False,
    )
    bar.update(seconds - bar.n)


def _tell(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
