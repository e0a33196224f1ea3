"""A drive as a video, with what the car thought drawn into each picture."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np

from edge_pilot.config import CameraConfig
from edge_pilot.replay import overlay
from edge_pilot.replay.drivelog import DriveLog, FrameLog
from edge_pilot.types import NANOSECONDS, Image

# VP9 plays in every browser. In real-time mode a frame costs 5 ms, a seventh of VP8's.
OPTIONS = {"deadline": "realtime", "cpu-used": "8"}
BIT_RATE = 1_000_000  # per second: a minute takes 7 MB


def write(
    log: DriveLog,
    camera: CameraConfig,
    path: Path,
    progress: Callable[[], None] = lambda: None,
) -> None:
    """Write a WebM of all frames; `progress` is called after each.

    Raises:
        ImportError: PyAV is not installed (extra `sim`).
    """
    import av

    with av.open(str(path), "w") as film:
        stream = film.add_stream("libvpx-vp9", rate=round(camera.rate_hz), options=OPTIONS)
        stream.width, stream.height = (
            overlay.SCALE * n for n in (camera.width_px, camera.height_px)
        )
        stream.pix_fmt = "yuv420p"
        stream.bit_rate = BIT_RATE
        for picture in pictures(log, camera):
            film.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
            progress()
        film.mux(stream.encode())


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
