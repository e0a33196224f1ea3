"""The whole configuration: one frozen tree of dataclasses, checked where it is built.

A file is an ordinary ROS 2 parameter file, so `--params-file`, launch files and
`edge_pilot ... --config` all read the same one::

    /**:
      ros__parameters:
        vehicle:
          wheelbase_m: 2.58

Each field carries its range and its description; ROS parameters are generated from them.
The unit of a value is the suffix of its name. A value is rejected, never repaired.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Mapping
from dataclasses import Field, dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar, cast, get_type_hints

import numpy as np
import yaml

from edge_pilot.errors import ConfigError

UNITS = {
    "m": "m", "s": "s", "rad": "rad", "hz": "Hz", "px": "pixels", "mps": "m/s", "mps2": "m/s^2",
    "mps3": "m/s^3", "radps": "rad/s", "1pm": "1/m", "1ps": "1/s",
}  # fmt: skip
DIRECTIONS = {  # in base_link
    "forward": (1, 0, 0), "left": (0, 1, 0), "up": (0, 0, 1),
    "backward": (-1, 0, 0), "right": (0, -1, 0), "down": (0, 0, -1),
}  # fmt: skip
T = TypeVar("T")


def number(default: float, low: float, high: float, doc: str) -> Any:
    """Declare a float from `low` to `high`, both permitted."""
    return field(default=default, metadata={"low": low, "high": high, "doc": doc})


def count(default: int, low: int, high: int, doc: str) -> Any:
    """Declare an integer from `low` to `high`, both permitted."""
    return field(default=default, metadata={"low": low, "high": high, "doc": doc})


def choice(default: str, options: tuple[str, ...], doc: str) -> Any:
    """Declare a text that is one of `options`."""
    return field(default=default, metadata={"options": options, "doc": doc})


def text(default: str, doc: str) -> Any:
    """Declare a free text."""
    return field(default=default, metadata={"doc": doc})


def switch(default: bool, doc: str) -> Any:
    """Declare something that is on or off."""
    return field(default=default, metadata={"doc": doc})


@dataclass(frozen=True)
class Section:
    """A part of the configuration. Construction checks every field, then the whole."""

    def __post_init__(self) -> None:
        hints = get_type_hints(type(self))
        for item in fields(self):
            value = _checked(item, hints[item.name], getattr(self, item.name))
            object.__setattr__(self, item.name, value)
        self.check()

    def check(self) -> None:
        """Raise ConfigError where fields contradict one another."""


@dataclass(frozen=True)
class VehicleConfig(Section):
    """The car. The defaults are vehicle 2 (a BMW 320i) of the CommonRoad vehicle models."""

    wheelbase_m: float = number(2.579, 0.1, 10.0, "distance between the axles")
    width_m: float = number(1.610, 0.1, 3.0, "width of the body, taken for the wheels' too")
    length_m: float = number(4.508, 0.1, 20.0, "length of the body")
    rear_overhang_m: float = number(0.96, 0.0, 5.0, "from the rear axle to the rear end")
    max_steering_rad: float = number(0.60, 0.05, 1.2, "largest angle of the road wheel")
    max_steering_rate_radps: float = number(0.40, 0.05, 5.0, "how fast the road wheel turns")
    max_acceleration_mps2: float = number(3.0, 0.1, 10.0, "what full throttle gives")
    max_braking_mps2: float = number(8.0, 0.5, 12.0, "what the full brake gives")


@dataclass(frozen=True)
class CameraConfig(Section):
    """The forward camera. Without a CameraInfo message these are its intrinsics too."""

    width_px: int = count(320, 32, 8192, "columns")
    height_px: int = count(180, 18, 8192, "rows")
    focal_px: float = number(190.0, 10.0, 20000.0, "focal length, the same in both directions")
    forward_m: float = number(1.60, -5.0, 10.0, "in front of base_link")
    height_m: float = number(1.40, 0.02, 5.0, "above the road")
    pitch_rad: float = number(0.04, -0.5, 0.8, "positive looks down")
    rate_hz: float = number(20.0, 1.0, 200.0, "pictures a second")


@dataclass(frozen=True)
class LidarConfig(Section):
    """Where the LiDAR is mounted, in base_link; its own z points up."""

    forward_m: float = number(1.0, -5.0, 10.0, "in front of base_link")
    left_m: float = number(0.0, -3.0, 3.0, "to the left of base_link")
    height_m: float = number(1.9, 0.05, 5.0, "above the road")
    yaw_rad: float = number(0.0, -3.15, 3.15, "its x axis against the car's, positive left")


@dataclass(frozen=True)
class ImuConfig(Section):
    """How the IMU is mounted."""

    axes: str = text("forward,left,up", "where its x, y and z point, as seen from the car")
    reports_gravity: bool = switch(False, "at rest it says 9.8 m/s^2 down, not up: as some phones")

    def check(self) -> None:
        """Raise ConfigError where the axes are not at right angles or not right-handed."""
        axes = [DIRECTIONS.get(name, (0, 0, 0)) for name in self.axes.split(",")]
        if len(axes) != 3 or round(np.linalg.det(axes)) != 1:
            wanted = f"three of {', '.join(DIRECTIONS)}, right-handed as forward,left,up"
            raise ConfigError(f"expected {{section}}.axes to be {wanted}, got {self.axes!r}")


@dataclass(frozen=True)
class PilotConfig(Section):
    """The driving node."""

    model: str = text("", "path of an ONNX model with its card beside it; empty: the shipped one")
    denoise: str = choice("none", ("none", "median", "bilateral"), "filter before the resize")
    stamp_source: str = choice("header", ("header", "receive"), "whose time a picture carries")
    backend: str = choice(
        "auto", ("auto", "tensorrt", "onnx", "torch"), "the inference engine; auto: the fastest"
    )
    engine_cache: str = text("", "folder of built engines; empty: ~/.cache/edge_pilot/engines")
    threads: int = count(1, 1, 64, "threads of the inference engine")
    deadline_s: float = number(0.05, 0.001, 2.0, "from picture to command; later is warned of")
    use_camera: bool = switch(True, "brake for obstacles that the camera sees")
    use_lidar: bool = switch(True, "brake for obstacles that the LiDAR sees, where there is one")
    autostart: bool = switch(True, "configure and activate at start; exit 2 when that fails")


@dataclass(frozen=True)
class ControlConfig(Section):
    """How the planned path becomes a command."""

    max_speed_mps: float = number(14.0, 0.0, 60.0, "speed limit")
    max_lateral_acceleration_mps2: float = number(
        2.0, 0.2, 5.0, "comfort in bends; gives the speed there"
    )
    lookahead_s: float = number(0.55, 0.1, 3.0, "pure pursuit aims at speed times this")
    min_lookahead_m: float = number(5.0, 0.2, 30.0, "and never nearer than this")
    max_acceleration_mps2: float = number(1.5, 0.1, 5.0, "comfort when speeding up")
    max_braking_mps2: float = number(2.0, 0.1, 8.0, "comfort when slowing for a bend")
    speed_gain_1ps: float = number(0.8, 0.05, 5.0, "acceleration per speed error")
    time_gap_s: float = number(1.6, 0.8, 5.0, "behind a moving lead; ISO 15622: 0.8 or more")
    standstill_gap_m: float = number(3.0, 0.5, 20.0, "behind a standing one")
    corridor_margin_m: float = number(0.3, 0.0, 2.0, "kept free on both sides of the car")
    hard_braking_mps2: float = number(
        4.0, 0.5, 5.0, "what needs more than this is braked for fully soon; UN R152: 5"
    )
    emergency_braking_mps2: float = number(8.0, 0.5, 12.0, "the most")
    release_after_s: float = number(0.8, 0.1, 5.0, "a way free for this long lets the car go")

    def check(self) -> None:
        """Raise ConfigError where the limits contradict one another."""
        if not self.max_braking_mps2 <= self.emergency_braking_mps2:
            raise ConfigError(
                f"expected control.max_braking_mps2 <= control.emergency_braking_mps2 "
                f"({self.emergency_braking_mps2:g} m/s^2), got {self.max_braking_mps2:g}"
            )


@dataclass(frozen=True)
class SafetyConfig(Section):
    """What the gate permits, and how the fallback stops."""

    max_image_age_s: float = number(
        0.20, 0.02, 2.0, "oldest image that a proposal may rest on when it is judged"
    )
    proposal_timeout_s: float = number(
        0.15, 0.02, 2.0, "silence after which the stop along the last good path begins"
    )
    output_period_s: float = number(0.05, 0.005, 0.1, "a command leaves at least this often")
    max_steering_rad: float = number(0.60, 0.05, 1.2, "steering is clamped to this")
    max_steering_rate_radps: float = number(0.40, 0.05, 5.0, "and changes no faster than this")
    max_lateral_acceleration_mps2: float = number(
        3.0, 0.2, 10.0, "which steering may give; ISO 11270 and UN R79: 3"
    )
    max_lateral_jerk_mps3: float = number(
        5.0, 0.5, 50.0, "its change over half a second; ISO 11270 and UN R79: 5"
    )
    max_acceleration_mps2: float = number(2.0, 0.1, 10.0, "acceleration is clamped to this")
    max_braking_mps2: float = number(8.0, 0.5, 12.0, "deceleration is clamped to this")
    stop_braking_mps2: float = number(3.0, 0.5, 8.0, "deceleration of the fallback's stop")
    emergency_braking_mps2: float = number(8.0, 1.0, 12.0, "deceleration of an emergency stop")
    transition_s: float = number(1.0, 0.0, 10.0, "gentler limits after the pilot got the car")
    transition_jerk_mps3: float = number(5.0, 0.5, 50.0, "how the acceleration rises meanwhile")
    capped_speed_mps: float = number(7.0, 0.0, 60.0, "the most while something is not well")
    recover_after_s: float = number(2.0, 0.1, 60.0, "all well for this long ends a degradation")
    aeb: bool = switch(True, "brake by LiDAR and obstacles, whatever the pilot proposes")
    aeb_partial_braking_mps2: float = number(5.0, 1.0, 8.0, "of its first step; UN R152: 5")

    def check(self) -> None:
        """Raise ConfigError where the limits contradict one another."""
        for name in ("stop_braking_mps2", "emergency_braking_mps2"):
            if getattr(self, name) > self.max_braking_mps2:
                raise ConfigError(
                    f"expected safety.{name} <= safety.max_braking_mps2 "
                    f"({self.max_braking_mps2:g} m/s^2), got {getattr(self, name):g}"
                )
        if self.output_period_s >= self.proposal_timeout_s:
            raise ConfigError(
                f"expected safety.output_period_s < safety.proposal_timeout_s "
                f"({self.proposal_timeout_s:g} s), got {self.output_period_s:g}"
            )


@dataclass(frozen=True)
class SimConfig(Section):
    """The embedded simulator."""

    seed: int = count(0, 0, 2**31 - 1, "makes the road, the traffic and every noise")
    light: str = choice(
        "auto",
        ("auto", "day", "dusk", "haze", "holdout", "night", "rain", "glare"),
        "auto, holdout: by the seed, in turn; the model never learned from the last three",
    )
    road_length_m: float = number(1200.0, 200.0, 20000.0, "length of the road")
    duration_s: float = number(0.0, 0.0, 36000.0, "end after this; 0: never")
    clock: str = choice("wall", ("wall", "simulated"), "simulated also publishes /clock")
    command_timeout_s: float = number(0.10, 0.02, 1.0, "brakes when the command is older")
    steering_lag_s: float = number(0.10, 0.0, 1.0, "time constant of the steering actuator")
    acceleration_lag_s: float = number(0.25, 0.0, 2.0, "time constant of engine and brakes")
    lidar: bool = switch(True, "simulate the LiDAR")


@dataclass(frozen=True)
class ReplayConfig(Section):
    """The node that plays a recording as if its sensors were there."""

    bag: str = text("", "[KIND:]PATH of a log: a rosbag2, a Donkeycar tub ...")
    rate: float = number(1.0, 0.01, 100.0, "how much faster than it was recorded")
    loop: bool = switch(False, "begin again at the end")
    start_s: float = number(0.0, 0.0, 1e6, "skip so much of the beginning")
    end_s: float = number(0.0, 0.0, 1e6, "end so long after the first message; 0: at its end")
    paused: bool = switch(False, "wait for ~/pause with data: false")
    camera_topic: str = text("", "the recording's camera; empty: found by type")
    stamps: str = choice("now", ("now", "original"), "what the headers of its messages get")


@dataclass(frozen=True)
class Config(Section):
    """The root of the tree. `config.vehicle.wheelbase_m` in code is the parameter's name too."""

    vehicle: VehicleConfig = field(default_factory=VehicleConfig)
    camera: CameraConfig = field(default_factory=CameraConfig)
    lidar: LidarConfig = field(default_factory=LidarConfig)
    imu: ImuConfig = field(default_factory=ImuConfig)
    pilot: PilotConfig = field(default_factory=PilotConfig)
    control: ControlConfig = field(default_factory=ControlConfig)
    safety: SafetyConfig = field(default_factory=SafetyConfig)
    sim: SimConfig = field(default_factory=SimConfig)
    replay: ReplayConfig = field(default_factory=ReplayConfig)


