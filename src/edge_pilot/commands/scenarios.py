"""`edge_pilot scenarios`: whether the car brakes for what it must, and for nothing else."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from tqdm import tqdm

from edge_pilot import results
from edge_pilot.card import ModelFile
from edge_pilot.commands import (
    add_config_arguments,
    add_model_argument,
    load_config,
    load_model,
    scenario_page,
)
from edge_pilot.commands.drive import seeds
from edge_pilot.config import Config
from edge_pilot.errors import ConfigError
from edge_pilot.inference import backend
from edge_pilot.pipeline import Pipeline
from edge_pilot.sim import closed_loop, pool, trial
from edge_pilot.sim.renderer import Renderer
from edge_pilot.sim.scenarios import SCENES, make_scene
from edge_pilot.sim.trial import Outcome

EXAMPLES = (
    "edge_pilot scenarios --speeds 5-14 --seeds 0-3 --json out/scenarios.json --out out",
    "edge_pilot scenarios --scenes CCRs,CPNA-75 --speeds 8,12 --sensors camera,lidar",
    "edge_pilot scenarios --driver expert --seeds 0-9",
)
BOTH, CAMERA, LIDAR, PERFECT = "both", "camera", "lidar", "perfect"
SENSORS = (BOTH, CAMERA, LIDAR)
MODEL, EXPERT = "model", "expert"
ALONE = ("CCRs", "CPNA-25", "CPNA-75")  # what one sensor alone must master; the rest is shown
FASTEST_MPS = 20.0


class Job(NamedTuple):
    """One scene, once."""

    sensors: str
    scene: str
    speed_mps: float
    seed: int
    model: ModelFile | None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument(
        "--speeds", type=seeds, default=seeds("5-14"), metavar="A-B,C", help="m/s; default: 5-14"
    )
    parser.add_argument(
        "--seeds", type=seeds, default=seeds("0-1"), metavar="A-B,C", help="default: 0-1"
    )
    parser.add_argument(
        "--scenes", type=_names(tuple(SCENES)), default=tuple(SCENES), metavar="A,B",
        help=f"default: all of {', '.join(SCENES)}",
    )  # fmt: skip
    parser.add_argument(
        "--sensors", type=_names(SENSORS), default=SENSORS, metavar="A,B",
        help="what the car brakes by, a run for each; default: both,camera,lidar",
    )  # fmt: skip
    parser.add_argument(
        "--driver", choices=(MODEL, EXPERT), default=MODEL,
        help="expert: the car's own control with perfect sight, as a reference",
    )  # fmt: skip
    parser.add_argument("--json", metavar="FILE", help="write the result here; -: to stdout")
    parser.add_argument("--out", metavar="DIR", type=Path, help="write scenarios.html there")
    parser.add_argument("--processes", type=int, default=0, help="default: one for each core")
    add_model_argument(parser)
    add_config_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Run all scenes, print what came of them, and judge."""
    config = load_config(args)
    if not 1 <= min(args.speeds) <= max(args.speeds) <= FASTEST_MPS:
        raise ConfigError(f"expected --speeds from 1 to {FASTEST_MPS:g} m/s, got {args.speeds}")
    model = load_model(config) if args.driver == MODEL else None
    if model:
        backend.load(model)  # a model that cannot be used is refused here, not in a worker
    sensors = args.sensors if model else (PERFECT,)
    jobs = [
        Job(sensor, scene, float(speed), seed, model)
        for sensor in sensors
        for scene in args.scenes
        for speed in args.speeds
        for seed in args.seeds
    ]
    found = pool.run(_run, jobs, config, args.processes)
    progress = tqdm(found, desc="scenes", total=len(jobs), unit="scene", file=sys.stderr)
    runs: dict[str, list[Outcome]] = {sensor: [] for sensor in sensors}
    for job, outcome in zip(jobs, progress, strict=True):
        runs[job.sensors].append(outcome)
    return _report(args, config, model, runs)


def failures(sensors: str, outcomes: Iterable[Outcome]) -> list[Outcome]:
    """Give the runs that break what must hold with these sensors."""
    return [
        one
        for one in outcomes
        if not one.passed and (sensors in (BOTH, PERFECT) or one.scene in ALONE)
    ]


