"""A driver in the simulator, lock-step and judged: the measure of how well a model drives.

The model's driver is made of the very parts that the nodes are: pipeline, filter, gate and
fallback. A departure is a wheel over a line of its lane; the car is then put back on the lane's
centre, so that each is counted once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple, Protocol

import numpy as np

from edge_pilot.config import Config
from edge_pilot.ego import MAX_GAP_S, EgoFilter
from edge_pilot.errors import InputError
from edge_pilot.lidar import placed
from edge_pilot.pipeline import Pipeline
from edge_pilot.safety.aeb import Watch
from edge_pilot.safety.gate import WITHIN_LIMITS
from edge_pilot.safety.supervisor import Moment, Output, Supervisor
from edge_pilot.sim import judge
from edge_pilot.sim.expert import demand, expert
from edge_pilot.sim.sensors import MAX_RANGE_M, Gps, ImuSensor, Lidar, Odometer, Odometry
from edge_pilot.sim.simulator import (
    COMMAND_STEPS,
    LIDAR_PHASE,
    LIDAR_STEPS,
    ODOMETRY_STEPS,
    STANDING,
    START,
    Simulator,
    Truth,
)
from edge_pilot.sim.vehicle import DT
from edge_pilot.types import Command, Floats, Frame, Image, Imu, Scan

GIVE_UP_S = 20.0  # of standing still
GPS_STEPS = 10
RESET_NS = 1_000_000_000  # a picture older by more means that its clock was set back
MIN_PROGRESS_MPS = 2.0  # a drive slower than this on the whole is over
COLUMNS = ("time_s", "s_m", "x_m", "y_m", "heading_rad", "speed_mps", "yaw_rate_radps",
           "steering_rad", "lateral_m", "heading_error_rad", "curvature_1pm", "off_lane",
           "collided", "demand_mps2", "perfect_mps2")  # fmt: skip


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


class Line(Protocol):
    """What lies between the sensors and the car's software, where faults are."""

    def imu(self, imu: Imu) -> Imu | None:
        """Give what comes of an inertial sample; None: nothing."""
        ...

    def wheels(self, said: Odometry) -> Odometry | None:
        """Give what comes of what the wheels say."""
        ...

    def scan(self, scan: Scan) -> Scan | None:
        """Give what comes of a scan."""
        ...

    def frames(self, frame: Frame) -> Sequence[Frame]:
        """Give the pictures that the pilot gets at the moment of this one."""
        ...

    def fix(self, latitude_deg: float, longitude_deg: float) -> tuple[float, float]:
        """Give what comes of a GPS fix."""
        ...

    def now(self, stamp_ns: int) -> Moment:
        """Give the present, as the processes read it from their clocks."""
        ...


class SoundLine:
    """A line without faults."""

    def imu(self, imu: Imu) -> Imu | None:
        """Pass it on."""
        return imu

    def wheels(self, said: Odometry) -> Odometry | None:
        """Pass it on."""
        return said

    def scan(self, scan: Scan) -> Scan | None:
        """Pass it on."""
        return scan

    def frames(self, frame: Frame) -> Sequence[Frame]:
        """Pass it on."""
        return (frame,)

    def fix(self, latitude_deg: float, longitude_deg: float) -> tuple[float, float]:
        """Pass it on."""
        return latitude_deg, longitude_deg

    def now(self, stamp_ns: int) -> Moment:
        """Let both clocks be right."""
        return Moment(stamp_ns, stamp_ns)


