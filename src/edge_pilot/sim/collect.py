"""Pictures with their truth, from drives in the simulator."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_pilot.card import ModelCard
from edge_pilot.config import CameraConfig, Config
from edge_pilot.perception.boxes import in_picture, slope
from edge_pilot.perception.heads import encode_state
from edge_pilot.preprocess import Preprocessor
from edge_pilot.sim.crowd import crowded
from edge_pilot.sim.labels import Label, boxes_2d
from edge_pilot.sim.look import LOOKS, varied
from edge_pilot.sim.renderer import Renderer
from edge_pilot.sim.simulator import COMMAND_STEPS, Simulator, Truth
from edge_pilot.sim.world import World, make_world
from edge_pilot.types import KINDS, Command, EgoState, Floats, Image

Samples: TypeAlias = dict[str, NDArray[np.generic]]
TAKE_EVERY_M = 2.5
CALM_ROADS = 4  # one of so many shows no crowd
REACH_M = 90.0
MAX_BOXES = 16  # of one picture, nearest first
# What must be found; what is less may be.
MIN_HEIGHT_PX = 7.0  # in the network's input
MIN_WIDTH_PX = 2.0
MIN_VISIBLE = 0.4
NEAREST_M, NARROWEST_M = 0.5, 0.2  # sides and ways that are less are all the same
TOO_NEAR_M = 1.5  # the camera is all but inside it
# A camera that was not mounted by a laboratory: standard deviations.
HEIGHT_STD_M, PITCH_STD_RAD = 0.05, 0.008


def collect(
    seed: int,
    config: Config,
    card: ModelCard,
    renderer: Renderer,
    drive: Callable[[Simulator, Image | None], Command],
    *,
    sees: bool = False,
    vary: bool = True,
) -> Samples:
    """Drive one road and take a sample every `TAKE_EVERY_M`.

    `drive` decides at 20 Hz; it is always given a picture where `sees` is true. With `vary`, the
    light, the camera's mount and the sharpness are drawn too, and on three of four roads the
    pictures show a crowd that the drive passes through.

    Returns:
        `image` (N, h, w, 3) uint8, the network's crop; `state` (N, S); and each label of
        `learning.losses` as (N, ...), float32.
    """
    rng = np.random.default_rng([seed, 0xC011])
    world = make_world(seed, config.sim.road_length_m, config.sim.light)
    shown = crowded(world, rng) if vary and seed % CALM_ROADS else world
    camera = _mounted(config.camera, rng) if vary else config.camera
    renderer.show(shown, camera, varied(LOOKS[world.light], rng) if vary else None)
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
                taken = truth.s
                labels = _labels(shown, sim, truth.s, camera)
                if all(label.distance_m > TOO_NEAR_M for label in labels):
                    crop = view.crop(image)
                    crop = _blurred(crop, rng) if vary else crop
                    rows.append(_sample(sim, truth, card, crop, labels))
            if truth.off_lane and abs(truth.lateral) > 1.6:
                sim.place(truth.s, speed_mps=sim.motion.speed)
            command = drive(sim, image)
        sim.step(command.steering_rad, command.acceleration_mps2)
        if sim.time_s > 60 + config.sim.road_length_m / 2.0:
            break
    return {name: np.stack([row[name] for row in rows]) for name in rows[0]}


def box_labels(labels: list[Label], card: ModelCard) -> Floats:
    """Give what `learning.losses` needs of each box in the network's input (MAX_BOXES, 9)."""
    rows = np.full((MAX_BOXES, 9), -1.0)
    boxes = [row for label in labels if (row := _row(label, card)) is not None]
    boxes = sorted(boxes, key=lambda row: row[5])[:MAX_BOXES]
    if boxes:
        rows[: len(boxes)] = boxes
    return rows


def _row(label: Label, card: ModelCard) -> list[float] | None:
    spec = card.input
    across = spec.width_px / spec.camera.width_px
    down = spec.height_px / (spec.crop_bottom_px - spec.crop_top_px)
    x0, x1 = label.x0 * across, label.x1 * across
    y0, y1 = (
        min(max((y - spec.crop_top_px) * down, 0.0), spec.height_px) for y in (label.y0, label.y1)
    )
    if y1 - y0 < 1.0 or label.visible == 0.0:
        return None
    must = y1 - y0 >= MIN_HEIGHT_PX and x1 - x0 >= MIN_WIDTH_PX and label.visible >= MIN_VISIBLE
    middle = (0.5 * (x0 + x1), 0.5 * (y0 + y1), x1 - x0, y1 - y0)
    ahead_m = max(label.ahead_m, NEAREST_M)
    aside_m = label.left_m - ahead_m * slope(in_picture(*middle, card), card)
    side = (ahead_m, aside_m, max(label.width_m, NARROWEST_M))
    return [float(KINDS.index(label.kind)), *middle, *side, float(must)]


def _labels(world: World, sim: Simulator, s: float, camera: CameraConfig) -> list[Label]:
    """Label a picture; only a tree's middle hides what is behind it."""
    props = [
        replace(box, size=(0.5 * box.size[0], 0.5 * box.size[1], box.size[2]))
        if box.kind == "tree"
        else box
        for box in sim.obstacles(REACH_M)
        if box.kind not in KINDS
    ]
    actors = world.boxes(sim.time_s, s, reach=REACH_M)
    return boxes_2d([*actors, *props], sim.motion, camera)


def _mounted(camera: CameraConfig, rng: np.random.Generator) -> CameraConfig:
    return replace(
        camera,
        height_m=camera.height_m + HEIGHT_STD_M * float(np.clip(rng.standard_normal(), -2, 2)),
        pitch_rad=camera.pitch_rad + PITCH_STD_RAD * float(np.clip(rng.standard_normal(), -2, 2)),
    )


def _blurred(crop: Image, rng: np.random.Generator) -> Image:
    """Blur every third picture, as dirt, focus and motion do."""
    kind, strength = rng.random(2)
    if kind < 0.15:
        return np.asarray(cv2.GaussianBlur(crop, (0, 0), 0.3 + 0.9 * strength), np.uint8)
    if kind < 0.3:
        size = 3 if strength < 0.6 else 5
        return np.asarray(cv2.blur(crop, (size, 1)), np.uint8)
    return crop


def _sample(
    sim: Simulator, truth: Truth, card: ModelCard, crop: Image, labels: list[Label]
) -> dict[str, NDArray[np.generic]]:
    motion = sim.motion
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
        "boxes": box_labels(labels, card).astype(label),
    }
