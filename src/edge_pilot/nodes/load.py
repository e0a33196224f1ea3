"""The load of the benchmark: a camera and an IMU that publish by the clock, and hear the answers.

    python -m edge_pilot.nodes.load SPEC.json

SPEC.json holds a `Load`; a `Heard` goes to standard output as JSON. A picture's stamp is the
moment when it is due, as a sensor's is.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import cv2
import numpy as np
import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.serialization import deserialize_message
from sensor_msgs.msg import JointState

from edge_pilot import topics
from edge_pilot.nodes import cdr, messages, ros, sensor_messages
from edge_pilot.nodes.load_spec import Heard, Load
from edge_pilot.types import NANOSECONDS, Image, Imu

IMU_PERIOD_NS = NANOSECONDS // 100
AT_REST_MPS2 = (0.0, 0.0, 9.81)
PREPARE_NS = 4_000_000  # a message is put together so long before it is due
WAKE_NS = 500_000  # and the load is awake so long before, so that the picture leaves on time
DRAIN_S = 0.5  # for the last answers
JPEG_QUALITY = 90
FRAME_ID = "camera_optical_frame"
TICK_S = 1.0 / os.sysconf("SC_CLK_TCK")
PAGE_MB = os.sysconf("SC_PAGE_SIZE") / 1e6


class Source(Node):
    """Publishes what is due, and notes when answers come."""

    def __init__(self, load: Load) -> None:
        super().__init__("load")
        row = topics.CAMERA_COMPRESSED if load.is_jpeg else topics.CAMERA
        writer = _jpeg_writer if load.is_jpeg else _raw_writer
        self._write = [writer(picture) for picture in np.load(load.pictures)]
        self._image = ros.publisher(self, row)
        self._imu = ros.publisher(self, topics.IMU)
        self.answers: dict[int, int] = {}  # stamp of a picture -> when its command came [ns]
        self.shown: list[int] = []  # stamps of pictures
        self._scalars: list[bytes] = []
        ros.raw_subscription(self, topics.PILOT_COMMAND, self._on_command)
        ros.raw_subscription(self, topics.PILOT_PREDICTION, self._on_prediction)
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self)
        self._period_ns = int(NANOSECONDS / load.rate_hz)
        self._next = b""
        self._image_ns = self._imu_ns = time.time_ns()

    def turn(self, with_pictures: bool = True) -> None:
        """Publish what is due, and hear until something else is."""
        now = time.time_ns()
        while self._next and 0 < self._image_ns - now <= WAKE_NS:
            now = time.time_ns()
        if not with_pictures:
            self._next, self._image_ns = b"", now + self._period_ns
        elif self._next and now >= self._image_ns:
            self._image.publish(self._next)
            self.shown.append(self._image_ns)
            self._next, self._image_ns = b"", self._image_ns + self._period_ns
        elif not self._next and now >= self._image_ns - PREPARE_NS:
            self._next = self._write[len(self.shown) % len(self._write)](self._image_ns)
        if now >= self._imu_ns:
            self._imu.publish(sensor_messages.imu(Imu(self._imu_ns, AT_REST_MPS2, (0.0,) * 3)))
            self._imu_ns += IMU_PERIOD_NS
        due = min(self._imu_ns, self._image_ns - (WAKE_NS if self._next else PREPARE_NS))
        self._executor.spin_once(timeout_sec=max(0.0, (due - time.time_ns()) / NANOSECONDS))

    def rest(self, seconds: float) -> None:
        """Let only the IMU speak for so long."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.turn(with_pictures=False)

    def is_heard(self) -> bool:
        """Tell whether somebody hears the camera."""
        return self._image.get_subscription_count() > 0

    def scalars(self) -> list[dict[str, float]]:
        """Give the named numbers that the pilot has said since the last call, and at the end."""
        said, self._scalars = self._scalars, self._scalars[-1:]
        return [messages.read_scalars(deserialize_message(one, JointState)) for one in said]

    def _on_command(self, message: bytes, info: ros.MessageInfo) -> None:
        # When it came to this process, whatever this Python was just doing.
        came_ns = int(info.get("received_timestamp") or time.time_ns())
        self.answers.setdefault(cdr.stamp_ns(message), came_ns)

    def _on_prediction(self, message: bytes, _: ros.MessageInfo) -> None:
        self._scalars.append(message)


def measure(load: Load) -> Heard:
    """Warm the answering process up, show it `load.frames` pictures, and say what came back."""
    source, heard = Source(load), Heard()
    patience = time.monotonic() + load.patience_s
    while not source.is_heard() and time.monotonic() < patience:
        source.turn(with_pictures=False)
    while len(source.answers) < load.warm_answers and time.monotonic() < patience:
        source.turn()
    heard.first_answer_ns = next(iter(source.answers.values()), 0)
    source.rest(DRAIN_S)
    if load.frames:
        _count(load, source, heard)
    if load.rest_s:
        before_s = cpu_s(load.pid)
        source.rest(load.rest_s)
        heard.imu_cpu_ms = 1e3 * (cpu_s(load.pid) - before_s) / load.rest_s / load.rate_hz
    source.destroy_node()
    return heard


def _count(load: Load, source: Source, heard: Heard) -> None:
    before = source.scalars()[-1:]
    begin, before_s = len(source.shown), cpu_s(load.pid)
    while (done := len(source.shown) - begin) < load.frames:
        source.turn()
        if load.sample_every and done >= load.sample_every * len(heard.memory_mb):
            heard.memory_mb.append(memory_mb(load.pid))
    source.rest(DRAIN_S)
    stamps = source.shown[begin:]
    heard.published = len(stamps)
    heard.cpu_ms = 1e3 * (cpu_s(load.pid) - before_s) / len(stamps)
    heard.memory_mb = heard.memory_mb or [memory_mb(load.pid)]
    answered = [stamp for stamp in stamps if stamp in source.answers]
    heard.latencies_ms = [(source.answers[stamp] - stamp) / 1e6 for stamp in answered]
    if before:
        said = source.scalars()
        heard.superseded, heard.lost = (
            int(said[-1][name] - before[0][name]) for name in ("frames_superseded", "frames_lost")
        )
        names = [name for name in said[-1] if name.endswith("_ms")]
        heard.stages_ms = {name: float(np.median([one[name] for one in said])) for name in names}
    else:
        heard.lost = len(stamps) - len(answered)


def _raw_writer(picture: Image) -> Callable[[int], bytes]:
    return lambda stamp_ns: cdr.write_image(stamp_ns, FRAME_ID, "bgr8", picture)


def _jpeg_writer(picture: Image) -> Callable[[int], bytes]:
    file = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1]
    return lambda stamp_ns: cdr.write_compressed(stamp_ns, FRAME_ID, "jpeg", file)


def cpu_s(pid: int) -> float:
    """Give the CPU time that a process has used."""
    # The name in brackets may hold blanks.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return TICK_S * (int(fields[11]) + int(fields[12]))


def memory_mb(pid: int) -> float:
    """Give the resident memory of a process."""
    return PAGE_MB * int(Path(f"/proc/{pid}/statm").read_text().split()[1])


def main() -> int:
    """Run what the file in the only argument says."""
    load = Load(**json.loads(Path(sys.argv[1]).read_text()))
    rclpy.init(args=[])
    try:
        heard = measure(load)
    finally:
        rclpy.try_shutdown()
    sys.stdout.write(json.dumps(asdict(heard)) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
