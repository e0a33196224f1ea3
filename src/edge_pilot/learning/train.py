"""The training loop: one for retraining and for fine-tuning."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from edge_pilot.card import ModelCard
from edge_pilot.learning.checkpoint import Checkpoint, Progress, State, copied
from edge_pilot.learning.losses import loss
from edge_pilot.learning.model import PilotNet

Samples: TypeAlias = dict[str, NDArray[np.generic]]
Labels: TypeAlias = dict[str, Tensor]
Batch: TypeAlias = tuple[Tensor, Tensor, Labels]  # image, state, labels
# Changes pictures (B, C, h, w) of 0 to 255, their state and their labels alike.
Warp: TypeAlias = Callable[[Tensor, Tensor, Labels, torch.Generator], Batch]
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
    mean_steps: int = 0  # the result's weights are the mean over about so many; 0: the last
    patience: int = 0  # epochs without a better judgement before the end; 0: all are done


class Outcome(NamedTuple):
    """What a training came to."""

    loss: float  # mean of the last epoch
    epochs: int
    best_epoch: int  # whose weights were kept
    load_s: float  # waited for batches
    step_s: float  # computed
    frames: int


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
    *,
    warp: Warp | None = None,
    judge: Callable[[PilotNet], float] | None = None,
    checkpoint: Checkpoint | None = None,
) -> Outcome:
    """Train in place.

    `samples` holds `image` (N, h, w, 3) uint8, `state` (N, S) and the labels (`boxes` as in
    `losses`), NaN where lacking; a label that no sample has may be left out. Where the network
    wants a past, `past` (N, P) has the rows of the earlier pictures, and `use` (M,) may name the
    rows to train on. `progress` is called with the loss after each batch.

    `judge` says after each epoch how bad the network is; the best is kept. A training that finds
    its `checkpoint` goes on from there.
    """
    torch.set_num_threads(recipe.threads)
    generator = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)  # dropout
    optimiser = torch.optim.AdamW(model.parameters(), lr=recipe.rate, weight_decay=recipe.decay)
    count = len(_rows(samples))
    steps = recipe.epochs * batches(count, recipe)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, recipe.rate, steps, pct_start=0.15)
    model.train().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    states = {"now": model.state_dict(), "mean": copied(model), "best": copied(model)}
    done = Progress()
    if checkpoint:
        done = checkpoint.load(states, optimiser, schedule, generator) or done
    load_s, step_s, first = 0.0, 0.0, done.epoch
    while done.epoch < recipe.epochs and not _is_late(done, recipe):
        total, begun = 0.0, time.perf_counter()
        for number, (image, state, labels) in enumerate(
            _ahead(_shuffled(samples, card, recipe.batch, generator, warp))
        ):
            loaded = time.perf_counter()
            optimiser.zero_grad(set_to_none=True)
            model.mixed = recipe.bfloat16
            value = loss(model(image, state), labels, model.path_scale, model.size)
            value.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimiser.step()
            schedule.step()
            _average(states, done.epoch * batches(count, recipe) + number, recipe)
            total += float(value.detach())
            progress(float(value.detach()))
            load_s, step_s = load_s + loaded - begun, step_s + time.perf_counter() - loaded
            begun = time.perf_counter()
        model.mixed = False
        done.epoch, done.loss = done.epoch + 1, total / batches(count, recipe)
        _keep(model, states, done, judge)
        if checkpoint:
            checkpoint.save(done, states, optimiser, schedule, generator)
    model.load_state_dict(states["best"])
    frames = (done.epoch - first) * recipe.batch * batches(count, recipe)
    return Outcome(done.loss, done.epoch, done.best_epoch, load_s, step_s, frames)


def _is_late(done: Progress, recipe: Recipe) -> bool:
    return bool(recipe.patience) and done.epoch - done.best_epoch >= recipe.patience


def _average(states: dict[str, State], step: int, recipe: Recipe) -> None:
    """Move the mean weights towards those of now, faster in the beginning."""
    share = 1.0 / min(1 + step, max(recipe.mean_steps, 1))
    for name, value in states["mean"].items():
        if value.is_floating_point():
            value.lerp_(states["now"][name].detach(), share)
        else:
            value.copy_(states["now"][name])


def _keep(
    model: PilotNet, states: dict[str, State], done: Progress,
    judge: Callable[[PilotNet], float] | None,
) -> None:  # fmt: skip
    """Keep the mean weights where they are the best so far; without a judge the last are."""
    value = -math.inf
    if judge:
        now = copied(model)
        model.load_state_dict(states["mean"])
        value = judge(model.eval())
        model.train().load_state_dict(now)
    if value < done.best or not judge:
        done.best, done.best_epoch = value, done.epoch
        for name, kept in states["best"].items():
            kept.copy_(states["mean"][name])


def _ahead(items: Iterator[Batch]) -> Iterator[Batch]:
    """Make each batch in another thread while the one before is used."""
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(next, items, None)
        while (batch := waiting.result()) is not None:
            waiting = pool.submit(next, items, None)
            yield batch


def batches(count: int, recipe: Recipe) -> int:
    """Give the number of batches in one epoch over `count` samples."""
    return max(1, count // recipe.batch)


def _rows(samples: Samples) -> NDArray[np.int64]:
    """Give the rows to train on."""
    rows = samples.get("use")
    return np.arange(len(samples["image"])) if rows is None else rows.astype(np.int64)


def _shuffled(
    samples: Samples,
    card: ModelCard,
    size: int,
    generator: torch.Generator,
    warp: Warp | None,
) -> Iterator[Batch]:
    every = _rows(samples)
    count = len(every)
    order = torch.randperm(count, generator=generator).numpy()
    for start in range(0, max(1, count - size + 1), size):
        rows = every[np.sort(order[start : start + size])]
        crops = torch.from_numpy(pictures(samples, rows)).permute(0, 3, 1, 2)  # (B, C, h, w)
        labels = {name: _label(samples, name, rows) for name in LABELS}
        image = crops.to(torch.float32, memory_format=torch.channels_last)
        state = torch.from_numpy(samples["state"][rows])
        if warp:
            image, state, labels = warp(image, state, labels, generator)
        yield _varied(image, card, generator), _forgotten(state, generator), labels


def pictures(samples: Samples, rows: NDArray[np.int64]) -> NDArray[np.generic]:
    """Give the pictures of some rows with those before them (B, h, w, C)."""
    image = samples["image"]
    if "past" not in samples:
        return image[rows]
    past = samples["past"][rows].astype(np.int64).T
    return np.concatenate([image[rows], *(image[before] for before in past)], axis=3)


def _label(samples: Samples, name: str, rows: NDArray[np.int64]) -> Tensor:
    if name in samples:
        return torch.from_numpy(samples[name][rows])
    return torch.full((len(rows), 1, 9) if name == "boxes" else (len(rows), 1), math.nan)


def _varied(image: Tensor, card: ModelCard, generator: torch.Generator) -> Tensor:
    """Change exposure, contrast, white balance and noise, and normalise as the card says.

    Pictures are (B, C, h, w) of 0 to 255, with the channels last in memory, and so is the result;
    those of one past are changed alike.
    """
    count, past = len(image), image.shape[1] // 3

    def draw(*shape: int) -> Tensor:
        return torch.rand(count, *shape, generator=generator) * 2.0 - 1.0

    gain = 1.0 + 0.25 * draw(1, 1, 1) + 0.08 * draw(3, 1, 1)
    contrast = 1.0 + 0.25 * draw(1, 1, 1)
    middle = image.mean((1, 2, 3), keepdim=True) / 255.0
    shift = middle * (gain - contrast) + 0.04 * draw(1, 1, 1)
    strength = 0.02 * draw(1, 1, 1).abs()
    noise = torch.randn(image.shape[1:], generator=generator)
    mean, std = (
        torch.tensor(v).view(1, 3, 1, 1).repeat(1, past, 1, 1)
        for v in (card.input.mean, card.input.std)
    )
    image = image.mul_(contrast / 255.0).add_(shift.repeat(1, past, 1, 1))
    return image.add_(strength * noise).clamp_(0.0, 1.0).sub_(mean).div_(std)


def _forgotten(state: Tensor, generator: torch.Generator) -> Tensor:
    """Hide the state in half of the samples: the car's motion must not stand in for the road."""
    known = torch.rand(len(state), 1, generator=generator) < 0.5
    return state * known
