"""rosbag2: MCAP and SQLite, compressed or not, a folder or a file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edge_pilot.replay.bags import Bag, open_bag


def recognises(path: Path) -> bool:
    """Tell whether a path looks like a rosbag2."""
    return path.suffix in (".mcap", ".db3") or (path / "metadata.yaml").exists()


@contextmanager
def open_log(path: Path, steering: float | None) -> Iterator[Bag]:
    """Open a recording."""
    with open_bag(path) as bag:
        bag.steering_factor = steering
        yield bag
