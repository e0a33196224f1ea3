"""Logs of other kinds, whole and dirty, as topics and messages."""

from __future__ import annotations

import math

import numpy as np
import pytest
from replay import make_bags, make_logs
from rosbags.rosbag1 import Writer as Writer1
from rosbags.typesys import Stores, get_typestore

from edge_pilot.errors import BagError, ConfigError
from edge_pilot.replay import logs
from edge_pilot.replay.bags import decode
from edge_pilot.units import steering_factor

FULL = math.radians(25.0)


def values(log, name):
    return [decode(message) for message in log.messages([name])]


def steering(log):
    return [m.position[m.name.index("steering")] for m in values(log, "/driver/command")]


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (make_logs.tub, "donkeycar"),
        (make_logs.udacity, "udacity"),
        (make_logs.kitti, "kitti"),
        (lambda p: make_logs.carla(p.with_suffix(".log")), "carla"),
        (lambda p: make_bags.write(p, make_bags.drive(2)), "rosbag2"),
    ],
)
def test_the_kind_of_a_log_is_found_out(tmp_path, make, kind):
    path = make(tmp_path / "log")

    assert logs.parse(str(path)) == (kind, path)
    assert logs.parse(f"{kind}:{path}") == (kind, path)


def test_a_kind_that_is_not_known_is_refused():
    with pytest.raises(BagError, match="expected a kind of donkeycar, udacity"):
        logs.parse("tesla:somewhere")


def test_a_tub_gives_pictures_as_they_are_and_steering_to_the_left(tmp_path):
    folder = make_logs.tub(tmp_path / "tub", 20)

    with logs.open_log(folder) as log:
        pictures = values(log, "/camera/image_raw/compressed")
        assert bytes(pictures[3].data) == (folder / "images" / "3.jpg").read_bytes()
        assert steering(log) == pytest.approx([-FULL * a for a in make_logs.angles(20)])
        assert not log.skipped.lines()


def test_a_dirty_tub_is_counted_and_passed_over(tmp_path):
    with logs.open_log(make_logs.dirty_tub(tmp_path / "tub")) as log:
        damaged, unused = log.skipped.damaged, log.skipped.unused
        kept = {topic.name: topic.count for topic in log.topics}

    assert damaged["a line that is cut or no JSON"] == 1
    assert damaged["a line that is no record"] == 1
    assert damaged["a record without a number in user/angle"] == 1
    assert damaged["a picture file of 0 bytes"] == 1
    assert damaged["a picture that is cut or none"] == 1
    assert sum(n for reason, n in damaged.items() if reason.startswith("no picture file")) == 1
    assert (
        damaged["a run of NUL bytes in a catalog"] == damaged["no catalog catalog_1.catalog"] == 1
    )
    assert unused["a record that its owner has deleted"] == 2
    assert kept["/driver/command"] == kept["/camera/image_raw/compressed"] == 40 - 6 - 2


@pytest.mark.parametrize("damage", ["", "\0\0\0", "{", '[]\n{"paths": 7}'])
def test_a_tub_without_a_readable_manifest_is_read_whole(tmp_path, damage):
    folder = make_logs.tub(tmp_path / "tub", 5)
    (folder / "manifest.json").write_text(damage)

    with logs.open_log(folder) as log:
        assert len(steering(log)) == 5
        assert sum(log.skipped.damaged.values()) == 1


def test_a_udacity_log_has_windows_paths_and_miles(tmp_path):
    with logs.open_log(make_logs.udacity(tmp_path / "u")) as log:
        speeds = [m.twist.twist.linear.x for m in values(log, "/odom")]
        stamps = [m.stamp_ns for m in log.messages(["/odom"])]
        assert steering(log) == pytest.approx([-FULL * a for a in make_logs.angles(30)])
        assert log.skipped.damaged == {"row that is no row (fewer than 7 fields)": 1}
        assert sum(log.skipped.unused.values()) == 60  # the side pictures are not there

    assert speeds == pytest.approx([10.0] * 30, rel=1e-3)
    assert set(np.diff(stamps)) == {100_000_000}


def test_a_kitti_drive_has_motion_and_pictures(tmp_path):
    with logs.open_log(make_logs.kitti(tmp_path / "k")) as log:
        imu, speed = values(log, "/imu/data")[0], values(log, "/odom")[0]
        fix = values(log, "/gps/fix")[0]
        stamps = [m.stamp_ns for m in log.messages(["/camera/image_raw/compressed"])]

    assert (imu.linear_acceleration.z, imu.angular_velocity.z) == (9.8, 0.3)
    assert speed.twist.twist.linear.x == 10.0 and fix.latitude == 49.0
    assert len(stamps) == 10 and set(np.diff(stamps)) == {100_000_000}


def test_a_carla_recording_has_what_its_hero_did(tmp_path):
    with logs.open_log(make_logs.carla(tmp_path / "r.log")) as log:
        assert steering(log) == pytest.approx([-0.1 * math.radians(70.0)] * 5)
        speeds = [m.twist.twist.linear.x for m in values(log, "/odom")]

    assert speeds == pytest.approx([10.0] * 4)


def test_a_carla_recording_that_is_cut_is_read_up_to_there(tmp_path):
    path = make_logs.carla(tmp_path / "r.log")
    path.write_bytes(path.read_bytes()[:-10])

    with logs.open_log(path) as log:
        assert len(steering(log)) == 4
        assert log.skipped.damaged == {"a packet that is cut, and all after it": 1}


def test_a_rosbag_of_ros_1_is_read_in_the_form_of_ros_2(tmp_path):
    store = get_typestore(Stores.ROS1_NOETIC)
    make = store.types
    stamp = make["builtin_interfaces/msg/Time"](sec=5, nanosec=6)
    header = make["std_msgs/msg/Header"](seq=1, stamp=stamp, frame_id="imu")
    vector = make["geometry_msgs/msg/Vector3"](x=1.0, y=2.0, z=3.0)
    nine = np.zeros(9)
    turn = make["geometry_msgs/msg/Quaternion"](x=0.0, y=0.0, z=0.0, w=1.0)
    imu = make["sensor_msgs/msg/Imu"](header, turn, nine, vector, nine, vector, nine)
    with Writer1(tmp_path / "old.bag") as writer:
        connection = writer.add_connection("/imu", imu.__msgtype__, typestore=store)
        writer.write(connection, 7, store.serialize_ros1(imu, imu.__msgtype__))

    with logs.open_log(tmp_path / "old.bag") as log:
        (got,) = values(log, "/imu")

    assert (got.header.stamp.sec, got.angular_velocity.y) == (5, 2.0)


@pytest.mark.parametrize(
    ("words", "factor"),
    [("rad", 1.0), ("deg,right", -math.pi / 180), ("full=25deg,right", -FULL),
     ("deg,wheel=16", math.pi / 180 / 16), ("-0.5", -0.5), ("full=0.4rad", 0.4)],
)  # fmt: skip
def test_a_steering_unit_is_said_in_words(words, factor):
    assert steering_factor(words) == pytest.approx(factor)


@pytest.mark.parametrize("words", ["", "degrees", "0", "full=25", "wheel=0", "nan", "deg,up"])
def test_other_words_are_refused(words):
    with pytest.raises(ConfigError, match="expected a steering unit"):
        steering_factor(words)
