"""How long a cloud takes, from the message's bytes to what stands in the way, on one core.

    python bench/lidar.py [--json] [--repeat 200]

The ratio is to reading the same bytes point by point (struct.iter_unpack), and to a structured
NumPy array that is filtered by a list of its tuples.
"""

from __future__ import annotations

import argparse
import json
import struct
import sys
import time
from collections.abc import Callable

import cv2
import numpy as np

from edge_pilot import clusters, lidar
from edge_pilot.config import LidarConfig
from edge_pilot.lidar import Cloud, Field
from edge_pilot.sim.sensors import RANGE_STD, hit_distance, table
from edge_pilot.sim.world import Box
from edge_pilot.types import Floats

MOUNT = LidarConfig()
CLOUDS = {"64 x 940": (np.linspace(-24.8, 2.0, 64), 940), "16 x 360": (np.arange(-15, 16, 2), 360)}
FIELDS = tuple(Field(name, 4 * i, 7, 1) for i, name in enumerate(("x", "y", "z", "intensity")))
PATH = np.stack([np.linspace(0.0, 60.0, 31), np.linspace(0.0, 60.0, 31) ** 2 / 400.0], axis=1)


def scene() -> list[Box]:
    """Stand cars, people, trees and walls along 60 m of road."""
    rng = np.random.default_rng(7)
    trees = [Box("tree", float(x), y, 0.0, (0.4, 0.4, 5.0))
             for x in range(5, 80, 6) for y in (-9.0, 9.0)]  # fmt: skip
    walls = [Box("wall", 30.0, y, 0.0, (70.0, 0.4, 2.5)) for y in (-14.0, 11.0)]
    cars = [Box("car", x, y, 0.0, (4.5, 1.8, 1.5))
            for x, y in ((18.0, 3.5), (38.0, 0.0), (52.0, 3.5))]  # fmt: skip
    people = [Box("person", *place, 0.0, (0.5, 0.5, 1.7))
              for place in rng.uniform((8.0, -6.0), (45.0, 6.0), (8, 2))]  # fmt: skip
    return [*trees, *walls, *cars, *people]


def make_cloud(elevations_deg: Floats, columns: int, boxes: list[Box]) -> Cloud:
    """Cast every ray against every box; a ray into the sky is a NaN, as drivers send it."""
    up = np.radians(elevations_deg)[:, None]
    azimuth = 2.0 * np.pi * np.arange(columns) / columns
    rays = np.stack([np.cos(up) * np.cos(azimuth), np.cos(up) * np.sin(azimuth),
                     np.sin(up) + 0.0 * azimuth])  # fmt: skip
    eye = np.array([MOUNT.forward_m, MOUNT.left_m, MOUNT.height_m])
    with np.errstate(divide="ignore"):
        ranges = np.where(rays[2] < 0.0, -eye[2] / rays[2], np.inf)
    for place in table(boxes).T:
        ranges = np.minimum(ranges, hit_distance(eye, rays, place))
    ranges += RANGE_STD * np.random.default_rng(0).standard_normal(ranges.shape)
    ranges[ranges > 80.0] = np.nan
    points = np.concatenate([rays * ranges, np.ones((1, *ranges.shape))]).astype("<f4")
    data = np.ascontiguousarray(np.moveaxis(points, 0, -1)).tobytes()
    return Cloud(0, len(elevations_deg), columns, FIELDS, False, 16, 16 * columns, data)


def whole(cloud: Cloud) -> None:
    """Read, take the ground away, look along the path, detect."""
    scan = lidar.to_scan(cloud, MOUNT)
    points = lidar.standing(scan.points_m)
    lidar.nearest(points, PATH, 1.1)
    clusters.things(points, len(scan.points_m))


def read(cloud: Cloud) -> None:
    """Read only."""
    lidar.to_scan(cloud, MOUNT)


def read_by_points(cloud: Cloud) -> None:
    """Read as one would by hand."""
    finite = [(x + 1.0, y, z + 1.9) for x, y, z, _ in struct.iter_unpack("<4f", cloud.data)
              if x == x and y == y and z == z]  # fmt: skip
    np.array(finite, np.float32)


def read_structured(cloud: Cloud) -> None:
    """Read by a structured array and its rows."""
    rows = np.frombuffer(cloud.data, [(name, "<f4") for name in ("x", "y", "z", "i")])
    points = np.array([list(row)[:3] for row in rows if not np.isnan(row["x"])])
    points += (1.0, 0.0, 1.9)


def times_ms(work: Callable[[Cloud], None], cloud: Cloud, repeat: int) -> Floats:
    """Call it again and again; the first calls do not count."""
    taken = np.zeros(repeat + 3)
    for i in range(len(taken)):
        begun = time.perf_counter_ns()
        work(cloud)
        taken[i] = (time.perf_counter_ns() - begun) / 1e6
    return taken[3:]


def measure(repeat: int) -> dict[str, dict[str, float]]:
    """Measure each cloud."""
    table_ms = {}
    for name, (elevations, columns) in CLOUDS.items():
        cloud = make_cloud(elevations, columns, scene())
        taken, reading = times_ms(whole, cloud, repeat), times_ms(read, cloud, repeat)
        rows: dict[str, float] = {
            "points": cloud.width * cloud.height,
            "p50_ms": float(np.percentile(taken, 50)),
            "p99_ms": float(np.percentile(taken, 99)),
            "read_p50_ms": float(np.percentile(reading, 50)),
        }
        for label, other in (("points", read_by_points), ("structured", read_structured)):
            other_ms = float(np.median(times_ms(other, cloud, 3)))
            rows[f"read_by_{label}_ms"] = other_ms
            rows[f"read_by_{label}_ratio"] = other_ms / rows["read_p50_ms"]
        table_ms[name] = rows
    return table_ms


def main() -> int:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--repeat", type=int, default=200, help="how often each cloud is used")
    given = parser.parse_args()
    cv2.setNumThreads(1)
    found = measure(given.repeat)
    lines = [f"{name}: " + ", ".join(f"{key} {value:.2f}" for key, value in rows.items())
             for name, rows in found.items()]  # fmt: skip
    sys.stdout.write(json.dumps(found, indent=2) + "\n" if given.json else "\n".join(lines) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
