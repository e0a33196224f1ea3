"""Pictures with their truth, from drives in the simulator."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from edge_pilot.card import ModelCard
from edge_pilot.config import Config
from edge_pilot.perception.heads import encode_state
from edge_pilot.preprocess import Preprocessor
from edge_pilot.sim.renderer import Renderer
from edge_pilot.sim.simulator import COMMAND_STEPS, Simulator
from edge_pilot.sim.world import make_world
from edge_pilot.types import Command, EgoState, Image

Samples: TypeAlias = dict[str, NDArray[np.generic]]
TAKE_EVERY_M = 1.5


def collect(
    seed: int,
    config: Config,
    card: ModelCard,
    renderer: Renderer,
    drive: Callable[[Simulator, Image | None], Command],
    *,
    sees: bool = False,
) -> Samples:
    """Drive one road and take a sample every `TAKE_EVERY_M`.

    `drive` decides at 20 Hz; it is always given a picture where `sees` is true.

    Returns:
        `image` (N, h, w, 3) uint8, the network's crop; `state` (N, S); and each label of
        `perception.heads` as (N, ...), float32.
    """
    world = make_world(seed, config.sim.road_length_m)
    renderer.show(world)
    sim = Simulator(config, world)
    sim.place(5.0, speed_mps=8.0)
    view = Preprocessor(card.input)
    rows: list[dict[str, NDArray[np.generic]]] = []
    taken, command = -TAKE_EVERY_M, Command(0, 0.0, 0.0)
    while not sim.at_end:
        if sim.steps % COMMAND_STEPS == 0:
            truth = sim.truth()
            due = truth.s - taken >= TAKE_EVERY_M
            image = renderer.render(sim.motion, sim.time_s, sim.steps) if due or sees else None
            if image is not None and due:
                rows.append(_sample(sim, card, view.crop(image)))
                taken = truth.s
            if truth.off_lane and abs(truth.lateral) > 1.6:
                sim.place(truth.s, speed_mps=sim.motion.speed)
            command = drive(sim, image)
        sim.step(command.steering_rad, command.acceleration_mps2)
        if sim.time_s > 20 + config.sim.road_length_m:
            break
    return {name: np.stack([row[name] for row in rows]) for name in rows[0]}


def _sample(sim: Simulator, card: ModelCard, crop: Image) -> dict[str, NDArray[np.generic]]:
    motion, truth = sim.motion, sim.truth()
    path = sim.path_ahead(card.path_distances_m).points_m[1:, 1]
    ego = EgoState(sim.stamp_ns, motion.speed, motion.yaw_rate)
    label = np.float32
    return {
        "image": crop,
        "state": encode_state(ego, card)[0],
        "path": path.astype(label),
        "curvature": np.array([truth.curvature], label),
        "lane_offset": np.array([truth.lateral], label),
        "heading_error": np.array([truth.heading_error], label),
    }
