"""Real nodes as processes, and a probe beside them that feeds and hears them.

A test waits for a condition by spinning, never by sleeping.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from array import array
from collections import defaultdict
from collections.abc import Callable
from contextlib import contextmanager

import numpy as np
import rclpy
from nav_msgs.msg import Odometry
from rclpy.qos import QoSProfile
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, Imu, JointState
from std_srvs.srv import Trigger

from edge_pilot import topics
from edge_pilot.nodes import messages, ros
from edge_pilot.types import Command, Path

DEADLINE_S = 10.0
ANSWER_S = 1.0
FEED_PERIOD_S = 0.05
SIZE = (320, 180)


class Process:
    """A node of this package, started as launch files do."""

    def __init__(self, node: str, *arguments: str, **parameters: object) -> None:
        given = [f"{name.replace('__', '.')}:={value}" for name, value in parameters.items()]
        options = [word for text in given for word in ("-p", text)]
        self._popen = subprocess.Popen(
            [sys.executable, "-m", f"edge_pilot.nodes.{node}", "--ros-args", *options, *arguments],
            stderr=subprocess.PIPE,
            text=True,
        )

    def is_alive(self) -> bool:
        """Tell whether it still runs."""
        return self._popen.poll() is None

    def end(
        self, number: signal.Signals = signal.SIGINT, times: int = 1
    ) -> tuple[int, str, float]:
        """Send a signal; give the exit status, what was said on stderr, and the seconds taken."""
        begun = time.monotonic()
        for _ in range(times):
            self._popen.send_signal(number)
        return *self.wait(), time.monotonic() - begun

    def wait(self) -> tuple[int, str]:
        """Wait for its end; give the exit status and what was said on stderr."""
        try:
            errors = self._popen.communicate(timeout=DEADLINE_S)[1]
        finally:
            self._popen.kill()
        return self._popen.returncode, errors


class Heard(defaultdict):
    """Lists of messages by topic; they keep their identity, since subscriptions fill them."""

    def __init__(self) -> None:
        super().__init__(list)

    def clear_all(self) -> None:
        """Forget all messages."""
        for kept in self.values():
            kept.clear()


class Probe:
    """A node in the test's own process."""

    def __init__(self) -> None:
        rclpy.init()
        self.node = rclpy.create_node("probe")
        self.heard = Heard()
        self._publishers = {}

    def close(self) -> None:
        """Leave ROS."""
        self.node.destroy_node()
        rclpy.try_shutdown()

    def listen(self, *rows: topics.Topic) -> None:
        """Keep what comes by these topics in `heard`, by the topic's row.

        A long queue keeps both of two messages that come at once.
        """
        for row in rows:
            qos = ros.QOS[row.qos]
            long = QoSProfile(depth=100, reliability=qos.reliability, durability=qos.durability)
            kind = ros.message_class(row.type)
            self.node.create_subscription(kind, row.name, self.heard[row].append, long)

    def send(self, row: topics.Topic, message: object) -> None:
        """Publish."""
        self.publisher(row).publish(message)

    def publisher(self, row: topics.Topic) -> object:
        """Give the publisher of a row; there is one for each."""
        if row not in self._publishers:
            self._publishers[row] = ros.publisher(self.node, row)
        return self._publishers[row]

    def meet(self, *rows: topics.Topic) -> None:
        """Wait until somebody hears each of these topics."""
        publishers = [self.publisher(row) for row in rows]
        self.until(lambda: all(p.get_subscription_count() for p in publishers))

    def until(
        self,
        condition: Callable[[], object],
        feed: Callable[[], None] = lambda: None,
        limit_s: float = DEADLINE_S,
    ) -> object:
        """Spin until the condition is true, calling `feed` 20 times a second; give its value."""
        deadline, due = time.monotonic() + limit_s, 0.0
        while not (value := condition()):
            now = time.monotonic()
            assert now < deadline, f"nothing of what was waited for came within {limit_s} s"
            if now >= due:
                feed()
                due = now + FEED_PERIOD_S
            rclpy.spin_once(self.node, timeout_sec=0.005)
        return value

    def run(self, seconds: float, feed: Callable[[], None] = lambda: None) -> None:
        """Spin for a while."""
        end = time.monotonic() + seconds
        self.until(lambda: time.monotonic() >= end, feed, limit_s=seconds + 1.0)

    def call(self, name: str, kind: object = Trigger, request: object = None) -> object:
        """Call a service and give its answer; ask again where that is lost, as DDS permits."""
        client = self.node.create_client(kind, name)
        deadline = time.monotonic() + DEADLINE_S
        while time.monotonic() < deadline:
            self.until(client.service_is_ready)
            future = client.call_async(request or kind.Request())
            due = time.monotonic() + ANSWER_S
            self.until(lambda future=future, due=due: future.done() or time.monotonic() > due)
            if future.done():
                break
        self.node.destroy_client(client)
        assert future.done(), f"expected an answer of {name} within {DEADLINE_S} s"
        return future.result()


