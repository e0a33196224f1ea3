"""What is around the car: one track for each thing, whatever sensor saw it.

Tracks live in a frame that dead reckoning over speed and yaw rate carries along, so that their
velocities are those over ground. Each has a filter (`kalman`) and a sum of evidence: a hit adds to
it, a sensor that should see the thing and does not takes from it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from edge_pilot.perception.kalman import (
    NARROW_M,
    Pose,
    Track,
    correct,
    inverse,
    measure,
    observer,
    predicted,
    std_across,
)
from edge_pilot.types import NANOSECONDS, UNKNOWN, Detection, EgoState, Floats, Obstacle

CAMERA_RANGE_BIAS = 0.12  # of the distance, the part that does not average out
FIRST_SPEED_STD = {"pedestrian": 2.0, "cyclist": 5.0, "vehicle": 7.0, UNKNOWN: 5.0}  # m/s
GATE = 9.21  # chi square of two degrees of freedom, 99 %
# Evidence, much like the log odds that a thing is there: a hit adds to it by its score, and a
# sensor that should see the thing and does not takes from it.
NOTHING = 0.35  # the score of a picture's detection that says nothing
CAMERA_GAIN, LIDAR_GAIN = 2.0, 1.2
CAMERA_MISS, LIDAR_MISS = 0.35, 0.5
DENIAL = 1.5  # a LiDAR that does not see what the camera tells of
SURE, SUREST = 1.0, 3.0  # a track is told of; no more evidence than this is kept
CAMERA_SEES_M, CAMERA_SEES_RAD = 30.0, 0.55  # within these a miss counts
LIDAR_SEES_M, LIDAR_SEES_WIDE_M, LIDAR_SEES_ASIDE_M = (4.5, 24.0), 30.0, 6.0
RANGED_S = 0.5  # a LiDAR's hit is so long a proof; one that is silent for longer is not at work
CONFIRM_HITS, CONFIRM_CAMERA_HITS = 2, 3  # of the LiDAR or near, and of the camera alone
NEAR_M = 12.0
FORGET_S = 0.25  # a track that is not confirmed
COAST_S, COAST_M = 0.6, 0.5  # a confirmed one, unseen: so long, or until it may be so far aside
COAST_LIDAR_S = 0.25  # what only the LiDAR saw: it comes back in the next scan, or was a ghost
MAX_GAP_S = 1.0  # without any update; then all begins anew
LATE_S = 0.2  # what is older than the newest by more means that the clock was set back
BODY_LENGTH_M, BODY_FRONT_M, BODY_EDGE_M, BODY_SKEW = 6.0, 1.0, 0.4, 0.2  # see _is_part_of
RIDER_M = 1.2  # half a bicycle and a rider's reach
SURE_PERSON = 0.65  # the score of somebody beside a vehicle who is no part of it
MAX_TRACKS = 64
MAX_RANGE_M, MAX_WIDTH_M = 300.0, 30.0  # a sensor that says more is broken
SMOOTHING = 0.3  # of width and score
FADING = 0.9  # of votes with each picture: what is nearer is seen better


class Tracker:
    """Fed with what each sensor saw, in the order in which it comes."""

    def __init__(self) -> None:
        self._begin(None)

    def _begin(self, stamp_ns: int | None) -> None:
        self._stamp_ns = stamp_ns
        self._pose = Pose()
        self._tracks: list[Track] = []
        self._scanned_ns: int | None = None

    def update(
        self,
        stamp_ns: int,
        ego: EgoState,
        detections: Sequence[Detection],
        *,
        by_lidar: bool = False,
    ) -> None:
        """Take what one sensor saw at one moment, though it be nothing.

        A step back of more than LATE_S, or a gap of MAX_GAP_S, and everything begins anew.
        """
        age_s = self._advance(stamp_ns, ego)
        if by_lidar:
            self._scanned_ns = stamp_ns
        seen = [one for one in detections if _is_sound(one)]
        if not seen and not self._tracks:
            return
        pose = self._pose.moved(ego, -age_s)
        places, noises = measure(seen, pose)  # (M, 2), (M, 2, 2)
        pairs = self._associate(seen, places, noises, pose, age_s)
        correct(pairs, seen, places, noises, age_s)
        for track, i in pairs:
            _note(track, seen[i], stamp_ns)
        taken = {i for _, i in pairs}
        for i in (i for i in range(len(seen)) if i not in taken):
            self._tracks.append(_first(seen[i], places[i], noises[i], stamp_ns))
        paired = {id(track) for track, _ in pairs}
        for track in self._tracks:
            if id(track) not in paired and track.seen_ns < stamp_ns:
                _miss(track, pose, stamp_ns, by_lidar)
        self._forget()
        self._absorb()

    def obstacles(self, stamp_ns: int, ego: EgoState) -> tuple[Obstacle, ...]:
        """Give what is confirmed, nearest first, in the `base_link` of a moment.

        `velocity_std_mps` is that across the line of sight, where it decides who will be in the
        car's way; `position_std_m` is that along it.
        """
        if self._stamp_ns is None or not self._tracks:
            return ()
        elapsed_s = (stamp_ns - self._stamp_ns) / NANOSECONDS
        if not -LATE_S <= elapsed_s <= MAX_GAP_S:
            return ()
        pose = self._pose.moved(ego, elapsed_s)
        tracks = [track for track in self._tracks if track.is_confirmed]
        states = zip(tracks, *predicted(tracks, max(elapsed_s, 0.0)), strict=True)
        found = [
            _obstacle(track, x, p, pose, min(elapsed_s, 0.0), stamp_ns) for track, x, p in states
        ]
        if _is_recent(self._scanned_ns, stamp_ns):
            found = [
                replace(one, doubt_s=_since_s(track.ranged_ns, stamp_ns))
                for one, track in zip(found, tracks, strict=True)
            ]
        return tuple(sorted(found, key=lambda one: math.hypot(one.x_m, one.y_m)))

    def _advance(self, stamp_ns: int, ego: EgoState) -> float:
        """Go on to a stamp, and give how old it is [s] against the newest."""
        if self._stamp_ns is None:
            self._begin(stamp_ns)
            return 0.0
        elapsed_s = (stamp_ns - self._stamp_ns) / NANOSECONDS
        if not -LATE_S <= elapsed_s <= MAX_GAP_S:
            self._begin(stamp_ns)
            return 0.0
        if elapsed_s <= 0.0:
            return -elapsed_s
        self._stamp_ns = stamp_ns
        self._pose = self._pose.moved(ego, elapsed_s)
        states = predicted(self._tracks, elapsed_s)
        for track, x, p in zip(self._tracks, *states, strict=True):
            track.x, track.p = x, p
        return 0.0

    def _associate(
        self, seen: Sequence[Detection], places: Floats, noises: Floats, pose: Pose, age_s: float
    ) -> list[tuple[Track, int]]:
        """Pair tracks with detections, the likeliest first."""
        if not self._tracks or not seen:
            return []
        if any(one.kind == UNKNOWN for one in seen):
            _loosen([track for track in self._tracks if track.ranged_ns is None], pose)
        h = observer(age_s)
        x = np.stack([track.x for track in self._tracks]) @ h.T  # (N, 2)
        p = h @ np.stack([track.p for track in self._tracks]) @ h.T  # (N, 2, 2)
        spread = p[:, None] + noises[None]  # (N, M, 2, 2)
        error = places[None] - x[:, None]  # (N, M, 2)
        weight, volume = inverse(spread)
        distance = np.einsum("nmi,nmij,nmj->nm", error, weight, error)
        cost = np.where(distance <= GATE, distance + np.log(volume), np.inf)
        pairs, rows, columns = [], set(), set()
        for flat in np.argsort(cost, axis=None):
            row, column = divmod(int(flat), len(seen))
            if not np.isfinite(cost[row, column]):
                break
            if row not in rows and column not in columns:
                rows.add(row)
                columns.add(column)
                pairs.append((self._tracks[row], column))
        return pairs

    def _forget(self) -> None:
        """Drop what was not seen for too long, and what are too many."""
        newest_ns = self._stamp_ns or 0
        kept = [
            track
            for track in self._tracks
            if track.evidence > 0.0
            and newest_ns - track.seen_ns
            <= (self._coast_s(track) if track.is_confirmed else FORGET_S) * NANOSECONDS
        ]
        kept.sort(key=lambda track: (not track.is_confirmed, -track.seen_ns))
        self._tracks = kept[:MAX_TRACKS]

    def _absorb(self) -> None:
        """Drop what is a part of a vehicle or a rider that has a track of its own."""
        here = self._pose.position()
        known = [track for track in self._tracks if track.is_confirmed]
        bodies = [track for track in known if _is_body(track)]
        riders = [track for track in known if track.kind() == "cyclist"]
        self._tracks = [
            track
            for track in self._tracks
            if not any(_is_part_of(track, body, here) for body in bodies)
            and not any(_is_twin(track, rider) for rider in riders)
        ]

    def _coast_s(self, track: Track) -> float:
        most = COAST_S if track.votes else COAST_LIDAR_S
        return min(most, COAST_M / max(std_across(track.x, track.p, self._pose), 1e-6))


def time_to_collision(distance_m: float, closing_mps: float) -> float:
    """Give the seconds until a distance is used up, infinite where it does not shrink."""
    return distance_m / closing_mps if closing_mps > 0.0 else math.inf


def _is_sound(one: Detection) -> bool:
    is_near = abs(one.x_m) <= MAX_RANGE_M and abs(one.y_m) <= MAX_RANGE_M  # no NaN passes
    return is_near and 0.0 <= one.width_m <= MAX_WIDTH_M and 0.0 <= one.score <= 1.0


def _miss(track: Track, pose: Pose, stamp_ns: int, by_lidar: bool) -> None:
    """Take from the evidence for what the sensor should have seen; a camera knows few kinds."""
    x, y = pose.axes().T @ (track.x[:2] - pose.position())
    if by_lidar:
        low, high = LIDAR_SEES_M
        high = high if track.width_m < NARROW_M else LIDAR_SEES_WIDE_M
        loss = LIDAR_MISS if _is_recent(track.ranged_ns, stamp_ns) else DENIAL
        track.evidence -= loss * (low < x < high and abs(y) < LIDAR_SEES_ASIDE_M)
    elif track.votes:
        is_ahead = x > 0.0 and abs(math.atan2(y, x)) < CAMERA_SEES_RAD
        track.evidence -= CAMERA_MISS * (is_ahead and math.hypot(x, y) < CAMERA_SEES_M)


def _is_body(track: Track) -> bool:
    """Tell whether something is a vehicle, so that it goes on behind the side that is seen."""
    return track.width_m >= NARROW_M and track.kind() in ("vehicle", UNKNOWN)


def _is_part_of(track: Track, body: Track, eye: Floats) -> bool:
    """Tell whether a track tells of the flank of a body, or of the same side once more.

    Where a beam grazes a flank its point slides along as the car moves, so that it seems to come
    towards the car. Who was surely seen on foot or on a bicycle is never a part.
    """
    is_person = track.kind() in ("pedestrian", "cyclist") and track.score >= SURE_PERSON
    if track is body or track.hits >= body.hits or is_person:
        return False
    sight = body.x[:2] - eye
    reach = max(math.hypot(*sight), 1e-6)
    dx, dy = track.x[:2] - body.x[:2]
    behind = (dx * sight[0] + dy * sight[1]) / reach
    across = abs(dy * sight[0] - dx * sight[1]) / reach
    room = 0.5 * body.width_m + BODY_EDGE_M + BODY_SKEW * max(behind, 0.0)
    return -BODY_FRONT_M < behind < BODY_LENGTH_M and bool(across < room)


def _is_twin(track: Track, rider: Track) -> bool:
    """Tell whether a track tells of a rider or his bicycle once more."""
    dx, dy = track.x[:2] - rider.x[:2]
    is_other = track.hits >= rider.hits or _is_body(track)
    return not is_other and math.hypot(dx, dy) < RIDER_M


def _is_recent(then_ns: int | None, now_ns: int) -> bool:
    return _since_s(then_ns, now_ns) < RANGED_S


def _since_s(then_ns: int | None, now_ns: int) -> float:
    return math.inf if then_ns is None else max(now_ns - then_ns, 0) / NANOSECONDS


def _loosen(tracks: Sequence[Track], pose: Pose) -> None:
    """Admit that a camera's distances are wrong together, before a LiDAR says the right one."""
    for track in tracks:
        sight = track.x[:2] - pose.position()
        track.p[:2, :2] += CAMERA_RANGE_BIAS**2 * np.outer(sight, sight)


