"""What a node says about its own work: frames, rates and latencies. No ROS and no clock."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import numpy as np

from edge_pilot.types import NANOSECONDS

WINDOW_NS = 5 * NANOSECONDS
LATE_NS = NANOSECONDS // 2  # what is older by more is no late frame, but a clock that was set back


class Arrivals:
    """Counts the messages of one topic by the sequence numbers of its publisher."""

    def __init__(self) -> None:
        self.received = 0
        self.lost = 0  # never came
        self.superseded = 0  # came, but a newer one was there too
        self._last: int | None = None

    def add(self, sequence: int | None) -> None:
        """Count a message; a number that does not rise is that of another publisher."""
        if sequence is not None and self._last is not None:
            self.lost += max(0, sequence - self._last - 1)
        self.received += 1
        self._last = sequence


class Latencies:
    """Latencies of the last seconds, and how many of all were beyond the deadline."""

    def __init__(self, deadline_ms: float) -> None:
        self.misses = 0  # since the start
        self._deadline_ms = deadline_ms
        self._values: deque[tuple[int, float]] = deque()

    def add(self, now_ns: int, latency_ms: float) -> None:
        """Take one value, and forget what is older than the window."""
        self.misses += latency_ms > self._deadline_ms
        self._values.append((now_ns, latency_ms))
        self._forget(now_ns)

    def problem(self, now_ns: int) -> str:
        """Say how often the deadline was missed of late, or give an empty text."""
        self._forget(now_ns)
        late = sum(value > self._deadline_ms for _, value in self._values)
        if not late:
            return ""
        return (
            f"expected each command within {self._deadline_ms:g} ms of its picture, got {late} of "
            f"the last {len(self._values)} later, {self.misses} since the start"
        )

    def summary(self, now_ns: int) -> dict[str, float]:
        """Give rate and percentiles; without values no percentiles."""
        self._forget(now_ns)
        rate = {
            "rate_hz": len(self._values) * NANOSECONDS / WINDOW_NS,
            "deadline_misses": self.misses,
        }
        if not self._values:
            return rate
        p50, p99 = np.percentile([value for _, value in self._values], (50, 99))
        return {**rate, "latency_p50_ms": float(p50), "latency_p99_ms": float(p99)}

    def _forget(self, now_ns: int) -> None:
        while self._values and self._values[0][0] <= now_ns - WINDOW_NS:
            self._values.popleft()


class Stopwatch:
    """Measures stages, one after the other; begins at once."""

    def __init__(self, clock_ns: Callable[[], int]) -> None:
        self.laps_ms: dict[str, float] = {}
        self._clock_ns = clock_ns
        self._last_ns = clock_ns()

    def lap(self, stage: str) -> None:
        """End a stage."""
        now_ns = self._clock_ns()
        self.laps_ms[stage] = (now_ns - self._last_ns) / 1e6
        self._last_ns = now_ns


def is_late(stamp_ns: int, newest_ns: int) -> bool:
    """Tell whether a frame was overtaken, or comes by a second topic too."""
    return 0 <= newest_ns - stamp_ns <= LATE_NS
