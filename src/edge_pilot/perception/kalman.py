"""The filter of one thing's place and velocity, over ground.

A Kalman filter of constant velocity (Bar-Shalom, Li and Kirubarajan, Estimation with Applications
to Tracking and Navigation, 2001, chapter 6), in a frame that dead reckoning over speed and yaw
rate carries along. The camera knows a direction well and a distance badly, the LiDAR the reverse;
the noise of each says so, and where both see a thing the filter takes the better part of each.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from edge_pilot.types import UNKNOWN, Detection, EgoState, Floats

CAMERA_RANGE = 0.15  # of the distance, standard deviation along the line of sight
CAMERA_BEARING = 0.008  # rad, one and a half pixels of 190 a radian
LIDAR_RANGE_M = 0.15
LIDAR_BEARING = 0.006  # rad: columns are a degree apart, so an edge lies somewhere within one
LIDAR_WIDTH = 0.15  # of the width: a part of the side may be hidden
NEAR_STD_M = 0.05  # across, whatever the distance
AGILITY = 2.0  # m^2/s^3, spectral density: 1.4 m/s of change in a second
SLOW_AGILITY, NARROW_M = 0.5, 1.2  # likewise, of what is as narrow as somebody on foot


@dataclass(frozen=True, slots=True)
class Pose:
    """Where the car is in the frame of the reckoning."""

    x_m: float = 0.0
    y_m: float = 0.0
    heading_rad: float = 0.0

    def moved(self, ego: EgoState, elapsed_s: float) -> Pose:
        """Give the pose after (or before) a time on an arc."""
        turn = ego.yaw_rate_radps * elapsed_s
        half = 0.5 * turn
        chord = math.sin(half) / half if abs(half) > 1e-6 else 1.0  # over the arc
        way = ego.speed_mps * elapsed_s * chord
        course = self.heading_rad + half
        return Pose(
            self.x_m + way * math.cos(course),
            self.y_m + way * math.sin(course),
            self.heading_rad + turn,
        )

    def axes(self) -> Floats:
        """Give the matrix (2, 2) that turns from the car's axes into the frame's."""
        cos, sin = math.cos(self.heading_rad), math.sin(self.heading_rad)
        return np.array([[cos, -sin], [sin, cos]])

    def position(self) -> Floats:
        """Give the place (2,)."""
        return np.array([self.x_m, self.y_m])


@dataclass(slots=True, eq=False)
class Track:
    """One thing, in the frame of the reckoning."""

    x: Floats  # (4,) position and velocity
    p: Floats  # (4, 4)
    first_ns: int
    seen_ns: int
    score: float
    width_m: float
    box_px: tuple[float, float, float, float] | None = None
    votes: dict[str, float] = field(default_factory=dict)
    hits: int = 0
    evidence: float = 0.0
    ranged_ns: int | None = None  # when a LiDAR saw it last
    is_part: bool = False
    is_confirmed: bool = False

    def kind(self) -> str:
        """Give what most votes say."""
        return max(self.votes, key=self.votes.__getitem__) if self.votes else UNKNOWN


def measure(seen: Sequence[Detection], pose: Pose) -> tuple[Floats, Floats]:
    """Give places (M, 2) and covariances (M, 2, 2) in the frame of the reckoning."""
    if not seen:
        return np.zeros((0, 2)), np.zeros((0, 2, 2))
    places = np.array([[one.x_m, one.y_m] for one in seen], np.float64)
    axes = pose.axes()
    turned = axes @ np.array([_noise(one) for one in seen]) @ axes.T
    return places @ axes.T + pose.position(), turned


def _noise(one: Detection) -> Floats:
    """Give the covariance (2, 2) of a detection in the car's axes."""
    distance = max(math.hypot(one.x_m, one.y_m), 0.1)
    if one.kind == UNKNOWN:
        along = LIDAR_RANGE_M
        across = NEAR_STD_M + LIDAR_WIDTH * one.width_m + LIDAR_BEARING * distance
    else:
        along = max(CAMERA_RANGE * distance, LIDAR_RANGE_M)
        across = NEAR_STD_M + CAMERA_BEARING * distance
    cos, sin = one.x_m / distance, one.y_m / distance
    sight = np.array([[cos, -sin], [sin, cos]])
    noise: Floats = sight @ np.diag([along**2, across**2]) @ sight.T
    return noise


def predicted(tracks: Sequence[Track], elapsed_s: float) -> tuple[Floats, Floats]:
    """Give states (N, 4) and covariances (N, 4, 4) after a time."""
    if not tracks:
        return np.zeros((0, 4)), np.zeros((0, 4, 4))
    step = np.eye(4)
    step[0, 2] = step[1, 3] = elapsed_s
    agility = np.array([SLOW_AGILITY if one.width_m < NARROW_M else AGILITY for one in tracks])
    noise = np.kron([[elapsed_s**3 / 3.0, elapsed_s**2 / 2.0],
                     [elapsed_s**2 / 2.0, elapsed_s]], np.eye(2))  # fmt: skip
    x, p = np.stack([one.x for one in tracks]), np.stack([one.p for one in tracks])
    return x @ step.T, step @ p @ step.T + agility[:, None, None] * noise


def observer(age_s: float) -> Floats:
    """Give the matrix (2, 4) from a state now to the place some seconds ago."""
    return np.hstack([np.eye(2), -age_s * np.eye(2)])


def inverse(matrices: Floats) -> tuple[Floats, Floats]:
    """Give inverses and determinants of symmetric matrices (..., 2, 2)."""
    a, b, d = matrices[..., 0, 0], matrices[..., 0, 1], matrices[..., 1, 1]
    volume = np.maximum(a * d - b * b, 1e-12)
    inverse = np.stack([np.stack([d, -b], -1), np.stack([-b, a], -1)], -2)
    return inverse / volume[..., None, None], volume


def correct(
    pairs: Sequence[tuple[Track, int]],
    seen: Sequence[Detection],
    places: Floats,
    noises: Floats,
    age_s: float,
) -> None:
    """Correct the tracks of pairs by what was seen.

    What looks wider or narrower than before may have its middle anywhere in the difference.
    """
    if not pairs:
        return
    index = [i for _, i in pairs]
    change = np.array([0.5 * (seen[i].width_m - track.width_m) for track, i in pairs])
    noise = noises[index] + (change**2)[:, None, None] * np.eye(2)
    h = observer(age_s)
    x, p = np.stack([track.x for track, _ in pairs]), np.stack([track.p for track, _ in pairs])
    spread, _ = inverse(h @ p @ h.T + noise)
    gain = p @ h.T @ spread  # (K, 4, 2)
    x = x + (gain @ (places[index] - x @ h.T)[:, :, None])[:, :, 0]
    p = p - gain @ h @ p
    p = 0.5 * (p + p.transpose(0, 2, 1))
    for (track, _), own_x, own_p in zip(pairs, x, p, strict=True):
        track.x, track.p = own_x, own_p


def std_across(x: Floats, p: Floats, pose: Pose) -> float:
    """Give the deviation [m/s] of the speed across the line of sight."""
    dx, dy = x[:2] - pose.position()
    across = np.array([-dy, dx]) / max(math.hypot(dx, dy), 1e-6)
    return math.sqrt(max(float(across @ p[2:, 2:] @ across), 0.0))
