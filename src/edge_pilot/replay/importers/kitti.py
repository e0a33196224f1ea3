"""A drive of KITTI's raw data: `oxts/data/*.txt` and `image_02/data/*.png` with their times.

What the 30 numbers of an OXTS line are: Geiger et al., "Vision meets Robotics", IJRR 2013, and
the `dataformat.txt` of the data. A drive carries no steering.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from functools import partial
from pathlib import Path

import numpy as np

from edge_pilot import images, topics
from edge_pilot.errors import InputError
from edge_pilot.replay import serial
from edge_pilot.replay.logs import Entry, EntryLog, read_whole
from edge_pilot.replay.skips import Skips
from edge_pilot.types import NANOSECONDS, Imu

MOTION = "oxts"
CAMERAS = ("image_02", "image_03", "image_00", "image_01")  # colour before grey
LATITUDE, LONGITUDE, ALTITUDE, FORWARD, FORCE, TURN = 0, 1, 2, 8, 14, 20
NUMBERS = 25  # at least; the rest says how good they are
PERIOD_NS = NANOSECONDS // 10  # of a drive that lacks its stamps


def recognises(path: Path) -> bool:
    """Tell whether a path is a drive."""
    return (path / MOTION / "data").is_dir() or (path / CAMERAS[0] / "data").is_dir()


@contextmanager
def open_log(path: Path, steering: float | None) -> Iterator[EntryLog]:
    """Open the folder of a drive."""
    skipped = Skips()
    yield EntryLog(path, _entries(path, skipped), skipped)


def _entries(folder: Path, skipped: Skips) -> Iterator[Entry]:
    for at, file in _files(folder / MOTION, "*.txt", skipped):
        try:
            yield from _motion(at, file)
        except (OSError, ValueError):
            skipped.damaged["an oxts file that does not hold its numbers"] += 1
    camera = next((name for name in CAMERAS if (folder / name / "data").is_dir()), "")
    for at, file in _files(folder / camera, "*.*", skipped) if camera else ():
        try:
            if not images.is_whole(read_whole(file)):
                raise InputError("a picture that is cut or none")
        except InputError as error:
            skipped.damaged[str(error)] += 1
        else:
            yield Entry(at, topics.CAMERA_COMPRESSED, partial(_picture, at, file))
    for other in (name for name in CAMERAS if name != camera):
        count = len(list((folder / other / "data").glob("*.*")))
        skipped.unused[f"picture of {other}: one camera is taken"] += count


def _motion(at: int, file: Path) -> Iterator[Entry]:
    numbers = np.array(file.read_text(encoding="ascii").split(), np.float64)
    if len(numbers) < NUMBERS or not np.isfinite(numbers[:NUMBERS]).all():
        raise ValueError("too few numbers")
    row = numbers.tolist()
    x, y, z = row[FORCE : FORCE + 3]
    p, q, r = row[TURN : TURN + 3]
    sample = Imu(at, (x, y, z), (p, q, r))
    yield Entry(at, topics.IMU, partial(serial.imu, sample))
    yield Entry(at, topics.ODOM, partial(serial.odometry, at, row[FORWARD], r))
    place = (row[LATITUDE], row[LONGITUDE], row[ALTITUDE])
    yield Entry(at, topics.GPS, partial(serial.fix, at, *place))


def _picture(at: int, file: Path) -> bytes:
    return serial.compressed(at, read_whole(file))


def _files(folder: Path, pattern: str, skipped: Skips) -> Iterator[tuple[int, Path]]:
    """Give the files of a sensor with their stamps, line by line of `timestamps.txt`."""
    files = sorted((folder / "data").glob(pattern))
    lines: list[str] = []
    if (folder / "timestamps.txt").exists():
        text = (folder / "timestamps.txt").read_text(encoding="ascii", errors="replace")
        lines = [line.strip() for line in text.splitlines() if line.strip()]
    elif files:
        skipped.unused[f"no timestamps.txt of {folder.name}, so 10 Hz are assumed"] += 1
        yield from ((number * PERIOD_NS, file) for number, file in enumerate(files))
        return
    numbered = {int(file.stem): file for file in files if file.stem.isdecimal()}
    for number, line in enumerate(lines):
        file = numbered.pop(number, None)
        at = _stamp_ns(line)
        if file is None or at is None:
            what = "no file for a line" if file is None else "no time in a line"
            skipped.damaged[f"{what} of {folder.name}/timestamps.txt"] += 1
        else:
            yield at, file
    if numbered:
        skipped.damaged[f"a file of {folder.name} without a stamp"] += len(numbered)


def _stamp_ns(line: str) -> int | None:
    whole, _, fraction = line.partition(".")
    try:
        moment = datetime.strptime(whole, "%Y-%m-%d %H:%M:%S").replace(tzinfo=timezone.utc)
        digits = int(fraction[:9].ljust(9, "0")) if fraction else 0
    except ValueError:
        return None
    return int(moment.timestamp()) * NANOSECONDS + digits
