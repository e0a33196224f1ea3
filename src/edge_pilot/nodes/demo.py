"""A live drive: sim, pilot and safety as processes, watched from outside."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import rclpy
from rclpy.executors import SingleThreadedExecutor

from edge_pilot import pipeline
from edge_pilot.card import CameraModel, ModelFile, pinhole
from edge_pilot.config import Config
from edge_pilot.errors import EdgePilotError
from edge_pilot.nodes.observer import Observer, Seen
from edge_pilot.nodes.processes import Processes, isolated
from edge_pilot.replay.drivelog import DriveLog, FrameLog
from edge_pilot.replay.ground import seen_by
from edge_pilot.sim.world import LANE_WIDTH, make_world
from edge_pilot.types import NANOSECONDS, Command, Floats

START_S = 60.0  # for all nodes to be up and the car to be engaged
ENGAGE_EVERY_S = 0.2
FLUSH_S = 0.3  # after the last picture, for what is under way
STAGES = tuple(f"{name}_ms" for name in pipeline.STAGES)
Progress = Callable[[float, Mapping[str, float]], None]


class DriveError(EdgePilotError):
    """The live drive did not come about, or broke off."""


def drive_live(
    config: Config, model: ModelFile, seconds: float, logs: Path, progress: Progress
) -> DriveLog:
    """Drive for some seconds on the wall clock, and give all that was seen.

    Args:
        config: seed and light are those of `config.sim`.
        model: the model that the pilot loads.
        seconds: from the moment of engagement.
        logs: a folder for the nodes' output.
        progress: called now and then with the seconds driven and the newest truth.

    Raises:
        DriveError: a node ended, or the car was not engaged in time.
    """
    environment = isolated(os.environ, logs)
    os.environ.update(environment)  # this process watches, in the same domain
    with Processes(environment, logs) as processes:
        parameters = {"pilot.model": str(model.path), "sim.seed": config.sim.seed,
                      "sim.light": config.sim.light,
                      "sim.road_length_m": config.sim.road_length_m}  # fmt: skip
        for node in ("sim", "pilot", "safety"):
            processes.start(node, parameters, [])
        rclpy.init(args=[])
        executor = SingleThreadedExecutor()
        observer = Observer()
        executor.add_node(observer)
        try:
            engaged_ns = _engage(observer, executor, processes)
            _watch(observer, executor, processes, seconds, progress)
        finally:
            executor.shutdown(timeout_sec=0.1)
            observer.destroy_node()
            rclpy.try_shutdown()
        statuses = processes.stop()
    if any(statuses.values()):
        raise DriveError(f"expected all nodes to end with status 0, got {statuses}")
    return _log(config, model, observer.seen, engaged_ns, seconds)


def _engage(observer: Observer, executor: SingleThreadedExecutor, processes: Processes) -> int:
    """Ask until safety lets the pilot drive, and give the moment."""
    deadline, answer = time.monotonic() + START_S, "no node answers"
    while time.monotonic() < deadline:
        _check(processes)
        asked = observer.ask_to_engage()
        until = time.monotonic() + ENGAGE_EVERY_S
        while time.monotonic() < until:
            executor.spin_once(timeout_sec=0.05)
        if asked is not None and asked.done():
            answer = asked.result().message
            if asked.result().success:
                return time.time_ns()
    raise DriveError(f"expected the car to be engaged within {START_S:g} s, got: {answer}")


def _watch(
    observer: Observer, executor: SingleThreadedExecutor, processes: Processes,
    seconds: float, progress: Progress,
) -> None:  # fmt: skip
    begun = shown = time.monotonic()
    while (now := time.monotonic()) - begun < seconds:
        executor.spin_once(timeout_sec=0.05)
        if now - shown > 0.5 and observer.seen.truth:
            shown = now
            _check(processes)
            progress(now - begun, next(reversed(observer.seen.truth.values())))
    until = time.monotonic() + FLUSH_S
    while time.monotonic() < until:
        executor.spin_once(timeout_sec=0.05)


def _check(processes: Processes) -> None:
    if problem := processes.ended():
        raise DriveError(f"expected all nodes to run, got: {problem}")


def _log(
    config: Config, model: ModelFile, seen: Seen, engaged_ns: int, seconds: float
) -> DriveLog:
    """Put together what belongs together, from the moment of engagement on."""
    end_ns = engaged_ns + int(seconds * NANOSECONDS)
    stamps = [stamp for stamp in seen.truth if engaged_ns <= stamp <= end_ns]
    if not stamps:
        raise DriveError("expected pictures after the engagement, got none")
    begin_ns = stamps[0]
    decided = {
        moment: said for moment, said in seen.decisions.items() if begin_ns <= moment <= end_ns
    }
    by_image = {int(said["image_stamp_ns"]): moment for moment, said in sorted(decided.items(),
                reverse=True) if int(said["image_stamp_ns"])}  # fmt: skip
    world = make_world(config.sim.seed, config.sim.road_length_m, config.sim.light)
    latency = [(moment - image) / 1e6 for image, moment in by_image.items() if image >= begin_ns]
    return DriveLog(
        seed=world.seed,
        light=world.light,
        model=f"{model.card.name} {model.digest}",
        truth=_columns(seen, stamps),
        road_m=np.column_stack([world.road.x, world.road.y]),
        lane_width_m=LANE_WIDTH,
        latency_ms=np.array(latency),
        stages_ms=_stages(seen, stamps),
        frames=[
            _frame(seen, stamp, by_image, (model.card.input.camera, pinhole(config.camera)))
            for stamp in stamps
            if stamp in seen.jpeg
        ],
        counts=_counts(seen, stamps, decided),
        states=_states(decided, begin_ns),
    )


def _columns(seen: Seen, stamps: list[int]) -> dict[str, Floats]:
    columns = {
        name: np.array([seen.truth[stamp][name] for stamp in stamps])
        for name in seen.truth[stamps[0]]
    }
    columns["time_s"] = (np.array(stamps) - stamps[0]) / NANOSECONDS
    return columns


def _stages(seen: Seen, stamps: list[int]) -> dict[str, Floats]:
    """Give the parts of the latency: the camera's, and those that the pilot measured."""
    stages = {"camera": np.array([seen.truth[stamp]["render_ms"] for stamp in stamps])}
    for name in STAGES:
        values = [seen.predictions[at][name] for at in stamps if at in seen.predictions]
        stages[name.removesuffix("_ms")] = np.array(values)
    stages["to the vehicle"] = np.array([seen.truth[stamp]["transit_ms"] for stamp in stamps])
    return stages


