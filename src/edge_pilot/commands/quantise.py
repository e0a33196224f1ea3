"""`edge_pilot quantise`: the same model in fewer bits, and whether that is worth it."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from edge_pilot import card as cards
from edge_pilot import files, results
from edge_pilot.card import ModelCard, ModelFile
from edge_pilot.commands import add_config_arguments, add_model_argument, load_config, load_model
from edge_pilot.commands.drive import MODEL, Job, drive_job, seeds
from edge_pilot.config import Config
from edge_pilot.ego import EgoFilter
from edge_pilot.errors import BagError, ConfigError, InputError
from edge_pilot.inference import backend, golden, quantise
from edge_pilot.inference.golden import Difference
from edge_pilot.inference.quantise import Sample
from edge_pilot.perception.heads import encode_state
from edge_pilot.preprocess import Preprocessor
from edge_pilot.replay import stamps
from edge_pilot.replay.bags import open_bag
from edge_pilot.replay.camera import find_intrinsics
from edge_pilot.replay.evaluate import feel
from edge_pilot.replay.events import read_events, sample_stamps
from edge_pilot.replay.selection import select
from edge_pilot.sim import pool
from edge_pilot.sim.closed_loop import Score, score
from edge_pilot.sim.collect import collect
from edge_pilot.sim.expert import Wanderer
from edge_pilot.sim.renderer import Renderer
from edge_pilot.types import Frame

EXAMPLES = (
    "edge_pilot quantise --out out/pilot_int8.onnx",
    "edge_pilot quantise --bag my_drive/ --out out/pilot_int8.onnx",
    "edge_pilot quantise --for tensorrt --out out/pilot_int8.onnx",
    "edge_pilot quantise --precision fp16 --out out/pilot_fp16.onnx --drive-seeds 520-523",
)
CALIBRATION_SEEDS = (900_000, 900_001)  # of roads; on the second one there is a crowd
ROAD_M = 600.0
MOST = 500  # pictures of a recording; more make calibration no better
MARGIN_M = 100.0  # of road beyond the drive's end
TURNS = 300  # of each model, one after the other, so that a busy moment meets both
FASTER = 0.9  # of the time: less is not worth another model
WORSE_LATERAL = 1.1


class Speeds(NamedTuple):
    """Medians."""

    before_ms: float
    after_ms: float


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument("--out", metavar="FILE", type=Path, required=True, help="an .onnx file")
    parser.add_argument("--precision", choices=("int8", "fp16"), default="int8")
    parser.add_argument(
        "--for", dest="target", choices=("cpu", "tensorrt"), default="cpu",
        help="TensorRT wants INT8 around zero; on a CPU that is slower and less exact",
    )  # fmt: skip
    parser.add_argument(
        "--bag", metavar="PATH", type=Path,
        help="calibrate INT8 with this recording; default: with two simulated roads",
    )  # fmt: skip
    parser.add_argument(
        "--drive-seeds", type=seeds, default=seeds("520-522"), metavar="A-B,C",
        help="roads that both models drive; default: 520-522",
    )  # fmt: skip
    parser.add_argument("--distance-m", type=float, default=500.0, help="on each; default: 500")
    parser.add_argument("--json", metavar="FILE", help="write the result here; -: to stdout")
    add_model_argument(parser)
    add_config_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Quantise, compare, and judge; the status is 1 where the model at hand is the better one."""
    config = load_config(args)
    model = load_model(config)
    if args.out.suffix != ".onnx" or args.out.resolve() == model.path.resolve():
        raise ConfigError(f"expected --out to name another .onnx file, got {args.out}")
    if model.card.precision != "fp32":
        raise ConfigError(f"expected a model in fp32, got one in {model.card.precision}")
    quantised = _quantise(model, config, args)
    differences = golden.differences(backend.load(quantised), backend.load(model), model.card)
    speeds = _time(model, quantised)
    before, after = (_drive(one, config, args) for one in (model, quantised))
    problems = _problems(speeds, before, after)
    _say(model, quantised, differences, speeds, (before, after), problems)
    if args.json:
        results.write(
            args.json, config=config, model=quantised, results=[],
            total={"speeds_ms": speeds._asdict(), "before": before._asdict(),
                   "after": after._asdict(), "differences": differences, "problems": problems},
        )  # fmt: skip
    return 1 if problems else 0


def _quantise(model: ModelFile, config: Config, args: argparse.Namespace) -> ModelFile:
    """Write the model and its card, and read both back."""
    is_symmetric = args.target == "tensorrt"
    if args.precision == "int8":
        bag = args.bag
        samples = recorded(bag, model.card, config) if bag else simulated(model.card, config)
        onnx = quantise.to_int8(model, samples, is_symmetric=is_symmetric)
    else:
        onnx = quantise.to_fp16(model)
    training = {
        "command": f"edge_pilot quantise --precision {args.precision} --for {args.target} "
        f"--out {args.out}",
        "parent": model.digest,
        **{key: value for key, value in model.card.training.items() if key != "command"},
    }
    card = replace(model.card, precision=args.precision, training=training)
    try:
        files.replace(args.out, onnx)
        files.replace(args.out.with_suffix(".yaml"), cards.dump(card).encode())
    except OSError as error:
        raise InputError(f"expected to write {args.out}, got: {error.strerror}") from None
    return cards.load(args.out)


