"""`edge_pilot engine`: the inference engine alone, built, compared and timed."""

from __future__ import annotations

import argparse
import sys
import time

import numpy as np

from edge_pilot.commands import add_config_arguments, add_model_argument, load_config, load_model
from edge_pilot.inference import backend, golden

EXAMPLES = (
    "edge_pilot engine",
    "edge_pilot engine --set pilot.backend=tensorrt --model out/pilot_fp16.onnx",
)
TURNS, WARM_UPS = 200, 10


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    add_model_argument(parser)
    add_config_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Load what the pilot would load, so that it is built and in the cache.

    Raises:
        EngineError: the engine that the configuration names cannot be used.
    """
    config = load_config(args)
    model, pilot = load_model(config), config.pilot
    settings = backend.settings(pilot.threads, pilot.engine_cache, _say)
    engine, description = backend.choose(pilot.backend, model, settings)
    frames = list(golden.frames(model.card))
    taken = []
    for turn in range(WARM_UPS + TURNS):
        begun = time.perf_counter()
        engine.run(*frames[turn % len(frames)])
        taken.append(1e3 * (time.perf_counter() - begun))
    p50, p99 = np.percentile(taken[WARM_UPS:], (50, 99))
    found = golden.differences(engine, backend.load(model), model.card).values()
    rms, worst = (max(shares) for shares in zip(*found, strict=True))
    sys.stdout.write(
        f"model      {model.card.name} {model.digest}, {model.card.precision}\n"
        f"inference  {description}\n"
        f"a frame    p50 {p50:.2f} ms, p99 {p99:.2f} ms\n"
        f"against the CPU, difference in an output: {rms:.2g} of its size, {worst:.2g} at worst\n"
    )
    return 0


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")
