"""The same network with fewer bits: FP16 by casts, INT8 by quantise and dequantise nodes.

Both are plain ONNX, which ONNX Runtime computes on a CPU and TensorRT on a GPU. Inputs and outputs
stay FP32.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from edge_pilot.card import ModelFile
from edge_pilot.inference import onnx
from edge_pilot.types import Tensor

Sample = tuple[Tensor, Tensor]  # image (1, 3, H, W) and state (1, S), as an engine takes them


def to_fp16(model: ModelFile) -> bytes:
    """Give the ONNX file of a model that computes in FP16."""
    import onnx as files
    from onnxruntime.transformers.float16 import convert_float_to_float16

    graph = files.load_model_from_string(onnx.fixed(model))
    halved = convert_float_to_float16(graph, keep_io_types=True)
    return bytes(halved.SerializeToString())


def to_int8(model: ModelFile, samples: Sequence[Sample], *, is_symmetric: bool) -> bytes:
    """Give the ONNX file of a model whose convolutions compute in INT8.

    Args:
        model: in FP32.
        samples: what it is calibrated with: as the network meets it on the road.
        is_symmetric: around zero, since TensorRT knows no other way; on a CPU the other one is
            faster and closer.
    """
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static

    with TemporaryDirectory(prefix="edge_pilot_") as folder:
        exact, quantised = Path(folder) / "exact.onnx", Path(folder) / "quantised.onnx"
        exact.write_bytes(onnx.fixed(model))
        quantize_static(
            exact,
            quantised,
            _Samples(samples),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=["Conv"],
            per_channel=True,
            activation_type=QuantType.QInt8 if is_symmetric else QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.MinMax,
            extra_options={"ActivationSymmetric": is_symmetric},
        )
        return quantised.read_bytes()


class _Samples:
    """Samples as ONNX Runtime's calibration reads them."""

    def __init__(self, samples: Sequence[Sample]) -> None:
        self._left: Iterator[Sample] = iter(samples)

    def get_next(self) -> dict[str, Any] | None:
        """Give the next one, None at the end."""
        sample = next(self._left, None)
        return sample and {"image": sample[0], "state": sample[1]}
