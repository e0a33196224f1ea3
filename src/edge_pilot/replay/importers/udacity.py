"""Udacity's simulator: `driving_log.csv` beside a folder of pictures.

Rows are centre, left, right picture, steering, throttle, brake, speed [mph]; paths are those of
the author's disk, often Windows', so that only their last part counts. The time is in the
pictures' names.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from functools import partial
from pathlib import Path, PureWindowsPath
from typing import NamedTuple

from edge_pilot import images, topics
from edge_pilot.errors import BagError, InputError
from edge_pilot.replay import serial
from edge_pilot.replay.logs import Entry, EntryLog, read_whole
from edge_pilot.replay.skips import Skips
from edge_pilot.topics import Topic
from edge_pilot.types import NANOSECONDS
from edge_pilot.units import steering_factor

FILE, FOLDER = "driving_log.csv", "IMG"
STEERING = "full=25deg,right"  # of the simulator's car
MPS_PER_MPH = 0.44704
ROW_NS = NANOSECONDS // 14  # where names carry no time: its usual rate
COLUMNS = 7
CAMERAS = (
    topics.CAMERA_COMPRESSED,
    topics.CAMERA_COMPRESSED._replace(name="camera_left/image_raw/compressed"),
    topics.CAMERA_COMPRESSED._replace(name="camera_right/image_raw/compressed"),
)
TIME = re.compile(r"_(\d{4})_(\d\d)_(\d\d)_(\d\d)_(\d\d)_(\d\d)_(\d{3})\.")


class Row(NamedTuple):
    """One line of the log."""

    stamp_ns: int
    pictures: tuple[str, ...]  # centre, left, right: file names
    steering: float
    throttle: float
    brake: float
    speed_mph: float


def recognises(path: Path) -> bool:
    """Tell whether a path is such a file, or a folder with one."""
    return path.name == FILE or (path / FILE).is_file()


@contextmanager
def open_log(path: Path, steering: float | None) -> Iterator[EntryLog]:
    """Open such a folder, or its CSV file."""
    file = path / FILE if path.is_dir() else path
    factor = steering_factor(STEERING) if steering is None else steering
    skipped = Skips()
    yield EntryLog(path, _entries(file, factor, skipped), skipped, factor)


def _entries(file: Path, factor: float, skipped: Skips) -> Iterator[Entry]:
    for row in _rows(file, skipped):
        centre, *sides = row.pictures
        try:
            _check(file, centre)
        except InputError as error:
            skipped.damaged[f"row with {error}"] += 1
            continue
        yield _picture(file, row, CAMERAS[0], centre)
        yield from _sides(file, row, sides, skipped)
        at = row.stamp_ns
        yield Entry(
            at, topics.DRIVER_COMMAND,
            partial(serial.command, at, row.steering * factor, row.throttle, row.brake),
        )  # fmt: skip
        yield Entry(at, topics.ODOM, partial(serial.odometry, at, row.speed_mph * MPS_PER_MPH))


def _sides(file: Path, row: Row, names: list[str], skipped: Skips) -> Iterator[Entry]:
    for topic, name in zip(CAMERAS[1:], names, strict=False):
        try:
            _check(file, name)
        except InputError as error:
            skipped.unused[f"side picture: {error}"] += 1
        else:
            yield _picture(file, row, topic, name)


def _picture(file: Path, row: Row, topic: Topic, name: str) -> Entry:
    path = _place(file, name)
    return Entry(row.stamp_ns, topic, lambda: serial.compressed(row.stamp_ns, read_whole(path)))


def _check(file: Path, name: str) -> None:
    if not images.is_whole(read_whole(_place(file, name))):
        raise InputError("a picture that is cut or none")


def _place(file: Path, name: str) -> Path:
    beside = file.parent / name
    return beside if beside.is_file() else file.parent / FOLDER / name


def _rows(file: Path, skipped: Skips) -> Iterator[Row]:
    try:
        text = file.read_text(encoding="utf-8", errors="replace").replace("\0", "")
    except OSError as error:
        raise BagError(f"expected {FILE} at {file}, got: {error.strerror}") from None
    known = 0
    for cells in csv.reader(text.splitlines(), skipinitialspace=True):
        if not cells or cells[0].strip().lower() == "center":
            continue  # a blank line, or the heads that some versions write
        try:
            row = _row(cells, known * ROW_NS)
        except ValueError as error:
            skipped.damaged[f"row that is no row ({error})"] += 1
            continue
        if not TIME.search(row.pictures[0]):
            skipped.unused["no time in the picture's name, so 14 Hz are assumed"] += 1
        known += 1
        yield row


def _row(cells: list[str], default_ns: int) -> Row:
    if len(cells) < COLUMNS:
        raise ValueError(f"fewer than {COLUMNS} fields")
    names = tuple(PureWindowsPath(cell.strip()).name for cell in cells[:3])
    try:
        values = [float(cell) for cell in cells[3:COLUMNS]]
    except ValueError:
        raise ValueError("a field that is no number") from None
    if not all(abs(value) < 1e6 for value in values):  # NaN fails too
        raise ValueError("a field that is not finite")
    return Row(_stamp_ns(names[0], default_ns), names, *values)


def _stamp_ns(name: str, default_ns: int) -> int:
    found = TIME.search(name)
    if not found:
        return default_ns
    *date, milliseconds = map(int, found.groups())
    moment = datetime(*date, tzinfo=timezone.utc)  # type: ignore[arg-type, misc]
    return int(moment.timestamp()) * NANOSECONDS + milliseconds * 1_000_000