class Model:
    """The car's own software on simulated sensors.

    The model's pipeline or its engine may raise what a node would die of; then no proposal comes
    any more. `output` is what safety said last, `proposals` how many were judged, and
    `interventions` how often each code but `within_limits` was said of one.
    """

    def __init__(
        self, config: Config, pipeline: Pipeline | None, sim: Simulator,
        look: Callable[[], Image], with_odometry: bool = True, line: Line | None = None,
    ) -> None:  # fmt: skip
        seed = sim.world.seed
        self._pipeline = pipeline
        self._look = look
        self._line = line or SoundLine()
        self._imu, self._odometer = ImuSensor(seed), Odometer(seed)
        self._lidar = (
            Lidar(seed, config.lidar) if config.sim.lidar and config.pilot.use_lidar else None
        )
        self._scan: Scan | None = None
        self._mount = config.lidar
        self._with_odometry = with_odometry
        self._gps = Gps(seed) if line else None
        self._filter = EgoFilter()
        self._newest_ns: int | None = None
        self._supervisor = Supervisor(config, self._line.now(sim.stamp_ns))
        self._guards = [Watch(config), Watch(config)] if config.safety.aeb else []
        self.is_engaged = False
        self.output: Output | None = None
        self.proposals = 0
        self.interventions: Counter[str] = Counter()

    def sense(self, sim: Simulator) -> None:
        """Feed the filters of pilot and safety, and let the LiDAR turn."""
        now = self._line.now(sim.stamp_ns)
        if imu := self._line.imu(replace(self._imu.sample(sim.motion, sim.stamp_ns),
                                         stamp_ns=now.ros_ns)):  # fmt: skip
            self._filter.add_imu(imu)
            self._supervisor.add_imu(imu, now)
        if self._with_odometry and sim.steps % ODOMETRY_STEPS == 0:
            measured = self._odometer.sample(sim.motion, sim.stamp_ns)
            if said := self._line.wheels(replace(measured, stamp_ns=now.ros_ns)):
                at_ns, speed = said.stamp_ns, said.speed_mps
                self._filter.add_speed(at_ns, speed, 0.1)
                self._supervisor.add_speed(at_ns, speed, 0.1, now, said.yaw_rate_radps)
        if self._gps and sim.steps % GPS_STEPS == 0:
            said_gps = self._gps.sample(sim.motion, sim.stamp_ns)
            place = self._line.fix(said_gps.latitude_deg, said_gps.longitude_deg)
            self._filter.add_fix(now.ros_ns, *place, said_gps.horizontal_std_m)
        if self._lidar and sim.steps % LIDAR_STEPS == LIDAR_PHASE:
            points = self._lidar.scan(sim.motion, sim.obstacles(MAX_RANGE_M))
            self._hear(self._line.scan(Scan(now.ros_ns, placed(points, self._mount))), now)

    def decide(self, sim: Simulator) -> Command:
        """Propose from the pictures that come, and give what safety makes of it."""
        now = self._line.now(sim.stamp_ns)
        for frame in self._line.frames(Frame(now.ros_ns, self._look())):
            self._propose(frame, now)
        if not self.is_engaged:
            self.is_engaged = not self._supervisor.engage(now)
        self.output = self._supervisor.decide(now)
        return self.output.command

    def _hear(self, scan: Scan | None, now: Moment) -> None:
        self._scan = scan
        motion = self._supervisor.track.motion()
        if scan is None or motion is None:
            return
        self._supervisor.add_scan(now)
        for guard in self._guards[:1]:
            steering = self._supervisor.steering_rad
            found = guard.look(scan.stamp_ns, scan.points_m, motion, steering)
            self._supervisor.brake(found, now)

    def _propose(self, frame: Frame, now: Moment) -> None:
        is_late = self._newest_ns is not None and frame.stamp_ns <= self._newest_ns
        is_reset = self._newest_ns is not None and self._newest_ns - frame.stamp_ns > RESET_NS
        if (is_late and not is_reset) or abs(self._filter.age_s(frame.stamp_ns)) > MAX_GAP_S:
            return
        self._newest_ns = frame.stamp_ns
        scan, self._scan = self._scan, None  # each is given once
        if self._pipeline is None:
            return
        try:
            decision = self._pipeline.step(frame, self._filter.state(), scan)
        except InputError:  # the node says so, and waits for the next picture
            return
        except RuntimeError:  # of an engine: the node dies of it
            self._pipeline = None
            return
        self._supervisor.track.add_path(decision.prediction.path)
        self._supervisor.propose(decision.command, now)
        self._count()
        self._supervisor.add_picture(decision.scalars(), now)
        for guard in self._guards[1:]:
            motion = self._supervisor.track.motion()
            if motion is not None:
                steering = self._supervisor.steering_rad
                found = guard.look_at(decision.obstacles, motion, steering)
                self._supervisor.brake(found, now)

    def _count(self) -> None:
        verdict = self._supervisor.verdict
        self.proposals += 1
        if self.is_engaged and verdict is not None and verdict.code != WITHIN_LIMITS:
            self.interventions[verdict.code] += 1


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
    false_brakes: int
    stuck_s: float
    lateral_mean_m: float
    lateral_max_m: float
    lateral_jerk_p95_mps3: float
    speed_min_mps: float  # after the first 100 m
    speed_max_mps: float
    departures_per_km: float
    false_brakes_per_km: float


