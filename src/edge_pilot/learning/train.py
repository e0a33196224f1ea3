"""The training loop: one for retraining and for fine-tuning."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from edge_pilot.card import ModelCard
from edge_pilot.learning.model import PilotNet, loss

Samples: TypeAlias = dict[str, NDArray[np.generic]]
LABELS = ("path", "curvature", "lane_offset", "heading_error")


@dataclass(frozen=True)
class Recipe:
    """How to train."""

    epochs: int
    batch: int = 128
    rate: float = 2e-3  # peak of the learning rate
    decay: float = 1e-3  # of the weights
    threads: int = 2


def merge(parts: list[Samples]) -> Samples:
    """Put samples of several drives together."""
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def train(
    model: PilotNet,
    card: ModelCard,
    samples: Samples,
    recipe: Recipe,
    seed: int,
    progress: Callable[[float], None] = lambda loss: None,
) -> float:
    """Train in place and give the mean loss of the last epoch.

    `samples` holds `image` (N, h, w, 3) uint8, `state` (N, S) and the labels, NaN where lacking;
    `progress` is called with the loss after each batch.
    """
    torch.set_num_threads(recipe.threads)
    generator = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)  # dropout
    optimiser = torch.optim.AdamW(model.parameters(), lr=recipe.rate, weight_decay=recipe.decay)
    count = len(samples["image"])
    steps = recipe.epochs * batches(count, recipe)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, recipe.rate, steps, pct_start=0.15)
    model.train().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    mean = math.nan
    for _ in range(recipe.epochs):
        total = 0.0
        for image, state, labels in _shuffled(samples, card, recipe.batch, generator):
            optimiser.zero_grad(set_to_none=True)
            value = loss(model(image, state), labels, model.path_scale)
            value.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimiser.step()
            schedule.step()
            total += float(value.detach())
            progress(float(value.detach()))
        mean = total / batches(count, recipe)
    return mean


def batches(count: int, recipe: Recipe) -> int:
    """Give the number of batches in one epoch over `count` samples."""
    return max(1, count // recipe.batch)


def errors(model: PilotNet, card: ModelCard, samples: Samples) -> dict[str, float]:
    """Give the mean absolute error of each label on samples that were not trained on."""
    model.eval()
    generator = torch.Generator().manual_seed(0)
    total = dict.fromkeys(LABELS, 0.0)
    parts = list(_shuffled(samples, card, min(256, len(samples["image"])), generator, False))
    with torch.no_grad():
        for image, state, labels in parts:
            path, _, curvature, _, offset, heading = model(image, state)
            guesses = (path, curvature, offset, heading)
            for name, guess in zip(LABELS, guesses, strict=True):
                total[name] += float((guess - labels[name]).abs().nanmean()) / len(parts)
    return total


def _shuffled(
    samples: Samples,
    card: ModelCard,
    size: int,
    generator: torch.Generator,
    augment: bool = True,
) -> Iterator[tuple[Tensor, Tensor, dict[str, Tensor]]]:
    count = len(samples["image"])
    order = torch.randperm(count, generator=generator).numpy()
    for start in range(0, max(1, count - size + 1), size):
        rows = np.sort(order[start : start + size])
        image = torch.from_numpy(samples["image"][rows]).permute(0, 3, 1, 2).float() / 255.0
        state = torch.from_numpy(samples["state"][rows])
        if augment:
            image, state = _varied(image, generator), _forgotten(state, generator)
        mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (card.input.mean, card.input.std))
        tensor = ((image - mean) / std).contiguous(memory_format=torch.channels_last)
        yield tensor, state, {name: torch.from_numpy(samples[name][rows]) for name in LABELS}


def _varied(image: Tensor, generator: torch.Generator) -> Tensor:
    """Change exposure, contrast, white balance and noise of each picture; 0 to 1 in and out."""
    count = len(image)

    def draw(*shape: int) -> Tensor:
        return torch.rand(count, *shape, generator=generator) * 2.0 - 1.0

    gain = 1.0 + 0.25 * draw(1, 1, 1) + 0.08 * draw(3, 1, 1)
    middle = image.mean((1, 2, 3), keepdim=True)
    image = (image - middle) * (1.0 + 0.25 * draw(1, 1, 1)) + middle * gain + 0.04 * draw(1, 1, 1)
    strength = 0.02 * draw(1, 1, 1).abs()
    noise = torch.randn(image.shape[1:], generator=generator)
    return (image + strength * noise).clamp(0.0, 1.0)


def _forgotten(state: Tensor, generator: torch.Generator) -> Tensor:
    """Hide the state in half of the samples: the car's motion must not stand in for the road."""
    known = torch.rand(len(state), 1, generator=generator) < 0.5
    return state * known
