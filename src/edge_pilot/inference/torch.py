"""PyTorch as an engine: the operators of an ONNX file, one after the other, on a GPU or the CPU.

For machines whose GPU only PyTorch can use. It knows the operators that our networks have.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from edge_pilot.card import ModelFile
from edge_pilot.errors import EngineError, ModelError
from edge_pilot.inference import golden, onnx
from edge_pilot.inference.backend import Loaded, Settings
from edge_pilot.perception.heads import outputs_of
from edge_pilot.types import Tensor

Attributes: TypeAlias = Mapping[str, Any]
Operator: TypeAlias = Callable[..., Any]  # (torch, attributes, *inputs) -> a tensor, or several


class Step(NamedTuple):
    """One node of the graph."""

    operator: Operator
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Attributes


class TorchBackend:
    """Runs a model in this process."""

    def __init__(self, model: ModelFile, threads: int = 1) -> None:
        """Prepare; on the GPU if there is one.

        Raises:
            EngineError: PyTorch or onnx is not installed.
            ModelError: the model has an operator that is not known here.
        """
        try:
            import torch
            from onnx import load_model_from_string, numpy_helper
        except ImportError as error:
            raise EngineError(f"expected torch and onnx, got: {error}") from None
        self._torch, self._card = torch, model.card
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        torch.set_num_threads(threads)
        graph = load_model_from_string(onnx.fixed(model)).graph
        self._constants = {
            item.name: self._placed(numpy_helper.to_array(item)) for item in graph.initializer
        }
        self._steps = [_step(node, model) for node in graph.node]

    def run(self, image: Tensor, state: Tensor) -> Mapping[str, Tensor]:
        """Compute every output, by name."""
        torch = self._torch
        with torch.inference_mode():
            values = dict(self._constants)
            values.update(image=self._placed(image), state=self._placed(state))
            for step in self._steps:
                inputs = [values.get(name) for name in step.inputs]
                got = step.operator(torch, step.attributes, *inputs)
                several = got if isinstance(got, (tuple, list)) else (got,)
                values.update(zip(step.outputs, several, strict=True))
            return {name: values[name].cpu().numpy() for name in outputs_of(self._card)}

    def _placed(self, array: np.ndarray) -> Any:
        return self._torch.from_numpy(np.array(array)).to(self.device)


def load(model: ModelFile, settings: Settings) -> Loaded:
    """Load a model into PyTorch, and compare it with the CPU on the golden frames.

    Raises:
        EngineError: PyTorch is not installed, or gives other answers.
        ModelError: the model has an operator that is not known here.
    """
    backend = TorchBackend(model, settings.threads)
    golden.check(backend, onnx.OnnxBackend(model, settings.threads), model.card)
    return Loaded(backend, f"torch on {backend.device}")


def _step(node: Any, model: ModelFile) -> Step:
    from onnx import helper

    if node.op_type not in OPERATORS:
        raise ModelError(
            f"expected operators of {', '.join(OPERATORS)} in {model.path}, got {node.op_type}"
        )
    attributes = {item.name: helper.get_attribute_value(item) for item in node.attribute}
    return Step(OPERATORS[node.op_type], tuple(node.input), tuple(node.output), attributes)


def _convolve(torch: Any, given: Attributes, x: Any, weight: Any, bias: Any = None) -> Any:
    top, left, bottom, right = given.get("pads", (0, 0, 0, 0))
    x = torch.nn.functional.pad(x, (left, right, top, bottom))
    return torch.nn.functional.conv2d(
        x, weight, bias, given.get("strides", (1, 1)), 0, given.get("dilations", (1, 1)),
        given.get("group", 1),
    )  # fmt: skip


def _multiply(torch: Any, given: Attributes, x: Any, weight: Any, bias: Any = None) -> Any:
    x = x.T if given.get("transA") else x
    weight = weight.T if given.get("transB") else weight
    product = given.get("alpha", 1.0) * (x @ weight)
    return product if bias is None else product + given.get("beta", 1.0) * bias


def _slice(
    torch: Any, given: Attributes, x: Any, starts: Any, ends: Any, axes: Any, steps: Any = None
) -> Any:
    index: list[slice] = [slice(None)] * x.ndim
    every = [1] * len(axes) if steps is None else steps.tolist()
    for axis, start, end, step in zip(axes.tolist(), starts.tolist(), ends.tolist(), every,
                                      strict=True):  # fmt: skip
        index[axis] = slice(start, end, step)
    return x[tuple(index)]


def _split(torch: Any, given: Attributes, x: Any, sizes: Any) -> Sequence[Any]:
    parts: Sequence[Any] = torch.split(x, sizes.tolist(), given.get("axis", 0))
    return parts


def _enlarge(torch: Any, given: Attributes, x: Any, roi: Any, scales: Any) -> Any:
    return torch.nn.functional.interpolate(x, scale_factor=scales.tolist()[2:], mode="nearest")


OPERATORS: dict[str, Operator] = {
    "Conv": _convolve,
    "Gemm": _multiply,
    "Relu": lambda torch, given, x: torch.relu(x),
    "Sigmoid": lambda torch, given, x: torch.sigmoid(x),
    "Tanh": lambda torch, given, x: torch.tanh(x),
    "Exp": lambda torch, given, x: torch.exp(x),
    "Add": lambda torch, given, x, y: x + y,
    "Mul": lambda torch, given, x, y: x * y,
    "Div": lambda torch, given, x, y: x / y,
    "Clip": lambda torch, given, x, low, high: torch.clamp(x, low, high),
    "Concat": lambda torch, given, *parts: torch.cat(parts, given["axis"]),
    "Flatten": lambda torch, given, x: x.flatten(given.get("axis", 1)),
    "Split": _split,
    "Slice": _slice,
    "Resize": _enlarge,
    "Constant": lambda torch, given: torch.from_numpy(_constant(given)),
}


def _constant(given: Attributes) -> np.ndarray:
    from onnx import numpy_helper

    return np.array(numpy_helper.to_array(given["value"]))
