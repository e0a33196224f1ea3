"""What simulated sensors measure, as messages."""

from __future__ import annotations

import array
import math

import numpy as np
from geometry_msgs.msg import Quaternion
from nav_msgs.msg import Odometry as OdometryMessage
from sensor_msgs.msg import CameraInfo, NavSatFix, NavSatStatus, PointCloud2, PointField
from sensor_msgs.msg import Imu as ImuMessage
from std_msgs.msg import Header

from edge_pilot.config import CameraConfig
from edge_pilot.nodes import cdr
from edge_pilot.nodes.messages import BASE_FRAME, to_stamp
from edge_pilot.sim.sensors import Fix, Odometry
from edge_pilot.types import Image as Picture
from edge_pilot.types import Imu, Tensor

CAMERA_FRAME = "camera_optical_frame"  # REP-103: z forward, x right, y down


def header(stamp_ns: int, frame_id: str) -> Header:
    """Make a header."""
    return Header(stamp=to_stamp(stamp_ns), frame_id=frame_id)


def image(stamp_ns: int, picture: Picture) -> bytes:
    """Write a picture (H, W, 3) RGB as a serialized Image, with one copy of its pixels."""
    return cdr.write_image(stamp_ns, CAMERA_FRAME, "rgb8", picture)


def camera_info(stamp_ns: int, camera: CameraConfig) -> CameraInfo:
    """Write the intrinsics of a camera without distortion."""
    f = camera.focal_px
    cx, cy = 0.5 * (camera.width_px - 1), 0.5 * (camera.height_px - 1)  # whole numbers: centres
    return CameraInfo(
        header=header(stamp_ns, CAMERA_FRAME),
        width=camera.width_px,
        height=camera.height_px,
        distortion_model="plumb_bob",
        d=[0.0] * 5,
        k=[f, 0.0, cx, 0.0, f, cy, 0.0, 0.0, 1.0],
        r=[1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0],
        p=[f, 0.0, cx, 0.0, 0.0, f, cy, 0.0, 0.0, 0.0, 1.0, 0.0],
    )


def imu(sample: Imu) -> ImuMessage:
    """Write an inertial sample; its orientation is not known (REP-145: covariance -1)."""
    message = ImuMessage(header=header(sample.stamp_ns, BASE_FRAME))
    force, rotation = message.linear_acceleration, message.angular_velocity
    force.x, force.y, force.z = sample.acceleration_mps2
    rotation.x, rotation.y, rotation.z = sample.angular_velocity_radps
    message.orientation_covariance[0] = -1.0
    return message


def odometry(sample: Odometry) -> OdometryMessage:
    """Write wheel odometry."""
    message = OdometryMessage(header=header(sample.stamp_ns, "odom"), child_frame_id=BASE_FRAME)
    message.pose.pose.position.x, message.pose.pose.position.y = sample.x, sample.y
    half = 0.5 * sample.heading
    message.pose.pose.orientation = Quaternion(z=math.sin(half), w=math.cos(half))
    message.twist.twist.linear.x = sample.speed_mps
    message.twist.twist.angular.z = sample.yaw_rate_radps
    message.twist.covariance[0] = 0.01
    return message


def fix(sample: Fix) -> NavSatFix:
    """Write a position."""
    message = NavSatFix(header=header(sample.stamp_ns, "gps"))
    message.status.status, message.status.service = (
        NavSatStatus.STATUS_FIX,
        NavSatStatus.SERVICE_GPS,
    )
    message.latitude, message.longitude = sample.latitude_deg, sample.longitude_deg
    message.altitude = sample.altitude_m
    flat, up = sample.horizontal_std_m**2, sample.vertical_std_m**2
    message.position_covariance = [flat, 0.0, 0.0, 0.0, flat, 0.0, 0.0, 0.0, up]
    message.position_covariance_type = NavSatFix.COVARIANCE_TYPE_APPROXIMATED
    return message


def points(stamp_ns: int, cloud: Tensor) -> PointCloud2:
    """Write points (N, 3) in the LiDAR's frame."""
    fields = [
        PointField(name=name, offset=4 * i, datatype=PointField.FLOAT32, count=1)
        for i, name in enumerate("xyz")
    ]
    message = PointCloud2(header=header(stamp_ns, "lidar"), height=1, width=len(cloud),
                          fields=fields, point_step=12, row_step=12 * len(cloud),
                          is_dense=True)  # fmt: skip
    message.data = array.array("B", np.ascontiguousarray(cloud, np.float32).tobytes())
    return message
