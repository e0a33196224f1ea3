"""Clouds and obstacles as messages, and as the pilot takes and gives them."""

from __future__ import annotations

import time

import numpy as np
import pytest

pytest.importorskip("rclpy")

import fakes
from rclpy.serialization import serialize_message
from ros import harness

from edge_pilot import lidar, topics
from edge_pilot.config import LidarConfig
from edge_pilot.nodes import cdr, clouds, messages, sensor_messages
from edge_pilot.types import KINDS, UNKNOWN, Obstacle

pytestmark = [
    pytest.mark.ros,
    pytest.mark.filterwarnings("ignore:module 'sre_:DeprecationWarning"),  # a parser of rclpy's
]
SEEN = Obstacle(9, "vehicle", 0.75, 20.0, -1.0, 3.0, 4.0, 1.5, 0.2, 0.5, (10.0, 20.0, 30.0, 60.0))
UNSEEN = Obstacle(9, UNKNOWN, 0.5, 8.0, 2.0, 0.0, 0.0, 0.0, 0.2, 0.5)
POINTS = np.array([[5.0, 1.0, -1.0], [6.0, -2.0, 0.5]], np.float32)


def rows(message):
    """Give what a PointCloud2 of float32 holds, (N, columns)."""
    assert [field.offset for field in message.fields] == list(range(0, message.point_step, 4))
    return np.frombuffer(message.data, "<f4").reshape(-1, len(message.fields))


def test_a_cloud_of_the_simulator_is_read_as_it_was_written():
    cloud = cdr.cloud(serialize_message(sensor_messages.points(7, POINTS)))
    assert cloud.stamp_ns == 7
    np.testing.assert_array_equal(lidar.read(cloud), POINTS)


def test_obstacles_have_place_speed_class_score_and_box():
    message = clouds.write_obstacles(9, [SEEN, UNSEEN])
    seen, unseen = rows(message)
    assert tuple(field.name for field in message.fields) == clouds.COLUMNS
    assert (messages.to_ns(message.header.stamp), message.header.frame_id) == (9, "base_link")
    kind = KINDS.index("vehicle")
    assert seen.tolist() == [20.0, -1.0, 0.0, 3.0, 4.0, kind, 0.75, 20.0, 40.0, 20.0, 40.0]
    assert unseen[5] == -1.0 and np.isnan(unseen[7:]).all()


def test_obstacles_can_be_read_back_as_a_cloud():
    message = serialize_message(clouds.write_obstacles(9, [SEEN, UNSEEN]))
    points = lidar.read(cdr.cloud(message))
    assert points.tolist() == [[20.0, -1.0, 0.0], [8.0, 2.0, 0.0]]


def test_no_obstacle_is_a_cloud_without_points():
    message = clouds.write_obstacles(9, [])
    assert (message.width, len(message.data)) == (0, 0)


def test_markers_are_a_box_and_a_text_each_that_vanish_by_themselves():
    box, text = clouds.write_markers(9, [SEEN]).markers
    assert (text.text, box.scale.y, box.pose.position.x) == ("vehicle 5.0 m/s", 1.5, 20.0)
    assert min(marker.lifetime.nanosec for marker in (box, text)) > 0


@pytest.fixture
def scans():
    with harness.probing() as probe:
        kept = clouds.Scans(probe.node, LidarConfig(), lambda: None)
        probe.meet(topics.LIDAR)

        def send(message):
            before = kept.counts()["scans_received"]
            probe.send(topics.LIDAR, message)
            probe.until(lambda: kept.counts()["scans_received"] > before)

        yield kept, send


def test_a_scan_is_placed_and_given_once(scans):
    kept, send = scans
    send(sensor_messages.points(10**9, POINTS))
    scan = kept.take(10**9 + 200_000_000)
    np.testing.assert_allclose(scan.points_m, POINTS + np.float32([1.0, 0.0, 1.9]), rtol=1e-6)
    assert kept.take(10**9 + 200_000_000) is None
    assert kept.counts()["scans_used"] == 1


@pytest.mark.parametrize("late_ms", [-400, 400])
def test_a_scan_of_another_time_than_the_picture_is_counted_and_not_used(scans, late_ms):
    kept, send = scans
    send(sensor_messages.points(10**9, POINTS))
    assert kept.take(10**9 + late_ms * 1_000_000) is None
    assert kept.counts()["scans_late"] == 1


def test_a_scan_that_cannot_be_read_is_counted_and_said(scans):
    kept, send = scans
    message = sensor_messages.points(10**9, POINTS)
    message.width = 3
    send(message)
    assert kept.take(10**9) is None
    assert kept.counts()["scans_failed"] == 1
    assert "expected rows of at least 36 bytes for 3 points" in kept.last_error


def test_what_a_lidar_sees_leaves_the_pilot_as_an_obstacle(tmp_path):
    model = fakes.write_model(tmp_path, fakes.outputs(fakes.bend(1000.0), 0.001))
    post = np.stack(np.meshgrid([14.0], [0.0, 0.2], np.arange(-1.5, 0.0, 0.1)), -1)
    cloud = post.reshape(-1, 3).astype(np.float32)
    outputs = topics.PILOT_OBSTACLES, topics.PILOT_OBSTACLE_MARKERS
    with harness.probing() as probe, harness.running("pilot", pilot__model=model):
        probe.listen(*outputs)
        probe.meet(topics.CAMERA, topics.IMU, topics.LIDAR)

        def feed():
            stamp_ns = time.time_ns()
            probe.send(topics.IMU, harness.inertial(stamp_ns))
            probe.send(topics.LIDAR, sensor_messages.points(stamp_ns, cloud))
            probe.send(topics.CAMERA, harness.picture(stamp_ns))

        obstacles, markers = (probe.heard[row] for row in outputs)
        probe.until(lambda: any(one.width for one in obstacles), feed)
        found = next(rows(one)[0] for one in obstacles if one.width)
        assert found[0] == pytest.approx(15.0, abs=0.2)
        assert probe.until(lambda: [one for one in markers if one.markers], feed)
