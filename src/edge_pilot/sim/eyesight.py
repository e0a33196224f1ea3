"""How well a model sees on simulated roads: what stands there, and how the lane runs."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge_pilot.card import ModelCard
from edge_pilot.inference.backend import Backend
from edge_pilot.perception import boxes
from edge_pilot.perception.quality import Picture, Truth
from edge_pilot.preprocess import Preprocessor
from edge_pilot.types import KINDS, Detection, Floats, Tensor

Samples = Mapping[str, NDArray[np.generic]]
LANE = ("path", "curvature", "lane_offset", "heading_error")
LOWEST_SCORE = 0.05  # of detections for average precision


class Sight(NamedTuple):
    """What a model made of pictures."""

    pictures: list[Picture]
    errors: dict[str, Floats]  # absolute errors (N, ...) of each of LANE


def look(samples: Samples, card: ModelCard, backend: Backend) -> Sight:
    """Show a model the samples of `collect`."""
    pictures, errors = [], {name: [] for name in LANE}  # type: ignore[var-annotated]
    for index, outputs in enumerate(_answers(samples, card, backend)):
        for name in LANE:
            errors[name].append(np.abs(outputs[name][0] - samples[name][index]))
        found: tuple[Detection, ...] = ()
        if card.kinds:
            heat, box = outputs["obstacle_heat"][0], outputs["obstacle_box"][0]
            found = boxes.find(heat, box, card, 0.0, LOWEST_SCORE)
        pictures.append(Picture(found, truths(samples["boxes"][index], card), 0.0))
    return Sight(pictures, {name: np.stack(rows) for name, rows in errors.items()})


def truths(rows: NDArray[np.generic], card: ModelCard) -> list[Truth]:
    """Read the labels of one picture, as `collect` gives them."""
    found = []
    for kind, x, y, width, height, ahead, aside, _, must in np.asarray(rows, np.float64).tolist():
        if kind >= 0.0:
            pixels = boxes.in_picture(x, y, width, height, card)
            distance = math.hypot(ahead, ahead * boxes.slope(pixels, card) + aside)
            found.append(Truth(KINDS[int(kind)], pixels, distance, must > 0.5))
    return found


def mean_errors(sights: Sequence[Sight]) -> dict[str, float]:
    """Give the mean absolute error of each of LANE."""
    return {
        name: float(np.concatenate([sight.errors[name] for sight in sights]).mean())
        for name in LANE
    }


def _answers(
    samples: Samples, card: ModelCard, backend: Backend
) -> Iterator[Mapping[str, Tensor]]:
    view = Preprocessor(card.input)
    for image, state in zip(samples["image"], samples["state"], strict=True):
        yield backend.run(view.normalise(np.asarray(image, np.uint8)), state[None])
