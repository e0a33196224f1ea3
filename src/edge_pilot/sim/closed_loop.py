"""A driver in the simulator, lock-step and judged: the measure of how well a model drives.

The model's driver is made of the very parts that the nodes are: pipeline, filter, gate and
fallback. A departure is a wheel over a line of its lane; the car is then put back on the lane's
centre, so that each is counted once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import numpy as np

from edge_pilot.config import Config
from edge_pilot.ego import EgoFilter
from edge_pilot.pipeline import Pipeline
from edge_pilot.safety.supervisor import Moment, Supervisor
from edge_pilot.sim.expert import expert
from edge_pilot.sim.sensors import ImuSensor, Odometer
from edge_pilot.sim.simulator import (
    COMMAND_STEPS,
    ODOMETRY_STEPS,
    STANDING,
    START,
    Simulator,
)
from edge_pilot.sim.vehicle import DT
from edge_pilot.types import Command, Floats, Frame, Image

GIVE_UP_S = 20.0  # of standing still
MIN_PROGRESS_MPS = 2.0  # a drive slower than this on the whole is over
COLUMNS = ("time_s", "s_m", "x_m", "y_m", "heading_rad", "speed_mps", "yaw_rate_radps",
           "steering_rad", "lateral_m", "heading_error_rad", "curvature_1pm", "off_lane",
           "collided")  # fmt: skip


class Driver(Protocol):
    """Whoever drives."""

    def sense(self, sim: Simulator) -> None:
        """Take what the sensors give; called at each step."""
        ...

    def decide(self, sim: Simulator) -> Command:
        """Give the command for the next 50 ms."""
        ...


class Expert:
    """Knows the road."""

    def __init__(self, config: Config) -> None:
        self._config = config

    def sense(self, sim: Simulator) -> None:
        """Need nothing."""

    def decide(self, sim: Simulator) -> Command:
        """Drive well."""
        return expert(sim, self._config)


class ZeroSteering(Expert):
    """The control that must fail: the expert's speed, wheels straight."""

    def decide(self, sim: Simulator) -> Command:
        """Go straight."""
        command = super().decide(sim)
        return Command(command.stamp_ns, 0.0, command.acceleration_mps2)


class Model:
    """The car's own software on simulated sensors."""

    def __init__(
        self, config: Config, pipeline: Pipeline, sim: Simulator, look: Callable[[], Image],
        with_odometry: bool = True,
    ) -> None:  # fmt: skip
        seed = sim.world.seed
        self._pipeline = pipeline
        self._look = look
        self._imu, self._odometer = ImuSensor(seed), Odometer(seed)
        self._with_odometry = with_odometry
        self._filter = EgoFilter()
        self._supervisor = Supervisor(config, _moment(sim))
        self._is_engaged = False

    def sense(self, sim: Simulator) -> None:
        """Feed the filters of pilot and safety."""
        imu = self._imu.sample(sim.motion, sim.stamp_ns)
        self._filter.add_imu(imu)
        self._supervisor.track.add_imu(imu)
        if self._with_odometry and sim.steps % ODOMETRY_STEPS == 0:
            speed = self._odometer.sample(sim.motion, sim.stamp_ns).speed_mps
            self._filter.add_speed(sim.stamp_ns, speed, 0.1)
            self._supervisor.track.add_speed(sim.stamp_ns, speed, 0.1)

    def decide(self, sim: Simulator) -> Command:
        """Propose from the picture, and give what safety makes of it."""
        now = _moment(sim)
        decision = self._pipeline.step(Frame(sim.stamp_ns, self._look()), self._filter.state())
        self._supervisor.track.add_path(decision.prediction.path)
        self._supervisor.propose(decision.command, now)
        if not self._is_engaged:
            self._is_engaged = not self._supervisor.engage(now)
        return self._supervisor.decide(now).command


@dataclass(frozen=True, slots=True, eq=False)
class Trajectory:
    """One drive, 20 rows a second, with `COLUMNS`; values of a row are from before its command."""

    seed: int
    light: str
    rows: Floats = field(repr=False)  # (N, len(COLUMNS))
    departures: int
    collisions: int

    def column(self, name: str) -> Floats:
        """Give one column."""
        return self.rows[:, COLUMNS.index(name)]


