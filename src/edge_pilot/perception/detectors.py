"""Guests' decoders by name: bring your own ONNX."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from edge_pilot.errors import ModelError
from edge_pilot.guest_card import GuestCard
from edge_pilot.perception.decoders import boxes, others
from edge_pilot.perception.fitting import Fit
from edge_pilot.perception.found import Found
from edge_pilot.types import Tensor


class Decoder(Protocol):
    """Reads the outputs of one picture."""

    def __call__(self, outputs: Sequence[Tensor], card: GuestCard, place: Fit) -> Found:
        """Give what they say.

        Raises:
            ModelError: they have another form than the card says.
        """
        ...


DECODERS: dict[str, Decoder] = {
    "yolox": boxes.yolox,
    "yolov8": boxes.yolov8,
    "nanodet": boxes.nanodet,
    "fastestdet": boxes.fastestdet,
    "segmentation": others.segmentation,
    "classification": others.classification,
    "steering": others.steering,
}


def decode(outputs: Mapping[str, Tensor], card: GuestCard, place: Fit) -> Found:
    """Read the outputs, by name, as the card says.

    Raises:
        ModelError: they have another form than the card says.
    """
    if missing := [name for name in card.outputs if name not in outputs]:
        raise ModelError(
            f"expected outputs {', '.join(card.outputs)} of {card.name}, got "
            f"{', '.join(outputs)} without {', '.join(missing)}"
        )
    ordered = [outputs[name] for name in card.outputs or outputs]
    return DECODERS[card.decoder](ordered, card, place)
