"""The safety process: the only one whose commands reach the car.

It decides nothing itself; `edge_pilot.safety.supervisor` does.
"""

from __future__ import annotations

import gc
import os
import sys
from contextlib import suppress

from diagnostic_msgs.msg import DiagnosticStatus
from nav_msgs.msg import Path as PathMessage
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from sensor_msgs.msg import JointState, PointCloud2
from std_msgs.msg import Bool, Float32
from std_srvs.srv import Trigger

from edge_pilot import lidar, topics
from edge_pilot.control.longitudinal import pedals
from edge_pilot.errors import InputError
from edge_pilot.mounting import Mounting
from edge_pilot.nodes import cdr, clouds, messages, ros
from edge_pilot.nodes.worker import Worker
from edge_pilot.safety.aeb import Watch
from edge_pilot.safety.degrade import Level
from edge_pilot.safety.states import State
from edge_pilot.safety.supervisor import Moment, Output, Supervisor

LEVELS = {
    State.DISENGAGED: DiagnosticStatus.OK,
    State.ENGAGED: DiagnosticStatus.OK,
    State.STOPPING: DiagnosticStatus.WARN,
    State.EMERGENCY: DiagnosticStatus.ERROR,
    State.OVERRIDE: DiagnosticStatus.OK,
}
LEVELS_OF_HEALTH = (
    DiagnosticStatus.OK, DiagnosticStatus.WARN, DiagnosticStatus.ERROR, DiagnosticStatus.ERROR
)  # fmt: skip
DIAGNOSTICS_PERIOD_S = 1.0
NICENESS = -10  # where the system permits it: before all that is not as important
SWITCH_S = 5e-4  # the thread that looks at scans gives way to a proposal after this


