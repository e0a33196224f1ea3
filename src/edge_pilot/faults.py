"""What goes wrong between the sensors and the pilot: pure injectors, by name.

A fault is a set of functions, each of which spoils one kind of value. `Injector` puts them on the
line between the simulated (or recorded) sensors and the car's software from a moment on. The seed
of the draw is an argument, so that a campaign can be repeated to the bit.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias, TypeVar

import cv2
import numpy as np

from edge_pilot import images
from edge_pilot.errors import ImageError
from edge_pilot.safety.supervisor import Moment
from edge_pilot.types import NANOSECONDS, Frame, Image, Imu, Scan, Tensor

Rng: TypeAlias = np.random.Generator
Wheels = TypeVar("Wheels")
Picture: TypeAlias = Callable[[Image, Rng], Image]
Frames: TypeAlias = Callable[[deque[Frame], Rng], Sequence[Frame]]  # those so far, newest last

LATE = 6  # pictures, 0.3 s at 20 Hz
KEPT = 16  # pictures
GHOST_M = 9.0  # ahead
JUMP_NS = 10 * NANOSECONDS


@dataclass(frozen=True)
class Fault:
    """A row of the table."""

    doc: str
    within_s: float | None  # docs/safety.md promises a reaction within this; None: none is needed
    picture: Picture | None = None
    frames: Frames | None = None
    imu: Callable[[Imu, Rng], Imu | None] | None = None
    wheels: Callable[[Any], Any] | None = None
    scan: Callable[[Scan], Scan | None] | None = None
    fix: Callable[[float, float], tuple[float, float]] | None = None  # latitude, longitude
    clock_ns: int = 0  # by which the clock jumps
    outputs: Callable[[Mapping[str, Tensor]], Mapping[str, Tensor]] | None = None
    kills: str = ""  # a process: pilot or safety


def _flat(value: int) -> Picture:
    return lambda image, _: np.full_like(image, value)


def _blur(image: Image, _: Rng) -> Image:
    return np.asarray(cv2.GaussianBlur(image, (0, 0), 4.0), np.uint8)


def _noise(image: Image, rng: Rng) -> Image:
    noisy = image + rng.normal(0.0, 60.0, image.shape)
    return np.clip(noisy, 0, 255).astype(np.uint8)


def _scaled(by: float) -> Picture:
    return lambda image, _: np.clip(by * image.astype(np.float32), 0, 255).astype(np.uint8)


def _half(image: Image, _: Rng) -> Image:
    cut = image.copy()
    cut[len(cut) // 2 :] = 0
    return cut


def _smaller(image: Image, _: Rng) -> Image:
    return np.ascontiguousarray(image[::2, ::2])


def _freeze() -> Frames:
    kept: list[Image] = []

    def frozen(frames: deque[Frame], _: Rng) -> Sequence[Frame]:
        kept.append(frames[-1].image) if not kept else None
        return (replace(frames[-1], image=kept[0]),)

    return frozen


def _drop(share: float) -> Frames:
    return lambda frames, rng: () if rng.random() < share else (frames[-1],)


def _repeat(frames: deque[Frame], _: Rng) -> Sequence[Frame]:
    """Send the same old message again and again, as a driver does that hangs."""
    return (frames[0],)


def _late(frames: deque[Frame], _: Rng) -> Sequence[Frame]:
    return (frames[-LATE],) if len(frames) >= LATE else ()


def _reorder(frames: deque[Frame], rng: Rng) -> Sequence[Frame]:
    recent = list(frames)[-3:]
    return (recent[int(rng.integers(len(recent)))],)


def _garbage(frames: deque[Frame], rng: Rng) -> Sequence[Frame]:
    """Let the decoder of compressed pictures look at bytes that are none."""
    head = b"\xff\xd8\xff\xe0" if rng.random() < 0.5 else b""
    data = head + rng.integers(0, 256, 4000, np.uint8).tobytes()
    try:
        image, reduction = images.from_compressed_reduced(memoryview(data), "jpeg", 1)
    except ImageError:
        return ()
    return (replace(frames[-1], image=image, reduction=reduction),)


def _imu_value(value: float) -> Callable[[Imu, Rng], Imu]:
    return lambda imu, _: replace(imu, angular_velocity_radps=(value, value, value),
                                  acceleration_mps2=(value, value, value))  # fmt: skip


def _biased(imu: Imu, _: Rng) -> Imu:
    x, y, z = imu.angular_velocity_radps
    return replace(imu, angular_velocity_radps=(x, y, z + 0.15))


def _turned(imu: Imu, _: Rng) -> Imu:
    (ax, ay, az), (gx, gy, gz) = imu.acceleration_mps2, imu.angular_velocity_radps
    return replace(imu, acceleration_mps2=(az, ax, ay), angular_velocity_radps=(gz, gx, gy))


def _flipped(imu: Imu, _: Rng) -> Imu:
    (ax, ay, az), (gx, gy, gz) = imu.acceleration_mps2, imu.angular_velocity_radps
    return replace(imu, acceleration_mps2=(ax, -ay, -az), angular_velocity_radps=(gx, -gy, -gz))


def _ghost(scan: Scan) -> Scan:
    ghost = np.array([[GHOST_M, 0.1, 0.8]], np.float32)
    return replace(scan, points_m=np.concatenate([scan.points_m, ghost]))


def _spoiled(value: float) -> Callable[[Mapping[str, Tensor]], Mapping[str, Tensor]]:
    return lambda outputs: {name: np.full_like(one, value) for name, one in outputs.items()}


def _crash(_: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    raise RuntimeError("the engine has crashed")


SOON_S = 0.3  # a dead or frozen input
AT_ONCE_S = 0.1  # what is not finite
SLOW_S = 1.0  # what must be told from noise first
FAULTS: dict[str, Callable[[], Fault]] = {
    "freeze": lambda: Fault("the picture freezes, stamps go on", SOON_S, frames=_freeze()),
    "repeat": lambda: Fault("the same message comes again and again", SOON_S, frames=_repeat),
    "drop-10": lambda: Fault("one picture of ten is lost", None, frames=_drop(0.1)),
    "drop-50": lambda: Fault("every other picture is lost", None, frames=_drop(0.5)),
    "drop-100": lambda: Fault("no picture comes any more", SOON_S, frames=_drop(1.1)),
    "black": lambda: Fault("the picture is black", SOON_S, picture=_flat(0)),
    "white": lambda: Fault("the picture is white", SOON_S, picture=_flat(255)),
    "blur": lambda: Fault("the lens is out of focus", SOON_S, picture=_blur),
    "noise": lambda: Fault("the picture is full of noise", SOON_S, picture=_noise),
    "swapped": lambda: Fault("red and blue change places", SOON_S,
                             picture=lambda image, _: np.ascontiguousarray(image[..., ::-1])),
    "mirrored": lambda: Fault("left and right change places", SOON_S,
                              picture=lambda image, _: np.ascontiguousarray(image[:, ::-1])),
    "dark": lambda: Fault("exposed much too short", None, picture=_scaled(0.2)),
    "glaring": lambda: Fault("exposed much too long", None, picture=_scaled(3.0)),
    "half": lambda: Fault("the lower half is missing", SOON_S, picture=_half),
    "late": lambda: Fault("pictures come 0.3 s late", SOON_S, frames=_late),
    "reordered": lambda: Fault("pictures overtake one another", None, frames=_reorder),
    "wrong-size": lambda: Fault("pictures of half the size", SOON_S, picture=_smaller),
    "garbage": lambda: Fault("JPEG files that are none", SOON_S, frames=_garbage),
    "clock-forward": lambda: Fault("the clock jumps by 10 s", SOON_S, clock_ns=JUMP_NS),
    "clock-back": lambda: Fault("the clock jumps back by 10 s", SOON_S, clock_ns=-JUMP_NS),
    "imu-nan": lambda: Fault("the IMU says NaN", AT_ONCE_S, imu=_imu_value(math.nan)),
    "imu-inf": lambda: Fault("the IMU says infinity", AT_ONCE_S, imu=_imu_value(math.inf)),
    "imu-silent": lambda: Fault("the IMU is silent", SOON_S, imu=lambda imu, _: None),
    "imu-bias": lambda: Fault("the gyroscope is off by 0.15 rad/s", SLOW_S, imu=_biased),
    "imu-axes": lambda: Fault("the IMU's axes change places", SOON_S, imu=_turned),
    "imu-upside-down": lambda: Fault("the IMU hangs upside down", SOON_S, imu=_flipped),
    "wheels-silent": lambda: Fault("the wheels' speed is lost", 0.5, wheels=lambda said: None),
    "wheels-nan": lambda: Fault("the wheels say NaN", 0.5,
                                wheels=lambda said: replace(said, speed_mps=math.nan)),
    "gps-jump": lambda: Fault("the GPS jumps by 500 m", None,
                              fix=lambda lat, lon: (lat + 0.0045, lon)),
    "lidar-silent": lambda: Fault("the LiDAR is silent", 0.6, scan=lambda scan: None),
    "lidar-ghost": lambda: Fault("a lone point hangs before the car", None, scan=_ghost),
    "output-nan": lambda: Fault("the network says NaN", AT_ONCE_S, outputs=_spoiled(math.nan)),
    "output-inf": lambda: Fault("the network says infinity", AT_ONCE_S,
                                outputs=_spoiled(math.inf)),
    "engine-crash": lambda: Fault("the engine crashes, and the pilot with it", SOON_S,
                                  outputs=_crash),
    "pilot-dead": lambda: Fault("the pilot is gone", SOON_S, kills="pilot"),
    "safety-dead": lambda: Fault("the safety process is gone", SOON_S, kills="safety"),
}  # fmt: skip


class Injector:
    """Spoils what passes, from a moment on; a `sim.closed_loop.Line`."""

    def __init__(self, fault: Fault, from_ns: int, seed: int) -> None:
        self.fault = fault
        self._from_ns = from_ns
        self._rng = np.random.default_rng([seed, 0xFA17])
        self._frames: deque[Frame] = deque(maxlen=KEPT)
        self.is_on = False

    def now(self, stamp_ns: int) -> Moment:
        """Give the present, as the processes read it."""
        self.is_on = stamp_ns >= self._from_ns
        return Moment(stamp_ns + self.fault.clock_ns * self.is_on, stamp_ns)

    def imu(self, imu: Imu) -> Imu | None:
        """Give what comes of an inertial sample."""
        spoil = self.fault.imu
        return spoil(imu, self._rng) if spoil and self.is_on else imu

    def wheels(self, said: Wheels) -> Wheels | None:
        """Give what comes of what the wheels say."""
        spoil = self.fault.wheels
        return spoil(said) if spoil and self.is_on else said

    def scan(self, scan: Scan) -> Scan | None:
        """Give what comes of a scan."""
        spoil = self.fault.scan
        return spoil(scan) if spoil and self.is_on else scan

    def fix(self, latitude_deg: float, longitude_deg: float) -> tuple[float, float]:
        """Give what comes of a GPS fix."""
        spoil = self.fault.fix
        if spoil and self.is_on:
            return spoil(latitude_deg, longitude_deg)
        return latitude_deg, longitude_deg

    def frames(self, frame: Frame) -> Sequence[Frame]:
        """Give the pictures that the pilot gets now."""
        if not self.is_on:
            self._frames.append(frame)
            return (frame,)
        if self.fault.kills == "pilot":
            return ()
        if self.fault.frames is not _repeat:
            self._frames.append(frame)
        found = self.fault.frames(self._frames, self._rng) if self.fault.frames else (frame,)
        spoil = self.fault.picture
        return [replace(one, image=spoil(one.image, self._rng)) for one in found] if spoil else found

    def outputs(self, given: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """Give what comes of the network's outputs."""
        return self.fault.outputs(given) if self.fault.outputs and self.is_on else given
