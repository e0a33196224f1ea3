"""Pictures and point clouds read from serialized messages, without a copy of their data.

A typed message costs Python several copies of each byte. The layout read here is
that of CDR (OMG DDSI-RTPS 2.5, 10.2): four bytes say the byte order, then each number lies at a
multiple of its size, and texts and sequences begin with their length.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from edge_pilot.errors import CloudError, ImageError, InputError
from edge_pilot.lidar import Cloud, Field

ENCAPSULATION_BYTES = 4
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
        """Read a std_msgs/Header and give its stamp [ns]."""
        seconds, nanoseconds = self.number("i"), self.number("I")
        self.text()
        return seconds * 1_000_000_000 + nanoseconds

    def number(self, kind: str) -> int:
        """Read a number of a kind of the struct module, one or four bytes wide."""
        size = struct.calcsize(kind)
        self._at += -self._at % size
        return int(struct.unpack(self._order + kind, self._take(size))[0])

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
