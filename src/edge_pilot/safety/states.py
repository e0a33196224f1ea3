"""Who has the car: a state machine without any input or output."""

from __future__ import annotations

from enum import Enum


class State(Enum):
    """Who has the car."""

    DISENGAGED = "disengaged"  # nobody: it is stopped, then held
    ENGAGED = "engaged"  # the pilot
    STOPPING = "stopping"  # the fallback, until the pilot proposes well again and all is well
    EMERGENCY = "emergency"  # the fallback, until somebody engages anew
    OVERRIDE = "override"  # the driver, until he lets go; then somebody must engage anew


class Event(Enum):
    """What may change that."""

    ENGAGE = "engage"  # asked for while fresh proposals are accepted
    DISENGAGE = "disengage"
    EMERGENCY_STOP = "emergency stop"
    TAKE = "the driver takes over"
    RELEASE = "the driver lets go"
    ACCEPTED = "a proposal was accepted, and the car is well"
    REFUSED = "a proposal was refused"
    SILENCE = "proposals ceased, or rest on too old an image"
    DEGRADED = "the car is not well enough to go on"
    CLOCK_JUMP = "the clock went backwards"


S, E = State, Event
TRANSITIONS = {
    (S.DISENGAGED, E.ENGAGE): S.ENGAGED,
    (S.DISENGAGED, E.EMERGENCY_STOP): S.EMERGENCY,
    (S.DISENGAGED, E.TAKE): S.OVERRIDE,
    (S.ENGAGED, E.DISENGAGE): S.DISENGAGED,
    (S.ENGAGED, E.EMERGENCY_STOP): S.EMERGENCY,
    (S.ENGAGED, E.TAKE): S.OVERRIDE,
    (S.ENGAGED, E.REFUSED): S.STOPPING,
    (S.ENGAGED, E.SILENCE): S.STOPPING,
    (S.ENGAGED, E.DEGRADED): S.STOPPING,
    (S.ENGAGED, E.CLOCK_JUMP): S.DISENGAGED,
    (S.STOPPING, E.DISENGAGE): S.DISENGAGED,
    (S.STOPPING, E.EMERGENCY_STOP): S.EMERGENCY,
    (S.STOPPING, E.TAKE): S.OVERRIDE,
    (S.STOPPING, E.ACCEPTED): S.ENGAGED,
    (S.STOPPING, E.CLOCK_JUMP): S.DISENGAGED,
    (S.EMERGENCY, E.ENGAGE): S.ENGAGED,
    (S.EMERGENCY, E.TAKE): S.OVERRIDE,
    (S.OVERRIDE, E.RELEASE): S.DISENGAGED,
}


def update(state: State, event: Event) -> State:
    """Give the state after an event; what is not in the table changes nothing."""
    return TRANSITIONS.get((state, event), state)
