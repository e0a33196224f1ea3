"""What the network's output tensors mean."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike

from edge_pilot.card import ModelCard
from edge_pilot.types import EgoState, Floats, Path, Prediction, Tensor

OUTPUTS = (
    "path",  # (B, N) m, lateral offset at card.path_distances_m along the path
    "path_log_variance",  # (B, N) log m^2
    "curvature",  # (B, 1) 1/m, of the lane where the car is
    "curvature_log_variance",  # (B, 1)
    "lane_offset",  # (B, 1) m, of the car from the lane's centre, positive left
    "heading_error",  # (B, 1) rad, of the car against the lane, positive left
)


def encode_state(ego: EgoState, card: ModelCard) -> Tensor:
    """Give the state vector (1, S) that the card asks for."""
    values = [getattr(ego, name) for name in card.state]
    return (np.array([values], np.float64) / card.state_scale).astype(np.float32)


def decode(outputs: Mapping[str, Tensor], card: ModelCard, stamp_ns: int) -> Prediction:
    """Turn the outputs for one frame, each (1, ...), into a prediction."""
    lane_offset = float(outputs["lane_offset"][0, 0])
    heading_error = float(outputs["heading_error"][0, 0])
    lateral = np.concatenate([[-lane_offset * np.cos(heading_error)], outputs["path"][0]])
    points = points_along(lateral, (0.0, *card.path_distances_m))
    points[:, 0] -= lane_offset * np.sin(heading_error)
    return Prediction(
        stamp_ns=stamp_ns,
        path=Path(stamp_ns, points),
        path_std_m=np.exp(0.5 * outputs["path_log_variance"][0].astype(np.float64)),
        curvature_1pm=float(outputs["curvature"][0, 0]),
        curvature_std_1pm=float(np.exp(0.5 * outputs["curvature_log_variance"][0, 0])),
        lane_offset_m=lane_offset,
        heading_error_rad=heading_error,
    )


def points_along(lateral_m: ArrayLike, distances_m: ArrayLike) -> Floats:
    """Give the points (N, 2) of a path from lateral offsets at distances along it.

    Between two stations the path is taken as straight, so that x follows from y by Pythagoras.
    """
    y = np.asarray(lateral_m, np.float64)
    ds, dy = np.diff(np.asarray(distances_m, np.float64)), np.diff(y)
    dx = np.sqrt(np.maximum(ds**2 - dy**2, 0.0))
    return np.column_stack([np.concatenate([[0.0], np.cumsum(dx)]), y])
