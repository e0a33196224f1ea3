"""What is not well: from what comes in, or does not, to the names in `degrade.SYMPTOMS`.

The pilot measures its pictures and says so in numbers; here they are judged. All times are those
of a steady clock.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping

from edge_pilot.config import SafetyConfig
from edge_pilot.ego import MAX_MPS2, MAX_RADPS
from edge_pilot.types import NANOSECONDS, Imu

# Names of the scalars that a pilot gives with each picture, see `perception.health`.
DARK, BRIGHT, LEVEL = "image_dark", "image_bright", "image_level"
SHARPNESS, CHANGE = "image_sharpness", "image_change"
SWAPPED, MIRRORED = "image_swapped", "image_mirrored"
NOVELTY = "novelty"
PATH_STD, SPEED = "path_std_m", "speed_mps"

ALL_DARK, PART_DARK = 0.9, 0.30  # shares of the picture
ALL_BRIGHT = 0.6
UNSHARP, NOISY = 0.03, 6.0  # details over contrast; usual are 0.2 (haze) to 3.6 (an empty road)
SAME = 1e-3  # grey levels: even a picture of a wall has more noise than that
MOVING_MPS = 0.5  # a car that stands may well see twice the same
DIM, GLARING = 0.3, 2.0  # of the usual brightness; dusk has 0.4
NOVEL, ALIEN = 1.0, 1.25  # of the distance that the card calls far
UNSURE_M, LOST_M = 2.0, 4.0  # standard deviation of the farthest point of the path

IMU_SILENT_S, WHEELS_SILENT_S, LIDAR_SILENT_S, PICTURE_SILENT_S = 0.15, 0.4, 0.45, 0.25
GRAVITY_MPS2, GRAVITY_OFF_MPS2, GRAVITY_S = 9.81, 4.0, 0.1
TURN_OFF_RADPS, TURN_S = 0.06, 0.4  # gyroscope against both wheels and steering, smoothed
LATE_SHARE = 0.6  # of the permitted age of an image
GAP_SHARE, GAPS, GAPS_S = 0.7, 4, 2.0  # of the permitted silence; so many within so long


class Symptoms:
    """Keeps what was heard last of each sense."""

    def __init__(self, limits: SafetyConfig) -> None:
        self._limits = limits
        self._heard_ns: dict[str, int] = {}
        self._picture: Mapping[str, float] = {}
        self._broken_ns: int | None = None  # the newest impossible inertial sample
        self._gravity_off = self._turn_off = 0.0
        self._imu_ns: int | None = None
        self._wheels_radps: float | None = None
        self._age_s = 0.0
        self._gaps: deque[int] = deque(maxlen=GAPS)

    def add_imu(self, imu: Imu, told_radps: float, now_ns: int) -> None:
        """Take an inertial sample, and how fast the car should turn by its steering [rad/s]."""
        if not _is_possible(imu):
            self._broken_ns = now_ns
            return
        before_ns = self._heard_ns.get("imu", now_ns)
        self._heard_ns["imu"] = now_ns
        dt = (now_ns - before_ns) / NANOSECONDS
        up, turn = imu.acceleration_mps2[2], imu.angular_velocity_radps[2]
        self._gravity_off += _share(dt, GRAVITY_S) * (up - GRAVITY_MPS2 - self._gravity_off)
        if self._wheels_radps is not None:
            both = (turn - self._wheels_radps, turn - told_radps)
            is_between = both[0] * both[1] <= 0.0
            off = 0.0 if is_between else math.copysign(min(map(abs, both)), both[0])
            self._turn_off += _share(dt, TURN_S) * (off - self._turn_off)

    def add_wheels(self, yaw_rate_radps: float | None, now_ns: int) -> None:
        """Take what the wheels say."""
        self._heard_ns["wheels"] = now_ns
        self._wheels_radps = yaw_rate_radps

    def add_scan(self, now_ns: int) -> None:
        """Hear that a LiDAR is at work."""
        self._heard_ns["lidar"] = now_ns

    def add_picture(self, values: Mapping[str, float], now_ns: int) -> None:
        """Take what the pilot says about a picture."""
        self._heard_ns["picture"] = now_ns
        self._picture = dict(values)

    def add_proposal(self, age_s: float, now_ns: int) -> None:
        """Hear that a proposal has come, whose image has this age."""
        before_ns = self._heard_ns.get("proposal")
        self._heard_ns["proposal"] = now_ns
        self._age_s = age_s
        silence_s = self._limits.proposal_timeout_s * GAP_SHARE
        if before_ns is not None and now_ns - before_ns > silence_s * NANOSECONDS:
            self._gaps.append(now_ns)

    def present(self, now_ns: int, is_contradicted: bool = False) -> frozenset[str]:
        """Give what is not well now; names of `degrade.SYMPTOMS`."""
        found = {
            **_of_picture(self._picture),
            **self._of_sensors(now_ns),
            "contradiction": is_contradicted,
            "late": self._age_s > LATE_SHARE * self._limits.max_image_age_s,
            "gaps": len(self._gaps) == GAPS and now_ns - self._gaps[0] < GAPS_S * NANOSECONDS,
        }
        return frozenset(name for name, is_so in found.items() if is_so)

    def _of_sensors(self, now_ns: int) -> dict[str, bool]:
        broken_ns = self._broken_ns
        return {
            "imu_silent": self._is_silent("imu", IMU_SILENT_S, now_ns),
            "imu_broken": (
                (broken_ns is not None and now_ns - broken_ns < IMU_SILENT_S * NANOSECONDS)
                or abs(self._gravity_off) > GRAVITY_OFF_MPS2
            ),
            "imu_bias": abs(self._turn_off) > TURN_OFF_RADPS,
            "wheels_silent": self._is_silent("wheels", WHEELS_SILENT_S, now_ns),
            "lidar_silent": self._is_silent("lidar", LIDAR_SILENT_S, now_ns),
            "unseen": self._is_silent("picture", PICTURE_SILENT_S, now_ns),
        }

    def _is_silent(self, sense: str, limit_s: float, now_ns: int) -> bool:
        """Tell whether something that was heard is heard no more."""
        heard_ns = self._heard_ns.get(sense)
        return heard_ns is not None and now_ns - heard_ns > limit_s * NANOSECONDS


def _of_picture(it: Mapping[str, float]) -> dict[str, bool]:
    """Judge a picture's numbers; one that is missing is not judged, one that is NaN is bad."""
    dark, bright = it.get(DARK, 0.0), it.get(BRIGHT, 0.0)
    sharp, level = it.get(SHARPNESS, 1.0), it.get(LEVEL, 1.0)
    novelty, std = it.get(NOVELTY, 0.0), it.get(PATH_STD, 0.0)
    is_seen = dark < PART_DARK and bright < ALL_BRIGHT
    return {
        "black": not dark <= ALL_DARK,
        "half_dark": PART_DARK <= dark <= ALL_DARK,
        "white": not bright <= ALL_BRIGHT,
        "frozen": it.get(CHANGE, 1.0) < SAME and it.get(SPEED, 1.0) > MOVING_MPS,
        "blurred": is_seen and not sharp >= UNSHARP,
        "noisy": sharp > NOISY,
        "colours": it.get(SWAPPED, 0.0) != 0.0,
        "mirrored": it.get(MIRRORED, 0.0) != 0.0,
        "exposure": is_seen and not DIM <= level <= GLARING,
        "novel": not novelty <= NOVEL,
        "alien": not novelty <= ALIEN,
        "unsure": not std <= UNSURE_M,
        "lost": not std <= LOST_M,
    }


def _is_possible(imu: Imu) -> bool:
    """Tell whether a sample is finite and no more than a car feels."""
    return all(abs(v) <= MAX_MPS2 for v in imu.acceleration_mps2) and all(
        abs(v) <= MAX_RADPS for v in imu.angular_velocity_radps
    )


def _share(dt_s: float, time_s: float) -> float:
    return min(1.0, max(0.0, dt_s) / time_s)
