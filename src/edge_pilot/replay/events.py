"""Recorded messages -> what happened, in the order of its stamps."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from itertools import islice
from math import isfinite, sqrt
from typing import Any, TypeAlias, TypeVar

from edge_pilot import images, topics
from edge_pilot.errors import InputError
from edge_pilot.mounting import Mounting
from edge_pilot.replay import stamps
from edge_pilot.replay.bags import BagTopic, Message, decode
from edge_pilot.replay.evaluate import Event, Speed, Steering, Unreadable
from edge_pilot.replay.logs import Log
from edge_pilot.replay.selection import Selection
from edge_pilot.types import NANOSECONDS, Frame, Imu

SPEED_STD_MPS = 0.1  # of odometry that does not give its covariance
HOLD_NS = NANOSECONDS // 2  # a picture is recorded at most this much later than an IMU sample
HOLD_MESSAGES = 1000  # and so many wait at most, whatever their stamps say

AHEAD = 16  # messages that are decoded and wait, four pictures with an IMU between
Item = TypeVar("Item")
Result = TypeVar("Result")
Converter: TypeAlias = Callable[[int, Any], Event | None]


def read_events(
    bag: Log, selection: Selection, clock: stamps.Clock, steering_scale: float = 1.0,
    reduction: int = 1, mounting: Mounting | None = None,
    observe: Callable[[str, int], None] = lambda topic, stamp_ns: None,
) -> Iterator[Event]:  # fmt: skip
    """Give the pictures, motion and human steering of a recording.

    Args:
        bag: the recording.
        selection: its topics.
        clock: whose stamps the events carry.
        steering_scale: turns the human's steering into rad at the road wheel, positive left.
        reduction: of JPEG, as `images.from_compressed_reduced` says.
        mounting: turns the IMU's samples into `base_link`; None: they are.
        observe: told of topic and stamp of each message, in the order of recording.

    Raises:
        BagError: the recording is damaged. A damaged message is an Unreadable instead.
    """
    readers = converters(selection, steering_scale, reduction, mounting)
    messages = bag.messages(list(readers))
    camera = selection.camera.name if selection.camera else ""

    def convert(stamped: tuple[int, Message]) -> Event | None:
        stamp_ns, message = stamped
        try:
            return readers[message.topic](stamp_ns, decode(message))
        except InputError as error:
            return Unreadable(stamp_ns, str(error))

    for event in _ahead(convert, in_order(messages, clock, camera, observe)):
        if event is not None:
            yield event


def sample_stamps(bag: Log, names: Iterable[str]) -> dict[str, list[stamps.Sample]]:
    """Read the stamps of each topic's first messages."""
    return {
        name: [_sample(message) for message in islice(bag.messages([name]), stamps.SAMPLE)]
        for name in names
    }


def _ahead(do: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """Do each item in another thread, in their order, while the results before are used.

    Decoding pictures and computing networks run beside one another then.
    """
    waiting: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(1) as pool:
        for item in items:
            waiting.append(pool.submit(do, item))
            if len(waiting) > AHEAD:
                yield waiting.popleft().result()
        for future in waiting:
            yield future.result()


def converters(
    selection: Selection, steering_scale: float, reduction: int, mounting: Mounting | None
) -> dict[str, Converter]:
    """Give the converter of each topic by its name."""
    is_raw = selection.camera is not None and selection.camera.type == topics.CAMERA.type
    from_compressed = partial(_from_compressed, reduction=reduction)
    pairs: list[tuple[BagTopic | None, Converter]] = [
        (selection.camera, _from_image if is_raw else from_compressed),
        (selection.imu, partial(_from_imu, mounting=mounting)),
        (selection.odom, _from_odometry),
        (selection.speed, _from_speed),
        (selection.steering, partial(_from_steering, scale=steering_scale)),
    ]
    return {topic.name: converter for topic, converter in pairs if topic}


def _from_image(stamp_ns: int, message: Any) -> Frame:
    image = images.to_rgb(
        message.data,
        encoding=message.encoding,
        width=message.width,
        height=message.height,
        step=message.step,
        is_bigendian=bool(message.is_bigendian),
    )
    return Frame(stamp_ns, image)


def _from_compressed(stamp_ns: int, message: Any, reduction: int) -> Frame:
    return Frame(
        stamp_ns, *images.from_compressed_reduced(message.data, message.format, reduction)
    )


def _from_imu(stamp_ns: int, message: Any, mounting: Mounting | None) -> Imu:
    a, w = message.linear_acceleration, message.angular_velocity
    sample = Imu(stamp_ns, (a.x, a.y, a.z), (w.x, w.y, w.z))
    return mounting.placed(sample) if mounting else sample


def _from_odometry(stamp_ns: int, message: Any) -> Speed:
    variance = float(message.twist.covariance[0])
    std_mps = sqrt(variance) if variance > 0 else SPEED_STD_MPS
    return Speed(stamp_ns, float(message.twist.twist.linear.x), std_mps)


def _from_steering(stamp_ns: int, message: Any, scale: float) -> Steering | None:
    """Read a plain number, a drive command, or a JointState that may name no steering."""
    value = _steering_of(message)
    if value is None:
        return None
    if not isfinite(value):
        raise InputError(f"expected a finite steering, got {value}")
    return Steering(stamp_ns, value * scale)


def _steering_of(message: Any) -> float | None:
    if hasattr(message, "data"):
        return float(message.data)
    if hasattr(message, "steer"):
        return float(message.steer)
    message = getattr(message, "drive", message)  # AckermannDriveStamped
    if hasattr(message, "steering_angle"):
        return float(message.steering_angle)
    numbers = dict(zip(message.name, message.position, strict=False))
    return float(numbers["steering"]) if "steering" in numbers else None


def _from_speed(stamp_ns: int, message: Any) -> Speed:
    value = message.data if hasattr(message, "data") else message.twist.linear.x
    return Speed(stamp_ns, float(value), SPEED_STD_MPS)


def _sample(message: Message) -> stamps.Sample:
    has_header = message.type in stamps.STAMPED_TYPES and len(message.data) >= 12
    header_ns = stamps.header_stamp(message.data) if has_header else None
    return stamps.Sample(header_ns, message.stamp_ns)


def _header_or_record(message: Message) -> int:
    header_ns = _sample(message).header_ns
    return message.stamp_ns if header_ns is None else header_ns


def in_order(
    messages: Iterable[Message],
    clock: stamps.Clock,
    camera: str,
    observe: Callable[[str, int], None] = lambda topic, stamp_ns: None,
) -> Iterator[tuple[int, Message]]:
    """Give messages by stamp, and of equal stamps the picture last, since it is what decides.

    Only what was recorded within HOLD_NS is sorted, so that memory stays bounded.
    """
    is_record = clock.source == "record"
    hold_ns = 0 if is_record else HOLD_NS
    waiting: list[tuple[int, bool, int, Message]] = []
    for order, message in enumerate(messages):
        stamp_ns = message.stamp_ns if is_record else _header_or_record(message)
        observe(message.topic, stamp_ns)
        heapq.heappush(waiting, (stamp_ns, message.topic == camera, order, message))
        while message.stamp_ns - waiting[0][3].stamp_ns > hold_ns or len(waiting) > HOLD_MESSAGES:
            yield _pop(waiting)
    while waiting:
        yield _pop(waiting)


def _pop(waiting: list[tuple[int, bool, int, Message]]) -> tuple[int, Message]:
    stamp_ns, _, _, message = heapq.heappop(waiting)
    return stamp_ns, message
