"""Messages of common_interfaces on one side, the package's own values on the other.

Nothing else converts. A message that cannot be read raises an InputError that says why.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from nav_msgs.msg import Path as PathMessage
from sensor_msgs.msg import CameraInfo, JointState, NavSatFix, NavSatStatus

from edge_pilot import images
from edge_pilot.card import CameraModel
from edge_pilot.errors import InputError
from edge_pilot.nodes import cdr
from edge_pilot.types import NANOSECONDS, Command, Frame, Imu, Path

BASE_FRAME = "base_link"
LONGEST_PATH_M = 10_000.0
SPEED_STD_MPS = 0.1  # of wheel odometry that does not give its covariance
FIX_STD_M = 2.1  # along each axis, of a GPS that gives none: 2.5 m CEP, u-blox M8 data sheet


class Odometry(NamedTuple):
    """What wheels say."""

    stamp_ns: int
    speed_mps: float  # forward
    speed_std_mps: float
    yaw_rate_radps: float


def to_ns(stamp: Time) -> int:
    """Read a stamp."""
    return int(stamp.sec * NANOSECONDS + stamp.nanosec)


def to_stamp(stamp_ns: int) -> Time:
    """Write a stamp."""
    seconds, nanoseconds = divmod(stamp_ns, NANOSECONDS)
    return Time(sec=seconds, nanosec=nanoseconds)


def read_image(message: bytes, reduction: int = 1) -> Frame:
    """Read a serialized Image; it is never reduced, since that would be no faster.

    Raises:
        ImageError: the message contradicts itself.
    """
    raw = cdr.image(message)
    picture = images.to_rgb(
        raw.data,
        encoding=raw.encoding,
        width=raw.width,
        height=raw.height,
        step=raw.step,
        is_bigendian=raw.is_bigendian,
    )
    return Frame(raw.stamp_ns, picture)


def read_compressed(message: bytes, reduction: int = 1) -> Frame:
    """Read a serialized CompressedImage, reduced as `images.from_compressed_reduced` says.

    Raises:
        ImageError: the message holds no readable picture.
    """
    raw = cdr.compressed(message)
    return Frame(raw.stamp_ns, *images.from_compressed_reduced(raw.data, raw.format, reduction))


def read_camera(message: CameraInfo) -> CameraModel | None:
    """Read the intrinsics of the picture as it was taken; an uncalibrated camera gives None."""
    if not all(value > 0 for value in (message.width, message.height, message.k[0], message.k[4])):
        return None
    return CameraModel(
        width_px=message.width,
        height_px=message.height,
        fx_px=float(message.k[0]),
        fy_px=float(message.k[4]),
        cx_px=float(message.k[2]),
        cy_px=float(message.k[5]),
        distortion_model=message.distortion_model,
        distortion=tuple(float(value) for value in message.d),
    )


def read_imu(message: bytes, received_ns: int | None = None) -> Imu:
    """Read a serialized inertial sample in the sensor's own axes.

    Its stamp is `received_ns` where that is given.

    Raises:
        InputError: the message is not whole.
    """
    raw = cdr.imu(message)
    stamp_ns = raw.stamp_ns if received_ns is None else received_ns
    return Imu(stamp_ns, raw.acceleration_mps2, raw.angular_velocity_radps)


def read_odometry(message: bytes, received_ns: int | None = None) -> Odometry:
    """Read a serialized nav_msgs/Odometry; its stamp as in `read_imu`.

    Raises:
        InputError: the message is not whole.
    """
    raw = cdr.odometry(message)
    return Odometry(
        stamp_ns=raw.stamp_ns if received_ns is None else received_ns,
        speed_mps=raw.speed_mps,
        speed_std_mps=math.sqrt(raw.speed_variance) if raw.speed_variance > 0.0 else SPEED_STD_MPS,
        yaw_rate_radps=raw.yaw_rate_radps,
    )


def read_fix(
    message: NavSatFix, received_ns: int | None = None
) -> tuple[int, float, float, float] | None:
    """Read the stamp [ns] as in `read_imu`, latitude, longitude [deg] and deviation [m].

    The deviation is that of the worse of east and north. A receiver without a fix gives None.
    """
    if message.status.status == NavSatStatus.STATUS_NO_FIX:
        return None
    stamp_ns = to_ns(message.header.stamp) if received_ns is None else received_ns
    variance = float(max(message.position_covariance[0], message.position_covariance[4]))
    is_known = message.position_covariance_type != NavSatFix.COVARIANCE_TYPE_UNKNOWN
    std = math.sqrt(variance) if is_known and variance > 0.0 else FIX_STD_M
    return stamp_ns, message.latitude, message.longitude, std


def read_scalars(message: JointState) -> dict[str, float]:
    """Read named numbers.

    Raises:
        InputError: there are not as many numbers as names.
    """
    if len(message.name) != len(message.position):
        raise InputError(
            f"expected one position for each of {len(message.name)} names, "
            f"got {len(message.position)}"
        )
    return dict(zip(message.name, message.position, strict=True))


def read_command(message: JointState) -> Command:
    """Read a command.

    Raises:
        InputError: a name is missing, or there are not as many numbers as names.
    """
    values = read_scalars(message)
    try:
        steering, acceleration = values["steering"], values["acceleration"]
    except KeyError:
        raise InputError(
            f"expected a command that names steering and acceleration, got {message.name}"
        ) from None
    return Command(to_ns(message.header.stamp), steering, acceleration)


def write_command(command: Command) -> bytes:
    """Write a command, serialized."""
    values = {"steering": command.steering_rad, "acceleration": command.acceleration_mps2}
    return cdr.write_scalars(command.stamp_ns, values)


def read_path(message: PathMessage) -> Path:
    """Read a path.

    Raises:
        InputError: it is in another frame, has fewer than two points, or points nowhere.
    """
    frame = message.header.frame_id
    if not frame.endswith(BASE_FRAME):  # a prefix makes a second vehicle possible
        raise InputError(f"expected a path in {BASE_FRAME}, got one in {frame!r}")
    places = [item.pose.position for item in message.poses]
    points = np.array([(place.x, place.y) for place in places], np.float64).reshape(-1, 2)
    # NaN fails the comparison too.
    if len(points) < 2 or not bool((np.abs(points) <= LONGEST_PATH_M).all()):
        raise InputError(f"expected a path of two or more points within 10 km, got {len(points)}")
    return Path(to_ns(message.header.stamp), points)


def write_path(path: Path) -> bytes:
    """Write a path in base_link, serialized."""
    return cdr.write_path(path.stamp_ns, BASE_FRAME, path.points_m)


def write_diagnostics(
    stamp_ns: int, name: str, level: bytes, sentence: str, values: Mapping[str, object]
) -> DiagnosticArray:
    """Write one status; `level` is a constant of DiagnosticStatus."""
    status = DiagnosticStatus(
        level=level,
        name=name,
        message=sentence,
        values=[KeyValue(key=key, value=str(value)) for key, value in values.items()],
    )
    message = DiagnosticArray(status=[status])
    message.header.stamp = to_stamp(stamp_ns)
    return message
