"""The camera of the simulator: Panda3D's own software renderer, no GPU and no screen.

It renders at twice the size and averages down, since it has no anti-aliasing of its own. Haze is
a row of half-transparent sheets that stand on the ground across the view, since it has no fog;
each hides its share of everything behind it.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import cv2
import numpy as np
from panda3d import core as p3d

from edge_pilot.config import CameraConfig
from edge_pilot.errors import InputError
from edge_pilot.sim import bodies, scenery
from edge_pilot.sim.look import LOOKS, Film, Look
from edge_pilot.sim.scenery import Mesh
from edge_pilot.sim.vehicle import Motion
from edge_pilot.sim.world import World
from edge_pilot.types import Image

SCALE = 2
NEAR, FAR = 0.5, 260.0  # m
GROUND_TILE, GROUND_TILES = 16.0, 30  # m, and how many a side
SKY_RADIUS, SKY_TOP = 200.0, 110.0  # m
SHEETS = 9  # of haze
ACTOR_REACH = 150.0  # m

p3d.loadPrcFileData(
    "edge_pilot",
    "load-display p3tinydisplay\nwindow-type offscreen\naudio-library-name null\n"
    "notify-level fatal\nnotify-level-display fatal\ntextures-power-2 none\n",
)
# Panda3D draws its bins in ascending order: background 10, unsorted 50.
p3d.CullBinManager.getGlobalPtr().addBin("haze", p3d.CullBinManager.BTFixed, 60)


class Renderer:
    """Draws one world at a time."""

    def __init__(self, camera: CameraConfig) -> None:
        self._camera = self._own_camera = camera
        self._film = Film(camera)
        width, height = SCALE * camera.width_px, SCALE * camera.height_px
        self._engine = p3d.GraphicsEngine.getGlobalPtr()
        self._texture = p3d.Texture()
        self._buffer = _buffer(self._engine, width, height, self._texture)
        self._lens = p3d.PerspectiveLens()
        self._lens.setFilmSize(camera.width_px, camera.height_px)
        self._lens.setFocalLength(camera.focal_px)
        self._lens.setNearFar(NEAR, FAR)

    def show(
        self, world: World, camera: CameraConfig | None = None, look: Look | None = None
    ) -> None:
        """Build the scene of a world, in place of the one before.

        `camera` mounts the same camera elsewhere; `look` is another light than the world's own.
        """
        look = look or LOOKS[world.light]
        self._camera = camera or self._own_camera
        rng = np.random.default_rng([world.seed, 0x7E87])
        self._world = world
        self._root = p3d.NodePath("world")
        # Without this, the order of drawing follows addresses, and pictures differ.
        self._root.setBin("unsorted", 0)
        self._eye = self._root.attachNewNode(p3d.Camera("eye", self._lens))
        self._buffer.removeAllDisplayRegions()
        self._buffer.makeDisplayRegion().setCamera(self._eye)
        self._sky = _sky(self._root, look, rng)
        self._ground = _ground(self._root, world, look, rng)
        _static(self._root, world, look, rng)
        self._actors = [_actor(self._root, item) for item in world.actors]
        self._haze = _haze(self._root, look)
        self._film.load(look, world)

    def render(self, motion: Motion, time_s: float, frame: int = 0) -> Image:
        """Take a picture (H, W, 3) RGB; `frame` numbers it, for its noise."""
        self._place_eye(motion)
        self._place_actors(motion, time_s)
        self._engine.renderFrame()
        width, height = self._texture.getXSize(), self._texture.getYSize()
        raw = np.frombuffer(self._texture.getRamImage(), np.uint8).reshape(height, width, 4)
        size = (self._camera.width_px, self._camera.height_px)
        small = np.asarray(cv2.resize(raw, size, interpolation=cv2.INTER_AREA), np.uint8)
        return self._film.expose(small[::-1, :, 2::-1], frame, motion.heading)

    def _place_eye(self, motion: Motion) -> None:
        camera, cos, sin = self._camera, math.cos(motion.heading), math.sin(motion.heading)
        x = motion.x + camera.forward_m * cos
        y = motion.y + camera.forward_m * sin
        height = camera.height_m - motion.pitch * camera.forward_m
        self._eye.setPos(x, y, height)
        pitch = camera.pitch_rad + motion.pitch
        self._eye.setHpr(
            math.degrees(motion.heading) - 90.0, -math.degrees(pitch), math.degrees(motion.roll)
        )
        self._sky.setPos(x, y, 0.0)
        self._haze.setPos(x, y, 0.0)
        self._haze.setH(math.degrees(motion.heading) - 90.0)
        # Moved by whole tiles, so that the grass stays where it is.
        self._ground.setPos(GROUND_TILE * round(x / GROUND_TILE),
                            GROUND_TILE * round(y / GROUND_TILE), 0.0)  # fmt: skip

    def _place_actors(self, motion: Motion, time_s: float) -> None:
        for item, node in zip(self._world.actors, self._actors, strict=True):
            x, y, heading = self._world.place(item, time_s)
            if math.hypot(x - motion.x, y - motion.y) > ACTOR_REACH:
                node.hide()
                continue
            node.show()
            node.setPos(x, y, 0.0)
            node.setH(math.degrees(heading))


def _buffer(engine: Any, width: int, height: int, texture: Any) -> Any:
    pipe = p3d.GraphicsPipeSelection.getGlobalPtr().makeModulePipe("p3tinydisplay")
    if pipe is None:
        raise InputError(
            "expected the system library libX11.so.6 (Debian: apt-get install libx11-6), "
            "which Panda3D's software renderer loads, got none"
        )
    wanted = p3d.FrameBufferProperties()
    wanted.setRgbColor(True)
    wanted.setDepthBits(24)
    size = p3d.WindowProperties.size(width, height)
    buffer = engine.makeOutput(pipe, "camera", 0, wanted, size, p3d.GraphicsPipe.BFRefuseWindow)
    buffer.addRenderTexture(texture, p3d.GraphicsOutput.RTMCopyRam, p3d.GraphicsOutput.RTPColor)
    return buffer


def _node(mesh: Mesh, name: str = "mesh") -> Any:
    """Copy a mesh into a node of the scene."""
    layout = np.dtype([("p", "<f4", 3), ("c", "u1", 4), ("t", "<f4", 2)])
    rows = np.zeros(len(mesh.vertices), layout)
    rows["p"], rows["c"], rows["t"] = mesh.vertices, mesh.colours, mesh.uv
    data = p3d.GeomVertexData(name, p3d.GeomVertexFormat.getV3c4t2(), p3d.Geom.UHStatic)
    data.uncleanSetNumRows(len(rows))
    data.modifyArrayHandle(0).copyDataFrom(rows.tobytes())
    triangles = p3d.GeomTriangles(p3d.Geom.UHStatic)
    triangles.setIndexType(p3d.Geom.NTUint32)
    index = triangles.modifyVertices(mesh.triangles.size)
    index.uncleanSetNumRows(mesh.triangles.size)
    index.modifyHandle().copyDataFrom(np.ascontiguousarray(mesh.triangles).tobytes())
    geom = p3d.Geom(data)
    geom.addPrimitive(triangles)
    node = p3d.GeomNode(name)
    node.addGeom(geom)
    return node


def _texture(image: Image, repeat: bool = True) -> Any:
    height, width = image.shape[:2]
    texture = p3d.Texture()
    texture.setup2dTexture(width, height, p3d.Texture.TUnsignedByte, p3d.Texture.FRgb)
    texture.setRamImage(np.ascontiguousarray(image[::-1, :, ::-1]).tobytes())
    mode = p3d.SamplerState.WMRepeat if repeat else p3d.SamplerState.WMClamp
    texture.setWrapU(p3d.SamplerState.WMRepeat)
    texture.setWrapV(mode)
    texture.setMinfilter(p3d.SamplerState.FTNearestMipmapNearest)
    texture.setMagfilter(p3d.SamplerState.FTLinear)
    return texture


def _paint(node: Any, order: int) -> None:
    """Have a flat thing painted over what came before, without a depth test."""
    node.setBin("background", order)
    node.setDepthTest(False)
    node.setDepthWrite(False)


def _sky(root: Any, look: Look, rng: np.random.Generator) -> Any:
    angle = np.linspace(0.0, 2.0 * math.pi, 25)
    rim = np.column_stack([SKY_RADIUS * np.cos(angle), SKY_RADIUS * np.sin(angle), 0.0 * angle])
    low, high = rim - np.array([0.0, 0.0, 2.0]), rim + np.array([0.0, 0.0, SKY_TOP])
    corners = np.stack([low[1:], low[:-1], high[:-1], high[1:]], axis=1)
    u = angle / (2.0 * math.pi)
    uv = np.zeros((24, 4, 2))
    uv[:, [0, 3], 0], uv[:, [1, 2], 0] = u[1:, None], u[:-1, None]
    uv[:, 2:, 1] = 1.0
    sky = root.attachNewNode(_node(scenery.quads(corners, np.full((24, 3), 255.0), uv), "sky"))
    sky.setTexture(_texture(scenery.sky_texture(rng, look.zenith, look.horizon), repeat=False))
    sky.setTwoSided(True)
    _paint(sky, 0)
    return sky


def _ground(root: Any, world: World, look: Look, rng: np.random.Generator) -> Any:
    style = world.style
    green = cv2.cvtColor(
        np.array([[[180 * style["grass_hue"], 110, 255 * style["grass_value"]]]], np.uint8),
        cv2.COLOR_HSV2RGB,
    )[0, 0].astype(float)
    at = GROUND_TILE * (np.arange(GROUND_TILES) - GROUND_TILES / 2)
    x, y = (grid.ravel() for grid in np.meshgrid(at, at))
    corner = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]]) * GROUND_TILE
    corners = np.stack([x, y, 0.0 * x], axis=1)[:, None, :] + corner
    uv = np.tile(corner[None, :, :2] / GROUND_TILE, (len(x), 1, 1))
    mesh = scenery.quads(corners, np.tile(green, (len(x), 1)), uv)
    ground = root.attachNewNode(_node(mesh, "ground"))
    ground.setTexture(_texture(scenery.ground_texture(rng, look.texture)))
    _paint(ground, 1)
    return ground


def _static(root: Any, world: World, look: Look, rng: np.random.Generator) -> None:
    rough = _texture(scenery.ground_texture(rng, 0.35 * look.texture))
    facade = _texture(scenery.facade_texture())
    textures = {"verge": rough, "asphalt": rough, "pavement": rough, "solid": facade}
    for layer, mesh in scenery.layers(world):
        node = root.attachNewNode(_node(mesh, layer))
        if layer in textures:
            node.setTexture(textures[layer])
        if layer in scenery.FLAT_LAYERS:
            _paint(node, 2 + scenery.FLAT_LAYERS.index(layer))
        if layer == "shadow":
            node.setTransparency(p3d.TransparencyAttrib.MAlpha)


def _actor(root: Any, item: Any) -> Any:
    """Make a node of a moving thing and the shadow under it."""
    holder = root.attachNewNode("actor")
    holder.attachNewNode(_node(bodies.body(item)))
    shade = holder.attachNewNode(_node(scenery.shadow(item.size[0], item.size[1])))
    shade.setTransparency(p3d.TransparencyAttrib.MAlpha)
    _paint(shade, 2 + len(scenery.FLAT_LAYERS))
    return holder


def _haze(root: Any, look: Look) -> Any:
    """Hang the sheets: their distances grow by a constant factor up to the far end."""
    holder = root.attachNewNode("haze")
    edges = np.geomspace(8.0, 0.9 * FAR, SHEETS + 1)
    for order, (near, far) in enumerate(pairwise(edges)):
        alpha = 1.0 - math.exp(-look.haze_per_m * (far - near))
        wide, high = 1.2 * near, 0.8 * near + 2.0
        corners = np.array([[[-wide, near, 0.0], [wide, near, 0.0],
                             [wide, near, high], [-wide, near, high]]])  # fmt: skip
        colour = np.array([[*look.horizon, 255.0 * alpha]])
        sheet = holder.attachNewNode(_node(scenery.quads(corners, colour), "haze"))
        sheet.setTransparency(p3d.TransparencyAttrib.MAlpha)
        sheet.setBin("haze", SHEETS - order)
        sheet.setDepthWrite(False)
    if look.haze_per_m <= 0.0:
        holder.hide()
    return holder
