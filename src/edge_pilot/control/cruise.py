"""Stop and go: when the car is held, and when it is let go again; and who is believed to come.

The rule: the car stands and somebody who does not move away is nearer than the standstill gap and
HYSTERESIS_M, then it is held. It is let go when nobody has been there for `release_after_s`. A
thing that is gone leaves the tracker, so that nothing holds the car for ever.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from edge_pilot.config import ControlConfig
from edge_pilot.control.leads import Lead
from edge_pilot.control.longitudinal import respond
from edge_pilot.types import NANOSECONDS, UNKNOWN

STANDING_MPS = 0.3  # an estimated speed below is none
LEAVING_MPS = 0.5  # a lead this fast moves away
HYSTERESIS_M = 1.0
BELIEVED_S = 0.1  # three pictures: a track that was mixed up says so once or twice
HOLDING_MPS2 = -1.0  # holds a passenger car on a slope of 10 %


@dataclass(frozen=True, slots=True)
class Action:
    """An acceleration, and in one sentence why."""

    acceleration_mps2: float
    reason: str


class Cruise:
    """Knows whether the car is held, and since when somebody comes; time comes with each call."""

    def __init__(self, control: ControlConfig) -> None:
        self._control = control
        self._blocked_ns: int | None = None  # the newest moment with somebody there; None: free
        self._entering_ns: int | None = None  # since then somebody comes into the way

    def believe(self, stamp_ns: int, leads: Sequence[Lead]) -> tuple[Lead, ...]:
        """Give the leads, those who come into the way uncertain until they do for BELIEVED_S."""
        if not any(lead.is_entering for lead in leads):
            self._entering_ns = None
            return tuple(leads)
        if self._entering_ns is None or self._entering_ns > stamp_ns:
            self._entering_ns = stamp_ns
        if stamp_ns - self._entering_ns >= BELIEVED_S * NANOSECONDS:
            return tuple(leads)
        return tuple(
            replace(lead, is_certain=False) if lead.is_entering else lead for lead in leads
        )

    def update(
        self, stamp_ns: int, speed_mps: float, leads: Sequence[Lead], wanted_mps2: float
    ) -> Action:
        """Give what to do, where `wanted_mps2` is what is wanted of a car that rolls."""
        blocking = [lead for lead in leads if self._blocks(lead)]
        is_held = self._blocked_ns is not None and speed_mps < STANDING_MPS
        if blocking and speed_mps < STANDING_MPS:
            self._blocked_ns = stamp_ns
            hold = min(wanted_mps2, HOLDING_MPS2)
            return Action(hold, f"Stands: {_say(blocking[0])}.")
        if is_held and self._is_waiting(stamp_ns):
            return Action(min(wanted_mps2, HOLDING_MPS2), "Stands: the way has just become free.")
        self._blocked_ns = None
        decisive = min(leads, key=lambda one: respond(one, speed_mps, self._control), default=None)
        return Action(wanted_mps2, _reason(decisive, wanted_mps2))

    def _blocks(self, lead: Lead) -> bool:
        reach = self._control.standstill_gap_m + HYSTERESIS_M
        return lead.distance_m < reach and lead.speed_mps < LEAVING_MPS

    def _is_waiting(self, stamp_ns: int) -> bool:
        """Tell whether the way is not free for long enough; a clock that was set back ends it."""
        free_s = (stamp_ns - (self._blocked_ns or 0)) / NANOSECONDS
        return 0.0 <= free_s < self._control.release_after_s


def _reason(decisive: Lead | None, wanted_mps2: float) -> str:
    if decisive is None:
        return "Drives: the way is free."
    verb = "Brakes" if wanted_mps2 < -1.0 else "Follows"
    return f"{verb}: {_say(decisive)}."


def _say(lead: Lead) -> str:
    where = "comes into the way" if lead.is_entering else "ahead"
    thing = "something" if lead.kind == UNKNOWN else f"a {lead.kind}"
    return f"{thing} {lead.distance_m:.1f} m {where}, {lead.speed_mps:.1f} m/s"
