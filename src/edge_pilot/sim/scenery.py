"""The world as triangles: NumPy arrays that any renderer can draw.

Flat things (ground, road, paint, shadows) come in layers that are painted one over the other, so
that no two of them fight for the same depth; what stands up is drawn after them with a depth
test. Light is baked into the colours: tops are bright, sides are not.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge_pilot.sim.world import LANE_WIDTH, Prop, World
from edge_pilot.types import Floats, Image

CHUNK = 40.0  # m of road in one mesh, so that the renderer can leave out what is behind
FLAT_LAYERS = ("verge", "street", "pavement", "asphalt", "paint", "shadow")
RIGHT, LEFT = -0.5 * LANE_WIDTH, 1.5 * LANE_WIDTH  # m, edge lines of the road
PIECE = 1.0  # m, one piece of a line
Colour = tuple[float, float, float]


class Mesh(NamedTuple):
    """Triangles with a colour and a texture coordinate at each vertex."""

    vertices: NDArray[np.float32]  # (N, 3)
    colours: NDArray[np.uint8]  # (N, 4)
    uv: NDArray[np.float32]  # (N, 2)
    triangles: NDArray[np.uint32]  # (M, 3)


def merge(meshes: Iterable[Mesh]) -> Mesh:
    """Make one mesh of many."""
    parts = list(meshes)
    offsets = np.cumsum([0, *(len(part.vertices) for part in parts[:-1])])
    return Mesh(
        np.concatenate([part.vertices for part in parts]),
        np.concatenate([part.colours for part in parts]),
        np.concatenate([part.uv for part in parts]),
        np.concatenate(
            [part.triangles + np.uint32(n) for part, n in zip(parts, offsets, strict=True)]
        ),
    )


def quads(corners: Floats, colours: Floats, uv: Floats | None = None) -> Mesh:
    """Make K quads from corners (K, 4, 3), seen from where they run counter-clockwise.

    `colours` is (K, 3) or (K, 4), 0 to 255; `uv` is (K, 4, 2).
    """
    count = len(corners)
    rgba = np.full((count, 4), 255.0)
    rgba[:, : colours.shape[1]] = colours
    first = 4 * np.arange(count, dtype=np.uint32)[:, None]
    triangles = np.concatenate([first + np.array([0, 1, 2]), first + np.array([0, 2, 3])])
    return Mesh(
        corners.reshape(-1, 3).astype(np.float32),
        np.repeat(np.clip(rgba, 0, 255).astype(np.uint8), 4, axis=0),
        (np.zeros((count * 4, 2)) if uv is None else uv.reshape(-1, 2)).astype(np.float32),
        triangles.astype(np.uint32),
    )


def layers(world: World) -> Iterator[tuple[str, Mesh]]:
    """Give every chunk of every flat layer, and the props as layer `solid`."""
    rng = np.random.default_rng([world.seed, 0x5CE9])
    for low in np.arange(0.0, world.road.length_m, CHUNK):
        high = min(low + CHUNK, world.road.length_m)
        yield from _road(world, low, high)
        yield "paint", _lines(world, low, high, rng)
        props = [prop for prop in world.props if low <= prop.s < high]
        if props:
            yield "shadow", merge(_prop_shadow(world, prop) for prop in props)
            yield "solid", merge(_placed(world, prop) for prop in props)
    for s in world.crossings:
        yield "paint", _zebra(world, s)
    for s in world.side_streets:
        yield "street", _side_street(world, s)


def _ribbon(world: World, s: Floats, right: float, left: float, colour: Colour) -> Mesh:
    """Make the strip between two lateral offsets; its texture repeats every 4 m."""
    xr, yr, _ = world.road.pose(s, right)
    xl, yl, _ = world.road.pose(s, left)
    r = np.column_stack([xr, yr, np.zeros_like(xr)])
    l = np.column_stack([xl, yl, np.zeros_like(xl)])  # noqa: E741
    corners = np.stack([r[:-1], r[1:], l[1:], l[:-1]], axis=1)
    u = (s - s[0]) / 4.0
    v = (left - right) / 4.0
    uv = np.zeros((len(corners), 4, 2))
    uv[:, [0, 3], 0], uv[:, [1, 2], 0] = u[:-1, None], u[1:, None]
    uv[:, 2:, 1] = v
    return quads(corners, np.tile(np.array(colour), (len(corners), 1)), uv)


def _stations(low: float, high: float, step: float) -> Floats:
    return np.linspace(low, high, max(2, math.ceil((high - low) / step) + 1))


def _road(world: World, low: float, high: float) -> Iterator[tuple[str, Mesh]]:
    s = _stations(low, high, 2.0)
    grey = world.style["asphalt"]
    soil = (grey * 0.9 + 20, grey * 0.9 + 12, grey * 0.75)
    yield "verge", _ribbon(world, s, RIGHT - 1.2, LEFT + 1.2, soil)
    yield "asphalt", _ribbon(world, s, RIGHT - 0.25, LEFT + 0.25, (grey, grey, grey * 1.02))
    paved = [prop for prop in world.props if prop.kind == "building" and low <= prop.s < high]
    for side in (-1.0, 1.0):
        if any(prop.lateral * side > 0 for prop in paved):
            right, left = (RIGHT - 5.0, RIGHT - 0.25) if side < 0 else (LEFT + 0.25, LEFT + 5.0)
            tone = 0.5 * grey + 75
            yield "pavement", _ribbon(world, s, right, left, (tone, tone, tone))


def _lines(world: World, low: float, high: float, rng: np.random.Generator) -> Mesh:
    """Make edge lines and the centre line in pieces, some of them worn."""
    style = world.style
    s = np.arange(low, high - 1e-6, PIECE)
    middle = s + 0.5 * PIECE
    at_street = np.zeros(len(s), bool)
    for place in world.side_streets:
        at_street |= np.abs(middle - place) < 4.0
    solid = np.zeros(len(s), bool)
    for start, end in world.solid:
        solid |= (middle >= start) & (middle < end)
    dash = (middle % (style["dash_m"] + style["gap_m"])) < style["dash_m"]
    rows = ((RIGHT, ~at_street), (0.5 * LANE_WIDTH, (solid | dash) & ~at_street),
            (LEFT, ~at_street))  # fmt: skip
    meshes = [_pieces(world, s[shown], lateral, rng) for lateral, shown in rows if shown.any()]
    return merge(meshes)


def _pieces(world: World, s: Floats, lateral: float, rng: np.random.Generator) -> Mesh:
    half = 0.5 * world.style["line_m"]
    corners = np.stack(
        [_points(world, s, lateral - half), _points(world, s + PIECE, lateral - half),
         _points(world, s + PIECE, lateral + half), _points(world, s, lateral + half)], axis=1,
    )  # fmt: skip
    worn = np.where(rng.random(len(s)) < world.style["wear"], rng.uniform(0.25, 0.8, len(s)), 1.0)
    shade = worn * rng.uniform(0.92, 1.0, len(s))
    paint = world.style["paint"] * 245.0
    tone = shade * paint + (1.0 - shade) * world.style["asphalt"]
    return quads(corners, np.repeat(tone[:, None], 3, axis=1))


def _points(world: World, s: Floats, lateral: float | Floats) -> Floats:
    x, y, _ = world.road.pose(s, lateral)
    return np.column_stack([x, y, np.zeros(len(x))])


def _zebra(world: World, s: float) -> Mesh:
    """Make the bars of a pedestrian crossing, 4 m long."""
    laterals = np.arange(RIGHT + 0.4, LEFT - 0.6, 1.0)
    at = np.full(len(laterals), s)
    corners = np.stack(
        [_points(world, at, laterals), _points(world, at + 4.0, laterals),
         _points(world, at + 4.0, laterals + 0.5), _points(world, at, laterals + 0.5)], axis=1,
    )  # fmt: skip
    tone = world.style["paint"] * 235.0
    return quads(corners, np.full((len(corners), 3), tone))


def _side_street(world: World, s: float) -> Mesh:
    """Make a street that meets the road from both sides at a right angle."""
    grey = world.style["asphalt"] * 0.95
    outs = np.concatenate([np.linspace(-40.0, RIGHT, 16), np.linspace(LEFT, 40.0, 16)])
    x, y, heading = world.road.pose(np.full(len(outs), s), outs)
    along = 3.0 * np.column_stack([np.cos(heading), np.sin(heading), np.zeros(len(outs))])
    centre = np.column_stack([x, y, np.zeros(len(outs))])
    a, b = centre - along, centre + along
    corners = np.stack([a[:-1], b[:-1], b[1:], a[1:]], axis=1)
    return quads(corners, np.full((len(corners), 3), grey))


def _placed(world: World, prop: Prop) -> Mesh:
    x, y, heading = world.road.pose(prop.s, prop.lateral)
    mesh = {"building": building, "tree": tree, "post": post}[prop.kind](prop.size, prop.colour)
    return moved(mesh, float(x), float(y), float(heading) + prop.turn)


def moved(mesh: Mesh, x: float, y: float, heading: float) -> Mesh:
    """Turn a mesh about its origin, then shift it."""
    cos, sin = math.cos(heading), math.sin(heading)
    turn = np.array([[cos, -sin, 0.0], [sin, cos, 0.0], [0.0, 0.0, 1.0]])
    vertices = mesh.vertices @ turn.T + [x, y, 0.0]
    return mesh._replace(vertices=vertices.astype(np.float32))


def _prop_shadow(world: World, prop: Prop) -> Mesh:
    x, y, heading = world.road.pose(prop.s, prop.lateral)
    length, width, _ = prop.size
    grow = 1.15 if prop.kind == "tree" else 1.05
    return moved(shadow(length * grow, width * grow), float(x), float(y), float(heading))


def shadow(length: float, width: float) -> Mesh:
    """Make a soft dark patch on the ground: two octagons, one in the other."""
    angle = np.linspace(0.0, 2.0 * math.pi, 9)
    rings = []
    for scale, alpha in ((0.62, 45.0), (0.5, 60.0)):
        rim = np.column_stack([scale * length * np.cos(angle), scale * width * np.sin(angle),
                               np.zeros(9)])  # fmt: skip
        centre = np.zeros((4, 3))
        corners = np.stack([centre, rim[0:-1:2], rim[1::2], rim[2::2]], axis=1)
        rings.append(quads(corners, np.tile([0.0, 0.0, 0.0, alpha], (4, 1))))
    return merge(rings)


def box(
    size: tuple[float, float, float],
    colour: Colour,
    centre: tuple[float, float, float] = (0.0, 0.0, 0.0),
) -> Mesh:
    """Make a box that stands on `centre`, its length along x, without a bottom."""
    length, width, height = size
    x, y = 0.5 * length, 0.5 * width
    p = np.array([[-x, -y, 0], [x, -y, 0], [x, y, 0], [-x, y, 0],
                  [-x, -y, height], [x, -y, height], [x, y, height], [-x, y, height]])  # fmt: skip
    faces = ((4, 5, 6, 7), (0, 1, 5, 4), (1, 2, 6, 5), (2, 3, 7, 6), (3, 0, 4, 7))
    light = np.array([1.0, 0.72, 0.84, 0.9, 0.62])
    corners = p[np.array(faces)] + np.array(centre)
    uv = np.zeros((5, 4, 2))
    for face, run in ((1, length), (2, width), (3, length), (4, width)):
        u, v = run / 4.0, height / 3.0
        uv[face] = [[0.0, 0.0], [u, 0.0], [u, v], [0.0, v]]
    return quads(corners, light[:, None] * np.array(colour), uv)


def _cone(radius: float, low: float, high: float, colour: Colour, sides: int = 7) -> Mesh:
    angle = np.linspace(0.0, 2.0 * math.pi, sides + 1)
    rim = np.column_stack(
        [radius * np.cos(angle), radius * np.sin(angle), np.full(sides + 1, low)]
    )
    top = np.tile([0.0, 0.0, high], (sides, 1))
    corners = np.stack([rim[:-1], rim[1:], top, top], axis=1)
    light = 0.75 + 0.25 * np.sin(angle[:-1])
    return quads(corners, light[:, None] * np.array(colour))


def tree(size: tuple[float, float, float], colour: Colour) -> Mesh:
    """Make a trunk and two cones of leaves."""
    width, _, height = size
    bright = tuple(min(255.0, 1.2 * c) for c in colour)
    return merge([
        box((0.12 * width, 0.12 * width, 0.35 * height), (80, 60, 40)),
        _cone(0.5 * width, 0.22 * height, 0.75 * height, colour),
        _cone(0.36 * width, 0.5 * height, height, (bright[0], bright[1], bright[2])),
    ])  # fmt: skip


def post(size: tuple[float, float, float], colour: Colour) -> Mesh:
    """Make a lamp post or a delineator."""
    return box(size, colour)


def building(size: tuple[float, float, float], colour: Colour) -> Mesh:
    """Make a block with a darker roof edge; windows come from the texture."""
    length, width, height = size
    roof = tuple(0.55 * c for c in colour)
    return merge([
        box(size, colour),
        box((length + 0.4, width + 0.4, 0.35), (roof[0], roof[1], roof[2]), (0, 0, height)),
    ])  # fmt: skip


def ground_texture(rng: np.random.Generator, contrast: float, size: int = 128) -> Image:
    """Make a seamless grey noise (size, size, 3) about 128 that tints what it lies on."""
    noise = np.zeros((size, size))
    for octave in (4, 8, 16, 32, 64):
        grid = rng.normal(size=(octave, octave))
        wrapped = np.pad(grid, 1, mode="wrap")
        at = (np.arange(size) + 0.5) * octave / size + 0.5
        low, part = at.astype(int), at % 1.0
        rows = wrapped[low] * (1 - part)[:, None] + wrapped[low + 1] * part[:, None]
        noise += (rows[:, low] * (1 - part) + rows[:, low + 1] * part) * octave**-0.35
    grey = np.clip(215 + contrast * 40 * noise, 90, 255)
    return np.repeat(grey[:, :, None], 3, axis=2).astype(np.uint8)


def facade_texture() -> Image:
    """Make one window in a wall (32, 32, 3): a storey is 3 m, a window stands every 4 m."""
    wall = np.full((32, 32, 3), 255, np.uint8)
    wall[9:24, 9:23] = (70, 85, 105)
    wall[9:24, 15:17] = wall[8:9, 8:24] = 220
    return wall


def sky_texture(rng: np.random.Generator, zenith: Colour, horizon: Colour) -> Image:
    """Make a panorama (128, 512, 3): sky with clouds above distant hills; row 0 is the top."""
    height, width = 128, 512
    up = np.linspace(1.0, 0.0, height)[:, None, None]
    sky = up * np.array(zenith) + (1.0 - up) * np.array(horizon)
    clouds = np.tile(ground_texture(rng, 1.0)[:, :, :1].astype(float), (1, 4, 1))
    cover = np.clip((clouds - 225.0) / 60.0, 0.0, 0.7) * (0.3 + up)
    picture = sky * (1.0 - cover) + 250.0 * cover * np.array(horizon).max() / 255.0
    angle = np.linspace(0.0, 2.0 * math.pi, width)
    hills = sum(rng.uniform(0.5, 2.0) * np.sin(k * angle + rng.uniform(0, 6)) for k in range(2, 9))
    edge = height - 8 - 2.0 * (np.asarray(hills) + 2.0)
    below = np.arange(height)[:, None] > edge[None, :]
    tone = 0.55 * np.array(horizon) + 0.45 * np.array([60.0, 85.0, 60.0])
    picture = np.where(below[:, :, None], tone, picture)
    return np.clip(picture, 0, 255).astype(np.uint8)
