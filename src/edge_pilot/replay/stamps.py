"""Which time a recorded message has: the one in its header, or when it was recorded.

A message with a header begins with its stamp in CDR, the wire format of ROS 2: four bytes of
encapsulation, of which the second is odd for little endian, then seconds and nanoseconds of
4 bytes each (OMG DDSI-RTPS 2.3, 10.2).
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

from edge_pilot import topics
from edge_pilot.errors import BagError
from edge_pilot.types import NANOSECONDS

SOURCES = ("auto", "header", "record")
MAX_GAP_NS = 60 * NANOSECONDS
SAMPLE = 100  # messages of each topic that auto judges by
STAMPED_TYPES = frozenset(
    {
        "ackermann_msgs/msg/AckermannDriveStamped",
        "carla_msgs/msg/CarlaEgoVehicleControl",
        "geometry_msgs/msg/TwistStamped",
        *(
            topic.type
            for topic in topics.TOPICS
            if topic.type.startswith(("sensor_msgs/", "nav_msgs/", "diagnostic_msgs/"))
        ),
    }
)


class Clock(NamedTuple):
    """Whose stamps a replay goes by, and why."""

    source: str  # header or record
    reason: str


class Sample(NamedTuple):
    """The stamps of one message."""

    header_ns: int | None  # None: the type has no header
    record_ns: int


def header_stamp(data: bytes) -> int:
    """Read the stamp [ns] of a serialised message that begins with a header.

    Raises:
        BagError: it is too short.
    """
    try:
        seconds, nanoseconds = struct.unpack_from(_order(data) + "iI", data, 4)
    except struct.error:
        raise BagError(f"expected a message with a header, got {len(data)} bytes") from None
    return int(seconds) * NANOSECONDS + int(nanoseconds)


def restamp(data: bytes, stamp_ns: int) -> bytes:
    """Give a serialised message that begins with a header another stamp [ns].

    Raises:
        BagError: it is too short.
    """
    if len(data) < 12:
        raise BagError(f"expected a message with a header, got {len(data)} bytes")
    stamp = struct.pack(_order(data) + "iI", *divmod(stamp_ns, NANOSECONDS))
    return b"".join((data[:4], stamp, memoryview(data)[12:]))


def choose(source: str, samples: Mapping[str, Sequence[Sample]]) -> Clock:
    """Decide by the first messages of each topic, by name.

    One clock serves all topics, since a header's may be seconds away from the recorder's.
    """
    if source != "auto":
        return Clock(source, "as asked for")
    for topic, stamps in samples.items():
        if fault := _find_fault(stamps):
            return Clock("record", f"{topic} has {fault}")
    return Clock("header", "all header stamps increase and lie near record time")


def _order(data: bytes) -> str:
    return "<" if data[1:2] and data[1] & 1 else ">"


def _find_fault(stamps: Sequence[Sample]) -> str:
    headers = [sample.header_ns for sample in stamps if sample.header_ns is not None]
    if len(headers) < len(stamps):
        return "no header"
    if 0 in headers:
        return "header stamps of zero"
    gaps = [abs(h - s.record_ns) for h, s in zip(headers, stamps, strict=True)]
    if max(gaps, default=0) > MAX_GAP_NS:
        return f"header stamps {max(gaps) // NANOSECONDS} s from record time"
    if any(later <= earlier for earlier, later in pairwise(headers)):
        return "header stamps that do not increase"
    return ""
