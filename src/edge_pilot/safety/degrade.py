"""How well the car is, in four steps, and why: each step down has a reason, each step up a wait.

    nominal -> capped speed -> stop in the lane -> emergency

A symptom is something that is not well, by name. Each has a level that it leads to once it has
lasted for its patience; down it goes at once and as far as needed, up one step at a time, after
`recover_s` without any symptom of the present level or a worse one. An emergency ends only by a
reset, when somebody takes the car or engages anew.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum, IntEnum
from typing import NamedTuple

from edge_pilot.types import NANOSECONDS


class Level(IntEnum):
    """How well the car is, the worst last."""

    NOMINAL = 0
    CAPPED = 1  # slowly on
    STOP = 2  # to a stop, in the lane
    EMERGENCY = 3  # the same as hard as permitted


class Event(Enum):
    """What changes that."""

    CAP = "a symptom asks for a capped speed"
    STOP = "a symptom asks for a stop"
    EMERGENCY = "a symptom asks for an emergency stop"
    RECOVERED = "no symptom of this level for long enough"
    RESET = "the car was taken, or engaged anew"


L, E = Level, Event
TRANSITIONS = {
    (L.NOMINAL, E.CAP): L.CAPPED,
    (L.NOMINAL, E.STOP): L.STOP,
    (L.NOMINAL, E.EMERGENCY): L.EMERGENCY,
    (L.CAPPED, E.STOP): L.STOP,
    (L.CAPPED, E.EMERGENCY): L.EMERGENCY,
    (L.CAPPED, E.RECOVERED): L.NOMINAL,
    (L.CAPPED, E.RESET): L.NOMINAL,
    (L.STOP, E.EMERGENCY): L.EMERGENCY,
    (L.STOP, E.RECOVERED): L.CAPPED,
    (L.STOP, E.RESET): L.NOMINAL,
    (L.EMERGENCY, E.RESET): L.NOMINAL,
}
ASKS = {L.NOMINAL: None, L.CAPPED: E.CAP, L.STOP: E.STOP, L.EMERGENCY: E.EMERGENCY}


class Symptom(NamedTuple):
    """A row of the table."""

    level: Level
    patience_s: float  # it must last for so long
    sentence: str
    blames_sight: bool = False  # what the pilot sees is not believed any more


SYMPTOMS = {
    # Of the picture, as the pilot measures it and `symptoms` judges it.
    "black": Symptom(L.STOP, 0.0, "The picture is black.", True),
    "white": Symptom(L.STOP, 0.0, "The picture is white.", True),
    "half_dark": Symptom(L.STOP, 0.0, "A part of the picture is black.", True),
    "frozen": Symptom(L.STOP, 0.1, "The picture is frozen.", True),
    "blurred": Symptom(L.STOP, 0.1, "The picture is blurred.", True),
    "noisy": Symptom(L.STOP, 0.1, "The picture is full of noise.", True),
    "colours": Symptom(L.STOP, 0.0, "The picture's red and blue have changed places.", True),
    "mirrored": Symptom(L.STOP, 0.0, "The picture is mirrored.", True),
    "exposure": Symptom(L.CAPPED, 0.1, "The picture is exposed wrongly."),
    "novel": Symptom(L.CAPPED, 0.3, "The picture is unlike those that the network knows."),
    "alien": Symptom(L.STOP, 0.1, "The picture is nothing that the network knows.", True),
    "unsure": Symptom(L.CAPPED, 0.3, "The network is not sure of the path."),
    "lost": Symptom(L.STOP, 0.2, "The network does not know the path.", True),
    "contradiction": Symptom(
        L.STOP, 0.1, "What the pilot sees contradicts how the car moves.", True
    ),
    "unseen": Symptom(L.STOP, 0.3, "The pilot does not say how its pictures are.", True),
    # Of time.
    "late": Symptom(L.CAPPED, 0.5, "The pilot's commands come late."),
    "gaps": Symptom(L.CAPPED, 0.0, "The pilot's commands come irregularly."),
    # Of the other sensors. Their loss blames no picture: the pilot's steering leads the stop.
    "imu_silent": Symptom(L.STOP, 0.0, "The IMU is silent."),
    "imu_broken": Symptom(L.STOP, 0.0, "The IMU says what cannot be."),
    "imu_bias": Symptom(L.STOP, 0.0, "The gyroscope contradicts wheels and steering."),
    "wheels_silent": Symptom(L.CAPPED, 0.0, "The wheels' speed is not heard any more."),
    "lidar_silent": Symptom(L.CAPPED, 0.0, "The LiDAR is not heard any more."),
    # Of the stop itself.
    "no_way": Symptom(L.EMERGENCY, 0.3, "Nobody knows a way to stop along."),
}


@dataclass(frozen=True, slots=True)
class Health:
    """How well the car is at a moment."""

    level: Level = Level.NOMINAL
    reason: str = ""  # a key of SYMPTOMS: why it is not nominal
    since_ns: Mapping[str, int] = field(default_factory=dict)  # the symptoms, and since when
    unwell_ns: int = 0  # when a symptom of this level or a worse one was there the last time

    @property
    def sentence(self) -> str:
        """Say why in one sentence; nothing where all is well."""
        return SYMPTOMS[self.reason].sentence if self.reason else ""

    @property
    def doubted_since_ns(self) -> int | None:
        """Give since when the pilot's sight is in doubt; None: it is believed."""
        blamed = [at for name, at in self.since_ns.items() if SYMPTOMS[name].blames_sight]
        return min(blamed, default=None)


def update(level: Level, event: Event) -> Level:
    """Give the level after an event; what is not in the table changes nothing."""
    return TRANSITIONS.get((level, event), level)


def reset(health: Health) -> Health:
    """Begin anew; symptoms that are there still count."""
    level = update(health.level, Event.RESET)
    return replace(health, level=level, reason="" if level is Level.NOMINAL else health.reason)


def observe(health: Health, names: Collection[str], now_ns: int, recover_s: float) -> Health:
    """Hear which symptoms there are now.

    Args:
        health: before.
        names: keys of SYMPTOMS.
        now_ns: by a clock that never goes back.
        recover_s: how long all must be well for one step up.
    """
    since_ns = {name: health.since_ns.get(name, now_ns) for name in names}
    lasting = [
        name
        for name, at_ns in since_ns.items()
        if now_ns - at_ns >= SYMPTOMS[name].patience_s * NANOSECONDS
    ]
    worst = max(lasting, key=lambda name: SYMPTOMS[name].level, default="")
    asked = SYMPTOMS[worst].level if worst else Level.NOMINAL
    level, reason, unwell_ns = health.level, health.reason, health.unwell_ns
    if asked > level:
        event = ASKS[asked]
        level, reason, unwell_ns = (update(level, event) if event else level), worst, now_ns
    elif any(SYMPTOMS[name].level >= level for name in since_ns):
        unwell_ns = now_ns
    elif now_ns - unwell_ns >= recover_s * NANOSECONDS:
        level, unwell_ns = update(level, Event.RECOVERED), now_ns
        reason = reason if level is not Level.NOMINAL else ""
    return Health(level, reason, since_ns, unwell_ns)
