"""Who is in the car's way, or will be when the car is there.

Things are put into coordinates of the planned path: the station along it, the offset to its left,
and a velocity in both directions, so that an oncoming car that stays in its lane on a bend does
not look like one that cuts across.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edge_pilot.config import ControlConfig, VehicleConfig
from edge_pilot.types import UNKNOWN, EgoState, Floats, Obstacle, Path

PATH_DRIFT = 0.012  # m of corridor for each m of station: what the path is off far away
ENTRY_HORIZON_S = 1.2  # what may still turn round, or was seen wrongly, is not braked for
ENTRY_GAP_M = 1.1  # likewise: people wait at a kerb farther from the corridor than this
OVER_LINE_M = 0.8  # a vehicle keeps to its own lane until it has crossed the line
OTHERS_BRAKING_MPS2 = 2.0  # of people and riders who stop at the kerb
LANE_M = (
    0.6  # of corridor more on both sides, all of a lane: who walks or rides there is in the way
)
MAYBE_M = 0.4  # the same for what only a LiDAR sees
SLIM_M, SURE_SCAN = 0.7, 0.8  # somebody on foot by LiDAR: width, and the score of four points
ENTRY_BUFFER_S = 0.5  # sooner or later than reckoned, the car or the other
MIN_ENTRY_MPS = 0.9  # slower is standing, or walking along
ENTRY_SIGMAS = 2.5  # how sure a sideways speed must be
POST_M, POST_SEEN_M = 0.15, 8.0  # so near, nobody is as slim as a post
ENTRY_SCORE = 0.6  # of what comes into the way
ENTRY_AGE_S = 0.5  # a speed from fewer sightings is none
# Of the speed along the line of sight, deviation: a camera alone does not know it better than the
# second, and is believed where what it sees has at least this score.
ENTRY_STD_MPS, SURELY = (1.2, 3.0), 0.65
ENTRY_M = 25.0  # the speed of what is farther is not sure; from 14 m/s the car still stops
SURE_SCORE = 0.5  # of what a camera alone sees, where it is not near
NEAR_M = 10.0
# A LiDAR of 10 Hz has missed it once or twice; it must not have missed what comes into the way.
DOUBT_S, FRESH_S = 0.25, 0.17
FASTEST_MPS = {"pedestrian": 4.0, "cyclist": 7.5}  # who is faster is seen wrongly
CROSSER_SCORE = 0.65  # two or three points
CROSSER_M, CROSSER_MPS, CROSSER_SHARE = 1.2, 3.5, 0.8  # width, speed, share of it that is inwards
SURE_M, SURE_AGE_S, SURE_TRACK = 1.0, 1.0, 0.6  # deviation of the distance, age, score
SURE_WIDTH_M = 1.0  # what is slim is easily mixed up with another
SURE_INSIDE_M = 0.3  # of the corridor's edge
SURE_REACH_M = 25.0  # farther away a path on a bend is off by more than that
UNDER_LIDAR_M = 1.5  # so near, its beams pass over children
PASSED_S = 0.3  # nearer than this, the car is past before anybody is in its way
STALE_M = 0.3  # along the line of sight: the last scans did not show it
SINGLE = 0.55  # the score of one point of a LiDAR, or two: a leaf, a corner of a wall
ENTRY_SLOPE = 0.08  # of the speed along the path: a path's direction is off by some degrees
ONCOMING_MPS = 2.0  # who comes towards the car keeps to his own lane, however a bend looks
ONCOMING_S = 0.8  # until they meet: before, who comes towards the car is as if he stood
CUTS_IN_MPS = 2.0  # a vehicle that comes into the way drives along it; a parked one only seems to
ALONGSIDE_M = 0.5  # behind the front bumper by more: beside the car, no use to brake


@dataclass(frozen=True, slots=True)
class Lead:
    """Something that the car must not run into."""

    distance_m: float  # along the path, from the front bumper to its facing side, >= 0
    speed_mps: float  # along the path over ground; negative: it comes towards the car
    kind: str  # one of KINDS, or UNKNOWN
    is_entering: bool  # not in the way yet
    is_sure: bool = True  # so well known that braking may be as hard as needed, and no harder
    is_certain: bool = True  # else comfort is enough
    speed_std_mps: float = 0.0


@dataclass(frozen=True, slots=True)
class Placed:
    """A place in the coordinates of a path."""

    station_m: float
    lateral_m: float  # positive left
    along: tuple[float, float]  # the path's direction there


def leads(
    obstacles: Sequence[Obstacle],
    path: Path,
    ego: EgoState,
    vehicle: VehicleConfig,
    control: ControlConfig,
) -> tuple[Lead, ...]:
    """Give those who are in the car's corridor or surely come into it, the nearest first.

    The corridor is the car's width and a margin on both sides. What is beyond the path's end is
    not judged, and neither is anything on a path that is not finite.
    """
    if not np.isfinite(path.points_m).all():
        return ()
    front_m = vehicle.length_m - vehicle.rear_overhang_m
    found = []
    for one in obstacles:
        placed = place(one.x_m, one.y_m, path.points_m)
        if placed is None or placed.station_m < front_m - ALONGSIDE_M:
            continue
        distance = max(placed.station_m - front_m, 0.0)
        half = 0.5 * (vehicle.width_m + one.width_m) + control.corridor_margin_m
        more = _room_m(one) - PATH_DRIFT * placed.station_m
        inside_m = half + more - abs(placed.lateral_m)
        is_inside = inside_m > 0.0
        if one.kind == UNKNOWN and one.position_std_m > STALE_M:
            continue
        if distance > NEAR_M and (one.doubt_s > DOUBT_S or not _is_plausible(one)):
            continue
        if distance > NEAR_M and one.score < (SINGLE if one.kind == UNKNOWN else SURE_SCORE):
            continue
        if is_inside or _enters(one, placed, distance, half, ego, vehicle):
            speed = _dot(placed.along, one)
            is_sure = _is_sure(one) and inside_m > SURE_INSIDE_M and distance < SURE_REACH_M
            is_certain = _is_certain(one, distance, speed, ego)
            found.append(
                Lead(distance, speed, one.kind, not is_inside, is_sure, is_certain,
                     one.speed_std_mps)
            )  # fmt: skip
    return tuple(sorted(found, key=lambda lead: lead.distance_m))


def place(x_m: float, y_m: float, points_m: Floats) -> Placed | None:
    """Put a point into the coordinates of a path (N, 2); None: it is beyond the path's end."""
    step = np.diff(points_m, axis=0)
    length = np.maximum(np.hypot(step[:, 0], step[:, 1]), 1e-6)
    along = step / length[:, None]  # (N - 1, 2)
    away = np.array([x_m, y_m]) - points_m[:-1]
    t = (away * along).sum(axis=1)
    foot = points_m[:-1] + np.clip(t, 0.0, length)[:, None] * along
    nearest = int(np.argmin(np.hypot(foot[:, 0] - x_m, foot[:, 1] - y_m)))
    if nearest == len(length) - 1 and t[nearest] > length[nearest]:
        return None
    station = float(length[:nearest].sum()) + min(float(t[nearest]), float(length[nearest]))
    dx, dy = along[nearest]
    lateral = float(dx * away[nearest, 1] - dy * away[nearest, 0])
    return Placed(station, lateral, (float(dx), float(dy)))


