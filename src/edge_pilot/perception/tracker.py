"""What is around the car: one track for each thing, whatever sensor saw it.

A Kalman filter of constant velocity for each thing (Bar-Shalom, Li and Kirubarajan, Estimation
with Applications to Tracking and Navigation, 2001, chapter 6), in a frame that dead reckoning
over speed and yaw rate carries along, so that velocities are those over ground. The camera knows
a direction well and a distance badly, the LiDAR the reverse; the noise of each says so, and where
both see a thing the filter takes the better part of each.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from edge_pilot.types import NANOSECONDS, UNKNOWN, Detection, EgoState, Floats, Obstacle

CAMERA_RANGE = 0.15  # of the distance, standard deviation along the line of sight
CAMERA_RANGE_BIAS = 0.12  # of the distance, the part that does not average out
CAMERA_BEARING = 0.008  # rad, one and a half pixels of 190 a radian
LIDAR_RANGE_M = 0.15
LIDAR_BEARING = 0.006  # rad: columns are a degree apart, so an edge lies somewhere within one
LIDAR_WIDTH = 0.15  # of the width: a part of the side may be hidden
NEAR_STD_M = 0.05  # across, whatever the distance
AGILITY = 2.0  # m^2/s^3, spectral density: 1.4 m/s of change in a second
SLOW_AGILITY, NARROW_M = 0.5, 1.2  # likewise, of what is as narrow as somebody on foot
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
MAX_TRACKS = 64
MAX_RANGE_M, MAX_WIDTH_M = 300.0, 30.0  # a sensor that says more is broken
SMOOTHING = 0.3  # of width and score


@dataclass(frozen=True, slots=True)
class _Pose:
    x_m: float = 0.0
    y_m: float = 0.0
    heading_rad: float = 0.0

    def moved(self, ego: EgoState, elapsed_s: float) -> _Pose:
        """Give the pose after (or before) a time on an arc."""
        turn = ego.yaw_rate_radps * elapsed_s
        way = ego.speed_mps * elapsed_s * float(np.sinc(turn / (2.0 * math.pi)))  # the chord
        course = self.heading_rad + 0.5 * turn
        return _Pose(
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
class _Track:
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


class Tracker:
    """Fed with what each sensor saw, in the order in which it comes."""

    def __init__(self) -> None:
        self._begin(None)

    def _begin(self, stamp_ns: int | None) -> None:
        self._stamp_ns = stamp_ns
        self._pose = _Pose()
        self._tracks: list[_Track] = []
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
        pose = self._pose.moved(ego, -age_s)
        places, noises = _measure(seen, pose)  # (M, 2), (M, 2, 2)
        pairs = self._associate(seen, places, noises, pose, age_s)
        _correct(pairs, seen, places, noises, age_s)
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

    def obstacles(self, stamp_ns: int, ego: EgoState) -> tuple[Obstacle, ...]:
        """Give what is confirmed, nearest first, in the `base_link` of a moment.

        `velocity_std_mps` is that across the line of sight, where it decides who will be in the
        car's way; `position_std_m` is that along it.
        """
        if self._stamp_ns is None:
            return ()
        elapsed_s = (stamp_ns - self._stamp_ns) / NANOSECONDS
        if not -LATE_S <= elapsed_s <= MAX_GAP_S:
            return ()
        pose = self._pose.moved(ego, elapsed_s)
        tracks = [track for track in self._tracks if track.is_confirmed]
        states = zip(tracks, *_predicted(tracks, max(elapsed_s, 0.0)), strict=True)
        found = [
            _obstacle(track, x, p, pose, min(elapsed_s, 0.0), stamp_ns) for track, x, p in states
        ]
        if _is_recent(self._scanned_ns, stamp_ns):
            found = [
                one if _is_recent(track.ranged_ns, stamp_ns) else replace(one, is_doubted=True)
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
        states = _predicted(self._tracks, elapsed_s)
        for track, x, p in zip(self._tracks, *states, strict=True):
            track.x, track.p = x, p
        return 0.0

    def _associate(
        self, seen: Sequence[Detection], places: Floats, noises: Floats, pose: _Pose, age_s: float
    ) -> list[tuple[_Track, int]]:
        """Pair tracks with detections, the likeliest first."""
        if not self._tracks or not seen:
            return []
        if any(one.kind == UNKNOWN for one in seen):
            _loosen([track for track in self._tracks if track.ranged_ns is None], pose)
        h = _observer(age_s)
        x = np.stack([track.x for track in self._tracks]) @ h.T  # (N, 2)
        p = h @ np.stack([track.p for track in self._tracks]) @ h.T  # (N, 2, 2)
        spread = p[:, None] + noises[None]  # (N, M, 2, 2)
        error = places[None] - x[:, None]  # (N, M, 2)
        inverse, volume = _inverse(spread)
        distance = np.einsum("nmi,nmij,nmj->nm", error, inverse, error)
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

    def _coast_s(self, track: _Track) -> float:
        most = COAST_S if track.votes else COAST_LIDAR_S
        return min(most, COAST_M / max(_std_across(track.x, track.p, self._pose), 1e-6))


def time_to_collision(distance_m: float, closing_mps: float) -> float:
    """Give the seconds until a distance is used up, infinite where it does not shrink."""
    return distance_m / closing_mps if closing_mps > 0.0 else math.inf


def _is_sound(one: Detection) -> bool:
    is_near = abs(one.x_m) <= MAX_RANGE_M and abs(one.y_m) <= MAX_RANGE_M  # no NaN passes
    return is_near and 0.0 <= one.width_m <= MAX_WIDTH_M and 0.0 <= one.score <= 1.0


def _measure(seen: Sequence[Detection], pose: _Pose) -> tuple[Floats, Floats]:
    """Give places (M, 2) and covariances (M, 2, 2) in the frame of the reckoning."""
    places = np.array([[one.x_m, one.y_m] for one in seen], np.float64).reshape(-1, 2)
    axes = pose.axes()
    noises = [_noise(one) for one in seen]
    turned = axes @ np.array(noises).reshape(-1, 2, 2) @ axes.T
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


def _miss(track: _Track, pose: _Pose, stamp_ns: int, by_lidar: bool) -> None:
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


def _is_recent(then_ns: int | None, now_ns: int) -> bool:
    return then_ns is not None and now_ns - then_ns < RANGED_S * NANOSECONDS


def _loosen(tracks: Sequence[_Track], pose: _Pose) -> None:
    """Admit that a camera's distances are wrong together, before a LiDAR says the right one."""
    for track in tracks:
        sight = track.x[:2] - pose.position()
        track.p[:2, :2] += CAMERA_RANGE_BIAS**2 * np.outer(sight, sight)


