"""The node that people write: what `edge_pilot bench` compares with.

    python bench/plain.py MODEL.onnx

Typed messages, a conversion as cv_bridge does it, a resize that averages, NumPy, ONNX Runtime
with one thread.
"""

import sys

import cv2
import numpy as np
import onnxruntime as ort
import rclpy
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import CompressedImage, Image, JointState


class Plain(Node):
    """Answers each picture with a command."""

    def __init__(self, model: str) -> None:
        super().__init__("plain")
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        self.height, self.width = self.session.get_inputs()[0].shape[2:]
        qos = qos_profile_sensor_data
        self.create_subscription(Image, "camera/image_raw", self.on_image, qos)
        self.create_subscription(
            CompressedImage, "camera/image_raw/compressed", self.on_compressed, qos
        )
        self.publisher = self.create_publisher(JointState, "pilot/command", 1)

    def on_image(self, message: Image) -> None:
        """Convert as cv_bridge does with "rgb8"."""
        pixels = np.frombuffer(message.data, np.uint8)
        image = pixels.reshape(message.height, message.width, 3)
        self.answer(message, cv2.cvtColor(image, cv2.COLOR_BGR2RGB))

    def on_compressed(self, message: CompressedImage) -> None:
        """Decode likewise."""
        image = cv2.imdecode(np.frombuffer(message.data, np.uint8), cv2.IMREAD_COLOR)
        self.answer(message, cv2.cvtColor(image, cv2.COLOR_BGR2RGB))

    def answer(self, message: Image | CompressedImage, image: np.ndarray) -> None:
        """Resize, normalise, ask the network, publish."""
        small = cv2.resize(image, (self.width, self.height), interpolation=cv2.INTER_AREA)
        tensor = ((small.astype(np.float32) / 255.0 - 0.37) / 0.22).transpose(2, 0, 1)[None]
        state = np.array([[0.0, 0.0]], np.float32)
        outputs = self.session.run(None, {"image": tensor, "state": state})
        command = JointState(name=["steering", "acceleration"])
        command.position = [float(outputs[2][0, 0]), 0.0]
        command.header.stamp = message.header.stamp
        self.publisher.publish(command)


def main() -> None:
    """Spin until a signal."""
    rclpy.init()
    try:
        rclpy.spin(Plain(sys.argv[1]))
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    finally:
        rclpy.try_shutdown()


if __name__ == "__main__":
    main()
