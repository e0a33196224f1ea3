"""Any log -> a clean rosbag2: standard topics, sound stamps, nothing that cannot be read.

Pictures stay as they are, byte by byte. Steering becomes rad at the road wheel, positive left;
the IMU is turned into `base_link`; a plain speed becomes odometry. A message's header and its
record time are the same in the result.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from shutil import move
from tempfile import TemporaryDirectory
from typing import Final, NamedTuple

from rosbags.rosbag2 import StoragePlugin, Writer

from edge_pilot import topics
from edge_pilot.errors import BagError, InputError
from edge_pilot.mounting import Mounting
from edge_pilot.replay import events, serial, stamps
from edge_pilot.replay.bags import Message, decode, types
from edge_pilot.replay.evaluate import Event, Speed, Steering
from edge_pilot.replay.logs import Log
from edge_pilot.replay.selection import Selection
from edge_pilot.topics import Topic
from edge_pilot.types import Imu

SUFFIX = ".mcap"
VERSION: Final = 9  # of rosbag2's metadata


class Converted(NamedTuple):
    """What was written, by topic, and what was not, by reason."""

    written: Counter[str]
    skipped: Counter[str]


def convert(
    log: Log, selection: Selection, clock: stamps.Clock, factor: float, mounting: Mounting | None,
    out: Path, progress: Callable[[], object] = lambda: None,
) -> Converted:  # fmt: skip
    """Write `out`: one file where it ends in .mcap, else a folder with metadata.yaml.

    Args:
        log: what is read.
        selection: its topics.
        clock: whose stamps count.
        factor: of the steering, to rad at the road wheel, positive left.
        mounting: of the IMU; None: its samples are in `base_link`.
        out: must not exist.
        progress: called after each message that was read.

    Raises:
        BagError: the log is damaged, there is nothing to write, or `out` exists.
        OSError: it cannot be written.
    """
    if out.exists():
        raise BagError(f"expected a path for a new recording, got {out}, which exists")
    result = Converted(Counter(), Counter())
    out.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=out.parent, prefix=f".{out.name}.") as folder:
        place = Path(folder) / out.stem
        with Writer(place, version=VERSION, storage_plugin=StoragePlugin.MCAP) as writer:
            connections = {}
            rows = _rows(log, selection, clock, factor, mounting, result.skipped, progress)
            for topic, stamp_ns, data in rows:
                name = f"/{topic.name}"
                if name not in connections:
                    connections[name] = writer.add_connection(name, topic.type, typestore=types())
                writer.write(connections[name], stamp_ns, data)
                result.written[name] += 1
        if not result.written:
            raise BagError(f"expected messages of standard topics in {log.path}, got none")
        source = next(place.glob(f"*{SUFFIX}")) if out.suffix == SUFFIX else place
        move(source, out)
    return result


def _rows(
    log: Log, selection: Selection, clock: stamps.Clock, factor: float, mounting: Mounting | None,
    skipped: Counter[str], progress: Callable[[], object],
) -> Iterator[tuple[Topic, int, bytes]]:  # fmt: skip
    """Give topic, stamp and data of each message to write, by stamp."""
    converters = events.converters(selection, factor, 1, mounting)
    rows = {name: _row(what, selection) for what, name in selection.names.items()}
    camera = selection.camera.name if selection.camera else ""
    last: dict[str, tuple[int, bytes]] = {}
    keeps = {topics.ODOM.type}
    if mounting is None:
        keeps.add(topics.IMU.type)
    if factor == 1.0:
        keeps.add(topics.DRIVER_COMMAND.type)
    for stamp_ns, message in events.in_order(log.messages(list(rows)), clock, camera):
        progress()
        name, new = message.topic, (stamp_ns, message.data)
        if last.get(name) == new:
            skipped["repeat of the message before, stamp and all"] += 1
            continue
        if name in last and stamp_ns < last[name][0]:
            skipped[f"message on {name} that is older than the one before"] += 1
            continue
        last[name] = new
        try:
            read = converters.get(name)  # none: it is kept as it is
            event = read(stamp_ns, decode(message)) if read else None
            data = _written(event, stamp_ns, message, keeps)
        except InputError as error:
            skipped[f"message on {name} that cannot be read: {error}"] += 1
        else:
            yield rows[name], stamp_ns, data


def _written(
    event: Event | None, stamp_ns: int, message: Message, keeps: Collection[str]
) -> bytes:
    """Give a message anew where its content changes, else as it is but for its stamp."""
    if message.type not in keeps:
        if isinstance(event, Imu):
            return serial.imu(event)
        if isinstance(event, Steering):
            return serial.command(stamp_ns, event.steering_rad)
        if isinstance(event, Speed):
            return serial.odometry(stamp_ns, event.speed_mps)
    return stamps.restamp(message.data, stamp_ns)


def _row(what: str, selection: Selection) -> Topic:
    if what == "camera" and selection.camera:
        is_raw = selection.camera.type == topics.CAMERA.type
        return topics.CAMERA if is_raw else topics.CAMERA_COMPRESSED
    return {
        "camera_info": topics.CAMERA_INFO,
        "imu": topics.IMU,
        "odom": topics.ODOM,
        "speed": topics.ODOM,
        "gps": topics.GPS,
        "lidar": topics.LIDAR,
        "steering": topics.DRIVER_COMMAND,
    }[what]