def _predicted(tracks: Sequence[_Track], elapsed_s: float) -> tuple[Floats, Floats]:
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


def _observer(age_s: float) -> Floats:
    """Give the matrix (2, 4) from a state now to the place some seconds ago."""
    return np.hstack([np.eye(2), -age_s * np.eye(2)])


def _inverse(matrices: Floats) -> tuple[Floats, Floats]:
    """Give inverses and determinants of symmetric matrices (..., 2, 2)."""
    a, b, d = matrices[..., 0, 0], matrices[..., 0, 1], matrices[..., 1, 1]
    volume = np.maximum(a * d - b * b, 1e-12)
    inverse = np.stack([np.stack([d, -b], -1), np.stack([-b, a], -1)], -2)
    return inverse / volume[..., None, None], volume


def _correct(
    pairs: Sequence[tuple[_Track, int]],
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
    h = _observer(age_s)
    x, p = np.stack([track.x for track, _ in pairs]), np.stack([track.p for track, _ in pairs])
    inverse, _ = _inverse(h @ p @ h.T + noise)
    gain = p @ h.T @ inverse  # (K, 4, 2)
    x = x + (gain @ (places[index] - x @ h.T)[:, :, None])[:, :, 0]
    p = p - gain @ h @ p
    p = 0.5 * (p + p.transpose(0, 2, 1))
    for (track, _), own_x, own_p in zip(pairs, x, p, strict=True):
        track.x, track.p = own_x, own_p


def _first(one: Detection, place: Floats, noise: Floats, stamp_ns: int) -> _Track:
    p = np.zeros((4, 4))
    p[:2, :2] = noise
    p[2:, 2:] = FIRST_SPEED_STD[one.kind] ** 2 * np.eye(2)
    x = np.concatenate([place, [0.0, 0.0]])
    track = _Track(x, p, stamp_ns, stamp_ns, one.score, one.width_m)
    _note(track, one, stamp_ns)
    return track


def _note(track: _Track, one: Detection, stamp_ns: int) -> None:
    """Count a hit."""
    is_lidar = one.kind == UNKNOWN
    track.seen_ns = max(track.seen_ns, stamp_ns)
    track.score += SMOOTHING * (one.score - track.score)
    track.width_m += SMOOTHING * (one.width_m - track.width_m)
    track.is_part = one.is_part
    if is_lidar:
        track.ranged_ns = stamp_ns
    else:
        track.votes[one.kind] = track.votes.get(one.kind, 0.0) + one.score
        track.box_px = one.box_px
    gain = LIDAR_GAIN * one.score if is_lidar else CAMERA_GAIN * (one.score - NOTHING)
    track.evidence = min(track.evidence + gain, SUREST)
    track.hits += 1
    is_near = math.hypot(one.x_m, one.y_m) < NEAR_M
    enough = CONFIRM_HITS if is_lidar or track.ranged_ns or is_near else CONFIRM_CAMERA_HITS
    track.is_confirmed |= track.hits >= enough and track.evidence >= SURE


def _std_across(x: Floats, p: Floats, pose: _Pose) -> float:
    """Give the deviation [m/s] of the speed across the line of sight."""
    dx, dy = x[:2] - pose.position()
    across = np.array([-dy, dx]) / max(math.hypot(dx, dy), 1e-6)
    return math.sqrt(max(float(across @ p[2:, 2:] @ across), 0.0))


def _obstacle(
    track: _Track, x: Floats, p: Floats, pose: _Pose, behind_s: float, stamp_ns: int
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
        velocity_std_mps=_std_across(x, p, pose),
        box_px=track.box_px,
        age_s=(stamp_ns - track.first_ns) / NANOSECONDS,
        is_part=track.is_part,
    )
