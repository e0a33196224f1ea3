"""Which of a recording's topics are the camera, the IMU and so on, found by type."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import NamedTuple

from edge_pilot import topics
from edge_pilot.errors import BagError
from edge_pilot.replay.bags import BagTopic, decode
from edge_pilot.replay.logs import EntryLog, Log
from edge_pilot.units import guess, steering_factor

CAMERA_TYPES = (topics.CAMERA.type, topics.CAMERA_COMPRESSED.type)
NUMBERS = ("std_msgs/msg/Float32", "std_msgs/msg/Float64")
COMMANDS = {  # that say their unit
    "ackermann_msgs/msg/AckermannDriveStamped": "rad",
    "ackermann_msgs/msg/AckermannDrive": "rad",
    "carla_msgs/msg/CarlaEgoVehicleControl": "full=70deg,right",
}
STEERING_TYPES = (topics.DRIVER_COMMAND.type, *NUMBERS, *COMMANDS)
SPEED_TYPES = (*NUMBERS, "geometry_msgs/msg/TwistStamped")
STEERING_NAMES, SPEED_NAMES = ("steer",), ("speed", "velocity", "twist")
DEPTH_ENCODINGS = ("16UC1", "32FC1")  # REP-118
GREY_ENCODINGS = ("mono8", "mono16", "8UC1")
GUESSED_BY = 20_000  # messages of a steering topic, half an hour at 10 Hz


class Selection(NamedTuple):
    """The topics that a replay reads; None where the recording has no such thing."""

    camera: BagTopic | None = None
    camera_info: BagTopic | None = None
    imu: BagTopic | None = None
    odom: BagTopic | None = None
    speed: BagTopic | None = None  # plain numbers, where there is no odometry
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
        found = (self.camera, self.imu, self.odom, self.speed, self.steering)
        return tuple(topic.name for topic in found if topic)


class Unit(NamedTuple):
    """What a plain steering is taken for."""

    factor: float  # to rad at the road wheel, positive left
    reason: str
    logged_rad: float = 1.0  # how many rad one of the log's own units is


def select(bag: Log, camera: str = "", steering: str = "", speed: str = "") -> Selection:
    """Find the topics; the names given are those that shall not be found by type.

    Raises:
        BagError: the recording has no camera, or not the topics that are named.
    """
    found = survey(bag, camera, steering, speed)
    if found.camera is None:
        raise BagError(
            f"expected a camera ({' or '.join(CAMERA_TYPES)}) in {bag.path}, "
            f"got {describe(bag.topics)}"
        )
    return found


def survey(bag: Log, camera: str = "", steering: str = "", speed: str = "") -> Selection:
    """Find the topics as `select` does, in a recording that may have no camera.

    Raises:
        BagError: it has not the topics that are named.
    """
    chosen = _named(bag, camera, CAMERA_TYPES) if camera else _find_camera(bag)
    odom = _most(_of_types(bag, (topics.ODOM.type,)))
    if speed:
        odom = None
    by_name = _named(bag, speed, SPEED_TYPES) if speed else _find(bag, SPEED_TYPES, SPEED_NAMES)
    return Selection(
        camera=chosen,
        camera_info=_find_camera_info(bag, chosen) if chosen else None,
        imu=_most(_of_types(bag, (topics.IMU.type,))),
        odom=odom,
        speed=None if odom else by_name,
        gps=_most(_of_types(bag, (topics.GPS.type,))),
        lidar=_most(_of_types(bag, (topics.LIDAR.type,))),
        steering=_named(bag, steering, STEERING_TYPES) if steering else _find_driver(bag),
    )


def rivals(bag: Log, found: Selection) -> dict[str, list[str]]:
    """Name the topics that could have been taken instead, by what they are."""
    types = {
        "camera": CAMERA_TYPES, "imu": (topics.IMU.type,), "odom": (topics.ODOM.type,),
        "gps": (topics.GPS.type,), "lidar": (topics.LIDAR.type,),
    }  # fmt: skip
    taken = found.names
    others = {
        what: [topic.name for topic in _of_types(bag, kinds) if topic.name != taken.get(what)]
        for what, kinds in types.items()
    }
    others["steering"] = [
        topic.name
        for topic in _of_types(bag, STEERING_TYPES)
        if _is_named(topic, STEERING_NAMES) and topic.name != taken.get("steering")
    ]
    return {what: names for what, names in others.items() if names and what in taken}


def steering_unit(bag: Log, steering: BagTopic | None) -> Unit:
    """Say what the numbers of the steering topic are: as told, as its type has it, or guessed.

    Raises:
        BagError: the recording is damaged.
    """
    if isinstance(bag, EntryLog):
        return Unit(1.0, "in the log's own unit, or as told", abs(bag.applied))
    if bag.steering_factor is not None:
        return Unit(bag.steering_factor, "as told", abs(bag.steering_factor))
    if steering is None or steering.type == topics.DRIVER_COMMAND.type:
        return Unit(1.0, "rad, positive left")
    if steering.type in COMMANDS:
        words = COMMANDS[steering.type]
        return Unit(steering_factor(words), f"{words}, as {steering.type} has it")
    values = [decode(m).data for m in islice(bag.messages([steering.name]), GUESSED_BY)]
    largest = max((abs(value) for value in values if value == value), default=0.0)
    words = guess(steering.name, largest)
    factor = steering_factor(words)
    return Unit(
        factor,
        f"guessed to be {words},left from its name and its largest value, {largest:.3g}; "
        f"--steering-scale says otherwise",
        factor,
    )


def describe(bag_topics: Iterable[BagTopic]) -> str:
    """Say in one line which topics there are."""
    return ", ".join(f"{topic.name} ({topic.type})" for topic in bag_topics) or "no topics"


def _of_types(bag: Log, types: Iterable[str]) -> list[BagTopic]:
    return [topic for topic in bag.topics if topic.type in types and topic.count]


def _most(candidates: list[BagTopic]) -> BagTopic | None:
    """Give the topic with most messages, the first of equals."""
    return max(candidates, key=lambda topic: topic.count, default=None)


def _is_named(topic: BagTopic, words: Iterable[str]) -> bool:
    return topic.type not in NUMBERS or any(word in topic.name.lower() for word in words)


def _find(bag: Log, types: Iterable[str], words: Iterable[str]) -> BagTopic | None:
    """Find a topic by type, and by name too where its type is a plain number."""
    return _most([topic for topic in _of_types(bag, types) if _is_named(topic, words)])


def _named(bag: Log, name: str, types: tuple[str, ...]) -> BagTopic:
    for topic in bag.topics:
        if topic.name.strip("/") == name.strip("/") and topic.type in types and topic.count:
            return topic
    raise BagError(
        f"expected messages on {name} of {' or '.join(types)} in {bag.path}, "
        f"got {describe(bag.topics)}"
    )


def _find_camera(bag: Log) -> BagTopic | None:
    """Prefer colour to grey, then more pictures, then pictures that are not compressed."""
    candidates = [(_colour(bag, topic), topic) for topic in _of_types(bag, CAMERA_TYPES)]
    usable = [(colour, topic) for colour, topic in candidates if colour]
    if not usable:
        return None
    return max(usable, key=lambda c: (c[0], c[1].count, c[1].type == topics.CAMERA.type))[1]


def _colour(bag: Log, topic: BagTopic) -> int:
    """Give 2 for a colour camera, 1 for a grey one, 0 for depth, by its first message."""
    try:
        first = decode(next(bag.messages([topic.name])))
    except (BagError, StopIteration):
        return 1  # its damage is the replay's to report
    is_raw = topic.type == topics.CAMERA.type
    # A compressed picture has "16UC1; compressedDepth png", for instance.
    encoding = first.encoding if is_raw else first.format.partition(";")[0]
    return 0 if encoding in DEPTH_ENCODINGS else 1 if encoding in GREY_ENCODINGS else 2


def _find_camera_info(bag: Log, camera: BagTopic) -> BagTopic | None:
    """Find the topic beside the camera's, where image_transport has it."""
    base = camera.name.removesuffix("/compressed").rpartition("/")[0]
    infos = _of_types(bag, (topics.CAMERA_INFO.type,))
    return next((topic for topic in infos if topic.name == f"{base}/camera_info"), None)


def _find_driver(bag: Log) -> BagTopic | None:
    """Prefer what the package itself calls it to commands of known types, and these to numbers."""
    name = topics.DRIVER_COMMAND.name
    own = [t for t in _of_types(bag, STEERING_TYPES[:1]) if t.name.endswith("/" + name)]
    return _most(own) or _most(_of_types(bag, COMMANDS)) or _find(bag, NUMBERS, STEERING_NAMES)
