"""What the car's sensors would measure: IMU, wheel odometry, GPS and LiDAR.

Each takes the true motion and adds errors that it draws from a seed of its own, so that the same
drive gives the same values, whichever other sensors there are. A sample is as of one moment.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edge_pilot import topics
from edge_pilot.config import LidarConfig
from edge_pilot.sim.vehicle import GRAVITY, Motion
from edge_pilot.sim.world import Box
from edge_pilot.types import NANOSECONDS, Floats, Imu, Tensor

IMU_TAG, ODOMETER_TAG, GPS_TAG, LIDAR_TAG = 0x1A0, 0x0D0, 0x695, 0x11DA

# Bosch BMI088 data sheet: noise densities 175 ug/sqrt(Hz) and 0.014 deg/s/sqrt(Hz); offsets move
# by 0.2 mg/K and 0.015 deg/s/K, here over 10 K since they were calibrated.
NYQUIST_HZ = 0.5 * topics.IMU.rate_hz
ACCELERATION_STD = 175e-6 * GRAVITY * math.sqrt(NYQUIST_HZ)  # m/s^2
ROTATION_STD = math.radians(0.014) * math.sqrt(NYQUIST_HZ)  # rad/s
ACCELERATION_BIAS_STD = 10.0 * 0.2e-3 * GRAVITY  # m/s^2
ROTATION_BIAS_STD = 10.0 * math.radians(0.015)  # rad/s

TRACK = 1.39  # m, between the rear wheels; the BMW 320i of the CommonRoad vehicle models
# Worn from 8 mm of tread to the legal 1.6 mm, a tyre of 0.31 m radius has lost 2 % of it.
TYRE_STD = 0.01
TYRE_PAIR_STD = 0.0005  # of each, left against right: assumed, since they wear together
WHEEL_STD = 0.02  # m/s: assumed, of a wheel speed that is timed from tooth to tooth
STANDSTILL = 0.05  # m/s, a tooth of 2 cm in 0.4 s: wheel sensors say zero below

# WGS 84 (NIMA TR8350.2): half of the equator's diameter, flattening.
EQUATOR_M, FLATTENING = 6378137.0, 1.0 / 298.257223563
ORIGIN_DEG = (48.0, 11.0)  # latitude and longitude where x = y = 0
DRIFT_STD, DRIFT_S = 1.0, 60.0  # m, s: satellite clocks, orbits, air; correlated over a minute
FIX_STD = 0.3  # m, white: the receiver
VERTICAL = 1.5  # heights are worse than positions by the usual ratio of VDOP to HDOP

# Like a Velodyne VLP-16: 16 rings 2 degrees apart, here with one column a degree.
ELEVATIONS_DEG = np.arange(-15.0, 16.0, 2.0)
COLUMNS = 360
MIN_RANGE_M, MAX_RANGE_M = 0.5, 80.0
RANGE_STD = 0.02  # m


@dataclass(frozen=True, slots=True)
class Odometry:
    """Where the wheels say that the car is, in the frame `odom`, which begins where it began."""

    stamp_ns: int
    x: float
    y: float
    heading: float
    speed_mps: float
    yaw_rate_radps: float


@dataclass(frozen=True, slots=True)
class Fix:
    """Where the satellites say that `base_link` is, WGS 84."""

    stamp_ns: int
    latitude_deg: float
    longitude_deg: float
    altitude_m: float
    horizontal_std_m: float  # of each of east and north
    vertical_std_m: float


class ImuSensor:
    """Sits in `base_link` and leans with the body."""

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng([seed, IMU_TAG])
        self._std = np.repeat([ACCELERATION_STD, ROTATION_STD], 3)
        bias_std = np.repeat([ACCELERATION_BIAS_STD, ROTATION_BIAS_STD], 3)
        self._bias = bias_std * self._rng.standard_normal(6)
        self._last: tuple[int, float, float] | None = None  # stamp, pitch, roll

    def sample(self, motion: Motion, stamp_ns: int) -> Imu:
        """Measure acceleration, gravity included, and rotation."""
        ax, ay = motion.acceleration
        axes = rotation(0.0, motion.pitch, motion.roll)
        pitch_rate, roll_rate = self._lean_rates(motion, stamp_ns)
        force = np.array([ax, ay, GRAVITY]) @ axes
        turn = np.array([0.0, 0.0, motion.yaw_rate]) @ axes + [roll_rate, pitch_rate, 0.0]
        error = self._bias + self._std * self._rng.standard_normal(6)
        values = [float(v) for v in np.concatenate([force, turn]) + error]
        return Imu(stamp_ns, (values[0], values[1], values[2]), (values[3], values[4], values[5]))

    def _lean_rates(self, motion: Motion, stamp_ns: int) -> tuple[float, float]:
        now = (stamp_ns, motion.pitch, motion.roll)
        before, self._last = self._last or now, now
        elapsed = _elapsed_s(before[0], stamp_ns)
        if elapsed == 0.0:
            return 0.0, 0.0
        return (now[1] - before[1]) / elapsed, (now[2] - before[2]) / elapsed


class Odometer:
    """Counts the turns of both rear wheels; tyres of a wrong size stretch and bend its way."""

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng([seed, ODOMETER_TAG])
        common, *pair = self._rng.standard_normal(3)
        self._scale = 1.0 + TYRE_STD * common + TYRE_PAIR_STD * np.array(pair)
        self._x = self._y = self._heading = 0.0
        self._stamp_ns: int | None = None

    def sample(self, motion: Motion, stamp_ns: int) -> Odometry:
        """Measure speed and yaw rate, and reckon on from the sample before."""
        left, right = self._wheels(motion)
        speed, yaw_rate = 0.5 * (left + right), (right - left) / TRACK
        elapsed, self._stamp_ns = _elapsed_s(self._stamp_ns, stamp_ns), stamp_ns
        middle = self._heading + 0.5 * elapsed * yaw_rate
        self._x += elapsed * speed * math.cos(middle)
        self._y += elapsed * speed * math.sin(middle)
        self._heading += elapsed * yaw_rate
        return Odometry(stamp_ns, self._x, self._y, self._heading, speed, yaw_rate)

    def _wheels(self, motion: Motion) -> tuple[float, float]:
        """Give the speeds of the left and the right wheel [m/s]."""
        if abs(motion.speed) < STANDSTILL:
            return 0.0, 0.0
        true = motion.speed + 0.5 * TRACK * motion.yaw_rate * np.array([-1.0, 1.0])
        left, right = self._scale * true + WHEEL_STD * self._rng.standard_normal(2)
        return float(left), float(right)


class Gps:
    """A receiver whose error is a first-order Gauss-Markov process and white noise."""

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng([seed, GPS_TAG])
        self._shape = np.array([1.0, 1.0, VERTICAL])  # east, north, up
        self._drift = DRIFT_STD * self._rng.standard_normal(3)
        self._stamp_ns: int | None = None

    def sample(self, motion: Motion, stamp_ns: int) -> Fix:
        """Measure the position; x is east, y is north."""
        self._wander(stamp_ns)
        error = self._drift + FIX_STD * self._rng.standard_normal(3)
        east, north, up = self._shape * error + [motion.x, motion.y, 0.0]
        latitude, longitude = to_wgs84(float(east), float(north))
        std = math.hypot(DRIFT_STD, FIX_STD)
        return Fix(stamp_ns, latitude, longitude, float(up), std, VERTICAL * std)

    def _wander(self, stamp_ns: int) -> None:
        elapsed, self._stamp_ns = _elapsed_s(self._stamp_ns, stamp_ns), stamp_ns
        keep = math.exp(-elapsed / DRIFT_S)
        fresh = DRIFT_STD * math.sqrt(1.0 - keep * keep)  # the spread stays as it was
        self._drift = keep * self._drift + fresh * self._rng.standard_normal(3)


class Lidar:
    """Casts all rays of a turn at one moment against the ground and upright boxes."""

    def __init__(self, seed: int, mount: LidarConfig) -> None:
        self._rng = np.random.default_rng([seed, LIDAR_TAG])
        self._mount_m = np.array([mount.forward_m, mount.left_m, mount.height_m])
        self._yaw_rad = mount.yaw_rad
        up = np.radians(ELEVATIONS_DEG)[:, None]
        azimuth = np.radians(np.arange(COLUMNS))
        self._rays = np.stack([np.cos(up) * np.cos(azimuth), np.cos(up) * np.sin(azimuth),
                               np.sin(up) + 0.0 * azimuth])  # (3, rings, columns)  # fmt: skip

    def scan(self, motion: Motion, boxes: Sequence[Box]) -> Tensor:
        """Give the points (N, 3) that a turn sees, in the lidar's frame."""
        body = rotation(motion.heading, motion.pitch, motion.roll)
        eye = body @ self._mount_m + [motion.x, motion.y, 0.0]
        axes = body @ rotation(self._yaw_rad, 0.0, 0.0)
        rays = np.tensordot(axes, self._rays, 1)
        with np.errstate(divide="ignore"):
            ranges = np.where(rays[2] < 0.0, -eye[2] / rays[2], np.inf)  # (rings, columns)
        if boxes:
            _shorten(ranges, eye, axes, rays, table(boxes))
        measured = ranges + RANGE_STD * self._rng.standard_normal(ranges.shape)
        seen = (measured >= MIN_RANGE_M) & (measured <= MAX_RANGE_M)
        points = self._rays[:, seen] * measured[seen]
        return np.ascontiguousarray(points.T, np.float32)