@contextmanager
def probing() -> Probe:
    """Give a probe that leaves ROS at the end."""
    probe = Probe()
    try:
        yield probe
    finally:
        probe.close()


@contextmanager
def running(node: str, *arguments: str, **parameters: object) -> Process:
    """Give a node's process that ends with the test."""
    process = Process(node, *arguments, **parameters)
    try:
        yield process
    finally:
        if process.is_alive():
            process.end()


def picture(stamp_ns: int, size: tuple[int, int] = SIZE, encoding: str = "rgb8") -> Image:
    """Give a grey picture."""
    width, height = size
    data = array("B", bytes([128]) * (width * height * 3))
    message = Image(width=width, height=height, encoding=encoding, step=3 * width, data=data)
    message.header.stamp = messages.to_stamp(stamp_ns)
    return message


def compressed_picture(stamp_ns: int) -> CompressedImage:
    """Give a grey picture as JPEG."""
    import cv2

    file = cv2.imencode(".jpg", np.full((SIZE[1], SIZE[0], 3), 128, np.uint8))[1]
    message = CompressedImage(format="jpeg", data=array("B", file.tobytes()))
    message.header.stamp = messages.to_stamp(stamp_ns)
    return message


def camera_info(size: tuple[int, int]) -> CameraInfo:
    """Give the intrinsics of the default camera at another size."""
    width, height = size
    focal = 190.0 * width / SIZE[0]
    k = [focal, 0.0, width / 2, 0.0, focal, height / 2, 0.0, 0.0, 1.0]
    return CameraInfo(width=width, height=height, distortion_model="plumb_bob", d=[0.0] * 5, k=k)


def inertial(stamp_ns: int, yaw_rate_radps: float = 0.0, ay_mps2: float = 0.0) -> Imu:
    """Give an inertial sample."""
    message = Imu()
    message.header.stamp = messages.to_stamp(stamp_ns)
    message.linear_acceleration.y, message.linear_acceleration.z = ay_mps2, 9.81
    message.angular_velocity.z = yaw_rate_radps
    return message


def odometry(stamp_ns: int, speed_mps: float) -> Odometry:
    """Give a measured speed."""
    message = Odometry()
    message.header.stamp = messages.to_stamp(stamp_ns)
    message.twist.twist.linear.x = speed_mps
    message.twist.covariance[0] = 1e-4
    return message


def proposal(
    stamp_ns: int, steering_rad: float = 0.0, acceleration_mps2: float = 1.0
) -> JointState:
    """Give what a pilot proposes."""
    return messages.write_command(Command(stamp_ns, steering_rad, acceleration_mps2))


def planned(stamp_ns: int, points_m: np.ndarray) -> object:
    """Give a path."""
    return messages.write_path(Path(stamp_ns, points_m))


def said(message: object) -> dict[str, str]:
    """Give the values of a DiagnosticArray's only status, its message and its stamp."""
    (status,) = message.status
    values = {item.key: item.value for item in status.values}
    return values | {"sentence": status.message, "stamp_ns": messages.to_ns(message.header.stamp)}
