"""The picture for whoever looks: what is in it, and how often it comes."""

from __future__ import annotations

import time
from array import array

import cv2
import fakes
import numpy as np
import pytest

pytest.importorskip("rclpy")
pytest.importorskip("onnx")

from ros import harness
from sensor_msgs.msg import PointCloud2

from edge_pilot import topics
from edge_pilot.card import pinhole
from edge_pilot.config import Config
from edge_pilot.nodes import cdr, debug, messages
from edge_pilot.nodes.clouds import write_obstacles
from edge_pilot.nodes.observer import read_obstacles
from edge_pilot.perception.heads import decode
from edge_pilot.pipeline import Decision
from edge_pilot.types import UNKNOWN, Command, Frame, Obstacle

pytestmark = [
    pytest.mark.ros,
    pytest.mark.filterwarnings("ignore:module 'sre_:DeprecationWarning"),  # a parser of rclpy's
]
BOX_PX = (140.0, 80.0, 180.0, 110.0)
CAR = Obstacle(5, "vehicle", 0.75, 20.0, 0.5, -1.0, 0.25, 1.8, 0.1, 0.1, BOX_PX)
POST = Obstacle(5, UNKNOWN, 0.5, 9.0, 3.0, 0.0, 0.0, 0.5, 0.1, 0.1, None)
GREY = np.full((180, 320, 3), 100, np.uint8)


class Outlet:
    """A publisher with so many listeners."""

    def __init__(self, listeners):
        self.sent, self.listeners = [], listeners

    def get_subscription_count(self):
        return self.listeners

    def publish(self, message):
        self.sent.append(message)


class Node:
    """Has one outlet."""

    def __init__(self, listeners):
        self.outlet = Outlet(listeners)

    def create_publisher(self, *row):
        return self.outlet


def show(listeners=1, count=2, image=GREY, path_m=None, obstacles=(CAR, POST)):
    """Show the same frame several times, and give the messages."""
    node, size = Node(listeners), image.shape
    camera = pinhole(Config().camera)
    wide = camera.__class__(size[1], size[0], 190.0 * size[1] / 320, 190.0 * size[1] / 320,
                            0.5 * (size[1] - 1), 0.5 * (size[0] - 1))  # fmt: skip
    prediction = decode(fakes.outputs(path_m), fakes.CARD, 5)
    decision = Decision(prediction, tuple(obstacles), (), Command(5, 0.0, -1.0), "Drives.")
    picture = debug.DebugImage(node, Config())
    for _ in range(count):
        picture.show(Frame(5, image), decision, 8.0, wide, camera)
    return node.outlet.sent


def pixels(message):
    return cv2.imdecode(
        np.frombuffer(cdr.compressed(message).data, np.uint8), cv2.IMREAD_COLOR_RGB
    )


def is_vermilion(picture):
    return picture[..., 0].astype(int) > picture[..., 1] + 60


def test_every_second_picture_is_shown():
    assert len(show(count=7)) == 3


def test_nothing_is_drawn_while_nobody_looks():
    assert show(listeners=0, count=7) == []


def test_it_is_a_jpeg_with_the_stamp_of_its_picture():
    (message,) = show()

    assert cdr.compressed(message)[:2] == (5, "jpeg")
    assert pixels(message).shape == (360, 640, 3)


@pytest.mark.parametrize("enlarged", [1, 2])
def test_a_box_is_where_the_model_saw_it_whatever_the_size_of_the_picture(enlarged):
    image = np.repeat(np.repeat(GREY, enlarged, 0), enlarged, 1)

    drawn = is_vermilion(pixels(show(image=image, obstacles=[CAR])[0]))  # the car brakes for it
    rows, columns = np.nonzero(drawn[180:240])  # below its label, above the gauges

    assert (columns.min(), columns.max()) == (pytest.approx(280, abs=3), pytest.approx(360, abs=3))
    assert rows.max() == pytest.approx(220 - 180, abs=3)


def test_what_a_broken_network_says_does_not_break_it():
    assert len(show(path_m=np.full(9, np.nan))) == 1


def test_obstacles_come_through_their_message():
    read = read_obstacles(write_obstacles(5, [CAR, POST]))

    assert [(one.kind, one.x_m, one.y_m, one.vx_mps, one.box_px) for one in read] == [
        ("vehicle", 20.0, 0.5, -1.0, CAR.box_px), (UNKNOWN, 9.0, 3.0, 0.0, None)
    ]  # fmt: skip
    assert read[0].stamp_ns == 5


def test_no_obstacle_is_a_message_too():
    assert read_obstacles(write_obstacles(5, [])) == ()


def test_a_cloud_of_another_layout_is_refused():
    with pytest.raises(ValueError, match="unpack"):
        read_obstacles(PointCloud2(width=1, point_step=12, data=array("B", bytes(12))))


def test_the_pilot_shows_it_to_who_subscribes(tmp_path):
    model = fakes.write_model(tmp_path)
    with harness.probing() as probe, harness.running("pilot", pilot__model=model):
        probe.listen(topics.PILOT_DEBUG_IMAGE, topics.PILOT_COMMAND)
        probe.meet(topics.CAMERA, topics.IMU)

        def feed():
            stamp_ns = time.time_ns()
            probe.send(topics.IMU, harness.inertial(stamp_ns))
            probe.send(topics.CAMERA, harness.picture(stamp_ns))

        heard = probe.heard[topics.PILOT_DEBUG_IMAGE]
        probe.until(lambda: len(heard) >= 3, feed)

        commands = probe.heard[topics.PILOT_COMMAND]
        stamps = {messages.to_ns(one.header.stamp) for one in commands}
    assert len(heard) <= len(commands) // 2 + 1
    assert {messages.to_ns(one.header.stamp) for one in heard} <= stamps
