"""The live part of `edge_pilot bench`: contenders as processes, and a load that feeds them."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import cv2
import numpy as np

from edge_pilot import resources
from edge_pilot.card import ModelFile
from edge_pilot.commands import bench_model
from edge_pilot.commands.bench_cases import AS_RUN, FLOOR, HD, PILOT, WIDTHS_PX, Case
from edge_pilot.config import CameraConfig, Config
from edge_pilot.nodes.load_spec import Heard, Load
from edge_pilot.nodes.processes import Processes, isolated
from edge_pilot.transport import PROFILES, TUNING

RATE_HZ = 30.0
MEMORY_RATE_HZ = 100.0  # of the smallest picture
PICTURES = 4
SEED = 700
START_S = 20.0  # for a contender to answer
SLACK_S = 60.0
REST_S = 3.0  # with the IMU alone
READY_S = 3.0  # until the load hears, before the pilot is started
CAMERA_PX = 320  # columns of the camera that the models know


class Bench:
    """Runs contenders one at a time, and keeps what they need in a folder."""

    def __init__(self, folder: Path, config: Config, shipped: ModelFile) -> None:
        self.folder, self._config = folder, config
        folder.mkdir(parents=True, exist_ok=True)
        small = bench_model.make(folder, shipped)
        self.models = {"shipped": shipped, "small": small}
        self.pictures = _draw_pictures(folder)

    def measure(self, case: Case, contender: str, frames: int) -> Heard:
        """Show one contender so many frames."""
        load = Load(
            pictures=str(self.pictures[case.width_px]), is_jpeg=case.encoding == "jpeg",
            rate_hz=RATE_HZ, frames=frames, pid=0, patience_s=START_S,
            rest_s=REST_S if contender == PILOT else 0.0,
        )  # fmt: skip
        with self._processes(is_tuned=contender != AS_RUN) as processes:
            if case.has_hog:
                processes.run("hog", [sys.executable, "-c", "while True: pass"])
            pid = self._start(processes, contender, case)
            return self._run(processes, replace(load, pid=pid))

    def memory(self, frames: int) -> list[float]:
        """Give the pilot's memory [MB] during so many frames."""
        case = Case(WIDTHS_PX[0], "raw", "small")
        with self._processes() as processes:
            load = Load(
                str(self.pictures[case.width_px]),
                False,
                MEMORY_RATE_HZ,
                frames,
                self._start(processes, PILOT, case),
                sample_every=max(1, frames // 100),
            )
            return self._run(processes, load).memory_mb

    def start_up_s(self) -> float:
        """Give the time from the pilot's process start to its first command."""
        with self._processes() as processes:
            load = Load(
                str(self.pictures[HD.width_px]),
                False,
                RATE_HZ,
                0,
                0,
                warm_answers=1,
                patience_s=START_S,
            )
            self._start_load(processes, load)
            time.sleep(READY_S)
            begun_ns = time.time_ns()
            self._start(processes, PILOT, replace(HD, model="shipped"))
            heard = Heard(**json.loads(processes.wait("load", START_S + SLACK_S)))
        first_ns = heard.first_answer_ns
        return (first_ns - begun_ns) / 1e9 if first_ns else float("nan")

    def _processes(self, is_tuned: bool = True) -> Processes:
        environment = isolated(os.environ, self.folder)
        if not is_tuned:
            set_by_us = {*PROFILES, *TUNING}
            environment = {k: v for k, v in environment.items() if k not in set_by_us}
        return Processes(environment, self.folder, is_tuned=is_tuned)

    def _start(self, processes: Processes, contender: str, case: Case) -> int:
        path = self.models[case.model].path
        if contender == PILOT:
            focal = self._config.camera.focal_px * case.width_px / CAMERA_PX
            return processes.start("pilot", {
                "pilot.model": path, "camera.width_px": case.width_px,
                "camera.height_px": case.height_px, "camera.focal_px": focal,
            })  # fmt: skip
        script = resources.find("bench/floor.py" if contender == FLOOR else "bench/plain.py")
        return processes.run("contender", [sys.executable, str(script), str(path)])

    def _start_load(self, processes: Processes, load: Load) -> None:
        path = self.folder / "load.json"
        path.write_text(json.dumps(asdict(load)))
        processes.run("load", [sys.executable, "-m", "edge_pilot.nodes.load", str(path)])

    def _run(self, processes: Processes, load: Load) -> Heard:
        self._start_load(processes, load)
        limit_s = load.frames / load.rate_hz + load.patience_s + load.rest_s + SLACK_S
        return Heard(**json.loads(processes.wait("load", limit_s)))


def _draw_pictures(folder: Path) -> dict[int, Path]:
    """Take pictures of a simulated road, and write them in each size, blue first."""
    paths = {width: folder / f"pictures{width}.npy" for width in WIDTHS_PX}
    if not all(path.exists() for path in paths.values()):
        largest = max(WIDTHS_PX)
        taken = _take_pictures(largest)
        for width, path in paths.items():
            size = (width, width * 9 // 16)
            np.save(path, np.stack([cv2.resize(one, size, interpolation=cv2.INTER_AREA)
                                    for one in taken]))  # fmt: skip
    return paths


def _take_pictures(width_px: int) -> Sequence[np.ndarray]:
    from edge_pilot.sim import pictures

    usual = CameraConfig()
    camera = replace(usual, width_px=width_px, height_px=width_px * 9 // 16,
                     focal_px=usual.focal_px * width_px / usual.width_px)  # fmt: skip
    taken = pictures.take(camera, [SEED], [20.0 + 60.0 * number for number in range(PICTURES)])
    return [np.ascontiguousarray(rgb[..., ::-1]) for rgb in taken]
