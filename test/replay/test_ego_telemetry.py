"""The motion of real cars, and what is said when their IMU is configured wrongly."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from replay.test_replay_command import DATA, needs_data

from edge_pilot.config import ImuConfig
from edge_pilot.ego import EgoFilter
from edge_pilot.mounting import Mounting, MountingCheck
from edge_pilot.replay.bags import decode, open_bag
from edge_pilot.types import NANOSECONDS, Imu

LOG = DATA / "telemetry" / "comma2k19_example" / "processed_log"
COMMA, NISSAN = ImuConfig(axes="forward,right,down"), ImuConfig(axes="left,forward,down")
FIX_STD_M = 2.1  # 2.5 m CEP, u-blox M8 data sheet

pytestmark = needs_data


def series(name):
    return np.load(LOG / name / "t.npy"), np.load(LOG / name / "value.npy")


@pytest.fixture(scope="module")
def minute():
    """Give what the comma2k19 car measured, in order: stamp [ns], kind, values."""
    stamps, force = series("IMU/accelerometer")
    imu = np.hstack([force, series("IMU/gyro")[1]])
    logs = (("imu", stamps, imu), ("speed", *series("CAN/speed")),
            ("fix", *series("GNSS/live_gnss_ublox")))  # fmt: skip
    rows = [(round(t * 1e9), kind, *row) for kind, times, log in logs
            for t, row in zip(times.tolist(), log.tolist(), strict=True)]  # fmt: skip
    return sorted(rows)


def run(minute, no_odometry=(0.0, 0.0), no_gps=(0.0, 0.0)):
    """Give (N, 4) seconds, speed, heading and its deviation at each fix and speed."""
    ego, mounting, start_ns, said = EgoFilter(), Mounting(COMMA), minute[0][0], []
    for stamp_ns, kind, *values in minute:
        t = (stamp_ns - start_ns) / NANOSECONDS
        if kind == "imu":
            ego.add_imu(mounting.placed(Imu(stamp_ns, tuple(values[:3]), tuple(values[3:]))))
        elif kind == "speed" and not no_odometry[0] <= t < no_odometry[1]:
            ego.add_speed(stamp_ns, values[0])
        elif kind == "fix" and not no_gps[0] <= t < no_gps[1]:
            latitude, longitude, speed, _, _, bearing = values
            course = math.radians(90.0 - bearing)
            ego.add_fix(stamp_ns, latitude, longitude, FIX_STD_M, speed, course)
        state = ego.state()
        said.append((t, state.speed_mps, state.heading_rad, state.heading_std_rad))
    return np.array(said)


def speed_rmse(minute, said, begin_s, end_s):
    truth = np.array([row[2] if row[1] == "speed" else math.nan for row in minute])
    t = said[:, 0]
    known = (t >= begin_s) & (t < end_s) & np.isfinite(truth)
    return math.sqrt(np.mean((said[known, 1] - truth[known]) ** 2))


def heading_errors_deg(minute, said):
    rows = [(i, row) for i, row in enumerate(minute) if row[1] == "fix" and row[4] > 3.0]
    errors = [math.degrees(said[i, 2]) - (90.0 - row[7]) for i, row in rows]
    return np.abs([math.remainder(error, 360.0) for error in errors])


@pytest.mark.parametrize("begin_s", range(5, 55, 5))
def test_without_wheel_speed_for_5_s_the_speed_is_still_right(minute, begin_s):
    said = run(minute, no_odometry=(begin_s, begin_s + 5.0))
    assert speed_rmse(minute, said, begin_s, begin_s + 5.0) < 0.3


@pytest.mark.parametrize("no_gps", [(0.0, 0.0), (20.0, 40.0)])
def test_the_heading_is_that_of_the_satellites_even_after_an_outage(minute, no_gps):
    said = run(minute, no_gps=no_gps)
    assert heading_errors_deg(minute, said).max() < 2.0
    assert said[-1, 3] < math.radians(2.0)


def sensors(bag: str) -> Iterator[tuple[int, str, Any]]:
    """Give the messages of a recording: stamp, topic, message; the stamp is the header's."""
    with open_bag(DATA / "bags" / bag) as opened:
        wanted = [topic.name for topic in opened.topics if "/msg/" in topic.type
                  and topic.type.startswith(("sensor_msgs", "std_msgs", "nav_msgs"))]  # fmt: skip
        for message in opened.messages(wanted):
            value = decode(message)
            stamp = getattr(getattr(value, "header", None), "stamp", None)
            own_ns = stamp and stamp.sec * NANOSECONDS + stamp.nanosec
            yield own_ns or message.stamp_ns, message.topic, value


