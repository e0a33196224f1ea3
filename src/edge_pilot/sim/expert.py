"""The driver who knows the road: the car's own controllers on the true path."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from edge_pilot.config import Config
from edge_pilot.control.lateral import steer
from edge_pilot.control.leads import leads
from edge_pilot.control.longitudinal import accelerate
from edge_pilot.sim.simulator import Simulator
from edge_pilot.types import Command, EgoState, Path

REACH_M = 80.0
DISTANCES_M = tuple(float(d) for d in range(5, 85, 5))
PLANNED = 10  # points of the path, to 45 m: bends farther away are none of today's business


def expert(sim: Simulator, config: Config) -> Command:
    """Drive well."""
    return follow(sim.path_ahead(DISTANCES_M), sim, config)


def demand(sim: Simulator, config: Config) -> float:
    """Give the acceleration [m/s^2] that the car's own control wants with perfect sight."""
    return expert(sim, config).acceleration_mps2


def follow(path: Path, sim: Simulator, config: Config) -> Command:
    """Drive along a path with the true speed, and brake for what perfect sight sees."""
    motion, vehicle, control = sim.motion, config.vehicle, config.control
    ego = EgoState(sim.stamp_ns, motion.speed, motion.yaw_rate)
    near = Path(path.stamp_ns, path.points_m[:PLANNED])
    found = leads(sim.truth_obstacles(REACH_M), path, ego, vehicle, control)
    return Command(
        sim.stamp_ns,
        steer(near, ego, vehicle, control),
        accelerate(near, ego, control, found),
    )


class Wanderer:
    """An expert who strays on purpose, so that a student sees how to come back.

    It follows a line that swings about the lane's centre, at a speed limit of its own, and at
    random moments something tugs at the steering wheel.
    """

    def __init__(self, config: Config, rng: np.random.Generator, sway_m: float = 1.1) -> None:
        control = config.control
        limit = float(rng.uniform(0.45, 1.1)) * control.max_speed_mps
        self._config = replace(config, control=replace(control, max_speed_mps=limit))
        self._rng = rng
        self._sway = rng.uniform(0.1, 1.0, 3) * sway_m / 1.5
        self._period_s = rng.uniform(4.0, 14.0, 3)
        self._phase = rng.uniform(0.0, 2.0 * math.pi, 3)
        self._tug, self._tug_until_s = 0.0, 0.0

    def drive(self, sim: Simulator) -> Command:
        """Give the next command."""
        path = sim.path_ahead(DISTANCES_M)
        shifted = Path(path.stamp_ns, path.points_m + np.array([0.0, self._swing(sim.time_s)]))
        command = follow(shifted, sim, self._config)
        return replace(command, steering_rad=command.steering_rad + self.pull(sim.time_s))

    def _swing(self, time_s: float) -> float:
        return float(self._sway @ np.sin(2.0 * math.pi * time_s / self._period_s + self._phase))

    def pull(self, time_s: float) -> float:
        """Give the tug at the steering wheel [rad] at a time."""
        if time_s > self._tug_until_s:
            idle = self._rng.random() < 0.6
            self._tug = 0.0 if idle else float(self._rng.normal(0.0, 0.04))
            self._tug_until_s = time_s + self._rng.uniform(0.4, 1.2)
        return self._tug
