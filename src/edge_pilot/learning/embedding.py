"""An embedding for novelty as one more output of a trained network, and what is usual of it.

The lane's features are what the network makes of a picture before it says anything. Their
principal components over a calibration, and the length of what these leave over, become the
output `embedding`: a few numbers, computed by the graph itself, so in every engine. The other
outputs are computed by the same nodes from the same weights.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from edge_pilot.card import ModelCard, Novelty
from edge_pilot.errors import ModelError
from edge_pilot.perception.heads import EMBEDDING
from edge_pilot.perception.novelty import novelty
from edge_pilot.types import Floats

COMPONENTS = 16
PREFIX = "embedding/"  # of the names of the nodes that are added
HEADS = "heads.weight"  # the layer whose input holds the features
FAR_MARGIN = 1.15  # beyond the farthest picture of plain drives


def bare(file: bytes) -> onnx.ModelProto:
    """Read a network, without an embedding that it may have.

    Raises:
        ModelError: the file is no model.
    """
    try:
        model = onnx.load_model_from_string(file)
    except Exception as error:  # noqa: BLE001  protobuf's exceptions share no root
        raise ModelError(f"expected an ONNX model, got: {error}") from None
    graph = model.graph
    for items in (graph.node, graph.initializer):
        kept = [item for item in items if not item.name.startswith(PREFIX)]
        del items[:]
        items.extend(kept)
    outputs = [item for item in graph.output if item.name != EMBEDDING]
    del graph.output[:]
    graph.output.extend(outputs)
    return model


def features_of(model: onnx.ModelProto) -> str:
    """Name the tensor (B, F) of the lane's features.

    Raises:
        ModelError: the network is of another kind.
    """
    made_by = {output: node for node in model.graph.node for output in node.output}
    heads = [node for node in model.graph.node if HEADS in node.input]
    joined = made_by.get(heads[0].input[0]) if heads else None
    if joined is None or joined.op_type != "Concat":
        raise ModelError(f"expected a network whose features go into {HEADS}, got none")
    return str(joined.input[0])


def exposed(model: onnx.ModelProto) -> bytes:
    """Give the network with its features as one more output, named as they are."""
    wider = onnx.ModelProto()
    wider.CopyFrom(model)
    info = helper.make_tensor_value_info(features_of(model), TensorProto.FLOAT, ["batch", None])
    wider.graph.output.append(info)
    return bytes(wider.SerializeToString())


def embedded(
    model: onnx.ModelProto, card: ModelCard, features: Floats, plain: Floats
) -> tuple[bytes, ModelCard]:
    """Add the embedding to a network, and what is usual of it to the card.

    Args:
        model: of `bare`.
        card: the network's.
        features: of a calibration (N, F), with all that the network can cope with.
        plain: of drives (M, F) that nobody has made harder: none of these is far.
    """
    middle = features.mean(axis=0)
    axes = np.linalg.svd(features - middle, full_matrices=False)[2][:COMPONENTS].T  # (F, E)
    axes = axes.astype(np.float32).astype(np.float64)
    middle = middle.astype(np.float32).astype(np.float64)
    embeddings = _embed(features, middle, axes)
    usual = Novelty(_rounded(embeddings.mean(axis=0)), _rounded(embeddings.std(axis=0)), 1.0)
    far = FAR_MARGIN * max(novelty(row, usual) for row in _embed(plain, middle, axes))
    usual = replace(usual, far=_rounded(np.array([far]))[0])
    return _extended(model, middle, axes), replace(card, novelty=usual)


def _embed(features: Floats, middle: Floats, axes: Floats) -> Floats:
    away = features - middle
    along = away @ axes
    rest = np.linalg.norm(away - along @ axes.T, axis=1)
    return np.column_stack([along, rest])


def _extended(model: onnx.ModelProto, middle: Floats, axes: Floats) -> bytes:
    wider = onnx.ModelProto()
    wider.CopyFrom(model)
    source = features_of(model)
    names = {
        key: PREFIX + key
        for key in ("middle", "axes", "back", "away", "along", "on", "off", "squares", "sum",
                    "rest", "one")
    }  # fmt: skip
    constants = {"middle": middle, "axes": axes, "back": axes.T}
    wider.graph.initializer.extend(
        numpy_helper.from_array(np.ascontiguousarray(value, np.float32), names[key])
        for key, value in constants.items()
    )
    wider.graph.initializer.append(numpy_helper.from_array(np.array([1], np.int64), names["one"]))

    def node(kind: str, inputs: list[str], output: str, **more: Any) -> onnx.NodeProto:
        return helper.make_node(kind, inputs, [output], PREFIX + kind + output, **more)

    wider.graph.node.extend([
        node("Sub", [source, names["middle"]], names["away"]),
        node("MatMul", [names["away"], names["axes"]], names["along"]),
        node("MatMul", [names["along"], names["back"]], names["on"]),
        node("Sub", [names["away"], names["on"]], names["off"]),
        node("Mul", [names["off"], names["off"]], names["squares"]),
        node("ReduceSum", [names["squares"], names["one"]], names["sum"], keepdims=1),
        node("Sqrt", [names["sum"]], names["rest"]),
        node("Concat", [names["along"], names["rest"]], EMBEDDING, axis=1),
    ])  # fmt: skip
    size = axes.shape[1] + 1
    wider.graph.output.append(
        helper.make_tensor_value_info(EMBEDDING, TensorProto.FLOAT, ["batch", size])
    )
    onnx.checker.check_model(wider)
    return bytes(wider.SerializeToString())


def _rounded(values: Floats) -> tuple[float, ...]:
    return tuple(float(f"{value:.5g}") for value in values)
