"""ONNX Runtime: on the CPU always, the reference for others; on a GPU where its build has one."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import onnxruntime as ort

from edge_pilot.card import ModelFile
from edge_pilot.errors import EngineError, ModelError
from edge_pilot.inference import golden
from edge_pilot.inference.backend import Loaded, Settings, input_shapes
from edge_pilot.perception.heads import output_shapes, outputs_of
from edge_pilot.types import Tensor

CPU, CUDA, TENSORRT = "CPU", "CUDA", "Tensorrt"
FASTER = (TENSORRT, CUDA)  # than the CPU, the fastest first


class OnnxBackend:
    """Runs a model in this process."""

    def __init__(
        self,
        model: ModelFile,
        threads: int = 1,
        provider: str = CPU,
        provider_options: Mapping[str, str] | None = None,
    ) -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        # A spinning pool takes the cores away from the other nodes between two frames.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3
        name = f"{provider}ExecutionProvider"
        providers: list[Any] = [(name, dict(provider_options or {}))]
        try:
            self._session = ort.InferenceSession(model.onnx, options, providers=providers)
        except Exception as error:  # noqa: BLE001  the runtime's exceptions share no root
            reason = str(error).splitlines()[0]
            raise ModelError(f"expected an ONNX model in {model.path}, got: {reason}") from None
        if name not in self._session.get_providers():  # it falls back without a word
            raise EngineError(f"expected {name}, got {self._session.get_providers()[0]} instead")
        self._outputs = outputs_of(model.card)
        _check_inputs(self._session, model)
        _check_outputs(self._session, model)
        self._binding = self._session.io_binding()
        for output in self._outputs:
            self._binding.bind_output(output, "cpu")

    def run(self, image: Tensor, state: Tensor) -> Mapping[str, Tensor]:
        """Compute every output, by name."""
        self._binding.bind_cpu_input("image", image)
        self._binding.bind_cpu_input("state", state)
        self._session.run_with_iobinding(self._binding)
        return dict(zip(self._outputs, self._binding.copy_outputs_to_cpu(), strict=True))


def load(model: ModelFile, settings: Settings) -> Loaded:
    """Load a model on the fastest device that this build of ONNX Runtime can use.

    What is not the CPU has to give the CPU's answers on the golden frames.

    Raises:
        ModelError: the file is no model, or its inputs and outputs are not those of its card.
    """
    reference = OnnxBackend(model, settings.threads)
    available, reasons = ort.get_available_providers(), []
    for provider in FASTER:
        try:
            if f"{provider}ExecutionProvider" not in available:
                raise EngineError("this onnxruntime was built without it")
            options = _options(provider, model, settings.cache)
            backend = OnnxBackend(model, settings.threads, provider, options)
            golden.check(backend, reference, model.card)
        except (EngineError, ModelError) as error:
            reasons.append(f"not on {provider}: {error}")
        else:
            return Loaded(backend, _describe(f"onnx on {provider}", reasons))
    return Loaded(reference, _describe("onnx on the CPU", reasons))


def _describe(engine: str, reasons: Sequence[str]) -> str:
    return f"{engine} ({'; '.join(reasons)})" if reasons else engine


def _options(provider: str, model: ModelFile, cache: Path) -> dict[str, str]:
    """Give a provider's options; its own cache of engines does not know weights, a folder does.

    See microsoft/onnxruntime#6455.
    """
    if provider != TENSORRT:
        return {}
    digest = hashlib.sha256(model.onnx + ort.__version__.encode()).hexdigest()[:32]
    folder = cache / f"onnxruntime-{digest}"
    folder.mkdir(parents=True, exist_ok=True)
    return {
        "trt_engine_cache_enable": "1",
        "trt_engine_cache_path": str(folder),
        "trt_fp16_enable": str(int(model.card.precision == "fp16")),
        "trt_int8_enable": str(int(model.card.precision == "int8")),
    }


def _check_inputs(session: ort.InferenceSession, model: ModelFile) -> None:
    got = {item.name: tuple(item.shape) for item in session.get_inputs()}
    wanted = input_shapes(model.card)
    if got.keys() != wanted.keys() or not _fit(got, wanted):
        raise ModelError(f"expected inputs {wanted} in {model.path}, got {got}")


def _check_outputs(session: ort.InferenceSession, model: ModelFile) -> None:
    got = {item.name: tuple(item.shape) for item in session.get_outputs()}
    wanted = output_shapes(model.card)
    if missing := [name for name in wanted if name not in got]:
        raise ModelError(
            f"expected outputs {', '.join(wanted)} in {model.path}, "
            f"got {', '.join(sorted(got))} without {', '.join(missing)}"
        )
    if not _fit(got, wanted):
        raise ModelError(f"expected outputs {wanted} in {model.path}, got {got}")


def _fit(got: Mapping[str, tuple[object, ...]], wanted: Mapping[str, tuple[int, ...]]) -> bool:
    """Compare shapes; a symbolic dimension fits any number."""
    return all(
        len(got[name]) == len(shape)
        and all(not isinstance(g, int) or g == w for g, w in zip(got[name], shape, strict=True))
        for name, shape in wanted.items()
    )


def fixed(model: ModelFile) -> bytes:
    """Give the model for one frame, with all folded that does not depend on its inputs.

    What is left are plain operators of ONNX.

    Raises:
        ModelError: the file is no model.
    """
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.add_free_dimension_override_by_name("batch", 1)
    options.log_severity_level = 3
    with TemporaryDirectory(prefix="edge_pilot_") as folder:
        path = Path(folder) / "fixed.onnx"
        options.optimized_model_filepath = str(path)
        try:
            ort.InferenceSession(model.onnx, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # noqa: BLE001  the runtime's exceptions share no root
            reason = str(error).splitlines()[0]
            raise ModelError(f"expected an ONNX model in {model.path}, got: {reason}") from None
        return path.read_bytes()
