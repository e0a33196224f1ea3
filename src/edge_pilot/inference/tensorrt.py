"""TensorRT 10 and 11, without any other runtime between.

Precision is a matter of the ONNX file (a mixed-precision one for FP16, one with quantise and
dequantise nodes for INT8), since TensorRT 11 has no other way; `edge_pilot quantise` makes both.
Shapes are fixed to one frame.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from edge_pilot.card import ModelCard, ModelFile
from edge_pilot.errors import EngineError
from edge_pilot.inference import engine_cache, onnx
from edge_pilot.inference.backend import Loaded, Settings, input_shapes
from edge_pilot.inference.cuda import Device
from edge_pilot.perception.heads import output_shapes
from edge_pilot.types import Tensor

if TYPE_CHECKING:
    import tensorrt as trt
else:
    try:
        import tensorrt as trt
    except ImportError:
        trt = None

WORKSPACE_BYTES = 1 << 30
Say = Callable[[str], None]


class TensorrtBackend:
    """Runs an engine on the device, with memory that was allocated once."""

    def __init__(self, engine: trt.ICudaEngine, card: ModelCard, device: Device) -> None:
        """Allocate and bind.

        Raises:
            EngineError: the engine's inputs and outputs are not those of the card.
        """
        shapes = {**input_shapes(card), **output_shapes(card)}
        names = [engine.get_tensor_name(i) for i in range(engine.num_io_tensors)]
        got = {name: _numbers(engine.get_tensor_shape(name)) for name in names}
        if got.keys() != shapes.keys() or not all(_fits(got[name], shapes[name]) for name in got):
            raise EngineError(f"expected an engine with {shapes}, got {got}")
        self._device, self._engine = device, engine
        self._context = engine.create_execution_context()
        for name, shape in input_shapes(card).items():
            self._context.set_input_shape(name, shape)
        self._twins = {name: device.twin(shape) for name, shape in shapes.items()}
        for name, twin in self._twins.items():
            self._context.set_tensor_address(name, twin.device)
        self._outputs = tuple(output_shapes(card))

    def run(self, image: Tensor, state: Tensor) -> Mapping[str, Tensor]:
        """Compute every output, by name."""
        device = self._device
        for name, value in (("image", image), ("state", state)):
            self._twins[name].host[...] = value
            device.upload(self._twins[name])
        if not self._context.execute_async_v3(device.stream):
            raise EngineError("expected TensorRT to run its engine, got a failure")
        for name in self._outputs:
            device.download(self._twins[name])
        device.wait()
        return {name: self._twins[name].host.copy() for name in self._outputs}


class TensorrtRuntime:
    """Builds engines and loads them: an `engine_cache.Runtime`."""

    def __init__(self) -> None:
        """Find TensorRT and the device.

        Raises:
            EngineError: either is missing.
        """
        if not hasattr(trt, "Builder"):
            raise EngineError("expected the package tensorrt, got none")
        self._device = Device()
        self._logger = trt.Logger(trt.Logger.WARNING)

    def traits(self) -> Mapping[str, str]:
        """Give all that an engine depends on beside its model."""
        return {
            "runtime": "tensorrt",
            "version": str(trt.__version__),
            "device": self._device.name,
            "cuda": self._device.version,
            "options": f"strongly typed, no TF32, {WORKSPACE_BYTES} bytes",
        }

    def build(self, model: ModelFile, say: Say) -> bytes:
        """Build an engine; `say` hears how far it is."""
        builder = trt.Builder(self._logger)
        network = builder.create_network(_flags())
        parser = trt.OnnxParser(network, self._logger)
        if not parser.parse(onnx.fixed(model)):
            reasons = "; ".join(str(parser.get_error(i)) for i in range(parser.num_errors))
            raise EngineError(f"expected a model that TensorRT reads in {model.path}, "
                              f"got: {reasons}")  # fmt: skip
        config = builder.create_builder_config()
        config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, WORKSPACE_BYTES)
        # With it a product has ten bits, and no answer could be compared closely.
        config.clear_flag(trt.BuilderFlag.TF32)
        profile = builder.create_optimization_profile()
        for name, shape in input_shapes(model.card).items():
            dims = trt.Dims(list(shape))
            profile.set_shape(name, dims, dims, dims)
        config.add_optimization_profile(profile)
        config.progress_monitor = _progress(say)
        engine = builder.build_serialized_network(network, config)
        if engine is None:
            raise EngineError(f"expected TensorRT to build {model.path}, got no engine")
        return bytes(memoryview(engine))

    def load(self, engine: bytes, card: ModelCard) -> TensorrtBackend:
        """Make an engine ready."""
        runtime = trt.Runtime(self._logger)
        loaded = runtime.deserialize_cuda_engine(engine)
        if loaded is None:
            raise EngineError("expected an engine of this TensorRT and device, got another")
        return TensorrtBackend(loaded, card, self._device)


def load(model: ModelFile, settings: Settings) -> Loaded:
    """Load a model from the cache of engines, or build it.

    Raises:
        EngineError: TensorRT or a device is missing, or the engine gives other answers than the
            CPU.
        ModelError: the file is no model.
    """
    runtime = TensorrtRuntime()
    reference = onnx.OnnxBackend(model, settings.threads)
    backend = engine_cache.arm(model, runtime, reference, settings.cache, settings.say)
    traits = runtime.traits()
    return Loaded(backend, f"tensorrt {traits['version']} on {traits['device']}")


def _fits(got: tuple[int, ...], wanted: tuple[int, ...]) -> bool:
    """Compare shapes; -1 is a dimension that the profile fixes."""
    return len(got) == len(wanted) and all(g in (-1, w) for g, w in zip(got, wanted, strict=True))


def _numbers(dims: trt.Dims) -> tuple[int, ...]:
    return tuple(int(dims[i]) for i in range(len(dims)))


def _flags() -> int:
    """Ask for types as the ONNX file has them; TensorRT 11 knows nothing else."""
    strong = getattr(trt.NetworkDefinitionCreationFlag, "STRONGLY_TYPED", None)
    return 0 if strong is None else 1 << int(strong)


def _progress(say: Say) -> trt.IProgressMonitor:
    """Give a monitor that says each tenth of a phase."""

    class Progress(trt.IProgressMonitor):
        def __init__(self) -> None:
            super().__init__()
            self._steps: dict[str, int] = {}

        def phase_start(self, phase_name: str, parent_phase: str, num_steps: int) -> None:
            self._steps[phase_name] = num_steps

        def phase_finish(self, phase_name: str) -> None:
            self._steps.pop(phase_name, None)

        def step_complete(self, phase_name: str, step: int) -> bool:
            steps = self._steps.get(phase_name, 1)
            if step % max(1, steps // 10) == 0:
                say(f"tensorrt: {phase_name}, {step} of {steps}")
            return True

    return Progress()
