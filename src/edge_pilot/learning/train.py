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
from edge_pilot.learning.losses import loss
from edge_pilot.learning.model import PilotNet

Samples: TypeAlias = dict[str, NDArray[np.generic]]
LANE_LABELS = ("path", "curvature", "lane_offset", "heading_error")
LABELS = (*LANE_LABELS, "boxes")


@dataclass(frozen=True)
class Recipe:
    """How to train."""

    epochs: int
    batch: int = 64
    rate: float = 1.5e-3  # peak of the learning rate
    decay: float = 1e-3  # of the weights
    threads: int = 2
    bfloat16: bool = False  # convolutions in 16 bits: twice as fast on a CPU that can


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

    `samples` holds `image` (N, h, w, 3) uint8, `state` (N, S) and the labels (`boxes` as in
    `losses`), NaN where lacking; a label that no sample has may be left out. `progress` is called
    with the loss after each batch.
    """
    torch.set_num_threads(recipe.threads)
    generator = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)  # dropout
    optimiser = torch.optim.AdamW(model.parameters(), lr=recipe.rate, weight_decay=recipe.decay)
    count = len(samples["image"])
    steps = recipe.epochs * batches(count, recipe)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, recipe.rate, steps, pct_start=0.15)
    model.train().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    model.mixed = recipe.bfloat16
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
    model.mixed = False
    return mean


def batches(count: int, recipe: Recipe) -> int:
    """Give the number of batches in one epoch over `count` samples."""
    return max(1, count // recipe.batch)


def _shuffled(
    samples: Samples,
    card: ModelCard,
    size: int,
    generator: torch.Generator,
) -> Iterator[tuple[Tensor, Tensor, dict[str, Tensor]]]:
    count = len(samples["image"])
    order = torch.randperm(count, generator=generator).numpy()
    for start in range(0, max(1, count - size + 1), size):
        rows = np.sort(order[start : start + size])
        image = _varied(torch.from_numpy(samples["image"][rows]), card, generator)
        state = _forgotten(torch.from_numpy(samples["state"][rows]), generator)
        yield image, state, {name: _label(samples, name, rows) for name in LABELS}


def _label(samples: Samples, name: str, rows: NDArray[np.int64]) -> Tensor:
    if name in samples:
        return torch.from_numpy(samples[name][rows])
    return torch.full((len(rows), 1, 9) if name == "boxes" else (len(rows), 1), math.nan)


def _varied(crops: Tensor, card: ModelCard, generator: torch.Generator) -> Tensor:
    """Change exposure, contrast, white balance and noise, and normalise as the card says.

    Crops are (B, h, w, 3) uint8; the result is (B, 3, h, w), with the channels last in memory.
    """
    image = crops.permute(0, 3, 1, 2).float()
    count = len(image)

    def draw(*shape: int) -> Tensor:
        return torch.rand(count, *shape, generator=generator) * 2.0 - 1.0

    gain = 1.0 + 0.25 * draw(1, 1, 1) + 0.08 * draw(3, 1, 1)
    contrast = 1.0 + 0.25 * draw(1, 1, 1)
    middle = image.mean((1, 2, 3), keepdim=True) / 255.0
    shift = middle * (gain - contrast) + 0.04 * draw(1, 1, 1)
    strength = 0.02 * draw(1, 1, 1).abs()
    noise = torch.randn(image.shape[1:], generator=generator)
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (card.input.mean, card.input.std))
    image.mul_(contrast / 255.0).add_(shift).add_(strength * noise).clamp_(0.0, 1.0)
    return image.sub_(mean).div_(std)


def _forgotten(state: Tensor, generator: torch.Generator) -> Tensor:
    """Hide the state in half of the samples: the car's motion must not stand in for the road."""
    known = torch.rand(len(state), 1, generator=generator) < 0.5
    return state * known
