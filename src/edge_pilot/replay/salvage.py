"""What is left of an MCAP file whose writer was cut short, as a file that is whole."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import IO

from edge_pilot.replay import mcap
from edge_pilot.replay.mcap import CHUNK, FOOTER, HEAD, MAGIC, MESSAGE

HEADER, SCHEMA, CHANNEL, DATA_END = 0x01, 0x03, 0x04, 0x0F
KEPT = (HEADER, SCHEMA, CHANNEL, MESSAGE)


def rescue(path: Path, target: Path) -> int:
    """Write all messages before the damage to `target`, without chunks, and count them.

    Raises:
        BagError: not even its beginning is an MCAP file.
        OSError: a file cannot be read or written.
    """
    count, size = 0, path.stat().st_size
    with path.open("rb") as file, target.open("wb") as out:
        if file.read(len(MAGIC)) != MAGIC:
            mcap.check(path)  # raises
        out.write(MAGIC)
        for opcode, content in _whole_records(file, size):
            out.write(HEAD.pack(opcode, len(content)) + content)
            count += opcode == MESSAGE
        out.write(HEAD.pack(DATA_END, 4) + bytes(4))
        out.write(HEAD.pack(FOOTER, 20) + bytes(20) + MAGIC)
    return count


def _whole_records(file: IO[bytes], size: int) -> Iterator[tuple[int, bytes]]:
    for record in mcap.records(file, size):
        if record.opcode == CHUNK:
            yield from _unpacked(mcap.chunk_data(file, record))
        elif record.opcode in KEPT and record.is_whole:
            file.seek(record.start)
            yield record.opcode, file.read(record.length)
        if not mcap.is_sound(file, record):
            return


def _unpacked(data: bytes) -> Iterator[tuple[int, bytes]]:
    for inner in mcap.records(BytesIO(data), len(data)):
        if inner.is_whole and inner.opcode in KEPT:
            yield inner.opcode, data[inner.start : inner.start + inner.length]
