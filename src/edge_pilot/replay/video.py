"""A drive as a video, with what the car thought drawn into each picture."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np

from edge_pilot.config import CameraConfig
from edge_pilot.errors import EdgePilotError
from edge_pilot.replay import overlay
from edge_pilot.replay.drivelog import DriveLog, FrameLog
from edge_pilot.types import NANOSECONDS, Image

CODEC = "VP80"  # browsers play it, and OpenCV's FFmpeg can write it; it has no H.264


class VideoError(EdgePilotError):
    """The video could not be written."""


def write(
    log: DriveLog,
    camera: CameraConfig,
    path: Path,
    rate_hz: float = 20.0,
    progress: Callable[[], None] = lambda: None,
) -> None:
    """Write a WebM of all frames; `progress` is called after each.

    Raises:
        VideoError: this OpenCV has no encoder for it.
    """
    size = (overlay.SCALE * camera.width_px, overlay.SCALE * camera.height_px)
    with _quiet():
        writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*CODEC), rate_hz, size)
    if not writer.isOpened():
        raise VideoError(f"expected an OpenCV that writes {CODEC} to {path}, got none")
    for picture in pictures(log, camera):
        writer.write(cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
        progress()
    writer.release()


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep FFmpeg's remark about the codec's tag, which is wrong, off the terminal."""
    kept = os.dup(2)
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def pictures(log: DriveLog, camera: CameraConfig) -> Iterator[Image]:
    """Give each frame with its overlay, (2 H, 2 W, 3) RGB."""
    first_ns = log.frames[0].stamp_ns if log.frames else 0
    for frame in log.frames:
        yield picture(frame, camera, (frame.stamp_ns - first_ns) / NANOSECONDS)


def picture(frame: FrameLog, camera: CameraConfig, time_s: float) -> Image:
    """Give one frame with its overlay."""
    bgr = cv2.imdecode(np.frombuffer(frame.jpeg, np.uint8), cv2.IMREAD_COLOR)
    said = frame.prediction
    captions = [f"{time_s:5.1f} s"]
    if said:
        captions = [
            f"{time_s:5.1f} s   {3.6 * said.get('speed_mps', 0.0):3.0f} km/h",
            f"lane offset {said.get('lane_offset_m', 0.0):+.2f} m   "
            f"curvature {said.get('curvature_1pm', 0.0):+.3f} 1/m",
        ]
    image = cv2.cvtColor(np.asarray(bgr), cv2.COLOR_BGR2RGB)
    return overlay.draw(
        np.asarray(image, np.uint8), frame.path, said, frame.command, camera, captions
    )
