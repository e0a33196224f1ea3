"""The safety process without ROS: proposals, sensors and wishes in, commands out.

It joins the gate, the fallback and the state machine. It owns no clock: each call says when it
is, by two clocks, since ages of stamps are told by ROS time, which may stand still or jump, and
silence by a steady one.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from edge_pilot.config import Config
from edge_pilot.safety.fallback import HOLDING_MPS2, stop
from edge_pilot.safety.gate import FUTURE_TOLERANCE_NS, Verdict, judge, limit
from edge_pilot.safety.states import Event, State, update
from edge_pilot.safety.track import Track
from edge_pilot.types import NANOSECONDS, Command

SENTENCES = {
    State.DISENGAGED: "Disengaged: the car is held.",
    State.STOPPING: "The car stops along the last good path.",
    State.EMERGENCY: "Emergency stop: the car waits for a new engage.",
    State.OVERRIDE: "The driver has the car.",
}


class Moment(NamedTuple):
    """The present, by both clocks."""

    ros_ns: int
    steady_ns: int


class Output(NamedTuple):
    """What the car is told, and why."""

    command: Command  # stamped with the moment of decision
    state: State
    code: str  # of the gate's verdict, or silence, or the state
    sentence: str
    image_stamp_ns: int  # of the image that the command rests on; 0: of none


class Proposal(NamedTuple):
    """One that was accepted."""

    command: Command
    verdict: Verdict
    steady_ns: int


class Supervisor:
    """Decides what the car is told; begins disengaged. Sensors and paths go to its `track`."""

    def __init__(self, config: Config, now: Moment) -> None:
        self._config = config
        self._state = State.DISENGAGED
        self._previous = Command(now.ros_ns, 0.0, HOLDING_MPS2)
        self._accepted: Proposal | None = None
        self._verdict: Verdict | None = None
        self.track = Track()

    def propose(self, command: Command, now: Moment) -> Output | None:
        """Judge a proposal, and give what the car is told if that cannot wait."""
        self._check_clock(now)
        accepted_ns = self._accepted.command.stamp_ns if self._accepted else None
        limits = self._config.safety
        self._verdict = judge(command, self._previous, now.ros_ns, limits, accepted_ns)
        if self._verdict.command is None:
            was_engaged = self._state is State.ENGAGED
            self._hear(Event.REFUSED)
            return self.decide(now) if was_engaged else None
        self._accepted = Proposal(command, self._verdict, now.steady_ns)
        self.track.accept(command.stamp_ns)
        self._hear(Event.ACCEPTED)
        return self.decide(now) if self._state is State.ENGAGED else None

    def decide(self, now: Moment) -> Output:
        """Give what the car is told now; due at least once each output period."""
        self._check_clock(now)
        if self._silence_s(now) > self._config.safety.proposal_timeout_s:
            self._hear(Event.SILENCE)
        if self._state is State.ENGAGED and self._accepted:
            proposal, verdict, _ = self._accepted
            command = self._limit(proposal, now)
            return Output(command, self._state, verdict.code, verdict.sentence, proposal.stamp_ns)
        command = self._limit(self._replace(now), now)
        code, sentence = self._explain(now)
        return Output(command, self._state, code, sentence, 0)

    def engage(self, now: Moment) -> str:
        """Let the pilot drive; an empty answer is success, else it says why not."""
        self._check_clock(now)
        if self._state is State.OVERRIDE:
            return SENTENCES[State.OVERRIDE]
        if fault := self._find_fault(now):
            return fault[1]
        self._hear(Event.ENGAGE)
        return ""

    def disengage(self) -> None:
        """Take the car from the pilot; an emergency stop goes on."""
        self._hear(Event.DISENGAGE)

    def emergency_stop(self) -> str:
        """Stop as hard as permitted; an empty answer is success, else it says why not."""
        self._hear(Event.EMERGENCY_STOP)
        return "" if self._state is State.EMERGENCY else SENTENCES[self._state]

    def override(self, is_driving: bool) -> None:
        """Let the driver have the car, or hear that he lets go."""
        self._hear(Event.TAKE if is_driving else Event.RELEASE)

    def _hear(self, event: Event) -> None:
        self._state = update(self._state, event)

    def _check_clock(self, now: Moment) -> None:
        if now.ros_ns < self._previous.stamp_ns - FUTURE_TOLERANCE_NS:
            self._hear(Event.CLOCK_JUMP)
            self._previous = replace(self._previous, stamp_ns=now.ros_ns)
            self._accepted = self._verdict = None
            self.track = Track()

    def _limit(self, wanted: Command, now: Moment) -> Command:
        self._previous, _ = limit(wanted, self._previous, now.ros_ns, self._config.safety)
        return self._previous

    def _replace(self, now: Moment) -> Command:
        """Give what is done instead of a proposal."""
        safety, held_rad = self._config.safety, self._previous.steering_rad
        braking_mps2 = {
            State.STOPPING: safety.stop_braking_mps2,
            State.EMERGENCY: safety.emergency_braking_mps2,
        }.get(self._state)
        if braking_mps2 is None:
            return Command(now.ros_ns, held_rad, HOLDING_MPS2)
        known = self.track.here(now.ros_ns)
        if known is None:
            return Command(now.ros_ns, held_rad, -braking_mps2)
        ego, path = known
        vehicle, control = self._config.vehicle, self._config.control
        return stop(path, ego, vehicle, control, held_rad, braking_mps2)

    def _silence_s(self, now: Moment) -> float:
        if self._accepted is None:
            return float("inf")
        return (now.steady_ns - self._accepted.steady_ns) / NANOSECONDS

    def _find_fault(self, now: Moment) -> tuple[str, str] | None:
        """Give the code and the sentence of what is wrong with the proposals, if anything is."""
        if self._verdict is None:
            return "no_proposal", "No proposal has come yet."
        if self._verdict.command is None:
            return self._verdict.code, self._verdict.sentence
        silence_s = self._silence_s(now)
        if silence_s > self._config.safety.proposal_timeout_s:
            return "silence", f"No proposal has come for {silence_s:.2f} s."
        return None

    def _explain(self, now: Moment) -> tuple[str, str]:
        """Give the code and the sentence of a command that is not the pilot's."""
        sentence = SENTENCES[self._state]
        if self._state is State.STOPPING and (fault := self._find_fault(now)):
            return fault[0], f"{fault[1]} {sentence}"
        return self._state.value, sentence
