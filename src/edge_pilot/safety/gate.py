"""Whether a proposed command may reach the car, and within which limits: default deny.

The gate judges and limits commands and never computes one; `fallback` has the stop that
replaces a refused one. It is a fold over what happens, without state of its own: each verdict
holds the `Past` that the next one needs, and time and speed are arguments::

    past = begin(now_ns)
    for proposal, speed_mps, now_ns in sequence:
        verdict = judge(proposal, past, speed_mps, now_ns, config)
        past = verdict.past

Steering is limited by the lateral acceleration v^2 tan(angle) / wheelbase that it would give at
the present speed, so that the permitted angle falls with the speed; and by how much that
acceleration changes within any half second, which is how ISO 11270 and UN R79 average the jerk.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from edge_pilot.config import Config, SafetyConfig
from edge_pilot.types import NANOSECONDS, Command

# Stamps and the present come from clocks that are synchronised, or from a /clock that arrives in
# steps of 10 ms and a little late: less than this ahead is no fault.
FUTURE_TOLERANCE_NS = 20_000_000
JERK_WINDOW_S = 0.5  # UN R79 5.6.2.1.3, ISO 11270 6.3: the lateral jerk is averaged over this
FASTEST_MPS = 150.0  # a speed beyond is no car's; the ego filter refuses it too
ABSURD_RAD, ABSURD_MPS2 = 1.5, 30.0  # a wish beyond is no wish but a fault
TRANSITION_STEERING = 0.5  # of the steering's rate, after the pilot was given the car
HOLDING_MPS2 = -1.0  # holds a passenger car on a slope of 10 %
LAST_NS = 2**63 - 1  # what a stamp can hold
MOST_TOLD = 1000  # of half a second: nobody is told more often than 2000 times a second
ROUNDING = 1e-9  # rad, of the way from an acceleration to an angle and back

# Every code with what is done and its sentence, the strongest first: what is refused has no
# command, what is limited has one that keeps to the limit.
REFUSALS = {
    "no_clock": "The clock or the proposal's stamp is not a moment.",
    "not_finite": "The proposal holds a number that is not finite.",
    "absurd": "The proposal asks for what no car can do.",
    "from_future": "The proposal's image is {age_ms:.0f} ms ahead of the clock.",
    "too_old": "The proposal's image is {age_ms:.0f} ms old; {max_age_ms:.0f} ms are permitted.",
    "not_newer": "The proposal's image is not newer than that of the last accepted proposal.",
    "no_motion": "The car's speed is not known.",
    "unreachable": "The steering cannot be brought within its limits in time.",
}
LIMITS = {
    "steering_angle": "The steering is limited to {max_steering_rad:.2f} rad.",
    "lateral_acceleration": (
        "The steering is limited to a lateral acceleration of "
        "{max_lateral_acceleration_mps2:.1f} m/s^2."
    ),
    "lateral_jerk": (
        "The steering is limited to a lateral jerk of {max_lateral_jerk_mps3:.1f} m/s^3."
    ),
    "steering_rate": "The steering is limited to {max_steering_rate_radps:.2f} rad/s.",
    "acceleration": (
        "The acceleration is limited to -{max_braking_mps2:.1f} to "
        "{max_acceleration_mps2:.1f} m/s^2."
    ),
    "transition": "The command is limited for {transition_s:.1f} s after the pilot got the car.",
}
WITHIN_LIMITS = "within_limits"
SENTENCES = {**REFUSALS, **LIMITS, WITHIN_LIMITS: "The proposal is within all limits."}


@dataclass(frozen=True, slots=True)
class Past:
    """What the car was told, as far as it still counts."""

    command: Command  # the newest, stamped with its moment
    lateral: tuple[tuple[int, float], ...] = ()  # of half a second: moment, m/s^2 then
    accepted_ns: int | None = None  # the stamp of the last accepted proposal's image
    settled_ns: int | None = None  # until this moment the limits of a transition hold


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the gate says about a proposal."""

    code: str  # a key of SENTENCES
    sentence: str
    command: Command | None  # stamped with the moment of judgement; None: refused
    past: Past  # for the next verdict


