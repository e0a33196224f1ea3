import signal
import time
from itertools import pairwise

import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed")
pytest.importorskip("panda3d", reason="the extra `sim` is not installed")

from ros.harness import Process, probing, running

from edge_pilot import topics
from edge_pilot.nodes import messages
from edge_pilot.types import Command

pytestmark = pytest.mark.ros

SENSORS = (topics.CAMERA, topics.CAMERA_INFO, topics.IMU, topics.ODOM, topics.GPS, topics.LIDAR,
           topics.DRIVER_COMMAND, topics.SIM_TRUTH)  # fmt: skip


@pytest.fixture(scope="module")
def probe():
    with probing() as probe:
        probe.listen(*SENSORS)
        yield probe


@pytest.fixture(scope="module")
def sim(probe):
    with running("sim", sim__seed=3) as process:
        probe.meet(topics.VEHICLE_COMMAND)
        yield process


def speed(probe):
    return messages.read_scalars(probe.heard[topics.SIM_TRUTH][-1])["speed_mps"]


def drive(probe, acceleration_mps2):
    command = Command(time.time_ns(), 0.0, acceleration_mps2)
    probe.send(topics.VEHICLE_COMMAND, messages.write_command(command))


def test_every_sensor_is_heard(probe, sim):
    probe.until(lambda: all(probe.heard[topic] for topic in SENSORS))
    picture = probe.heard[topics.CAMERA][-1]
    assert (picture.width, picture.height, picture.encoding) == (320, 180, "rgb8")
    assert len(probe.heard[topics.LIDAR][-1].data) == 12 * probe.heard[topics.LIDAR][-1].width


def test_inertial_samples_come_100_times_a_second_by_their_stamps(probe, sim):
    probe.heard[topics.IMU].clear()
    probe.until(lambda: len(probe.heard[topics.IMU]) > 20)
    stamps = [messages.to_ns(message.header.stamp) for message in probe.heard[topics.IMU]]
    assert min(later - earlier for earlier, later in pairwise(stamps)) == 1e7


def test_without_commands_the_car_stands(probe, sim):
    probe.heard[topics.SIM_TRUTH].clear()
    probe.until(lambda: len(probe.heard[topics.SIM_TRUTH]) > 5)
    assert speed(probe) == 0.0


def test_it_drives_on_fresh_commands_and_brakes_when_they_cease(probe, sim):
    probe.until(lambda: speed(probe) > 1.0, feed=lambda: drive(probe, 3.0))
    probe.until(lambda: speed(probe) == 0.0, limit_s=3.0)
    assert messages.read_scalars(probe.heard[topics.SIM_TRUTH][-1])["late_commands"] > 0


def test_a_command_that_is_old_when_it_comes_moves_nothing(probe, sim):
    old = messages.write_command(Command(time.time_ns() - 200_000_000, 0.0, 3.0))
    probe.run(0.5, feed=lambda: probe.send(topics.VEHICLE_COMMAND, old))
    assert speed(probe) == 0.0


def test_sigint_ends_it_within_3_s_with_status_0(probe, sim):
    status, errors, seconds = sim.end(signal.SIGINT)
    assert (status, errors.count("Traceback")) == (0, 0)
    assert seconds < 3.0


def test_it_ends_by_itself_after_the_time_that_it_was_given():
    assert Process("sim", sim__duration_s=1.0).wait()[0] == 0


def test_simulated_time_is_published(probe):
    probe.listen(topics.CLOCK)
    with running("sim", sim__clock="simulated"):
        probe.until(lambda: len(probe.heard[topics.CLOCK]) > 10)
    first, last = (probe.heard[topics.CLOCK][i].clock for i in (0, -1))
    assert messages.to_ns(last) - messages.to_ns(first) >= 1e8


def test_a_wrong_unit_is_one_line_and_status_2():
    status, errors = Process("sim", sim__duration_ms=5).wait()
    assert status == 2
    assert "expected sim.duration_s (in s), got the unknown key sim.duration_ms" in errors
