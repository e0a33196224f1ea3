"""What a LiDAR sees: points out of any layout, the ground taken away, and what stands on it.

`read` and `placed` make a `Scan` of a point cloud; `standing` leaves what stands on the ground,
which `clusters` groups for the tracker; `nearest` and `Closing` look along a path alone, and need
neither the groups nor the network.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge_pilot.config import LidarConfig
from edge_pilot.errors import CloudError
from edge_pilot.types import NANOSECONDS, Floats, Scan, Tensor

# sensor_msgs/PointField: INT8 = 1 ... FLOAT64 = 8
DATATYPES = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 8: "f8"}
MAX_RANGE_M = 300.0  # what is farther is an error or the sky

# The ground: its height is a + b x + c y + d x^2, since a road bends up and down along itself.
GROUND_M = (2.0, 60.0, 20.0)  # from, to, and to each side
GROUND_CELL_M = 2.0
GROUND_SAMPLES = 6000
PITCHES = np.tan(np.radians(np.arange(-8.0, 8.1, 0.5)))
ROLLS = np.tan(np.radians(np.arange(-4.0, 4.1, 1.0)))
TOLERANCES_M = (0.30, 0.15, 0.10)  # of the search, then of each fit
GROUND_STD = 0.05  # m, of single points: stones, grass, noise
PRIOR_STD = np.array([0.1, 0.1, 0.05, 0.0005])  # m, 1, 1, 1/m: a road crests with 1 km of radius

CLEARANCE_M, CLEARANCE_SLOPE = 0.20, 0.003  # what is lower over the ground is not in the way
HEADROOM_M = 2.2  # nor is what is higher: a bridge, a crown

SIDE_DEPTH_M = 1.0  # points this far behind the nearest belong to the side that faces the car
CLOSING_S, CLOSING_SAMPLES = 0.5, 3
JUMP_MPS, JUMP_M = 70.0, 1.0  # a step of more is another thing


class Field(NamedTuple):
    """A row of sensor_msgs/PointCloud2.fields."""

    name: str
    offset: int
    datatype: int
    elements: int  # `count` there


@dataclass(frozen=True, slots=True, eq=False)
class Cloud:
    """The fields of a sensor_msgs/PointCloud2, as they came."""

    stamp_ns: int
    height: int
    width: int
    fields: tuple[Field, ...]
    is_bigendian: bool
    point_step: int
    row_step: int
    data: bytes | memoryview = field(repr=False)


@dataclass(frozen=True, slots=True)
class Region:
    """Where things are looked for, in `base_link`; it begins in front of the car's own body."""

    near_m: float = 3.6
    far_m: float = 60.0
    half_width_m: float = 12.0


class Nearest(NamedTuple):
    """The first thing on a path."""

    distance_m: float  # along the path, from its first point
    lateral_m: float  # positive left of the path
    points: int  # of it, within SIDE_DEPTH_M


class Approach(NamedTuple):
    """How a distance changes."""

    distance_m: float
    closing_mps: float  # positive: it gets less


def read(cloud: Cloud) -> Tensor:
    """Give the finite points (N, 3) of a cloud, in the LiDAR's own frame.

    Raises:
        CloudError: the cloud contradicts itself, or has no x, y and z.
    """
    columns = [_column(cloud, name) for name in "xyz"]
    if not cloud.width * cloud.height:
        return np.empty((0, 3), np.float32)
    points = np.empty((3, cloud.height, cloud.width), np.float32)
    with np.errstate(over="ignore", invalid="ignore"):  # becomes infinite, and is dropped
        for target, (dtype, offset) in zip(points, columns, strict=True):
            target[...] = _view(cloud, dtype, offset)
        flat = points.reshape(3, -1)
        near = (np.abs(flat) <= MAX_RANGE_M).all(axis=0)  # false for NaN too
    # Each coordinate lies in one piece, since what follows takes one after the other.
    kept: Tensor = (flat if near.all() else np.stack([row[near] for row in flat])).T
    return kept


def placed(points_m: Tensor, mount: LidarConfig) -> Tensor:
    """Give points (N, 3) of the LiDAR's frame in `base_link`."""
    cos, sin = math.cos(mount.yaw_rad), math.sin(mount.yaw_rad)
    axes = np.array([[cos, sin, 0.0], [-sin, cos, 0.0], [0.0, 0.0, 1.0]], np.float32)
    turned = points_m @ axes if mount.yaw_rad else points_m
    moved: Tensor = turned + np.array([mount.forward_m, mount.left_m, mount.height_m], np.float32)
    return moved


def to_scan(cloud: Cloud, mount: LidarConfig) -> Scan:
    """Give what a cloud saw, in `base_link`.

    Raises:
        CloudError: the cloud cannot be read.
    """
    return Scan(cloud.stamp_ns, placed(read(cloud), mount))


