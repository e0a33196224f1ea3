"""The offline part of `edge_pilot bench`: a bag through `replay`, and its least work alone."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

from edge_pilot.card import ModelFile, pinhole
from edge_pilot.config import Config
from edge_pilot.errors import EdgePilotError
from edge_pilot.images import from_compressed_reduced
from edge_pilot.inference import backend
from edge_pilot.inference.backend import Backend
from edge_pilot.pipeline import Pipeline
from edge_pilot.replay import bags, stamps
from edge_pilot.replay.bags import open_bag
from edge_pilot.replay.evaluate import evaluate
from edge_pilot.replay.events import read_events
from edge_pilot.replay.selection import select
from edge_pilot.types import NANOSECONDS

RATE_HZ, IMU_PER_FRAME = 30, 3
ROUNDS = 3
JPEG_QUALITY = 90


def share(folder: Path, pictures: Path, model: ModelFile, frames: int) -> float:
    """Give the frame rate of `replay` as a share of that of decoding and inference alone.

    Both read the same bag, with the same decoder and engine, in turn; the median counts.

    Raises:
        EdgePilotError: replay did not drive through all frames.
    """
    shown = np.load(pictures)
    path = _write_bag(folder / f"replay{frames}", shown, frames)
    engine = backend.load(model)
    height, width = shown.shape[1:3]
    usual = Config().camera
    camera = replace(usual, width_px=width, height_px=height,
                     focal_px=usual.focal_px * width / usual.width_px)  # fmt: skip
    found = []
    for _ in range(ROUNDS):
        pipeline = Pipeline(Config(camera=camera), model, engine, pinhole(camera))
        alone_s = _alone_s(path, model, engine, pipeline.reduction)
        begun = time.perf_counter()
        with open_bag(path) as bag:
            clock = stamps.Clock("header", "")
            events = read_events(bag, select(bag), clock, reduction=pipeline.reduction)
            rows = evaluate(pipeline, events).rows
        found.append(alone_s / (time.perf_counter() - begun))
        if len(rows) != frames:
            raise EdgePilotError(f"expected {frames} frames of the bag, got {len(rows)}")
    return float(np.median(found))


def _alone_s(path: Path, model: ModelFile, engine: Backend, reduction: int) -> float:
    spec = model.card.input
    image = np.zeros((1, 3, spec.height_px, spec.width_px), np.float32)
    state = np.zeros((1, len(model.card.state)), np.float32)
    begun = time.perf_counter()
    with open_bag(path) as bag:
        for message in bag.messages([select(bag).names["camera"]]):
            said = bags.decode(message)
            from_compressed_reduced(said.data, said.format, reduction)
            engine.run(image, state)
    return time.perf_counter() - begun


def _write_bag(folder: Path, pictures: np.ndarray, frames: int) -> Path:
    """Write JPEG pictures at 30 Hz with an IMU of 90 Hz."""
    if folder.exists():
        return folder
    store = get_typestore(Stores.ROS2_HUMBLE)
    make = store.types
    files = [cv2.imencode(".jpg", one, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1].reshape(-1)
             for one in pictures]  # fmt: skip
    zero = np.zeros(9)
    with Writer(folder, version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        kinds = "sensor_msgs/msg/CompressedImage", "sensor_msgs/msg/Imu"
        camera, imu = (writer.add_connection(f"/{kind[16:].lower()}", kind, typestore=store)
                       for kind in kinds)  # fmt: skip
        for number in range(frames * IMU_PER_FRAME):
            stamp_ns = NANOSECONDS + number * NANOSECONDS // (RATE_HZ * IMU_PER_FRAME)
            stamp = make["builtin_interfaces/msg/Time"](*divmod(stamp_ns, NANOSECONDS))
            head = make["std_msgs/msg/Header"](stamp, "base_link")
            level = make["geometry_msgs/msg/Quaternion"](0.0, 0.0, 0.0, 1.0)
            still = make["geometry_msgs/msg/Vector3"](0.0, 0.0, 0.0)
            force = make["geometry_msgs/msg/Vector3"](0.0, 0.0, 9.81)
            sample = make[kinds[1]](head, level, zero, still, zero, force, zero)
            writer.write(imu, stamp_ns, store.serialize_cdr(sample, kinds[1]))
            if number % IMU_PER_FRAME == 0:
                file = files[number // IMU_PER_FRAME % len(files)]
                picture = make[kinds[0]](head, "jpeg", file)
                writer.write(camera, stamp_ns, store.serialize_cdr(picture, kinds[0]))
    return folder
