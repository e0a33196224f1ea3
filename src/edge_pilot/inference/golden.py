"""Whether an engine computes what its model says: its answers on golden frames, beside the CPU's.

A wrong engine answers as quickly and as smoothly as the right one; only its numbers differ.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import cv2
import numpy as np

from edge_pilot import resources
from edge_pilot.card import ModelCard
from edge_pilot.errors import EngineError
from edge_pilot.inference.backend import Backend
from edge_pilot.perception.heads import encode_state, outputs_of
from edge_pilot.preprocess import Preprocessor
from edge_pilot.types import EgoState, Floats, Image, Tensor

FILE = "models/golden.jpg"  # pictures of simulated roads, one below the other: edge_pilot golden
SHAPE = (180, 320, 3)
MOTIONS = ((0.0, 0.0), (8.0, 0.1), (14.0, -0.05))  # m/s and rad/s, in turn
SMALL = 1e-3  # an output that is smaller is compared with this


class Difference(NamedTuple):
    """How far an output is off over all golden frames."""

    rms: float  # root mean square, as a share of the output's own
    worst: float  # of all its numbers, as a share of the largest


# The second is for what a mean does not show: one cell of a map with thousands that is wrong.
TOLERANCES = {
    "fp32": Difference(1e-3, 0.01),
    "fp16": Difference(0.03, 0.05),
    "int8": Difference(0.3, 0.5),
}


def frames(card: ModelCard) -> Iterator[tuple[Tensor, Tensor]]:
    """Give image (1, 3, H, W) and state (1, S) of each golden frame, each time the same.

    Raises:
        ConfigError: the pictures are not where the package was installed.
    """
    view = Preprocessor(card.input)
    for number, picture in enumerate(pictures()):
        speed_mps, yaw_rate_radps = MOTIONS[number % len(MOTIONS)]
        state = encode_state(EgoState(0, speed_mps, yaw_rate_radps), card)
        yield view.normalise(view.crop(picture)), state


def check(engine: Backend, reference: Backend, card: ModelCard) -> None:
    """Compare two engines on the golden frames.

    Raises:
        EngineError: an output differs by more than its card's precision explains.
    """
    tolerance = TOLERANCES[card.precision]
    for name, found in differences(engine, reference, card).items():
        for share, limit in zip(found, tolerance, strict=True):
            if not share <= limit:  # a NaN fails too
                raise EngineError(
                    f"expected the answers of {card.name} on the golden frames within {limit:g} "
                    f"of their size, got a difference of {share:.3g} in {name}"
                )


def differences(engine: Backend, reference: Backend, card: ModelCard) -> dict[str, Difference]:
    """Compare each output over all golden frames."""
    pairs = [(engine.run(*frame), reference.run(*frame)) for frame in frames(card)]
    found = {}
    for name in outputs_of(card):
        got = np.stack([one[name] for one, _ in pairs])
        expected = np.stack([other[name] for _, other in pairs])
        found[name] = difference(got, expected)
    return found


def difference(got: Tensor, expected: Tensor) -> Difference:
    """Compare two tensors of one shape."""
    wanted = expected.astype(np.float64)
    error = got.astype(np.float64) - wanted
    return Difference(
        rms=_rms(error) / max(_rms(wanted), SMALL),
        worst=float(np.abs(error).max() / max(np.abs(wanted).max(), SMALL)),
    )


def _rms(values: Floats) -> float:
    return float(np.sqrt(np.mean(np.square(values))))


def pictures() -> list[Image]:
    """Give the golden pictures, RGB.

    Raises:
        EngineError: they cannot be read.
    """
    strip = cv2.imread(str(resources.find(FILE)), cv2.IMREAD_COLOR)
    if strip is None:
        raise EngineError(f"expected pictures in {resources.find(FILE)}, got none")
    return list(np.asarray(strip[..., ::-1], np.uint8).reshape(-1, *SHAPE))
