"""Watches a drive from outside and keeps what the report needs; it drives nothing."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any

import cv2
from diagnostic_msgs.msg import DiagnosticArray
from nav_msgs.msg import Path as PathMessage
from rclpy.node import Node
from sensor_msgs.msg import JointState, PointCloud2
from std_srvs.srv import Trigger

from edge_pilot import topics
from edge_pilot.nodes import clouds, messages, ros
from edge_pilot.types import Command, Obstacle, Path

JPEG_QUALITY = 90


@dataclass
class Seen:
    """Everything seen, by stamp in nanoseconds; filled while the drive goes on."""

    jpeg: OrderedDict[int, bytes] = field(default_factory=OrderedDict)
    truth: OrderedDict[int, dict[str, float]] = field(default_factory=OrderedDict)
    paths: dict[int, Path] = field(default_factory=dict)
    predictions: dict[int, dict[str, float]] = field(default_factory=dict)
    obstacles: dict[int, tuple[Obstacle, ...]] = field(default_factory=dict)
    commands: dict[int, Command] = field(default_factory=dict)  # by moment of decision
    decisions: dict[int, dict[str, str]] = field(default_factory=dict)  # likewise


class Observer(Node):
    """Subscribes to what the nodes say."""

    def __init__(self) -> None:
        super().__init__("observer")
        self.seen = Seen()
        ros.raw_subscription(self, topics.CAMERA, self._on_image)
        ros.subscription(self, topics.SIM_TRUTH, self._on_truth)
        ros.subscription(self, topics.PILOT_PATH, self._on_path)
        ros.subscription(self, topics.PILOT_PREDICTION, self._on_prediction)
        ros.subscription(self, topics.PILOT_OBSTACLES, self._on_obstacles)
        ros.subscription(self, topics.VEHICLE_COMMAND, self._on_command)
        ros.subscription(self, topics.SAFETY_STATE, self._on_state)
        self._engage = self.create_client(Trigger, "safety/engage")

    def ask_to_engage(self) -> Any:
        """Call `safety/engage`; gives the future of its answer, or None while nobody listens."""
        return (
            self._engage.call_async(Trigger.Request()) if self._engage.service_is_ready() else None
        )

    def _on_image(self, message: bytes, _: ros.MessageInfo) -> None:
        frame = messages.read_image(message)
        # Kept as JPEG, since a minute of pixels is 200 MB.
        bgr = cv2.cvtColor(frame.image, cv2.COLOR_RGB2BGR)
        quality = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
        self.seen.jpeg[frame.stamp_ns] = cv2.imencode(".jpg", bgr, quality)[1].tobytes()

    def _on_truth(self, message: JointState) -> None:
        stamp_ns = messages.to_ns(message.header.stamp)
        self.seen.truth[stamp_ns] = messages.read_scalars(message)

    def _on_path(self, message: PathMessage) -> None:
        path = messages.read_path(message)
        self.seen.paths[path.stamp_ns] = path

    def _on_prediction(self, message: JointState) -> None:
        stamp_ns = messages.to_ns(message.header.stamp)
        self.seen.predictions[stamp_ns] = messages.read_scalars(message)

    def _on_obstacles(self, message: PointCloud2) -> None:
        self.seen.obstacles[messages.to_ns(message.header.stamp)] = clouds.read_obstacles(message)

    def _on_command(self, message: JointState) -> None:
        command = messages.read_command(message)
        self.seen.commands[command.stamp_ns] = command

    def _on_state(self, message: DiagnosticArray) -> None:
        status = message.status[0]
        said = {item.key: item.value for item in status.values}
        stamp_ns = messages.to_ns(message.header.stamp)
        self.seen.decisions[stamp_ns] = {**said, "sentence": status.message}
