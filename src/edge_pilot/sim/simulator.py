"""The simulation: a car in a world, stepped in lock-step; a judge that sees all."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edge_pilot.config import Config
from edge_pilot.sim.actors import Actor, Box, pose, velocity
from edge_pilot.sim.sight import in_sight
from edge_pilot.sim.vehicle import DT, Motion, Vehicle
from edge_pilot.sim.world import LANE_WIDTH, World
from edge_pilot.types import NANOSECONDS, Floats, Obstacle, Path

COMMAND_STEPS = 5  # 20 Hz, the camera's rate
ODOMETRY_STEPS = 2  # 50 Hz
LIDAR_STEPS, LIDAR_PHASE = 10, 2  # 10 Hz; its turns end between two pictures
START = 5.0  # m along the road
STANDING = 0.3  # m/s


@dataclass(frozen=True, slots=True)
class Truth:
    """What only the simulator knows, of `base_link` against the lane's centre."""

    s: float
    lateral: float  # m, positive left
    heading_error: float  # rad, positive left
    curvature: float  # 1/m
    off_lane: bool  # a wheel is over a line of the lane
    collided: bool  # the body touches another


class Simulator:
    """Steps of `DT`; what a sensor sees at a moment is a function of the state."""

    def __init__(self, config: Config, world: World, start_ns: int = 0) -> None:
        self.world = world
        self.steps = 0
        self._config = config
        self._start_ns = start_ns
        self._vehicle = Vehicle(config.vehicle, config.sim)
        self._props = world.prop_boxes()
        self._prop_xy = np.array([(box.x, box.y) for box in self._props]).reshape(-1, 2)
        self._s = START
        self._sight: dict[float, tuple[Obstacle, ...]] = {}  # of this moment, by reach
        self.place(START)

    @property
    def time_s(self) -> float:
        """Time since the start."""
        return self.steps * DT

    @property
    def stamp_ns(self) -> int:
        """The moment, as a stamp."""
        return self._start_ns + self.steps * int(DT * NANOSECONDS)

    @property
    def motion(self) -> Motion:
        """How the car moves."""
        return self._vehicle.motion

    @property
    def at_end(self) -> bool:
        """Whether the road's end is in sight."""
        return self._s > self.world.road.length_m - 60.0

    def place(self, s: float, speed_mps: float = 0.0) -> None:
        """Put the car on the lane's centre at `s`, along the lane."""
        x, y, heading = self.world.road.pose(s)
        self._vehicle.place(float(x), float(y), float(heading), speed_mps)
        self._sight.clear()
        self._s = s

    def step(self, steering_rad: float, acceleration_mps2: float) -> None:
        """Move everything on by `DT` under a command."""
        self._vehicle.step(steering_rad, acceleration_mps2)
        self.steps += 1
        self._sight.clear()
        self._s, _ = self.world.road.project(*self._xy(), self._s)

    def truth(self) -> Truth:
        """Judge the present moment."""
        motion, road = self.motion, self.world.road
        s, lateral = road.project(motion.x, motion.y, self._s)
        error = _wrapped(motion.heading - road.heading_at(s))
        return Truth(
            s=s,
            lateral=lateral,
            heading_error=error,
            curvature=road.curvature_at(s),
            off_lane=self._off_lane(motion, s, lateral),
            collided=any(_touch(self._body(motion), box) for box in self._near(motion, s)),
        )

    def path_ahead(self, distances_m: tuple[float, ...]) -> Path:
        """Give the lane's centre ahead as a path, at 0 and at distances along the lane."""
        s = self._s + np.array((0.0, *distances_m))
        x, y, _ = self.world.road.pose(s)
        motion = self.motion
        cos, sin = math.cos(motion.heading), math.sin(motion.heading)
        dx, dy = x - motion.x, y - motion.y
        points = np.column_stack([dx * cos + dy * sin, dy * cos - dx * sin])
        return Path(self.stamp_ns, points)

    def obstacles(self, reach_m: float = 100.0) -> list[Box]:
        """Give everything solid within reach."""
        motion = self.motion
        return self._near(motion, self._s, reach_m)

    def truth_obstacles(self, reach_m: float = 80.0) -> tuple[Obstacle, ...]:
        """Give all that moves or may move, ahead and within reach, as perfect sight would.

        What stands behind something else is there too. Nearest comes first.
        """
        if reach_m not in self._sight:
            args = (self.motion, self._s, self.time_s, self.stamp_ns, reach_m)
            self._sight[reach_m] = in_sight(self.world, *args)
        return self._sight[reach_m]

    def closing_at_touch(self, actors: Sequence[Actor]) -> float | None:
        """Give how fast the car drives against the first of `actors` that it touches.

        The speed [m/s] is along the car's heading, against that of the thing; None: no touch.
        """
        motion, length = self.motion, self.world.road.length_m
        for one in actors:
            at = one.progress(self.time_s, length)
            if abs(at.s - self._s) < 30.0:
                place = pose(at, self.world.road, one.turn)
                if _touch(self._body(motion), Box(one.kind, *place, one.size)):
                    vx, vy = velocity(at, self.world.road)
                    own = vx * math.cos(motion.heading) + vy * math.sin(motion.heading)
                    return max(0.0, motion.speed - own)
        return None

    def _xy(self) -> tuple[float, float]:
        motion = self._vehicle.motion
        return motion.x, motion.y

    def _off_lane(self, motion: Motion, s: float, lateral: float) -> bool:
        """Whether the outside of any of the four wheels is beyond the middle of a line."""
        wheelbase, half = self._config.vehicle.wheelbase_m, 0.5 * self._config.vehicle.width_m
        front = self.world.road.project(
            motion.x + wheelbase * math.cos(motion.heading),
            motion.y + wheelbase * math.sin(motion.heading),
            s + wheelbase,
        )[1]
        return max(abs(lateral), abs(front)) + half > 0.5 * LANE_WIDTH

    def _body(self, motion: Motion) -> Box:
        vehicle = self._config.vehicle
        middle = 0.5 * vehicle.length_m - vehicle.rear_overhang_m
        return Box(
            "ego",
            motion.x + middle * math.cos(motion.heading),
            motion.y + middle * math.sin(motion.heading),
            motion.heading,
            (vehicle.length_m, vehicle.width_m, 1.5),
        )

    def _near(self, motion: Motion, s: float, reach_m: float = 15.0) -> list[Box]:
        found = self.world.boxes(self.time_s, s, reach_m)
        far = np.hypot(self._prop_xy[:, 0] - motion.x, self._prop_xy[:, 1] - motion.y)
        return found + [self._props[i] for i in np.flatnonzero(far < reach_m)]


def _wrapped(angle: float) -> float:
    return (angle + math.pi) % (2.0 * math.pi) - math.pi


def _corners(box: Box) -> Floats:
    cos, sin = math.cos(box.heading), math.sin(box.heading)
    x, y = 0.5 * box.size[0], 0.5 * box.size[1]
    shape = np.array([[x, y], [-x, y], [-x, -y], [x, -y]])
    turned: Floats = shape @ np.array([[cos, sin], [-sin, cos]])
    turned += np.array([box.x, box.y])
    return turned


def _touch(a: Box, b: Box) -> bool:
    """Whether two rectangles overlap: no axis of either separates them (Gottschalk 1996)."""
    reach = 0.5 * (math.hypot(*a.size[:2]) + math.hypot(*b.size[:2]))
    if math.hypot(a.x - b.x, a.y - b.y) > reach:
        return False
    corners_a, corners_b = _corners(a), _corners(b)
    for heading in (a.heading, a.heading + math.pi / 2, b.heading, b.heading + math.pi / 2):
        axis = np.array([math.cos(heading), math.sin(heading)])
        on_a, on_b = corners_a @ axis, corners_b @ axis
        if on_a.max() < on_b.min() or on_b.max() < on_a.min():
            return False
    return True
