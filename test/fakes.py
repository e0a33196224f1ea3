"""Stand-ins for tests: a network of constants, as a real model file with its card."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from edge_pilot import card
from edge_pilot.card import CameraModel, InputSpec, ModelCard

CAMERA = CameraModel(320, 180, 190.0, 190.0, 160.0, 90.0)
DISTANCES_M = tuple(float(distance) for distance in range(5, 50, 5))
CARD = ModelCard(
    name="fake",
    input=InputSpec(
        width_px=80,
        height_px=30,
        camera=CAMERA,
        crop_top_px=60,
        crop_bottom_px=180,
        mean=(0.5, 0.5, 0.5),
        std=(0.25, 0.25, 0.25),
    ),
    state=("speed_mps", "yaw_rate_radps"),
    state_scale=(10.0, 0.2),
    path_distances_m=DISTANCES_M,
    camera_height_m=1.4,
    camera_pitch_rad=0.04,
)


def outputs(
    path_m: Sequence[float] | None = None, curvature_1pm: float = 0.0
) -> dict[str, object]:
    """Give what a network says of one frame: by default a straight lane, the car in its middle."""
    lateral = np.zeros(len(DISTANCES_M)) if path_m is None else np.asarray(path_m)
    values = {
        "path": lateral,
        "path_log_variance": np.full(len(lateral), -4.0),
        "curvature": np.array([curvature_1pm]),
        "curvature_log_variance": np.array([-8.0]),
        "lane_offset": np.zeros(1),
        "heading_error": np.zeros(1),
    }
    return {name: value.astype(np.float32)[None] for name, value in values.items()}


def bend(radius_m: float) -> np.ndarray:
    """Give lateral offsets along a bend to the left, at DISTANCES_M along it."""
    return radius_m * (1.0 - np.cos(np.array(DISTANCES_M) / radius_m))


def write_model(
    folder: Path,
    values: Mapping[str, object] | None = None,
    model_card: ModelCard = CARD,
    image_shape: tuple[int, ...] | None = None,
) -> Path:
    """Write a model that answers the same to every frame, and its card.

    `image_shape` is that of its input where it shall differ from the card's.
    """
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    values = outputs() if values is None else values
    spec = model_card.input
    shapes = {
        "image": image_shape or (1, 3, spec.height_px, spec.width_px),
        "state": (1, len(model_card.state)),
    }
    graph = helper.make_graph(
        [
            helper.make_node("Constant", [], [name], value=numpy_helper.from_array(value))
            for name, value in values.items()
        ],
        "fake",
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
            for name, shape in shapes.items()
        ],
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, value.shape)
            for name, value in values.items()
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    path = folder / "pilot.onnx"
    path.write_bytes(model.SerializeToString())
    onnx.checker.check_model(model)
    path.with_suffix(".yaml").write_text(card.dump(model_card), encoding="utf-8")
    return path