def summary(sensors: str, outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Sum up all runs with the same sensors."""
    km = sum(one.distance_m for one in outcomes) / 1000.0
    must = [one for one in outcomes if one.must_brake]
    false_brakes = sum(one.false_brakes for one in outcomes)
    return {
        "runs": len(outcomes),
        "must_brake": len(must),
        "possible": sum(one.possible for one in must),
        "avoided": sum(one.avoided for one in must),
        "avoided_where_possible": sum(one.avoided and one.possible for one in must),
        "failed": len(failures(sensors, outcomes)),
        "false_brakes": false_brakes,
        "false_brakes_per_km": false_brakes / max(km, 1e-3),
        "stuck_s": math.fsum(one.stuck_s for one in outcomes),
        "not_released": sum(one.avoided and not one.released for one in outcomes),
        "km": km,
    }


def _run(config: Config, renderer: Renderer, job: Job) -> Outcome:
    """Drive one scene, in a worker."""
    control = replace(config.control, max_speed_mps=job.speed_mps)
    pilot = config.pilot
    if job.sensors in SENSORS:
        pilot = replace(
            pilot, use_camera=job.sensors != LIDAR, use_lidar=job.sensors != CAMERA
        )  # fmt: skip
    config = replace(config, control=control, pilot=pilot)
    scene = make_scene(job.scene, job.seed, job.speed_mps, config.vehicle, config.sim.light)
    sim = trial.prepare(scene, config)
    if job.model is None:
        return trial.run(scene, closed_loop.Expert(config), config, sim)
    renderer.show(scene.world)
    pipeline = Pipeline(config, job.model, backend.load(job.model, pilot.threads))
    driver = closed_loop.Model(
        config, pipeline, sim, lambda: renderer.render(sim.motion, sim.time_s, sim.steps)
    )
    return trial.run(scene, driver, config, sim)


def _report(
    args: argparse.Namespace, config: Config, model: ModelFile | None,
    runs: dict[str, list[Outcome]],
) -> int:  # fmt: skip
    total = {sensors: summary(sensors, found) for sensors, found in runs.items()}
    wrong = {sensors: failures(sensors, found) for sensors, found in runs.items()}
    sys.stdout.write("\n".join(_lines(runs, total, wrong)) + "\n")
    if args.json:
        rows = [
            {"sensors": name, **one._asdict()} for name, found in runs.items() for one in found
        ]
        results.write(args.json, config=config, model=model, results=rows, total=total)
    if args.out:
        args.out.mkdir(parents=True, exist_ok=True)
        text = scenario_page.write(runs, total, model.digest if model else EXPERT)
        (args.out / "scenarios.html").write_text(text, encoding="utf-8")
    return 1 if any(wrong.values()) else 0


def _lines(
    runs: dict[str, list[Outcome]], total: dict[str, dict[str, Any]],
    wrong: dict[str, list[Outcome]],
) -> list[str]:  # fmt: skip
    lines = []
    for sensors, found in runs.items():
        lines += _table(sensors, found)
        it = total[sensors]
        lines.append(
            f"{it['avoided_where_possible']} of {it['possible']} avoided where possible, "
            f"{it['avoided']} of {it['must_brake']} of all; "
            f"{it['false_brakes']} false brakes in {it['km']:.1f} km "
            f"({it['false_brakes_per_km']:.2f} per km), stuck {it['stuck_s']:.1f} s, "
            f"{it['not_released']} did not go on; {it['failed']} failed"
        )
        lines += [f"  failed: {_why(one)}" for one in wrong[sensors]]
        lines.append("")
    return lines


def _table(sensors: str, outcomes: Sequence[Outcome]) -> list[str]:
    """Say for each scene and speed how many runs ended well, and the worst impact."""
    speeds = sorted({one.speed_mps for one in outcomes})
    lines = [f"{sensors:12}" + "".join(f"{f'{speed:g} m/s':>11}" for speed in speeds)]
    for scene in dict.fromkeys(one.scene for one in outcomes):
        cells = []
        for speed in speeds:
            here = [one for one in outcomes if (one.scene, one.speed_mps) == (scene, speed)]
            cells.append(f"{scenario_page.cell(here):>11}")
        lines.append(f"{scene:12}" + "".join(cells))
    return lines


def _why(one: Outcome) -> str:
    what = f"{one.scene} at {one.speed_mps:g} m/s, seed {one.seed} ({one.light})"
    if not one.avoided:
        could = "could be avoided" if one.possible else "could not be avoided"
        return f"{what}: hit with {one.impact_mps:.1f} m/s, {could}"
    if not one.must_brake:
        return f"{what}: braked with {one.used_mps2:.1f} m/s^2 for nothing"
    return f"{what}: did not go on, stuck for {one.stuck_s:.1f} s"


def _names(known: Sequence[str]) -> Any:
    def read(text: str) -> tuple[str, ...]:
        found = tuple(part.strip() for part in text.split(","))
        if not set(found) <= set(known):
            raise argparse.ArgumentTypeError(f"expected some of {','.join(known)}, got {text!r}")
        return found

    return read
