"""Which of a recording's topics are the camera, the IMU and so on, found by type."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from edge_pilot import topics
from edge_pilot.errors import BagError
from edge_pilot.replay.bags import Bag, BagTopic, decode

CAMERA_TYPES = (topics.CAMERA.type, topics.CAMERA_COMPRESSED.type)
STEERING_TYPES = (topics.DRIVER_COMMAND.type, "std_msgs/msg/Float32", "std_msgs/msg/Float64")
DEPTH_ENCODINGS = ("16UC1", "32FC1")  # REP-118
GREY_ENCODINGS = ("mono8", "mono16", "8UC1")


class Selection(NamedTuple):
    """The topics that a replay reads; None where the recording has no such thing."""

    camera: BagTopic
    camera_info: BagTopic | None = None
    imu: BagTopic | None = None
    odom: BagTopic | None = None
    gps: BagTopic | None = None
    lidar: BagTopic | None = None
    steering: BagTopic | None = None

    @property
    def names(self) -> dict[str, str]:
        """The names of those that are there, by what they are."""
        return {what: topic.name for what, topic in self._asdict().items() if topic}

    @property
    def driving(self) -> tuple[str, ...]:
        """The names of those whose messages drive, or are compared with."""
        return tuple(t.name for t in (self.camera, self.imu, self.odom, self.steering) if t)


def select(bag: Bag, camera: str = "", steering: str = "") -> Selection:
    """Find the topics; `camera` and `steering` name what shall not be found by type.

    Raises:
        BagError: the recording has no camera, or not the topics that are named.
    """
    chosen = _named(bag, camera, CAMERA_TYPES) if camera else _find_camera(bag)
    return Selection(
        camera=chosen,
        camera_info=_find_camera_info(bag, chosen),
        imu=_most(_of_types(bag, (topics.IMU.type,))),
        odom=_most(_of_types(bag, (topics.ODOM.type,))),
        gps=_most(_of_types(bag, (topics.GPS.type,))),
        lidar=_most(_of_types(bag, (topics.LIDAR.type,))),
        steering=_named(bag, steering, STEERING_TYPES) if steering else _find_driver(bag),
    )


def describe(bag_topics: Iterable[BagTopic]) -> str:
    """Say in one line which topics there are."""
    return ", ".join(f"{topic.name} ({topic.type})" for topic in bag_topics) or "no topics"


def _of_types(bag: Bag, types: Iterable[str]) -> list[BagTopic]:
    return [topic for topic in bag.topics if topic.type in types and topic.count]


def _most(candidates: list[BagTopic]) -> BagTopic | None:
    """Give the topic with most messages, the first of equals."""
    return max(candidates, key=lambda topic: topic.count, default=None)


def _named(bag: Bag, name: str, types: tuple[str, ...]) -> BagTopic:
    for topic in bag.topics:
        if topic.name.strip("/") == name.strip("/") and topic.type in types and topic.count:
            return topic
    raise BagError(
        f"expected messages on {name} of {' or '.join(types)} in {bag.path}, "
        f"got {describe(bag.topics)}"
    )


def _find_camera(bag: Bag) -> BagTopic:
    """Prefer colour to grey, then more pictures, then pictures that are not compressed."""
    candidates = [(_colour(bag, topic), topic) for topic in _of_types(bag, CAMERA_TYPES)]
    usable = [(colour, topic) for colour, topic in candidates if colour]
    if not usable:
        raise BagError(
            f"expected a camera ({' or '.join(CAMERA_TYPES)}) in {bag.path}, "
            f"got {describe(bag.topics)}"
        )
    return max(usable, key=lambda c: (c[0], c[1].count, c[1].type == topics.CAMERA.type))[1]


def _colour(bag: Bag, topic: BagTopic) -> int:
    """Give 2 for a colour camera, 1 for a grey one, 0 for depth, by its first message."""
    try:
        first = decode(next(bag.messages([topic.name])))
    except (BagError, StopIteration):
        return 1  # its damage is the replay's to report
    is_raw = topic.type == topics.CAMERA.type
    # A compressed picture has "16UC1; compressedDepth png", for instance.
    encoding = first.encoding if is_raw else first.format.partition(";")[0]
    return 0 if encoding in DEPTH_ENCODINGS else 1 if encoding in GREY_ENCODINGS else 2


def _find_camera_info(bag: Bag, camera: BagTopic) -> BagTopic | None:
    """Find the topic beside the camera's, where image_transport has it."""
    base = camera.name.removesuffix("/compressed").rpartition("/")[0]
    infos = _of_types(bag, (topics.CAMERA_INFO.type,))
    return next((topic for topic in infos if topic.name == f"{base}/camera_info"), None)


def _find_driver(bag: Bag) -> BagTopic | None:
    name = topics.DRIVER_COMMAND.name
    return _most([t for t in _of_types(bag, STEERING_TYPES[:1]) if t.name.endswith("/" + name)])
