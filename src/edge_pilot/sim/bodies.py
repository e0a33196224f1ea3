"""What moves, as triangles: cars, vans, trucks, people and riders, no two quite alike.

Each fills the box that the LiDAR and the judge of collisions take it for.
"""

from __future__ import annotations

import math

import numpy as np

from edge_pilot.sim.actors import Actor
from edge_pilot.sim.scenery import Colour, Mesh, box, merge, moved, quads

VAN_M, TRUCK_M = 1.9, 2.7  # heights from which a vehicle is one


def body(item: Actor) -> Mesh:
    """Make what moves about its own centre, facing x; its details follow from its size."""
    rng = np.random.default_rng([round(1e6 * value) for value in item.size])
    if item.kind == "vehicle":
        return _car(item.size, item.colour, rng)
    return {"pedestrian": _person, "cyclist": _cyclist}[item.kind](item.size, item.colour, rng)


def _shade(rng: np.random.Generator, low: float, high: float) -> Colour:
    """Draw a colour, mostly grey."""
    red, green, blue = rng.uniform(low, high) + rng.uniform(-18.0, 18.0, 3)
    return float(red), float(green), float(blue)


def _car(size: tuple[float, float, float], colour: Colour, rng: np.random.Generator) -> Mesh:
    """Make a car, or what its size makes it: a van or a truck."""
    length, width, height = size
    clearance = 0.22 if height < TRUCK_M else 0.45
    wheel = 0.6 if height < TRUCK_M else 0.9
    wheels = [
        box((wheel, 0.2, wheel), (18, 18, 18),
            (sx * 0.31 * length, sy * (0.5 * width - 0.1), 0.0))
        for sx in (-1, 1)
        for sy in (-1, 1)
    ]  # fmt: skip
    lamps = [
        box((0.06, 0.3, 0.14), rgb, (sx * (0.5 * length - 0.02), sy * 0.35 * width, lift))
        for sx, rgb, lift in ((1, (250, 245, 220), 0.55), (-1, (200, 20, 15), 0.6))
        for sy in (-1, 1)
    ]
    plate = box((0.04, 0.5, 0.12), (225, 225, 215), (-0.5 * length + 0.01, 0.0, 0.4))
    shape = _saloon if height < VAN_M else _van if height < TRUCK_M else _truck
    return merge([*wheels, *shape(size, colour, clearance, rng), *lamps, plate])


def _saloon(
    size: tuple[float, float, float], colour: Colour, clearance: float, rng: np.random.Generator
) -> list[Mesh]:
    length, width, height = size
    body = float(rng.uniform(0.46, 0.58)) * height
    run, back = float(rng.uniform(0.42, 0.66)), float(rng.uniform(-0.14, 0.02))
    glass = _shade(rng, 30.0, 75.0)
    top = clearance + body
    bumper = _shade(rng, 30.0, 90.0)
    return [
        box((length, width, body), colour, (0.0, 0.0, clearance)),
        box((length - 0.02, width - 0.02, 0.16), bumper, (0.0, 0.0, clearance - 0.03)),
        box((run * length, 0.86 * width, height - top - 0.06), glass, (back * length, 0.0, top)),
        box((0.86 * run * length, 0.84 * width, 0.08), colour,
            (back * length, 0.0, height - 0.08)),
    ]  # fmt: skip


def _van(
    size: tuple[float, float, float], colour: Colour, clearance: float, rng: np.random.Generator
) -> list[Mesh]:
    length, width, height = size
    glass, nose = _shade(rng, 30.0, 75.0), float(rng.uniform(0.08, 0.18)) * length
    return [
        box((length, width, 0.45 * height), colour, (0.0, 0.0, clearance)),
        box((length - nose, width, height - clearance), colour, (-0.5 * nose, 0.0, clearance)),
        box((0.04, 0.84 * width, 0.28 * height), glass,
            (0.5 * length - nose + 0.01, 0.0, 0.6 * height)),
        box((0.04, 0.7 * width, 0.25 * height), glass, (-0.5 * length, 0.0, 0.6 * height)),
    ]  # fmt: skip


def _truck(
    size: tuple[float, float, float], colour: Colour, clearance: float, rng: np.random.Generator
) -> list[Mesh]:
    """Make a lorry with a load, or a bus with a band of windows."""
    length, width, height = size
    glass = _shade(rng, 30.0, 75.0)
    if rng.random() < 0.4:
        band = (length - 0.4, width + 0.02, 0.3 * height)
        return [
            box((length, width, height - clearance), colour, (0.0, 0.0, clearance)),
            box(band, glass, (0.0, 0.0, 0.45 * height)),
            box((0.04, 0.85 * width, 0.4 * height), glass, (0.5 * length, 0.0, 0.35 * height)),
            box((0.04, 0.8 * width, 0.25 * height), glass, (-0.5 * length, 0.0, 0.5 * height)),
        ]
    cab = 1.9
    return [
        box((length, 0.8 * width, 0.5), (50, 50, 52), (0.0, 0.0, clearance)),
        box((cab, width, 0.8 * height - clearance), colour,
            (0.5 * (length - cab), 0.0, clearance)),
        box((0.04, 0.85 * width, 0.22 * height), glass, (0.5 * length, 0.0, 0.5 * height)),
        box((length - cab - 0.2, width, height - clearance - 0.5), _shade(rng, 110.0, 235.0),
            (-0.5 * (cab + 0.2), 0.0, clearance + 0.5)),
    ]  # fmt: skip