def _enters(
    one: Obstacle,
    placed: Placed,
    distance_m: float,
    half_m: float,
    ego: EgoState,
    vehicle: VehicleConfig,
) -> bool:
    """Tell whether something will surely be in the corridor when the car is there."""
    if not _is_known(one, distance_m):
        return False
    along = _dot(placed.along, one)
    side = math.copysign(1.0, placed.lateral_m)
    inwards = -side * (placed.along[0] * one.vy_mps - placed.along[1] * one.vx_mps)
    if one.kind == UNKNOWN and not _walks_across(one, inwards):
        return False
    if along < -ONCOMING_MPS or (one.kind == "vehicle" and along < CUTS_IN_MPS):
        return False
    slope = ENTRY_SLOPE * abs(along)
    if inwards < max(MIN_ENTRY_MPS, ENTRY_SIGMAS * one.velocity_std_mps, slope):
        return False
    gap_m = max(abs(placed.lateral_m) - half_m, 0.0)
    enters_s = gap_m / inwards
    leaves_s = (abs(placed.lateral_m) + half_m) / inwards
    closing = ego.speed_mps - along
    # Who is fast cannot stop before the corridor any more, so that he is believed from farther.
    turns_m = ENTRY_GAP_M + inwards**2 / (2.0 * OTHERS_BRAKING_MPS2)
    if one.kind == "vehicle":
        turns_m = OVER_LINE_M
    if gap_m > turns_m or enters_s > ENTRY_HORIZON_S or closing <= 0.0:
        return False
    arrives_s = distance_m / closing
    if arrives_s < PASSED_S:
        return False
    passes_s = (distance_m + vehicle.length_m + one.width_m) / closing
    return enters_s < passes_s + ENTRY_BUFFER_S and leaves_s > arrives_s - ENTRY_BUFFER_S


