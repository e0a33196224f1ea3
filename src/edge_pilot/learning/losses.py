"""What the network is trained to: one loss for each head, summed.

A label that is NaN is lacking and counts nothing, so that sources with different labels train
one network.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from edge_pilot.learning.model import CURVATURE_SCALE, HEADING_SCALE, OFFSET_SCALE
from edge_pilot.perception.heads import OBSTACLE_OUTPUTS, OUTPUTS, STRIDE

SPREAD = 0.15  # of a peak in the heat map: standard deviation in sizes of the box ...
MIN_SPREAD = 0.7  # ... and at least so many cells
NEAR_PEAK = 0.5  # cells above this also say box and distance
HARD = 2.0  # focal loss (Lin et al., ICCV 2017): how much less the easy cells count
NEAR_MISS = 4.0  # CenterNet: how much less the cells beside a peak count
EPSILON = 1e-4
OBSTACLES = 0.5  # weight beside the lane, whose gradients are smaller


def loss(
    outputs: tuple[Tensor, ...], labels: dict[str, Tensor], scale: Tensor, size: float = 1.0
) -> Tensor:
    """Give the loss of a batch; `scale` (N,) is the usual size of each path offset.

    `size` is that of the car, as `model.PilotNet` has it.
    """
    out = dict(zip(OUTPUTS + OBSTACLE_OUTPUTS, outputs, strict=False))
    value = _lane(out, labels, scale, size)
    if "obstacle_heat" in out:
        found = _obstacles(out["obstacle_heat"], out["obstacle_box"], labels["boxes"])
        value = value + OBSTACLES * found
    return value


def _lane(out: dict[str, Tensor], labels: dict[str, Tensor], scale: Tensor, size: float) -> Tensor:
    """Give the loss of path, curvature, offset and heading.

    Path and curvature: the Gaussian likelihood, weighted by the standard deviation that it
    predicts, so that what is hard to see is still learned (beta-NLL, Seitzer et al., 2022).
    """
    shift = 2.0 * torch.log(scale)
    path = _likelihood(
        out["path"] / scale, out["path_log_variance"] - shift, labels["path"] / scale
    )
    curvature = _likelihood(
        out["curvature"] * (size / CURVATURE_SCALE),
        out["curvature_log_variance"] - 2.0 * math.log(CURVATURE_SCALE / size),
        labels["curvature"] * (size / CURVATURE_SCALE),
    )
    offset = _huber((out["lane_offset"] - labels["lane_offset"]) / (OFFSET_SCALE * size))
    heading = _huber((out["heading_error"] - labels["heading_error"]) / HEADING_SCALE)
    return path + 0.3 * curvature + 0.5 * offset + 0.5 * heading


def _obstacles(heat: Tensor, box: Tensor, labels: Tensor) -> Tensor:
    """Give the loss of heat map (B, K, h, w) and boxes (B, 7, h, w).

    `labels` is (B, M, 9): kind, middle x and y, width, height [px of the input]; how far ahead,
    how far left of the middle's ray, how wide [m], as in `heads`; and whether it must be found
    (1) or may be (0). Rows of kind -1 are empty.
    """
    kinds, (height, width) = heat.shape[1], heat.shape[2:]
    known = ~torch.isnan(labels[:, 0, 0])
    labels = torch.nan_to_num(labels, nan=-1.0)
    there, must = labels[:, :, 0] >= 0, labels[:, :, 8] > 0.5
    strongest, index = _peaks(labels, there & must, height, width).max(1)  # (B, h, w)
    row = torch.gather(
        labels, 1, index.flatten(1)[:, :, None].expand(-1, -1, labels.shape[2])
    ).view(*index.shape, -1)  # (B, h, w, 9)
    is_kind = row[:, None, :, :, 0] == torch.arange(kinds).view(1, -1, 1, 1)
    wanted = strongest[:, None] * is_kind
    may = _inside(there & ~must, labels, height, width)
    counts = known[:, None, None, None] & (~may[:, None] | (wanted > NEAR_PEAK))
    return _focal(heat, wanted, counts) + _box(box, row, strongest > NEAR_PEAK)


def _peaks(labels: Tensor, which: Tensor, height: int, width: int) -> Tensor:
    """Give a bell (B, M, h, w) around the cell of each box's middle, 1 in that cell."""
    bells = []
    for middle, size, count in ((1, 3, width), (2, 4, height)):
        cell = torch.floor(labels[:, :, middle, None] / STRIDE)
        spread = (SPREAD * labels[:, :, size, None] / STRIDE).clamp(min=MIN_SPREAD)
        bells.append(torch.exp(-0.5 * ((torch.arange(count) - cell) / spread) ** 2))
    across, down = bells
    return (down * which[:, :, None])[:, :, :, None] * across[:, :, None, :]