def to_wgs84(east_m: float, north_m: float) -> tuple[float, float]:
    """Give latitude and longitude [deg] of a point by its distances from `ORIGIN_DEG`.

    The ellipsoid is taken for flat: its radii of curvature at the origin, along the meridian
    a (1 - e^2) / (1 - e^2 sin^2)^(3/2) and across it a / (1 - e^2 sin^2)^(1/2), turn metres into
    angles. That is right to 0.2 m a kilometre away, and worse with the distance squared.
    """
    latitude, longitude = ORIGIN_DEG
    e_sq = FLATTENING * (2.0 - FLATTENING)
    across_m = EQUATOR_M / math.sqrt(1.0 - e_sq * math.sin(math.radians(latitude)) ** 2)
    along_m = across_m**3 * (1.0 - e_sq) / EQUATOR_M**2
    circle_m = across_m * math.cos(math.radians(latitude))
    return latitude + math.degrees(north_m / along_m), longitude + math.degrees(east_m / circle_m)


def rotation(heading: float, pitch: float, roll: float) -> Floats:
    """Give the axes of a body as columns (3, 3): forward, left, up.

    Positive pitch puts the nose down, positive roll leans to the right, as REP-103 has it.
    """
    ch, sh = math.cos(heading), math.sin(heading)
    cp, sp = math.cos(pitch), math.sin(pitch)
    cr, sr = math.cos(roll), math.sin(roll)
    return np.array([
        [ch * cp, ch * sp * sr - sh * cr, ch * sp * cr + sh * sr],
        [sh * cp, sh * sp * sr + ch * cr, sh * sp * cr - ch * sr],
        [-sp, cp * sr, cp * cr],
    ])  # fmt: skip


