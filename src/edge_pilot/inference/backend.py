"""The seam between the car and whatever computes the network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from edge_pilot.card import ModelFile
from edge_pilot.types import Tensor


class Backend(Protocol):
    """A loaded network."""

    def run(self, image: Tensor, state: Tensor) -> Mapping[str, Tensor]:
        """Compute every output, by name.

        Args:
            image: (B, 3, H, W), normalised as the card says.
            state: (B, S), scaled as the card says.
        """
        ...


def load(model: ModelFile, threads: int = 1) -> Backend:
    """Load a model with the engine that fits it.

    Raises:
        ModelError: the file is no model, or its inputs and outputs are not those of its card.
    """
    from edge_pilot.inference.onnx import OnnxBackend

    return OnnxBackend(model, threads)
