"""Small recordings, made on the spot. Also a command: python make_bags.py FOLDER."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

STORE = get_typestore(Stores.ROS2_HUMBLE)
START_NS = 1_700_000_000_000_000_000
MILLISECOND = 1_000_000
WIDTH, HEIGHT = 32, 18


class Record(NamedTuple):
    topic: str
    message: Any
    stamp_ns: int


def make(type_text: str, **fields: Any) -> Any:
    return STORE.types[type_text](**fields)


def header(stamp_ns: int) -> Any:
    stamp = make("builtin_interfaces/msg/Time", sec=stamp_ns // 10**9, nanosec=stamp_ns % 10**9)
    return make("std_msgs/msg/Header", stamp=stamp, frame_id="base_link")


def picture(shift: int) -> np.ndarray:
    """Give a grey picture with a bright column."""
    image = np.full((HEIGHT, WIDTH, 3), 40, np.uint8)
    image[:, shift % WIDTH] = 220
    return image


def image(stamp_ns: int, shift: int = 0, encoding: str = "rgb8") -> Any:
    pixels = picture(shift) if encoding == "rgb8" else np.zeros((HEIGHT, WIDTH, 2), np.uint8)
    return make(
        "sensor_msgs/msg/Image",
        header=header(stamp_ns),
        height=HEIGHT,
        width=WIDTH,
        encoding=encoding,
        is_bigendian=0,
        step=pixels.shape[1] * pixels.shape[2],
        data=pixels.reshape(-1),
    )


def compressed(stamp_ns: int, shift: int = 0) -> Any:
    data = cv2.imencode(".png", picture(shift)[..., ::-1])[1].reshape(-1)
    return make(
        "sensor_msgs/msg/CompressedImage", header=header(stamp_ns), format="rgb8; png", data=data
    )


def vector(x: float = 0.0, y: float = 0.0, z: float = 0.0) -> Any:
    return make("geometry_msgs/msg/Vector3", x=x, y=y, z=z)


def quaternion() -> Any:
    return make("geometry_msgs/msg/Quaternion", x=0.0, y=0.0, z=0.0, w=1.0)


def imu(stamp_ns: int, forward: float = 0.0, turning: float = 0.0) -> Any:
    return make(
        "sensor_msgs/msg/Imu",
        header=header(stamp_ns),
        orientation=quaternion(),
        orientation_covariance=np.zeros(9),
        angular_velocity=vector(z=turning),
        angular_velocity_covariance=np.zeros(9),
        linear_acceleration=vector(x=forward, z=9.81),
        linear_acceleration_covariance=np.zeros(9),
    )


def odometry(stamp_ns: int, speed: float) -> Any:
    place = make("geometry_msgs/msg/Point", x=0.0, y=0.0, z=0.0)
    pose = make("geometry_msgs/msg/Pose", position=place, orientation=quaternion())
    twist = make("geometry_msgs/msg/Twist", linear=vector(x=speed), angular=vector())
    covariance = np.zeros(36)
    return make(
        "nav_msgs/msg/Odometry",
        header=header(stamp_ns),
        child_frame_id="base_link",
        pose=make("geometry_msgs/msg/PoseWithCovariance", pose=pose, covariance=covariance),
        twist=make("geometry_msgs/msg/TwistWithCovariance", twist=twist, covariance=covariance),
    )


def command(stamp_ns: int, steering: float) -> Any:
    return make(
        "sensor_msgs/msg/JointState",
        header=header(stamp_ns),
        name=["steering", "acceleration"],
        position=np.array([steering, 0.0]),
        velocity=np.array([]),
        effort=np.array([]),
    )


def camera_info(stamp_ns: int, focal: float = 20.0) -> Any:
    k = np.array([focal, 0, 15.5, 0, focal, 8.5, 0, 0, 1.0])
    roi = make(
        "sensor_msgs/msg/RegionOfInterest",
        x_offset=0, y_offset=0, height=0, width=0, do_rectify=False,
    )  # fmt: skip
    return make(
        "sensor_msgs/msg/CameraInfo",
        header=header(stamp_ns),
        height=HEIGHT,
        width=WIDTH,
        distortion_model="plumb_bob",
        d=np.zeros(5),
        k=k,
        r=np.eye(3).reshape(-1),
        p=np.zeros(12),
        binning_x=0,
        binning_y=0,
        roi=roi,
    )


def number(value: float) -> Any:
    return make("std_msgs/msg/Float32", data=value)


def drive(frames: int = 5) -> list[Record]:
    """Give a drive: 20 pictures a second, and all else that a replay reads."""
    records = []
    for index in range(frames):
        at = START_NS + index * 50 * MILLISECOND
        records += [
            Record("/imu/data", imu(at, forward=1.0), at),
            Record("/odom", odometry(at, 5.0 + index), at + 1),
            Record("/driver/command", command(at, 0.05), at + 2),
            Record("/steering", number(-2.0), at + 3),
            Record("/camera/image_raw", image(at + 4, shift=index), at + 4),
        ]
    return records


def write(
    folder: Path,
    records: Iterable[Record],
    storage: str = "mcap",
    compression: CompressionMode = CompressionMode.NONE,
) -> Path:
    """Write a recording into a new folder."""
    writer = Writer(folder, version=9, storage_plugin=StoragePlugin[storage.upper()])
    if compression != CompressionMode.NONE:
        writer.set_compression(compression, CompressionFormat.ZSTD)
    connections: dict[str, Any] = {}
    with writer:
        for topic, message, stamp_ns in records:
            kind = message.__msgtype__
            if topic not in connections:
                connections[topic] = writer.add_connection(topic, kind, typestore=STORE)
            writer.write(connections[topic], stamp_ns, STORE.serialize_cdr(message, kind))
    return folder


def file_of(folder: Path) -> Path:
    """Give the one storage file of a recording."""
    return next(path for path in folder.iterdir() if path.name != "metadata.yaml")


if __name__ == "__main__":
    for storage in ("mcap", "sqlite3"):
        write(Path(sys.argv[1]) / storage, drive(frames=40), storage)
