"""Whether an MCAP file is whole, and what of it is: asked before a reader trusts its lengths.

The format is https://mcap.dev/spec: magic bytes, then records, each an opcode, the length of its
content, and the content. A footer and the magic again end a file whose writer was not cut short.
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import IO, NamedTuple

import lz4.frame

from edge_pilot.errors import BagError

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

MAGIC = b"\x89MCAP0\r\n"
FOOTER, MESSAGE, CHUNK = 0x02, 0x05, 0x06
MAX_CHUNK_BYTES = 2**30  # writers make chunks of about 1 MB; the largest message sets the rest
HEAD = struct.Struct("<BQ")
CHUNK_HEAD = struct.Struct("<QQQII")  # first and last stamp, size, CRC, length of the next text
FRAME_HEAD_BYTES = 32  # zstd: at most 18, lz4: at most 19


class Record(NamedTuple):
    """One record, or what is left of it where the file ends."""

    opcode: int
    start: int  # of the content
    length: int  # of the content, as far as it is there
    is_whole: bool


class Chunk(NamedTuple):
    """The head of a chunk, a record that holds compressed records."""

    compression: str
    size: int  # of the data when decompressed
    start: int  # of the compressed data
    length: int  # of the compressed data


def check(path: Path) -> None:
    """Walk over the file's records without reading what is in them.

    Raises:
        BagError: the file is no MCAP file, or not whole.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        if file.read(len(MAGIC)) != MAGIC:
            raise BagError(f"expected an MCAP file, got {path} of {size} bytes that is not one")
        if not _is_whole(file, size):
            state = "damaged" if _ends_in_magic(file, size) else "cut off"
            count = count_messages(file, size)
            raise BagError(
                f"expected a whole MCAP file, got {path}, {state} after {count} messages"
            )


def count_messages(file: IO[bytes], size: int) -> int:
    """Count the messages up to where the file is cut off or damaged."""
    count = 0
    file.seek(len(MAGIC))
    for record in records(file, size):
        count += _messages_in(file, record)
        if not is_sound(file, record):
            break
    return count


def inflate(data: bytes, compression: str, limit: int) -> bytes:
    """Decompress a chunk, or the beginning of one, into at most `limit` bytes.

    Raises:
        ValueError: the data are not what `compression` says, or that is not known.
    """
    try:
        if compression == "zstd":
            return bytes(zstd.ZstdDecompressor().decompress(data, max_length=limit))
        if compression == "lz4":
            return bytes(lz4.frame.LZ4FrameDecompressor().decompress(data, max_length=limit))
    except (zstd.ZstdError, RuntimeError, EOFError) as error:
        raise ValueError(f"damaged {compression} data: {error}") from None
    if compression:
        raise ValueError(f"the unknown compression {compression!r}")
    return data[:limit]


def _is_whole(file: IO[bytes], size: int) -> bool:
    for record in records(file, size):
        if not is_sound(file, record):
            return False
        if record.opcode == FOOTER:
            end = record.start + record.length + len(MAGIC)
            return end == size and _ends_in_magic(file, size)
    return False


def _ends_in_magic(file: IO[bytes], size: int) -> bool:
    file.seek(max(size - len(MAGIC), len(MAGIC)))
    return file.read() == MAGIC


def records(file: IO[bytes], end: int) -> Iterator[Record]:
    """Give the records from where the file is to the footer; only the last may be not whole."""
    position, opcode = file.tell(), 0
    while opcode != FOOTER and position + HEAD.size <= end:
        file.seek(position)
        opcode, length = HEAD.unpack(file.read(HEAD.size))
        position += HEAD.size
        yield Record(opcode, position, min(length, end - position), position + length <= end)
        position += length


def is_sound(file: IO[bytes], record: Record) -> bool:
    """Tell whether a record is there, and if a chunk, of the size that it declares.

    A chunk is not decompressed for that where its data declare their size too, as they do as a
    rule: the decompressors hold them to it.
    """
    if record.opcode != CHUNK or not record.is_whole:
        return record.is_whole
    try:
        chunk = _read_chunk(file, record)
        file.seek(chunk.start)
        declared = _declared_size(file.read(min(chunk.length, FRAME_HEAD_BYTES)), chunk)
        if declared is None:
            file.seek(chunk.start)
            data = file.read(chunk.length)
            declared = len(inflate(data, chunk.compression, chunk.size + 1))
    except ValueError:
        return False
    return declared == chunk.size


def _declared_size(head: bytes, chunk: Chunk) -> int | None:
    """Give the size that the compressed data themselves declare; None: they do not say."""
    try:
        if chunk.compression == "zstd":
            return zstd.get_frame_info(head).decompressed_size
        if chunk.compression == "lz4":
            return int(lz4.frame.get_frame_info(head)["content_size"]) or None
    except (zstd.ZstdError, RuntimeError) as error:
        raise ValueError(f"damaged {chunk.compression} data: {error}") from None
    return None if chunk.compression else chunk.length


def _read_chunk(file: IO[bytes], record: Record) -> Chunk:
    """Read the head of a chunk, of which the end may be missing.

    Raises:
        ValueError: its lengths contradict one another.
    """
    file.seek(record.start)
    head = file.read(min(record.length, 256))
    try:
        _, _, size, _, text_length = CHUNK_HEAD.unpack_from(head)
        begin = CHUNK_HEAD.size + text_length
        compression = head[CHUNK_HEAD.size : begin].decode("ascii")
        (length,) = struct.unpack_from("<Q", head, begin)
    except struct.error:
        raise ValueError("a chunk shorter than its head") from None
    room = record.length - begin - 8
    if size > MAX_CHUNK_BYTES or (record.is_whole and length > room):
        raise ValueError("a chunk longer than its record")
    return Chunk(compression, size, record.start + begin + 8, min(length, room))


def _messages_in(file: IO[bytes], record: Record) -> int:
    if record.opcode == MESSAGE:
        return int(record.is_whole)
    if record.opcode != CHUNK:
        return 0
    data = chunk_data(file, record)
    inner = records(BytesIO(data), len(data))
    return sum(r.opcode == MESSAGE and r.is_whole for r in inner)


def chunk_data(file: IO[bytes], record: Record) -> bytes:
    """Decompress a chunk as far as it is there; nothing where it is damaged."""
    try:
        chunk = _read_chunk(file, record)
        file.seek(chunk.start)
        return inflate(file.read(chunk.length), chunk.compression, chunk.size)
    except ValueError:
        return b""