def _inside(which: Tensor, labels: Tensor, height: int, width: int) -> Tensor:
    """Give the cells (B, h, w) that lie in any of the boxes (B, M) chosen."""
    x = (torch.arange(width) + 0.5) * STRIDE
    y = (torch.arange(height) + 0.5) * STRIDE
    across = (x - labels[:, :, 1, None]).abs() <= 0.5 * labels[:, :, 3, None] + STRIDE
    down = (y - labels[:, :, 2, None]).abs() <= 0.5 * labels[:, :, 4, None] + STRIDE
    return ((across[:, :, None, :] & down[:, :, :, None]) & which[:, :, None, None]).any(1)


def _focal(heat: Tensor, wanted: Tensor, counts: Tensor) -> Tensor:
    heat = heat.clamp(EPSILON, 1.0 - EPSILON)
    is_peak = wanted >= 1.0 - EPSILON
    hit = -torch.log(heat) * (1.0 - heat) ** HARD
    miss = -torch.log(1.0 - heat) * heat**HARD * (1.0 - wanted) ** NEAR_MISS
    value = torch.where(is_peak, hit, miss) * counts
    return value.sum() / is_peak.sum().clamp(min=1)


def _box(box: Tensor, row: Tensor, near: Tensor) -> Tensor:
    """Compare the cells `near` (B, h, w) a peak with its label `row`; sizes by their ratio."""
    height, width = box.shape[2:]
    x = (torch.arange(width) + 0.5) * STRIDE
    y = (torch.arange(height).view(-1, 1) + 0.5) * STRIDE
    errors = torch.stack(
        [
            (box[:, 0] - (row[..., 1] - x)) / STRIDE,
            (box[:, 1] - (row[..., 2] - y)) / STRIDE,
            4.0 * torch.log(box[:, 2] / row[..., 3].clamp(min=1.0)),
            4.0 * torch.log(box[:, 3] / row[..., 4].clamp(min=1.0)),
            6.0 * torch.log(box[:, 4] / row[..., 5].clamp(min=0.5)),
            2.0 * (box[:, 5] - row[..., 6]),
            3.0 * torch.log(box[:, 6] / row[..., 7].clamp(min=0.2)),
        ],
        1,
    )
    near = near[:, None].expand_as(errors)
    errors = torch.where(near, errors, 0.0)
    value = nn.functional.smooth_l1_loss(
        errors, torch.zeros_like(errors), reduction="none", beta=0.2
    )
    return 0.3 * _mean(value, near)


def _likelihood(mean: Tensor, log_variance: Tensor, label: Tensor) -> Tensor:
    known = ~torch.isnan(label)
    error = torch.where(known, mean - torch.nan_to_num(label), 0.0)
    value = 0.5 * (torch.exp(-log_variance) * error**2 + log_variance)
    weight = torch.exp(0.5 * log_variance).detach()
    return _mean(value * weight, known)


def _huber(error: Tensor) -> Tensor:
    known = ~torch.isnan(error)
    error = torch.nan_to_num(error)
    value = nn.functional.smooth_l1_loss(
        error, torch.zeros_like(error), reduction="none", beta=0.2
    )
    return _mean(value, known)


def _mean(value: Tensor, known: Tensor) -> Tensor:
    return (value * known).sum() / known.sum().clamp(min=1)
