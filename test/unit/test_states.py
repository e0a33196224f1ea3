from itertools import product

import pytest

from edge_pilot.safety.states import Event, State, update

S, E = State, Event
MOVES = {
    S.DISENGAGED: {E.ENGAGE: S.ENGAGED, E.EMERGENCY_STOP: S.EMERGENCY, E.TAKE: S.OVERRIDE},
    S.ENGAGED: {
        E.DISENGAGE: S.DISENGAGED,
        E.EMERGENCY_STOP: S.EMERGENCY,
        E.TAKE: S.OVERRIDE,
        E.REFUSED: S.STOPPING,
        E.SILENCE: S.STOPPING,
        E.DEGRADED: S.STOPPING,
        E.CLOCK_JUMP: S.DISENGAGED,
    },
    S.STOPPING: {
        E.DISENGAGE: S.DISENGAGED,
        E.EMERGENCY_STOP: S.EMERGENCY,
        E.TAKE: S.OVERRIDE,
        E.ACCEPTED: S.ENGAGED,
        E.CLOCK_JUMP: S.DISENGAGED,
    },
    S.EMERGENCY: {E.ENGAGE: S.ENGAGED, E.TAKE: S.OVERRIDE},
    S.OVERRIDE: {E.RELEASE: S.DISENGAGED},
}


@pytest.mark.parametrize(("state", "event"), list(product(State, Event)))
def test_each_event_does_in_each_state_what_it_should(state, event):
    assert update(state, event) is MOVES[state].get(event, state)


@pytest.mark.parametrize("state", list(State))
def test_the_driver_wins_in_every_state(state):
    assert update(state, Event.TAKE) is State.OVERRIDE


@pytest.mark.parametrize("event", [e for e in Event if e not in (E.ENGAGE, E.ACCEPTED)])
@pytest.mark.parametrize("state", [s for s in State if s is not S.ENGAGED])
def test_nothing_but_an_engage_or_a_resumed_stop_lets_the_pilot_drive(state, event):
    assert update(state, event) is not State.ENGAGED
