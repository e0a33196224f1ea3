"""The small network of `edge_pilot bench`: always the same, whatever the shipped one becomes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

from edge_pilot import card
from edge_pilot.card import ModelCard, ModelFile
from edge_pilot.learning.export import export

WIDTH_PX, HEIGHT_PX = 200, 66
# Channels, kernel and stride of PilotNet (Bojarski et al., 2016, figure 4), then its full layers.
CONVOLUTIONS = ((24, 5, 2), (36, 5, 2), (48, 5, 2), (64, 3, 1), (64, 3, 1))
FULL = (100, 50)


class SmallNet(nn.Module):
    """PilotNet with random weights: only how long it takes matters."""

    def __init__(self, own: ModelCard) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = 3
        for channels, kernel, stride in CONVOLUTIONS:
            layers += [nn.Conv2d(before, channels, kernel, stride), nn.ReLU()]
            before = channels
        layers.append(nn.Flatten())
        for size in FULL:
            layers += [nn.LazyLinear(size), nn.ReLU()]
        self.eye = nn.Sequential(*layers)
        self.count = len(own.path_distances_m)
        self.head = nn.Linear(FULL[-1] + len(own.state), 2 * self.count + 4)

    def forward(self, image: Tensor, state: Tensor) -> tuple[Tensor, ...]:
        """Give the tensors of `perception.heads.OUTPUTS`, all small."""
        raw = 0.01 * self.head(torch.cat([self.eye(image), state], 1))
        return raw.split([self.count, self.count, 1, 1, 1, 1], 1)  # type: ignore[no-any-return]


def make(folder: Path, like: ModelFile) -> ModelFile:
    """Write the network and a card after `like`."""
    spec = replace(like.card.input, width_px=WIDTH_PX, height_px=HEIGHT_PX)
    small = replace(like.card, name="small", kinds=(), input=spec)
    torch.manual_seed(0)
    net = SmallNet(small)
    net(torch.zeros(1, 3, HEIGHT_PX, WIDTH_PX), torch.zeros(1, len(small.state)))  # sizes it
    return card.load(export(net, small, folder / "small.onnx", {}).path)
