"""`edge_pilot model check`: whether an ONNX file and its card fit, and what it computes."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from edge_pilot import card as cards
from edge_pilot import guest_card, results
from edge_pilot.commands import add_config_arguments, load_config, model_words
from edge_pilot.config import Config
from edge_pilot.errors import EngineError, ImageError, InputError
from edge_pilot.guest_card import GuestFile
from edge_pilot.inference import backend, golden, guests
from edge_pilot.inference.backend import PLUGINS, Settings
from edge_pilot.perception import detectors
from edge_pilot.perception.fitting import fit
from edge_pilot.pipeline import Pipeline
from edge_pilot.replay import guest_drawing, overlay
from edge_pilot.types import EgoState, Frame, Image, Tensor

EXAMPLES = (
    "edge_pilot model check models/pilot.onnx",
    "edge_pilot model check yolox.onnx --images street/ --out out/check --json out/check.json",
)
ENDINGS = (".jpg", ".jpeg", ".png", ".bmp")
MOST_IMAGES = 64
TOLERANCE = 1e-2  # root mean square of a difference, as a share of the output's
ROUNDS = 5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.description = (
        "Check that an ONNX model and the card beside it fit, run pictures through each engine "
        "that there is, and show shapes, time and differences. Exit status 1: an engine computes "
        "something else; 2: model and card do not fit, and why."
    )
    parser.add_argument("what", choices=("check",), help="what to do")
    parser.add_argument("onnx", metavar="M.onnx", type=Path, help="with M.yaml beside it")
    parser.add_argument("--card", metavar="FILE", type=Path, help="default: beside the model")
    parser.add_argument(
        "--images", metavar="PATH", action="append", default=[], type=Path,
        help="pictures, or folders of them; default: the golden frames of a simulated road",
    )  # fmt: skip
    parser.add_argument("--out", metavar="DIR", type=Path, help="draw what it finds into here")
    parser.add_argument("--json", metavar="FILE", help="write the result here; -: to stdout")
    add_config_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Check a model.

    Raises:
        InputError: model and card do not fit, or a picture cannot be read.
    """
    config = load_config(args)
    images = list(_read(args.images)) or [(f"golden{i}", p) for i, p in
                                          enumerate(golden.pictures())]  # fmt: skip
    card = args.card or guest_card.beside(args.onnx)
    is_pilot = guest_card.decoder_of(card) == guest_card.PILOT
    report, drawn = (
        _pilot(args.onnx, images, config)
        if is_pilot
        else _guest(guest_card.load(args.onnx, card), images, config)
    )
    if args.out:
        _write(args.out, drawn)
    stream = sys.stderr if args.json == results.STANDARD_OUTPUT else sys.stdout
    stream.write("\n".join(model_words.lines(report)) + "\n")
    if args.json:
        results.write(args.json, config=config, model=None, results=[], total=report)
    return 0 if report["is_good"] else 1


Drawn = Iterator[tuple[str, Image]]
Named = Sequence[tuple[str, Image]]


def _guest(file: GuestFile, images: Named, config: Config) -> tuple[dict[str, Any], Drawn]:
    reference = guests.OnnxGuest(file, config.pilot.threads)
    answers = [dict(reference.run(fit(image, file.card.input)[0])) for _, image in images]
    found = guests.load(file, config.pilot.threads)
    looks = [found.look(image) for _, image in images]
    engines = {
        name: _try(
            partial(_measure, partial(make, file, config.pilot.threads), file, images, answers)
        )
        for name, make in guests.ENGINES.items()
    }
    report = {
        "model": {"name": file.card.name, "digest": file.digest, "decoder": file.card.decoder},
        "inputs": reference.inputs,
        "outputs": model_words.describe(answers, reference.outputs),
        "notes": model_words.lies(answers),
        "engines": engines,
        "pictures": len(images),
        "found": [model_words.summary(look) for look in looks],
        "is_good": _is_good(engines, guests.REFERENCE),
    }
    drawn = ((name, guest_drawing.draw(image, look))
             for (name, image), look in zip(images, looks, strict=True))  # fmt: skip
    return report, drawn


