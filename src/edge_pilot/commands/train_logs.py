"""`edge_pilot train --data`: a model from recorded drives, judged on later parts of them."""

from __future__ import annotations

import argparse
import hashlib
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from tqdm import tqdm

from edge_pilot import results
from edge_pilot.card import CameraModel, InputSpec, ModelCard, ModelFile
from edge_pilot.commands import lessons, load_config
from edge_pilot.commands.lessons import Lesson
from edge_pilot.config import Config, VehicleConfig
from edge_pilot.errors import BagError
from edge_pilot.inference import backend
from edge_pilot.learning import dataset
from edge_pilot.learning.checkpoint import Checkpoint
from edge_pilot.learning.dataset import Pictures, Split
from edge_pilot.learning.export import export
from edge_pilot.learning.model import PilotNet
from edge_pilot.learning.train import Outcome, Recipe, Samples, batches, pictures, train
from edge_pilot.learning.warp import RoadWarp
from edge_pilot.perception.heads import decode
from edge_pilot.preprocess import Preprocessor
from edge_pilot.replay import baselines
from edge_pilot.replay.agreement import Agreement, compare
from edge_pilot.types import EgoState, Floats

CACHE = Path.home() / ".cache" / "edge_pilot" / "lessons"
EPOCHS, PATIENCE, MEAN_STEPS = 12, 5, 200
USUAL_WHEELBASE_M = VehicleConfig().wheelbase_m
GRAIN_PX = 16
SMALL_PX, WIDE_PX, NARROW_PX = 200, 160, 80  # pictures up to SMALL_PX wide get a narrow input
JUDGED_AT_ONCE = 250


class Material(NamedTuple):
    """All drives as one."""

    samples: Samples
    split: Split
    steering_rad: Floats  # (N,) as it was, not smoothed
    grey: Floats  # (N, 560)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of training on logs."""
    group = parser.add_argument_group("on logs of your own")
    group.add_argument(
        "--data", metavar="[KIND:]PATH", action="append", default=[],
        help="learn from this log instead of simulated roads; may be repeated",
    )  # fmt: skip
    group.add_argument("--width", type=int, default=0, help="of the network's input; default: 80 "
                       "for pictures up to 200 wide, else 160")  # fmt: skip
    group.add_argument(
        "--crop-top", type=float, default=0.3, help="share of the picture's height that is sky"
    )
    group.add_argument(
        "--history-s", metavar="AGES", type=_ages, default=(0.1, 0.2),
        help="ages of the earlier pictures that the network sees, or none (default: 0.1,0.2)",
    )  # fmt: skip
    group.add_argument("--smooth-s", type=float, default=0.05, help="bell that averages steering")
    group.add_argument(
        "--lag-s", type=float, default=0.0, help="so much later is a picture's steering"
    )
    group.add_argument(
        "--withhold", type=float, default=0.2, help="last share of each stretch, to judge by"
    )
    group.add_argument(
        "--no-mirror", action="store_true", help="do not learn from mirrored pictures too"
    )
    group.add_argument(
        "--cache", metavar="DIR", type=Path, default=CACHE, help="of decoded pictures"
    )


def run(args: argparse.Namespace) -> int:
    """Train on logs, export, and compare with the baselines on what was withheld.

    Status 1: the model is not better than the ridge.

    Raises:
        InputError: a log cannot be used.
    """
    config, started = load_config(args), time.monotonic()
    card = card_for(lessons.camera_of(args.data[0], args, config), args, config)
    found = [lessons.load(text, args, config, card, args.cache) for text in args.data]
    material = gather(found, card, args, config)
    decoded_s = time.monotonic() - started
    torch.manual_seed(args.seed)
    model = PilotNet(card, config.vehicle.wheelbase_m / USUAL_WHEELBASE_M)
    outcome = _train(model, card, material, args, config)
    written = export(model, card, args.out, _provenance(args, found, material, outcome))
    table = judge(written, material, config)
    seconds = time.monotonic() - started
    _say(written, found, material, outcome, table, decoded_s, seconds)
    if args.json:
        total = {
            "seconds": seconds, "loss": outcome.loss, "epochs": outcome.epochs,
            "loader_frames_per_s": _per_s(outcome.frames, outcome.load_s + outcome.step_s),
            "step_frames_per_s": _per_s(outcome.frames, outcome.step_s),
            "logged_rad": found[0].logged_rad,
            **{name: row._asdict() for name, row in table.items()},
        }  # fmt: skip
        results.write(args.json, config=config, model=written, results=[], total=total)
    return 0 if table["model"].mae_rad < table["ridge"].mae_rad else 1


