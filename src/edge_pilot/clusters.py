"""What stands on the ground, put together to things: from the points of a scan to detections."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_pilot.lidar import MAX_RANGE_M, SIDE_DEPTH_M, Region, standing
from edge_pilot.types import UNKNOWN, Detection, Floats, Scan, Tensor

BEARING_STEP = math.radians(1.2)  # columns of a LiDAR are no farther apart than this
RANGE_STEP_M = 0.6
LONG_M, PIECE_M = 5.5, 3.0  # what is longer than a car is cut into pieces
FACE_DEPTH_M = 0.3  # and these give its distance, so that noise averages out
WIDE_M, BODY_M = 1.0, 5.0  # of a vehicle: its width and its length behind the side that is seen
EDGE_M, FLANK_SLOPE = 0.2, 0.2  # of what is a part of it, see _is_flank
POINTS_A_POINT = 20_000  # a scan of so many points more sees each thing by one point more
SHARE_M2 = 0.04  # of a scan's points, over the squared distance: less than a child would return


def detect(scan: Scan, region: Region | None = None) -> tuple[Detection, ...]:
    """Find the things that stand on the ground, nearest first.

    Points that touch on a grid over bearing and range are one thing. A wall is cut into pieces,
    each with a near side of its own, so that none has its middle in the road.
    """
    return things(standing(scan.points_m, region), len(scan.points_m))


def things(points_m: Tensor, seen: int) -> tuple[Detection, ...]:
    """Group what stands on the ground (N, 3), as `detect` does, in a scan of `seen` points."""
    if not len(points_m):
        return ()
    names, in_part = _cut(points_m, _group(points_m))
    order = np.argsort(names, kind="stable")
    starts = np.flatnonzero(np.diff(names[order], prepend=-1))
    rows = _describe(points_m[order].astype(np.float64), starts)
    is_part = in_part[order][starts]
    nearest_first = np.argsort(np.hypot(rows[:, 0], rows[:, 1]))
    rows, is_part = rows[nearest_first], is_part[nearest_first]
    own = ~_is_flank(rows)
    return tuple(
        Detection(UNKNOWN, 1.0 - math.exp(-0.5 * count), x, y, width, is_part=bool(part))
        for (x, y, width, count), part in zip(rows[own].tolist(), is_part[own], strict=True)
        if count >= max(1 + seen // POINTS_A_POINT, SHARE_M2 * seen / (x * x + y * y))
    )


def _group(points: Tensor) -> NDArray[np.int32]:
    """Number the things that points (N, 3) belong to."""
    x, y = points[:, 0], points[:, 1]
    row = (np.hypot(x, y) / RANGE_STEP_M).astype(int)
    column = ((np.arctan2(y, x) + math.pi) / BEARING_STEP).astype(int)
    row, column = row - row.min(), column - column.min()
    grid = np.zeros((row.max() + 1, column.max() + 1), np.uint8)
    grid[row, column] = 1
    labels: NDArray[np.int32] = cv2.connectedComponents(grid, connectivity=8)[1][row, column]
    return labels


def _cut(points: Tensor, labels: NDArray[np.int32]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Number the pieces of what is longer than LONG_M, and all else as before; say which."""
    count = int(labels.max()) + 1
    size = np.zeros(count)
    for axis in (0, 1):
        low, high = np.full(count, np.inf), np.full(count, -np.inf)
        np.minimum.at(low, labels, points[:, axis])
        np.maximum.at(high, labels, points[:, axis])
        size = np.fmax(size, high - low)
    cells = ((points[:, :2] + MAX_RANGE_M) / PIECE_M).astype(np.int64) + 1
    piece = (cells[:, 0] << 16) + cells[:, 1]
    is_long = size[labels] > LONG_M
    return (labels.astype(np.int64) << 32) + np.where(is_long, piece, 0), is_long


def _describe(points: Floats, starts: NDArray[np.int64]) -> Floats:
    """Give the side that faces the car of each thing, and its points: x, y, width, count (T, 4).

    Args:
        points: (N, 3), those of one thing after those of another.
        starts: where each thing begins (T,).
    """
    count = np.diff(starts, append=len(points))
    reach, bearing = np.hypot(points[:, 0], points[:, 1]), np.arctan2(points[:, 1], points[:, 0])
    behind = reach - np.repeat(np.minimum.reduceat(reach, starts), count)
    side, face = behind < SIDE_DEPTH_M, (behind < FACE_DEPTH_M).astype(float)
    right = np.minimum.reduceat(np.where(side, bearing, np.inf), starts)
    left = np.maximum.reduceat(np.where(side, bearing, -np.inf), starts)
    distance = np.add.reduceat(face * reach, starts) / np.add.reduceat(face, starts)
    middle = 0.5 * (left + right)
    x, y = distance * np.cos(middle), distance * np.sin(middle)
    return np.stack([x, y, distance * (left - right), count], axis=1)


def _is_flank(rows: Floats) -> NDArray[np.bool_]:
    """Tell of each thing (T, 4), nearest first, whether it is a part of a wide one before it.

    Behind the side that faces the LiDAR a car goes on: its cabin is seen over its boot, and a
    beam that grazes its flank gives a lone point there, which slides along as the LiDAR moves.
    """
    reach, bearing = np.hypot(rows[:, 0], rows[:, 1]), np.arctan2(rows[:, 1], rows[:, 0])
    width = rows[:, 2]
    deeper = reach[:, None] - reach[None, :]  # (T, T) than each that may hide it
    aside = reach[:, None] * np.abs(bearing[:, None] - bearing[None, :]) - 0.5 * width[None, :]
    is_behind = (deeper > 0.0) & (deeper < BODY_M) & (width[None, :] >= WIDE_M)
    edge = aside + 0.5 * width[:, None]  # of each, beyond that of the other
    room = EDGE_M + BEARING_STEP * reach[:, None] + FLANK_SLOPE * deeper
    flank: NDArray[np.bool_] = (is_behind & (edge < room)).any(axis=1)
    return flank