def _is_known(one: Obstacle, distance_m: float) -> bool:
    """Tell whether a thing is seen so well that its speed may be believed."""
    is_post = one.width_m < POST_M and distance_m < POST_SEEN_M
    if is_post or one.is_part or one.doubt_s > FRESH_S or distance_m > ENTRY_M:
        return False
    if one.kind != UNKNOWN and (one.score < ENTRY_SCORE or not _is_plausible(one)):
        return False
    std_mps = ENTRY_STD_MPS[1] if one.score >= SURELY else ENTRY_STD_MPS[0]
    return one.age_s >= ENTRY_AGE_S and one.speed_std_mps <= std_mps


def _room_m(one: Obstacle) -> float:
    """Give the corridor's extra width [m] for people, and for what may be somebody."""
    if one.kind in FASTEST_MPS:
        return LANE_M if _is_plausible(one) else 0.0
    is_slim = one.kind == UNKNOWN and one.width_m < SLIM_M and one.score > SURE_SCAN
    is_slow = math.hypot(one.vx_mps, one.vy_mps) < CROSSER_MPS
    return MAYBE_M if is_slim and is_slow else 0.0


def _is_sure(one: Obstacle) -> bool:
    is_old = one.age_s >= SURE_AGE_S and one.score >= SURE_TRACK
    return (
        one.width_m > SURE_WIDTH_M
        and is_old
        and one.position_std_m < SURE_M
        and one.doubt_s <= FRESH_S
    )


def _is_certain(one: Obstacle, distance_m: float, speed_mps: float, ego: EgoState) -> bool:
    """Tell whether a LiDAR at work has seen a thing just now, and it is nobody who passes by."""
    is_seen = one.doubt_s <= FRESH_S or 0.0 < distance_m < UNDER_LIDAR_M
    passes = speed_mps < -ONCOMING_MPS and may_pass(distance_m, speed_mps, ego.speed_mps)
    return is_seen and not (one.kind == "vehicle" and passes)


def may_pass(distance_m: float, speed_mps: float, own_mps: float) -> bool:
    """Tell whether somebody who comes towards the car has time to keep to his own lane."""
    return speed_mps < 0.0 and distance_m > ONCOMING_S * (own_mps - speed_mps)


def _is_plausible(one: Obstacle) -> bool:
    """Tell whether somebody is no faster than his kind can be; else something was mixed up."""
    return math.hypot(one.vx_mps, one.vy_mps) <= FASTEST_MPS.get(one.kind, math.inf)


def _walks_across(one: Obstacle, inwards_mps: float) -> bool:
    """Tell whether what only a LiDAR sees looks like somebody on foot who crosses.

    Where a wall or a parked car is seen aslant, its points come and go along it, as if they moved.
    """
    speed_mps = math.hypot(one.vx_mps, one.vy_mps)
    is_one = one.score >= CROSSER_SCORE and one.width_m < CROSSER_M
    return is_one and speed_mps < CROSSER_MPS and inwards_mps > CROSSER_SHARE * speed_mps


def _dot(along: tuple[float, float], one: Obstacle) -> float:
    return along[0] * one.vx_mps + along[1] * one.vy_mps
