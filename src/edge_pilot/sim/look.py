"""Light and lens: what day, dusk and haze do to a picture, and what the sensor adds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edge_pilot.config import CameraConfig
from edge_pilot.sim.world import World
from edge_pilot.types import Image, Tensor

NOISE_TILES = 16


@dataclass(frozen=True)
class Look:
    """One kind of light."""

    zenith: tuple[float, float, float]
    horizon: tuple[float, float, float]
    tint: tuple[float, float, float]  # each channel is multiplied by this
    headlights: float  # added brightness in their pool
    haze_per_m: float  # extinction coefficient
    noise: float  # standard deviation, grey levels


LOOKS = {
    "day": Look((95, 145, 215), (205, 220, 235), (1.0, 1.0, 0.98), 0.0, 0.0, 2.5),
    "dusk": Look((60, 70, 120), (225, 160, 120), (0.52, 0.46, 0.48), 0.8, 0.0, 5.0),
    # Koschmieder: contrast falls to 5 % at 3 / 0.018 = 167 m, which meteorologists call fog.
    "haze": Look((190, 195, 200), (205, 207, 210), (0.92, 0.93, 0.95), 0.0, 0.018, 3.0),
}


class Film:
    """Turns what the renderer drew into what a small camera would have taken."""

    def __init__(self, camera: CameraConfig) -> None:
        self._camera = camera
        shape = (NOISE_TILES, camera.height_px, camera.width_px, 3)
        self._noise = np.random.default_rng(0xF11A).standard_normal(shape, np.float32)
        self._pool = _headlight_pool(camera)
        self._vignette = _vignette(camera)

    def load(self, look: Look, world: World) -> None:
        """Take the light of a world and its camera's gain and white balance."""
        gain, warmth = world.style["gain"], world.style["warmth"]
        tint = np.array(look.tint, np.float32) * gain
        tint *= np.array([1.0 + warmth, 1.0, 1.0 - warmth], np.float32)
        light = self._vignette * (1.0 + look.headlights * self._pool)
        self._light = (light[:, :, None] * tint).astype(np.float32)
        self._strength = np.float32(look.noise)
        self._seed = world.seed

    def expose(self, image: Image, frame: int) -> Image:
        """Give the picture with light, vignette and noise; the same frame gives the same noise."""
        value = image * self._light
        value += self._strength * self._grain(frame)
        np.clip(value, 0.0, 255.0, out=value)
        return np.asarray(value, np.uint8)

    def _grain(self, frame: int) -> Tensor:
        """Pick a noise tile and turn it: cheaper than to draw one, and never twice in a row."""
        key = (self._seed * 7919 + frame * 104729) & 0x7FFFFFFF
        tile = self._noise[key % NOISE_TILES]
        rolled: Tensor = np.roll(tile, key % self._camera.width_px, axis=1)
        return rolled


def _headlight_pool(camera: CameraConfig) -> Tensor:
    """Brightness (H, W) that dipped beams lay on the road: 0 above the horizon, 1 at best."""
    v, u = np.mgrid[0 : camera.height_px, 0 : camera.width_px].astype(np.float32)
    down = (v - 0.5 * camera.height_px) / camera.focal_px + camera.pitch_rad
    distance = camera.height_m / np.maximum(down, 1e-3)
    across = (u - 0.5 * camera.width_px) / camera.focal_px * distance
    pool = np.exp(-(((distance - 9.0) / 14.0) ** 2) - (across / 5.0) ** 2)
    return np.where(down > 0.0, pool, 0.0).astype(np.float32)


def _vignette(camera: CameraConfig) -> Tensor:
    """Fall-off (H, W) by the cosine of the angle: the fourth power, mostly corrected."""
    v, u = np.mgrid[0 : camera.height_px, 0 : camera.width_px].astype(np.float32)
    x, y = u - 0.5 * camera.width_px, v - 0.5 * camera.height_px
    cos_sq = camera.focal_px**2 / (camera.focal_px**2 + x * x + y * y)
    return np.asarray(np.sqrt(cos_sq), np.float32)
