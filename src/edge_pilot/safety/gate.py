"""Whether a proposed command may reach the car, and within which limits: default deny.

The gate judges and limits commands and never computes one; `fallback` has the stop that
replaces a refused one. Time is an argument.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from edge_pilot.config import SafetyConfig
from edge_pilot.types import NANOSECONDS, Command

# Stamps and the present come from clocks that are synchronised, or from a /clock that arrives in
# steps of 10 ms and a little late: less than this ahead is no fault.
FUTURE_TOLERANCE_NS = 20_000_000

# Every code, the strongest first, with its sentence. What is refused has no command.
REFUSALS = {
    "not_finite": "The proposal holds a number that is not finite.",
    "from_future": "The proposal's image is {age_ms:.0f} ms ahead of the clock.",
    "too_old": "The proposal's image is {age_ms:.0f} ms old; {max_age_ms:.0f} ms are permitted.",
    "not_newer": "The proposal's image is not newer than that of the last accepted proposal.",
}
LIMITS = {
    "steering_angle": "The steering is limited to {max_steering_rad:.2f} rad.",
    "steering_rate": "The steering is limited to {max_steering_rate_radps:.2f} rad/s.",
    "acceleration": (
        "The acceleration is limited to -{max_braking_mps2:.1f} to "
        "{max_acceleration_mps2:.1f} m/s^2."
    ),
}
WITHIN_LIMITS = "within_limits"
SENTENCES = {**REFUSALS, **LIMITS, WITHIN_LIMITS: "The proposal is within all limits."}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the gate says about a proposal."""

    code: str  # a key of SENTENCES
    sentence: str
    command: Command | None  # stamped with the moment of judgement; None: refused


def judge(
    proposal: Command,
    previous: Command,
    now_ns: int,
    limits: SafetyConfig,
    accepted_ns: int | None = None,
) -> Verdict:
    """Refuse a proposal, or give what the car may do of it.

    Args:
        proposal: stamped with its image's stamp.
        previous: what the car was last told, stamped with that moment.
        now_ns: the present, by the clock of the stamps.
        limits: what is permitted.
        accepted_ns: the stamp of the last accepted proposal, if there was one.
    """
    age_ns = now_ns - proposal.stamp_ns
    code = _refuse(proposal, age_ns, limits, accepted_ns)
    if code is not None:
        return Verdict(code, _say(code, limits, age_ns), None)
    command, code = limit(proposal, previous, now_ns, limits)
    return Verdict(code, _say(code, limits, age_ns), command)


def limit(
    wanted: Command, previous: Command, now_ns: int, limits: SafetyConfig
) -> tuple[Command, str]:
    """Clamp a finite command, and give the code of the first limit that it met.

    The rate counts from `previous`, and never for longer than two output periods, so that a
    process that hung does not wake up with a jerk of the steering.
    """
    elapsed_s = (now_ns - previous.stamp_ns) / NANOSECONDS
    reach = limits.max_steering_rate_radps * _clamp(elapsed_s, 0.0, 2.0 * limits.output_period_s)
    angle = _clamp(wanted.steering_rad, -limits.max_steering_rad, limits.max_steering_rad)
    steering = _clamp(angle, previous.steering_rad - reach, previous.steering_rad + reach)
    acceleration = _clamp(
        wanted.acceleration_mps2, -limits.max_braking_mps2, limits.max_acceleration_mps2
    )
    met = {
        "steering_angle": angle != wanted.steering_rad,
        "steering_rate": steering != angle,
        "acceleration": acceleration != wanted.acceleration_mps2,
    }
    code = next((code for code, is_met in met.items() if is_met), WITHIN_LIMITS)
    return Command(now_ns, steering, acceleration), code


def _refuse(
    proposal: Command, age_ns: int, limits: SafetyConfig, accepted_ns: int | None
) -> str | None:
    if not (math.isfinite(proposal.steering_rad) and math.isfinite(proposal.acceleration_mps2)):
        return "not_finite"
    if age_ns < -FUTURE_TOLERANCE_NS:
        return "from_future"
    if age_ns > limits.max_image_age_s * NANOSECONDS:
        return "too_old"
    if accepted_ns is not None and proposal.stamp_ns <= accepted_ns:
        return "not_newer"
    return None


def _say(code: str, limits: SafetyConfig, age_ns: int) -> str:
    return SENTENCES[code].format(
        age_ms=abs(age_ns) / 1e6, max_age_ms=limits.max_image_age_s * 1e3, **vars(limits)
    )


def _clamp(value: float, low: float, high: float) -> float:
    return min(max(value, low), high)