def inertial(stamp_ns, message):
    a, w = message.linear_acceleration, message.angular_velocity
    return Imu(stamp_ns, (a.x, a.y, a.z), (w.x, w.y, w.z))


def nissan(config):
    """Give what the check says, and yaw rates: the filter's, and those of the steering."""
    check, ego, mounting, speed, stamp_ns, rates = (
        MountingCheck(config), EgoFilter(), Mounting(config), 0.0, 0, [])  # fmt: skip
    for own_ns, topic, message in sensors("nissan_leaf_demo"):
        if topic.endswith("/imu"):
            stamp_ns = own_ns  # the other topics have no header and another clock
            sample = mounting.placed(inertial(stamp_ns, message))
            check.add_imu(sample)
            ego.add_imu(sample)
        elif topic.endswith("speed"):
            speed = message.data
            check.add_speed(stamp_ns, speed)
            ego.add_speed(stamp_ns, speed)
        elif topic.endswith("steering") and stamp_ns:
            rate = 0.305 * speed * math.radians(message.data)
            check.add_yaw_rate(stamp_ns, rate)
            rates.append((ego.state().yaw_rate_radps, rate))
    return check.problem(), np.array(rates)


def test_the_nissan_s_yaw_rate_has_the_sign_of_its_steering():
    problem, rates = nissan(NISSAN)
    assert problem == ""
    assert np.corrcoef(rates.T)[0, 1] > 0.9


@pytest.mark.parametrize("axes", ["forward,left,up", "forward,right,down", "right,backward,down",
                                  "left,backward,up"])  # fmt: skip
def test_wrong_axes_of_the_nissan_s_imu_are_found_and_the_right_ones_named(axes):
    problem, _ = nissan(ImuConfig(axes=axes))
    assert problem.endswith("is it left,forward,down?")


@pytest.mark.parametrize("axes", ["forward,right,down", "forward,left,up", "backward,left,down",
                                  "right,backward,down"])  # fmt: skip
def test_wrong_axes_of_the_comma_s_imu_are_found_and_the_right_ones_named(minute, axes):
    check, mounting = MountingCheck(ImuConfig(axes=axes)), Mounting(ImuConfig(axes=axes))
    for stamp_ns, kind, *values in minute:
        if kind == "imu":
            sample = Imu(stamp_ns, tuple(values[:3]), tuple(values[3:]))
            check.add_imu(mounting.placed(sample))
        elif kind == "speed":
            check.add_speed(stamp_ns, values[0])
        else:
            check.add_fix(*values[:2])
    said = check.problem()
    assert said == "" if axes == COMMA.axes else said.endswith("is it forward,right,down?")


def test_the_same_holds_for_messages_with_places_only():
    ego, check, speeds, errors = EgoFilter(), MountingCheck(ImuConfig()), [], []
    for stamp_ns, topic, message in sensors("derived_comma2k19_imu_gps_can"):
        if topic == "/imu/data":
            ego.add_imu(inertial(stamp_ns, message))
            check.add_imu(inertial(stamp_ns, message))
        elif topic == "/gps/fix":
            ego.add_fix(stamp_ns, message.latitude, message.longitude, FIX_STD_M)
        elif topic == "/vehicle/speed":
            check.add_speed(stamp_ns, message.data)
            speeds.append(message.data)
            errors.append(ego.state().speed_mps - message.data)
    assert check.problem() == ""
    assert ego.state().is_georeferenced
    assert np.sqrt(np.mean(np.square(errors[1000:]))) < 0.5  # without any wheel speed


def test_a_slow_robot_without_imu_finds_its_heading_from_a_fix_a_second():
    ego, track = EgoFilter(), []
    for stamp_ns, topic, message in sensors("gps_nav_ackermann"):
        if topic == "/odometry":
            ego.add_speed(stamp_ns, message.twist.twist.linear.x)
            q = message.pose.pose.orientation
            state = ego.state()
            if state.is_georeferenced and state.speed_mps > 0.3:
                own = 2.0 * math.atan2(q.z, q.w)
                track.append((state.heading_rad - own, state.heading_std_rad, state.speed_mps))
        elif topic == "/gps":
            std_m = math.sqrt(message.position_covariance[0])
            ego.add_fix(stamp_ns, message.latitude, message.longitude, std_m)
    errors = np.degrees([abs(math.remainder(row[0], 2.0 * math.pi)) for row in track])
    assert len(errors) > 500
    assert np.median(errors) < 20.0
