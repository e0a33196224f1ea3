"""Single pictures of simulated roads, for what needs pictures and no drive."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from edge_pilot.config import CameraConfig, Config
from edge_pilot.sim.renderer import Renderer
from edge_pilot.sim.simulator import Simulator
from edge_pilot.sim.world import make_world
from edge_pilot.types import Image

ROAD_M, SPEED_MPS = 600.0, 10.0


def take(camera: CameraConfig, seeds: Sequence[int], places_m: Sequence[float]) -> Iterator[Image]:
    """Give a picture (H, W, 3) RGB from each place along each seed's road, always the same."""
    config, renderer = Config(camera=camera), Renderer(camera)
    for seed in seeds:
        world = make_world(seed, ROAD_M)
        renderer.show(world)
        for place_m in places_m:
            sim = Simulator(config, world)
            sim.place(place_m, SPEED_MPS)
            yield renderer.render(sim.motion, place_m / SPEED_MPS, int(place_m))
