"""What is wrong with the stamps of a topic: gaps, repeats, steps back, jumps."""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from edge_pilot.types import NANOSECONDS

GAP_PERIODS = 3.0  # of the usual interval: fewer are jitter
LEAST_GAP_NS = NANOSECONDS // 10
JUMP_NS = 10 * NANOSECONDS  # either way: another drive, or a clock that was set


class StampFaults(NamedTuple):
    """Counts over one topic, in the order in which its messages were recorded."""

    messages: int
    rate_hz: float  # by the median interval; 0 where there is none
    gaps: int
    longest_gap_s: float
    reordered: int
    repeated: int
    jumps: int

    @property
    def total(self) -> int:
        """How many faults there are."""
        return self.gaps + self.reordered + self.repeated + self.jumps


class StampObserver:
    """Told of each message of a recording."""

    def __init__(self) -> None:
        self._stamps: dict[str, array[int]] = {}

    def add(self, topic: str, stamp_ns: int) -> None:
        """Take one message."""
        self._stamps.setdefault(topic, array("q")).append(stamp_ns)

    def faults(self) -> Mapping[str, StampFaults]:
        """Judge each topic, by name."""
        return {name: judge(stamps) for name, stamps in sorted(self._stamps.items())}


def judge(stamps_ns: array[int]) -> StampFaults:
    """Judge the stamps of one topic."""
    steps = np.diff(np.asarray(stamps_ns, np.int64))
    forward = steps[steps > 0]
    usual = float(np.median(forward)) if len(forward) else 0.0
    jumps = np.abs(steps) > JUMP_NS
    gaps = (steps > round(max(GAP_PERIODS * usual, LEAST_GAP_NS))) & ~jumps
    return StampFaults(
        messages=len(stamps_ns),
        rate_hz=NANOSECONDS / usual if usual else 0.0,
        gaps=int(gaps.sum()),
        longest_gap_s=float(steps[gaps].max(initial=0)) / NANOSECONDS,
        reordered=int(((steps < 0) & ~jumps).sum()),
        repeated=int((steps == 0).sum()),
        jumps=int(jumps.sum()),
    )