class Safety(Node):
    """Hears proposals, sensors and wishes; tells the car what to do."""

    def __init__(self) -> None:
        super().__init__("safety", **ros.NODE_OPTIONS)
        self._config = ros.declare(self)
        self._mounting = Mounting(self._config.imu)
        # Silence must be heard even while ROS time stands still.
        self._steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._supervisor = Supervisor(self._config, self._now())
        self._state: State | None = None
        self._level = Level.NOMINAL
        self._watches = [Watch(self._config), Watch(self._config)]  # by LiDAR, by the pilot's eyes
        self._looker = Worker(self._look)
        self._unreadable = 0
        self._last_error = ""
        self._open_outputs()
        self._open_inputs()
        self._open_services()
        period_s = self._config.safety.output_period_s
        self._timer = self.create_timer(period_s, self._tick, clock=self._steady)
        self.create_timer(DIAGNOSTICS_PERIOD_S, self._report, clock=self._steady)
        gc.freeze()  # what is there now stays: to look through it again takes milliseconds

    def destroy_node(self) -> None:
        """Let the thread that looks at scans end too."""
        self._looker.close()
        super().destroy_node()

    def _open_outputs(self) -> None:
        self._command = ros.publisher(self, topics.VEHICLE_COMMAND)
        self._pedals = ros.publisher(self, topics.VEHICLE_PEDALS)
        self._steering = ros.publisher(self, topics.VEHICLE_STEERING_CMD)
        self._brake = ros.publisher(self, topics.VEHICLE_BRAKE_CMD)
        self._safety_state = ros.publisher(self, topics.SAFETY_STATE)
        self._diagnostics = ros.publisher(self, topics.DIAGNOSTICS)

    def _open_inputs(self) -> None:
        ros.subscription(self, topics.PILOT_COMMAND, self._on_command)
        ros.subscription(self, topics.PILOT_PATH, self._on_path)
        ros.raw_subscription(self, topics.IMU, self._on_imu)
        ros.raw_subscription(self, topics.ODOM, self._on_odom)
        ros.subscription(self, topics.PILOT_PREDICTION, self._on_prediction)
        ros.subscription(self, topics.DRIVER_OVERRIDE, self._on_override)
        if self._config.safety.aeb:
            ros.raw_subscription(self, topics.LIDAR, self._on_scan)
            ros.subscription(self, topics.PILOT_OBSTACLES, self._on_obstacles)

    def _open_services(self) -> None:
        self.create_service(Trigger, "~/engage", self._engage)
        self.create_service(Trigger, "~/disengage", self._disengage)
        self.create_service(Trigger, "~/emergency_stop", self._emergency_stop)

    def _now(self) -> Moment:
        return Moment(ros.now_ns(self), int(self._steady.now().nanoseconds))

    def _received_ns(self) -> int | None:
        """Give the stamp for a sensor's message, or None where its own counts."""
        return ros.now_ns(self) if self._config.pilot.stamp_source == "receive" else None

    def _on_command(self, message: JointState) -> None:
        try:
            command = messages.read_command(message)
        except InputError as error:
            self._complain(error)
            return
        output = self._supervisor.propose(command, self._now())
        if output:
            self._publish(output)
            self._timer.reset()  # a whole period until something must be said again

    def _on_path(self, message: PathMessage) -> None:
        try:
            self._supervisor.track.add_path(messages.read_path(message))
        except InputError as error:
            self._complain(error)

    def _on_imu(self, message: bytes, _: ros.MessageInfo) -> None:
        try:
            imu = messages.read_imu(message, self._received_ns())
        except InputError as error:
            self._complain(error)
            return
        self._supervisor.add_imu(self._mounting.placed(imu), self._now())

    def _on_odom(self, message: bytes, _: ros.MessageInfo) -> None:
        try:
            said = messages.read_odometry(message, self._received_ns())
        except InputError as error:
            self._complain(error)
            return
        at_ns, now = said.stamp_ns, self._now()
        self._supervisor.add_speed(
            at_ns, said.speed_mps, said.speed_std_mps, now, said.yaw_rate_radps
        )

    def _on_prediction(self, message: JointState) -> None:
        try:
            self._supervisor.add_picture(messages.read_scalars(message), self._now())
        except InputError as error:
            self._complain(error)

    def _on_scan(self, message: bytes, _: ros.MessageInfo) -> None:
        self._looker.give((message, self._received_ns()))

    def _look(self, job: tuple[bytes, int | None]) -> None:
        """Look at a scan, in a thread of its own."""
        message, received_ns = job
        motion = self._supervisor.track.motion()
        if motion is None:
            return
        try:
            scan = lidar.to_scan(cdr.cloud(message), self._config.lidar)
        except InputError as error:
            self._complain(error)
            return
        self._supervisor.add_scan(self._now())
        stamp_ns = scan.stamp_ns if received_ns is None else received_ns
        steering = self._supervisor.steering_rad
        found = self._watches[0].look(stamp_ns, scan.points_m, motion, steering)
        self._supervisor.brake(found, self._now())

    def _on_obstacles(self, message: PointCloud2) -> None:
        motion = self._supervisor.track.motion()
        if motion is None:
            return
        try:
            obstacles = clouds.read_obstacles(message)
        except InputError as error:
            self._complain(error)
            return
        found = self._watches[1].look_at(obstacles, motion, self._supervisor.steering_rad)
        self._supervisor.brake(found, self._now())

    def _on_override(self, message: Bool) -> None:
        self._supervisor.override(message.data)
        self._tick()

    def _engage(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        response.message = self._supervisor.engage(self._now())
        response.success = not response.message
        self._tick()
        return response

    def _disengage(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        self._supervisor.disengage()
        response.success = True
        self._tick()
        return response

    def _emergency_stop(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        response.message = self._supervisor.emergency_stop()
        response.success = not response.message
        self._tick()
        return response

    def _tick(self) -> None:
        self._publish(self._supervisor.decide(self._now()))

    def _publish(self, output: Output) -> None:
        command = output.command
        throttle, brake = pedals(command.acceleration_mps2, self._config.vehicle)
        self._command.publish(messages.write_command(command))
        self._safety_state.publish(self._describe(output))
        self._pedals.publish(
            cdr.write_scalars(command.stamp_ns, {"throttle": throttle, "brake": brake})
        )
        self._steering.publish(Float32(data=command.steering_rad))
        self._brake.publish(Float32(data=brake))
        if (output.state, output.level) != (self._state, self._level):
            self._state, self._level = output.state, output.level
            self.get_logger().info(f"{output.state.value}: {output.sentence}")

    def _describe(self, output: Output) -> messages.DiagnosticArray:
        values = {
            "state": output.state.value,
            "level": output.level.name.lower(),
            "code": output.code,
            "image_stamp_ns": output.image_stamp_ns,
        }
        stamp_ns, level = output.command.stamp_ns, _level(output.state, output.level)
        return messages.write_diagnostics(stamp_ns, "safety", level, output.sentence, values)

    def _report(self) -> None:
        values = {"unreadable": self._unreadable, "last_error": self._last_error}
        level = _level(self._state, self._level) if self._state else DiagnosticStatus.OK
        sentence = self._state.value if self._state else "starting"
        if reason := self._supervisor.health.sentence:
            sentence = f"{sentence}: {reason}"
        message = messages.write_diagnostics(ros.now_ns(self), "safety", level, sentence, values)
        self._diagnostics.publish(message)

    def _complain(self, error: InputError) -> None:
        self._unreadable += 1
        self._last_error = str(error)
        self.get_logger().warning(str(error), throttle_duration_sec=1.0)


def _level(state: State, level: Level) -> bytes:
    return max(LEVELS[state], LEVELS_OF_HEALTH[level])


def main(args: list[str] | None = None) -> int:
    """Run the node, before others where the system permits it."""
    sys.setswitchinterval(SWITCH_S)
    with suppress(OSError):
        os.nice(NICENESS)
    return ros.run(Safety, args)


if __name__ == "__main__":
    sys.exit(main())
