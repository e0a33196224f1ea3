"""Any log, whoever wrote it, as topics and messages: what all commands on recordings read.

A log is named by its path, or by KIND:PATH where the kind shall not be found out. Each kind is
one module of `importers` with two functions: `recognises(path)` and `open_log(path, steering)`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import AbstractContextManager
from importlib import import_module
from pathlib import Path
from typing import NamedTuple, Protocol, cast

from edge_pilot.errors import BagError, InputError
from edge_pilot.replay.bags import BagTopic, Message
from edge_pilot.replay.skips import Skips
from edge_pilot.topics import Topic

IMPORTERS = {  # in the order of asking: what is certain of its kind comes first
    name: f"edge_pilot.replay.importers.{name}"
    for name in ("donkeycar", "udacity", "comma2k19", "kitti", "carla", "rosbag1", "rosbag2")
}


class Log(Protocol):
    """An open log. Messages are of common_interfaces, serialised as ROS 2 does."""

    @property
    def path(self) -> Path:
        """Where it lies."""
        ...

    @property
    def topics(self) -> tuple[BagTopic, ...]:
        """What is in it, by name."""
        ...

    @property
    def steering_factor(self) -> float | None:
        """What turns its plain steering into rad at the road wheel; None: it does not say."""
        ...

    @property
    def skipped(self) -> Skips:
        """What was left out. It may grow while messages are read."""
        ...

    def messages(self, names: Collection[str]) -> Iterator[Message]:
        """Give the messages of these topics in the order of their stamps."""
        ...


class Importer(Protocol):
    """What a module of `importers` is."""

    def recognises(self, path: Path) -> bool:
        """Tell whether a path looks like a log of this kind."""
        ...

    def open_log(self, path: Path, steering: float | None) -> AbstractContextManager[Log]:
        """Open it; `steering` is as `units.steering_factor` gives it, None the kind's own.

        Raises:
            BagError: it is no such log.
        """
        ...


class Entry(NamedTuple):
    """One message of a log that has none: it is made when it is asked for."""

    stamp_ns: int
    topic: Topic
    make: Callable[[], bytes]


class EntryLog:
    """A log that an importer has listed."""

    steering_factor = 1.0  # the importer has applied it

    def __init__(
        self, path: Path, entries: Iterable[Entry], skipped: Skips, applied: float = 1.0
    ) -> None:
        """Sort the entries by stamp; `applied` is what the importer has made rad with.

        Raises:
            BagError: there is none.
        """
        self.path, self.skipped, self.applied = path, skipped, applied
        self._lost: set[int] = set()
        self._entries = sorted(entries, key=lambda entry: entry.stamp_ns)
        counts = Counter(entry.topic for entry in self._entries)
        self.topics = tuple(
            BagTopic(f"/{topic.name}", topic.type, count)
            for topic, count in sorted(counts.items(), key=lambda item: item[0].name)
        )
        if not self._entries:
            reasons = "; ".join(skipped.lines()) or "it is empty"
            raise BagError(f"expected records in {path}, got none that can be used ({reasons})")

    def messages(self, names: Collection[str]) -> Iterator[Message]:
        """Give the messages of these topics in the order of their stamps."""
        for number, (stamp_ns, topic, make) in enumerate(self._entries):
            name = f"/{topic.name}"
            if name in names:
                try:
                    data = make()
                except InputError as error:
                    if number not in self._lost:  # counted when it was asked for before
                        self.skipped.damaged[str(error)] += 1
                    self._lost.add(number)
                else:
                    yield Message(name, topic.type, stamp_ns, data)


def open_log(text: str | Path, steering: float | None = None) -> AbstractContextManager[Log]:
    """Open the log that `[KIND:]PATH` names.

    Raises:
        BagError: there is none, or none of the kinds reads it.
    """
    kind, path = parse(str(text))
    return _module(kind).open_log(path, steering)


def parse(text: str) -> tuple[str, Path]:
    """Give kind and path of `[KIND:]PATH`; what is of no other kind is taken for a rosbag2.

    Raises:
        BagError: the kind is not known.
    """
    kind, sign, rest = text.partition(":")
    if sign and kind in IMPORTERS:
        return kind, Path(rest)
    path = Path(text)
    if sign and not path.exists() and kind.isidentifier():
        raise BagError(f"expected a kind of {', '.join(IMPORTERS)} before the colon, got {text!r}")
    try:
        return next((k for k in IMPORTERS if _module(k).recognises(path)), "rosbag2"), path
    except OSError as error:
        raise BagError(f"expected a readable log at {path}, got: {error.strerror}") from None


def read_whole(path: Path) -> bytes:
    """Read a picture's file.

    Raises:
        InputError: it is not there or empty.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"no picture file ({error.strerror})") from None
    if not content:
        raise InputError("a picture file of 0 bytes")
    return content


def _module(kind: str) -> Importer:
    return cast("Importer", import_module(IMPORTERS[kind]))
