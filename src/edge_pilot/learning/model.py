"""The network: a small CNN with several heads.

The trunk and the lane's heads are after PilotNet (Bojarski et al., 2016). The obstacle head goes
back up to a quarter of the resolution, as feature pyramids do (Lin et al., CVPR 2017), and says
for each cell whether the middle of a box is there (CenterNet: Zhou et al., 2019).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from edge_pilot.perception.heads import BOX_CHANNELS

if TYPE_CHECKING:
    from edge_pilot.card import ModelCard

# Multiples of 16, since matrix units of CPUs and GPUs take as many channels at once.
CHANNELS = (32, 48, 48, 96, 96, 128, 96)
STRIDES = (2, 2, 1, 2, 1, 2, 2)
KERNELS = (5, 3, 3, 3, 3, 3, 3)
PYRAMID = (5, 4, 2)  # layers of the trunk that the obstacle head reads: at 1/16, 1/8, 1/4
WIDTH = 48  # channels of the obstacle head
FEATURES = 160
CURVATURE_SCALE = 0.01  # 1/m
OFFSET_SCALE = 0.5  # m
HEADING_SCALE = 0.1  # rad
SIZE_SCALE = 12.0  # pixels of the input
DISTANCE_SCALE = 20.0  # m
MAX_LOG_VARIANCE = 6.0  # in units of the scales; also bounds the confidence below
MAX_LOG_SIZE = 4.0  # of box and distance, in units of their scales
RARE = -4.0  # log odds of a cell to hold a box's middle, before anything is learned


class PilotNet(nn.Module):
    """Image (B, C, H, W) and state (B, S) to the tensors of `perception.heads.outputs_of`."""

    path_scale: Tensor  # (N,) m, the usual size of each offset

    def __init__(self, card: ModelCard, size: float = 1.0) -> None:
        """Make a network for a car that is `size` times as large as the usual one.

        A model car's bends are as much tighter as it is shorter, and its lanes as narrow.
        """
        super().__init__()
        self.size = size
        self.mixed = False  # of the convolutions, while training: faster where the CPU has it
        layers, before = [], card.input.channels
        for channels, stride, kernel in zip(CHANNELS, STRIDES, KERNELS, strict=True):
            layers.append(_convolution(before, channels, stride, kernel))
            before = channels
        self.eye = nn.ModuleList(layers)
        with torch.no_grad():
            empty = torch.zeros(2, card.input.channels, card.input.height_px, card.input.width_px)
            flat = self._look(empty)[-1].flatten(1).shape[1]
        self.features = nn.Sequential(nn.Dropout(0.1), nn.Linear(flat, FEATURES), nn.ReLU())
        self.state = nn.Sequential(nn.Linear(len(card.state), 16), nn.ReLU())
        self.count = len(card.path_distances_m)
        self.heads = nn.Linear(FEATURES + 16, 2 * self.count + 4)
        self.obstacles = _ObstacleHead(len(card.kinds)) if card.kinds else None
        # A bend of radius R leaves the tangent by d^2 / 2R; 0.4 m is the car's own straying.
        distances = torch.tensor(card.path_distances_m) / size
        self.register_buffer("path_scale", size * (0.4 + distances**2 / 200.0))

    def forward(self, image: Tensor, state: Tensor) -> tuple[Tensor, ...]:
        """Give the tensors of `outputs_of` the card, in that order, in SI units and pixels."""
        with torch.autocast("cpu", torch.bfloat16, enabled=self.mixed):
            seen = self._look(image)
            maps = self.obstacles(seen) if self.obstacles is not None else None
        features = self.features(seen[-1].float().flatten(1))
        raw = self.heads(torch.cat([features, self.state(state)], 1))
        path, path_lv, rest = raw.split([self.count, self.count, 4], 1)
        lane = (
            path * self.path_scale,
            _bounded(path_lv) + 2.0 * torch.log(self.path_scale),
            rest[:, 0:1] * (CURVATURE_SCALE / self.size),
            _bounded(rest[:, 1:2]) + 2.0 * math.log(CURVATURE_SCALE / self.size),
            rest[:, 2:3] * (OFFSET_SCALE * self.size),
            rest[:, 3:4] * HEADING_SCALE,
        )
        return lane if maps is None else (*lane, *_boxes(maps.float()))

    def _look(self, image: Tensor) -> list[Tensor]:
        seen = [image]
        for layer in self.eye:
            seen.append(layer(seen[-1]))
        return seen[1:]


class _ObstacleHead(nn.Module):
    """The trunk's layers to raw maps (B, K + 7, h, w) at a quarter of the input's resolution."""

    def __init__(self, kinds: int) -> None:
        super().__init__()
        self.lateral = nn.ModuleList(nn.Conv2d(CHANNELS[i], WIDTH, 1) for i in PYRAMID)
        self.smooth = nn.ModuleList(_convolution(WIDTH, WIDTH) for _ in PYRAMID[1:])
        self.last = _convolution(WIDTH + 1, WIDTH)
        self.out = nn.Conv2d(WIDTH, kinds + BOX_CHANNELS, 1)
        with torch.no_grad():
            self.out.bias[:kinds] = RARE  # type: ignore[index]

    def forward(self, seen: list[Tensor]) -> Tensor:
        value = self.lateral[0](seen[PYRAMID[0]])
        for lateral, smooth, layer in zip(self.lateral[1:], self.smooth, PYRAMID[1:], strict=True):
            larger = nn.functional.interpolate(value, scale_factor=2.0, mode="nearest")
            value = smooth(lateral(seen[layer]) + larger)
        # A convolution does not know where it is; how far the road is depends on the row.
        count, _, height, width = value.shape
        row = torch.linspace(-1.0, 1.0, height).view(1, 1, height, 1)
        value = torch.cat([value, row.expand(count, 1, height, width)], 1)
        return self.out(self.last(value))  # type: ignore[no-any-return]


def _convolution(before: int, channels: int, stride: int = 1, kernel: int = 3) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(before, channels, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(channels),
        nn.ReLU(inplace=True),
    )


def _bounded(log_variance: Tensor) -> Tensor:
    """Keep the network from being certain, or lost, beyond reason."""
    return MAX_LOG_VARIANCE * torch.tanh(log_variance / MAX_LOG_VARIANCE)


def _boxes(maps: Tensor) -> tuple[Tensor, Tensor]:
    """Turn raw maps into the heat map, and into boxes in pixels and metres."""
    kinds = maps.shape[1] - BOX_CHANNELS
    parts = maps.split([kinds, 2, 2, 1, 1, 1], 1)  # type: ignore[no-untyped-call]
    heat, middle, size, ahead, aside, width = parts
    box = torch.cat(
        [
            middle,
            SIZE_SCALE * _grown(size),
            DISTANCE_SCALE * _grown(ahead),
            aside,
            _grown(width),
        ],
        1,
    )
    return torch.sigmoid(heat), box


def _grown(value: Tensor) -> Tensor:
    return torch.exp(value.clamp(-MAX_LOG_SIZE, MAX_LOG_SIZE))
