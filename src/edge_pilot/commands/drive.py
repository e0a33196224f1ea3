"""`edge_pilot drive`: how well a model drives on roads that it has never seen."""

from __future__ import annotations

import argparse
import csv
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from tqdm import tqdm

from edge_pilot import results
from edge_pilot.card import ModelFile
from edge_pilot.commands import add_config_arguments, add_model_argument, load_config, load_model
from edge_pilot.config import Config
from edge_pilot.errors import ConfigError
from edge_pilot.inference import backend
from edge_pilot.pipeline import Pipeline
from edge_pilot.sim import closed_loop, pool
from edge_pilot.sim.closed_loop import COLUMNS, Score, Trajectory, score
from edge_pilot.sim.renderer import Renderer
from edge_pilot.sim.simulator import Simulator
from edge_pilot.sim.world import LANE_WIDTH, MIN_RADIUS, STEP, make_world
from edge_pilot.types import Image

EXAMPLES = (
    "edge_pilot drive --seeds 100-109 --distance-m 1000 --json out/drive.json",
    "edge_pilot drive --seeds 3,5,8 --model out/pilot.onnx --csv out/drives",
    "edge_pilot drive --seeds 0-2 --without-odometry --set sim.light=haze",
    "edge_pilot drive --seeds 100-105 --holdout --no-controls",
)
MODEL, EXPERT, ZERO, GREY = "model", "expert", "zero_steering", "grey_picture"
HOLDOUT = "holdout"  # the model in light that none is trained on
CONTROLS = (ZERO, GREY, EXPERT)
MARGIN_M = 100.0  # of road beyond the distance, so that there is something to see at its end
MAX_LATERAL_MEAN_M = 0.15
GREY_LEVEL = 128


