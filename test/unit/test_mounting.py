import itertools
import math

import numpy as np
import pytest

from edge_pilot.config import DIRECTIONS, ImuConfig
from edge_pilot.errors import ConfigError
from edge_pilot.mounting import Mounting, MountingCheck
from edge_pilot.types import NANOSECONDS, Imu

DT_NS = NANOSECONDS // 50


def configs():
    """Give every way to mount an IMU."""
    for axes in itertools.permutations(DIRECTIONS, 3):
        try:
            yield ImuConfig(axes=",".join(axes))
        except ConfigError:
            continue


CONFIGS = list(configs())


def device(config, stamp_ns, force, turn):
    """Give what an IMU measures that is mounted as configured."""
    axes = np.array([DIRECTIONS[name] for name in config.axes.split(",")])
    return Imu(stamp_ns, tuple((axes @ force).tolist()), tuple((axes @ turn).tolist()))


def drive(mounted, configured, seconds=30.0, gps=False, gyro_sign=1.0):
    """Speed up, brake and turn to both sides, and give what the check says."""
    check, mounting, speed, heading = MountingCheck(configured), Mounting(configured), 8.0, 0.0
    north = east = 0.0
    for step in range(int(seconds * 50)):
        stamp_ns, t = step * DT_NS, step / 50
        acceleration, rate = 1.5 * math.sin(t), 0.25 * math.cos(0.4 * t)
        speed, heading = speed + acceleration / 50, heading + rate / 50
        north, east = north + speed / 50 * math.sin(heading), east + speed / 50 * math.cos(heading)
        force, turn = [acceleration, speed * rate, 9.8], [0.0, 0.0, gyro_sign * rate]
        check.add_imu(mounting.placed(device(mounted, stamp_ns, force, turn)))
        if gps:
            check.add_fix(math.degrees(north / 6371e3), math.degrees(east / 6371e3))
        else:
            check.add_speed(stamp_ns, speed)
            check.add_yaw_rate(stamp_ns, rate)
    return check.problem()


def test_there_are_24_ways_to_mount_an_imu():
    assert len(CONFIGS) == 24


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config.axes)
def test_a_sample_comes_out_in_the_axes_of_the_car(config):
    raw = device(config, 7, [1.0, 2.0, 9.8], [0.1, 0.2, 0.3])
    assert Mounting(config).placed(raw) == Imu(7, (1.0, 2.0, 9.8), (0.1, 0.2, 0.3))


def test_a_device_that_reports_gravity_has_its_accelerations_turned_round():
    config = ImuConfig(axes="forward,right,down", reports_gravity=True)
    placed = Mounting(config).placed(Imu(7, (-1.0, 2.0, 9.8), (0.1, 0.2, -0.3)))
    assert placed == Imu(7, (1.0, 2.0, 9.8), (0.1, -0.2, 0.3))


@pytest.mark.parametrize("mounted", CONFIGS, ids=lambda config: config.axes)
def test_wrong_axes_are_found_and_the_right_ones_named(mounted):
    assert drive(mounted, mounted) == ""
    said = drive(mounted, ImuConfig())
    assert said == "" if mounted == ImuConfig() else said.endswith(f"is it {mounted.axes}?")


def test_gravity_alone_shows_an_imu_that_is_upside_down():
    check = MountingCheck(ImuConfig())
    for step in range(300):
        check.add_imu(Imu(step * DT_NS, (0.0, 0.0, -9.9), (0.0, 0.0, 0.0)))
    assert check.problem() == (
        "expected gravity along up (+9.8 m/s^2) with imu.axes forward,left,up, got -9.9: "
        "is it forward,right,down?"
    )


@pytest.mark.parametrize("gps", [False, True])
def test_a_yaw_rate_against_odometry_or_gps_is_found(gps):
    assert drive(ImuConfig(), ImuConfig(), gps=gps) == ""
    said = drive(ImuConfig(), ImuConfig(), gps=gps, gyro_sign=-1.0)
    assert said.startswith("expected the yaw rate to turn with odometry and GPS")


def test_nothing_is_said_before_there_is_enough_to_say():
    assert drive(ImuConfig(axes="forward,right,down"), ImuConfig(), seconds=2.0) == ""


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_what_is_no_number_changes_nothing(value):
    check = MountingCheck(ImuConfig())
    for step in range(300):
        check.add_imu(Imu(step * DT_NS, (0.0, 0.0, 9.8), (0.0, 0.0, 0.0)))
        check.add_imu(Imu(step * DT_NS, (0.0, value, 9.8), (0.0, 0.0, 0.0)))
        check.add_speed(step * DT_NS, value)
        check.add_yaw_rate(step * DT_NS, value)
        check.add_fix(value, 11.0)
    assert check.problem() == ""