def ground(points_m: Tensor) -> Floats:
    """Find the ground under points (N, 3): the four numbers a, b, c, d of its height.

    The lowest point of each cell votes for one of many planes through `base_link`, so that
    neither a car that dives nor a wall misleads the fit that follows: least squares over what is
    near the ground, drawn towards a flat road by a prior where nothing is seen.
    """
    terms, height = _terms(low := _lowest(points_m)), low[:, 2]  # (L, 4), (L,)
    best = _search(terms, height)
    for tolerance in TOLERANCES_M:
        near = np.abs(height - terms @ best) < tolerance + CLEARANCE_SLOPE * low[:, 0]
        best = _fit(terms[near], height[near])
    return best


def standing(points_m: Tensor, region: Region | None = None) -> Tensor:
    """Give the points (M, 3) of a region that stand on the ground, in the car's way."""
    region = region or Region()
    x, y = points_m[:, 0], points_m[:, 1]
    inside = (x > region.near_m) & (x < region.far_m) & (np.abs(y) < region.half_width_m)
    ahead = points_m[inside]
    # One term after the other, since most of the time goes here.
    a, b, c, d = (np.float32(value) for value in ground(points_m))
    forward = ahead[:, 0]
    above = ahead[:, 2] - (a + (b + d * forward) * forward + c * ahead[:, 1])
    clear = np.float32(CLEARANCE_M) + np.float32(CLEARANCE_SLOPE) * forward
    found: Tensor = ahead[(above > clear) & (above < HEADROOM_M)]
    return found


def nearest(
    points_m: Tensor, path_m: Floats, half_width_m: float, min_points: int = 1
) -> Nearest | None:
    """Find the first thing that stands on a path, or None.

    Args:
        points_m: what stands on the ground (N, 2 or 3), as `standing` gives it.
        path_m: where the car will be (P, 2), two points or more, from `base_link` on.
        half_width_m: what is farther to a side is not on the path.
        min_points: a thing that has fewer within SIDE_DEPTH_M is none.
    """
    low, high = path_m.min(axis=0) - half_width_m, path_m.max(axis=0) + half_width_m
    flat = points_m[:, :2]
    flat = flat[((flat >= low) & (flat <= high)).all(axis=1)]
    along, lateral = _along(flat, path_m)
    on_path = np.abs(lateral) <= half_width_m
    along, lateral = along[on_path], lateral[on_path]
    order = np.argsort(along)
    along, lateral = along[order], lateral[order]
    counts = np.searchsorted(along, along + SIDE_DEPTH_M, side="right") - np.arange(len(along))
    dense = np.flatnonzero(counts >= min_points)
    if not len(dense):
        return None
    first = dense[0]
    return Nearest(float(along[first]), float(lateral[first]), int(counts[first]))


class Closing:
    """How fast a distance gets less: least squares over the last CLOSING_S."""

    def __init__(self) -> None:
        self._seen: deque[tuple[int, float]] = deque()

    def update(self, stamp_ns: int, distance_m: float | None) -> Approach | None:
        """Take a distance, or None where there was nothing; give it smoothed, and its speed.

        A jump that no car can make, or a stamp that is not newer, begins anew. The answer is None
        until there are CLOSING_SAMPLES.
        """
        if distance_m is None:
            self._seen.clear()
            return None
        if self._seen and not self._goes_on(stamp_ns, distance_m):
            self._seen.clear()
        self._seen.append((stamp_ns, distance_m))
        while stamp_ns - self._seen[0][0] > CLOSING_S * NANOSECONDS:
            self._seen.popleft()
        return self._fit(stamp_ns) if len(self._seen) >= CLOSING_SAMPLES else None

    def _goes_on(self, stamp_ns: int, distance_m: float) -> bool:
        before_ns, before_m = self._seen[-1]
        elapsed_s = (stamp_ns - before_ns) / NANOSECONDS
        return elapsed_s > 0.0 and abs(distance_m - before_m) < JUMP_M + JUMP_MPS * elapsed_s

    def _fit(self, now_ns: int) -> Approach:
        at_s = np.array([(stamp_ns - now_ns) / NANOSECONDS for stamp_ns, _ in self._seen])
        distances = np.array([distance for _, distance in self._seen])
        aside = at_s - at_s.mean()
        slope = float(aside @ distances / (aside @ aside))
        return Approach(float(distances.mean() - slope * at_s.mean()), -slope)