def card_for(camera: CameraModel, args: argparse.Namespace, config: Config) -> ModelCard:
    """Make the card of a model for the camera of a log: all but the sky."""
    width = args.width or (NARROW_PX if camera.width_px <= SMALL_PX else WIDE_PX)
    top = round(args.crop_top * camera.height_px)
    height = (camera.height_px - top) * width / camera.width_px
    spec = InputSpec(
        width_px=width,
        height_px=GRAIN_PX * max(2, round(height / GRAIN_PX)),
        camera=camera,
        crop_top_px=top,
        crop_bottom_px=camera.height_px,
        mean=(0.45, 0.45, 0.45),
        std=(0.25, 0.25, 0.25),
        history_s=args.history_s,
    )
    size = config.vehicle.wheelbase_m / USUAL_WHEELBASE_M
    return ModelCard(
        name="pilot",
        input=spec,
        state=("speed_mps", "yaw_rate_radps"),
        state_scale=(10.0 * size, 0.2),
        path_distances_m=tuple(float(d) * size for d in range(5, 50, 5)),
        camera_height_m=config.camera.height_m,
        camera_pitch_rad=config.camera.pitch_rad,
    )


def gather(
    found: Sequence[Lesson], card: ModelCard, args: argparse.Namespace, config: Config
) -> Material:
    """Put the drives together.

    Raises:
        BagError: nobody's steering is in them.
    """
    parts: list[dict[str, Any]] = []
    splits, start = [], 0
    for lesson in found:
        drive = lesson.drive
        part = dataset.labels(
            drive, config.vehicle.wheelbase_m, card.path_distances_m, args.smooth_s, args.lag_s
        )
        past = start + dataset.past_rows(drive.stamp_ns, card.input.history_s)
        parts.append({**part, "state": drive.state, "past": past})
        split = dataset.split(drive, args.withhold)
        splits.append(Split(*(start + rows for rows in split.__dict__.values())))
        start += len(drive.stamp_ns)
    samples: dict[str, Any] = {
        name: np.concatenate([part[name] for part in parts]) for name in parts[0]
    }
    samples["image"] = Pictures([lesson.drive.image for lesson in found])
    whole = Split(
        *(np.concatenate([getattr(s, name) for s in splits]) for name in Split.__annotations__)
    )
    if not (len(whole.train) and len(whole.test)):
        raise BagError(
            f"expected steering of a human in {', '.join(item.name for item in found)}, got "
            f"{len(whole.train)} pictures to learn from and {len(whole.test)} to judge by"
        )
    samples["use"] = whole.train
    steering = np.concatenate([lesson.drive.steering_rad for lesson in found])
    return Material(samples, whole, steering, np.concatenate([lesson.grey for lesson in found]))


def _train(
    model: PilotNet, card: ModelCard, material: Material, args: argparse.Namespace, config: Config
) -> Outcome:
    epochs = args.epochs or EPOCHS
    recipe = Recipe(
        epochs, threads=args.threads, bfloat16=args.bfloat16, decay=1e-2,
        mean_steps=MEAN_STEPS, patience=PATIENCE,
    )  # fmt: skip
    steps = epochs * batches(len(material.split.train), recipe)
    checkpoint = Checkpoint(args.out.with_suffix(".resume"), _name(card, material, args, recipe))
    with tqdm(desc="training", total=steps, unit="batch", file=sys.stderr) as bar:

        def show(loss: float) -> None:
            bar.set_postfix(loss=f"{loss:.3f}", refresh=False)
            bar.update()

        def miss(network: PilotNet) -> float:
            """Give the mean error of the curvature to the path's first point."""
            rows = material.split.validate
            if not len(rows):
                return float("-inf")
            predicted = _curvature(network, card, material.samples, rows)
            wanted = np.tan(material.steering_rad[rows]) / config.vehicle.wheelbase_m
            return float(np.abs(predicted - wanted).mean())

        outcome = train(
            model, card, material.samples, recipe, args.seed, show,
            warp=RoadWarp(card, not args.no_mirror), judge=miss, checkpoint=checkpoint,
        )  # fmt: skip
    checkpoint.remove()
    return outcome


