"""The node that people write: what `edge_pilot bench` compares with.

    python bench/plain.py MODEL.onnx

It is put together as public nodes and tutorials mostly are: a typed subscription; the picture
through cv_bridge as "bgr8", whose Python side makes the rows contiguous and whose conversion
copies the pixels, though it be to the same encoding; the whole picture turned to RGB, since the
network was trained with that; a resize; /255, mean and deviation in NumPy's float32; the axes
turned and a batch of one; an ONNX Runtime session with its default options. Where such nodes
differ, the better way is taken: the sensors' QoS, a view of the message's data instead of a list,
a resize that averages (most leave the default, which skips pixels), arithmetic that stays float32.
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

MEAN = np.array([0.37, 0.37, 0.37], np.float32)
STD = np.array([0.22, 0.22, 0.22], np.float32)


class Plain(Node):
    """Answers each picture with a command."""

    def __init__(self, model: str) -> None:
        super().__init__("plain")
        self.session = ort.InferenceSession(model, providers=["CPUExecutionProvider"])
        self.height, self.width = self.session.get_inputs()[0].shape[2:]
        qos = qos_profile_sensor_data
        self.create_subscription(Image, "camera/image_raw", self.on_image, qos)
        self.create_subscription(
            CompressedImage, "camera/image_raw/compressed", self.on_compressed, qos
        )
        self.publisher = self.create_publisher(JointState, "pilot/command", 1)

    def on_image(self, message: Image) -> None:
        """Convert as cv_bridge does with "bgr8"."""
        shape = (message.height, message.step // 3, 3)
        rows = np.ndarray(shape, np.uint8, buffer=message.data)
        rows = np.ascontiguousarray(rows[:, : message.width])
        self.answer(message, rows.copy())

    def on_compressed(self, message: CompressedImage) -> None:
        """Decode likewise."""
        data = np.frombuffer(message.data, np.uint8)
        self.answer(message, cv2.imdecode(data, cv2.IMREAD_COLOR))

    def answer(self, message: Image | CompressedImage, bgr: np.ndarray) -> None:
        """Resize, normalise, ask the network, publish."""
        rgb = cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)
        small = cv2.resize(rgb, (self.width, self.height), interpolation=cv2.INTER_AREA)
        image = (small.astype(np.float32) / 255.0 - MEAN) / STD
        tensor = np.expand_dims(np.transpose(image, (2, 0, 1)), axis=0)
        state = np.zeros((1, 2), np.float32)
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
