"""ROS image messages -> RGB arrays. One table says how each encoding lies in memory.

The names are those of sensor_msgs/image_encodings.hpp. Like OpenCV, and so like most drivers,
8UC3 and 8UC4 are taken as blue first. Deeper pixels become 8 bit by one fixed rule, never by
the range of the picture at hand, so that a passing light cannot change the rest of the scene:

    mono16, 16UC1   the high byte: 0..65535 -> 0..255
    32FC1           an intensity: 0..1 -> 0..255, rounded; beyond is clipped, NaN is black

YUV is ITU-R BT.601 with the limited range, as cameras send it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, cast

import cv2
import numpy as np

from edge_pilot.errors import ImageError
from edge_pilot.types import Image

if TYPE_CHECKING:
    from typing_extensions import Buffer


def _keep(pixels: Image) -> Image:
    return pixels


def _reverse(pixels: Image) -> Image:
    return pixels[..., ::-1]


def _convert(pixels: Image, code: int) -> Image:
    return cast("Image", cv2.cvtColor(pixels, code))


_grey = partial(_convert, code=cv2.COLOR_GRAY2RGB)


def _high_byte(pixels: Image) -> Image:
    return _grey(np.ascontiguousarray(pixels[..., 1]))


def _intensity(pixels: Image) -> Image:
    values = np.ascontiguousarray(pixels).view("<f4")[..., 0]
    values = np.nan_to_num(values, nan=0.0, posinf=1.0, neginf=0.0).clip(0.0, 1.0)
    return _grey(np.rint(values * 255.0).astype(np.uint8))


class Layout(NamedTuple):
    """How the pixels of an encoding lie in memory."""

    decode: Callable[[Image], Image]  # (rows, width, pixel_bytes) -> (height, width, 3)
    pixel_bytes: int
    is_word: bool = False  # a pixel is one number, whose bytes is_bigendian may swap
    multiple_px: tuple[int, int] = (1, 1)  # width and height are multiples of these
    least_px: int = 1  # of width and of height
    rows_per_pair: int = 2  # in memory, for two rows of the picture


def _colour(code: int, pixel_bytes: int) -> Layout:
    return Layout(partial(_convert, code=code), pixel_bytes)


def _bayer(code: int) -> Layout:
    # OpenCV answers with black below 3x3
    return Layout(partial(_convert, code=code), 1, least_px=3)


def _yuv422(code: int) -> Layout:
    return Layout(partial(_convert, code=code), 2, multiple_px=(2, 1))


def _yuv420(code: int) -> Layout:
    return Layout(partial(_convert, code=code), 1, multiple_px=(2, 2), rows_per_pair=3)


LAYOUTS = {
    "rgb8": Layout(_keep, 3),
    "bgr8": Layout(_reverse, 3),
    "rgba8": _colour(cv2.COLOR_RGBA2RGB, 4),
    "bgra8": _colour(cv2.COLOR_BGRA2RGB, 4),
    "mono8": Layout(_grey, 1),
    "mono16": Layout(_high_byte, 2, is_word=True),
    "8UC1": Layout(_grey, 1),
    "8UC3": Layout(_reverse, 3),
    "8UC4": _colour(cv2.COLOR_BGRA2RGB, 4),
    "16UC1": Layout(_high_byte, 2, is_word=True),
    "32FC1": Layout(_intensity, 4, is_word=True),
    # ROS names a mosaic by its first two rows. OpenCV's older two-letter names begin one pixel
    # further right and down (RGGB is "BG"), so only its four-letter names are safe.
    "bayer_rggb8": _bayer(cv2.COLOR_BayerRGGB2RGB),
    "bayer_bggr8": _bayer(cv2.COLOR_BayerBGGR2RGB),
    "bayer_gbrg8": _bayer(cv2.COLOR_BayerGBRG2RGB),
    "bayer_grbg8": _bayer(cv2.COLOR_BayerGRBG2RGB),
    "yuv422": _yuv422(cv2.COLOR_YUV2RGB_UYVY),
    "uyvy": _yuv422(cv2.COLOR_YUV2RGB_UYVY),
    "yuv422_yuy2": _yuv422(cv2.COLOR_YUV2RGB_YUY2),
    "yuyv": _yuv422(cv2.COLOR_YUV2RGB_YUY2),
    "nv12": _yuv420(cv2.COLOR_YUV2RGB_NV12),
    "nv21": _yuv420(cv2.COLOR_YUV2RGB_NV21),
}

JPEG = b"\xff\xd8"
REDUCTIONS = {  # libjpeg computes fewer points of each block's cosine transform
    1: cv2.IMREAD_COLOR,
    2: cv2.IMREAD_REDUCED_COLOR_2,
    4: cv2.IMREAD_REDUCED_COLOR_4,
    8: cv2.IMREAD_REDUCED_COLOR_8,
}


def to_rgb(
    data: Buffer, *, encoding: str, width: int, height: int, step: int, is_bigendian: bool
) -> Image:
    """Read the fields of a sensor_msgs/Image.

    Padding at the end of rows is skipped, and so are bytes after the last row, since some
    drivers send whole memory pages. In nv12 and nv21 the chroma rows follow with the same step.

    Returns:
        (height, width, 3) RGB; for rgb8, bgr8 and 8UC3 a read-only view of `data`, whose last
        axis may run backwards, else a copy.

    Raises:
        ImageError: the fields contradict one another, or the encoding is not in the table.
    """
    layout = _layout(encoding)
    _check(layout, encoding, width, height, step)
    rows = height * layout.rows_per_pair // 2
    stored = np.frombuffer(memoryview(data), np.uint8)
    if stored.size < rows * step:
        raise ImageError(
            f"expected {rows * step} bytes of {encoding} ({rows} rows of {step}), "
            f"got {stored.size}"
        )
    lines = stored[: rows * step].reshape(rows, step)[:, : width * layout.pixel_bytes]
    pixels = lines.reshape(rows, width, layout.pixel_bytes)
    pixels.flags.writeable = False
    return layout.decode(pixels[..., ::-1] if layout.is_word and is_bigendian else pixels)


def from_compressed(data: Buffer, format: str) -> Image:
    """Read the fields of a sensor_msgs/CompressedImage; see `from_compressed_reduced`."""
    return from_compressed_reduced(data, format, 1)[0]


def from_compressed_reduced(data: Buffer, format: str, reduction: int) -> tuple[Image, int]:
    """Read the fields of a sensor_msgs/CompressedImage that holds a JPEG or a PNG.

    The picture's own colours count, whatever the format says about them, and an orientation in
    EXIF is ignored: a camera does not turn while it drives.

    Args:
        data: the file.
        format: as the message says it.
        reduction: of REDUCTIONS. A JPEG is decoded that many times smaller, rounded up, which
            averages as a resize by area does and takes less time; a PNG is not.

    Returns:
        (height, width, 3) RGB, a view whose last axis runs backwards; and how many times smaller
        it is.

    Raises:
        ImageError: another format, or a picture that is damaged or not whole.
    """
    if "compressedDepth" in format or not any(name in format for name in ("jpeg", "jpg", "png")):
        raise ImageError(f"expected a jpeg or png picture, got the format {format!r}")
    file = bytes(data)
    if not is_whole(file):
        raise ImageError(f"expected a whole JPEG or PNG, got {len(file)} bytes that are not one")
    reduction = reduction if file.startswith(JPEG) else 1
    flags = REDUCTIONS[reduction] | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        picture = cv2.imdecode(np.frombuffer(file, np.uint8), flags)
    except cv2.error:
        picture = None
    if picture is None:
        raise ImageError(f"expected a readable JPEG or PNG, got {len(file)} damaged bytes")
    return _reverse(cast("Image", picture)), reduction


def _layout(encoding: str) -> Layout:
    try:
        return LAYOUTS[encoding]
    except KeyError:
        raise ImageError(
            f"expected one of the encodings {', '.join(LAYOUTS)}, got {encoding!r}"
        ) from None


def _check(layout: Layout, encoding: str, width: int, height: int, step: int) -> None:
    if min(width, height) < layout.least_px:
        raise ImageError(
            f"expected at least {layout.least_px}x{layout.least_px} pixels of {encoding}, "
            f"got {width}x{height}"
        )
    columns, rows = layout.multiple_px
    if width % columns or height % rows:
        raise ImageError(
            f"expected multiples of {columns}x{rows} pixels of {encoding}, got {width}x{height}"
        )
    if step < width * layout.pixel_bytes:
        raise ImageError(
            f"expected a step of at least {width * layout.pixel_bytes} bytes "
            f"({width} pixels of {encoding}), got {step}"
        )


def is_whole(file: bytes) -> bool:
    """Look for the end mark, since some decoders fill up a cut picture with grey.

    JPEG (ITU-T T.81, B.1): EOI follows the last scan; a thumbnail's EOI comes before it.
    PNG (ISO/IEC 15948, 11.2): the last chunk is IEND, with its CRC.
    """
    if file.startswith(JPEG):
        return b"\xff\xd9" in file[max(file.rfind(b"\xff\xda"), 0) :]
    return file.startswith(b"\x89PNG\r\n\x1a\n") and b"IEND\xae\x42\x60\x82" in file
