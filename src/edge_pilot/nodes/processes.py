"""The package's nodes as processes, started as `ros2 launch` starts them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

from edge_pilot import transport
from edge_pilot.errors import EdgePilotError

STOP_S = 3.0  # after SIGINT; then the process is killed


class ProcessError(EdgePilotError):
    """A process failed, or did not end."""


class Processes:
    """A group of nodes that end together: a context manager."""

    def __init__(
        self, environment: Mapping[str, str], logs: Path, *, is_tuned: bool = True
    ) -> None:
        """Start nothing yet; `is_tuned` gives them what `transport` sets."""
        self._environment = dict(environment)
        if is_tuned:
            self._environment.update(transport.environment(environment))
        self._logs = logs
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(
        self, node: str, parameters: Mapping[str, object], files: Sequence[Path] = ()
    ) -> int:
        """Start `edge_pilot.nodes.<node>`; its output goes to `<node>.log`. Give its id."""
        command = [sys.executable, "-m", f"edge_pilot.nodes.{node}", "--ros-args"]
        for path in files:
            command += ["--params-file", str(path)]
        for name, value in parameters.items():
            text = str(value).lower() if isinstance(value, bool) else str(value)
            command += ["-p", f"{name}:={text}"]
        return self.run(node, command)

    def run(self, name: str, command: Sequence[str]) -> int:
        """Start any command; its output goes to `<name>.log`. Give its process id."""
        with (self._logs / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(
                command, env=self._environment, stdout=log, stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
            )  # fmt: skip
        self._running[name] = process
        return process.pid

    def ended(self) -> str:
        """Name a node that has ended, with the last line that it said; else an empty text."""
        for node, process in self._running.items():
            if process.poll() is not None:
                lines = (self._logs / f"{node}.log").read_text(errors="replace").splitlines()
                last = lines[-1] if lines else "it said nothing"
                return f"{node} ended with status {process.returncode}: {last}"
        return ""

    def wait(self, name: str, limit_s: float) -> str:
        """Wait until a process ends by itself, and give what it said.

        Raises:
            ProcessError: it fails, or does not end.
        """
        log = self._logs / f"{name}.log"
        try:
            status = self._running[name].wait(limit_s)
        except subprocess.TimeoutExpired:
            status = -1
        said = log.read_text(errors="replace")
        if status:
            last = said.strip().splitlines()[-1:] or ["nothing"]
            raise ProcessError(f"expected {name} to end within {limit_s:g} s, got: {last[0]}")
        return said

    def stop(self) -> dict[str, int]:
        """End all by SIGINT, as Ctrl-C does, and give their exit statuses."""
        for process in self._running.values():
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
        deadline = time.monotonic() + STOP_S
        statuses = {}
        for node, process in self._running.items():
            try:
                statuses[node] = process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                statuses[node] = process.wait()
        self._running.clear()
        return statuses

    def __enter__(self) -> Processes:
        """Give itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leave nothing running."""
        self.stop()


def isolated(base: Mapping[str, str], logs: Path) -> dict[str, str]:
    """Give an environment in which no other ROS system is heard, unless the user chose one."""
    own = {
        "ROS_DOMAIN_ID": str(1 + os.getpid() % 100),
        "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
        "ROS_LOG_DIR": str(logs),
    }
    return {**own, **base}