def load(paths: Iterable[Path | str], overrides: Mapping[str, object] | None = None) -> Config:
    """Read ROS parameter files, later ones first in rank, then `overrides` by dotted name.

    Raises:
        ConfigError: a file is unreadable, a key unknown, or a value not permitted.
    """
    values: dict[str, object] = {}
    for path in paths:
        values.update(read(Path(path)))
    values.update(overrides or {})
    return from_flat(values)


def read(path: Path) -> dict[str, object]:
    """Read one ROS parameter file into {dotted name: value}, unchecked.

    Raises:
        ConfigError: the file is unreadable or has another form.
    """
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"expected a readable configuration file, got {path}: {error}") from None
    except yaml.YAMLError as error:
        reason = " ".join(str(error).split())
        raise ConfigError(f"expected YAML in {path}, got: {reason}") from None
    try:
        trees = [node["ros__parameters"] for node in (document or {}).values()]
    except (AttributeError, KeyError, TypeError):
        raise ConfigError(
            f"expected a ROS parameter file ('/**:' then 'ros__parameters:'), got {path} "
            f"without them"
        ) from None
    return {name: value for tree in trees for name, value in _flatten(tree).items()}


def from_flat(values: Mapping[str, object]) -> Config:
    """Build the tree from {dotted name: value}; what is not named keeps its default.

    Raises:
        ConfigError: a name is unknown or a value not permitted.
    """
    known = flat_fields()
    for name in values:
        if name not in known:
            raise ConfigError(_unknown(name, list(known)))
    sections = {}
    for item in fields(Config):
        own = {
            name.split(".", 1)[1]: value
            for name, value in values.items()
            if name.startswith(item.name + ".")
        }
        section = cast("type[Section]", get_type_hints(Config)[item.name])
        try:
            sections[item.name] = section(**own)
        except ConfigError as error:
            raise ConfigError(str(error).replace("{section}", item.name)) from None
    return Config(**cast("Any", sections))


