"""How fast the car is: a small Kalman filter over the IMU and, where there is one, odometry.

State: speed and the bias of the forward accelerometer. Without odometry the speed comes from
the IMU alone: it is integrated, held at zero while the car stands, and corrected in every bend,
where the lateral acceleration of the rear axle is speed times yaw rate.
"""

from __future__ import annotations

import math

import numpy as np

from edge_pilot.types import NANOSECONDS, EgoState, Imu

ACCELERATION_STD = 0.3  # m/s^2, noise and road that the model does not know
BIAS_WALK = 0.01  # m/s^2 per sqrt(s)
LATERAL_STD = 0.5  # m/s^2, roll and road camber
STANDSTILL_S = 1.0  # an IMU this quiet for this long, at a low speed, is a car that stands
QUIET_MPS2 = 0.15
QUIET_RADPS = 0.02
QUIET_MPS = 2.0  # no lower, since without odometry the speed is off by this much after a while
SMOOTHING_S = 0.2  # noise of single samples is not what matters for that
MAX_GAP_S = 0.5  # a longer silence of the IMU is not integrated over
MAX_MPS2, MAX_RADPS, MAX_MPS = 100.0, 20.0, 150.0  # a sensor that says more is broken


class EgoFilter:
    """Fed with sensor values in the order of their stamps.

    What comes late is ignored, and so is what no car can do. An inertial sample that is older by
    more than MAX_GAP_S means that the clock was set back: everything begins anew.
    """

    def __init__(self) -> None:
        self._begin()

    def _begin(self) -> None:
        self._x = np.zeros(2)  # speed, bias
        self._p = np.diag([0.05, 0.05])  # m^2/s^2, m^2/s^4
        self._stamp_ns: int | None = None
        self._yaw_rate = 0.0
        self._quiet_s = 0.0
        self._calm = np.zeros(2)  # forward acceleration and yaw rate, smoothed

    def state(self) -> EgoState:
        """Give the newest estimate."""
        return EgoState(
            stamp_ns=self._stamp_ns or 0,
            speed_mps=max(0.0, float(self._x[0])),
            yaw_rate_radps=self._yaw_rate,
            speed_std_mps=float(np.sqrt(self._p[0, 0])),
        )

    def age_s(self, now_ns: int) -> float:
        """Give the time since the newest inertial sample, infinite before the first."""
        return math.inf if self._stamp_ns is None else (now_ns - self._stamp_ns) / NANOSECONDS

    def add_imu(self, imu: Imu) -> None:
        """Take one inertial sample."""
        if self.age_s(imu.stamp_ns) < -MAX_GAP_S:
            self._begin()
        if not _is_plausible(imu) or self.age_s(imu.stamp_ns) < 0.0:
            return
        ax, ay, _ = imu.acceleration_mps2
        self._yaw_rate = imu.angular_velocity_radps[2]
        elapsed = self._advance(imu.stamp_ns)
        self._predict(ax, elapsed)
        self._find_standstill(ax, elapsed)
        if abs(self._yaw_rate) > 0.1:
            rate = self._yaw_rate
            self._correct(np.array([rate, 0.0]), ay, LATERAL_STD)

    def add_speed(self, stamp_ns: int, speed_mps: float, std_mps: float = 0.1) -> None:
        """Take a measured speed, as of wheel odometry."""
        is_plausible = abs(speed_mps) <= MAX_MPS and 0.0 < std_mps < math.inf  # no NaN passes
        if is_plausible and self.age_s(stamp_ns) >= -MAX_GAP_S:
            self._correct(np.array([1.0, 0.0]), speed_mps, std_mps)

    def _advance(self, stamp_ns: int) -> float:
        """Move the clock to the stamp and give the seconds passed, 0 over a gap or a jump."""
        last, self._stamp_ns = self._stamp_ns, stamp_ns
        elapsed = 0.0 if last is None else (stamp_ns - last) / NANOSECONDS
        return elapsed if 0.0 < elapsed <= MAX_GAP_S else 0.0

    def _predict(self, ax: float, dt: float) -> None:
        step = np.array([[1.0, -dt], [0.0, 1.0]])
        self._x = step @ self._x + np.array([ax * dt, 0.0])
        noise = np.diag([(ACCELERATION_STD * dt) ** 2, BIAS_WALK**2 * dt])
        self._p = step @ self._p @ step.T + noise

    def _find_standstill(self, ax: float, dt: float) -> None:
        self._calm += min(1.0, dt / SMOOTHING_S) * (np.array([ax, self._yaw_rate]) - self._calm)
        bias, bias_std = self._x[1], math.sqrt(self._p[1, 1])  # the road's slope is in it too
        still = np.abs(self._calm - [bias, 0.0]) < [QUIET_MPS2 + bias_std, QUIET_RADPS]
        is_quiet = still.all() and self._x[0] < QUIET_MPS
        self._quiet_s = self._quiet_s + dt if is_quiet else 0.0
        if self._quiet_s > STANDSTILL_S:
            self._correct(np.array([1.0, 0.0]), 0.0, 0.02)
            self._correct(np.array([0.0, 1.0]), ax, QUIET_MPS2)

    def _correct(self, h: np.ndarray, measured: float, std: float) -> None:
        gain = self._p @ h / (h @ self._p @ h + std**2)
        self._x = self._x + gain * (measured - h @ self._x)
        self._p = self._p - np.outer(gain, h @ self._p)


def _is_plausible(imu: Imu) -> bool:
    force, rotation = np.abs(imu.acceleration_mps2), np.abs(imu.angular_velocity_radps)
    return bool((force <= MAX_MPS2).all() and (rotation <= MAX_RADPS).all())  # no NaN passes
