"""The intrinsics of a recorded camera."""

from __future__ import annotations

from typing import Any, NamedTuple

from edge_pilot.card import CameraModel, pinhole
from edge_pilot.config import CameraConfig
from edge_pilot.replay.bags import decode
from edge_pilot.replay.events import read_events
from edge_pilot.replay.logs import Log
from edge_pilot.replay.selection import Selection
from edge_pilot.replay.stamps import Clock
from edge_pilot.types import Frame


class Intrinsics(NamedTuple):
    """A camera, and where that is known from."""

    camera: CameraModel | None  # None: what the network's own camera shows, in any size
    source: str


def find_intrinsics(bag: Log, selection: Selection, configured: CameraConfig) -> Intrinsics:
    """Take the recorded intrinsics, else the configured ones if the pictures are of their size.

    Raises:
        BagError: the recording is damaged.
    """
    if recorded := _recorded(bag, selection):
        return Intrinsics(recorded, "as recorded")
    width, height = _size(bag, selection)
    if (width, height) == (configured.width_px, configured.height_px):
        return Intrinsics(pinhole(configured), "as configured, for lack of a CameraInfo")
    return Intrinsics(None, "taken for the model's own, for lack of a CameraInfo")


def to_camera(info: Any) -> CameraModel | None:
    """Read a sensor_msgs/CameraInfo; an uncalibrated camera sends zeros and gives None."""
    if not all(size > 0 for size in (info.width, info.height, info.k[0], info.k[4])):
        return None
    return CameraModel(
        width_px=int(info.width),
        height_px=int(info.height),
        fx_px=float(info.k[0]),
        fy_px=float(info.k[4]),
        cx_px=float(info.k[2]),
        cy_px=float(info.k[5]),
        distortion_model=str(info.distortion_model),
        distortion=tuple(float(value) for value in info.d),
    )


def _recorded(bag: Log, selection: Selection) -> CameraModel | None:
    if selection.camera_info is None:
        return None
    first = next(bag.messages([selection.camera_info.name]), None)
    return to_camera(decode(first)) if first else None


def _size(bag: Log, selection: Selection) -> tuple[int, int]:
    """Give width and height of the first picture that is readable, or zeros."""
    for event in read_events(bag, Selection(selection.camera), Clock("record", "")):
        if isinstance(event, Frame):
            height, width = event.image.shape[:2]
            return width, height
    return 0, 0
