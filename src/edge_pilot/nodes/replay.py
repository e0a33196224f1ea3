"""A recording played on the package's own topics, as if its sensors were there.

The serialized messages pass through unchanged but for their stamps: a pilot refuses pictures of
last year. With `replay.stamps: original` those stay too, and /clock gives the record time, for
nodes with `use_sim_time`.
"""

from __future__ import annotations

import sys
import time
from contextlib import ExitStack

from rclpy.clock import Clock, ClockType
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from rclpy.publisher import Publisher
from rosgraph_msgs.msg import Clock as ClockMessage
from std_srvs.srv import SetBool

from edge_pilot import topics
from edge_pilot.errors import ConfigError
from edge_pilot.nodes import messages, ros
from edge_pilot.replay.bags import Message
from edge_pilot.replay.logs import open_log
from edge_pilot.replay.player import Player, between
from edge_pilot.replay.selection import Selection, select
from edge_pilot.replay.stamps import restamp
from edge_pilot.topics import Topic
from edge_pilot.types import NANOSECONDS

POLL_S = 0.1
MAX_WAIT_S = 10.0  # for somebody to hear the camera
SETTLE_S = 2.0  # and then for the subscriptions to the rest: discovery repeats after seconds
DRAIN_NS = NANOSECONDS // 2  # for the last messages to leave
CLOCK_PERIOD_NS = NANOSECONDS // 100
PAUSE_NS = NANOSECONDS // 50
LATE_NS = NANOSECONDS // 4  # from here on the rest is played later, instead of all at once
ROWS = {
    "camera_info": topics.CAMERA_INFO,
    "imu": topics.IMU,
    "odom": topics.ODOM,
    "gps": topics.GPS,
    "lidar": topics.LIDAR,
    "steering": topics.DRIVER_COMMAND,
}


class Replay(Node):
    """Plays one bag, once or again and again."""

    def __init__(self) -> None:
        super().__init__("replay", **ros.NODE_OPTIONS)
        self._config = ros.declare(self).replay
        if not self._config.bag:
            raise ConfigError("expected a path in the parameter replay.bag, got none")
        self._open_files = ExitStack()
        self._bag = self._open_files.enter_context(open_log(self._config.bag))
        selection = select(self._bag, self._config.camera_topic)
        self._outlets = self._open(selection)
        self._camera = self._outlets[selection.camera.name]
        is_original = self._config.stamps == "original"
        self._clock = ros.publisher(self, topics.CLOCK) if is_original else None
        self._player: Player | None = None
        self._is_paused, self._rested_ns = self._config.paused, time.monotonic_ns()
        self.create_service(SetBool, "~/pause", self._pause)
        self._steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._polls_left = round(MAX_WAIT_S / POLL_S)
        self._timer = self.create_timer(POLL_S, self._wait, clock=self._steady)
        self.get_logger().info(f"waits up to {MAX_WAIT_S:g} s for somebody to hear the camera")

    def destroy_node(self) -> None:
        """Close the bag too."""
        self._open_files.close()
        super().destroy_node()

    def _open(self, selection: Selection) -> dict[str, Publisher]:
        """Create a publisher for each topic of the recording that the package knows."""
        outlets = {}
        for name, row in pair(selection):
            outlets[name] = ros.publisher(self, row)
            self.get_logger().info(f"{name} -> {row.name}")
        return outlets

    def _wait(self) -> None:
        """Begin when the camera is heard, so that a pilot that starts up misses nothing."""
        self._polls_left -= 1
        if self._camera.get_subscription_count() or self._polls_left <= 0:
            self.destroy_timer(self._timer)
            self._timer = self.create_timer(SETTLE_S, self._tick, clock=self._steady)

    def _tick(self) -> None:
        if self._player is None or (self._player.is_over and self._config.loop):
            self._begin()
        elif self._player.is_over:
            raise ExternalShutdownException
        if self._is_paused:
            self._sleep(self._rest())
            return
        elapsed_ns = self._elapsed_ns()
        for offset_ns, message in self._player.due(elapsed_ns):
            self._publish(offset_ns, message)
        self._tell_time(elapsed_ns)
        self._sleep(self._player.wait_ns(elapsed_ns))

    def _pause(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        """Pause, or go on where it was."""
        if self._is_paused and self._player:
            self._rest()
        self._is_paused, self._rested_ns = request.data, time.monotonic_ns()
        response.success = True
        return response

    def _rest(self) -> int:
        """Let no time pass for the recording; give how long to sleep."""
        now_ns = time.monotonic_ns()
        rested_ns, self._rested_ns = now_ns - self._rested_ns, now_ns
        self._begun_ns += rested_ns
        self._origin_ns += rested_ns
        return PAUSE_NS

    def _begin(self) -> None:
        whole = self._bag.messages(self._outlets)
        part = between(whole, self._config.start_s, self._config.end_s)
        self._player = Player(part, self._config.rate)
        self._begun_ns, self._origin_ns = time.monotonic_ns(), time.time_ns()
        self._rested_ns = self._begun_ns

    def _elapsed_ns(self) -> int:
        """Give the time since the first message, less what the machine was late."""
        elapsed_ns = time.monotonic_ns() - self._begun_ns
        late_ns = -self._player.wait_ns(elapsed_ns)
        if late_ns <= LATE_NS:
            return elapsed_ns
        self.get_logger().warning(f"the replay was {late_ns / NANOSECONDS:.2f} s late")
        self._begun_ns += late_ns
        self._origin_ns += late_ns
        return elapsed_ns - late_ns

    def _publish(self, offset_ns: int, message: Message) -> None:
        is_original = self._config.stamps == "original"
        data = message.data if is_original else restamp(message.data, self._origin_ns + offset_ns)
        self._outlets[message.topic].publish(data)

    def _tell_time(self, elapsed_ns: int) -> None:
        if self._clock:
            now = messages.to_stamp(self._player.recorded_ns(elapsed_ns))
            self._clock.publish(ClockMessage(clock=now))

    def _sleep(self, wait_ns: int) -> None:
        """Let the timer fire when the next message is due, or the clock."""
        if self._player.is_over:
            wait_ns = DRAIN_NS
        elif self._clock:
            wait_ns = min(wait_ns, CLOCK_PERIOD_NS)
        self._timer.timer_period_ns = max(wait_ns, 1)
        self._timer.reset()


def pair(selection: Selection) -> list[tuple[str, Topic]]:
    """Give the recording's topics by name, each with the row that it is played on."""
    is_raw = selection.camera.type == topics.CAMERA.type
    rows = {"camera": topics.CAMERA if is_raw else topics.CAMERA_COMPRESSED, **ROWS}
    found = [(topic, rows[what]) for what, topic in selection._asdict().items()
             if topic and what in rows]  # fmt: skip
    # Plain numbers are for `edge_pilot convert`: a message passes through as it is.
    return [(topic.name, row) for topic, row in found if topic.type == row.type]


def main(args: list[str] | None = None) -> int:
    """Run the node."""
    return ros.run(Replay, args)


if __name__ == "__main__":
    sys.exit(main())
