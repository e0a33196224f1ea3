"""Braking for what is ahead, whatever the pilot proposes: the last thing before a crash.

It knows no lane and no plan. Where the car will be, two say who cannot both be wrong in the same
way: the IMU (how it turns now) and the steering (how it will). Only what stands in the way of both
counts, so that a post beside the entry of a bend is none.

The distance to keep is that of Responsibility-Sensitive Safety (Shalev-Shwartz et al., 2017,
definition 1): what the car needs to stop after a response time, less what the one ahead needs. Too
near by a firm braking is answered firmly, too near by the hardest one with all there is.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from enum import IntEnum
from typing import NamedTuple

import numpy as np

from edge_pilot.config import Config, VehicleConfig
from edge_pilot.control.lateral import curvature_of
from edge_pilot.lidar import Closing, Region, nearest, standing
from edge_pilot.types import UNKNOWN, EgoState, Floats, Obstacle, Tensor

RESPONSE_S = 0.15  # from a decision to the brakes
MARGIN_M = 1.0  # left before what is ahead
SIDE_M = 0.05  # beyond the car's own width, on both sides
REACH_M = 45.0  # a stop from 20 m/s
STEP_M = 1.5  # of the path
MIN_POINTS = 3  # of a thing, for a LiDAR: fewer are a leaf
MIN_SPEED_MPS = 1.0  # slower, the pilot and the driver are left alone
TTC_S = (1.6, 1.0)  # UN R152: never earlier; partial, full
CONFIRMED = 2  # looks in a row
SURE_SCORE, SURE_AGE_S, SURE_STD_M = 0.7, 0.5, 1.0  # of what the obstacle head sees
FORGET_S = 0.35  # a look counts for so long: three turns of a LiDAR of 10 Hz


class Braking(IntEnum):
    """How hard."""

    NONE = 0
    PARTIAL = 1
    FULL = 2


class Threat(NamedTuple):
    """The first thing in the way."""

    distance_m: float  # from the front bumper
    closing_mps: float  # how fast that gets less


def arc(curvature_1pm: float) -> Floats:
    """Give the points (P, 2) of a way of constant curvature [1/m], from `base_link` on."""
    station = np.arange(0.0, REACH_M + STEP_M, STEP_M)
    turn = station * curvature_1pm
    half = 0.5 * turn
    chord = station * np.sinc(half / math.pi)
    return np.column_stack([chord * np.cos(half), chord * np.sin(half)])


def ways(ego: EgoState, steering_rad: float, vehicle: VehicleConfig) -> tuple[Floats, Floats]:
    """Give where the car goes by its IMU, and by its steering."""
    by_imu = ego.yaw_rate_radps / max(ego.speed_mps, MIN_SPEED_MPS)
    return arc(by_imu), arc(curvature_of(steering_rad, vehicle))


def distance_in(points_m: Tensor, way_m: tuple[Floats, Floats], config: Config) -> float | None:
    """Give how far ahead of the bumper something stands in both ways; None: nothing does.

    Args:
        points_m: what a LiDAR saw (N, 3), in `base_link`.
        way_m: of `ways`.
        config: the car's size.
    """
    vehicle = config.vehicle
    front = vehicle.length_m - vehicle.rear_overhang_m
    region = Region(near_m=front, far_m=REACH_M, half_width_m=REACH_M)
    found = standing(points_m, region)
    half = 0.5 * vehicle.width_m + SIDE_M
    firsts = [nearest(found, way, half, MIN_POINTS) for way in way_m]
    if not all(firsts):
        return None
    return max(one.distance_m for one in firsts if one) - front


def threat_of(
    obstacles: Sequence[Obstacle], way_m: tuple[Floats, Floats], ego: EgoState, config: Config
) -> Threat | None:
    """Give the first of those that the obstacle head is sure of, in both ways."""
    vehicle = config.vehicle
    front = vehicle.length_m - vehicle.rear_overhang_m
    half = 0.5 * vehicle.width_m + SIDE_M
    threats = []
    for one in obstacles:
        if not _is_sure(one):
            continue
        # Its middle third stands for it: where its ends are is not sure.
        side = one.width_m / 6.0 * np.array([-1.0, 0.0, 1.0])
        points = np.column_stack([np.full(3, one.x_m), one.y_m + side])
        firsts = [nearest(points, way, half) for way in way_m]
        if all(firsts):
            distance = max(first.distance_m for first in firsts if first) - front
            threats.append(Threat(distance, ego.speed_mps - one.vx_mps))
    return min(threats, default=None)


def rss_distance(
    speed_mps: float, lead_mps: float, braking_mps2: float, most_mps2: float
) -> float:
    """Give the distance [m] that braking still needs behind somebody who brakes fully."""
    own = speed_mps * RESPONSE_S + speed_mps**2 / (2.0 * braking_mps2)
    return max(0.0, own - max(lead_mps, 0.0) ** 2 / (2.0 * most_mps2))


def decide(threat: Threat | None, speed_mps: float, config: Config) -> Braking:
    """Say how hard to brake for a threat: both too near and too soon."""
    if threat is None or threat.closing_mps <= 0.0 or speed_mps < MIN_SPEED_MPS:
        return Braking.NONE
    most = config.safety.max_braking_mps2
    firm = min(config.safety.aeb_partial_braking_mps2, most)
    left = threat.distance_m - MARGIN_M
    lead = speed_mps - threat.closing_mps
    ttc_s = max(left, 0.0) / threat.closing_mps
    if ttc_s < TTC_S[1] and left < rss_distance(speed_mps, lead, most, most):
        return Braking.FULL
    if ttc_s < TTC_S[0] and left < rss_distance(speed_mps, lead, firm, most):
        return Braking.PARTIAL
    return Braking.NONE


class Watch:
    """Looks again and again; what is seen once is not braked for."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._closing = Closing()
        self._seen = 0

    def look(self, stamp_ns: int, points_m: Tensor, ego: EgoState, steering_rad: float) -> Braking:
        """Take a scan's points (N, 3) in `base_link`, and say how hard to brake."""
        distance = distance_in(
            points_m, ways(ego, steering_rad, self._config.vehicle), self._config
        )
        approach = self._closing.update(stamp_ns, distance)
        threat = Threat(approach.distance_m, approach.closing_mps) if approach else None
        return self._confirm(decide(threat, ego.speed_mps, self._config))

    def look_at(
        self, obstacles: Sequence[Obstacle], ego: EgoState, steering_rad: float
    ) -> Braking:
        """Take what the obstacle head saw, and say how hard to brake."""
        way = ways(ego, steering_rad, self._config.vehicle)
        threat = threat_of(obstacles, way, ego, self._config)
        return self._confirm(decide(threat, ego.speed_mps, self._config))

    def _confirm(self, braking: Braking) -> Braking:
        self._seen = self._seen + 1 if braking else 0
        return braking if self._seen >= CONFIRMED else Braking.NONE


def _is_sure(one: Obstacle) -> bool:
    return (
        one.kind != UNKNOWN
        and one.score >= SURE_SCORE
        and one.age_s >= SURE_AGE_S
        and one.position_std_m <= SURE_STD_M
    )
