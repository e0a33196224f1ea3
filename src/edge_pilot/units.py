"""How a log says its steering, in words: unit, side, and where the angle is measured.

rad | deg | full=25deg    radians, degrees, or shares of the full lock at the road wheel
left | right              which side is positive; left where nothing is said
wheel=16.9                measured at the steering wheel, so many times the road wheel's angle
-0.0175                   or the factor itself, to rad at the road wheel, positive left
"""

from __future__ import annotations

import math

from edge_pilot.errors import ConfigError

UNITS = {"rad": 1.0, "deg": math.pi / 180.0}
SIDES = {"left": 1.0, "right": -1.0}
LARGEST_RAD = 1.3  # of a road wheel; what is more is degrees, or a steering wheel's


def steering_factor(text: str) -> float:
    """Give what turns a logged steering into rad at the road wheel, positive left.

    Raises:
        ConfigError: the words are not those above.
    """
    factor = 1.0
    try:
        for word in text.split(","):
            factor *= _factor(word.strip())
    except ValueError:
        factor = 0.0
    if not (math.isfinite(factor) and factor):
        raise ConfigError(
            "expected a steering unit such as deg,right or full=25deg,right or deg,wheel=16 or "
            f"the factor to rad at the road wheel, got {text!r}"
        )
    return factor


def guess(name: str, largest: float) -> str:
    """Guess the words for steering that nobody described, by its topic and its largest value."""
    if "norm" in name:
        return "full=25deg"
    wheel = ",wheel=16" if "wheel" in name else ""
    return ("deg" if "deg" in name or largest > LARGEST_RAD else "rad") + wheel


def _factor(word: str) -> float:
    if word in UNITS:
        return UNITS[word]
    if word in SIDES:
        return SIDES[word]
    name, sign, value = word.partition("=")
    if name == "full" and sign:
        unit = next((unit for unit in UNITS if value.endswith(unit)), "")
        return float(value.removesuffix(unit)) * UNITS.get(unit, math.nan)
    if name == "wheel" and sign:
        return 1.0 / float(value) if float(value) else math.nan
    return float(word)
