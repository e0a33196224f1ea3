"""Typed values -> serialised messages of common_interfaces, for logs that carry none."""

from __future__ import annotations

from collections.abc import Mapping
from math import nan
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_pilot.replay.bags import types
from edge_pilot.types import NANOSECONDS, Image, Imu

BASE_FRAME, CAMERA_FRAME = "base_link", "camera_optical_frame"
UNKNOWN = -1.0  # sensor_msgs/Imu: the first number of a covariance that has no estimate


def compressed(stamp_ns: int, file: bytes) -> bytes:
    """Write a CompressedImage that holds a JPEG or PNG file as it is."""
    return _write(
        "sensor_msgs/msg/CompressedImage",
        header=_header(stamp_ns, CAMERA_FRAME),
        format="png" if file.startswith(b"\x89PNG") else "jpeg",
        data=np.frombuffer(file, np.uint8),
    )


def picture(stamp_ns: int, image: Image) -> bytes:
    """Write an Image from (H, W, 3) RGB."""
    height, width = image.shape[:2]
    return _write(
        "sensor_msgs/msg/Image",
        header=_header(stamp_ns, CAMERA_FRAME),
        height=height,
        width=width,
        encoding="rgb8",
        is_bigendian=0,
        step=3 * width,
        data=np.ascontiguousarray(image).reshape(-1),
    )


def imu(sample: Imu) -> bytes:
    """Write an Imu, whose orientation is not known."""
    none = np.zeros(9)
    none[0] = UNKNOWN
    return _write(
        "sensor_msgs/msg/Imu",
        header=_header(sample.stamp_ns, BASE_FRAME),
        orientation=_make("geometry_msgs/msg/Quaternion", x=0.0, y=0.0, z=0.0, w=1.0),
        orientation_covariance=none,
        angular_velocity=_vector(*sample.angular_velocity_radps),
        angular_velocity_covariance=np.zeros(9),
        linear_acceleration=_vector(*sample.acceleration_mps2),
        linear_acceleration_covariance=np.zeros(9),
    )


def odometry(stamp_ns: int, speed_mps: float, yaw_rate_radps: float = 0.0) -> bytes:
    """Write an Odometry that knows how fast, and not where."""
    pose = _make(
        "geometry_msgs/msg/Pose",
        position=_make("geometry_msgs/msg/Point", x=0.0, y=0.0, z=0.0),
        orientation=_make("geometry_msgs/msg/Quaternion", x=0.0, y=0.0, z=0.0, w=1.0),
    )
    twist = _make(
        "geometry_msgs/msg/Twist", linear=_vector(x=speed_mps), angular=_vector(z=yaw_rate_radps)
    )
    lost = np.zeros(36)
    lost[[0, 7, 35]] = 1e6  # m^2 and rad^2: the pose is a placeholder
    return _write(
        "nav_msgs/msg/Odometry",
        header=_header(stamp_ns, "odom"),
        child_frame_id=BASE_FRAME,
        pose=_make("geometry_msgs/msg/PoseWithCovariance", pose=pose, covariance=lost),
        twist=_make("geometry_msgs/msg/TwistWithCovariance", twist=twist, covariance=np.zeros(36)),
    )


def fix(stamp_ns: int, latitude_deg: float, longitude_deg: float, altitude_m: float) -> bytes:
    """Write a NavSatFix whose accuracy is not known."""
    return _write(
        "sensor_msgs/msg/NavSatFix",
        header=_header(stamp_ns, "gps"),
        status=_make("sensor_msgs/msg/NavSatStatus", status=0, service=1),
        latitude=latitude_deg,
        longitude=longitude_deg,
        altitude=altitude_m,
        position_covariance=np.zeros(9),
        position_covariance_type=0,
    )


def scalars(stamp_ns: int, values: Mapping[str, float]) -> bytes:
    """Write named numbers, as a command has them; those that are not known are left out."""
    known = {name: value for name, value in values.items() if value == value}
    nothing: NDArray[np.float64] = np.zeros(0)
    return _write(
        "sensor_msgs/msg/JointState",
        header=_header(stamp_ns, BASE_FRAME),
        name=list(known),
        position=np.array(list(known.values()), np.float64),
        velocity=nothing,
        effort=nothing,
    )


def command(
    stamp_ns: int, steering_rad: float, throttle: float = nan, brake: float = nan
) -> bytes:
    """Write what a human did."""
    return scalars(stamp_ns, {"steering": steering_rad, "throttle": throttle, "brake": brake})


def _write(kind: str, **fields: Any) -> bytes:
    return bytes(types().serialize_cdr(_make(kind, **fields), kind))


def _make(kind: str, **fields: Any) -> Any:
    return types().types[kind](**fields)


def _vector(x: float = 0.0, y: float = 0.0, z: float = 0.0) -> Any:
    return _make("geometry_msgs/msg/Vector3", x=float(x), y=float(y), z=float(z))


def _header(stamp_ns: int, frame: str) -> Any:
    seconds, nanoseconds = divmod(stamp_ns, NANOSECONDS)
    stamp = _make("builtin_interfaces/msg/Time", sec=seconds, nanosec=nanoseconds)
    return _make("std_msgs/msg/Header", stamp=stamp, frame_id=frame)
