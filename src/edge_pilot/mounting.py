"""How the IMU is mounted, and whether what it measures fits that.

Three things betray wrong axes: gravity that is not up, a change of speed that is felt along
another axis than forward, and a yaw rate that turns against odometry or the course over ground.
"""

from __future__ import annotations

import math

import numpy as np

from edge_pilot.config import DIRECTIONS, ImuConfig
from edge_pilot.types import NANOSECONDS, Floats, Imu

GRAVITY = 9.8  # m/s^2
SETTLE_S = 5.0  # of samples before gravity is judged
MEMORY_S = 20.0  # longer than a car brakes
WINDOW_S = 1.0  # changes of speed and heading are compared over this
MAX_GAP_S = 0.5
MIN_WINDOWS = 8
MIN_CHANGE_MPS2 = 0.3  # deviation of the acceleration; with less, slopes are all that is felt
MIN_TURN_RAD = 0.03  # in a window; less is bias
MIN_TURNS_RAD = 0.25  # in all
MIN_CORRELATION = 0.7
CHORD_M = 20.0  # between the fixes that give a course: their noise of 0.6 m is 0.04 rad then
EARTH_M = 6371e3


class Mounting:
    """Turns samples into the axes of `base_link`."""

    def __init__(self, config: ImuConfig) -> None:
        axes = _matrix(config.axes)
        columns = np.abs(axes).argmax(axis=1)
        sign = -1 if config.reports_gravity else 1
        self._i, self._j, self._k = (int(column) for column in columns)
        self._turn = tuple(float(axes[row, column]) for row, column in enumerate(columns))
        self._force = tuple(sign * turn for turn in self._turn)

    def placed(self, imu: Imu) -> Imu:
        """Give the sample in `base_link`; where the IMU sits is not corrected for."""
        i, j, k = self._i, self._j, self._k
        force, turn = imu.acceleration_mps2, imu.angular_velocity_radps
        (a, b, c), (p, q, r) = self._force, self._turn
        return Imu(
            imu.stamp_ns,
            (a * force[i], b * force[j], c * force[k]),
            (p * turn[i], q * turn[j], r * turn[k]),
        )


class MountingCheck:
    """Fed with samples in `base_link` and with what other sensors say of the same motion."""

    def __init__(self, config: ImuConfig) -> None:
        self._axes = config.axes
        self._forces, self._turns = _Agreement(), _Agreement()
        self._begin()

    def _begin(self) -> None:
        self._stamp_ns: int | None = None
        self._elapsed_s = 0.0
        self._gravity = np.zeros(3)
        self._felt = np.zeros((2, 3))  # integrals of acceleration and rotation
        self._speed: tuple[int, float, Floats] | None = None
        self._rate: tuple[int, int, float, Floats] | None = None  # begin, newest, turn, felt
        self._fix: tuple[float, float, Floats] | None = None  # latitude, longitude, felt
        self._chord: tuple[float, Floats] | None = None  # course, turned in it

    def add_imu(self, imu: Imu) -> None:
        """Take one sample in `base_link`."""
        felt = np.array([imu.acceleration_mps2, imu.angular_velocity_radps])
        if not np.isfinite(felt).all():
            return
        dt = MAX_GAP_S if self._stamp_ns is None else _seconds(self._stamp_ns, imu.stamp_ns)
        if not -MAX_GAP_S <= dt < MAX_GAP_S:
            self._begin()  # windows do not span gaps
        elif dt > 0.0:
            self._elapsed_s += dt
            self._felt = self._felt + dt * felt
            self._gravity += dt / min(self._elapsed_s, MEMORY_S) * (felt[0] - self._gravity)
        if dt > 0.0 or self._stamp_ns is None:
            self._stamp_ns = imu.stamp_ns

    def add_speed(self, stamp_ns: int, speed_mps: float) -> None:
        """Take a measured speed."""
        if self._stamp_ns is None or not math.isfinite(speed_mps):
            return
        if self._speed and 0 <= stamp_ns - self._speed[0] < WINDOW_S * NANOSECONDS:
            return
        if self._speed and 0.0 < (dt := _seconds(self._speed[0], stamp_ns)) < 2.0 * WINDOW_S:
            felt = (self._felt[0] - self._speed[2]) / dt
            self._forces.add((speed_mps - self._speed[1]) / dt, felt)
        self._speed = stamp_ns, speed_mps, self._felt[0]

    def add_yaw_rate(self, stamp_ns: int, rate_radps: float) -> None:
        """Take a yaw rate of another source: of odometry, or of steering and speed."""
        if self._stamp_ns is None or not math.isfinite(rate_radps):
            return
        if self._rate is None or not 0.0 <= _seconds(self._rate[1], stamp_ns) < MAX_GAP_S:
            self._rate = stamp_ns, stamp_ns, 0.0, self._felt[1]
        begin_ns, last_ns, turn, felt = self._rate
        turn += rate_radps * _seconds(last_ns, stamp_ns)
        self._rate = begin_ns, stamp_ns, turn, felt
        if _seconds(begin_ns, stamp_ns) >= WINDOW_S:
            self._compare_turns(turn, self._felt[1] - felt)
            self._rate = None

    def add_fix(self, latitude_deg: float, longitude_deg: float) -> None:
        """Take a GPS fix; fixes far enough apart give a course."""
        if self._stamp_ns is None or not math.isfinite(latitude_deg + longitude_deg):
            return
        here = math.radians(latitude_deg), math.radians(longitude_deg)
        if self._fix is None:
            self._fix = *here, self._felt[1]
            return
        north = EARTH_M * (here[0] - self._fix[0])
        east = EARTH_M * math.cos(here[0]) * math.remainder(here[1] - self._fix[1], 2.0 * math.pi)
        if math.hypot(north, east) >= CHORD_M:
            self._add_chord(math.atan2(north, east), self._felt[1] - self._fix[2])
            self._fix = *here, self._felt[1]

    def problem(self) -> str:
        """Say in one sentence what contradicts the configured axes, or give an empty text."""
        if self._elapsed_s < SETTLE_S:
            return ""
        up = _direction(self._gravity)
        forward = self._forces.direction(MIN_CHANGE_MPS2)
        if up @ UP < 0.5:
            got = f"{self._gravity[2]:.1f}"
            return self._say(f"gravity along up (+{GRAVITY} m/s^2)", got, up, forward)
        if forward is not None and forward @ FORWARD < 0.5 and abs(forward @ UP) < 0.5:
            got = f"it along {_name(forward)}"
            return self._say("a change of speed to be felt forward", got, up, forward)
        if self._turns.sum_abs > MIN_TURNS_RAD and self._turns.correlation(2) < -MIN_CORRELATION:
            return (
                f"expected the yaw rate to turn with odometry and GPS with imu.axes {self._axes}, "
                "got the opposite: does it report gravity, not the reaction (imu.reports_gravity)?"
            )
        return ""

    def _say(self, expected: str, got: str, up: Floats, forward: Floats | None) -> str:
        if forward is None or abs(forward @ up) > 0.5:
            forward = FORWARD if abs(FORWARD @ up) < 0.5 else UP
        axes = np.array([forward, np.cross(up, forward), up]) @ _matrix(self._axes)
        better = ",".join(_name(axis) for axis in axes.T)
        return f"expected {expected} with imu.axes {self._axes}, got {got}: is it {better}?"

    def _add_chord(self, course: float, turned: Floats) -> None:
        """Compare the change between two chords with what was turned from middle to middle."""
        if self._chord:
            change = math.remainder(course - self._chord[0], 2.0 * math.pi)
            self._compare_turns(change, 0.5 * (turned + self._chord[1]))
        self._chord = course, turned

    def _compare_turns(self, expected: float, felt: Floats) -> None:
        if MIN_TURN_RAD < abs(expected) < 0.5 * math.pi:
            self._turns.add(expected, felt)


