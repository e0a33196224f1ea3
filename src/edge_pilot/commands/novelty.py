"""`edge_pilot novelty`: what pictures are usual for a model, for its card."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from edge_pilot import card as cards
from edge_pilot import files
from edge_pilot.card import ModelCard, ModelFile
from edge_pilot.commands import add_config_arguments, add_model_argument, load_config, load_model
from edge_pilot.commands.drive import seeds
from edge_pilot.config import Config
from edge_pilot.errors import ConfigError, InputError
from edge_pilot.inference import backend, golden
from edge_pilot.perception.heads import OBSTACLE_OUTPUTS, OUTPUTS
from edge_pilot.preprocess import Preprocessor
from edge_pilot.sim import pool
from edge_pilot.sim.collect import collect
from edge_pilot.sim.expert import Wanderer, expert
from edge_pilot.sim.renderer import Renderer
from edge_pilot.sim.simulator import Simulator
from edge_pilot.types import Command, Floats, Image

EXAMPLES = (
    "edge_pilot novelty --model models/pilot.onnx --out models/pilot.onnx",
    "edge_pilot novelty --seeds 0-3 --processes 1 --out out/pilot.onnx",
)
ROAD_M = 600.0
SWAY_M = 0.5  # how far the drives stray: less than those that the model learned from


class Job(NamedTuple):
    """One road."""

    seed: int
    file: bytes  # a network that gives its features
    features: str
    card: ModelCard


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument("--out", metavar="FILE", type=Path, required=True, help="an .onnx file")
    parser.add_argument(
        "--seeds",
        type=seeds,
        default=seeds("0-15"),
        metavar="A-B,C",
        help="of roads; on even ones the car strays, in varied light; default: 0-15",
    )
    parser.add_argument("--processes", type=int, default=0, help="default: one for each core")
    add_model_argument(parser)
    add_config_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Measure, write the model with its embedding, and compare all other outputs."""
    from edge_pilot.learning import embedding  # needs onnx

    config = load_config(args)
    config = replace(config, sim=replace(config.sim, road_length_m=ROAD_M))
    model = load_model(config)
    plain = embedding.bare(model.onnx)
    exposed, name = embedding.exposed(plain), embedding.features_of(plain)
    roads = f"{min(args.seeds)}-{max(args.seeds)}"
    training = {**model.card.training, "novelty": f"edge_pilot novelty --seeds {roads}"}
    card = replace(model.card, novelty=None, training=training)
    jobs = [Job(seed, exposed, name, card) for seed in args.seeds]
    found = pool.run(_features, jobs, config, args.processes)
    rows = list(tqdm(found, desc="looking", total=len(jobs), unit="road", file=sys.stderr))
    usual = [found for job, found in zip(jobs, rows, strict=True) if not _is_varied(job.seed)]
    if not usual:
        raise ConfigError(f"expected an odd seed, a drive as usual, got {args.seeds}")
    file, card = embedding.embedded(plain, card, np.concatenate(rows), np.concatenate(usual))
    written = _write(args.out, file, card)
    if changed := _changed(model, written):
        sys.stdout.write(f"other outputs have changed: {', '.join(changed)}\n")
        return 1
    sys.stdout.write(
        f"{sum(map(len, rows))} pictures; the model is {written.digest}, "
        f"and its other outputs are the same to the last bit\n"
    )
    return 0


def _features(config: Config, renderer: Renderer, job: Job) -> Floats:
    """Drive one road and give the features (N, F) of its pictures, in a worker."""
    import onnxruntime as ort

    session = ort.InferenceSession(job.file, providers=["CPUExecutionProvider"])
    view = Preprocessor(job.card.input)
    is_varied = _is_varied(job.seed)
    wanderer = Wanderer(config, np.random.default_rng([job.seed, 0x40E1]), SWAY_M)

    def decide(sim: Simulator, _: Image | None) -> Command:
        return wanderer.drive(sim) if is_varied else expert(sim, config)

    drive = collect(job.seed, config, job.card, renderer, decide, vary=is_varied)
    found = [
        session.run([job.features], {"image": view.normalise(image), "state": state[None]})[0]
        for image, state in zip(drive["image"], drive["state"], strict=True)
    ]
    features: Floats = np.concatenate(found).astype(np.float64)
    return features


def _is_varied(seed: int) -> bool:
    return seed % 2 == 0


def _write(path: Path, file: bytes, card: ModelCard) -> ModelFile:
    try:
        files.replace(path, file)
        files.replace(path.with_suffix(".yaml"), cards.dump(card).encode())
    except OSError as error:
        raise InputError(f"expected to write {path}, got: {error.strerror}") from None
    return cards.load(path)


def _changed(before: ModelFile, after: ModelFile) -> list[str]:
    """Name the outputs that differ on the golden frames in a single bit."""
    old, new = backend.load(before), backend.load(after)
    names = OUTPUTS + (OBSTACLE_OUTPUTS if before.card.kinds else ())
    changed = set()
    for frame in golden.frames(before.card):
        first, second = old.run(*frame), new.run(*frame)
        changed |= {name for name in names if not np.array_equal(first[name], second[name])}
    return sorted(changed)