def _frame(
    seen: Seen, stamp_ns: int, by_image: Mapping[int, int],
    cameras: tuple[CameraModel, CameraModel],
) -> FrameLog:  # fmt: skip
    """Give one picture; `cameras` are the model's own, and the one that took it."""
    obstacles = [
        replace(one, box_px=seen_by(one.box_px, *cameras)) if one.box_px else one
        for one in seen.obstacles.get(stamp_ns, ())
    ]
    command: Command | None = seen.commands.get(by_image.get(stamp_ns, 0))
    return FrameLog(
        stamp_ns=stamp_ns,
        jpeg=seen.jpeg[stamp_ns],
        path=seen.paths.get(stamp_ns),
        prediction=seen.predictions.get(stamp_ns, {}),
        command=command,
        obstacles=tuple(obstacles),
    )


def _counts(
    seen: Seen, stamps: list[int], decided: Mapping[int, Mapping[str, str]]
) -> dict[str, int]:
    """Count frames between first and last; lost are those that a subscriber never got."""
    first, last = seen.truth[stamps[0]], seen.truth[stamps[-1]]
    answered = [seen.predictions[stamp] for stamp in stamps if stamp in seen.predictions]
    pilot = {
        name: int(answered[-1][f"frames_{name}"] - answered[0][f"frames_{name}"])
        if answered
        else 0
        for name in ("received", "lost", "superseded")
    }
    stopping = [said for said in decided.values() if said["state"] == "stopping"]
    return {
        "published": int(last["frames"] - first["frames"]) + 1,
        **pilot,
        "received": pilot["received"] + bool(answered),
        "skipped by the simulator": int(last["skipped"] - first["skipped"]),
        "decisions": len(decided),
        "decisions to stop": len(stopping),
        "late at the vehicle": int(last["late_commands"] - first["late_commands"]),
    }


def _states(
    decided: Mapping[int, Mapping[str, str]], begin_ns: int
) -> list[tuple[float, str, str]]:
    """Give the moments at which state changed, with its sentence."""
    changes: list[tuple[float, str, str]] = []
    for moment, said in sorted(decided.items()):
        if not changes or changes[-1][1] != said["state"]:
            time_s = (moment - begin_ns) / NANOSECONDS
            changes.append((time_s, said["state"], said["sentence"]))
    return changes