def _first(one: Detection, place: Floats, noise: Floats, stamp_ns: int) -> Track:
    p = np.zeros((4, 4))
    p[:2, :2] = noise
    p[2:, 2:] = FIRST_SPEED_STD[one.kind] ** 2 * np.eye(2)
    x = np.concatenate([place, [0.0, 0.0]])
    track = Track(x, p, stamp_ns, stamp_ns, one.score, one.width_m)
    _note(track, one, stamp_ns)
    return track


def _note(track: Track, one: Detection, stamp_ns: int) -> None:
    """Count a hit."""
    is_lidar = one.kind == UNKNOWN
    track.seen_ns = max(track.seen_ns, stamp_ns)
    track.score += SMOOTHING * (one.score - track.score)
    track.width_m += SMOOTHING * (one.width_m - track.width_m)
    track.is_part = one.is_part
    if is_lidar:
        track.ranged_ns = stamp_ns
    else:
        track.votes = {kind: FADING * votes for kind, votes in track.votes.items()}
        track.votes[one.kind] = track.votes.get(one.kind, 0.0) + one.score
        track.box_px = one.box_px
    gain = LIDAR_GAIN * one.score if is_lidar else CAMERA_GAIN * (one.score - NOTHING)
    track.evidence = min(track.evidence + gain, SUREST)
    track.hits += 1
    is_near = math.hypot(one.x_m, one.y_m) < NEAR_M
    enough = CONFIRM_HITS if is_lidar or track.ranged_ns or is_near else CONFIRM_CAMERA_HITS
    track.is_confirmed |= track.hits >= enough and track.evidence >= SURE


def _obstacle(
    track: Track, x: Floats, p: Floats, pose: Pose, behind_s: float, stamp_ns: int
) -> Obstacle:
    x = np.concatenate([x[:2] + behind_s * x[2:], x[2:]])
    axes = pose.axes()
    place, velocity = axes.T @ (x[:2] - pose.position()), axes.T @ x[2:]
    sight = (x[:2] - pose.position()) / max(float(np.hypot(*place)), 1e-6)
    return Obstacle(
        stamp_ns=stamp_ns,
        kind=track.kind(),
        score=track.score,
        x_m=float(place[0]),
        y_m=float(place[1]),
        vx_mps=float(velocity[0]),
        vy_mps=float(velocity[1]),
        width_m=track.width_m,
        position_std_m=math.sqrt(max(float(sight @ p[:2, :2] @ sight), 0.0)),
        velocity_std_mps=std_across(x, p, pose),
        box_px=track.box_px,
        age_s=(stamp_ns - track.first_ns) / NANOSECONDS,
        is_part=track.is_part,
        speed_std_mps=math.sqrt(max(float(sight @ p[2:, 2:] @ sight), 0.0)),
    )
