"""How long one picture takes on one core, from pixels to the command, and each stage of it.

    python bench/forward.py [--json] [--repeat 300] [--model FILE]

The pictures are those of a simulated road, with a LiDAR scan for every second one.
"""

from __future__ import annotations

import argparse
import json
import sys
import time

import cv2
import numpy as np

from edge_pilot import card, resources
from edge_pilot.config import Config
from edge_pilot.inference import backend
from edge_pilot.lidar import placed
from edge_pilot.pipeline import STAGES, Pipeline
from edge_pilot.sim.renderer import Renderer
from edge_pilot.sim.sensors import Lidar
from edge_pilot.sim.simulator import Simulator
from edge_pilot.sim.world import make_world
from edge_pilot.types import NANOSECONDS, EgoState, Floats, Frame, Image, Scan

PICTURES = 40
SEED = 700
BUDGET_MS = 10.0  # of the network, for 320x180


def scenes(config: Config) -> list[tuple[Image, Scan, EgoState]]:
    """Take pictures and scans along a road."""
    world = make_world(SEED, 600.0)
    renderer, lidar = Renderer(config.camera), Lidar(SEED, config.lidar)
    renderer.show(world)
    found = []
    for i in range(PICTURES):
        sim = Simulator(config, world)
        sim.place(20.0 + 10.0 * i, 10.0)
        points = placed(lidar.scan(sim.motion, sim.obstacles()), config.lidar)
        image = renderer.render(sim.motion, float(i), i)
        found.append((image, Scan(0, points), EgoState(0, 10.0, 0.0)))
    return found


def measure(model_path: str, repeat: int) -> dict[str, Floats]:
    """Give the times [ms] of each stage, and of all, for each picture."""
    config = Config()
    model = card.load(resources.model(model_path))
    pipeline = Pipeline(config, model, backend.load(model, threads=1))
    taken: dict[str, list[float]] = {name: [] for name in (*STAGES, "all")}
    given = scenes(config)
    for i in range(repeat + PICTURES):
        image, scan, ego = given[i % PICTURES]
        stamp_ns = i * NANOSECONDS // 20
        laps = [time.perf_counter_ns()]
        names: list[str] = []

        def lap(name: str, names: list[str] = names, laps: list[int] = laps) -> None:
            names.append(name)
            laps.append(time.perf_counter_ns())

        seen = Scan(stamp_ns, scan.points_m) if i % 2 else None
        pipeline.step(Frame(stamp_ns, image), ego, seen, lap)
        for name, lap_ns in zip(names, np.diff(laps), strict=True):
            taken[name].append(lap_ns / 1e6)
        taken["all"].append((laps[-1] - laps[0]) / 1e6)
    return {name: np.array(values[PICTURES:]) for name, values in taken.items()}


def main() -> int:
    """Print the figures; 1 where the network is over its budget."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--repeat", type=int, default=300, help="pictures that count")
    parser.add_argument("--model", default="", help="an ONNX model; default: the shipped one")
    given = parser.parse_args()
    cv2.setNumThreads(1)
    taken = measure(given.model, given.repeat)
    rows = {
        name: {
            "p50_ms": float(np.percentile(values, 50)),
            "p99_ms": float(np.percentile(values, 99)),
        }
        for name, values in taken.items()
    }
    lines = [f"{name:12}p50 {row['p50_ms']:6.2f} ms  p99 {row['p99_ms']:6.2f} ms"
             for name, row in rows.items()]  # fmt: skip
    sys.stdout.write(json.dumps(rows, indent=2) + "\n" if given.json else "\n".join(lines) + "\n")
    return 0 if rows["infer"]["p50_ms"] < BUDGET_MS else 1


if __name__ == "__main__":
    sys.exit(main())
