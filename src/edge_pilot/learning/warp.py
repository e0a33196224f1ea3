"""The road as it would look from a little beside where the car drove, with the path for it.

A picture moved sideways is what a turned camera would see; sheared below the horizon, what a
camera beside it would see. The path stays where it is on the road, so that it leads back.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from edge_pilot.card import ModelCard
from edge_pilot.learning.train import Labels

SHARE = 0.6  # of the samples that are warped
TURN_STD_RAD = 0.035
OFFSET_STD = 0.1  # of the camera's height: sideways
SIDED = ("yaw_rate_radps", "y_m", "heading_rad")  # of a state


@dataclass(frozen=True)
class RoadWarp:
    """Changes pictures, state and labels as `learning.train.Warp` says."""

    card: ModelCard
    mirrored: bool = True  # half of the samples

    def __call__(
        self, image: Tensor, state: Tensor, labels: Labels, generator: torch.Generator
    ) -> tuple[Tensor, Tensor, Labels]:
        """Warp one batch."""
        count = len(image)
        chosen = (torch.rand(count, generator=generator) < SHARE).float()
        turn = chosen * TURN_STD_RAD * torch.randn(count, generator=generator)
        height = self.card.camera_height_m
        aside = chosen * OFFSET_STD * height * torch.randn(count, generator=generator)
        image = self._seen(image, turn, aside / height)
        labels = self._corrected(labels, turn, aside)
        if self.mirrored:
            flip = torch.rand(count, generator=generator) < 0.5
            image = torch.where(flip[:, None, None, None], image.flip(3), image)
            state = torch.where(flip[:, None], state * self._sides(), state)
            labels = {name: _mirrored(name, value, flip) for name, value in labels.items()}
        return image, state, labels

    def _sides(self) -> Tensor:
        """Give -1 for each number of the state that changes its side in a mirror, else 1."""
        return torch.tensor([-1.0 if name in SIDED else 1.0 for name in self.card.state])

    def _seen(self, image: Tensor, turn: Tensor, aside: Tensor) -> Tensor:
        """Move each row of the pictures: all by the turn, and by the offset the lower ones."""
        spec = self.card.input
        own = spec.camera
        across = 2.0 / own.width_px  # of grid_sample, whose picture goes from -1 to 1
        horizon = own.cy_px - own.fy_px * np.tan(self.card.camera_pitch_rad)
        rows = torch.linspace(spec.crop_top_px, spec.crop_bottom_px, image.shape[2])
        below = (rows - float(horizon)).clamp(min=0.0) * (own.fx_px / own.fy_px)  # px of a height
        move = -turn[:, None] * own.fx_px - aside[:, None] * below  # (B, h) px, to the right
        x = torch.linspace(-1.0, 1.0, image.shape[3])
        y = torch.linspace(-1.0, 1.0, image.shape[2])
        grid_x = x[None, None, :] + (across * move)[:, :, None]
        grid = torch.stack([grid_x, y[None, :, None].expand_as(grid_x)], 3)
        seen = nn.functional.grid_sample(image, grid, padding_mode="border", align_corners=True)
        return seen.contiguous(memory_format=torch.channels_last)

    def _corrected(self, labels: Labels, turn: Tensor, aside: Tensor) -> Labels:
        """Say where the road is as seen by a car that is turned and aside, positive left."""
        distances = torch.tensor(self.card.path_distances_m)
        new = dict(labels)
        new["path"] = labels["path"] - aside[:, None] - turn[:, None] * distances
        new["lane_offset"] = labels["lane_offset"] + aside[:, None]
        new["heading_error"] = labels["heading_error"] + turn[:, None]
        return new


def _mirrored(name: str, value: Tensor, flip: Tensor) -> Tensor:
    """Change the side of a label; boxes, which logs do not have, are left as they are."""
    if name == "boxes":
        return value
    return torch.where(flip[:, None], -value, value)
