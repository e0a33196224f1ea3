"""Perfect sight: what is ahead as the car's own control would like to know it."""

from __future__ import annotations

import math

from edge_pilot.sim.actors import Box, pose, velocity
from edge_pilot.sim.vehicle import Motion
from edge_pilot.sim.world import World
from edge_pilot.types import Obstacle


def in_sight(
    world: World, motion: Motion, s: float, time_s: float, stamp_ns: int, reach_m: float
) -> tuple[Obstacle, ...]:
    """Give every actor ahead of `base_link` and within `reach_m`, nearest first."""
    found = []
    for actor, at in world.moving(time_s, s, reach_m + 20.0):
        box = Box(actor.kind, *pose(at, world.road, actor.turn), actor.size)
        x, y, width = facing(box, motion)
        if x > 0.0 and math.hypot(x, y) <= reach_m:
            vx, vy = _turned(*velocity(at, world.road), -motion.heading)
            found.append(Obstacle(stamp_ns, actor.kind, 1.0, x, y, vx, vy, width, 0.0, 0.0))
    return tuple(sorted(found, key=lambda one: one.x_m))


def facing(box: Box, motion: Motion) -> tuple[float, float, float]:
    """Give the middle of the side that faces the car, in `base_link`, and its width across x."""
    x, y = _turned(box.x - motion.x, box.y - motion.y, -motion.heading)
    heading, best = box.heading - motion.heading, (-math.inf, 0.0, 0.0, 0.0)
    nx, ny, (out, wide) = math.cos(heading), math.sin(heading), box.size[:2]
    for _ in range(4):
        fx, fy = x + 0.5 * out * nx, y + 0.5 * out * ny
        towards = -(nx * fx + ny * fy) / max(math.hypot(fx, fy), 1e-6)
        best = max(best, (towards, fx, fy, wide * abs(nx)))
        nx, ny, out, wide = -ny, nx, wide, out
    return best[1], best[2], best[3]


def _turned(x: float, y: float, angle: float) -> tuple[float, float]:
    cos, sin = math.cos(angle), math.sin(angle)
    return x * cos - y * sin, x * sin + y * cos
