"""Recorded messages become events, in order."""

from __future__ import annotations

import numpy as np
from replay.make_bags import (
    START_NS,
    Record,
    command,
    drive,
    image,
    imu,
    make,
    number,
    odometry,
    picture,
    write,
)

from edge_pilot.replay.bags import open_bag
from edge_pilot.replay.evaluate import Speed, Steering, Unreadable
from edge_pilot.replay.events import read_events, sample_stamps
from edge_pilot.replay.selection import select
from edge_pilot.replay.stamps import Clock, Sample
from edge_pilot.types import Frame, Imu

HEADER, RECORD = Clock("header", ""), Clock("record", "")


def events(tmp_path, records, clock=RECORD, steering="", scale=1.0):
    with open_bag(write(tmp_path / "bag", records)) as bag:
        return list(read_events(bag, select(bag, steering=steering), clock, scale))


def test_each_message_becomes_what_it_says(tmp_path):
    inertia, speed, steering, frame = events(tmp_path, drive(frames=1))

    assert inertia == Imu(START_NS, (1.0, 0.0, 9.81), (0.0, 0.0, 0.0))
    assert speed == Speed(START_NS + 1, 5.0, 0.1)
    assert steering == Steering(START_NS + 2, 0.05)
    assert isinstance(frame, Frame) and frame.stamp_ns == START_NS + 4
    np.testing.assert_array_equal(frame.image, picture(0))


def test_a_plain_number_is_scaled_to_steering(tmp_path):
    found = events(tmp_path, drive(frames=1), steering="/steering", scale=-0.1)

    assert Steering(START_NS + 3, 0.2) in found


def test_the_covariance_of_odometry_is_its_spread(tmp_path):
    message = odometry(1, 4.0)
    message.twist.covariance[0] = 0.25

    found = events(tmp_path, [Record("/odom", message, 1), Record("/camera", image(2), 2)])

    assert found[0] == Speed(1, 4.0, 0.5)


def test_header_stamps_put_late_messages_in_order(tmp_path):
    early, late = START_NS + 10_000_000, START_NS + 200_000_000
    times = range(START_NS, START_NS + 300_000_000, 20_000_000)
    samples = [Record("/imu", imu(stamp), stamp) for stamp in times]

    found = events(tmp_path, [Record("/camera", image(early), late), *samples], HEADER)

    stamps = [event.stamp_ns for event in found]
    assert stamps == sorted(stamps)
    assert isinstance(found[1], Frame)


def test_record_time_is_used_when_told(tmp_path):
    found = events(tmp_path, [Record("/camera", image(0), 7), Record("/camera", image(0), 9)])

    assert [event.stamp_ns for event in found] == [7, 9]


def test_a_picture_that_contradicts_itself_is_unreadable(tmp_path):
    broken = image(1)
    broken.height = 480

    found = events(tmp_path, [Record("/camera", broken, 1), Record("/camera", image(2), 2)])

    assert isinstance(found[0], Unreadable) and "expected 46080 bytes" in found[0].reason
    assert isinstance(found[1], Frame)


def test_a_command_that_names_no_steering_is_no_event(tmp_path):
    other = make("sensor_msgs/msg/JointState", **{**vars(command(1, 0.0)), "name": ["a", "b"]})
    records = [Record("/driver/command", other, 1), Record("/camera", image(2), 2)]

    assert len(events(tmp_path, records)) == 1


def test_stamps_are_sampled_with_and_without_a_header(tmp_path):
    records = [Record("/camera", image(5), 7), Record("/number", number(1.0), 8)]

    with open_bag(write(tmp_path / "bag", records)) as bag:
        samples = sample_stamps(bag, ["/camera", "/number"])

    assert samples == {"/camera": [Sample(5, 7)], "/number": [Sample(None, 8)]}


def test_of_equal_stamps_the_picture_comes_last(tmp_path):
    records = [Record("/camera", image(stamp), stamp) for stamp in (1, 2)]
    records += [Record("/driver/command", command(stamp, 0.1), stamp) for stamp in (1, 2)]

    for clock in (HEADER, RECORD):
        found = events(tmp_path / clock.source, records, clock)

        assert [(e.stamp_ns, type(e)) for e in found] == [
            (1, Steering), (1, Frame), (2, Steering), (2, Frame),
        ]  # fmt: skip
