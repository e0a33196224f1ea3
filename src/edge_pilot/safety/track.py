"""The paths that were good, and where the car is on them."""

from __future__ import annotations

from collections import deque
from statistics import median

import numpy as np

from edge_pilot.ego import EgoFilter
from edge_pilot.safety.fallback import (
    MAX_STEP_S,
    Pose,
    advance,
    begin,
    carry,
    extrapolate,
    pose_at,
)
from edge_pilot.types import NANOSECONDS, EgoState, Floats, Imu, Path

HISTORY = 256  # poses, 2.5 s at 100 Hz: a path is younger when it comes
PATHS = 32  # 1.6 s at 20 Hz: what turns out to have been wrong is noticed sooner
COMPARED = 8  # paths back, 0.4 s at 20 Hz: long enough for the car to have turned
AHEAD_M = np.array([10.0, 15.0, 20.0])  # where two paths are compared
APART = 0.06  # of the way to there: a lane's edge is 1 m farther away than the car's at 17 m
KNOWN_STD_MPS = 0.1  # of a speed that goes on after the clock has jumped
QUIET_NS = 100_000_000  # of the IMU; then wheels alone tell where the car goes


class Track:
    """Reckons from sensors, and keeps the paths of accepted proposals.

    Three know how fast the car turns: gyroscope, wheels, and the angle that the wheels were told
    to take. Their median is believed, so that none of them alone leads a stop astray.
    """

    def __init__(self) -> None:
        self._filter = EgoFilter()
        self._poses: deque[Pose] = deque(maxlen=HISTORY)
        self._candidate: Path | None = None
        self._accepted_ns: int | None = None
        self._good: deque[tuple[Path, Pose]] = deque(maxlen=PATHS)
        self._imu_ns: int | None = None
        self._wheels_radps: float | None = None
        self.told_1pm: float | None = None  # the curvature that the car was told to drive

    def add_imu(self, imu: Imu) -> None:
        """Take an inertial sample."""
        self._filter.add_imu(imu)
        ego = self._filter.state()
        self._imu_ns = imu.stamp_ns
        self._move(EgoState(ego.stamp_ns, ego.speed_mps, self._turning(ego)))

    def add_speed(
        self, stamp_ns: int, speed_mps: float, std_mps: float, yaw_rate_radps: float | None = None
    ) -> None:
        """Take what the wheels measured; they tell where the car goes while the IMU is silent."""
        self._filter.add_speed(stamp_ns, speed_mps, std_mps)
        self._wheels_radps = yaw_rate_radps
        quiet_ns = stamp_ns - self._imu_ns if self._imu_ns is not None else 0
        if yaw_rate_radps is not None and quiet_ns > QUIET_NS and self._poses:
            state = self._filter.state()
            self._move(EgoState(max(stamp_ns, state.stamp_ns), state.speed_mps, yaw_rate_radps))

    def add_path(self, path: Path) -> None:
        """Take a path; it is good once the proposal from the same image is accepted."""
        self._candidate = path
        self._match()

    def accept(self, image_stamp_ns: int) -> None:
        """Hear that the proposal from an image was accepted; its path may come later."""
        self._accepted_ns = image_stamp_ns
        self._match()

    def motion(self) -> EgoState | None:
        """Give the newest motion; None: nothing is known."""
        if not self._poses:
            return None
        pose = self._poses[-1]
        return EgoState(pose.stamp_ns, pose.speed_mps, pose.yaw_rate_radps)

    def here(
        self, now_ns: int, before_ns: int | None = None
    ) -> tuple[EgoState, Path | None] | None:
        """Give the motion, and the newest good path as seen from the car.

        Args:
            now_ns: the present.
            before_ns: paths of this image and later ones are not believed.

        Returns:
            None: nothing is known of the motion.
        """
        if not self._poses:
            return None
        pose = extrapolate(self._poses[-1], now_ns)
        good = [
            (path, start)
            for path, start in self._good
            if before_ns is None or path.stamp_ns < before_ns
        ]
        path = carry(*good[-1], pose) if good else None
        return EgoState(now_ns, pose.speed_mps, pose.yaw_rate_radps), path

    def is_contradicted(self) -> bool:
        """Tell whether the newest path is not where an earlier one, and the motion, put it."""
        if len(self._good) < 2:
            return False
        newest, now = self._good[-1]
        earlier, start = self._good[max(0, len(self._good) - COMPARED)]
        return surprise(newest.points_m, carry(earlier, start, now).points_m) > APART

    def jump(self, now_ns: int) -> None:
        """Hear that the clock has jumped: motion and newest path go on, as of now."""
        if not self._poses:
            return
        last = self._poses[-1]
        path = carry(*self._good[-1], last) if self._good else None
        self._filter = EgoFilter()
        self._filter.add_speed(now_ns, last.speed_mps, KNOWN_STD_MPS)
        here = begin(EgoState(now_ns, last.speed_mps, last.yaw_rate_radps))
        self._poses = deque([here], HISTORY)
        self._imu_ns = self._candidate = self._accepted_ns = None
        self._good.clear()
        if path is not None:
            self._good.append((Path(now_ns, path.points_m), here))

    def _turning(self, ego: EgoState) -> float:
        """Give the yaw rate [rad/s] that two of three agree on; of fewer, the gyroscope's."""
        if self._wheels_radps is None or self.told_1pm is None:
            return ego.yaw_rate_radps
        return median((ego.yaw_rate_radps, self._wheels_radps, self.told_1pm * ego.speed_mps))

    def _move(self, ego: EgoState) -> None:
        if not self._poses:
            self._poses.append(begin(ego))
        elif 0 <= ego.stamp_ns - self._poses[-1].stamp_ns <= MAX_STEP_S * NANOSECONDS:
            self._poses.append(advance(self._poses[-1], ego))
        else:
            self.jump(ego.stamp_ns)

    def _match(self) -> None:
        path = self._candidate
        if path and self._poses and path.stamp_ns == self._accepted_ns:
            self._candidate = None
            self._good.append((path, pose_at(self._poses, path.stamp_ns)))


def surprise(points_m: Floats, expected_m: Floats) -> float:
    """Give how far two paths (N, 2) lie apart, as a share of the way ahead; the middle of three.

    Lateral offsets are compared at distances that both have; with none, nothing surprises.
    """
    reach = min(float(points_m[:, 0].max()), float(expected_m[:, 0].max()))
    ahead = AHEAD_M[reach >= AHEAD_M]
    if not len(ahead):
        return 0.0
    apart = [np.interp(ahead, path[:, 0], path[:, 1]) for path in (points_m, expected_m)]
    return float(np.median(np.abs(apart[0] - apart[1]) / ahead))
