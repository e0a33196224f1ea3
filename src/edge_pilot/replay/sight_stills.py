"""Pictures that show how a model sees: some where all is right, and the worst ones."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np

from edge_pilot.card import InputSpec
from edge_pilot.config import CameraConfig
from edge_pilot.perception.quality import WORKING_SCORE, Picture
from edge_pilot.replay import marks, overlay, sights
from edge_pilot.replay.ground import SCALE
from edge_pilot.replay.sights import Faults
from edge_pilot.types import Detection, Image, Path

APART = 12  # pictures between two that are shown: they are 2.5 m apart
JPEG_QUALITY = 85
MOST_SAID = 4  # faults of one picture


def pick(pictures: Sequence[Picture], worst: int, best: int) -> list[int]:
    """Give the pictures to show: the worst, then those where most was found and nothing wrong."""
    faults = [sights.faults(picture) for picture in pictures]
    bad = sorted(range(len(pictures)), key=lambda i: -faults[i].badness)
    good = sorted(range(len(pictures)), key=lambda i: -_found(pictures[i]))
    chosen = _spread([i for i in bad if faults[i].badness], worst)
    return chosen + _spread([i for i in good if not faults[i].badness], best)


def draw(
    crop: Image, picture: Picture, path: Path, path_std_m: float, spec: InputSpec,
    camera: CameraConfig,
) -> Image:  # fmt: skip
    """Draw path, what was found and what there is into the network's view, enlarged.

    What is wrong is vermilion; thin white boxes are the truth.

    Args:
        crop: (h, w, 3) RGB, the network's view.
        picture: what was found in it, and what there was.
        path: where the model wants to drive.
        path_std_m: its standard deviation at its end.
        spec: which part of the camera's picture the crop is.
        camera: how it is mounted.

    Returns:
        (SCALE (crop_bottom - crop_top), SCALE W, 3) RGB.
    """
    faults = sights.faults(picture)
    sure = [one for one in picture.detections if one.score >= WORKING_SCORE]
    marked = [
        mark._replace(warns=one in faults.false)
        for one, mark in zip(sure, marks.of_detections(sure, picture.forward_m), strict=True)
    ]
    image = np.zeros((spec.camera.height_px, spec.camera.width_px, 3), np.uint8)
    part = image[spec.crop_top_px : spec.crop_bottom_px]
    part[:] = cv2.resize(crop, (part.shape[1], part.shape[0]))
    own = spec.camera
    view = replace(camera, width_px=own.width_px, height_px=own.height_px, focal_px=own.fx_px)
    canvas = overlay.sketch(image, path, path_std_m, marked, view)
    marks.draw_truth(canvas, [one.box_px for one in picture.truths if one.must])
    marks.draw_missed(canvas, [one.box_px for one in faults.missed])
    return canvas[SCALE * spec.crop_top_px : SCALE * spec.crop_bottom_px]


def caption(faults: Faults) -> str:
    """Say what is wrong in a picture, the nearest first."""
    wrong = [(one.distance_m, f"misses a {one.kind}") for one in faults.missed]
    wrong += [(_distance(one), f"invents a {one.kind}") for one in faults.false]
    said = [f"{what} at {gap:.0f} m" for gap, what in sorted(wrong)]
    more = [f"{len(said) - MOST_SAID} more"] if len(said) > MOST_SAID else []
    return ", ".join(said[:MOST_SAID] + more) or "all is right"


def encode(image: Image) -> bytes:
    """Give a picture as JPEG."""
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    return cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1].tobytes()


def _spread(order: Sequence[int], count: int) -> list[int]:
    """Take the first ones that are APART."""
    chosen: list[int] = []
    for i in order:
        if len(chosen) < count and all(abs(i - other) >= APART for other in chosen):
            chosen.append(i)
    return chosen


def _found(picture: Picture) -> int:
    return sum(one.score >= WORKING_SCORE for one in picture.detections)


def _distance(detection: Detection) -> float:
    return math.hypot(detection.x_m, detection.y_m)