def table(boxes: Sequence[Box]) -> Floats:
    """Give boxes as columns (6, B): x, y, heading, length, width, height."""
    rows = [(box.x, box.y, box.heading, *box.size) for box in boxes]
    columns: Floats = np.array(rows, np.float64).reshape(-1, 6).T
    return columns


def corners(places: Floats) -> Floats:
    """Give the corners (B, 8, 3) of boxes in a `table`, the lower four first, each going round."""
    x, y, heading, length, width, height = places[:, :, None]
    along = 0.5 * length * [1.0, -1.0, -1.0, 1.0, 1.0, -1.0, -1.0, 1.0]
    left = 0.5 * width * [1.0, 1.0, -1.0, -1.0, 1.0, 1.0, -1.0, -1.0]
    up = height * [0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0]
    cos, sin = np.cos(heading), np.sin(heading)
    return np.stack([x + cos * along - sin * left, y + sin * along + cos * left, up], axis=-1)


def hit_distance(eye: Floats, rays: Floats, places: Floats) -> Floats:
    """Give how far each ray goes to a box, infinite where it passes or starts inside.

    The slabs of Kay and Kajiya (SIGGRAPH 1986), in the axes of each box.

    Args:
        eye: where all rays start (3,).
        rays: directions (3, ...), whose lengths the distances are in.
        places: a `table` (6, ...) whose trailing axes broadcast against those of the rays.
    """
    x, y, heading, length, width, height = places
    cos, sin = np.cos(heading), np.sin(heading)
    dx, dy = eye[0] - x, eye[1] - y
    slabs = (
        (cos * dx + sin * dy, cos * rays[0] + sin * rays[1], -0.5 * length, 0.5 * length),
        (cos * dy - sin * dx, cos * rays[1] - sin * rays[0], -0.5 * width, 0.5 * width),
        (eye[2], rays[2], 0.0, height),
    )
    enter, leave = np.array(-np.inf), np.array(np.inf)
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):  # rays along a face
        for start, direction, low, high in slabs:
            one, other = (low - start) / direction, (high - start) / direction
            enter = np.maximum(enter, np.minimum(one, other))
            leave = np.minimum(leave, np.maximum(one, other))
    return np.where((enter > 0.0) & (enter <= leave), enter, np.inf)


def _elapsed_s(last_ns: int | None, now_ns: int) -> float:
    return 0.0 if last_ns is None else max(0, now_ns - last_ns) / NANOSECONDS


def _shorten(ranges: Floats, eye: Floats, axes: Floats, rays: Floats, places: Floats) -> None:
    """End rays (3, rings, columns) at the boxes; each is tried in the columns that it spans."""
    first, count = _spans((corners(places) - eye) @ axes)
    box = np.repeat(np.arange(len(count)), count)  # (P,) pairs of a box and a column
    within = np.arange(len(box)) - np.repeat(np.cumsum(count) - count, count)
    column = (first[box] + within) % COLUMNS
    distance = hit_distance(eye, rays[:, :, column], places[:, box])  # (rings, P)
    np.minimum.at(ranges.T, column, distance.T)


def _spans(points: Floats) -> tuple[np.ndarray, np.ndarray]:
    """Give the first column and the number of columns of each box by its corners (B, 8, 3)."""
    middle = points.mean(axis=1)
    centre = np.degrees(np.arctan2(middle[:, 1], middle[:, 0]))
    aside = np.degrees(np.arctan2(points[..., 1], points[..., 0])) - centre[:, None]
    aside = (aside + 180.0) % 360.0 - 180.0
    low, high = aside.min(axis=1), aside.max(axis=1)
    first, last = np.ceil(centre + low), np.floor(centre + high)
    around = high - low >= 180.0  # the box stands over or under the lidar
    count = np.where(around, COLUMNS, np.maximum(0, last - first + 1)).astype(int)
    return first.astype(int) % COLUMNS, count