def begin(now_ns: int) -> Past:
    """Give the past of a car that is held, with its wheels straight."""
    return Past(Command(now_ns, 0.0, HOLDING_MPS2))


def hand_over(past: Past, now_ns: int, limits: SafetyConfig) -> Past:
    """Hear that the pilot gets the car: the limits of a transition begin."""
    return replace(past, settled_ns=now_ns + int(limits.transition_s * NANOSECONDS))


def judge(proposal: Command, past: Past, speed_mps: float, now_ns: int, config: Config) -> Verdict:
    """Refuse a proposal, or give what the car may do of it.

    Args:
        proposal: stamped with its image's stamp.
        past: what the car was told before; `begin`, then that of each verdict.
        speed_mps: of the car, measured by whoever judges.
        now_ns: the present, by the clock of the stamps.
        config: what is permitted, and the wheelbase.
    """
    limits = config.safety
    code = _refuse(proposal, past, speed_mps, now_ns, limits)
    if code is not None:
        return Verdict(code, _say(code, limits, now_ns, proposal.stamp_ns), None, past)
    steering, code = _limit_steering(proposal.steering_rad, past, speed_mps, now_ns, config)
    if steering is None:
        return Verdict(code, _say(code, limits), None, past)
    acceleration, second = _limit_acceleration(proposal.acceleration_mps2, past, now_ns, limits)
    code = second if code == WITHIN_LIMITS else code
    told = _tell(Command(now_ns, steering, acceleration), past, speed_mps, config)
    told = replace(told, accepted_ns=proposal.stamp_ns)
    return Verdict(code, _say(code, limits), told.command, told)


def limit(wanted: Command, past: Past, speed_mps: float, now_ns: int, config: Config) -> Past:
    """Give the past after a command that is not the pilot's: it is limited, never refused.

    What is not finite counts as held steering and full braking. Without a speed the steering is
    held; where the limits contradict one another, its rate is the one that is kept.
    """
    held, limits = past.command, config.safety
    now_ns = now_ns if _is_moment(now_ns) else held.stamp_ns
    steering, braking = held.steering_rad, -limits.max_braking_mps2
    if _is_finite(wanted.steering_rad) and _is_speed(speed_mps):
        for low, high in _bounds(past, speed_mps, now_ns, config).values():
            steering = _clamp(wanted.steering_rad, low, high)
            wanted = replace(wanted, steering_rad=steering)
    if _is_finite(wanted.acceleration_mps2):
        braking = wanted.acceleration_mps2
    acceleration, _ = _limit_acceleration(braking, past, now_ns, limits)
    return _tell(Command(now_ns, steering, acceleration), past, speed_mps, config)


def _refuse(
    proposal: Command, past: Past, speed_mps: float, now_ns: int, limits: SafetyConfig
) -> str | None:
    steering, acceleration = proposal.steering_rad, proposal.acceleration_mps2
    if not (_is_moment(now_ns) and _is_moment(proposal.stamp_ns)):
        return "no_clock"
    if not _is_finite(steering, acceleration):
        return "not_finite"
    age_ns = now_ns - proposal.stamp_ns
    is_newer = past.accepted_ns is None or proposal.stamp_ns > past.accepted_ns
    refused = {
        "absurd": abs(steering) > ABSURD_RAD or abs(acceleration) > ABSURD_MPS2,
        "from_future": age_ns < -FUTURE_TOLERANCE_NS,
        "too_old": age_ns > limits.max_image_age_s * NANOSECONDS,
        "not_newer": not is_newer,
        "no_motion": not _is_speed(speed_mps),
    }
    return next((code for code, is_so in refused.items() if is_so), None)


def _limit_steering(
    wanted: float, past: Past, speed_mps: float, now_ns: int, config: Config
) -> tuple[float | None, str]:
    """Clamp an angle [rad] and name the first limit that it met; None: no angle keeps them all."""
    steering, code = wanted, WITHIN_LIMITS
    bounds = _bounds(past, speed_mps, now_ns, config)
    for name, (low, high) in bounds.items():
        inside = _clamp(steering, low, high)
        code = name if inside != steering and code == WITHIN_LIMITS else code
        steering = inside
    if all(low - ROUNDING <= steering <= high + ROUNDING for low, high in bounds.values()):
        return steering, code
    return None, "unreachable"


