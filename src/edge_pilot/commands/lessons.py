"""Recorded drives as rows to learn from, decoded once.

What is decoded is kept in the user's cache: one file of pictures that is mapped into memory, one
of rows, under a digest of the log's files and of how they were read.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple, cast

import numpy as np
from tqdm import tqdm

from edge_pilot import files
from edge_pilot.card import CameraModel, ModelCard
from edge_pilot.commands import sources
from edge_pilot.commands.sources import Source
from edge_pilot.config import Config
from edge_pilot.ego import EgoFilter
from edge_pilot.errors import BagError, ImageError
from edge_pilot.learning.dataset import Drive
from edge_pilot.perception.heads import encode_state
from edge_pilot.preprocess import Preprocessor
from edge_pilot.replay import baselines, logs
from edge_pilot.replay.camera import find_intrinsics
from edge_pilot.replay.evaluate import MAX_STEERING_AGE_NS, Event, Speed, Steering, feel
from edge_pilot.replay.inspection import Inspection, inspect
from edge_pilot.types import NANOSECONDS, Frame, Image

FORM = 1  # of the cache; another number makes all of it anew
BAD = ("standstill", "reversing", "pictures turn")  # beginnings of stretches' names
PICTURES, ROWS, FACTS = "pictures.bin", "rows.npz", "facts.json"


class Lesson(NamedTuple):
    """One log, decoded."""

    name: str
    drive: Drive
    grey: np.ndarray  # (N, 560) for the ridge
    digest: str  # 12 hexadecimal digits, of pictures and rows
    logged_rad: float  # how many rad one of the log's own units is
    warnings: tuple[str, ...]
    damaged: int


def camera_of(text: str, args: argparse.Namespace, config: Config) -> CameraModel:
    """Give the camera of a log; without a calibration one that sees 80 degrees.

    Raises:
        InputError: it has no readable picture.
    """
    with sources.open_source(text, args, config) as source:
        found = find_intrinsics(source.log, source.selection, config.camera)
        if found.camera:
            return found.camera
        first = next((e for e in source.events(config) if isinstance(e, Frame)), None)
    if first is None:
        raise BagError(f"expected a readable picture in {text}, got none")
    height, width = first.image.shape[:2]
    focal = config.camera.focal_px * width / config.camera.width_px
    return CameraModel(width, height, focal, focal, 0.5 * (width - 1), 0.5 * (height - 1))


def load(
    text: str, args: argparse.Namespace, config: Config, card: ModelCard, cache: Path
) -> Lesson:
    """Decode a log for the network of a card, or take what was decoded before.

    Raises:
        InputError: the log cannot be used.
    """
    folder = cache / _key(text, args, config, card)
    if not (folder / FACTS).exists():
        with sources.open_source(text, args, config) as source:
            _decode(text, source, config, card, folder)
    facts = json.loads((folder / FACTS).read_text(encoding="utf-8"))
    with np.load(folder / ROWS, allow_pickle=False) as stored:
        rows = {name: stored[name] for name in stored.files}
    spec = card.input
    shape = (len(rows["stamp_ns"]), spec.height_px, spec.width_px, 3)
    image = np.memmap(folder / PICTURES, np.uint8, "r", shape=shape)
    grey = rows.pop("grey")
    drive = Drive(image=cast("Image", image), **rows)
    return Lesson(
        text, drive, grey, facts["digest"], facts["logged_rad"], tuple(facts["warnings"]),
        facts["damaged"],
    )  # fmt: skip


def _key(text: str, args: argparse.Namespace, config: Config, card: ModelCard) -> str:
    """Name what a decoded log depends on."""
    kind, path = logs.parse(text)
    found = sorted(path.rglob("*")) if path.is_dir() else sorted(path.parent.glob(f"{path.name}*"))
    stats = [(str(p), p.stat().st_size, p.stat().st_mtime_ns) for p in found if p.is_file()]
    ways = [args.camera_topic, args.steering_topic, args.steering_scale, args.speed_topic,
            args.stamps]  # fmt: skip
    spec = {**asdict(card.input), "history_s": ()}
    whole = [FORM, kind, stats, ways, spec, card.state, card.state_scale, asdict(config.imu)]
    return hashlib.sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()[:32]


def _decode(text: str, source: Source, config: Config, card: ModelCard, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    camera = find_intrinsics(source.log, source.selection, config.camera).camera
    frames = source.selection.camera.count if source.selection.camera else 0
    with (
        (folder / PICTURES).open("wb") as pictures,
        tqdm(desc=f"decoding {Path(text).name}", total=frames, unit="frame", disable=None) as bar,
    ):
        writer = _Writer(Preprocessor(card.input, camera), card, pictures.write)
        found = inspect(writer.through(source.events(config)), config, bar.update)
    rows = writer.rows(found)
    if not len(rows["stamp_ns"]):
        raise BagError(f"expected readable pictures in {text}, got none")
    with (folder / ROWS).open("wb") as file:
        np.savez(file, allow_pickle=False, **rows)
    whole = hashlib.sha256((folder / PICTURES).read_bytes())
    for name in sorted(rows):
        whole.update(rows[name].tobytes())
    facts = {
        "digest": whole.hexdigest()[:12],
        "logged_rad": source.unit.logged_rad,
        "warnings": found.warnings,
        "damaged": sum(source.log.skipped.damaged.values()) + sum(found.unreadable.values()),
    }
    files.replace(folder / FACTS, json.dumps(facts).encode())


class _Writer:
    """Takes a row at each picture that passes."""

    def __init__(self, view: Preprocessor, card: ModelCard, write: object) -> None:
        self._view, self._card, self._write = view, card, write
        self._ego = EgoFilter()
        self._stamps: list[int] = []
        self._states: list[np.ndarray] = []
        self._grey: list[np.ndarray] = []
        self._steering: list[tuple[int, float]] = []
        self._speed: list[tuple[int, float]] = []
        self._first_ns: int | None = None

    def through(self, events: Iterator[Event]) -> Iterator[Event]:
        """Give the events on."""
        for event in events:
            if self._first_ns is None:
                self._first_ns = event.stamp_ns
            feel(self._ego, event)
            if isinstance(event, Speed):
                self._speed.append((event.stamp_ns, event.speed_mps))
            elif isinstance(event, Steering):
                self._steering.append((event.stamp_ns, event.steering_rad))
            elif isinstance(event, Frame):
                self._take(event)
            yield event

    def _take(self, frame: Frame) -> None:
        try:
            crop = np.ascontiguousarray(self._view.crop(frame.image, frame.reduction))
        except ImageError:
            return  # another size: the inspection has warned
        self._write(crop.tobytes())  # type: ignore[operator]
        self._stamps.append(frame.stamp_ns)
        self._states.append(encode_state(self._ego.state(), self._card)[0])
        self._grey.append(baselines.grey(crop))

    def rows(self, found: Inspection) -> dict[str, np.ndarray]:
        """Give what `Drive` has, and the grey pixels."""
        stamps = np.array(self._stamps, np.int64)
        at_s = (stamps - (self._first_ns or 0)) / NANOSECONDS
        is_bad = np.zeros(len(stamps), bool)
        for stretch in found.stretches:
            if stretch.what.startswith(BAD):
                is_bad |= (stretch.begin_s <= at_s) & (at_s <= stretch.end_s)
        return {
            "stamp_ns": stamps,
            "steering_rad": _held(self._steering, stamps),
            "speed_mps": _held(self._speed, stamps),
            "state": np.array(self._states, np.float32),
            "is_bad": is_bad,
            "grey": np.array(self._grey, np.float32),
        }


def _held(series: list[tuple[int, float]], stamps: np.ndarray) -> np.ndarray:
    """Give the newest value at each stamp; NaN where it is too old."""
    if not series:
        return np.full(len(stamps), np.nan)
    at, values = (np.array(column) for column in zip(*series, strict=True))
    index = np.searchsorted(at, stamps, side="right") - 1
    known = (index >= 0) & (stamps - at[index] <= MAX_STEERING_AGE_NS)
    return np.where(known, values[index], np.nan)
