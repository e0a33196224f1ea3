"""A drive along a sine road that never took place."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from edge_pilot.replay.drivelog import DriveLog, FrameLog
from edge_pilot.types import NANOSECONDS, Command, Floats, Path

SPEED_MPS = 10.0
START_NS = 1_700_000_000 * NANOSECONDS
PERIOD_NS = NANOSECONDS // 20
PREDICTION = {"lane_offset_m": 0.05, "speed_mps": SPEED_MPS, "path_std_m": 0.2}
AHEAD = np.column_stack([np.arange(0.0, 50.0, 5.0), np.zeros(10)])


def make_drive(seconds: float = 2.0) -> DriveLog:
    """Give a faultless drive: 20 rows a second, as many pictures, each brighter than the last."""
    count = round(20 * seconds)
    time_s = np.arange(count) / 20.0
    x = SPEED_MPS * time_s
    heading = np.arctan(20.0 / 60.0 * np.cos(x / 60.0))
    zeros = np.zeros(count)
    road_x = np.arange(-20.0, x[-1] + 100.0, 0.5)
    return DriveLog(
        seed=7,
        light="dusk",
        model="fake 0123456789ab",
        truth={
            "time_s": time_s,
            "x_m": x,
            "y_m": 20.0 * np.sin(x / 60.0),
            "heading_rad": heading,
            "speed_mps": np.full(count, SPEED_MPS),
            "steering_rad": 0.1 * np.sin(time_s),
            "lateral_m": 0.1 * np.sin(time_s),
            "heading_error_rad": zeros,
            "curvature_1pm": zeros,
            "off_lane": zeros,
            "collided": zeros,
        },
        road_m=np.column_stack([road_x, 20.0 * np.sin(road_x / 60.0)]),
        lane_width_m=3.5,
        latency_ms=np.linspace(10.0, 30.0, count),
        stages_ms={"camera": np.full(count, 5.0), "infer": np.full(count, 2.0)},
        frames=[make_frame(number, 60 + 100 * number // count) for number in range(count)],
        counts={"published": count, "received": count, "lost": 0, "superseded": 0, "late": 0},
        states=[(0.0, "engaged", "The proposal was accepted.")],
    )


def make_frame(number: int, grey: int = 90) -> FrameLog:
    """Give a picture of one grey, with a path straight ahead."""
    stamp_ns = START_NS + number * PERIOD_NS
    image = np.full((180, 320, 3), grey, np.uint8)
    jpeg = cv2.imencode(".jpg", image)[1].tobytes()
    return FrameLog(stamp_ns, jpeg, Path(stamp_ns, AHEAD), PREDICTION, Command(stamp_ns, 0.1, 0.0))


def with_truth(log: DriveLog, **columns: Floats) -> DriveLog:
    """Give the drive with other truth."""
    return replace(log, truth={**log.truth, **columns})


def flags(count: int, *places: int) -> Floats:
    """Give 1 at these places, else 0."""
    return np.isin(np.arange(count), places).astype(float)
