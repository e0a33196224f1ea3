"""CARLA's recorder: a binary `.log` of what the actors of its world did.

It holds no sensors: the hero's place and controls become odometry and what the human did. The
format is in CARLA's documentation, "Recorder binary file format"; lengths are centimetres and y
points right there.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from math import hypot
from pathlib import Path
from typing import NamedTuple

from edge_pilot import topics
from edge_pilot.errors import BagError
from edge_pilot.replay import serial
from edge_pilot.replay.logs import Entry, EntryLog
from edge_pilot.replay.skips import Skips
from edge_pilot.types import NANOSECONDS
from edge_pilot.units import steering_factor

STEERING = "full=70deg,right"  # of the wheels of most of its cars
MAGIC = b"CARLA_RECORDER"
FRAME, BORN, PLACES, CONTROLS = 0, 2, 6, 8
HEAD = struct.Struct("<BI")
START = struct.Struct("<Qdd")  # number, duration and time [s]
PLACE = struct.Struct("<I6f")  # actor, x, y, z [cm], three angles [deg]
CONTROL = struct.Struct("<IfffBi")  # actor, steering, throttle, brake, hand brake, gear
BIRTH = struct.Struct("<IB6fI")  # actor, type, x, y, z, three angles, number of its blueprint
HEROES = ("hero", "ego_vehicle")


class Packet(NamedTuple):
    """One packet."""

    kind: int
    content: bytes


def recognises(path: Path) -> bool:
    """Tell whether a path is such a file."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return MAGIC in file.read(32)


@contextmanager
def open_log(path: Path, steering: float | None) -> Iterator[EntryLog]:
    """Open a recorder's file."""
    factor = steering_factor(STEERING) if steering is None else steering
    skipped = Skips()
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BagError(f"expected a CARLA recording at {path}, got: {error.strerror}") from None
    try:
        log = EntryLog(path, _entries(path, data, factor, skipped), skipped, factor)
    except struct.error as error:
        raise BagError(f"expected a whole CARLA recording in {path}, got: {error}") from None
    yield log


def _entries(path: Path, data: bytes, factor: float, skipped: Skips) -> Iterator[Entry]:
    packets = list(_packets(data, _begin(path, data), skipped))
    hero = _hero(packets)
    if hero is None:
        raise BagError(f"expected a vehicle that somebody drives in {path}, got none")
    at, before = 0, (0, 0.0, 0.0)
    for kind, content in packets:
        if kind == FRAME:
            at = round(START.unpack_from(content)[2] * NANOSECONDS)
        elif kind == CONTROLS:
            for _, steering, throttle, brake, *_ in _rows(CONTROL, content, hero):
                do = partial(serial.command, at, steering * factor, throttle, brake)
                yield Entry(at, topics.DRIVER_COMMAND, do)
        elif kind == PLACES:
            for _, x, y, *_ in _rows(PLACE, content, hero):
                if 0 < before[0] < at:
                    way_m = hypot(x - before[1], y - before[2]) / 100.0
                    speed = way_m * NANOSECONDS / (at - before[0])
                    yield Entry(at, topics.ODOM, partial(serial.odometry, at, speed))
                before = at, x, y
        else:
            skipped.unused[f"packet of kind {kind}, which is of the world"] += 1


def _begin(path: Path, data: bytes) -> int:
    """Give where the packets begin: after version, magic, date and map."""
    try:
        (length,) = struct.unpack_from("<H", data, 2)
        if data[4 : 4 + length] != MAGIC:
            raise BagError(f"expected a CARLA recording in {path}, got another file")
        (name,) = struct.unpack_from("<H", data, 4 + length + 8)
    except struct.error:
        raise BagError(f"expected a whole CARLA recording in {path}, got its head cut") from None
    return int(4 + length + 8 + 2 + name)


def _packets(data: bytes, position: int, skipped: Skips) -> Iterator[Packet]:
    while position + HEAD.size <= len(data):
        kind, size = HEAD.unpack_from(data, position)
        position += HEAD.size
        if position + size > len(data):
            skipped.damaged["a packet that is cut, and all after it"] += 1
            return
        yield Packet(kind, data[position : position + size])
        position += size


def _hero(packets: list[Packet]) -> int | None:
    """Give the actor that is named as the hero, or else the first that has controls."""
    for packet in packets:
        if packet.kind == BORN:
            for actor, values in _births(packet.content):
                if any(value in HEROES for value in values):
                    return int(actor)
    driven = (row for p in packets if p.kind == CONTROLS for row in _rows(CONTROL, p.content))
    return next((int(row[0]) for row in driven), None)


def _births(content: bytes) -> Iterator[tuple[int, list[str]]]:
    """Give each new actor with the values of its attributes."""
    (count,) = struct.unpack_from("<H", content)
    position = 2
    for _ in range(count):
        actor, *_ = BIRTH.unpack_from(content, position)
        _, position = _text(content, position + BIRTH.size)
        (attributes,) = struct.unpack_from("<H", content, position)
        position, values = position + 2, []
        for _ in range(attributes):
            _, position = _text(content, position + 1)  # after its type
            value, position = _text(content, position)
            values.append(value)
        yield int(actor), values


def _text(content: bytes, position: int) -> tuple[str, int]:
    (length,) = struct.unpack_from("<H", content, position)
    end = position + 2 + int(length)
    return content[position + 2 : end].decode("utf-8", errors="replace"), end


def _rows(
    row: struct.Struct, content: bytes, actor: int | None = None
) -> Iterator[tuple[float, ...]]:
    """Give the rows of a table, or of one actor."""
    (count,) = struct.unpack_from("<H", content)
    whole = min(int(count), (len(content) - 2) // row.size)
    rows = row.iter_unpack(content[2 : 2 + whole * row.size])
    yield from (values for values in rows if actor is None or values[0] == actor)