def _curvature(network: PilotNet, card: ModelCard, samples: Samples, rows: np.ndarray) -> Floats:
    """Give the curvature of the arc to the path's first point (N,), as pure pursuit steers."""
    view, found = Preprocessor(card.input), []
    with torch.no_grad():
        for start in range(0, len(rows), JUDGED_AT_ONCE):
            some = rows[start : start + JUDGED_AT_ONCE]
            image = torch.from_numpy(view.normalise(np.asarray(pictures(samples, some), np.uint8)))
            path = network(image, torch.from_numpy(samples["state"][some]))[0]
            found.append(path[:, 0].numpy().astype(np.float64))
    distance = card.path_distances_m[0]
    return 2.0 * np.concatenate(found) / distance**2


def judge(model: ModelFile, material: Material, config: Config) -> dict[str, Agreement]:
    """Compare the model as written, the ridge and straight on with the human, on later laps."""
    rows, fitted = material.split.test, np.concatenate([material.split.train,
                                                        material.split.validate])  # fmt: skip
    human = material.steering_rad[rows]
    ridge = baselines.fit(material.grey[fitted], material.steering_rad[fitted])
    own = _steer(model, material, rows, config)
    return {
        "straight on": compare(np.zeros(len(rows)), human),
        "ridge": compare(ridge(material.grey[rows]), human),
        "model": compare(own, human),
    }


def _steer(model: ModelFile, material: Material, rows: np.ndarray, config: Config) -> Floats:
    """Give what the car would steer (N,) by the exported model."""
    from edge_pilot.control.lateral import steer

    engine, view = backend.load(model, config.pilot.threads), Preprocessor(model.card.input)
    found = []
    for row in rows:
        image = np.asarray(pictures(material.samples, row[None]), np.uint8)
        state = np.asarray(material.samples["state"][row[None]], np.float32)
        said = decode(engine.run(view.normalise(image), state), model.card, 0)
        ego = EgoState(0, 0.0, 0.0)
        found.append(steer(said.path, ego, config.vehicle, config.control))
    return np.array(found)


def _name(card: ModelCard, material: Material, args: argparse.Namespace, recipe: Recipe) -> str:
    """Name a training by all that it depends on."""
    whole = hashlib.sha256(repr((card, recipe, args.seed, args.no_mirror)).encode())
    for name in sorted(material.samples):
        if name != "image":
            whole.update(material.samples[name].tobytes())
    return whole.hexdigest()


def _provenance(
    args: argparse.Namespace, found: Sequence[Lesson], material: Material, outcome: Outcome
) -> dict[str, Any]:
    names = " ".join(f"--data {Path(lesson.name).name}" for lesson in found)
    return {
        "command": f"edge_pilot train {names} --seed {args.seed}",
        "data": [{"name": Path(lesson.name).name, "digest": lesson.digest} for lesson in found],
        "samples": len(material.split.train),
        "withheld": len(material.split.test),
        "epochs": outcome.epochs,
        "loss": round(outcome.loss, 4),
        "torch": str(torch.__version__),
    }


def _say(
    model: ModelFile, found: Sequence[Lesson], material: Material, outcome: Outcome,
    table: Mapping[str, Agreement], decoded_s: float, seconds: float,
) -> None:  # fmt: skip
    """Print what came of it."""
    out, split, unit = sys.stdout.write, material.split, found[0].logged_rad
    for lesson in found:
        out(f"data      {lesson.name}: {len(lesson.drive.stamp_ns)} pictures, digest "
            f"{lesson.digest}, {lesson.damaged} records damaged\n")  # fmt: skip
        for warning in lesson.warnings:
            out(f"warning   {warning}\n")
    out(f"rows      {len(split.train)} to learn from, {len(split.validate)} to stop by, "
        f"{len(split.test)} withheld\n")  # fmt: skip
    both, alone = outcome.load_s + outcome.step_s, outcome.step_s
    out(f"speed     {_per_s(outcome.frames, both):.0f} frames/s, the train step alone "
        f"{_per_s(outcome.frames, alone):.0f}; decoded in {decoded_s:.0f} s\n")  # fmt: skip
    out(f"model     {model.path}: {model.digest}, best of {outcome.epochs} epochs: "
        f"{outcome.best_epoch}, {seconds:.0f} s in all\n")  # fmt: skip
    for name, row in table.items():
        correlation = "unknown" if row.correlation is None else f"{row.correlation:.3f}"
        out(f"withheld  {name:12s} mean error {row.mae_rad:.4f} rad ({row.mae_rad / unit:.4f} in "
            f"the log's unit), correlation {correlation}\n")  # fmt: skip


def _per_s(frames: int, seconds: float) -> float:
    return frames / seconds if seconds > 0.0 else 0.0


def _ages(text: str) -> tuple[float, ...]:
    if text == "none":
        return ()
    try:
        return tuple(float(word) for word in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected ages in s or none, got {text!r}") from None