class _Agreement:
    """How a number goes with each of three."""

    def __init__(self) -> None:
        self._rows: list[Floats] = []  # the newest; each is the expected and three that were felt
        self.sum_abs = 0.0

    def add(self, expected: float, felt: Floats) -> None:
        self._rows = [*self._rows[-199:], np.array([expected, *felt])]
        self.sum_abs += abs(expected)

    def correlation(self, axis: int) -> float:
        """Give the uncentred correlation with one axis."""
        rows = np.array(self._rows)
        norms = np.linalg.norm(rows, axis=0)
        return float(rows[:, 0] @ rows[:, 1 + axis] / max(norms[0] * norms[1 + axis], 1e-12))

    def direction(self, min_std: float) -> Floats | None:
        """Give the axis that the number goes with, or None where that is not clear."""
        if len(self._rows) < MIN_WINDOWS:
            return None
        rows: Floats = np.array(self._rows) - np.mean(self._rows, axis=0)
        stds = np.sqrt(np.mean(rows**2, axis=0))
        if stds[0] < min_std:
            return None
        correlations: Floats = rows[:, 0] @ rows[:, 1:] / len(rows) / (stds[0] * stds[1:] + 1e-12)
        return _direction(correlations) if np.abs(correlations).max() > MIN_CORRELATION else None


FORWARD, UP = (np.array(DIRECTIONS[name], np.float64) for name in ("forward", "up"))


def _matrix(axes: str) -> Floats:
    """Give the (3, 3) matrix from the axes of the sensor to those of `base_link`."""
    matrix: Floats = np.array([DIRECTIONS[name] for name in axes.split(",")], np.float64).T
    return matrix


def _direction(vector: Floats) -> Floats:
    """Give the axis that is nearest to a vector, with its sign."""
    axis = int(np.abs(vector).argmax())
    unit = np.zeros(3)
    unit[axis] = 1.0 if vector[axis] >= 0.0 else -1.0
    return unit


def _name(axis: Floats) -> str:
    return next(name for name, unit in DIRECTIONS.items() if axis @ unit > 0.5)


def _seconds(begin_ns: int, end_ns: int) -> float:
    return (end_ns - begin_ns) / NANOSECONDS
