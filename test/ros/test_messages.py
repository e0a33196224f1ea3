"""Messages to values and back, without any process."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("rclpy")

from diagnostic_msgs.msg import DiagnosticStatus
from nav_msgs.msg import Odometry
from nav_msgs.msg import Path as PathMessage
from rclpy.serialization import deserialize_message, serialize_message
from ros import harness
from sensor_msgs.msg import CameraInfo, JointState, NavSatFix

from edge_pilot import topics
from edge_pilot.errors import ImageError, InputError
from edge_pilot.nodes import messages, ros
from edge_pilot.nodes.cameras import Cameras
from edge_pilot.types import Command, Path

pytestmark = [
    pytest.mark.ros,
    pytest.mark.filterwarnings("ignore:module 'sre_:DeprecationWarning"),  # a parser of rclpy's
]
STAMPS = st.integers(0, 2**31 * 10**9 - 1)
POINTS = np.array([[0.0, 0.0], [5.0, 0.5], [10.0, 2.0]])


def path(points=POINTS, **changed):
    written = messages.write_path(Path(7, np.array(points, np.float64).reshape(-1, 2)))
    message = deserialize_message(written, PathMessage)
    for name, value in changed.items():
        setattr(message.header, name, value)
    return message


def read_back(message):
    return deserialize_message(message, JointState)


@given(STAMPS)
def test_a_stamp_is_exact_to_the_nanosecond(stamp_ns):
    assert messages.to_ns(messages.to_stamp(stamp_ns)) == stamp_ns


@given(STAMPS, st.floats(allow_nan=False), st.floats(allow_nan=False))
def test_a_command_is_read_as_it_was_written(stamp_ns, steering, acceleration):
    command = Command(stamp_ns, steering, acceleration)
    assert messages.read_command(read_back(messages.write_command(command))) == command


def test_the_names_of_a_command_may_come_in_any_order():
    message = JointState(name=["acceleration", "more", "steering"], position=[1.0, 2.0, 0.1])
    assert messages.read_command(message) == Command(0, 0.1, 1.0)


@pytest.mark.parametrize(
    ("names", "numbers", "expected"),
    [
        (["steering"], [0.1], "expected a command that names steering and acceleration"),
        ([], [], "expected a command that names steering and acceleration"),
        (["steering", "acceleration"], [0.1], "expected one position for each of 2 names, got 1"),
        (["steering"], [0.1, 1.0], "expected one position for each of 1 names, got 2"),
    ],
)
def test_a_command_that_lacks_something_is_refused(names, numbers, expected):
    with pytest.raises(InputError, match=expected):
        messages.read_command(JointState(name=names, position=numbers))


def test_a_path_is_read_as_it_was_written():
    read = messages.read_path(path())
    assert read.stamp_ns == 7
    assert (read.points_m == POINTS).all()


def test_a_second_vehicle_s_base_link_is_one_too():
    assert messages.read_path(path(frame_id="second/base_link")).stamp_ns == 7


@pytest.mark.parametrize("frame_id", ["odom", ""])
def test_a_path_in_another_frame_is_refused(frame_id):
    with pytest.raises(InputError, match=f"expected a path in base_link, got one in '{frame_id}'"):
        messages.read_path(path(frame_id=frame_id))


@pytest.mark.parametrize(
    "points", [[], [[0, 0]], [[0, 0], [math.nan, 1]], [[0, 0], [1, -math.inf]], [[0, 0], [1e5, 0]]]
)
def test_a_path_that_leads_nowhere_is_refused(points):
    with pytest.raises(InputError, match="expected a path of two or more points within 10 km"):
        messages.read_path(path(points))


@pytest.mark.parametrize(("variance", "std"), [(0.04, 0.2), (0.0, 0.1), (-1.0, 0.1)])
def test_a_speed_has_the_deviation_of_its_covariance_if_it_gives_one(variance, std):
    message = harness.odometry(5, 8.0)
    message.twist.covariance[0] = variance
    said = messages.read_odometry(serialize_message(message))
    assert said == (5, 8.0, pytest.approx(std), 0.0)


def test_the_moment_of_arrival_may_stand_for_a_wrong_stamp():
    assert messages.read_imu(serialize_message(harness.inertial(5)), received_ns=9).stamp_ns == 9
    assert messages.read_odometry(serialize_message(Odometry()), received_ns=9).stamp_ns == 9


@pytest.mark.parametrize(
    ("variances", "kind", "std"),
    [((4.0, 9.0), 2, 3.0), ((4.0, 9.0), 0, 2.1), ((0.0, 0.0), 2, 2.1), ((math.nan, 1.0), 2, 2.1)],
)
def test_a_fix_has_the_deviation_of_its_covariance_if_it_gives_one(variances, kind, std):
    message = NavSatFix(latitude=48.0, longitude=11.0, position_covariance_type=kind)
    message.position_covariance[0], message.position_covariance[4] = variances
    assert messages.read_fix(message, received_ns=9) == (9, 48.0, 11.0, std)


def test_a_receiver_without_a_fix_says_nothing():
    message = NavSatFix(latitude=48.0, longitude=11.0)
    message.status.status = -1
    assert messages.read_fix(message) is None


def test_an_inertial_sample_is_read_axis_by_axis():
    message = harness.inertial(5, yaw_rate_radps=0.3, ay_mps2=1.5)
    sample = messages.read_imu(serialize_message(message))
    assert sample.acceleration_mps2 == (0.0, 1.5, 9.81)
    assert sample.angular_velocity_radps == (0.0, 0.0, 0.3)


def test_intrinsics_are_those_of_the_picture_as_it_was_taken():
    k = [500.0, 0.0, 310.0, 0.0, 510.0, 170.0, 0.0, 0.0, 1.0]
    camera = messages.read_camera(CameraInfo(width=640, height=360, k=k, d=[0.1, 0.2]))
    assert (camera.fx_px, camera.fy_px, camera.cx_px, camera.cy_px) == (500, 510, 310, 170)
    assert (camera.width_px, camera.height_px, camera.distortion) == (640, 360, (0.1, 0.2))


def test_a_camera_without_calibration_has_no_intrinsics():
    assert messages.read_camera(CameraInfo(width=640, height=360)) is None


def test_a_picture_is_read_from_its_serialized_message():
    frame = messages.read_image(serialize_message(harness.picture(11, (4, 2))))
    assert (frame.stamp_ns, frame.image.shape, frame.image.max()) == (11, (2, 4, 3), 128)
    frame = messages.read_compressed(serialize_message(harness.compressed_picture(12)))
    assert (frame.stamp_ns, frame.image.shape) == (12, (180, 320, 3))


def test_a_picture_that_contradicts_itself_is_refused():
    with pytest.raises(ImageError, match="expected one of the encodings"):
        messages.read_image(serialize_message(harness.picture(11, encoding="rgb99")))


def test_a_status_says_all_in_words():
    message = messages.write_diagnostics(
        5, "safety", DiagnosticStatus.WARN, "It stops.", {"state": "stopping", "code": 3}
    )
    expected = {"state": "stopping", "code": "3", "sentence": "It stops.", "stamp_ns": 5}
    assert harness.said(message) == expected
    assert (message.status[0].name, message.status[0].level) == ("safety", DiagnosticStatus.WARN)


@pytest.mark.parametrize("topic", topics.TOPICS)
def test_each_row_of_the_table_has_a_message_class_and_a_quality_of_service(topic):
    assert ros.message_class(topic.type).__name__ == topic.type.rsplit("/", maxsplit=1)[-1]
    assert topic.qos in ros.QOS


def test_of_pictures_that_wait_only_the_newest_is_used():
    with harness.probing() as probe:
        used = []
        cameras = Cameras(probe.node, lambda read: used.append(read().stamp_ns))
        probe.meet(topics.CAMERA)
        for stamp_ns in (1, 2, 3):
            probe.send(topics.CAMERA, harness.picture(stamp_ns))
        probe.until(lambda: used)
        probe.run(0.1)
    assert used == [3]
    assert cameras.counts() == {
        "frames_received": 3, "frames_lost": 0, "frames_superseded": 2,
    }  # fmt: skip
