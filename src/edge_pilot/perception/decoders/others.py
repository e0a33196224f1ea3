"""Guests that say something about each pixel, or about the whole picture."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edge_pilot.errors import ModelError
from edge_pilot.guest_card import GuestCard
from edge_pilot.perception.fitting import Fit
from edge_pilot.perception.found import Found
from edge_pilot.types import Floats, Tensor
from edge_pilot.units import steering_factor

MOST_CLASSES = 256


def segmentation(outputs: Sequence[Tensor], card: GuestCard, place: Fit) -> Found:
    """Read one map of classes, or several maps of one class each, against the rest.

    A map is (1, K, h, w), (1, h, w, K) or (1, h, w). Where there are as many outputs as labels,
    each has its own, in the card's order; else the labels are those of the classes of the one.
    """
    maps = [_classes(output, card) for output in outputs if output.ndim in (3, 4)]
    labels = card.labels
    if len(maps) == 1 and len(labels) != 1:
        count = int(maps[0].max(initial=0)) + 1
        if count > len(labels):
            raise ModelError(
                f"expected at most {len(labels)} classes of {card.name}, one for each label of "
                f"its card, got {count}"
            )
        whole = place.mask(maps[0], card.input)
        background = int(card.options.get("background", 0))
        return Found(
            classes={label: whole == i for i, label in enumerate(labels) if i != background}
        )
    if len(maps) != len(labels):
        raise ModelError(
            f"expected {len(labels)} outputs of {card.name}, one for each label of its card, got "
            f"{len(maps)}"
        )
    return Found(
        classes={
            label: place.mask(one, card.input) > 0 for label, one in zip(labels, maps, strict=True)
        }
    )


def classification(outputs: Sequence[Tensor], card: GuestCard, place: Fit) -> Found:
    """Read (1, K), log odds or probabilities."""
    values = _vector(outputs, card, len(card.labels))
    is_sure = values.min() >= 0.0 and abs(values.sum() - 1.0) < 1e-3
    shares = values if is_sure else _softmax(values)
    return Found(scores=dict(zip(card.labels, shares.tolist(), strict=True)))


def steering(outputs: Sequence[Tensor], card: GuestCard, place: Fit) -> Found:
    """Read one number, in the unit that `options.unit` says as `edge_pilot.units` has it.

    `options.index` chooses it from a vector, as of a network that also gives throttle. Where
    `options.classes` is true the vector are scores of equal steps from -1 to 1, as Donkeycar's
    categorical network has them.
    """
    factor = steering_factor(str(card.options.get("unit", "rad")))
    values = np.concatenate([np.asarray(o, np.float64).reshape(-1) for o in outputs])
    if card.options.get("classes"):
        steps = np.asarray(_vector(outputs, card, 0))
        return Found(steering_rad=factor * float(np.linspace(-1, 1, len(steps))[steps.argmax()]))
    index = int(card.options.get("index", 0))
    if not -len(values) <= index < len(values):
        raise ModelError(
            f"expected number {index} in the outputs of {card.name}, got {len(values)} in all"
        )
    return Found(steering_rad=factor * float(values[index]))


def _vector(outputs: Sequence[Tensor], card: GuestCard, wanted: int) -> Floats:
    """Give the one output with so many numbers; 0: the longest."""
    flat = [np.asarray(output, np.float64).reshape(-1) for output in outputs]
    if not wanted:
        return max(flat, key=len)
    found = [values for values in flat if len(values) == wanted]
    if len(found) != 1:
        counts = ", ".join(str(len(values)) for values in flat)
        raise ModelError(
            f"expected one output of {wanted} numbers of {card.name}, one for each label of its "
            f"card, got {counts}"
        )
    return found[0]


def _classes(output: Tensor, card: GuestCard) -> NDArray[np.uint8]:
    """Give the class of each cell (h, w)."""
    values = output[0]
    if values.ndim == 2:
        if np.issubdtype(values.dtype, np.integer):
            return np.asarray(values, np.uint8)
        return _is_there(values)
    axis = 0 if values.shape[0] <= values.shape[2] else 2
    if values.shape[axis] > MOST_CLASSES:
        raise ModelError(
            f"expected classes in the first or last dimension of {card.name}, got {output.shape}"
        )
    if values.shape[axis] == 1:
        return _is_there(np.take(values, 0, axis))
    return np.asarray(values.argmax(axis=axis), np.uint8)


def _is_there(values: Tensor) -> NDArray[np.uint8]:
    """Take one number a cell for a probability, or else for log odds."""
    is_share = values.size == 0 or (values.min() >= 0.0 and values.max() <= 1.0)
    return np.asarray(values > (0.5 if is_share else 0.0), np.uint8)


def _softmax(values: Floats) -> Floats:
    weight = np.exp(values - values.max())
    result: Floats = weight / weight.sum()
    return result
