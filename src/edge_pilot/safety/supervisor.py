"""The safety process without ROS: proposals, sensors and wishes in, commands out.

It joins the gate, the fallback, the states, the degradation and the emergency braking. It owns no
clock: each call says when it is, by two clocks, since ages of stamps are told by ROS time, which
may stand still or jump, and silence by a steady one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

from edge_pilot.config import Config
from edge_pilot.control.lateral import curvature_of
from edge_pilot.safety import degrade, gate
from edge_pilot.safety.aeb import FORGET_S, Braking
from edge_pilot.safety.degrade import Health, Level
from edge_pilot.safety.fallback import STANDING_MPS, stop
from edge_pilot.safety.gate import FUTURE_TOLERANCE_NS, HOLDING_MPS2, Verdict, judge
from edge_pilot.safety.states import Event, State, update
from edge_pilot.safety.symptoms import Symptoms
from edge_pilot.safety.track import Track
from edge_pilot.types import NANOSECONDS, Command, EgoState, Imu, Path

SENTENCES = {
    State.DISENGAGED: "Disengaged: the car is held.",
    State.STOPPING: "The car stops along the last good path.",
    State.EMERGENCY: "Emergency stop: the car waits for a new engage.",
    State.OVERRIDE: "The driver has the car.",
}
AEB_CODES = {Braking.PARTIAL: "aeb_partial", Braking.FULL: "aeb_full"}
AEB_SENTENCE = "The car brakes for something ahead, whatever the pilot proposes."
CAPPED_SENTENCE = "The speed is capped."
STALE_S = 0.5  # a motion that is older is not known
CAP_GAIN_1PS, CAP_BRAKING_MPS2 = 0.8, 2.0  # towards the capped speed


class Moment(NamedTuple):
    """The present, by both clocks."""

    ros_ns: int
    steady_ns: int


class Output(NamedTuple):
    """What the car is told, and why."""

    command: Command  # stamped with the moment of decision
    state: State
    level: Level
    code: str  # of the gate's verdict, the symptom, silence, or the state
    sentence: str
    image_stamp_ns: int  # of the image that the command rests on; 0: of none


class Proposal(NamedTuple):
    """One that was accepted."""

    command: Command
    verdict: Verdict
    steady_ns: int


class Supervisor:
    """Decides what the car is told; begins disengaged."""

    def __init__(self, config: Config, now: Moment) -> None:
        self._config = config
        self._state = State.DISENGAGED
        self._past = gate.begin(now.ros_ns)
        self._accepted: Proposal | None = None
        self.verdict: Verdict | None = None  # the newest
        self._braking: tuple[Braking, int] = Braking.NONE, 0
        self._symptoms = Symptoms(config.safety)
        self.health = Health()
        self.track = Track()

    @property
    def steering_rad(self) -> float:
        """What the wheels were told."""
        return self._past.command.steering_rad

    def add_imu(self, imu: Imu, now: Moment) -> None:
        """Take an inertial sample in `base_link` axes."""
        motion = self.track.motion()
        curvature = curvature_of(self.steering_rad, self._config.vehicle)
        told_radps = curvature * motion.speed_mps if motion else 0.0
        self._symptoms.add_imu(imu, told_radps, now.steady_ns)
        self.track.told_1pm = curvature
        self.track.add_imu(imu)

    def add_speed(
        self, stamp_ns: int, speed_mps: float, std_mps: float, now: Moment,
        yaw_rate_radps: float | None = None,
    ) -> None:  # fmt: skip
        """Take what the wheels measured."""
        self._symptoms.add_wheels(yaw_rate_radps, now.steady_ns)
        self.track.add_speed(stamp_ns, speed_mps, std_mps, yaw_rate_radps)

    def add_scan(self, now: Moment) -> None:
        """Hear that a LiDAR is at work."""
        self._symptoms.add_scan(now.steady_ns)

    def add_picture(self, values: Mapping[str, float], now: Moment) -> None:
        """Take what the pilot says about a picture: scalars by name, see `perception.health`."""
        self._symptoms.add_picture(values, now.steady_ns)

    def brake(self, braking: Braking, now: Moment) -> None:
        """Take what the emergency braking has found; a stronger one stays for a while."""
        is_fresh = now.steady_ns - self._braking[1] <= FORGET_S * NANOSECONDS
        if braking and (braking >= self._braking[0] or not is_fresh):
            self._braking = braking, now.steady_ns

    def propose(self, command: Command, now: Moment) -> Output | None:
        """Judge a proposal, and give what the car is told if that cannot wait."""
        self._check_clock(now)
        age_s = (now.ros_ns - command.stamp_ns) / NANOSECONDS
        self._symptoms.add_proposal(age_s, now.steady_ns)
        verdict = judge(command, self._past, self._speed(now), now.ros_ns, self._config)
        self.verdict = verdict
        was_engaged = self._state is State.ENGAGED
        if verdict.command is None:
            self._hear(Event.REFUSED)
            return self.decide(now) if was_engaged else None
        self._past = replace(self._past, accepted_ns=command.stamp_ns)
        self._accepted = Proposal(command, verdict, now.steady_ns)
        self.track.accept(command.stamp_ns)
        self._observe(now)
        if self.health.level < Level.STOP:
            self._give_car(Event.ACCEPTED, now)
        return self.decide(now) if was_engaged or self._state is State.ENGAGED else None

    def decide(self, now: Moment) -> Output:
        """Give what the car is told now; due at least once each output period."""
        self._check_clock(now)
        self._observe(now)
        if self._find_silence(now):
            self._hear(Event.SILENCE)
        if self.health.level >= Level.STOP:
            self._hear(Event.DEGRADED)
        if self.health.level is Level.EMERGENCY and self._state is State.STOPPING:
            self._hear(Event.EMERGENCY_STOP)
        if self._state is State.ENGAGED and self._accepted:
            return self._drive(self._accepted, now)
        code, sentence = self._explain(now)
        return self._tell(self._replace(now), code, sentence, 0, now)

    def engage(self, now: Moment) -> str:
        """Let the pilot drive; an empty answer is success, else it says why not."""
        self._check_clock(now)
        if self._state is State.OVERRIDE:
            return SENTENCES[State.OVERRIDE]
        if self._state is not State.ENGAGED:
            self.health = degrade.reset(self.health)
        self._observe(now)
        if fault := self._find_fault(now):
            return fault[1]
        self._give_car(Event.ENGAGE, now)
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
        if self._state is not State.ENGAGED:  # a stop may do at once what must be done
            self._past = replace(self._past, settled_ns=None)

    def _give_car(self, event: Event, now: Moment) -> None:
        """Hear something that may give the car to the pilot."""
        was_engaged = self._state is State.ENGAGED
        self._hear(event)
        if self._state is State.ENGAGED and not was_engaged:
            self._past = gate.hand_over(self._past, now.ros_ns, self._config.safety)

    def _observe(self, now: Moment) -> None:
        names = self._symptoms.present(now.steady_ns, self.track.is_contradicted())
        if self._state is State.STOPPING and not self._knows_a_way(now):
            names |= {"no_way"}
        recover_s = self._config.safety.recover_after_s
        self.health = degrade.observe(self.health, names, now.steady_ns, recover_s)

    def _check_clock(self, now: Moment) -> None:
        if now.ros_ns < self._past.command.stamp_ns - FUTURE_TOLERANCE_NS:
            self._hear(Event.CLOCK_JUMP)
            held = replace(self._past.command, stamp_ns=now.ros_ns)
            self._past = gate.Past(held)
            self._accepted = self.verdict = None
            self.track.jump(now.ros_ns)

    def _drive(self, proposal: Proposal, now: Moment) -> Output:
        command, verdict = proposal.command, proposal.verdict
        code, sentence = verdict.code, verdict.sentence
        if self.health.level is Level.CAPPED:
            most = CAP_GAIN_1PS * (self._config.safety.capped_speed_mps - self._speed(now))
            capped = min(command.acceleration_mps2, max(most, -CAP_BRAKING_MPS2))
            command = replace(command, acceleration_mps2=capped)
            code = self.health.reason
            sentence = f"{self.health.sentence} {CAPPED_SENTENCE}"
        return self._tell(command, code, sentence, command.stamp_ns, now)

    def _tell(
        self, wanted: Command, code: str, sentence: str, image_stamp_ns: int, now: Moment
    ) -> Output:
        """Keep what is told within the limits, and give way to the emergency braking."""
        braking, seen_ns = self._braking
        is_seen = now.steady_ns - seen_ns <= FORGET_S * NANOSECONDS
        if braking and is_seen and self._state is not State.OVERRIDE:
            least = {
                Braking.PARTIAL: self._config.safety.aeb_partial_braking_mps2,
                Braking.FULL: self._config.safety.max_braking_mps2,
            }[braking]
            if -least < wanted.acceleration_mps2:
                wanted = replace(wanted, acceleration_mps2=-least)
                code, sentence = AEB_CODES[braking], AEB_SENTENCE
        past = gate.limit(wanted, self._past, self._speed(now), now.ros_ns, self._config)
        self._past = past
        level = self.health.level
        return Output(past.command, self._state, level, code, sentence, image_stamp_ns)

    def _replace(self, now: Moment) -> Command:
        """Give what is done instead of a proposal."""
        safety, held_rad = self._config.safety, self.steering_rad
        if self._state is State.OVERRIDE:
            return Command(now.ros_ns, held_rad, HOLDING_MPS2)
        braking_mps2 = safety.stop_braking_mps2
        if self._state is State.EMERGENCY:
            braking_mps2 = safety.emergency_braking_mps2
        known = self._here(now)
        if known is None:
            is_moving = self._state in (State.STOPPING, State.EMERGENCY)
            return Command(now.ros_ns, held_rad, -braking_mps2 if is_moving else HOLDING_MPS2)
        ego, path = known
        vehicle, control = self._config.vehicle, self._config.control
        command = stop(path, ego, vehicle, control, held_rad, braking_mps2)
        if self._is_sight_believed(now) and self._accepted and ego.speed_mps >= STANDING_MPS:
            command = replace(command, steering_rad=self._accepted.command.steering_rad)
        return command

    def _here(self, now: Moment) -> tuple[EgoState, Path | None] | None:
        return self.track.here(now.ros_ns, self._doubted_ns(now))

    def _doubted_ns(self, now: Moment) -> int | None:
        """Give since when, in ROS time, pictures are in doubt; None: they are believed."""
        since_ns = self.health.doubted_since_ns
        return None if since_ns is None else now.ros_ns - (now.steady_ns - since_ns)

    def _is_sight_believed(self, now: Moment) -> bool:
        """Tell whether the pilot's steering may lead a stop."""
        is_well = self.verdict is not None and self.verdict.command is not None
        return is_well and not self._find_silence(now) and self.health.doubted_since_ns is None

    def _knows_a_way(self, now: Moment) -> bool:
        known = self._here(now)
        return self._is_sight_believed(now) or (known is not None and known[1] is not None)

    def _speed(self, now: Moment) -> float:
        """Give the speed [m/s], NaN where it is not known."""
        motion = self.track.motion()
        if motion is None or now.ros_ns - motion.stamp_ns > STALE_S * NANOSECONDS:
            return math.nan
        return motion.speed_mps

    def _find_silence(self, now: Moment) -> tuple[str, str] | None:
        """Say what is wrong with the age of what the car is told, if anything is."""
        if self._accepted is None:
            return "no_proposal", "No proposal has come yet."
        limits = self._config.safety
        silence_s = (now.steady_ns - self._accepted.steady_ns) / NANOSECONDS
        if silence_s > limits.proposal_timeout_s:
            return "silence", f"No proposal has come for {silence_s:.2f} s."
        age_ns = now.ros_ns - self._accepted.command.stamp_ns
        if age_ns > limits.max_image_age_s * NANOSECONDS:
            return "silence", f"The newest proposal's image is {age_ns / 1e6:.0f} ms old."
        return None

    def _find_fault(self, now: Moment) -> tuple[str, str] | None:
        """Give the code and the sentence of what keeps the pilot from driving; None: nothing."""
        if self.verdict is not None and self.verdict.command is None:
            return self.verdict.code, self.verdict.sentence
        if silence := self._find_silence(now):
            return silence
        if self.health.level >= Level.STOP:
            return self.health.reason, self.health.sentence
        return None

    def _explain(self, now: Moment) -> tuple[str, str]:
        """Give the code and the sentence of a command that is not the pilot's."""
        sentence = SENTENCES[self._state]
        if self._state is State.EMERGENCY and self.health.level is Level.EMERGENCY:
            return self.health.reason, f"{self.health.sentence} {sentence}"
        if self._state is State.STOPPING and (fault := self._find_fault(now)):
            return fault[0], f"{fault[1]} {sentence}"
        return self._state.value, sentence