def _column(cloud: Cloud, name: str) -> tuple[np.dtype[np.generic], int]:
    """Give the type and the offset of a coordinate, once it is sure that it lies in the data."""
    found = [item for item in cloud.fields if item.name == name]
    if len(found) != 1 or found[0].elements != 1 or found[0].datatype not in DATATYPES:
        names = [item.name for item in cloud.fields]
        raise CloudError(f"expected a point cloud with one number {name!r}, got fields {names}")
    item = found[0]
    dtype = np.dtype((">" if cloud.is_bigendian else "<") + DATATYPES[item.datatype])
    if not 0 <= item.offset <= cloud.point_step - dtype.itemsize:
        raise CloudError(
            f"expected {name!r} within the {cloud.point_step} bytes of a point, "
            f"got it at {item.offset}"
        )
    _check_lengths(cloud)
    return dtype, item.offset


def _check_lengths(cloud: Cloud) -> None:
    row, whole = cloud.width * cloud.point_step, cloud.height * cloud.row_step
    if cloud.height and cloud.row_step < row:
        raise CloudError(
            f"expected rows of at least {row} bytes for {cloud.width} points, got {cloud.row_step}"
        )
    if len(cloud.data) < whole:
        raise CloudError(
            f"expected at least {whole} bytes for {cloud.height} rows, got {len(cloud.data)}"
        )


def _view(cloud: Cloud, dtype: np.dtype[np.generic], offset: int) -> NDArray[np.generic]:
    """Look at one coordinate (height, width) without a copy."""
    shape, strides = (cloud.height, cloud.width), (cloud.row_step, cloud.point_step)
    view: NDArray[np.generic] = np.ndarray(shape, dtype, cloud.data, offset, strides)
    return view


def _lowest(points_m: Tensor) -> Floats:
    """Give the lowest point (L, 3) of each cell of the ground."""
    near, far, aside = GROUND_M
    x, y = points_m[:, 0], points_m[:, 1]
    inside = np.flatnonzero((x > near) & (x < far) & (np.abs(y) < aside))
    points = points_m[inside[:: 1 + len(inside) // GROUND_SAMPLES]]
    points = points[np.argsort(-points[:, 2])]
    columns = int(2.0 * aside / GROUND_CELL_M) + 1
    cells = (points[:, 0] / GROUND_CELL_M).astype(int) * columns
    cells += ((points[:, 1] + aside) / GROUND_CELL_M).astype(int)
    last = np.full(columns * (int(far / GROUND_CELL_M) + 1), -1)
    last[cells] = np.arange(len(points))  # the last of a cell is its lowest
    lowest: Floats = points[last[last >= 0]].astype(np.float64)
    return lowest


def _terms(points: Floats) -> Floats:
    x, y = points[:, 0], points[:, 1]
    return np.stack([np.ones_like(x), x, y, x * x], axis=1)


def _search(terms: Floats, height: Floats) -> Floats:
    """Give the plane through `base_link` with the most points near it; of equals the flattest."""
    pitch, roll = (grid.ravel() for grid in np.meshgrid(PITCHES, ROLLS))
    planes = np.stack([0.0 * pitch, pitch, roll, 0.0 * pitch], axis=1).astype(np.float32)
    off = np.abs(terms.astype(np.float32) @ planes.T - height.astype(np.float32)[:, None])
    votes = (off < TOLERANCES_M[0]).sum(axis=0)  # (planes,)
    best: Floats = planes[np.argmax(votes - np.abs(pitch) - np.abs(roll))].astype(np.float64)
    return best


def _fit(terms: Floats, height: Floats) -> Floats:
    prior = np.diag((GROUND_STD / PRIOR_STD) ** 2)
    best: Floats = np.linalg.solve(terms.T @ terms + prior, terms.T @ height)
    return best


def _along(points: Tensor, path: Floats) -> tuple[Floats, Floats]:
    """Give how far along a path (P, 2) points (N, 2) lie, and how far to its left, (N,) each.

    What lies before the path or beyond its end is infinitely far aside.
    """
    start, step = path[:-1], np.diff(path, axis=0)  # (S, 2)
    length = np.maximum(np.hypot(step[:, 0], step[:, 1]), 1e-9)
    unit = step / length[:, None]
    aside = np.stack([-unit[:, 1], unit[:, 0]], axis=1)
    ahead = points @ unit.T - (start * unit).sum(axis=1)  # (N, S)
    left = points @ aside.T - (start * aside).sum(axis=1)
    held = np.clip(ahead, 0.0, length)
    beyond = ahead - held
    squared = left * left + beyond * beyond
    best = squared.argmin(axis=1)
    rows = np.arange(len(points))
    reach, before = held[rows, best], np.concatenate([[0.0], np.cumsum(length)])[best]
    outside = ((best == 0) & (ahead[:, 0] < 0.0)) | (
        (best == len(step) - 1) & (ahead[:, -1] > length[-1])
    )
    lateral = np.copysign(np.sqrt(squared[rows, best]), left[rows, best])
    return before + reach, np.where(outside, np.inf, lateral)