class Score(NamedTuple):
    """How well one drive went, or several."""

    distance_m: float
    departures: int
    collisions: int
    stuck_s: float
    lateral_mean_m: float
    lateral_max_m: float
    lateral_jerk_p95_mps3: float
    speed_min_mps: float  # after the first 100 m
    speed_max_mps: float
    departures_per_km: float


def drive(sim: Simulator, driver: Driver, distance_m: float) -> Trajectory:
    """Drive until `distance_m` is done, or the car stands for too long, or is too slow."""
    rows: list[tuple[float, ...]] = []
    departures = collisions = 0
    command, standing_s, touched = Command(0, 0.0, 0.0), 0.0, False
    while True:
        if sim.steps % COMMAND_STEPS == 0:
            row = _row(sim)
            rows.append(row)
            if row[1] - START >= distance_m or sim.at_end or _is_stuck(sim, row, standing_s):
                break
            collisions += bool(row[-1]) and not touched
            touched = bool(row[-1])
            if row[-2]:
                departures += 1
                sim.place(row[1], row[5])
            standing_s = standing_s + COMMAND_STEPS * DT if row[5] < STANDING else 0.0
            driver.sense(sim)
            command = driver.decide(sim)
        else:
            driver.sense(sim)
        sim.step(command.steering_rad, command.acceleration_mps2)
    return Trajectory(sim.world.seed, sim.world.light, np.array(rows), departures, collisions)


def score(drives: Sequence[Trajectory]) -> Score:
    """Sum up drives."""
    lateral = np.concatenate([np.abs(one.column("lateral_m")) for one in drives])
    speed = np.concatenate([one.column("speed_mps") for one in drives])
    later = np.concatenate([one.column("s_m") > START + 100.0 for one in drives])
    jerk = np.concatenate([_lateral_jerk(one) for one in drives])
    distance = float(sum(one.column("s_m")[-1] - START for one in drives))
    departures = sum(one.departures for one in drives)
    under_way = speed[later] if later.any() else speed
    return Score(
        distance_m=distance,
        departures=departures,
        collisions=sum(one.collisions for one in drives),
        stuck_s=float(sum(_stuck_s(one) for one in drives)),
        lateral_mean_m=float(lateral.mean()),
        lateral_max_m=float(lateral.max()),
        lateral_jerk_p95_mps3=float(np.percentile(jerk, 95)) if len(jerk) else 0.0,
        speed_min_mps=float(under_way.min()),
        speed_max_mps=float(under_way.max()),
        departures_per_km=1000.0 * departures / max(distance, 1.0),
    )


def _row(sim: Simulator) -> tuple[float, ...]:
    motion, truth = sim.motion, sim.truth()
    return (
        sim.time_s, truth.s, motion.x, motion.y, motion.heading, motion.speed, motion.yaw_rate,
        motion.steering, truth.lateral, truth.heading_error, truth.curvature,
        float(truth.off_lane), float(truth.collided),
    )  # fmt: skip


def _is_stuck(sim: Simulator, row: tuple[float, ...], standing_s: float) -> bool:
    too_slow = sim.time_s > 60.0 and row[1] - START < MIN_PROGRESS_MPS * sim.time_s
    return standing_s > GIVE_UP_S or too_slow


def _stuck_s(drive: Trajectory) -> float:
    """Give the time at standstill after the car first moved, or all of it if it never did."""
    speed = drive.column("speed_mps")
    moved = np.flatnonzero(speed >= STANDING)
    first = int(moved[0]) if moved.size else 0
    return float((speed[first:] < STANDING).sum()) * COMMAND_STEPS * DT


def _lateral_jerk(drive: Trajectory) -> Floats:
    """Give |d(v^2 curvature)/dt| [m/s^3] without the jumps where the car was put back."""
    acceleration = drive.column("speed_mps") * drive.column("yaw_rate_radps")
    jerk = np.abs(np.diff(acceleration)) / (COMMAND_STEPS * DT)
    smooth: Floats = jerk[drive.column("off_lane")[:-1] == 0.0]
    return smooth


def _moment(sim: Simulator) -> Moment:
    return Moment(sim.stamp_ns, sim.stamp_ns)
