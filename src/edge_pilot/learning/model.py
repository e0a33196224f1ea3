"""The network: a small CNN with several heads, after PilotNet (Bojarski et al., 2016)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from edge_pilot.perception.heads import OUTPUTS

if TYPE_CHECKING:
    from edge_pilot.card import ModelCard

CHANNELS = (24, 36, 48, 64, 64)
STRIDES = (2, 2, 2, 1, 2)
KERNELS = (5, 3, 3, 3, 3)
FEATURES = 160
CURVATURE_SCALE = 0.01  # 1/m
OFFSET_SCALE = 0.5  # m
HEADING_SCALE = 0.1  # rad
MAX_LOG_VARIANCE = 6.0  # in units of the scales; also bounds the confidence below


class PilotNet(nn.Module):
    """Image (B, 3, H, W) and state (B, S) to the tensors of `perception.heads.OUTPUTS`."""

    path_scale: Tensor  # (N,) m, the usual size of each offset

    def __init__(self, card: ModelCard) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = 3
        for channels, stride, kernel in zip(CHANNELS, STRIDES, KERNELS, strict=True):
            layers += [
                nn.Conv2d(before, channels, kernel, stride, kernel // 2, bias=False),
                nn.BatchNorm2d(channels),
                nn.ReLU(inplace=True),
            ]
            before = channels
        self.eye = nn.Sequential(*layers, nn.Flatten())
        with torch.no_grad():
            flat = self.eye(torch.zeros(1, 3, card.input.height_px, card.input.width_px)).shape[1]
        self.features = nn.Sequential(nn.Dropout(0.1), nn.Linear(flat, FEATURES), nn.ReLU())
        self.state = nn.Sequential(nn.Linear(len(card.state), 16), nn.ReLU())
        self.count = len(card.path_distances_m)
        self.heads = nn.Linear(FEATURES + 16, 2 * self.count + 4)
        # A bend of radius R leaves the tangent by d^2 / 2R; 0.4 m is the car's own straying.
        distances = torch.tensor(card.path_distances_m)
        self.register_buffer("path_scale", 0.4 + distances**2 / 200.0)

    def forward(self, image: Tensor, state: Tensor) -> tuple[Tensor, ...]:
        """Give the tensors of `OUTPUTS`, in that order, in SI units."""
        raw = self.heads(torch.cat([self.features(self.eye(image)), self.state(state)], 1))
        path, path_lv, rest = raw.split([self.count, self.count, 4], 1)
        return (
            path * self.path_scale,
            _bounded(path_lv) + 2.0 * torch.log(self.path_scale),
            rest[:, 0:1] * CURVATURE_SCALE,
            _bounded(rest[:, 1:2]) + 2.0 * math.log(CURVATURE_SCALE),
            rest[:, 2:3] * OFFSET_SCALE,
            rest[:, 3:4] * HEADING_SCALE,
        )


def _bounded(log_variance: Tensor) -> Tensor:
    """Keep the network from being certain, or lost, beyond reason."""
    return MAX_LOG_VARIANCE * torch.tanh(log_variance / MAX_LOG_VARIANCE)


def loss(outputs: tuple[Tensor, ...], labels: dict[str, Tensor], scale: Tensor) -> Tensor:
    """Give the loss of a batch; a label that is NaN is lacking and counts nothing.

    Path and curvature: the Gaussian likelihood, weighted by the standard deviation that it
    predicts, so that what is hard to see is still learned (beta-NLL, Seitzer et al., 2022).
    """
    out = dict(zip(OUTPUTS, outputs, strict=True))
    shift = 2.0 * torch.log(scale)
    path = _likelihood(
        out["path"] / scale, out["path_log_variance"] - shift, labels["path"] / scale
    )
    curvature = _likelihood(
        out["curvature"] / CURVATURE_SCALE,
        out["curvature_log_variance"] - 2.0 * math.log(CURVATURE_SCALE),
        labels["curvature"] / CURVATURE_SCALE,
    )
    offset = _huber((out["lane_offset"] - labels["lane_offset"]) / OFFSET_SCALE)
    heading = _huber((out["heading_error"] - labels["heading_error"]) / HEADING_SCALE)
    return path + 0.3 * curvature + 0.5 * offset + 0.5 * heading


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
