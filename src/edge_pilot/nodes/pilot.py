"""The driving node: a picture in, a proposal out."""

from __future__ import annotations

import gc
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import replace

import cv2
import numpy as np
from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.clock import Clock, ClockType
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.serialization import deserialize_message
from sensor_msgs.msg import CameraInfo

from edge_pilot import card, resources, topics
from edge_pilot.card import ModelFile, pinhole
from edge_pilot.errors import InputError
from edge_pilot.inference import backend
from edge_pilot.nodes import cdr, clouds, messages, ros
from edge_pilot.nodes.cameras import Cameras
from edge_pilot.nodes.debug import DebugImage
from edge_pilot.nodes.meter import Latencies, Stopwatch, is_late
from edge_pilot.nodes.motion import Motion
from edge_pilot.nodes.worker import Worker
from edge_pilot.pipeline import Decision, Pipeline
from edge_pilot.types import EgoState, Frame, Prediction

WARM_UPS = 3  # the first answers of an engine are slow
DIAGNOSTICS_PERIOD_S = 1.0
STAMP = slice(12, None)  # all but the stamp of a serialized message that begins with a header
SWITCH_S = 5e-4  # the painter's Python gives way to a picture that has come after this


class Pilot(LifecycleNode):
    """Drives while it is active."""

    def __init__(self) -> None:
        super().__init__("pilot", **ros.NODE_OPTIONS)
        self._config = ros.declare(self)
        self.autostart = self._config.pilot.autostart
        self._is_active = False
        self._problem: Exception | None = None  # of the last transition
        self._model: ModelFile | None = None
        self._engine = ""  # which computes it, and why no faster one
        self._pipeline: Pipeline | None = None
        self._camera = pinhole(self._config.camera)  # until a CameraInfo comes
        self._newest_ns: int | None = None
        self._latencies = Latencies(1e3 * self._config.pilot.deadline_s)
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

    def destroy_node(self) -> None:
        """Let the painter end too."""
        self._painter.close()
        super().destroy_node()

    def _open_outputs(self) -> None:
        self._path = ros.publisher(self, topics.PILOT_PATH)
        self._command = ros.publisher(self, topics.PILOT_COMMAND)
        self._prediction = ros.publisher(self, topics.PILOT_PREDICTION)
        self._obstacles = ros.publisher(self, topics.PILOT_OBSTACLES)
        self._markers = ros.publisher(self, topics.PILOT_OBSTACLE_MARKERS)
        self._diagnostics = ros.publisher(self, topics.DIAGNOSTICS)
        self._debug = DebugImage(self, self._config)
        self._painter = Worker(lambda job: self._debug.show(*job))

    def _open_inputs(self) -> None:
        self._cameras = Cameras(self, self._on_picture)
        self._scans = clouds.Scans(self, self._config.lidar, self._received_ns)
        self._infos = ros.Mailbox(self, topics.CAMERA_INFO, depth=1, raw=True)
        self._info = b""
        self._motion = Motion(self, self._config)

    def _load(self) -> None:
        """Load the model and let it answer a grey picture."""
        # For pictures of this size, waking OpenCV's own threads costs more than they save.
        cv2.setNumThreads(self._config.pilot.threads)
        self._model = card.load(resources.model(self._config.pilot.model))
        self._backend, self._engine = self._choose(self._model)
        self._pipeline = self._build()
        grey = np.full((self._camera.height_px, self._camera.width_px, 3), 128, np.uint8)
        for _ in range(WARM_UPS):
            self._pipeline.step(Frame(0, grey), EgoState(0, 0.0, 0.0))
        gc.freeze()  # what is loaded now stays: to look through it again takes some milliseconds

    def _choose(self, model: ModelFile) -> backend.Loaded:
        pilot, say = self._config.pilot, self.get_logger().info
        settings = backend.settings(pilot.threads, pilot.engine_cache, say)
        chosen = backend.choose(pilot.backend, model, settings)
        say(f"inference: {chosen.description}")
        return chosen

    def _build(self) -> Pipeline:
        return Pipeline(self._config, self._model, self._backend, self._camera)

    def _received_ns(self) -> int | None:
        """Give the stamp for a sensor's message, or None where its own counts."""
        return ros.now_ns(self) if self._config.pilot.stamp_source == "receive" else None

    def _follow_camera(self) -> None:
        """Take the newest intrinsics, and build anew where they have changed."""
        for message, _ in self._infos.take():
            if message[STAMP] == self._info[STAMP]:  # most only repeat what is known
                continue
            self._info = message
            camera = messages.read_camera(deserialize_message(message, CameraInfo))
            if camera is not None and camera != self._camera:
                self._camera = camera
                self._pipeline = self._build()

    def _on_picture(self, read: Callable[[int], Frame]) -> None:
        if not self._is_active or self._pipeline is None:
            return
        begun_ns, watch = ros.now_ns(self), Stopwatch(time.perf_counter_ns)
        try:
            self._follow_camera()
            frame = self._stamp(read(self._pipeline.reduction))
            if self._is_new(frame):
                watch.lap("read")
                ego = self._motion.state(frame.stamp_ns)
                watch.lap("motion")
                scan = self._scans.take(frame.stamp_ns)
                watch.lap("scan")
                decision = self._pipeline.step(frame, ego, scan, watch.lap)
                self._command.publish(messages.write_command(decision.command))
                watch.lap("propose")
                transport_ms = (begun_ns - frame.stamp_ns) / 1e6
                self._tell(decision, ego, {"transport": transport_ms, **watch.laps_ms})
                self._show(frame, decision, ego.speed_mps)
                self._motion.update()  # what has come meanwhile need not delay the next command
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

    def _tell(self, decision: Decision, ego: EgoState, laps_ms: Mapping[str, float]) -> None:
        stamp_ns, obstacles = decision.command.stamp_ns, decision.obstacles
        latency_ms = (ros.now_ns(self) - stamp_ns) / 1e6
        self._latencies.add(time.monotonic_ns(), latency_ms)
        # Safety takes the path for good once it has accepted the command, whichever comes first.
        self._path.publish(messages.write_path(decision.prediction.path))
        self._obstacles.publish(clouds.write_obstacles(stamp_ns, obstacles))
        if self._markers.get_subscription_count():
            self._markers.publish(clouds.write_markers(stamp_ns, obstacles))
        scalars = {
            **_scalars(decision.prediction, ego),
            **decision.scalars(),
            **{f"{stage}_ms": lap_ms for stage, lap_ms in laps_ms.items()},
            "latency_ms": latency_ms,
            "deadline_misses": self._latencies.misses,
            **self._cameras.counts(),
            **self._scans.counts(),
            "frames_failed": self._failures,
        }
        self._prediction.publish(cdr.write_scalars(stamp_ns, scalars))

    def _show(self, frame: Frame, decision: Decision, speed_mps: float) -> None:
        """Have the picture drawn by another thread, so that the next command need not wait."""
        if self._debug.is_heard():
            own = self._model.card.input.camera
            self._painter.give((frame, decision, speed_mps, self._camera, own))

    def _report(self) -> None:
        summary = self._latencies.summary(time.monotonic_ns())
        is_driving = self._is_active and summary["rate_hz"] > 0.0
        sentence = "Proposes." if is_driving else self._last_error or "No picture has come."
        values = {
            **_name(self._model),
            "inference": self._engine,
            **summary,
            **self._cameras.counts(),
            **self._scans.counts(),
            "frames_failed": self._failures,
            "last_error": self._last_error,
            "last_scan_error": self._scans.last_error,
        }
        problem = self._motion.problem()
        if is_driving:
            problem = problem or self._latencies.problem(time.monotonic_ns())
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
    sys.setswitchinterval(SWITCH_S)
    return ros.run(_make, args)


if __name__ == "__main__":
    sys.exit(main())
