"""Recordings: rosbag2 folders and files, MCAP and SQLite, compressed or not.

A folder is read file by file, as its metadata.yaml says; a recorder that was killed before it
wrote one leaves a folder that is read if it holds one file.
"""

from __future__ import annotations

import heapq
import sys
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from shutil import copyfileobj
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import yaml
from rosbags.rosbag2 import Reader, ReaderError
from rosbags.serde import SerdeError
from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from rosbags.typesys.store import Typestore

from edge_pilot.errors import BagError
from edge_pilot.replay import mcap
from edge_pilot.replay.skips import Skips

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

STORAGES = (".mcap", ".db3")
COMPRESSED = (".zstd", ".zst")
MAX_MESSAGE_BYTES = 2**30
DEFINITIONS = {  # beyond common_interfaces
    "ackermann_msgs/msg/AckermannDrive": "float32 steering_angle\n"
    "float32 steering_angle_velocity\nfloat32 speed\nfloat32 acceleration\nfloat32 jerk\n",
    "ackermann_msgs/msg/AckermannDriveStamped": "std_msgs/Header header\n"
    "ackermann_msgs/AckermannDrive drive\n",
    "carla_msgs/msg/CarlaEgoVehicleControl": "std_msgs/Header header\nfloat32 throttle\n"
    "float32 steer\nfloat32 brake\nbool hand_brake\nbool reverse\nint32 gear\n"
    "bool manual_gear_shift\n",
}


@dataclass(frozen=True)
class BagTopic:
    """A topic of a recording."""

    name: str
    type: str
    count: int


class Message(NamedTuple):
    """A message as it was recorded."""

    topic: str
    type: str
    stamp_ns: int  # when it was recorded
    data: bytes  # serialised, CDR


class Bag:
    """An open recording."""

    def __init__(
        self, path: Path, readers: Sequence[Reader], unpack: Callable[[bytes], bytes]
    ) -> None:
        self.path = path
        self.topics = _merged_topics(readers)
        self.steering_factor: float | None = None  # a recording does not say
        self.skipped = Skips()
        self._readers = readers
        self._unpack = unpack

    def messages(self, names: Collection[str]) -> Iterator[Message]:
        """Give the messages of these topics in the order of record time.

        Raises:
            BagError: the recording turns out to be damaged, which may be after many messages.
        """
        with _reading(self.path):
            streams = [_stream(reader, names) for reader in self._readers]
            for message in heapq.merge(*streams, key=lambda message: message.stamp_ns):
                yield message._replace(data=self._unpack(message.data))


@contextmanager
def open_bag(path: Path) -> Iterator[Bag]:
    """Open a rosbag2 folder, an .mcap or .db3 file, or such a file compressed with zstd.

    Raises:
        BagError: there is none, or it cannot be read.
    """
    with ExitStack() as stack:
        with _reading(path):
            files, unpack = find_files(path)
            readers = [_open_file(file, stack) for file in files]
            bag = Bag(path, readers, unpack)
        yield bag


def find_files(path: Path) -> tuple[list[Path], Callable[[bytes], bytes]]:
    """Give the files of a recording, and what decompresses its messages.

    Raises:
        BagError: there are none.
    """
    if not path.exists():
        raise BagError(f"expected a bag at {path}, got nothing there")
    if path.is_file():
        return [_checked_name(path)], _keep
    if (path / "metadata.yaml").exists():
        return _read_metadata(path)
    files = sorted(file for file in path.iterdir() if _storage_of(file) in STORAGES)
    if len(files) != 1:
        names = ", ".join(file.name for file in files) or "none"
        wanted = " or ".join(STORAGES)
        raise BagError(f"expected metadata.yaml or one {wanted} file in {path}, got {names}")
    return files, _keep


def decode(message: Message) -> Any:
    """Deserialise a message of a standard type.

    Raises:
        BagError: its bytes do not hold what the type says.
    """
    try:
        return types().deserialize_cdr(message.data, message.type)
    except (SerdeError, UnicodeDecodeError) as error:
        raise BagError(f"expected a {message.type} on {message.topic}, got: {error}") from None


