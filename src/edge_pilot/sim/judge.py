"""What a good driver would not have done: brake for nothing, stand for nothing.

Both are judged against the car's own controller with perfect sight in the same situation: true
path, true speed, all obstacles as they are. A demand is an acceleration [m/s^2] 20 times a second.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from edge_pilot.sim.simulator import COMMAND_STEPS, STANDING
from edge_pilot.sim.vehicle import DT
from edge_pilot.types import Floats

PERIOD_S = COMMAND_STEPS * DT
HARD_MPS2 = 2.5  # more is not comfort
CALM_MPS2 = 1.0  # less is no reason to brake hard
MEMORY_S = 1.0  # what asked for the brake may have gone only just now
GOING_MPS2 = 0.3  # the way is free when perfect sight would speed up by more
RELEASE_S = 3.0  # from a free way to going on


def false_brakes(demand: Floats, perfect: Floats, speed: Floats) -> int:
    """Count false brakes: one is an episode of harder braking than comfort for nothing.

    In it the moving car demands more than `HARD_MPS2` of braking at some moment when the
    controller with perfect sight asks for less than `CALM_MPS2`, and has for `MEMORY_S`. So
    neither a bend nor a thing asked for it. The episode lasts until the car demands less.
    """
    back = round(MEMORY_S / PERIOD_S)
    padded = np.concatenate([np.full(back, np.inf), perfect])
    reason = np.lib.stride_tricks.sliding_window_view(padded, back + 1).min(axis=1)
    for_nothing = (reason > -CALM_MPS2) & (speed >= STANDING)
    return sum(bool(for_nothing[part].any()) for part in _runs(demand < -HARD_MPS2))


def stuck_s(speed: Floats, perfect: Floats) -> float:
    """Give the time at standstill with a free way, where it lasts longer than `RELEASE_S`.

    The way is free when perfect sight would speed up; to stand behind a car that stands is
    not to be stuck.
    """
    free = (speed < STANDING) & (perfect > GOING_MPS2)
    longest = (part.stop - part.start for part in _runs(free))
    return math.fsum(PERIOD_S * n for n in longest if n * PERIOD_S > RELEASE_S)


def _runs(is_so: NDArray[np.bool_]) -> Iterator[slice]:
    """Give every stretch of true values."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], is_so.astype(int), [0]])))
    for start, stop in edges.reshape(-1, 2).tolist():
        yield slice(start, stop)
