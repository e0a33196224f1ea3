"""The picture with what the pilot makes of it, for whoever looks."""

from __future__ import annotations

import math
from dataclasses import replace

import cv2
import rclpy
from rclpy.node import Node

from edge_pilot import topics
from edge_pilot.card import CameraModel, resized
from edge_pilot.config import Config
from edge_pilot.nodes import cdr, ros
from edge_pilot.pipeline import Decision
from edge_pilot.replay import overlay
from edge_pilot.replay.ground import seen_by
from edge_pilot.types import Frame, Image

EVERY = 2  # pictures; so one in ten a second at 20 Hz
WIDTH_PX = 320  # of the picture that is drawn into; a larger one would cost too much
JPEG_QUALITY = 80
FRAME_ID = "camera_optical_frame"
# What the message's documentation says. image_transport's own "rgb8; jpeg compressed bgr8" is
# refused by some viewers (lichtblick-suite/lichtblick#585), and image_transport reads both.
FORMAT = "jpeg"


class DebugImage:
    """Publishes every second picture while somebody looks, and costs nothing else."""

    def __init__(self, node: Node, config: Config) -> None:
        self._config = config
        self._publisher = ros.publisher(node, topics.PILOT_DEBUG_IMAGE)
        self._count = 0

    def is_heard(self) -> bool:
        """Tell whether somebody looks."""
        return self._publisher.get_subscription_count() > 0

    def show(
        self, frame: Frame, decision: Decision, speed_mps: float, camera: CameraModel,
        own: CameraModel,
    ) -> None:  # fmt: skip
        """Draw and publish; it may run in another thread than the rest.

        `camera` took the frame; boxes of obstacles are in the picture of `own`, the model's.
        """
        self._count += 1
        if self._count % EVERY or not self.is_heard():
            return
        drawn = _draw(frame.image, decision, speed_mps, camera, own, self._config)
        bgr = cv2.cvtColor(drawn, cv2.COLOR_RGB2BGR)
        file = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1]
        message = cdr.write_compressed(frame.stamp_ns, FRAME_ID, FORMAT, file)
        try:
            self._publisher.publish(message)
        except RuntimeError:
            # A signal has shut ROS down in the meantime.
            if rclpy.ok():
                raise


def _draw(
    image: Image, decision: Decision, speed_mps: float, camera: CameraModel, own: CameraModel,
    config: Config,
) -> Image:  # fmt: skip
    shown = _reduced(camera)
    small = cv2.resize(image, (shown.width_px, shown.height_px), interpolation=cv2.INTER_AREA)
    obstacles = [
        replace(one, box_px=seen_by(one.box_px, own, shown)) if one.box_px else one
        for one in decision.obstacles
    ]
    mount = replace(config.camera, width_px=shown.width_px, height_px=shown.height_px,
                    focal_px=shown.fx_px)  # fmt: skip
    prediction = decision.prediction
    scalars = {
        "lane_offset_m": prediction.lane_offset_m,
        "path_std_m": float(prediction.path_std_m.max()),
        "speed_mps": speed_mps,
    }
    # What a broken network says is for the gate to refuse; here it is not drawn.
    said = {name: value for name, value in scalars.items() if math.isfinite(value)}
    command = decision.command if math.isfinite(decision.command.steering_rad) else None
    return overlay.draw(
        small, prediction.path, said, command, mount, [decision.reason], config.vehicle,
        obstacles, config.control,
    )  # fmt: skip


def _reduced(camera: CameraModel) -> CameraModel:
    """Give the camera with a picture of WIDTH_PX columns, where it has more."""
    share = min(1.0, WIDTH_PX / camera.width_px)
    return resized(camera, round(share * camera.width_px), round(share * camera.height_px))
