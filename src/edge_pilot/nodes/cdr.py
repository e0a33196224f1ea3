"""Pictures and point clouds as serialized messages, read without a copy and written with one.

A typed message costs Python several copies of each byte. The layout here is that of CDR (OMG
DDSI-RTPS 2.5, 10.2): four bytes say the byte order, then each number lies at a multiple of its
size, and texts and sequences begin with their length.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np

from edge_pilot.errors import CloudError, ImageError, InputError
from edge_pilot.lidar import Cloud, Field
from edge_pilot.types import NANOSECONDS, Floats, Image

ENCAPSULATION_BYTES = 4
SIZES = {"B": 1, "I": 4}  # of numbers, by the struct module's names
LITTLE_ENDIAN, BIG_ENDIAN = b"\x00\x01", b"\x00\x00"


class RawImage(NamedTuple):
    """The fields of a sensor_msgs/Image that matter here."""

    stamp_ns: int
    height: int
    width: int
    encoding: str
    is_bigendian: bool
    step: int
    data: memoryview


class RawCompressed(NamedTuple):
    """The fields of a sensor_msgs/CompressedImage that matter here."""

    stamp_ns: int
    format: str
    data: memoryview


def stamp_ns(message: bytes) -> int:
    """Read the stamp of any serialized message that begins with a std_msgs/Header.

    Raises:
        InputError: the bytes end too early, or are no CDR.
    """
    return _Reader(message, InputError).header()


def image(message: bytes) -> RawImage:
    """Read a serialized sensor_msgs/Image.

    Raises:
        ImageError: the bytes end too early, or are no CDR.
    """
    reader = _Reader(message)
    stamp_ns = reader.header()
    height, width, encoding = reader.number("I"), reader.number("I"), reader.text()
    is_bigendian = bool(reader.number("B"))
    return RawImage(
        stamp_ns, height, width, encoding, is_bigendian, reader.number("I"), reader.block()
    )


def compressed(message: bytes) -> RawCompressed:
    """Read a serialized sensor_msgs/CompressedImage.

    Raises:
        ImageError: the bytes end too early, or are no CDR.
    """
    reader = _Reader(message)
    return RawCompressed(reader.header(), reader.text(), reader.block())


def cloud(message: bytes) -> Cloud:
    """Read a serialized sensor_msgs/PointCloud2.

    Raises:
        CloudError: the bytes end too early, or are no CDR.
    """
    reader = _Reader(message, CloudError)
    stamp_ns = reader.header()
    height, width, count = (reader.number("I") for _ in range(3))
    fields = tuple(
        Field(reader.text(), reader.number("I"), reader.number("B"), reader.number("I"))
        for _ in range(count)
    )
    is_bigendian = bool(reader.number("B"))
    point_step, row_step = reader.number("I"), reader.number("I")
    data = reader.block()
    return Cloud(stamp_ns, height, width, fields, is_bigendian, point_step, row_step, data)


class RawImu(NamedTuple):
    """The fields of a sensor_msgs/Imu that matter here."""

    stamp_ns: int
    angular_velocity_radps: tuple[float, float, float]
    acceleration_mps2: tuple[float, float, float]


class RawOdometry(NamedTuple):
    """The fields of a nav_msgs/Odometry that matter here."""

    stamp_ns: int
    speed_mps: float
    yaw_rate_radps: float
    speed_variance: float


def imu(message: bytes) -> RawImu:
    """Read a serialized sensor_msgs/Imu.

    Raises:
        InputError: the bytes end too early, or are no CDR.
    """
    reader = _Reader(message, InputError)
    stamp_ns = reader.header()
    # Orientation 4, then angular velocity and acceleration 3 each, with a covariance of 9 after
    # all three.
    values = reader.doubles(37)
    return RawImu(stamp_ns, values[13:16], values[25:28])


def odometry(message: bytes) -> RawOdometry:
    """Read a serialized nav_msgs/Odometry.

    Raises:
        InputError: the bytes end too early, or are no CDR.
    """
    reader = _Reader(message, InputError)
    stamp_ns = reader.header()
    reader.text()
    # Place 3, orientation 4, covariance 36; velocity 3, rotation 3, covariance 36.
    values = reader.doubles(85)
    return RawOdometry(stamp_ns, values[43], values[48], values[49])


def write_scalars(stamp_ns: int, values: Mapping[str, float]) -> bytes:
    """Write a serialized sensor_msgs/JointState with names and positions."""
    head = _Writer().header(stamp_ns, "").number("I", len(values))
    for name in values:
        head.text(name)
    head.number("I", len(values)).doubles(values.values())
    return head.number("I", 0).number("I", 0).end()


def write_path(stamp_ns: int, frame_id: str, points_m: Floats) -> bytes:
    """Write a serialized nav_msgs/Path through points (N, 2), all looking along x."""
    head = _Writer().header(stamp_ns, frame_id).number("I", len(points_m))
    for x, y in points_m.tolist():
        head.header(stamp_ns, frame_id).doubles((x, y, 0.0, 0.0, 0.0, 0.0, 1.0))
    return head.end()


def write_image(stamp_ns: int, frame_id: str, encoding: str, pixels: Image) -> bytes:
    """Write a serialized sensor_msgs/Image of 8-bit pixels (H, W) or (H, W, C)."""
    height, width = pixels.shape[:2]
    step = pixels.nbytes // max(height, 1)
    head = _Writer().header(stamp_ns, frame_id).number("I", height).number("I", width)
    return head.text(encoding).number("B", 0).number("I", step).block(pixels)


def write_compressed(stamp_ns: int, frame_id: str, format: str, file: Image) -> bytes:
    """Write a serialized sensor_msgs/CompressedImage; `file` is (N,)."""
    return _Writer().header(stamp_ns, frame_id).text(format).block(file)


class _Reader:
    """Walks through a serialized message; where it cannot, it raises `error`."""

    def __init__(self, message: bytes, error: type[InputError] = ImageError) -> None:
        self._error = error
        kind = message[:2]
        if kind not in (LITTLE_ENDIAN, BIG_ENDIAN):
            raise error(f"expected a message in CDR, got one that begins with {kind.hex()!r}")
        self._order = "<" if kind == LITTLE_ENDIAN else ">"
        self._view = memoryview(message)[ENCAPSULATION_BYTES:]
        self._at = 0

    def header(self) -> int:
        """Read a std_msgs/Header, which begins a message, and give its stamp [ns]."""
        seconds, nanoseconds = struct.unpack(self._order + "iI", self._take(8))
        self.text()
        return seconds * NANOSECONDS + nanoseconds

    def number(self, kind: str) -> int:
        """Read a number of a kind in SIZES."""
        size = SIZES[kind]
        self._at += -self._at % size
        return int(struct.unpack(self._order + kind, self._take(size))[0])

    def doubles(self, count: int) -> tuple[float, ...]:
        """Read so many numbers of eight bytes."""
        self._at += -self._at % 8
        return struct.unpack(f"{self._order}{count}d", self._take(8 * count))

    def text(self) -> str:
        """Read a text; its length counts the zero at its end."""
        return str(self.block()[:-1], "utf-8", "replace")

    def block(self) -> memoryview:
        """Read a sequence of bytes."""
        return self._take(self.number("I"))

    def _take(self, size: int) -> memoryview:
        start, self._at = self._at, self._at + size
        if self._at > len(self._view):
            raise self._error(
                f"expected at least {self._at} bytes in a message, got {len(self._view)}"
            )
        return self._view[start : self._at]


class _Writer:
    """Builds the little-endian beginning of a message; `block` ends it."""

    def __init__(self) -> None:
        self._head = bytearray()

    def header(self, stamp_ns: int, frame_id: str) -> _Writer:
        """Add a std_msgs/Header."""
        self._align(4)
        self._head += struct.pack("<iI", *divmod(stamp_ns, NANOSECONDS))
        return self.text(frame_id)

    def number(self, kind: str, value: int) -> _Writer:
        """Add a number of a kind of the struct module."""
        self._align(struct.calcsize(kind))
        self._head += struct.pack("<" + kind, value)
        return self

    def text(self, value: str) -> _Writer:
        """Add a text, with the zero at its end."""
        encoded = value.encode() + b"\0"
        self.number("I", len(encoded))
        self._head += encoded
        return self

    def _align(self, size: int) -> None:
        self._head += bytes(-len(self._head) % size)

    def doubles(self, values: Iterable[float]) -> _Writer:
        """Add numbers of eight bytes, after what their alignment needs; none needs nothing."""
        numbers = tuple(values)
        if numbers:
            self._align(8)
            self._head += struct.pack(f"<{len(numbers)}d", *numbers)
        return self

    def end(self) -> bytes:
        """Give the message."""
        return b"".join((LITTLE_ENDIAN, b"\0\0", self._head))

    def block(self, data: Image) -> bytes:
        """End with a sequence of bytes, which is copied once."""
        self.number("I", data.nbytes)
        pixels = np.ascontiguousarray(data).reshape(-1).data
        return b"".join((LITTLE_ENDIAN, b"\0\0", self._head, pixels))
