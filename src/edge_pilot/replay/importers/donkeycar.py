"""Donkeycar's tub, version 2: `manifest.json`, catalogs of one JSON object a line, pictures.

A recorder that lost its power leaves lines of NUL bytes, lines that are cut, and pictures of zero
bytes; all are counted and passed over.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from edge_pilot import images, topics
from edge_pilot.errors import BagError, InputError
from edge_pilot.replay import serial
from edge_pilot.replay.logs import Entry, EntryLog, read_whole
from edge_pilot.replay.skips import Skips
from edge_pilot.units import steering_factor

MANIFEST, FOLDER = "manifest.json", "images"
STEERING = "full=25deg,right"  # assumed: a tub does not say what its full lock is
PICTURE, ANGLE, THROTTLE, STAMP = "cam/image_array", "user/angle", "user/throttle", "_timestamp_ms"
MAX_STAMP_MS = 4102444800000.0  # the year 2100


class Record(NamedTuple):
    """One line of a catalog."""

    number: int
    stamp_ns: int
    picture: Path
    angle: float
    throttle: float


def recognises(path: Path) -> bool:
    """Tell whether a path is a tub, or its manifest."""
    folder = path.parent if path.name == MANIFEST else path
    return folder.is_dir() and any(folder.glob("catalog_*.catalog"))


@contextmanager
def open_log(path: Path, steering: float | None) -> Iterator[EntryLog]:
    """Open a tub."""
    folder = path.parent if path.name == MANIFEST else path
    factor = steering_factor(STEERING) if steering is None else steering
    skipped = Skips()
    yield EntryLog(path, _entries(folder, factor, skipped), skipped, factor)


def _entries(folder: Path, factor: float, skipped: Skips) -> Iterator[Entry]:
    catalogs, deleted = _manifest(folder, skipped)
    for line in (line for catalog in catalogs for line in _lines(catalog, skipped)):
        try:
            record = _record(line, folder)
            if record.number in deleted:
                skipped.unused["a record that its owner has deleted"] += 1
                continue
            if not images.is_whole(read_whole(record.picture)):
                raise InputError("a picture that is cut or none")
        except InputError as error:
            skipped.damaged[str(error)] += 1
            continue
        yield _picture(record)
        yield Entry(
            record.stamp_ns, topics.DRIVER_COMMAND,
            partial(serial.command, record.stamp_ns, record.angle * factor, record.throttle),
        )  # fmt: skip


def _picture(record: Record) -> Entry:
    return Entry(
        record.stamp_ns,
        topics.CAMERA_COMPRESSED,
        lambda: serial.compressed(record.stamp_ns, read_whole(record.picture)),
    )


def _manifest(folder: Path, skipped: Skips) -> tuple[list[Path], frozenset[int]]:
    """Give the catalogs and the deleted records; without a readable manifest, all there are."""
    found = {path.name: path for path in folder.glob("catalog_*.catalog")}
    if not found:
        raise BagError(f"expected catalogs of a Donkeycar tub in {folder}, got none")
    ordered = sorted(found.values(), key=lambda path: _number(path.name))
    try:
        text = (folder / MANIFEST).read_text(encoding="utf-8", errors="replace")
        last = json.loads(text.replace("\0", "").strip().splitlines()[-1])
        named = [PurePosixPath(name).name for name in last["paths"]]
        deleted = frozenset(int(index) for index in last.get("deleted_indexes", ()))
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        skipped.damaged["no readable manifest.json, so all catalogs are read"] += 1
        return ordered, frozenset()
    skipped.damaged.update({f"no catalog {name}": 1 for name in named if name not in found})
    unknown = [name for name in found if name not in named]
    skipped.unused.update({f"{name} is not in the manifest, but read": 1 for name in unknown})
    return ordered, deleted


def _number(name: str) -> int:
    digits = re.search(r"\d+", name)
    return int(digits[0]) if digits else -1


def _lines(catalog: Path, skipped: Skips) -> Iterator[str]:
    text = catalog.read_text(encoding="utf-8", errors="replace")
    if "\0" in text:
        skipped.damaged["a run of NUL bytes in a catalog"] += len(re.findall("\0+", text))
    yield from (line for line in text.replace("\0", "").splitlines() if line.strip())


def _record(line: str, folder: Path) -> Record:
    try:
        values = json.loads(line)
    except ValueError:
        raise InputError("a line that is cut or no JSON") from None
    if not isinstance(values, Mapping):
        raise InputError("a line that is no record")
    name = values.get(PICTURE)
    if not isinstance(name, str) or not name:
        raise InputError(f"a record without {PICTURE}")
    stamp_ms = _value(values, STAMP)
    if not 0 <= stamp_ms < MAX_STAMP_MS:
        raise InputError(f"a record whose {STAMP} is no time")
    return Record(
        number=int(_value(values, "_index")),
        stamp_ns=int(stamp_ms) * 1_000_000,
        picture=folder / FOLDER / PurePosixPath(name).name,
        angle=_value(values, ANGLE),
        throttle=_value(values, THROTTLE) if THROTTLE in values else math.nan,
    )


def _value(values: Mapping[str, Any], name: str) -> float:
    value = values.get(name)
    if isinstance(value, (int, float)) and math.isfinite(value):
        return float(value)
    raise InputError(f"a record without a number in {name}")