@lru_cache(maxsize=1)
def types() -> Typestore:
    """Give the types that are read: the standard ones, and those of common drive commands."""
    # The standard types are the same in all distributions since Humble, and SQLite bags of
    # before Iron carry no definitions.
    store = get_typestore(Stores.ROS2_HUMBLE)
    for name, definition in DEFINITIONS.items():
        store.register(get_types_from_msg(definition, name))
    return store


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Turn whatever the readers raise into a BagError."""
    try:
        yield
    except BagError:
        raise
    except Exception as error:  # noqa: BLE001 - they have no common root for what damage provokes
        reason = " ".join(str(error).split())
        if not isinstance(error, (ReaderError, OSError)):
            reason = f"damaged ({type(error).__name__}: {reason})"
        raise BagError(f"expected a readable bag, got {path}: {reason:.300}") from None


def _read_metadata(folder: Path) -> tuple[list[Path], Callable[[bytes], bytes]]:
    path = folder / "metadata.yaml"
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
        bag = document["rosbag2_bagfile_information"]
        names = [str(name) for name in bag["relative_file_paths"]]
        modes = str(bag.get("compression_mode") or "none").lower()
    except (yaml.YAMLError, UnicodeDecodeError, AttributeError, KeyError, TypeError) as error:
        reason = " ".join(str(error).split())
        raise BagError(f"expected the metadata of a rosbag2 in {path}, got: {reason}") from None
    # Older recorders wrote the bag's folder in front of the name.
    files = [_checked_name(folder / Path(name).name) for name in names]
    if missing := [file.name for file in files if not file.exists()]:
        raise BagError(f"expected {', '.join(missing)} in {folder} as {path.name} says, got none")
    return files, _unpack_message if modes == "message" else _keep


def _checked_name(file: Path) -> Path:
    if _storage_of(file) not in STORAGES:
        raise BagError(
            f"expected a rosbag2 folder or a file that ends in {' or '.join(STORAGES)}, got {file}"
        )
    return file


def _storage_of(file: Path) -> str:
    return Path(file.stem).suffix if file.suffix in COMPRESSED else file.suffix


def _open_file(file: Path, stack: ExitStack) -> Reader:
    if file.suffix in COMPRESSED:
        folder = stack.enter_context(TemporaryDirectory(prefix="edge_pilot_"))
        file = _unpack_file(file, Path(folder))
    if file.suffix == ".mcap":
        mcap.check(file)
    return stack.enter_context(Reader(file))


def _unpack_file(file: Path, folder: Path) -> Path:
    target = folder / file.stem
    try:
        with zstd.open(file, "rb") as source, target.open("wb") as copy:
            copyfileobj(source, copy)
    except (zstd.ZstdError, EOFError) as error:
        raise BagError(f"expected a whole zstd file, got {file}: {error}") from None
    return target


def _keep(data: bytes) -> bytes:
    return data


def _unpack_message(data: bytes) -> bytes:
    return mcap.inflate(data, "zstd", MAX_MESSAGE_BYTES)


def _merged_topics(readers: Sequence[Reader]) -> tuple[BagTopic, ...]:
    counts: dict[tuple[str, str], int] = {}
    for connection in (c for reader in readers for c in reader.connections):
        key = (connection.topic, connection.msgtype)
        counts[key] = counts.get(key, 0) + connection.msgcount
    return tuple(BagTopic(*key, count) for key, count in sorted(counts.items()))


def _stream(reader: Reader, names: Collection[str]) -> Iterator[Message]:
    connections = [c for c in reader.connections if c.topic in names]
    if connections:  # to the reader, none means all
        for connection, stamp_ns, data in reader.messages(connections):
            if not (isinstance(stamp_ns, int) and isinstance(data, bytes)):
                # Any column of a damaged SQLite file can hold any type.
                raise TypeError(f"{connection.topic} has a message without stamp or bytes")
            yield Message(connection.topic, connection.msgtype, stamp_ns, data)
