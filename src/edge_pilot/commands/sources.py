"""Where recorded drives come from: the options that all commands on logs share."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from edge_pilot.config import Config
from edge_pilot.errors import BagError
from edge_pilot.mounting import Mounting
from edge_pilot.replay import logs, salvage, stamps
from edge_pilot.replay.evaluate import Event
from edge_pilot.replay.events import read_events, sample_stamps
from edge_pilot.replay.logs import IMPORTERS, Log
from edge_pilot.replay.selection import Selection, Unit, select, steering_unit, survey
from edge_pilot.units import steering_factor


class Source(NamedTuple):
    """A log, and how it is read."""

    log: Log
    selection: Selection
    clock: stamps.Clock
    unit: Unit  # of the human's steering

    def events(
        self,
        config: Config,
        reduction: int = 1,
        observe: Callable[[str, int], None] = lambda topic, stamp_ns: None,
    ) -> Iterator[Event]:
        """Give what happened, by stamp; see `events.read_events`."""
        return read_events(
            self.log, self.selection, self.clock, self.unit.factor, reduction,
            Mounting(config.imu), observe,
        )  # fmt: skip


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options that say how a log is read."""
    parser.add_argument(
        "--camera-topic",
        metavar="TOPIC",
        default="",
        help="default: replay.camera_topic, or found by type",
    )
    parser.add_argument(
        "--steering-topic",
        metavar="TOPIC",
        default="",
        help="what the human did: a JointState that names steering, a drive command, a Float32 or "
        "a Float64; default: driver/command, or found by type and name",
    )
    parser.add_argument(
        "--steering-scale",
        metavar="WORDS",
        default="",
        help="its unit and side: rad, deg, full=25deg (shares of the full lock), then right where "
        "that is positive, wheel=16 where it is the steering wheel's; or the factor to rad at the "
        "road wheel, positive left (default: as the log or its type has it)",
    )
    parser.add_argument(
        "--speed-topic", metavar="TOPIC", default="", help="a plain speed [m/s]; default: odometry"
    )
    parser.add_argument(
        "--stamps",
        choices=stamps.SOURCES,
        default="auto",
        help="whose time counts; auto: the headers' where they are sound, else the recorder's",
    )


def help_text() -> str:
    """Say how a log is named."""
    return f"[KIND:]PATH of a log; kinds: {', '.join(IMPORTERS)}; found out where not said"


@contextmanager
def open_source(
    text: str, args: argparse.Namespace, config: Config, *, needs_camera: bool = True
) -> Iterator[Source]:
    """Open a log as the options say.

    Raises:
        InputError: there is none, or it lacks what is named or needed.
    """
    factor = steering_factor(args.steering_scale) if args.steering_scale else None
    with logs.open_log(text, factor) as log:
        yield describe(log, args, config, needs_camera=needs_camera)


@contextmanager
def open_rest(text: str, args: argparse.Namespace, config: Config) -> Iterator[Source]:
    """Open a log, and of an MCAP file that was cut or damaged what is left.

    Raises:
        InputError: nothing is left, or it lacks what is named.
    """
    with ExitStack() as stack:
        try:
            source = stack.enter_context(open_source(text, args, config, needs_camera=False))
        except BagError as error:
            file = _single_mcap(logs.parse(text)[1])
            if file is None:
                raise
            folder = stack.enter_context(TemporaryDirectory(prefix="edge_pilot_"))
            copy = Path(folder) / file.name
            if not salvage.rescue(file, copy):
                raise
            whole = open_source(f"rosbag2:{copy}", args, config, needs_camera=False)
            source = stack.enter_context(whole)
            source.log.skipped.damaged[f"end of a file that is lost: {error}"] += 1
        yield source


def describe(
    log: Log, args: argparse.Namespace, config: Config, *, needs_camera: bool = True
) -> Source:
    """Find out how to read an open log."""
    find = select if needs_camera else survey
    camera = args.camera_topic or config.replay.camera_topic
    selection = find(log, camera, args.steering_topic, args.speed_topic)
    return Source(
        log,
        selection,
        stamps.choose(args.stamps, sample_stamps(log, selection.driving)),
        steering_unit(log, selection.steering),
    )


def _single_mcap(path: Path) -> Path | None:
    """Give the one MCAP file that a path means, or None."""
    found = sorted(path.glob("*.mcap")) if path.is_dir() else [path]
    return found[0] if len(found) == 1 and found[0].suffix == ".mcap" else None
