"""rosbag of ROS 1: the messages that ROS 2 has too, in its form."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rosbags.convert.converter import migrate_message
from rosbags.rosbag1 import Reader, ReaderError
from rosbags.typesys import Stores, get_typestore

from edge_pilot.errors import BagError
from edge_pilot.replay.bags import BagTopic, Message, types
from edge_pilot.replay.skips import Skips

INTRINSICS = ("d", "k", "r", "p")  # of CameraInfo; ROS 1 has them in capitals


class Rosbag1:
    """An open recording of ROS 1."""

    def __init__(self, path: Path, reader: Reader, steering: float | None) -> None:
        self.path, self.steering_factor = path, steering
        self.skipped = Skips()
        self._reader, self._store = reader, get_typestore(Stores.ROS1_NOETIC)
        self._cache: dict[str, Any] = {}
        known = [c for c in reader.connections if self._is_known(c.msgtype)]
        counts: Counter[tuple[str, str]] = Counter()
        for connection in reader.connections:
            if connection in known:
                counts[connection.topic, connection.msgtype] += connection.msgcount
            else:
                reason = f"message of {connection.msgtype}, which is not known"
                self.skipped.unused[reason] += connection.msgcount
        self.topics = tuple(BagTopic(*key, count) for key, count in sorted(counts.items()))

    def messages(self, names: Collection[str]) -> Iterator[Message]:
        """Give the messages of these topics in the order of record time.

        Raises:
            BagError: the recording is damaged.
        """
        wanted = {topic.name for topic in self.topics} & set(names)
        connections = [c for c in self._reader.connections if c.topic in wanted]
        if not connections:  # to the reader, none means all
            return
        try:
            for connection, stamp_ns, data in self._reader.messages(connections):
                if self._is_known(connection.msgtype):
                    kind = connection.msgtype
                    yield Message(connection.topic, kind, stamp_ns, self._convert(data, kind))
        except Exception as error:  # noqa: BLE001 - damage provokes any, see bags.py
            reason = " ".join(str(error).split())
            raise BagError(f"expected a readable bag, got {self.path}: {reason:.200}") from None

    def _is_known(self, kind: str) -> bool:
        return kind in self._store.types and kind in types().types

    def _convert(self, data: bytes | memoryview, kind: str) -> bytes:
        old = self._store.deserialize_ros1(data, kind)
        new: Any = migrate_message(self._store, types(), kind, kind, self._cache, old)
        if kind == "sensor_msgs/msg/CameraInfo":
            for name in INTRINSICS:
                setattr(new, name, getattr(old, name.upper()))
        return bytes(types().serialize_cdr(new, kind))


def recognises(path: Path) -> bool:
    """Tell whether a path looks like a rosbag of ROS 1."""
    return path.suffix == ".bag"


@contextmanager
def open_log(path: Path, steering: float | None) -> Iterator[Rosbag1]:
    """Open a recording."""
    try:
        reader = Reader(path)
        reader.open()
    except (ReaderError, OSError, ValueError, KeyError) as error:
        reason = " ".join(str(error).split())
        raise BagError(f"expected a rosbag of ROS 1 at {path}, got: {reason:.200}") from None
    try:
        yield Rosbag1(path, reader, steering)
    finally:
        reader.close()
