"""A drive as a video that browsers play: WebM with VP8, by the encoder inside OpenCV."""

from __future__ import annotations

import os
from bisect import bisect_right
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2

from edge_pilot import images
from edge_pilot.config import CameraConfig
from edge_pilot.errors import EdgePilotError
from edge_pilot.replay import overlay
from edge_pilot.replay.drivelog import DriveLog, FrameLog
from edge_pilot.types import NANOSECONDS, Image

# libvpx takes its real-time mode, five times as fast, for pictures that are shown for a second
# or more. So they are encoded as if for one a second, and the file's clock is set afterwards.
ENCODER_HZ = 1.0
# Matroska, RFC 9559: TimestampScale [ns] as 3 bytes and DefaultDuration [ns] as 4.
TIMESTAMP_SCALE, SCALE_BYTES, SCALE_NS = b"\x2a\xd7\xb1\x83", 3, 10**6
DEFAULT_DURATION, DURATION_BYTES, DURATION_NS = b"\x23\xe3\x83\x84", 4, 10**9
HEADER_BYTES = 4096
Progress = Callable[[int, int], None]


class VideoError(EdgePilotError):
    """The video cannot be written."""


def write(
    log: DriveLog,
    camera: CameraConfig,
    path: Path,
    rate_hz: float = 20.0,
    progress: Progress = lambda done, total: None,
    width_m: float = overlay.WIDTH_M,
) -> None:
    """Write a drive with what the car made of it drawn into each picture.

    A picture that is missing from the log is stood in for by the one before, so that the video
    takes as long as the drive did.

    Args:
        log: the drive.
        camera: what took its pictures.
        path: of the file, which ends in .webm; another one there is replaced.
        rate_hz: pictures a second, of the drive and so of the video.
        progress: called after each picture with how many are done, and of how many.
        width_m: the car's.

    Raises:
        ImageError: a picture of the log is damaged.
        VideoError: there is no picture, no encoder, or the file cannot be written.
    """
    frames = _paced(log, rate_hz)
    writer = None
    for done, frame in enumerate(frames, start=1):
        picture = still(log, frame, camera, width_m)
        writer = writer or _open(path, picture)
        writer.write(cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
        progress(done, len(frames))
    if writer is None:
        raise VideoError("expected a drive with pictures, got none")
    writer.release()
    _set_clock(path, rate_hz)


def still(
    log: DriveLog, frame: FrameLog, camera: CameraConfig, width_m: float = overlay.WIDTH_M
) -> Image:
    """Give one picture (2 H, 2 W, 3) RGB of the drive with everything drawn into it.

    Raises:
        ImageError: the picture is damaged.
    """
    image = images.from_compressed(frame.jpeg, "jpeg")
    time_s = (frame.stamp_ns - log.frames[0].stamp_ns) / NANOSECONDS
    caption = [f"{time_s:.1f} s"]
    if said := [row for row in log.states if row[0] <= time_s]:
        _, state, sentence = said[-1]
        caption = [f"{time_s:.1f} s  {state}", sentence]
    return overlay.draw(
        image, frame.path, frame.prediction, frame.command, camera, caption, width_m
    )


def _paced(log: DriveLog, rate_hz: float) -> list[FrameLog]:
    """Give the newest frame of each tick of the video."""
    if not log.frames:
        return []
    stamps = [frame.stamp_ns for frame in log.frames]
    period_ns = NANOSECONDS / rate_hz
    ticks = round((stamps[-1] - stamps[0]) / period_ns) + 1
    # Half a period later, so that stamps that jitter lose no picture.
    moments = (stamps[0] + (tick + 0.5) * period_ns for tick in range(ticks))
    return [log.frames[bisect_right(stamps, moment) - 1] for moment in moments]


def _open(path: Path, picture: Image) -> cv2.VideoWriter:
    height, width = picture.shape[:2]
    code = cv2.VideoWriter.fourcc(*"VP80")
    with _silence():
        writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, code, ENCODER_HZ, (width, height))
    if not writer.isOpened():
        raise VideoError(
            f"expected an OpenCV that can write VP8 to {path}, got one without that encoder or a "
            f"file that cannot be written"
        )
    return writer


@contextmanager
def _silence() -> Iterator[None]:
    """Let C code write nothing to standard error: OpenCV deems VP8 strange in a WebM."""
    saved = os.dup(2)
    try:
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)


def _set_clock(path: Path, rate_hz: float) -> None:
    """Have the pictures of a WebM file shown at this rate instead of at ENCODER_HZ."""
    share = ENCODER_HZ / rate_hz
    with path.open("r+b") as file:
        header = file.read(HEADER_BYTES)
        if TIMESTAMP_SCALE + SCALE_NS.to_bytes(SCALE_BYTES, "big") not in header:
            raise VideoError(f"expected a whole WebM file at {path}, got {len(header)} bytes")
        header = _rescale(header, TIMESTAMP_SCALE, SCALE_BYTES, SCALE_NS, share)
        header = _rescale(header, DEFAULT_DURATION, DURATION_BYTES, DURATION_NS, share)
        file.seek(0)
        file.write(header)


def _rescale(header: bytes, name: bytes, size: int, value: int, share: float) -> bytes:
    old, new = (name + number.to_bytes(size, "big") for number in (value, round(value * share)))
    return header.replace(old, new, 1)
