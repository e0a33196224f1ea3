"""From a picture to the network's tensor: one code for the car and for training.

Whatever camera took the picture, the network sees its own: the same focal length, the same
rows, no distortion. The optical centre and the orientation are taken to be the same.

Coordinates are OpenCV's: whole numbers are the centres of pixels.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Sequence
from typing import TypeAlias, cast

import cv2
import numpy as np

from edge_pilot.card import CameraModel, InputSpec, resized
from edge_pilot.errors import ConfigError, ImageError, ModelError
from edge_pilot.images import REDUCTIONS
from edge_pilot.types import NANOSECONDS, Floats, Image, Tensor

DENOISERS: dict[str, Callable[[Image], Image]] = {
    "none": lambda image: image,
    "median": lambda image: cast("Image", cv2.medianBlur(image, 3)),
    "bilateral": lambda image: cast("Image", cv2.bilateralFilter(image, 5, 25.0, 2.0)),
}
_SAME_VIEW = 3e-4  # of the picture's size: 0.1 px of 320
MAX_GAP_NS = NANOSECONDS // 2  # between two pictures of one past
JITTER_NS = NANOSECONDS // 100  # by so much a picture may come later than its age says
_NOWHERE_PX = -8.0  # so far outside the picture that interpolation gives black


class Preprocessor:
    """Gives a network its view of the pictures of one camera."""

    def __init__(
        self, spec: InputSpec, camera: CameraModel | None = None, denoise: str = "none"
    ) -> None:
        """Prepare for `camera`; None: pictures of any size that show what spec.camera shows.

        Raises:
            ConfigError: `denoise` is not in DENOISERS.
            ImageError: the camera's distortion is not known, or it sees nothing of the view.
            ModelError: the rows of `spec` are not in its camera's picture.
        """
        if denoise not in DENOISERS:
            options = ", ".join(DENOISERS)
            raise ConfigError(f"expected denoise to be one of {options}, got {denoise!r}")
        if not 0 <= spec.crop_top_px < spec.crop_bottom_px <= spec.camera.height_px:
            raise ModelError(
                f"expected 0 <= crop_top_px < crop_bottom_px <= {spec.camera.height_px}, "
                f"got {spec.crop_top_px} and {spec.crop_bottom_px}"
            )
        self._spec, self._camera = spec, camera
        self._denoise = denoise
        self._views = {1: _make_view(spec, camera)}  # by the reduction of the picture
        self._tensor = np.empty((1, spec.channels, spec.height_px, spec.width_px), np.float32)
        self._past: deque[tuple[int, Image]] = deque()
        pictures = 1 + len(spec.history_s)
        mean, std = np.tile(spec.mean, pictures), np.tile(spec.std, pictures)
        self._scale = (1 / (255 * std)).astype(np.float32).reshape(-1, 1, 1)
        self._offset = (-mean / std).astype(np.float32).reshape(-1, 1, 1)

    @property
    def reduction(self) -> int:
        """How many times smaller a JPEG of the camera may be decoded, and still fill the view."""
        if self._camera is None:
            return 1
        spec, camera = self._spec, self._camera
        across, down = _own_pixels(spec)
        shrink = min(camera.fx_px * across / spec.camera.fx_px,
                     camera.fy_px * down / spec.camera.fy_px)  # fmt: skip
        return max(by for by in REDUCTIONS if by == 1 or by <= shrink + _SAME_VIEW)

    def crop(self, image: Image, reduction: int = 1) -> Image:
        """Give the network's view of one picture.

        Args:
            image: (H, W, 3) RGB as the camera took it, or so many times smaller.
            reduction: how many, of REDUCTIONS.

        Returns:
            (height, width, 3) RGB of the network's size; black where the camera does not see.

        Raises:
            ImageError: the picture has another size than its camera.
        """
        self._check(image, reduction)
        view = self._view(reduction)
        # Colours that lie backwards are turned round when few are left: OpenCV would copy all.
        order = -1 if image.strides[2] < 0 else 1
        seen = image[view.rows(len(image)), :, ::order]
        return view.sample(DENOISERS[self._denoise](seen))[..., ::order]

    def normalise(self, crops: Image, out: Tensor | None = None) -> Tensor:
        """Turn crops (B, h, w, C), or one (h, w, C), into (x / 255 - mean) / std (B, C, h, w).

        A crop of three channels is its own past, where the network wants one.
        """
        if crops.shape[-1] < self._spec.channels:
            crops = np.tile(crops, self._spec.channels // crops.shape[-1])
        channels = crops.reshape(-1, *crops.shape[-3:]).transpose(0, 3, 1, 2)  # (B, C, h, w)
        tensor: Tensor = np.empty(channels.shape, np.float32) if out is None else out
        np.multiply(channels, self._scale, out=tensor)
        tensor += self._offset
        return tensor

    def tensor(self, image: Image, reduction: int = 1, stamp_ns: int = 0) -> Tensor:
        """Give the network's input (1, C, height, width) for one picture; see `crop`.

        It is the same array each time. Where the network wants a past, pictures are to be given
        in the order of their stamps; after a gap it begins anew.
        """
        return self.tensor_of(self.crop(image, reduction), stamp_ns)

    def tensor_of(self, crop: Image, stamp_ns: int = 0) -> Tensor:
        """Give the same for a view that `crop` gave."""
        if self._spec.history_s:
            crop = self._with_past(crop, stamp_ns)
        return self.normalise(crop, self._tensor)

    def forget(self) -> None:
        """Begin anew."""
        self._past.clear()

    def _with_past(self, crop: Image, stamp_ns: int) -> Image:
        """Give the crop (h, w, C) with those before it."""
        past, ages_ns = self._past, [round(age * NANOSECONDS) for age in self._spec.history_s]
        if past and not 0 < stamp_ns - past[-1][0] <= MAX_GAP_NS:
            past.clear()
        past.append((stamp_ns, crop.copy()))
        while len(past) > 1 and past[1][0] <= stamp_ns - ages_ns[-1]:
            past.popleft()
        stamps = [stamp for stamp, _ in past]
        chosen = [past[at_age(stamps, stamp_ns - age)][1] for age in ages_ns]
        return np.concatenate([past[-1][1], *chosen], axis=2)

    def _view(self, reduction: int) -> _Scaled | _Reprojected:
        if reduction not in self._views:
            camera = self._camera and resized(self._camera, *_size(self._camera, reduction))
            self._views[reduction] = _make_view(self._spec, camera)
        return self._views[reduction]

    def _check(self, image: Image, reduction: int) -> None:
        if image.dtype != np.uint8 or image.shape[2:] != (3,) or image.size == 0:
            raise ImageError(
                f"expected a picture of (height, width, 3) uint8, got {image.shape} {image.dtype}"
            )
        camera, (height, width) = self._camera, image.shape[:2]
        if camera is not None and (width, height) != _size(camera, reduction):
            by = f" reduced by {reduction}" if reduction > 1 else ""
            raise ImageError(
                f"expected a picture of {camera.width_px}x{camera.height_px} pixels{by} as its "
                f"camera says, got {width}x{height}"
            )


def at_age(stamps_ns: Sequence[int], wanted_ns: int) -> int:
    """Give the newest of ascending stamps that is not later than wanted, or else the first."""
    return max(bisect_right(stamps_ns, wanted_ns + JITTER_NS) - 1, 0)


def _make_view(spec: InputSpec, camera: CameraModel | None) -> _Scaled | _Reprojected:
    if camera is None or _has_same_view(camera, spec.camera):
        return _Scaled(spec)
    return _Reprojected(spec, camera)


def _size(camera: CameraModel, reduction: int) -> tuple[int, int]:
    """Give width and height of a JPEG that is decoded smaller."""
    return -(-camera.width_px // reduction), -(-camera.height_px // reduction)


class _Scaled:
    """The view in a picture that shows what the network's own camera shows."""

    def __init__(self, spec: InputSpec) -> None:
        self._spec = spec

    def rows(self, height: int) -> slice:
        """Scale the rows of the crop; outwards where that gives no whole row."""
        spec, full = self._spec, self._spec.camera.height_px
        return slice(height * spec.crop_top_px // full, -(-height * spec.crop_bottom_px // full))

    def sample(self, seen: Image) -> Image:
        """Resize the rows."""
        return _resize(seen, self._spec)


class _Reprojected:
    """The view in a picture of another camera, by a lookup that is made once."""

    def __init__(self, spec: InputSpec, camera: CameraModel) -> None:
        if not (camera.fx_px > 0 and camera.fy_px > 0):
            raise ImageError(f"expected a calibrated camera (focal length > 0), got {camera}")
        self._spec = spec
        u, v = _lookup(spec, camera)
        inside = (u > -1) & (u < camera.width_px) & (v > -1) & (v < camera.height_px)
        if not inside.any():
            raise ImageError(f"expected a camera that sees the network's view, got {camera}")
        top, bottom = np.floor([v[inside].min(), v[inside].max()]).astype(int)
        self._rows = slice(max(top, 0), bottom + 2)
        columns = np.where(inside, u, _NOWHERE_PX).astype(np.float32)
        rows = np.where(inside, v - self._rows.start, _NOWHERE_PX).astype(np.float32)
        self._maps = cv2.convertMaps(columns, rows, cv2.CV_16SC2)

    def rows(self, height: int) -> slice:
        """Give the rows that the lookup needs."""
        return self._rows

    def sample(self, seen: Image) -> Image:
        """Look up each pixel, then average where the lookup is finer than the view."""
        view = cv2.remap(seen, *self._maps, cv2.INTER_LINEAR)
        return _resize(cast("Image", view), self._spec)


def _resize(image: Image, spec: InputSpec) -> Image:
    """Give means of areas, or bilinear samples where that says the same."""
    width, height = spec.width_px, spec.height_px
    # Means of 2x2 are several times as fast as those of other sizes, and what then shrinks by less
    # than two has all that a mean would read in the two pixels of bilinear sampling. From 1280x448
    # to 200x66 it takes 0.3 ms instead of 2.6.
    while _may_halve(image, width, height):
        half = (image.shape[1] // 2, image.shape[0] // 2)
        image = cast("Image", cv2.resize(image, half, interpolation=cv2.INTER_AREA))
    down, across = image.shape[0] / height, image.shape[1] / width
    is_mean = min(down, across) >= 1.0 and max(down, across) >= 2.0
    method = cv2.INTER_AREA if is_mean else cv2.INTER_LINEAR
    return cast("Image", cv2.resize(image, (width, height), interpolation=method))


def _may_halve(image: Image, width: int, height: int) -> bool:
    """Tell whether means of 2x2 lead on; an odd multiple is averaged in one step."""
    rows, columns = image.shape[:2]
    if rows < 2 * height or columns < 2 * width:
        return False
    is_multiple = not (rows % height or columns % width)
    by = (2 * height, 2 * width) if is_multiple else (2, 2)
    return not (rows % by[0] or columns % by[1])


def _has_same_view(camera: CameraModel, own: CameraModel) -> bool:
    """Tell whether `camera` is `own` in another resolution.

    Some drivers scale the optical centre as if pixel centres lay at whole numbers, some as if at
    halves; either will do.
    """
    if camera.distortion_model == "equidistant" or any(camera.distortion):
        return False
    return any(
        np.allclose(_relative(camera, half), _relative(own, half), rtol=0, atol=_SAME_VIEW)
        for half in (0.0, 0.5)
    )


def _relative(camera: CameraModel, half: float) -> Floats:
    across = np.array([camera.fx_px, camera.cx_px + half]) / camera.width_px
    down = np.array([camera.fy_px, camera.cy_px + half]) / camera.height_px
    return np.concatenate([across, down])


def _lookup(spec: InputSpec, camera: CameraModel) -> tuple[Floats, Floats]:
    """Give where the network's pixels lie in the camera's picture: columns, rows; NaN: nowhere.

    Bilinear sampling reads two source pixels each way. Where the view shrinks by more, a whole
    number of samples is taken for each of its pixels, so that thin lines do not flicker.
    """
    own, (across, down) = spec.camera, _own_pixels(spec)
    shrink = max(across * camera.fx_px / own.fx_px, down * camera.fy_px / own.fy_px)
    samples = max(1, round(shrink / 2))
    u = (np.arange(spec.width_px * samples) + 0.5) * across / samples - 0.5
    v = (np.arange(spec.height_px * samples) + 0.5) * down / samples - 0.5 + spec.crop_top_px
    x, y = np.meshgrid((u - own.cx_px) / own.fx_px, (v - own.cy_px) / own.fy_px)
    x, y = _distort(x, y, camera)
    return x * camera.fx_px + camera.cx_px, y * camera.fy_px + camera.cy_px


def _own_pixels(spec: InputSpec) -> tuple[float, float]:
    """Give how many pixels of the network's own camera make one of its input: across, down."""
    crop_px = spec.crop_bottom_px - spec.crop_top_px
    return spec.camera.width_px / spec.width_px, crop_px / spec.height_px


def _distort(x: Floats, y: Floats, camera: CameraModel) -> tuple[Floats, Floats]:
    """Bend rays (x, y, 1) as the lens does; NaN beyond the angle where its formula turns back."""
    lens, coefficients = _lens(camera)
    r = np.hypot(x, y)
    outwards = np.linspace(0.0, r.max(), 2048)
    falling = np.diff(lens(outwards, np.zeros(2048), coefficients)[0]) <= 0
    limit = outwards[np.argmax(falling)] if falling.any() else np.inf
    bent_x, bent_y = lens(x, y, coefficients)
    return np.where(r <= limit, bent_x, np.nan), np.where(r <= limit, bent_y, np.nan)


def _lens(camera: CameraModel) -> tuple[Lens, Floats]:
    if camera.distortion_model not in LENSES:
        options = ", ".join(LENSES)
        raise ImageError(f"expected a lens of {options}, got {camera.distortion_model!r}")
    lens, count = LENSES[camera.distortion_model]
    given = np.array(camera.distortion, np.float64)
    if given[count:].any():
        raise ImageError(
            f"expected {count} coefficients of {camera.distortion_model}, got {given.size}"
        )
    return lens, np.pad(given, (0, max(0, 8 - given.size)))


def _bend_polynomial(x: Floats, y: Floats, coefficients: Floats) -> tuple[Floats, Floats]:
    """Brown, "Decentering distortion of lenses", 1966, with the denominator that OpenCV added."""
    k1, k2, p1, p2, k3, k4, k5, k6 = coefficients[:8]
    s = x**2 + y**2
    radial = (1 + s * (k1 + s * (k2 + s * k3))) / (1 + s * (k4 + s * (k5 + s * k6)))
    return (
        x * radial + 2 * p1 * x * y + p2 * (s + 2 * x**2),
        y * radial + p1 * (s + 2 * y**2) + 2 * p2 * x * y,
    )


def _bend_fisheye(x: Floats, y: Floats, coefficients: Floats) -> tuple[Floats, Floats]:
    """Kannala and Brandt, "A generic camera model ... for fish-eye lenses", 2006."""
    k1, k2, k3, k4 = coefficients[:4]
    r = np.hypot(x, y)
    angle = np.arctan(r)
    s = angle**2
    bent = angle * (1 + s * (k1 + s * (k2 + s * (k3 + s * k4))))
    radial = np.divide(bent, r, out=np.ones_like(r), where=r > 0)
    return x * radial, y * radial


Lens: TypeAlias = Callable[[Floats, Floats, Floats], tuple[Floats, Floats]]
LENSES: dict[str, tuple[Lens, int]] = {  # with their coefficients, as sensor_msgs/CameraInfo has
    "plumb_bob": (_bend_polynomial, 5),
    "rational_polynomial": (_bend_polynomial, 8),
    "equidistant": (_bend_fisheye, 4),
    "": (_bend_polynomial, 0),  # what a rectifying driver says
}
