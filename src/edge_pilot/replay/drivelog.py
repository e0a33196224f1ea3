"""What was seen of one drive: the input of the report and of the video."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from edge_pilot.types import Command, Floats, Obstacle, Path


@dataclass(frozen=True, slots=True, eq=False)
class FrameLog:
    """One picture and what the car made of it; what did not arrive is None."""

    stamp_ns: int
    jpeg: bytes = field(repr=False)
    path: Path | None
    prediction: Mapping[str, float]  # named scalars of pilot/prediction
    command: Command | None  # what the vehicle was told then
    obstacles: tuple[Obstacle, ...] = ()  # boxes in pixels of the picture


@dataclass(frozen=True, slots=True, eq=False)
class DriveLog:
    """One drive. Time is in seconds since its first row."""

    seed: int
    light: str
    model: str  # name and digest
    truth: Mapping[str, Floats]  # (N,) each: time_s x_m y_m heading_rad speed_mps steering_rad
    # lateral_m heading_error_rad curvature_1pm off_lane collided
    road_m: Floats  # (M, 2) the lane's centre
    lane_width_m: float
    latency_ms: Floats  # (K,) image stamp to decision, wall time
    stages_ms: Mapping[str, Floats]  # parts of it, by name
    frames: Sequence[FrameLog]
    counts: Mapping[str, int]  # frames published, received, lost, superseded, refused ...
    states: Sequence[tuple[float, str, str]]  # time_s, state of the safety process, its sentence