def _measure(
    make: Callable[[], guests.GuestEngine], file: GuestFile, images: Named,
    answers: Sequence[Mapping[str, Tensor]],
) -> dict[str, Any]:  # fmt: skip
    """Run all pictures; give the median time of each stage, and the differences."""
    engine = make()
    laps: dict[str, list[float]] = {"preprocess": [], "infer": [], "decode": []}
    shares: dict[str, float] = {}
    for _ in range(max(1, ROUNDS // len(images))):
        for (_, image), answer in zip(images, answers, strict=True):
            begun = time.perf_counter()
            tensor, place = fit(image, file.card.input)
            fitted = time.perf_counter()
            outputs = model_words.named_as(engine.run(tensor), answer)
            run = time.perf_counter()
            detectors.decode(outputs, file.card, place)
            ended = time.perf_counter()
            for stage, lap in zip(laps, (fitted - begun, run - fitted, ended - run), strict=True):
                laps[stage].append(1e3 * lap)
            for name, share in model_words.differences(outputs, answer).items():
                shares[name] = max(shares.get(name, 0.0), share)
    return {
        "stages_ms": {stage: float(np.median(values)) for stage, values in laps.items()},
        "differences": shares,
    }


def _pilot(path: Path, images: Named, config: Config) -> tuple[dict[str, Any], Drawn]:
    model = cards.load(path)
    reference = backend.load(model, config.pilot.threads)
    settings = backend.settings(config.pilot.threads, config.pilot.engine_cache, lambda line: None)
    frames = [frame for frame, _ in zip(golden.frames(model.card), range(ROUNDS), strict=False)]
    answers = [dict(reference.run(*frame)) for frame in frames]
    engines = {
        name: _try(partial(_measure_pilot, name, model, settings, images, config, reference))
        for name in PLUGINS
    }
    outputs = model_words.describe(answers, {name: v.shape for name, v in answers[0].items()})
    pipeline = Pipeline(config, model, reference)
    ego = EgoState(0, 0.0, 0.0)
    decisions = [pipeline.step(Frame(i, image), ego) for i, (_, image) in enumerate(images)]
    report = {
        "model": {**results.describe(model), "decoder": guest_card.PILOT},
        "inputs": backend.input_shapes(model.card),
        "outputs": outputs,
        "notes": [],
        "engines": engines,
        "pictures": len(images),
        "found": [f"steering {d.command.steering_rad:+.3f} rad, {d.reason}" for d in decisions],
        "is_good": _is_good(engines, "onnx"),
    }
    drawn = (
        (name, overlay.draw(image, d.prediction.path, {}, d.command,
                            model_words.camera_for(image, config.camera), [d.reason]))
        for (name, image), d in zip(images, decisions, strict=True)
    )  # fmt: skip
    return report, drawn


def _measure_pilot(
    name: str, model: cards.ModelFile, settings: Settings, images: Named, config: Config,
    reference: backend.Backend,
) -> dict[str, Any]:  # fmt: skip
    chosen = backend.choose(name, model, settings)
    pipeline = Pipeline(config, model, chosen.backend)
    laps: dict[str, list[float]] = {}
    for number in range(ROUNDS):
        begun = [time.perf_counter()]

        def lap(stage: str, begun: list[float] = begun) -> None:
            now = time.perf_counter()
            laps.setdefault(stage, []).append(1e3 * (now - begun[0]))
            begun[0] = now

        _, image = images[number % len(images)]
        pipeline.step(Frame(number, image), EgoState(0, 0.0, 0.0), None, lap)
    differences = golden.differences(chosen.backend, reference, model.card)
    return {
        "stages_ms": {stage: float(np.median(values)) for stage, values in laps.items()},
        "differences": {name: one.rms for name, one in differences.items()},
        "description": chosen.description,
    }


def _try(measure: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    try:
        return measure()
    except (EngineError, InputError, ImportError) as error:
        return {"unavailable": str(error)}


def _is_good(engines: Mapping[str, Mapping[str, Any]], reference: str) -> bool:
    if "unavailable" in engines[reference]:
        return False
    shares = (s for e in engines.values() for s in e.get("differences", {}).values())
    return all(share <= TOLERANCE for share in shares)


def _read(paths: Sequence[Path]) -> Iterator[tuple[str, Image]]:
    found: list[Path] = []
    for path in paths:
        inside = (p for p in sorted(path.iterdir()) if p.suffix.lower() in ENDINGS)
        found += inside if path.is_dir() else [path]
    if paths and not found:
        raise ImageError(f"expected pictures in {', '.join(map(str, paths))}, got none")
    for path in found[:MOST_IMAGES]:
        picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
        if picture is None:
            raise ImageError(f"expected a readable picture at {path}, got none")
        yield path.stem, np.asarray(picture[..., ::-1], np.uint8)


def _write(folder: Path, drawn: Drawn) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, picture in drawn:
        cv2.imwrite(str(folder / f"{name}.jpg"), np.ascontiguousarray(picture[..., ::-1]))
