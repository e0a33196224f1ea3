"""Light and lens: what light and weather do to a picture, and what the sensor adds."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import cv2
import numpy as np

from edge_pilot.config import CameraConfig
from edge_pilot.sim.world import World
from edge_pilot.types import Image, Tensor

NOISE_TILES = 16
DROPS = 90  # streaks of rain in a picture
SUN_UP = math.radians(9.0)  # a low sun


@dataclass(frozen=True)
class Look:
    """One kind of light."""

    zenith: tuple[float, float, float]
    horizon: tuple[float, float, float]
    tint: tuple[float, float, float]  # each channel is multiplied by this
    headlights: float  # added brightness in their pool
    haze_per_m: float  # extinction coefficient
    noise: float  # standard deviation, grey levels
    glare: float = 0.0  # grey levels that a low sun ahead adds where it stands
    rain: float = 0.0  # grey levels of a streak
    blur_px: float = 0.0  # standard deviation: water on the lens
    texture: float = 1.0  # contrast of grass, asphalt and pavement


LOOKS = {
    "day": Look((95, 145, 215), (205, 220, 235), (1.0, 1.0, 0.98), 0.0, 0.0, 2.5),
    "dusk": Look((60, 70, 120), (225, 160, 120), (0.52, 0.46, 0.48), 0.8, 0.0, 5.0),
    # Koschmieder: contrast falls to 5 % at 3 / 0.018 = 167 m, which meteorologists call fog.
    "haze": Look((190, 195, 200), (205, 207, 210), (0.92, 0.93, 0.95), 0.0, 0.018, 3.0),
    # No model is trained on these.
    "night": Look((20, 22, 38), (38, 36, 44), (0.20, 0.20, 0.24), 3.2, 0.0, 6.0),
    "rain": Look((120, 125, 130), (150, 154, 158), (0.62, 0.65, 0.70), 0.15, 0.008, 4.0,
                 rain=38.0, blur_px=0.7),
    "glare": Look((170, 180, 205), (250, 235, 205), (0.88, 0.82, 0.74), 0.0, 0.003, 3.0,
                  glare=190.0),
}  # fmt: skip


def varied(look: Look, rng: np.random.Generator) -> Look:
    """Draw a light like another, for training: no two roads shall look alike."""
    gain = math.exp(rng.uniform(-0.6, 0.25))
    tint = gain * np.array(look.tint) * rng.uniform(0.92, 1.08, 3)
    sky = rng.uniform(0.8, 1.15, 3)
    return replace(
        look,
        zenith=tuple(np.minimum(255.0, sky * look.zenith)),
        horizon=tuple(np.minimum(255.0, sky * look.horizon)),
        tint=tuple(tint),
        headlights=look.headlights * rng.uniform(0.5, 1.5),
        haze_per_m=max(0.0, look.haze_per_m * rng.uniform(0.4, 1.5) + rng.uniform(-0.004, 0.004)),
        noise=look.noise * rng.uniform(0.5, 2.0),
        texture=rng.uniform(0.3, 1.8),
    )


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
        self._look = look
        # A sun that stands where the road leads to, more or less.
        self._sun = float(world.road.heading[0]) + 0.2 * world.style["sun"]

    def expose(self, image: Image, frame: int, heading: float = 0.0) -> Image:
        """Give the picture with light, weather and noise; the same frame gives the same noise."""
        value = image * self._light
        if self._look.glare:
            value += self._glare(heading)[:, :, None]
        if self._look.rain:
            value += self._streaks(frame)[:, :, None]
        if self._look.blur_px:
            value = cv2.GaussianBlur(value, (0, 0), self._look.blur_px)
        value += self._strength * self._grain(frame)
        np.clip(value, 0.0, 255.0, out=value)
        return np.asarray(value, np.uint8)

    def _glare(self, heading: float) -> Tensor:
        """Brightness (H, W) that a low sun scatters in the lens; none from behind."""
        camera, aside = self._camera, math.remainder(self._sun - heading, 2.0 * math.pi)
        if abs(aside) > 1.2:
            return np.zeros((camera.height_px, camera.width_px), np.float32)
        u = 0.5 * camera.width_px - camera.focal_px * math.tan(aside)
        v = 0.5 * camera.height_px - camera.focal_px * math.tan(SUN_UP + camera.pitch_rad)
        y, x = np.mgrid[0 : camera.height_px, 0 : camera.width_px].astype(np.float32)
        away = np.hypot(x - u, y - v) / camera.focal_px
        veil = self._look.glare * (np.exp(-away / 0.25) + 0.2 * np.exp(-away / 0.8))
        return np.asarray(veil, np.float32)

    def _streaks(self, frame: int) -> Tensor:
        """Brightness (H, W) of falling drops."""
        rng = np.random.default_rng([self._seed, frame, 0xA1])
        height, width = self._camera.height_px, self._camera.width_px
        drops = np.zeros((height, width), np.float32)
        for x, y, long, bright in rng.uniform(0.0, 1.0, (DROPS, 4)):
            top = (int(x * width), int(y * height))
            bottom = (top[0] + 1, top[1] + int((0.04 + 0.08 * long) * height))
            cv2.line(drops, top, bottom, self._look.rain * (0.3 + 0.7 * bright), 1)
        return drops

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