class Job(NamedTuple):
    """One drive."""

    driver: str
    seed: int
    distance_m: float
    model: ModelFile
    with_odometry: bool
    light: str


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument(
        "--seeds", type=seeds, default=seeds("0-5"), metavar="A-B,C", help="default: 0-5"
    )
    parser.add_argument("--distance-m", type=float, default=1000.0, help="for each seed")
    parser.add_argument("--json", metavar="FILE", help="write the result here; -: to stdout")
    parser.add_argument("--csv", metavar="DIR", type=Path, help="write trajectories and roads")
    parser.add_argument("--no-controls", action="store_true", help="leave the controls out")
    parser.add_argument(
        "--holdout", action="store_true",
        help="drive again in weather and light that no model is trained on; told, not judged",
    )  # fmt: skip
    parser.add_argument(
        "--without-odometry", action="store_true", help="camera and IMU alone, as some cars have"
    )
    parser.add_argument("--processes", type=int, default=0, help="default: one for each core")
    add_model_argument(parser)
    add_config_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Drive, print the scores with the controls beside them, and judge."""
    config = load_config(args)
    if not 50.0 <= args.distance_m <= 20_000.0 - MARGIN_M:
        raise ConfigError(f"expected --distance-m from 50 to 19900 m, got {args.distance_m:g}")
    sim = replace(config.sim, road_length_m=max(args.distance_m + MARGIN_M, 200.0))
    config = replace(config, sim=sim)
    model = load_model(config)
    backend.load(model)  # a model that cannot be used is refused here, not in a worker
    started = time.monotonic()
    drives = _drive_all(args, config, model)
    seconds = time.monotonic() - started
    total = score(drives[MODEL])
    _say(drives, config, model, seconds)
    if args.csv:
        _export(args.csv, config, drives)
    if args.json:
        others = (*CONTROLS, HOLDOUT)
        controls = {name: score(drives[name])._asdict() for name in others if drives[name]}
        rows = [_result(one) for one in drives[MODEL]]
        results.write(args.json, config=config, model=model, results=rows,
                      total=total._asdict(), controls=controls)  # fmt: skip
    return 0 if _is_good(total) else 1


def _drive_all(
    args: argparse.Namespace, config: Config, model: ModelFile
) -> dict[str, list[Trajectory]]:
    drivers = [MODEL, *(CONTROLS if not args.no_controls else ())]
    drivers += [HOLDOUT] if args.holdout else []
    jobs = [
        Job(driver, seed, args.distance_m, model, not args.without_odometry,
            HOLDOUT if driver == HOLDOUT else config.sim.light)
        for driver in drivers
        for seed in args.seeds
    ]  # fmt: skip
    drives: dict[str, list[Trajectory]] = {name: [] for name in (MODEL, *CONTROLS, HOLDOUT)}
    found = pool.run(drive_job, jobs, config, args.processes)
    progress = tqdm(found, desc="driving", total=len(jobs), unit="drive", file=sys.stderr)
    for job, trajectory in zip(jobs, progress, strict=True):
        drives[job.driver].append(trajectory)
    return drives


def drive_job(config: Config, renderer: Renderer, job: Job) -> Trajectory:
    """Do one drive, in a worker."""
    world = make_world(job.seed, config.sim.road_length_m, job.light)
    sim = Simulator(config, world)
    if job.driver == EXPERT:
        return closed_loop.drive(sim, closed_loop.Expert(config), job.distance_m, config)
    if job.driver == ZERO:
        return closed_loop.drive(sim, closed_loop.ZeroSteering(config), job.distance_m, config)
    grey = np.full((config.camera.height_px, config.camera.width_px, 3), GREY_LEVEL, np.uint8)
    if job.driver != GREY:
        renderer.show(world)

    def look() -> Image:
        if job.driver == GREY:
            return grey
        return renderer.render(sim.motion, sim.time_s, sim.steps)

    pipeline = Pipeline(config, job.model, backend.load(job.model, config.pilot.threads))
    driver = closed_loop.Model(config, pipeline, sim, look, job.with_odometry)
    return closed_loop.drive(sim, driver, job.distance_m, config)


def _is_good(total: Score) -> bool:
    return (
        total.departures == 0
        and total.collisions == 0
        and total.false_brakes == 0
        and total.stuck_s == 0.0
        and total.lateral_mean_m <= MAX_LATERAL_MEAN_M
    )


def _result(drive: Trajectory) -> dict[str, Any]:
    return {"seed": drive.seed, "light": drive.light, **score([drive])._asdict()}


def _say(
    drives: dict[str, list[Trajectory]], config: Config, model: ModelFile, seconds: float
) -> None:
    lines = [f"{'':24}{'km':>6}{'departures':>12}{'collisions':>12}"
             f"{'false brakes':>14}{'stuck s':>9}"
             f"{'|lateral| m':>13}{'max m':>8}{'jerk p95':>10}{'speed m/s':>13}"]  # fmt: skip
    lines += [_line(f"seed {one.seed} {one.light}", [one]) for one in drives[MODEL]]
    lights = sorted({one.light for one in drives[MODEL]})
    if len(drives[MODEL]) > len(lights) > 1:
        lines += [
            _line(f"all {light}", [one for one in drives[MODEL] if one.light == light])
            for light in lights
        ]
    lines.append(_line(f"model {model.digest}", drives[MODEL]))
    lines += [_line(name.replace("_", " "), drives[name]) for name in CONTROLS if drives[name]]
    lines += [_line(f"hold-out {one.seed} {one.light}", [one]) for one in drives[HOLDOUT]]
    lines += [_line("all hold-out", drives[HOLDOUT])] if drives[HOLDOUT] else []
    limits = (config.control.max_speed_mps, config.sim.steering_lag_s,
              config.vehicle.max_steering_rate_radps, config.sim.acceleration_lag_s)  # fmt: skip
    simulated = sum(one.column("time_s")[-1] for found in drives.values() for one in found)
    lines += [
        f"lane {LANE_WIDTH:g} m, radii from {MIN_RADIUS:g} m, limit {limits[0]:g} m/s; "
        f"steering lag {limits[1]:g} s and {limits[2]:g} rad/s, drive lag {limits[3]:g} s",
        f"{simulated:.0f} s driven in {seconds:.0f} s, {simulated / seconds:.1f} x real time",
    ]
    sys.stdout.write("\n".join(lines) + "\n")


def _line(name: str, drives: Sequence[Trajectory]) -> str:
    it = score(drives)
    return (
        f"{name:24}{it.distance_m / 1000:6.2f}{it.departures:12d}{it.collisions:12d}"
        f"{it.false_brakes:14d}{it.stuck_s:9.1f}{it.lateral_mean_m:13.3f}{it.lateral_max_m:8.2f}"
        f"{it.lateral_jerk_p95_mps3:10.2f}{it.speed_min_mps:7.1f}-{it.speed_max_mps:.1f}"
    )


def _export(folder: Path, config: Config, drives: dict[str, list[Trajectory]]) -> None:
    """Write what somebody else needs to score the drives anew."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, found in drives.items():
        for one in found:
            _write_csv(folder / f"{name}_{one.seed}.csv", COLUMNS, one.rows)
    for one in drives[MODEL]:
        road = make_world(one.seed, config.sim.road_length_m, config.sim.light).road
        s = STEP * np.arange(len(road.x))
        width = np.full(len(s), LANE_WIDTH)
        columns = ("s_m", "x_m", "y_m", "heading_rad", "curvature_1pm", "lane_width_m")
        rows = np.column_stack([s, road.x, road.y, road.heading, road.curvature, width])
        _write_csv(folder / f"road_{one.seed}.csv", columns, rows)


def _write_csv(path: Path, columns: Sequence[str], rows: np.ndarray) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows([[f"{value:.6f}" for value in row] for row in rows])


def seeds(text: str) -> list[int]:
    """Read `3,5,8-10`."""
    found: list[int] = []
    try:
        for part in text.split(","):
            low, dash, high = part.partition("-")
            found += range(int(low), int(high if dash else low) + 1)
    except ValueError:
        found = []
    if not found or max(found) > 2**31 - 1 or len(found) > 10_000:
        raise argparse.ArgumentTypeError(f"expected seeds such as 3,5,8-10, got {text!r}")
    return found
