"""How the car moves: the messages of IMU, odometry and GPS, and the filter that they feed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TypeAlias

from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from sensor_msgs.msg import NavSatFix

from edge_pilot import topics
from edge_pilot.config import Config
from edge_pilot.ego import MAX_GAP_S, EgoFilter
from edge_pilot.errors import InputError
from edge_pilot.mounting import Mounting, MountingCheck
from edge_pilot.nodes import messages, ros
from edge_pilot.types import EgoState

PERIOD_S = 0.1  # at least so often what waits is taken, pictures or none
DEPTH = 100  # that of an IMU of 1 kHz, in the meantime

Sample: TypeAlias = tuple[int, Callable[[], None]]  # its stamp [ns], and what feeds it in


class Motion:
    """Takes what the sensors of motion have sent, in the order of its stamps.

    It is followed while the node is inactive too, since a filter that begins in a moving car does
    not know its speed.
    """

    def __init__(self, node: Node, config: Config) -> None:
        self._node = node
        self._is_own_stamp = config.pilot.stamp_source == "header"
        self._ego = EgoFilter()
        self._mounting, self._check = Mounting(config.imu), MountingCheck(config.imu)
        self._inlets = [
            (ros.Mailbox(node, topic, depth=DEPTH, raw=raw), read)
            for topic, raw, read in (
                (topics.IMU, True, self._read_imu),
                (topics.ODOM, True, self._read_odom),
                (topics.GPS, False, self._read_fix),
            )
        ]
        node.create_timer(PERIOD_S, self.update, clock=Clock(clock_type=ClockType.STEADY_TIME))

    def update(self) -> None:
        """Take what has come."""
        for _, feed in sorted(self._samples(), key=lambda sample: sample[0]):
            feed()

    def state(self, stamp_ns: int) -> EgoState:
        """Give the newest estimate, for a picture of that moment.

        Raises:
            InputError: the IMU is silent.
        """
        self.update()
        age_s = self._ego.age_s(stamp_ns)
        if abs(age_s) > MAX_GAP_S:
            raise InputError(
                f"expected {topics.IMU.name} within {MAX_GAP_S} s of each picture, "
                + ("got none yet" if age_s == float("inf") else f"got it {age_s:.2f} s before")
            )
        return self._ego.state()

    def problem(self) -> str:
        """Say what is wrong with how the IMU is mounted, or give an empty text."""
        return self._check.problem()

    def _samples(self) -> Iterator[Sample]:
        for mailbox, read in self._inlets:
            for message, info in mailbox.take():
                stamp_ns = None if self._is_own_stamp else ros.received_ns(self._node, info)
                try:
                    sample = read(message, stamp_ns)
                except InputError as error:
                    self._node.get_logger().warning(str(error), throttle_duration_sec=1.0)
                    continue
                if sample:
                    yield sample

    def _read_imu(self, message: bytes, received_ns: int | None) -> Sample:
        imu = self._mounting.placed(messages.read_imu(message, received_ns))

        def feed() -> None:
            self._ego.add_imu(imu)
            self._check.add_imu(imu)

        return imu.stamp_ns, feed

    def _read_odom(self, message: bytes, received_ns: int | None) -> Sample:
        stamp_ns, speed_mps, std_mps, yaw_rate_radps = messages.read_odometry(message, received_ns)

        def feed() -> None:
            self._ego.add_speed(stamp_ns, speed_mps, std_mps)
            self._check.add_speed(stamp_ns, speed_mps)
            self._check.add_yaw_rate(stamp_ns, yaw_rate_radps)

        return stamp_ns, feed

    def _read_fix(self, message: NavSatFix, received_ns: int | None) -> Sample | None:
        fix = messages.read_fix(message, received_ns)
        return fix and (fix[0], partial(self._take_fix, fix))

    def _take_fix(self, fix: tuple[int, float, float, float]) -> None:
        self._ego.add_fix(*fix)
        self._check.add_fix(fix[1], fix[2])
