"""What is in a log, and what looks wrong with it."""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from edge_pilot.config import Config
from edge_pilot.mounting import MountingCheck
from edge_pilot.replay import signs
from edge_pilot.replay.evaluate import Event, Speed, Steering, Unreadable
from edge_pilot.types import NANOSECONDS, Floats, Frame, Imu
from edge_pilot.units import LARGEST_RAD

BINS = 11  # of the label histogram
STAND_MPS, STAND_S = 0.2, 2.0
REVERSE_MPS, REVERSE_S = -0.1, 0.3
LOCK_SHARE, LOCK_S = 0.98, 0.5  # of the largest steering
LEAST_LOCK_RAD = 0.3  # less is nobody's full lock
SAME_S = 0.12  # equal pictures for so long are more than one repeat
AGAINST_S = 1.0
MAX_AGE_S = 0.5


@dataclass(frozen=True)
class Stretch:
    """A part of a log that should not be trained on unseen."""

    what: str
    begin_s: float  # since the first event
    end_s: float


@dataclass(frozen=True)
class Inspection:
    """What was found."""

    duration_s: float
    pictures: int
    sizes: tuple[str, ...]  # width x height of the pictures
    equal_pictures: int  # equal to the one before
    labels: int
    histogram: tuple[tuple[float, int], ...]  # middle of a bin [rad], count
    stretches: tuple[Stretch, ...]
    unreadable: dict[str, int] = field(default_factory=dict)  # reason, count
    notes: tuple[str, ...] = ()  # what the sign checks say
    warnings: tuple[str, ...] = ()


class _Series:
    """Values with their stamps [s], asked for at other moments."""

    def __init__(self) -> None:
        self.at: list[float] = []
        self.values: list[float] = []

    def add(self, at: float, value: float) -> None:
        self.at.append(at)
        self.values.append(value)

    def before(self, moments: Floats, lag_s: float = 0.0) -> Floats:
        """Give the newest value before each moment less the lag; NaN where there is none."""
        if not self.at:
            return np.full(len(moments), np.nan)
        at, values = np.array(self.at), np.array(self.values)
        index = np.searchsorted(at, moments - lag_s, side="right") - 1
        known = (index >= 0) & (moments - lag_s - at[index] <= MAX_AGE_S)
        return np.where(known, values[index], np.nan)


def inspect(
    events: Iterable[Event], config: Config, progress: Callable[[], object] = lambda: None
) -> Inspection:
    """Go through the events of a log once."""
    steering, speed, turn, shift = _Series(), _Series(), _Series(), _Series()
    equal = _Series()
    unreadable: dict[str, int] = {}
    sizes: set[str] = set()
    mount, sight = MountingCheck(config.imu), signs.Shift()
    first_ns, last_s, newest_speed, before = None, 0.0, math.nan, 0
    for event in events:
        progress()
        first_ns = event.stamp_ns if first_ns is None else first_ns
        at = (event.stamp_ns - first_ns) / NANOSECONDS
        last_s = max(last_s, at)
        if isinstance(event, Frame):
            height, width = event.image.shape[:2]
            sizes.add(f"{width}x{height}")
            now = zlib.crc32(event.image.tobytes())
            equal.add(at, float(bool(equal.at) and now == before))
            before = now
            shift.add(at, sight.update(at, event.image))
        elif isinstance(event, Imu):
            turn.add(at, event.angular_velocity_radps[2])
            mount.add_imu(event)
        elif isinstance(event, Speed):
            newest_speed = event.speed_mps
            speed.add(at, newest_speed)
            mount.add_speed(event.stamp_ns, newest_speed)
        elif isinstance(event, Steering):
            steering.add(at, event.steering_rad)
            if math.isfinite(newest_speed):
                rate = newest_speed * math.tan(event.steering_rad) / config.vehicle.wheelbase_m
                mount.add_yaw_rate(event.stamp_ns, rate)
        elif isinstance(event, Unreadable):
            unreadable[event.reason] = unreadable.get(event.reason, 0) + 1
    # A gyro whose axes are wrong says nothing about the steering.
    problem = mount.problem()
    found = signs.check(shift, _Series() if problem else turn, steering, speed)
    warnings = [*found.warnings, *filter(None, [problem, _beyond(steering.values)])]
    if len(sizes) > 1:
        warnings.append(f"expected pictures of one size, got {', '.join(sorted(sizes))}")
    return Inspection(
        duration_s=last_s,
        pictures=len(shift.at),
        sizes=tuple(sorted(sizes)),
        equal_pictures=int(sum(equal.values)),
        labels=len(steering.at),
        histogram=_histogram(steering.values),
        stretches=_stretches(steering, speed, equal, shift, found.lag_s),
        unreadable=unreadable,
        notes=found.notes,
        warnings=tuple(warnings),
    )


def _beyond(steering_rad: list[float]) -> str:
    largest = float(np.abs(steering_rad).max(initial=0.0))
    if largest <= LARGEST_RAD:
        return ""
    return (
        f"expected at most {LARGEST_RAD} rad at the road wheel, got {largest:.3g}: is the unit of "
        "the steering right (--steering-scale)?"
    )


def _histogram(values: list[float]) -> tuple[tuple[float, int], ...]:
    if not values:
        return ()
    top = max(float(np.abs(values).max()), 1e-3)
    counts, edges = np.histogram(values, BINS, (-top, top))
    middles = 0.5 * (edges[1:] + edges[:-1])
    return tuple((float(m), int(c)) for m, c in zip(middles, counts, strict=True))


def _stretches(
    steering: _Series, speed: _Series, equal: _Series, shift: _Series, lag_s: float | None
) -> tuple[Stretch, ...]:
    found: list[Stretch] = []
    pace = np.array(speed.values)
    found += _runs("standstill", speed.at, np.abs(pace) < STAND_MPS, STAND_S)
    found += _runs("reversing", speed.at, pace < REVERSE_MPS, REVERSE_S)
    wheel = np.abs(np.array(steering.values))
    lock = float(wheel.max(initial=0.0))
    if lock >= LEAST_LOCK_RAD:
        found += _runs("full lock", steering.at, wheel >= LOCK_SHARE * lock, LOCK_S)
    found += _runs("equal pictures", equal.at, np.array(equal.values) > 0.0, SAME_S)
    if lag_s is not None:
        at = np.array(shift.at)
        wanted = steering.before(at, lag_s)
        against = np.array(shift.values) * wanted < 0.0
        against &= np.abs(wanted) > 0.3 * lock
        what = "pictures turn against the steering: reversing, or labels that are wrong"
        found += _runs(what, shift.at, against, AGAINST_S)
    return tuple(sorted(found, key=lambda stretch: stretch.begin_s))


def _runs(what: str, at: list[float], flags: NDArray[np.bool_], least_s: float) -> list[Stretch]:
    """Give the runs of true flags that last long enough; a gap of half a second ends one."""
    runs: list[Stretch] = []
    begin: int | None = None
    for i in range(len(at) + 1):
        goes_on = i < len(at) and bool(flags[i])
        if goes_on and begin is not None and at[i] - at[i - 1] > MAX_AGE_S:
            runs.append(Stretch(what, at[begin], at[i - 1]))
            begin = i
        elif goes_on and begin is None:
            begin = i
        elif not goes_on and begin is not None:
            runs.append(Stretch(what, at[begin], at[i - 1]))
            begin = None
    return [run for run in runs if run.end_s - run.begin_s >= least_s]