def recorded(path: Path, card: ModelCard, config: Config) -> list[Sample]:
    """Give what the network would have met in a recording, at most MOST samples of it.

    Raises:
        BagError: the recording cannot be read, or has no picture.
    """
    ego, samples = EgoFilter(), []
    with open_bag(path) as bag:
        selection = select(bag, config.replay.camera_topic)
        clock = stamps.choose("auto", sample_stamps(bag, selection.driving))
        view = Preprocessor(card.input, find_intrinsics(bag, selection, config.camera).camera)
        pictures = selection.camera.count if selection.camera else 0
        every, count = max(1, -(-pictures // MOST)), 0
        for event in read_events(bag, selection, clock):
            feel(ego, event)
            if isinstance(event, Frame):
                count += 1
                if count % every == 0:
                    state = encode_state(ego.state(), card)
                    samples.append((view.normalise(view.crop(event.image)), state))
    if not samples:
        raise BagError(f"expected pictures in {path}, got none")
    return samples


def simulated(card: ModelCard, config: Config) -> list[Sample]:
    """Drive two simulated roads in varied light, and give what the network meets there."""
    config = replace(config, sim=replace(config.sim, road_length_m=ROAD_M))
    renderer, view = Renderer(config.camera), Preprocessor(card.input)
    samples: list[Sample] = []
    for seed in tqdm(CALIBRATION_SEEDS, desc="calibrating", unit="road", file=sys.stderr):
        wanderer = Wanderer(config, np.random.default_rng([seed, 0xCA1]))
        drive = collect(seed, config, card, renderer, lambda sim, _, w=wanderer: w.drive(sim))  # type: ignore[misc]
        images = np.asarray(drive["image"], np.uint8)
        states = np.asarray(drive["state"], np.float32)
        samples += [(view.normalise(image), state[None])
                    for image, state in zip(images, states, strict=True)]  # fmt: skip
    return samples


def _time(model: ModelFile, quantised: ModelFile) -> Speeds:
    engines = backend.load(model), backend.load(quantised)
    frames = list(golden.frames(model.card))
    taken = np.empty((TURNS, 2))
    for turn in range(TURNS):
        for number, engine in enumerate(engines):
            begun = time.perf_counter()
            engine.run(*frames[turn % len(frames)])
            taken[turn, number] = time.perf_counter() - begun
    return Speeds(*(1e3 * np.median(taken, axis=0)).tolist())


def _drive(model: ModelFile, config: Config, args: argparse.Namespace) -> Score:
    length_m = max(args.distance_m + MARGIN_M, 200.0)
    config = replace(config, sim=replace(config.sim, road_length_m=length_m))
    jobs = [Job(MODEL, seed, args.distance_m, model, True, config.sim.light)
            for seed in args.drive_seeds]  # fmt: skip
    found = pool.run(drive_job, jobs, config, 1)
    return score(list(tqdm(found, desc=f"driving in {model.card.precision}", total=len(jobs),
                           unit="road", file=sys.stderr)))  # fmt: skip


def _problems(speeds: Speeds, before: Score, after: Score) -> list[str]:
    """Say why the model at hand is the better one; nothing where it is not."""
    problems = []
    if not speeds.after_ms <= FASTER * speeds.before_ms:
        problems.append(f"expected at most {FASTER:g} of the time, got "
                        f"{speeds.after_ms / speeds.before_ms:.2f}")  # fmt: skip
    for name in ("departures", "collisions", "false_brakes", "stuck_s"):
        old, new = getattr(before, name), getattr(after, name)
        if new > old:
            problems.append(f"expected no more {name} than {old:g}, got {new:g}")
    if not after.lateral_mean_m <= WORSE_LATERAL * before.lateral_mean_m:
        problems.append(f"expected a mean distance from the lane's centre of at most "
                        f"{WORSE_LATERAL:g} x {before.lateral_mean_m:.3f} m, got "
                        f"{after.lateral_mean_m:.3f}")  # fmt: skip
    return problems


def _say(
    model: ModelFile, quantised: ModelFile, differences: Mapping[str, Difference], speeds: Speeds,
    scores: tuple[Score, Score], problems: Sequence[str],
) -> None:  # fmt: skip
    lines = [f"{'':20}{'p50 ms':>8}{'bytes':>10}{'departures':>12}{'collisions':>12}"
             f"{'false brakes':>14}{'stuck s':>9}{'|lateral| m':>13}"]  # fmt: skip
    for one, p50_ms, it in zip((model, quantised), speeds, scores, strict=True):
        lines.append(
            f"{one.card.precision:6}{one.digest:14}{p50_ms:8.2f}{len(one.onnx):10d}"
            f"{it.departures:12d}{it.collisions:12d}{it.false_brakes:14d}{it.stuck_s:9.1f}"
            f"{it.lateral_mean_m:13.3f}"
        )
    shares = ", ".join(
        f"{name} {one.rms:.3f} ({one.worst:.3f})" for name, one in differences.items()
    )
    lines.append(f"differences on the golden frames, as a share, in the mean (at worst): {shares}")
    lines += [f"{model.card.precision} stays: {problem}" for problem in problems]
    lines += [] if problems else [f"{quantised.card.precision} is the better one here"]
    sys.stdout.write("\n".join(lines) + "\n")
