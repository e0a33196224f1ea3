"""What the network's output tensors mean."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np

from edge_pilot.card import ModelCard
from edge_pilot.perception.boxes import find
from edge_pilot.perception.novelty import novelty
from edge_pilot.types import EgoState, Floats, Path, Prediction, Tensor

OUTPUTS = (
    "path",  # (B, N) m, lateral offset at card.path_distances_m along the path
    "path_log_variance",  # (B, N) log m^2
    "curvature",  # (B, 1) 1/m, of the lane where the car is
    "curvature_log_variance",  # (B, 1)
    "lane_offset",  # (B, 1) m, of the car from the lane's centre, positive left
    "heading_error",  # (B, 1) rad, of the car against the lane, positive left
)
# Of a network that finds obstacles, for each cell of a grid of `STRIDE` pixels:
OBSTACLE_OUTPUTS = (
    "obstacle_heat",  # (B, K, h, w) 0 to 1, that the middle of a box of card.kinds[k] is here
    # (B, 7, h, w): from the cell to that middle x, y; width, height [px]. Of the side that faces
    # the car: how far ahead of the camera, how far left of the ray through the box's middle,
    # how wide [m]. The box of a car that is seen aslant has its middle beside that side's.
    "obstacle_box",
)
BOX_CHANNELS = 7
EMBEDDING = "embedding"  # (B, E) of a network whose card says which embeddings are usual
STRIDE = 4  # pixels of the network's input


def outputs_of(card: ModelCard) -> tuple[str, ...]:
    """Name the tensors that the network of a card gives."""
    return (
        *OUTPUTS,
        *(OBSTACLE_OUTPUTS if card.kinds else ()),
        *((EMBEDDING,) if card.novelty else ()),
    )


def output_shapes(card: ModelCard) -> dict[str, tuple[int, ...]]:
    """Give the shape of each tensor for one frame."""
    count, spec = len(card.path_distances_m), card.input
    shapes: dict[str, tuple[int, ...]] = dict.fromkeys(OUTPUTS, (1, 1))
    shapes["path"] = shapes["path_log_variance"] = (1, count)
    if card.kinds:
        grid = (spec.height_px // STRIDE, spec.width_px // STRIDE)
        shapes["obstacle_heat"] = (1, len(card.kinds), *grid)
        shapes["obstacle_box"] = (1, BOX_CHANNELS, *grid)
    if card.novelty:
        shapes[EMBEDDING] = (1, len(card.novelty.mean))
    return shapes


def encode_state(ego: EgoState, card: ModelCard) -> Tensor:
    """Give the state vector (1, S) that the card asks for."""
    values = [getattr(ego, name) for name in card.state]
    return (np.array([values], np.float64) / card.state_scale).astype(np.float32)


def decode(
    outputs: Mapping[str, Tensor], card: ModelCard, stamp_ns: int, forward_m: float = 0.0
) -> Prediction:
    """Turn the outputs for one frame, each (1, ...), into a prediction.

    `forward_m` is where the camera sits in front of `base_link`.
    """
    lane_offset = float(outputs["lane_offset"][0, 0])
    heading_error = float(outputs["heading_error"][0, 0])
    lateral = [float(-lane_offset * np.cos(heading_error)), *outputs["path"][0].tolist()]
    points = points_along(lateral, (0.0, *card.path_distances_m))
    points[:, 0] -= lane_offset * np.sin(heading_error)
    found = (
        find(outputs["obstacle_heat"][0], outputs["obstacle_box"][0], card, forward_m)
        if card.kinds
        else ()
    )
    return Prediction(
        stamp_ns=stamp_ns,
        path=Path(stamp_ns, points),
        path_std_m=np.exp(0.5 * outputs["path_log_variance"][0].astype(np.float64)),
        curvature_1pm=float(outputs["curvature"][0, 0]),
        curvature_std_1pm=float(np.exp(0.5 * outputs["curvature_log_variance"][0, 0])),
        lane_offset_m=lane_offset,
        heading_error_rad=heading_error,
        detections=found,
        novelty=novelty(outputs[EMBEDDING][0], card.novelty) if card.novelty else 0.0,
    )


def points_along(lateral_m: Sequence[float], distances_m: Sequence[float]) -> Floats:
    """Give the points (N, 2) of a path from lateral offsets at distances along it.

    Between two stations the path is taken as straight, so that x follows from y by Pythagoras.
    """
    x, points = 0.0, [(0.0, lateral_m[0])]
    for (s0, s1), (y0, y1) in zip(pairwise(distances_m), pairwise(lateral_m), strict=True):
        x += math.sqrt(max((s1 - s0) ** 2 - (y1 - y0) ** 2, 0.0))  # NaN stays NaN
        points.append((x, y1))
    return np.array(points, np.float64)
