"""The last good path, and where the car is on it."""

from __future__ import annotations

from collections import deque

from edge_pilot.ego import EgoFilter
from edge_pilot.safety.fallback import Pose, advance, begin, carry, extrapolate, pose_at
from edge_pilot.types import EgoState, Imu, Path

HISTORY = 256  # poses, 2.5 s at 100 Hz: a path is younger when it comes


class Track:
    """Reckons from sensors, and keeps the path of the newest accepted proposal."""

    def __init__(self) -> None:
        self._filter = EgoFilter()
        self._poses: deque[Pose] = deque(maxlen=HISTORY)
        self._candidate: Path | None = None
        self._accepted_ns: int | None = None
        self._good: tuple[Path, Pose] | None = None

    def add_imu(self, imu: Imu) -> None:
        """Take an inertial sample."""
        self._filter.add_imu(imu)
        ego = self._filter.state()
        if not self._poses or ego.stamp_ns < self._poses[-1].stamp_ns:
            self._poses = deque([begin(ego)], HISTORY)
            self._good = None
        else:
            self._poses.append(advance(self._poses[-1], ego))

    def add_speed(self, stamp_ns: int, speed_mps: float, std_mps: float) -> None:
        """Take a measured speed."""
        self._filter.add_speed(stamp_ns, speed_mps, std_mps)

    def add_path(self, path: Path) -> None:
        """Take a path; it is good once the proposal from the same image is accepted."""
        self._candidate = path
        self._match()

    def accept(self, image_stamp_ns: int) -> None:
        """Hear that the proposal from an image was accepted; its path may come later."""
        self._accepted_ns = image_stamp_ns
        self._match()

    def here(self, now_ns: int) -> tuple[EgoState, Path | None] | None:
        """Give the motion, and the good path as seen from the car; None: nothing is known."""
        if not self._poses:
            return None
        pose = extrapolate(self._poses[-1], now_ns)
        path = carry(*self._good, pose) if self._good else None
        return EgoState(now_ns, pose.speed_mps, pose.yaw_rate_radps), path

    def _match(self) -> None:
        path = self._candidate
        if path and self._poses and path.stamp_ns == self._accepted_ns:
            self._good = path, pose_at(self._poses, path.stamp_ns)
