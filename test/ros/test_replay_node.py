"""The replay node as a process: what others hear of a recording."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections import defaultdict

import pytest
from replay.make_bags import START_NS, Record, camera_info, command, drive, number, write

from edge_pilot import topics
from edge_pilot.replay.bags import open_bag
from edge_pilot.replay.stamps import header_stamp, restamp

rclpy = pytest.importorskip("rclpy")
ros = pytest.importorskip("edge_pilot.nodes.ros")
SetBool = pytest.importorskip("std_srvs.srv").SetBool
QoSProfile = pytest.importorskip("rclpy.qos").QoSProfile

pytestmark = [
    pytest.mark.ros,
    pytest.mark.filterwarnings("ignore:module 'sre_:DeprecationWarning"),  # a parser of rclpy's
]
FRAMES = 8
RECORDED = {
    topics.CAMERA: "/camera/image_raw",
    topics.IMU: "/imu/data",
    topics.ODOM: "/odom",
}
HEARD = (*RECORDED, topics.CAMERA_INFO, topics.DRIVER_COMMAND, topics.CLOCK)


def start(bag, **parameters):
    given = {"bag": bag, **parameters}
    command_line = [sys.executable, "-m", "edge_pilot.nodes.replay", "--ros-args"]
    for name, value in given.items():
        command_line += ["-p", f"replay.{name}:={value}"]
    return subprocess.Popen(command_line, stderr=subprocess.PIPE, text=True)


@pytest.fixture(scope="module")
def bag(tmp_path_factory):
    return write(tmp_path_factory.mktemp("bags") / "drive", drive(FRAMES))


@pytest.fixture
def observer():
    """Give a node that keeps what it hears, as serialized messages by topic, in `heard`."""
    rclpy.init()
    node = rclpy.create_node("observer")
    node.heard = defaultdict(list)
    for topic in HEARD:
        qos = with_room(ros.QOS[topic.qos])
        kind = ros.message_class(topic.type)
        node.create_subscription(kind, topic.name, node.heard[topic.name].append, qos, raw=True)
    yield node
    node.destroy_node()
    rclpy.try_shutdown()


def with_room(qos):
    """Give the same quality with room for all, so that a busy machine loses nothing."""
    return QoSProfile(depth=100, reliability=qos.reliability)


def listen(node, process, until=lambda: False, limit_s=20.0):
    """Listen until the process ends or `until` is true."""
    deadline = time.monotonic() + limit_s
    while process.poll() is None and not until():
        assert time.monotonic() < deadline, "the replay takes too long"
        rclpy.spin_once(node, timeout_sec=0.05)
    return process


def end(process):
    _, errors = process.communicate(timeout=10)
    return process.returncode, errors


def recorded(bag, name):
    with open_bag(bag) as opened:
        return [message.data for message in opened.messages([name])]


def test_a_bag_is_played_once_with_new_stamps(bag, observer):
    before_ns = time.time_ns()

    status, errors = end(listen(observer, start(bag)))

    assert status == 0 and "Traceback" not in errors
    for topic, source in RECORDED.items():
        heard, original = observer.heard[topic.name], recorded(bag, source)
        stamps = [header_stamp(data) for data in heard]
        assert before_ns < stamps[0] and stamps[-1] < time.time_ns()
        assert [later - stamps[0] for later in stamps] == [i * 50_000_000 for i in range(FRAMES)]
        old_stamps = [header_stamp(data) for data in original]
        assert [*map(restamp, heard, old_stamps)] == original
    assert observer.heard[topics.DRIVER_COMMAND.name]
    assert not observer.heard[topics.CLOCK.name]


def test_original_stamps_come_with_a_clock(bag, observer):
    status, _ = end(listen(observer, start(bag, stamps="original", rate=0.5)))

    assert status == 0
    assert observer.heard[topics.CAMERA.name] == recorded(bag, "/camera/image_raw")
    clock = [header_stamp(data) - START_NS for data in observer.heard[topics.CLOCK.name]]
    assert clock == sorted(clock) and len(clock) > 40
    assert clock[0] < 50_000_000 and 340_000_000 < clock[-1] < 500_000_000


def test_a_loop_goes_on_until_it_is_interrupted(bag, observer):
    pictures = observer.heard[topics.CAMERA.name]
    process = start(bag, loop="true", rate=4.0)

    listen(observer, process, until=lambda: len(pictures) > FRAMES)
    process.send_signal(signal.SIGINT)

    status, errors = end(process)
    assert status == 0 and "Traceback" not in errors
    stamps = [header_stamp(data) for data in pictures]
    assert len(stamps) > FRAMES and stamps == sorted(stamps)


def no_camera(folder):
    return write(folder / "bag", [Record("/b", command(1, 0.0), 1), Record("/c", number(0.0), 1)])


@pytest.mark.parametrize(
    ("make_bag", "expected"),
    [
        (lambda folder: folder / "nothing", "got nothing there"),
        (lambda folder: "''", "expected a path in the parameter replay.bag, got none"),
        (no_camera, "got /b (sensor_msgs/msg/JointState), /c (std_msgs/msg/Float32)"),
    ],
)
def test_a_bad_bag_is_one_line_and_status_2(tmp_path, make_bag, expected):
    status, errors = end(start(make_bag(tmp_path)))

    assert status == 2
    assert errors.count("\n") == 1 and errors.startswith("expected ") and expected in errors


def test_the_intrinsics_are_played_too(tmp_path, observer):
    infos = [Record("/camera/camera_info", camera_info(START_NS), START_NS)]

    status, _ = end(listen(observer, start(write(tmp_path / "bag", drive(2) + infos))))

    assert status == 0 and len(observer.heard[topics.CAMERA_INFO.name]) == 1


def test_a_part_is_played_after_a_pause(bag, observer):
    pictures = observer.heard[topics.CAMERA.name]
    process = start(bag, start_s=0.1, end_s=0.26, paused="true")
    client = observer.create_client(SetBool, "replay/pause")
    assert client.wait_for_service(10.0)
    time.sleep(3.0)  # until it would long have played
    assert not pictures

    client.call_async(SetBool.Request(data=False))
    status, errors = end(listen(observer, process))

    assert status == 0 and "Traceback" not in errors
    assert len(pictures) == 4