def flat_fields() -> dict[str, tuple[Field[Any], type]]:
    """Give every leaf of the tree by its dotted name, with its field and its type."""
    leaves = {}
    for item in fields(Config):
        section = cast("type[Section]", get_type_hints(Config)[item.name])
        hints = get_type_hints(section)
        for leaf in fields(section):
            leaves[f"{item.name}.{leaf.name}"] = (leaf, hints[leaf.name])
    return leaves


def to_flat(config: Config) -> dict[str, object]:
    """Give every value by its dotted name, for parameters and for reports."""
    return {
        name: getattr(getattr(config, name.split(".")[0]), name.split(".")[1])
        for name in flat_fields()
    }


def unit_of(name: str) -> str:
    """Give the unit that the name's suffix stands for, or an empty text."""
    return UNITS.get(name.rsplit("_", 1)[-1], "")


def _flatten(tree: object, prefix: str = "") -> dict[str, object]:
    if not isinstance(tree, dict):
        return {prefix.rstrip("."): tree}
    flat: dict[str, object] = {}
    for key, value in tree.items():
        flat.update(_flatten(value, f"{prefix}{key}."))
    return flat


def _checked(item: Field[Any], kind: Any, value: Any) -> Any:
    """Return the value in its own type, or raise."""
    if is_dataclass(kind):
        return value
    meta = item.metadata
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    right_type = isinstance(value, kind) and (kind is bool or not isinstance(value, bool))
    in_range = (
        right_type
        and ("low" not in meta or (math.isfinite(value) and meta["low"] <= value <= meta["high"]))
        and ("options" not in meta or value in meta["options"])
    )
    if not in_range:
        raise ConfigError(
            f"expected {{section}}.{item.name} to be {_wanted(item, kind)}, got {value!r}"
        )
    return value


def _wanted(item: Field[Any], kind: type) -> str:
    meta = item.metadata
    if "options" in meta:
        return "one of " + ", ".join(meta["options"])
    if "low" not in meta:
        return {bool: "true or false", str: "a text"}[kind]
    noun = "a whole number" if kind is int else "a number"
    unit = unit_of(item.name)
    return f"{noun} from {meta['low']:g} to {meta['high']:g}{' ' + unit if unit else ''}"


def _unknown(name: str, known: list[str]) -> str:
    """Say which key was meant: the same quantity in its own unit, or a close spelling."""
    stem = name.rsplit("_", 1)[0]
    same = [other for other in known if other.rsplit("_", 1)[0] in (stem, name)]
    if same:
        unit = unit_of(same[0])
        return f"expected {same[0]}{f' (in {unit})' if unit else ''}, got the unknown key {name}"
    near = difflib.get_close_matches(name, known, n=1)
    section = name.split(".", maxsplit=1)[0]
    options = [other for other in known if other.startswith(section + ".")] or sorted(
        {other.split(".")[0] + ".*" for other in known}
    )
    wanted = near[0] if near else "one of " + ", ".join(options)
    return f"expected {wanted}, got the unknown key {name}"
