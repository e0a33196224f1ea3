"""A drive as a video that browsers play: WebM with VP9, by PyAV."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable
from fractions import Fraction
from pathlib import Path

from edge_pilot import images
from edge_pilot.config import CameraConfig, VehicleConfig
from edge_pilot.errors import EdgePilotError
from edge_pilot.replay import overlay
from edge_pilot.replay.drivelog import DriveLog, FrameLog
from edge_pilot.replay.ground import SCALE
from edge_pilot.types import NANOSECONDS, Image

# In its real-time mode VP9 costs 5 ms a picture, a seventh of what VP8 does.
CODEC, OPTIONS = "libvpx-vp9", {"deadline": "realtime", "cpu-used": "8"}
BITS_PER_S = 1_000_000  # a minute takes 7 MB
Progress = Callable[[int, int], None]


class VideoError(EdgePilotError):
    """The video cannot be written."""


def write(
    log: DriveLog,
    camera: CameraConfig,
    path: Path,
    rate_hz: float = 20.0,
    progress: Progress = lambda done, total: None,
    vehicle: VehicleConfig = overlay.CAR,
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
        vehicle: the car.

    Raises:
        ImageError: a picture of the log is damaged.
        VideoError: there is no picture, no encoder, or the file cannot be written.
    """
    frames = _paced(log, rate_hz)
    pictures = (still(log, frame, camera, vehicle) for frame in frames)
    size = (SCALE * camera.width_px, SCALE * camera.height_px)
    encode(pictures, size, path, rate_hz, lambda done: progress(done, len(frames)))


def encode(
    pictures: Iterable[Image],
    size: tuple[int, int],
    path: Path,
    rate_hz: float,
    progress: Callable[[int], None] = lambda done: None,
) -> None:
    """Write pictures of width and height `size`, which are even.

    Raises:
        VideoError: there is no picture, no encoder, or the file cannot be written.
    """
    try:
        import av
    except ImportError:
        raise VideoError("expected PyAV (pip install edge_pilot[sim]), got none") from None
    done = 0
    try:
        with av.open(str(path), "w", format="webm") as film:
            stream = film.add_stream(
                CODEC, rate=Fraction(rate_hz).limit_denominator(1000), options=OPTIONS
            )
            stream.width, stream.height = size
            stream.pix_fmt, stream.bit_rate = "yuv420p", BITS_PER_S
            for done, picture in enumerate(pictures, start=1):
                film.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
                progress(done)
            if not done:
                raise VideoError("expected a drive with pictures, got none")
            film.mux(stream.encode())
    except (av.FFmpegError, OSError) as error:
        raise VideoError(f"expected to write a video to {path}, got: {error}") from None


def still(
    log: DriveLog, frame: FrameLog, camera: CameraConfig, vehicle: VehicleConfig = overlay.CAR
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
        image, frame.path, frame.prediction, frame.command, camera, caption, vehicle,
        frame.obstacles,
    )  # fmt: skip


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