def _person(size: tuple[float, float, float], colour: Colour, rng: np.random.Generator) -> Mesh:
    """Make somebody in the middle of a step of the body's whole length."""
    length, width, height = size
    skin, trousers = _skin(rng), _shade(rng, 25.0, 150.0)
    stride = 0.5 * max(length - 0.2, 0.0)
    hip, shoulder = float(rng.uniform(0.44, 0.5)) * height, 0.83 * height
    arm = 0.16 * width
    swing = float(rng.uniform(0.0, 1.0)) * stride
    sleeves = colour if rng.random() < 0.7 else skin
    coat = float(rng.uniform(0.0, 0.22)) * height if rng.random() < 0.35 else 0.0
    body = width - 2.0 * arm
    depth = min(0.26, length)
    hair = _shade(rng, 20.0, 130.0)
    return merge([
        box((0.2, 0.3 * width, hip), trousers, (stride, 0.17 * width, 0.0)),
        box((0.2, 0.3 * width, hip), trousers, (-stride, -0.17 * width, 0.0)),
        box((depth, body, shoulder - hip + coat), colour, (0.0, 0.0, hip - coat)),
        box((0.14, arm, 0.36 * height), sleeves,
            (-swing, 0.5 * (width - arm), shoulder - 0.37 * height)),
        box((0.14, arm, 0.36 * height), sleeves,
            (swing, -0.5 * (width - arm), shoulder - 0.37 * height)),
        box((0.19, 0.17, 0.12 * height), skin, (0.02, 0.0, shoulder + 0.01)),
        box((0.2, 0.18, 0.05 * height), hair, (0.0, 0.0, 0.94 * height)),
    ])  # fmt: skip


def _cyclist(size: tuple[float, float, float], colour: Colour, rng: np.random.Generator) -> Mesh:
    """Make a bicycle with its rider, who leans forward a little."""
    length, width, height = size
    radius = 0.19 * length
    steel, skin, trousers = _shade(rng, 30.0, 200.0), _skin(rng), _shade(rng, 25.0, 150.0)
    wheels = [
        moved(_disc(radius, (25.0, 25.0, 28.0)), x, 0.0, 0.0)
        for x in (0.5 * length - radius, radius - 0.5 * length)
    ]
    saddle = 0.52 * height
    cap = _shade(rng, 30.0, 235.0)
    return merge([
        *wheels,
        box((0.55 * length, 0.05, 0.07), steel, (0.0, 0.0, radius + 0.22)),
        box((0.06, 0.05, saddle - radius), steel, (-0.15 * length, 0.0, radius)),
        box((0.06, 0.05, 0.34 * height), steel, (0.26 * length, 0.0, radius)),
        box((0.05, width, 0.05), (30, 30, 30), (0.24 * length, 0.0, 0.6 * height)),
        box((0.22, 0.13, saddle - 0.12), trousers, (-0.03 * length, 0.12, 0.16)),
        box((0.22, 0.13, saddle - 0.3), trousers, (0.05 * length, -0.12, 0.34)),
        box((0.3, 0.8 * width, 0.32 * height), colour, (-0.06 * length, 0.0, saddle)),
        box((0.32 * length, 0.1, 0.1), colour, (0.1 * length, 0.4 * width, 0.68 * height)),
        box((0.32 * length, 0.1, 0.1), colour, (0.1 * length, -0.4 * width, 0.68 * height)),
        box((0.2, 0.17, 0.1 * height), skin, (0.04, 0.0, 0.84 * height)),
        box((0.26, 0.2, 0.05 * height), cap, (0.03, 0.0, 0.94 * height)),
    ])  # fmt: skip


def _skin(rng: np.random.Generator) -> Colour:
    tone = float(rng.uniform(0.35, 1.0))
    return 225.0 * tone, 180.0 * tone, 150.0 * tone


def _disc(radius: float, colour: Colour) -> Mesh:
    """Make an upright ring, seen from both sides, that rolls along x and stands on the ground."""
    angle = np.linspace(0.0, 2.0 * math.pi, 13)
    around = np.column_stack([np.cos(angle), 0.0 * angle, np.sin(angle)])
    outer, inner = radius * around, 0.8 * radius * around
    ring = np.stack([inner[:-1], outer[:-1], outer[1:], inner[1:]], axis=1)
    ring += np.array([0.0, 0.0, radius])
    return quads(np.concatenate([ring, ring[:, ::-1]]), np.tile(np.array(colour), (24, 1)))
