"""`edge_pilot perceive`: how well a model sees, on roads that no model was trained on."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from edge_pilot import results
from edge_pilot.card import ModelFile
from edge_pilot.commands import add_config_arguments, add_model_argument, load_config, load_model
from edge_pilot.commands.drive import seeds
from edge_pilot.config import Config
from edge_pilot.errors import ConfigError
from edge_pilot.inference import backend
from edge_pilot.inference.backend import Backend
from edge_pilot.perception.heads import decode
from edge_pilot.perception.quality import DISTANCES_M, Picture
from edge_pilot.preprocess import Preprocessor
from edge_pilot.replay import sight_page, sight_stills, sight_tables, sights
from edge_pilot.replay.sights import (
    MAX_PATH_ERROR_M,
    MIN_PRECISION,
    PATH_AT_M,
    Road,
    Sights,
    Still,
)
from edge_pilot.sim import eyesight, pool
from edge_pilot.sim.collect import Samples, collect
from edge_pilot.sim.expert import Wanderer
from edge_pilot.sim.renderer import Renderer
from edge_pilot.sim.world import make_world

EXAMPLES = (
    "edge_pilot perceive --seeds 200-205 --json out/perceive.json --out out/perceive",
    "edge_pilot perceive --seeds 200-202 --holdout --model out/pilot.onnx",
)
TRAINED_FROM = 1_000_000  # commands.train.FIRST_ROAD, which would import torch
HOLDOUT = "holdout"
WORST, BEST = 3, 1  # pictures of a road


class Job(NamedTuple):
    """One road to look at."""

    seed: int
    light: str
    model: ModelFile


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    floors = ", ".join(f"{kind} {floor:g}" for kind, floor in MIN_PRECISION.items())
    parser.description = (
        "Measure how well a model sees, while an expert drives roads that no model was trained "
        "on. Exit status 1: in the usual light an average precision at IoU 0.5 is below its floor "
        f"({floors}), or the path's mean error at {PATH_AT_M:g} m is above {MAX_PATH_ERROR_M:g} m."
    )
    parser.add_argument(
        "--seeds", type=seeds, default=seeds("200-205"), metavar="A-B,C", help="default: 200-205"
    )
    parser.add_argument("--distance-m", type=float, default=1000.0, help="of each road")
    parser.add_argument(
        "--holdout", action="store_true",
        help="look again in weather and light that no model is trained on; told, not judged",
    )  # fmt: skip
    parser.add_argument("--json", metavar="FILE", help="write the result here; -: to stdout")
    parser.add_argument("--out", metavar="DIR", type=Path, help="write a page with pictures here")
    parser.add_argument("--processes", type=int, default=0, help="default: one for each core")
    add_model_argument(parser)
    add_config_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Look at all roads, print what was seen, and judge."""
    config, started = _configure(args), time.monotonic()
    model = load_model(config)
    backend.load(model)  # a model that cannot be used is refused here, not in a worker
    groups = _look_all(args, config, model)
    usual = groups[sight_page.USUAL]
    sys.stdout.write(_table(groups, time.monotonic() - started))
    if args.json:
        _write_json(args.json, config, model, groups)
    if args.out:
        name = f"{model.card.name} {model.digest}"
        sys.stdout.write(f"page: {sight_page.write(groups, name, args.out)}\n")
    return 1 if sights.shortfalls(usual) else 0


def _configure(args: argparse.Namespace) -> Config:
    config = load_config(args)
    if max(args.seeds) >= TRAINED_FROM:
        raise ConfigError(
            f"expected --seeds below {TRAINED_FROM}, got {max(args.seeds)}: "
            "models are trained on roads from there on"
        )
    if not 200.0 <= args.distance_m <= 20_000.0:
        raise ConfigError(f"expected --distance-m from 200 to 20000 m, got {args.distance_m:g}")
    return replace(config, sim=replace(config.sim, road_length_m=args.distance_m))