def _bounds(
    past: Past, speed_mps: float, now_ns: int, config: Config
) -> dict[str, tuple[float, float]]:
    """Give from where to where the steering [rad] may be, by each limit."""
    limits, wheelbase = config.safety, config.vehicle.wheelbase_m
    speed_sq = speed_mps**2
    held = past.command.steering_rad
    cap, step = limits.max_lateral_acceleration_mps2, limits.max_lateral_jerk_mps3 * JERK_WINDOW_S
    window_ns = JERK_WINDOW_S * NANOSECONDS
    told = [lateral for stamp_ns, lateral in past.lateral if abs(now_ns - stamp_ns) <= window_ns]
    told.append(speed_sq * math.tan(held) / wheelbase)

    def angle(lateral_mps2: float) -> float:
        return math.atan2(lateral_mps2 * wheelbase, speed_sq)

    reach = limits.max_steering_rate_radps * _elapsed_s(past, now_ns, limits)
    slow = TRANSITION_STEERING * reach
    bounds = {
        "steering_angle": (-limits.max_steering_rad, limits.max_steering_rad),
        "lateral_acceleration": (-angle(cap), angle(cap)),
        # Held steering is no jerk: what a change of speed does to it cannot be steered away.
        "lateral_jerk": (min(held, angle(max(told) - step)), max(held, angle(min(told) + step))),
        "steering_rate": (held - reach, held + reach),
    }  # fmt: skip
    return bounds | ({"transition": (held - slow, held + slow)} if _settles(past, now_ns) else {})


def _limit_acceleration(
    wanted: float, past: Past, now_ns: int, limits: SafetyConfig
) -> tuple[float, str]:
    """Clamp an acceleration [m/s^2]; to brake harder is permitted at once, in a transition too."""
    inside = _clamp(wanted, -limits.max_braking_mps2, limits.max_acceleration_mps2)
    code = WITHIN_LIMITS if inside == wanted else "acceleration"
    if _settles(past, now_ns):
        rise = limits.transition_jerk_mps3 * _elapsed_s(past, now_ns, limits)
        gentle = min(inside, past.command.acceleration_mps2 + rise)
        code = code if gentle == inside else "transition"
        inside = max(gentle, -limits.max_braking_mps2)
    return inside, code


def _tell(command: Command, past: Past, speed_mps: float, config: Config) -> Past:
    """Give the past after the car was told this."""
    window_ns = JERK_WINDOW_S * NANOSECONDS
    kept = tuple(one for one in past.lateral if abs(command.stamp_ns - one[0]) <= window_ns)
    if _is_speed(speed_mps):
        lateral = speed_mps**2 * math.tan(command.steering_rad) / config.vehicle.wheelbase_m
        kept = (*kept[1 - MOST_TOLD :], (command.stamp_ns, lateral))
    return replace(past, command=command, lateral=kept)


def _elapsed_s(past: Past, now_ns: int, limits: SafetyConfig) -> float:
    """Give the time since the last command, at most two periods of output.

    So a process that hung does not wake up with a jerk of the steering.
    """
    elapsed_s = (now_ns - past.command.stamp_ns) / NANOSECONDS
    return _clamp(elapsed_s, 0.0, 2.0 * limits.output_period_s)


def _settles(past: Past, now_ns: int) -> bool:
    return past.settled_ns is not None and now_ns < past.settled_ns


def _is_speed(speed_mps: float) -> bool:
    return abs(speed_mps) <= FASTEST_MPS  # false for NaN too


def _is_moment(stamp_ns: int) -> bool:
    return -LAST_NS <= stamp_ns <= LAST_NS  # false for NaN too


def _is_finite(*values: float) -> bool:
    return all(-math.inf < value < math.inf for value in values)  # false for NaN too


def _say(code: str, limits: SafetyConfig, now_ns: int = 0, stamp_ns: int = 0) -> str:
    age_ms = abs(now_ns - stamp_ns) / 1e6
    return SENTENCES[code].format(
        age_ms=age_ms, max_age_ms=limits.max_image_age_s * 1e3, **vars(limits)
    )


def _clamp(value: float, low: float, high: float) -> float:
    return min(max(value, low), high)