def drive(sim: Simulator, driver: Driver, distance_m: float, config: Config) -> Trajectory:
    """Drive until `distance_m` is done, or the car stands for too long, or is too slow."""
    rows: list[tuple[float, ...]] = []
    departures = collisions = 0
    command, standing_s, touched = Command(0, 0.0, 0.0), 0.0, False
    while True:
        if sim.steps % COMMAND_STEPS == 0:
            truth, speed = sim.truth(), sim.motion.speed
            rows.append((*_row(sim, truth), 0.0, demand(sim, config)))
            if truth.s - START >= distance_m or sim.at_end or _is_late(sim, truth, standing_s):
                break
            collisions += truth.collided and not touched
            touched = truth.collided
            if truth.off_lane:
                departures += 1
                sim.place(truth.s, speed)
            standing_s = standing_s + COMMAND_STEPS * DT if speed < STANDING else 0.0
            driver.sense(sim)
            command = driver.decide(sim)
            rows[-1] = (*rows[-1][:-2], command.acceleration_mps2, rows[-1][-1])
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
    false_brakes = sum(_false_brakes(one) for one in drives)
    under_way = speed[later] if later.any() else speed
    return Score(
        distance_m=distance,
        departures=departures,
        collisions=sum(one.collisions for one in drives),
        false_brakes=false_brakes,
        stuck_s=sum(
            judge.stuck_s(one.column("speed_mps"), one.column("perfect_mps2")) for one in drives
        ),
        lateral_mean_m=float(lateral.mean()),
        lateral_max_m=float(lateral.max()),
        lateral_jerk_p95_mps3=float(np.percentile(jerk, 95)) if len(jerk) else 0.0,
        speed_min_mps=float(under_way.min()),
        speed_max_mps=float(under_way.max()),
        departures_per_km=1000.0 * departures / max(distance, 1.0),
        false_brakes_per_km=1000.0 * false_brakes / max(distance, 1.0),
    )


def _row(sim: Simulator, truth: Truth) -> tuple[float, ...]:
    motion = sim.motion
    return (
        sim.time_s, truth.s, motion.x, motion.y, motion.heading, motion.speed, motion.yaw_rate,
        motion.steering, truth.lateral, truth.heading_error, truth.curvature,
        float(truth.off_lane), float(truth.collided),
    )  # fmt: skip


def _is_late(sim: Simulator, truth: Truth, standing_s: float) -> bool:
    too_slow = sim.time_s > 60.0 and truth.s - START < MIN_PROGRESS_MPS * sim.time_s
    return standing_s > GIVE_UP_S or too_slow


def _false_brakes(drive: Trajectory) -> int:
    columns = (drive.column(name) for name in ("demand_mps2", "perfect_mps2", "speed_mps"))
    return judge.false_brakes(*columns)


def _lateral_jerk(drive: Trajectory) -> Floats:
    """Give |d(v^2 curvature)/dt| [m/s^3] without the jumps where the car was put back."""
    acceleration = drive.column("speed_mps") * drive.column("yaw_rate_radps")
    jerk = np.abs(np.diff(acceleration)) / (COMMAND_STEPS * DT)
    smooth: Floats = jerk[drive.column("off_lane")[:-1] == 0.0]
    return smooth
