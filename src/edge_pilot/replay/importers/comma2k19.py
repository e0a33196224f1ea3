"""A segment of comma2k19: `processed_log/SENSOR/NAME/{t,value}.npy`, and its frames' times.

The IMU's axes are forward, right, down. Steering is in degrees at the steering wheel, positive
left. A segment's `video.hevc` is decoded with PyAV where that is installed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np

from edge_pilot import topics
from edge_pilot.config import ImuConfig
from edge_pilot.errors import BagError
from edge_pilot.mounting import Mounting
from edge_pilot.replay import serial
from edge_pilot.replay.logs import Entry, EntryLog
from edge_pilot.replay.skips import Skips
from edge_pilot.types import NANOSECONDS, Floats, Image, Imu
from edge_pilot.units import steering_factor

STEERING = "deg,wheel=16.9"  # of its Toyota RAV4; its Honda Civic has 15.4
LOG = "processed_log"
WHEEL, SPEED = "CAN/steering_angle", "CAN/speed"
GYRO, FORCE = "IMU/gyro", "IMU/accelerometer"
FIXES = ("GNSS/live_gnss_ublox", "GNSS/live_gnss_qcom")
FRAMES, VIDEO = "global_pose/frame_times", "video.hevc"
USED = {WHEEL, SPEED, GYRO, FORCE, FIXES[0]}
MAX_BYTES = 2**28  # of one array
AXES = ImuConfig(axes="forward,right,down")


def recognises(path: Path) -> bool:
    """Tell whether a path is a segment."""
    return (path / LOG).is_dir()


@contextmanager
def open_log(path: Path, steering: float | None) -> Iterator[EntryLog]:
    """Open the folder of a segment."""
    factor = steering_factor(STEERING) if steering is None else steering
    skipped = Skips()
    yield EntryLog(path, _entries(path, factor, skipped), skipped, factor)


def _entries(folder: Path, factor: float, skipped: Skips) -> Iterator[Entry]:
    for at, (angle, *_) in _rows(folder / LOG / WHEEL, skipped):
        yield Entry(at, topics.DRIVER_COMMAND, partial(serial.command, at, angle * factor))
    for at, (speed, *_) in _rows(folder / LOG / SPEED, skipped):
        yield Entry(at, topics.ODOM, partial(serial.odometry, at, speed))
    yield from _inertia(folder, skipped)
    for at, row in _rows(folder / LOG / FIXES[0], skipped):
        yield Entry(at, topics.GPS, partial(serial.fix, at, row[0], row[1], row[4]))
    yield from _pictures(folder, skipped)
    for place in sorted((folder / LOG).glob("*/*/t.npy")):
        name = "/".join(place.parts[-3:-1])
        if name not in USED:
            reason = f"sample of {name}, for which there is no standard topic"
            skipped.unused[reason] += len(_load(place))


def _inertia(folder: Path, skipped: Skips) -> Iterator[Entry]:
    """Put turn and acceleration together, which are sampled a moment apart."""
    place = Mounting(AXES).placed
    forces = list(_rows(folder / LOG / FORCE, skipped))
    moments = np.array([at for at, _ in forces])
    for at, (p, q, r, *_) in _rows(folder / LOG / GYRO, skipped) if forces else ():
        near = min(int(np.searchsorted(moments, at)), len(forces) - 1)
        x, y, z = forces[near][1][:3]
        sample = place(Imu(at, (x, y, z), (p, q, r)))
        yield Entry(at, topics.IMU, partial(serial.imu, sample))


def _rows(folder: Path, skipped: Skips) -> Iterator[tuple[int, list[float]]]:
    """Give stamp and values of each row that is finite and not older than the one before."""
    if not (folder / "t.npy").exists():
        skipped.unused[f"no {folder.parent.name}/{folder.name}"] += 1
        return
    times, values = _load(folder / "t.npy"), _load(folder / "value.npy")
    values = values.reshape(len(values), -1)
    if len(times) != len(values):
        skipped.damaged[f"{folder.name}: rows that lack stamp or value"] += abs(
            len(times) - len(values)
        )
    for time_s, row in zip(times.tolist(), values.tolist(), strict=False):
        if np.isfinite([time_s, *row]).all():
            yield round(time_s * NANOSECONDS), row
        else:
            skipped.damaged[f"{folder.name}: a row that is not finite"] += 1


def _load(path: Path) -> Floats:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ValueError(f"more than {MAX_BYTES} bytes")
        return np.asarray(np.load(path, allow_pickle=False), np.float64)
    except (OSError, ValueError, EOFError) as error:
        raise BagError(f"expected an array of numbers in {path}, got: {error}") from None


def _pictures(folder: Path, skipped: Skips) -> Iterator[Entry]:
    file, times = folder / VIDEO, folder / f"{FRAMES}.npy"
    if not file.exists() or not times.exists():
        skipped.unused[f"no {VIDEO} with {FRAMES}, so there are no pictures"] += 1
        return
    film = _Film(file)
    for number, time_s in enumerate(_load(times).tolist()):
        at = round(time_s * NANOSECONDS)
        yield Entry(at, topics.CAMERA, partial(film.message, at, number))


class _Film:
    """A video whose pictures are asked for one after the other."""

    def __init__(self, file: Path) -> None:
        self._file, self._next = file, 0
        self._pictures: Iterator[Image] | None = None

    def message(self, stamp_ns: int, number: int) -> bytes:
        """Give one picture as an Image; what lies behind begins the video anew."""
        if self._pictures is None or number < self._next:
            self._pictures, self._next = self._decode(), 0
        while True:
            image = next(self._pictures, None)
            if image is None:
                raise BagError(f"expected {number + 1} pictures in {self._file}, got {self._next}")
            self._next += 1
            if self._next > number:
                return serial.picture(stamp_ns, image)

    def _decode(self) -> Iterator[Image]:
        try:
            import av
        except ImportError:
            raise BagError(
                f"expected PyAV (pip install 'edge_pilot[sim]') to read {self._file}, got none"
            ) from None
        try:
            with av.open(str(self._file)) as film:
                for frame in film.decode(video=0):
                    yield np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)
        except (av.FFmpegError, OSError) as error:
            raise BagError(f"expected a video in {self._file}, got: {error}") from None
