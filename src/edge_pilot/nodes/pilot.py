"""The driving node: a picture in, a proposal out."""

from __future__ import annotations

import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from diagnostic_msgs.msg import DiagnosticStatus
from nav_msgs.msg import Odometry
from rclpy.clock import Clock, ClockType
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from sensor_msgs.msg import CameraInfo, NavSatFix
from sensor_msgs.msg import Imu as ImuMessage

from edge_pilot import card, resources, topics
from edge_pilot.card import ModelFile, pinhole
from edge_pilot.ego import MAX_GAP_S, EgoFilter
from edge_pilot.errors import InputError
from edge_pilot.inference import backend
from edge_pilot.mounting import Mounting, MountingCheck
from edge_pilot.nodes import clouds, messages, ros
from edge_pilot.nodes.cameras import Cameras
from edge_pilot.nodes.debug import DebugImage
from edge_pilot.nodes.meter import Latencies, Stopwatch, is_late
from edge_pilot.pipeline import Decision, Pipeline
from edge_pilot.types import EgoState, Frame, Prediction

WARM_UPS = 3  # the first answers of an engine are slow
DIAGNOSTICS_PERIOD_S = 1.0


class Pilot(LifecycleNode):
    """Drives while it is active."""

    def __init__(self) -> None:
        super().__init__("pilot", **ros.NODE_OPTIONS)
        self._config = ros.declare(self)
        self.autostart = self._config.pilot.autostart
        self._is_active = False
        self._problem: Exception | None = None  # of the last transition
        self._model: ModelFile | None = None
        self._pipeline: Pipeline | None = None
        self._camera = pinhole(self._config.camera)  # until a CameraInfo comes
        self._ego = EgoFilter()
        self._mounting = Mounting(self._config.imu)
        self._mounting_check = MountingCheck(self._config.imu)
        self._newest_ns: int | None = None
        self._latencies = Latencies()
        self._failures, self._last_error = 0, ""
        self._open_outputs()
        self._open_inputs()
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self.create_timer(DIAGNOSTICS_PERIOD_S, self._report, clock=steady)

    def start(self) -> None:
        """Configure and activate.

        Raises:
            ModelError: the model cannot be used.
        """
        self.trigger_configure()
        if self._problem:
            raise self._problem
        self.trigger_activate()

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load the model; what goes wrong is remembered, since rclpy would swallow it."""
        self._problem = None
        try:
            self._load()
        except Exception as error:  # noqa: BLE001 -- `start` raises it
            self._problem = error
            if not self.autostart:
                is_known = isinstance(error, InputError)
                self.get_logger().error(str(error) if is_known else traceback.format_exc())
            return TransitionCallbackReturn.FAILURE
        return super().on_configure(state)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Begin to propose."""
        self._is_active = True
        return super().on_activate(state)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Propose no more."""
        self._is_active = False
        return super().on_deactivate(state)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Propose no more."""
        self._is_active = False
        return super().on_shutdown(state)

    def _open_outputs(self) -> None:
        self._path = ros.publisher(self, topics.PILOT_PATH)
        self._command = ros.publisher(self, topics.PILOT_COMMAND)
        self._prediction = ros.publisher(self, topics.PILOT_PREDICTION)
        self._obstacles = ros.publisher(self, topics.PILOT_OBSTACLES)
        self._markers = ros.publisher(self, topics.PILOT_OBSTACLE_MARKERS)
        self._diagnostics = ros.publisher(self, topics.DIAGNOSTICS)
        self._debug = DebugImage(self, self._config)

    def _open_inputs(self) -> None:
        self._cameras = Cameras(self, self._on_picture)
        self._scans = clouds.Scans(self, self._config.lidar, self._received_ns)
        ros.subscription(self, topics.CAMERA_INFO, self._on_camera_info)
        ros.subscription(self, topics.IMU, self._on_imu)
        ros.subscription(self, topics.ODOM, self._on_odom)
        ros.subscription(self, topics.GPS, self._on_fix)

    def _load(self) -> None:
        """Load the model and let it answer a grey picture."""
        self._model = card.load(resources.model(self._config.pilot.model))
        self._backend = backend.load(self._model, self._config.pilot.threads)
        self._pipeline = self._build()
        grey = np.full((self._camera.height_px, self._camera.width_px, 3), 128, np.uint8)
        for _ in range(WARM_UPS):
            self._pipeline.step(Frame(0, grey), EgoState(0, 0.0, 0.0))

    def _build(self) -> Pipeline:
        return Pipeline(self._config, self._model, self._backend, self._camera)

    def _received_ns(self) -> int | None:
        """Give the stamp for a sensor's message, or None where its own counts."""
        return ros.now_ns(self) if self._config.pilot.stamp_source == "receive" else None

    # The car's motion is followed while inactive too, since a filter that begins in a moving car
    # does not know its speed.
    def _on_imu(self, message: ImuMessage) -> None:
        imu = self._mounting.placed(messages.read_imu(message, self._received_ns()))
        self._ego.add_imu(imu)
        self._mounting_check.add_imu(imu)

    def _on_odom(self, message: Odometry) -> None:
        stamp_ns, speed_mps, std_mps = messages.read_speed(message, self._received_ns())
        self._ego.add_speed(stamp_ns, speed_mps, std_mps)
        self._mounting_check.add_speed(stamp_ns, speed_mps)
        self._mounting_check.add_yaw_rate(stamp_ns, message.twist.twist.angular.z)

    def _on_fix(self, message: NavSatFix) -> None:
        if fix := messages.read_fix(message, self._received_ns()):
            self._ego.add_fix(*fix)
            self._mounting_check.add_fix(fix[1], fix[2])

    def _on_camera_info(self, message: CameraInfo) -> None:
        camera = messages.read_camera(message)
        if camera is None or camera == self._camera:
            return
        self._camera = camera
        if self._pipeline:
            try:
                self._pipeline = self._build()
            except InputError as error:
                self._complain(error)

    def _on_picture(self, read: Callable[[], Frame]) -> None:
        if not self._is_active or self._pipeline is None:
            return
        watch = Stopwatch(time.perf_counter_ns)
        try:
            frame = self._stamp(read())
            if self._is_new(frame):
                watch.lap("read")
                self._check_motion(frame)
                scan = self._scans.take(frame.stamp_ns)
                watch.lap("scan")
                ego = self._ego.state()
                decision = self._pipeline.step(frame, ego, scan, watch.lap)
                self._publish(decision, watch)
                own = self._model.card.input.camera
                self._debug.show(frame, decision, ego.speed_mps, self._camera, own)
        except InputError as error:
            self._complain(error)

    def _stamp(self, frame: Frame) -> Frame:
        received_ns = self._received_ns()
        return frame if received_ns is None else replace(frame, stamp_ns=received_ns)

    def _is_new(self, frame: Frame) -> bool:
        if self._newest_ns is not None and is_late(frame.stamp_ns, self._newest_ns):
            return False
        self._newest_ns = frame.stamp_ns
        return True

    def _check_motion(self, frame: Frame) -> None:
        age_s = self._ego.age_s(frame.stamp_ns)
        if abs(age_s) > MAX_GAP_S:
            raise InputError(
                f"expected {topics.IMU.name} within {MAX_GAP_S} s of each picture, "
                + ("got none yet" if age_s == float("inf") else f"got it {age_s:.2f} s before")
            )

    def _publish(self, decision: Decision, watch: Stopwatch) -> None:
        stamp_ns = decision.command.stamp_ns
        # The path comes first, so that safety has it when it judges the command.
        self._path.publish(messages.write_path(decision.prediction.path))
        self._command.publish(messages.write_command(decision.command))
        self._show(decision)
        latency_ms = (ros.now_ns(self) - stamp_ns) / 1e6
        self._latencies.add(time.monotonic_ns(), latency_ms)
        scalars = {
            **_scalars(decision.prediction, self._ego.state()),
            **{f"{stage}_ms": lap_ms for stage, lap_ms in watch.laps_ms.items()},
            "latency_ms": latency_ms,
            **self._cameras.counts(),
            **self._scans.counts(),
            "frames_failed": self._failures,
        }
        self._prediction.publish(messages.write_scalars(stamp_ns, scalars))

    def _show(self, decision: Decision) -> None:
        stamp_ns, obstacles = decision.command.stamp_ns, decision.obstacles
        self._obstacles.publish(clouds.write_obstacles(stamp_ns, obstacles))
        if self._markers.get_subscription_count():
            self._markers.publish(clouds.write_markers(stamp_ns, obstacles))

    def _report(self) -> None:
        summary = self._latencies.summary(time.monotonic_ns())
        is_driving = self._is_active and summary["rate_hz"] > 0.0
        sentence = "Proposes." if is_driving else self._last_error or "No picture has come."
        values = {
            **_name(self._model),
            **summary,
            **self._cameras.counts(),
            **self._scans.counts(),
            "frames_failed": self._failures,
            "last_error": self._last_error,
            "last_scan_error": self._scans.last_error,
        }
        problem = self._mounting_check.problem()
        sentence = problem or sentence
        is_well = is_driving and not problem
        level = DiagnosticStatus.OK if is_well else DiagnosticStatus.WARN
        message = messages.write_diagnostics(ros.now_ns(self), "pilot", level, sentence, values)
        self._diagnostics.publish(message)

    def _complain(self, error: InputError) -> None:
        self._failures += 1
        self._last_error = str(error)
        self.get_logger().warning(str(error), throttle_duration_sec=1.0)


def _name(model: ModelFile | None) -> dict[str, str]:
    return {"model": model.card.name, "digest": model.digest} if model else {}


def _scalars(prediction: Prediction, ego: EgoState) -> dict[str, float]:
    return {
        "curvature_1pm": prediction.curvature_1pm,
        "curvature_std_1pm": prediction.curvature_std_1pm,
        "path_std_m": float(prediction.path_std_m.max()),
        "lane_offset_m": prediction.lane_offset_m,
        "heading_error_rad": prediction.heading_error_rad,
        "speed_mps": ego.speed_mps,
        "speed_std_mps": ego.speed_std_mps,
        "yaw_rate_radps": ego.yaw_rate_radps,
    }


def _make() -> Pilot:
    pilot = Pilot()
    if pilot.autostart:
        pilot.start()
    return pilot


def main(args: list[str] | None = None) -> int:
    """Run the node."""
    return ros.run(_make, args)


if __name__ == "__main__":
    sys.exit(main())