def _look_all(args: argparse.Namespace, config: Config, model: ModelFile) -> dict[str, Sights]:
    """Look at each road in a worker; give what was seen in usual light and in the other."""
    lights = [config.sim.light, *([HOLDOUT] if args.holdout else [])]
    jobs = [Job(seed, light, model) for light in lights for seed in args.seeds]
    found = pool.run(_look, jobs, config, args.processes)
    bar = tqdm(found, desc="looking", total=len(jobs), unit="road", file=sys.stderr)
    roads: dict[str, list[Road]] = {}
    for job, road in zip(jobs, bar, strict=True):
        name = sight_page.HOLDOUT if job.light == HOLDOUT else sight_page.USUAL
        roads.setdefault(name, []).append(road)
    distances_m = model.card.path_distances_m
    return {name: sights.sum_up(group, distances_m) for name, group in roads.items()}


def _look(config: Config, renderer: Renderer, job: Job) -> Road:
    """Drive one road and show the model its pictures, in a worker."""
    config = replace(config, sim=replace(config.sim, light=job.light))
    card, engine = job.model.card, backend.load(job.model, config.pilot.threads)
    wanderer = Wanderer(config, np.random.default_rng([job.seed, 0x5EE]))
    samples = collect(
        job.seed, config, card, renderer, lambda sim, _: wanderer.drive(sim), vary=False
    )
    sight = eyesight.look(samples, card, engine)
    light = make_world(job.seed, config.sim.road_length_m, job.light).light
    stills = [
        _still(config, job.model, engine, samples, index, sight.pictures[index])
        for index in sight_stills.pick(sight.pictures, WORST, BEST)
    ]
    return Road(job.seed, light, sight.pictures, sight.errors, stills)


def _still(
    config: Config, model: ModelFile, engine: Backend, samples: Samples, index: int,
    picture: Picture,
) -> Still:  # fmt: skip
    spec = model.card.input
    crop = np.asarray(samples["image"][index], np.uint8)
    state = np.asarray(samples["state"][index : index + 1], np.float32)
    outputs = engine.run(Preprocessor(spec).normalise(crop), state)
    prediction = decode(outputs, model.card, 0)
    std_m = float(prediction.path_std_m.max())
    drawn = sight_stills.draw(crop, picture, prediction.path, std_m, spec, config.camera)
    faults = sights.faults(picture)
    return Still(sight_stills.encode(drawn), sight_stills.caption(faults), faults.badness)


def _write_json(path: str, config: Config, model: ModelFile, groups: Mapping[str, Sights]) -> None:
    rows = [
        {"seed": road.seed, "light": road.light,
         **sights.numbers(sights.sum_up([road], group.distances_m))}
        for group in groups.values()
        for road in group.roads
    ]  # fmt: skip
    usual, other = groups[sight_page.USUAL], groups.get(sight_page.HOLDOUT)
    results.write(
        path,
        config=config,
        model=model,
        results=rows,
        total=sights.numbers(usual),
        holdout=sights.numbers(other) if other else None,
        lights={
            light: sights.numbers(one)
            for group in groups.values()
            for light, one in sights.by_light(group).items()
        },
        recall_edges_m=DISTANCES_M,
        shortfalls=sights.shortfalls(usual),
    )


def _table(groups: Mapping[str, Sights], seconds: float) -> str:
    """Give what is printed."""
    rows = sight_tables.with_lights(groups)
    pictures = sum(len(group.pictures) for group in groups.values())
    return (
        sight_tables.plain(sight_tables.KIND_HEADS, sight_tables.kind_rows(rows))
        + "\n"
        + sight_tables.plain(sight_tables.LANE_HEADS, sight_tables.lane_rows(rows))
        + f"\n{sight_page.verdict(groups[sight_page.USUAL])}\n"
        + f"{pictures} pictures in {seconds:.0f} s\n"
    )
