"""The least that a Python node can do: what `edge_pilot bench` measures everything against.

    python bench/floor.py MODEL.onnx

It receives serialized pictures, looks at the stamp alone, runs the same network on a tensor that
never changes, and publishes a command. Nothing else.
"""

import struct
import sys

import numpy as np
import onnxruntime as ort
import rclpy
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import CompressedImage, Image, JointState


class Floor(Node):
    """Answers each picture with a command."""

    def __init__(self, model: str) -> None:
        super().__init__("floor")
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        shape = self.session.get_inputs()[0].shape[2:]
        self.inputs = {
            "image": np.zeros((1, 3, *shape), np.float32),
            "state": np.zeros((1, 2), np.float32),
        }
        for kind, name in ((Image, "image_raw"), (CompressedImage, "image_raw/compressed")):
            self.create_subscription(
                kind, f"camera/{name}", self.answer, qos_profile_sensor_data, raw=True
            )
        self.publisher = self.create_publisher(JointState, "pilot/command", 1)

    def answer(self, message: bytes) -> None:
        """Ask the network and publish."""
        outputs = self.session.run(None, self.inputs)
        command = JointState(name=["steering", "acceleration"])
        command.position = [float(outputs[2][0, 0]), 0.0]
        stamp = command.header.stamp
        stamp.sec, stamp.nanosec = struct.unpack_from("<iI", message, 4)
        self.publisher.publish(command)


def main() -> None:
    """Spin until a signal."""
    rclpy.init()
    try:
        rclpy.spin(Floor(sys.argv[1]))
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    finally:
        rclpy.try_shutdown()


if __name__ == "__main__":
    main()
