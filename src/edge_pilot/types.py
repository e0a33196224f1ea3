"""The values that cross module boundaries. All are frozen; none knows ROS.

Frames follow REP-103 and REP-105: x forward, y left, z up; `base_link` is the middle of the
rear axle on the ground. Positive curvature and steering turn left. Stamps are integer
nanoseconds, since a float second of today is only exact to a few hundred of them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

NANOSECONDS = 1_000_000_000

Floats: TypeAlias = NDArray[np.float64]
Tensor: TypeAlias = NDArray[np.float32]
Image: TypeAlias = NDArray[np.uint8]

KINDS = ("pedestrian", "vehicle", "cyclist")  # what the network can tell apart, in its order
UNKNOWN = "unknown"  # what a LiDAR sees


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One camera picture."""

    stamp_ns: int
    image: Image  # (H, W, 3) RGB
    reduction: int = 1  # how many times smaller than the camera took it


@dataclass(frozen=True, slots=True)
class Imu:
    """One inertial sample in `base_link` axes; gravity is included, as a sensor measures it."""

    stamp_ns: int
    acceleration_mps2: tuple[float, float, float]
    angular_velocity_radps: tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class EgoState:
    """How the car moves, as far as it knows."""

    stamp_ns: int
    speed_mps: float
    yaw_rate_radps: float
    speed_std_mps: float = 0.0
    x_m: float = 0.0  # of the first fix to the east; before, of the start, forward
    y_m: float = 0.0  # the same to the north, or to the left
    heading_rad: float = 0.0  # from the x axis, positive left
    position_std_m: float = 0.0  # along the worse axis
    heading_std_rad: float = 0.0
    yaw_rate_std_radps: float = 0.0
    is_georeferenced: bool = False  # x is east; otherwise the frame is where the car began


@dataclass(frozen=True, slots=True, eq=False)
class Scan:
    """What a LiDAR saw in one turn."""

    stamp_ns: int
    points_m: Tensor = field(repr=False)  # (N, 3) finite, in `base_link` of that moment


@dataclass(frozen=True, slots=True)
class Detection:
    """Something that one sensor saw at one moment, in the `base_link` of that moment."""

    kind: str  # one of KINDS, or UNKNOWN
    score: float  # 0 to 1
    x_m: float  # of the middle of the side that faces the car
    y_m: float
    width_m: float  # across the line of sight
    box_px: tuple[float, float, float, float] | None = None  # x0, y0, x1, y1 in the picture
    is_part: bool = False  # of something longer, so that its ends are no edges


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Something that has been seen several times, in the `base_link` of `stamp_ns`."""

    stamp_ns: int
    kind: str  # one of KINDS, or UNKNOWN
    score: float  # 0 to 1
    x_m: float  # of the middle of the side that faces the car
    y_m: float
    vx_mps: float  # over ground, in the axes of `base_link`
    vy_mps: float
    width_m: float  # across the line of sight
    position_std_m: float  # along the line of sight
    velocity_std_mps: float  # across the line of sight
    box_px: tuple[float, float, float, float] | None = None  # of its newest detection
    age_s: float = math.inf  # since it was first seen
    is_part: bool = False  # of something longer, as of its newest detection
    doubt_s: float = 0.0  # for so long a LiDAR that is at work has not seen it
    speed_std_mps: float = 0.0  # along the line of sight


@dataclass(frozen=True, slots=True, eq=False)
class Path:
    """Where to drive: points in the `base_link` of the moment `stamp_ns`, nearest first."""

    stamp_ns: int
    points_m: Floats = field(repr=False)  # (N, 2) x, y


@dataclass(frozen=True, slots=True, eq=False)
class Prediction:
    """What the network says about one frame, decoded.

    The path is given by its lateral offsets at fixed distances *along* it, so that a bend of
    more than 45 degrees can be said too; `path` holds the same as points.
    """

    stamp_ns: int
    path: Path
    path_std_m: Floats  # (N,) standard deviation of each lateral offset
    curvature_1pm: float
    curvature_std_1pm: float
    lane_offset_m: float  # of base_link from the lane's centre, positive = car is left of it
    heading_error_rad: float  # of the car against the lane, positive = car points left of it
    detections: tuple[Detection, ...] = ()
    novelty: float = 0.0  # of the picture; from 1 on it is unlike all that the network knows


@dataclass(frozen=True, slots=True)
class Command:
    """What the car shall do. `stamp_ns` is that of the image that a proposal came from."""

    stamp_ns: int
    steering_rad: float  # at the road wheel, positive left
    acceleration_mps2: float
