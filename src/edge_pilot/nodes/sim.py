"""The simulated vehicle: its sensors out, `vehicle/command` in."""

from __future__ import annotations

import sys
import time

from rclpy.clock import Clock, ClockType
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from rosgraph_msgs.msg import Clock as ClockMessage
from sensor_msgs.msg import JointState

from edge_pilot import topics
from edge_pilot.errors import InputError
from edge_pilot.nodes import cdr, messages, ros
from edge_pilot.nodes import sensor_messages as write
from edge_pilot.sim.expert import expert
from edge_pilot.sim.renderer import Renderer
from edge_pilot.sim.sensors import Gps, ImuSensor, Lidar, Odometer
from edge_pilot.sim.simulator import LIDAR_PHASE, LIDAR_STEPS, ODOMETRY_STEPS, START, Simulator
from edge_pilot.sim.vehicle import DT
from edge_pilot.sim.world import make_world
from edge_pilot.types import NANOSECONDS, Command

STEP_NS = int(DT * NANOSECONDS)
GPS_STEPS = 10
LATE_S = 0.25  # said from here on: the machine is busy with something else


class Sim(Node):
    """Steps the simulator by the wall clock, or makes simulated time itself."""

    def __init__(self) -> None:
        super().__init__("sim", **ros.NODE_OPTIONS)
        config = self._config = ros.declare(self)
        world = make_world(config.sim.seed, config.sim.road_length_m, config.sim.light)
        self._renderer = Renderer(config.camera)
        self._renderer.show(world)
        self._is_wall = config.sim.clock == "wall"
        self._sim = Simulator(config, world, start_ns=time.time_ns() if self._is_wall else 0)
        self._camera_steps = max(1, round(1.0 / (config.camera.rate_hz * DT)))
        seed = config.sim.seed
        self._imu, self._odometer, self._gps = ImuSensor(seed), Odometer(seed), Gps(seed)
        self._lidar = Lidar(seed, config.lidar)
        self._command: Command | None = None
        self._counts = {"frames": 0, "skipped": 0, "late_commands": 0}
        self._transit_ms = self._render_ms = 0.0
        self._open()

    def _open(self) -> None:
        self._image = ros.publisher(self, topics.CAMERA)
        self._camera_info = ros.publisher(self, topics.CAMERA_INFO)
        self._imu_data = ros.publisher(self, topics.IMU)
        self._fix = ros.publisher(self, topics.GPS)
        self._points = ros.publisher(self, topics.LIDAR)
        self._odom = ros.publisher(self, topics.ODOM)
        self._driver = ros.publisher(self, topics.DRIVER_COMMAND)
        self._truth = ros.publisher(self, topics.SIM_TRUTH)
        self._clock = None if self._is_wall else ros.publisher(self, topics.CLOCK)
        ros.subscription(self, topics.VEHICLE_COMMAND, self._on_command)
        self.create_timer(DT, self._tick, clock=Clock(clock_type=ClockType.STEADY_TIME))
        world = self._sim.world
        self.get_logger().info(f"road {world.seed}, {world.light}, {world.road.length_m:.0f} m")

    def _on_command(self, message: JointState) -> None:
        try:
            self._command = messages.read_command(message)
        except InputError as error:
            self.get_logger().warning(str(error), throttle_duration_sec=1.0)
            return
        now = time.time_ns() if self._is_wall else self._sim.stamp_ns
        self._transit_ms = (now - self._command.stamp_ns) / 1e6

    def _tick(self) -> None:
        """Catch up with the clock; of pictures that are due at once only the last is taken."""
        due = self._due()
        for step in range(due):
            command = self._permitted()
            self._sim.step(command.steering_rad, command.acceleration_mps2)
            self._sense(is_last=step + self._camera_steps >= due)
        self._check_end()

    def _due(self) -> int:
        if not self._is_wall:
            return 1
        behind_ns = time.time_ns() - self._sim.stamp_ns
        if behind_ns > LATE_S * NANOSECONDS:
            self.get_logger().warning(f"the simulator was {behind_ns / 1e9:.2f} s late")
        return max(0, behind_ns // STEP_NS)

    def _permitted(self) -> Command:
        """Give the newest command, or the full brake where it is too old."""
        stamp_ns, command = self._sim.stamp_ns, self._command
        if command is not None:
            age_s = (stamp_ns - command.stamp_ns) / NANOSECONDS
            if age_s <= self._config.sim.command_timeout_s:
                return command
            self._counts["late_commands"] += 1
        held_rad = self._sim.motion.steering
        return Command(stamp_ns, held_rad, -self._config.vehicle.max_braking_mps2)

    def _sense(self, is_last: bool) -> None:
        sim, motion, stamp_ns = self._sim, self._sim.motion, self._sim.stamp_ns
        if self._clock:
            self._clock.publish(ClockMessage(clock=messages.to_stamp(stamp_ns)))
        self._imu_data.publish(write.imu(self._imu.sample(motion, stamp_ns)))
        if sim.steps % ODOMETRY_STEPS == 0:
            self._odom.publish(write.odometry(self._odometer.sample(motion, stamp_ns)))
        if sim.steps % GPS_STEPS == 0:
            self._fix.publish(write.fix(self._gps.sample(motion, stamp_ns)))
        if sim.steps % self._camera_steps == 0:
            self._take_picture(is_last)
        # Between two pictures, so that neither waits for the other.
        if self._config.sim.lidar and sim.steps % LIDAR_STEPS == LIDAR_PHASE:
            cloud = self._lidar.scan(motion, sim.obstacles())
            self._points.publish(write.points(stamp_ns, cloud))

    def _take_picture(self, is_last: bool) -> None:
        sim, stamp_ns = self._sim, self._sim.stamp_ns
        if not is_last:
            self._counts["skipped"] += 1
            return
        begun = time.perf_counter()
        picture = self._renderer.render(sim.motion, sim.time_s, sim.steps)
        self._render_ms = (time.perf_counter() - begun) * 1e3
        self._image.publish(write.image(stamp_ns, picture))
        self._counts["frames"] += 1
        self._camera_info.publish(write.camera_info(stamp_ns, self._config.camera))
        self._driver.publish(messages.write_command(expert(sim, self._config)))
        self._truth.publish(cdr.write_scalars(stamp_ns, self._known()))

    def _known(self) -> dict[str, float]:
        motion, truth = self._sim.motion, self._sim.truth()
        return {
            "s_m": truth.s,
            "x_m": motion.x,
            "y_m": motion.y,
            "heading_rad": motion.heading,
            "speed_mps": motion.speed,
            "steering_rad": motion.steering,
            "lateral_m": truth.lateral,
            "heading_error_rad": truth.heading_error,
            "curvature_1pm": truth.curvature,
            "off_lane": truth.off_lane,
            "collided": truth.collided,
            "render_ms": self._render_ms,
            "transit_ms": self._transit_ms,
            **self._counts,
        }

    def _check_end(self) -> None:
        duration_s = self._config.sim.duration_s
        if duration_s and self._sim.time_s >= duration_s:
            raise ExternalShutdownException
        if self._sim.at_end:
            self.get_logger().info("the road has ended: the car begins anew")
            self._sim.place(START)


def main(args: list[str] | None = None) -> int:
    """Run the node."""
    return ros.run(Sim, args)


if __name__ == "__main__":
    sys.exit(main())
