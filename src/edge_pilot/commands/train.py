"""`edge_pilot train`: from nothing to a model that drives, on simulated roads.

An expert who strays on purpose drives the first roads. Then the student drives, the truth says
at each picture what would have been right, and both sets train the final model (DAgger, Ross et
al., 2011).
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from tqdm import tqdm

from edge_pilot import card as cards
from edge_pilot import results
from edge_pilot.card import InputSpec, ModelCard, ModelFile
from edge_pilot.commands import add_config_arguments, load_config, sources, train_logs
from edge_pilot.config import CameraConfig, Config
from edge_pilot.inference import backend
from edge_pilot.learning.export import export
from edge_pilot.learning.model import PilotNet
from edge_pilot.learning.train import Recipe, Samples, batches, merge, train
from edge_pilot.perception import quality
from edge_pilot.pipeline import Pipeline
from edge_pilot.sim import eyesight, pool
from edge_pilot.sim.collect import collect
from edge_pilot.sim.expert import Wanderer
from edge_pilot.sim.renderer import Renderer
from edge_pilot.sim.simulator import Simulator
from edge_pilot.types import KINDS, Command, EgoState, Frame, Image

EXAMPLES = (
    "edge_pilot train --out out/pilot.onnx",
    "edge_pilot train --seed 7 --roads 60 --epochs 20 --out out/bigger.onnx",
    "edge_pilot train --data donkeycar:data/tub --data drive.mcap --out out/mine.onnx",
)
EPOCHS = 8
FIRST_ROAD = 1_000_000  # seeds below are for driving: no road is both learned and judged
TEST_ROADS = 2
WIDTH_PX = 320  # of the network's input: a pedestrian 30 m away is 11 pixels tall
GRAIN_PX = 16  # its height and width are multiples of this: the trunk halves them four times
CROP_TOP = 0.378  # of the picture's height: a little sky, for the horizon


class Drive(NamedTuple):
    """One road to collect samples from; `student` is the path of the model that drives."""

    seed: int
    card: ModelCard
    student: str = ""
    vary: bool = True


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument("--out", metavar="FILE", type=Path, required=True, help="the ONNX file")
    parser.add_argument("--seed", type=int, default=0, help="of roads, weights and order")
    parser.add_argument("--roads", type=int, default=48, help="that the expert drives")
    parser.add_argument("--own-roads", type=int, default=12, help="that the student drives")
    parser.add_argument(
        "--epochs", type=int, help=f"over the final set; default: {EPOCHS}, on logs 12"
    )
    parser.add_argument("--threads", type=int, default=2, help="of the training itself")
    parser.add_argument(
        "--bfloat16", action="store_true", help="train twice as fast on a CPU that has AVX512_BF16"
    )
    parser.add_argument("--json", metavar="FILE", help="write the result here; -: to stdout")
    train_logs.add_arguments(parser)
    sources.add_arguments(parser)
    add_config_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Train, export, and say how good the labels are met on roads that were not trained on."""
    if args.data:
        return train_logs.run(args)
    args.epochs = args.epochs or EPOCHS
    config, started = load_config(args), time.monotonic()
    card, first = card_for(config.camera), FIRST_ROAD * (1 + args.seed)
    torch.manual_seed(args.seed)
    model = PilotNet(card)

    samples = _collect("expert drives", config, card, range(first, first + args.roads))
    recipe = Recipe(args.epochs, threads=args.threads, bfloat16=args.bfloat16)
    early = replace(recipe, epochs=max(1, args.epochs // 4))
    _train("first lessons", model, card, samples, early, args.seed)
    if args.own_roads:
        student = export(model, card, args.out, {})
        own = range(first + args.roads, first + args.roads + args.own_roads)
        samples = merge([samples, _collect("student drives", config, card, own, student)])
    loss = _train("training", model, card, samples, recipe, args.seed + 1)

    test = range(first - TEST_ROADS, first)
    metrics = _look(export(model, card, args.out, {}), config, test)
    seconds = time.monotonic() - started
    training = _provenance(args, len(samples["image"]), loss, metrics)
    written = export(model, card, args.out, training)
    _say(written, metrics, seconds)
    if args.json:
        total = {"seconds": seconds, "loss": loss, **metrics}
        results.write(args.json, config=config, model=written, results=[], total=total)
    return 0


def _look(model: ModelFile, config: Config, seeds: range) -> dict[str, float]:
    """Give the mean absolute errors of the lane, and the average precision of each kind."""
    samples = _collect("test drives", config, model.card, seeds, vary=False)
    sight = eyesight.look(samples, model.card, backend.load(model))
    found = quality.judge(sight.pictures)
    return eyesight.mean_errors([sight]) | {
        f"{kind}_average_precision": found[kind].average_precision for kind in model.card.kinds
    }


def card_for(camera: CameraConfig) -> ModelCard:
    """Make the card of a model for this camera: its lower rows, `WIDTH_PX` wide."""
    top = 2 * round(CROP_TOP * camera.height_px / 2)
    height = (camera.height_px - top) * WIDTH_PX / camera.width_px
    spec = InputSpec(
        width_px=WIDTH_PX,
        height_px=GRAIN_PX * round(height / GRAIN_PX),
        camera=cards.pinhole(camera),
        crop_top_px=top,
        crop_bottom_px=camera.height_px,
        mean=(0.37, 0.37, 0.37),
        std=(0.22, 0.22, 0.22),
    )
    return ModelCard(
        name="pilot",
        input=spec,
        state=("speed_mps", "yaw_rate_radps"),
        state_scale=(10.0, 0.2),
        # Beyond the stopping distance at 14 m/s: 0.5 s and 4 m/s^2 take 31 m.
        path_distances_m=tuple(float(d) for d in range(5, 50, 5)),
        camera_height_m=camera.height_m,
        camera_pitch_rad=camera.pitch_rad,
        kinds=KINDS,
    )


def _collect(
    title: str,
    config: Config,
    card: ModelCard,
    seeds: range,
    student: ModelFile | None = None,
    *,
    vary: bool = True,
) -> Samples:
    path = str(student.path) if student else ""
    jobs = [Drive(seed, card, path, vary) for seed in seeds]
    found = pool.run(_drive, jobs, config)
    return merge(list(tqdm(found, desc=title, total=len(jobs), unit="road", file=sys.stderr)))


def _drive(config: Config, renderer: Renderer, job: Drive) -> Samples:
    """Collect from one road, in a worker."""
    wanderer = Wanderer(config, np.random.default_rng([job.seed, 0x3A1D]))
    if not job.student:
        return collect(
            job.seed, config, job.card, renderer, lambda sim, _: wanderer.drive(sim), vary=job.vary
        )
    model = cards.load(Path(job.student))
    pipeline = Pipeline(config, model, backend.load(model))

    def drive(sim: Simulator, image: Image | None) -> Command:
        motion = sim.motion
        ego = EgoState(sim.stamp_ns, motion.speed, motion.yaw_rate)
        if image is None:
            raise ValueError("expected a picture for the student, got none")
        steering_rad = pipeline.step(Frame(sim.stamp_ns, image), ego).command.steering_rad
        # The speed is the expert's: a student who sees ghosts would stand most of the time.
        return replace(wanderer.drive(sim), steering_rad=steering_rad + wanderer.pull(sim.time_s))

    return collect(job.seed, config, job.card, renderer, drive, sees=True)


def _train(
    title: str, model: PilotNet, card: ModelCard, samples: Samples, recipe: Recipe, seed: int
) -> float:
    steps = recipe.epochs * batches(len(samples["image"]), recipe)
    with tqdm(desc=title, total=steps, unit="batch", file=sys.stderr) as bar:

        def show(loss: float) -> None:
            bar.set_postfix(loss=f"{loss:.3f}", refresh=False)
            bar.update()

        return train(model, card, samples, recipe, seed, show).loss


def _provenance(
    args: argparse.Namespace, count: int, loss: float, metrics: dict[str, float]
) -> dict[str, Any]:
    return {
        "command": f"edge_pilot train --seed {args.seed} --roads {args.roads} "
        f"--own-roads {args.own_roads} --epochs {args.epochs} --threads {args.threads} "
        f"--out {args.out}" + (" --bfloat16" if args.bfloat16 else ""),
        "data": "embedded simulator",
        "samples": count,
        "loss": round(loss, 4),
        "metrics": {name: round(value, 5) for name, value in metrics.items()},
        "torch": str(torch.__version__),
    }


def _say(model: ModelFile, metrics: dict[str, float], seconds: float) -> None:
    sys.stdout.write(
        f"{model.path}: model {model.digest}, {len(model.onnx) / 1e6:.1f} MB, {seconds:.0f} s\n"
        f"on {TEST_ROADS} unseen roads, mean absolute error: path {metrics['path']:.3f} m, "
        f"curvature {metrics['curvature']:.5f} 1/m, lane offset {metrics['lane_offset']:.3f} m, "
        f"heading {metrics['heading_error']:.4f} rad; average precision at IoU 0.5: "
        + ", ".join(f"{kind} {metrics[f'{kind}_average_precision']:.3f}" for kind in KINDS)
        + "\n"
    )
