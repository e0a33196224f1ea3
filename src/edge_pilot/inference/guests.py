"""Engines for guests: one picture's tensor in, all outputs out, whatever they are called."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

import cv2
import numpy as np
import onnxruntime as ort

from edge_pilot.errors import EngineError, ModelError
from edge_pilot.guest_card import GuestFile
from edge_pilot.perception.detectors import decode
from edge_pilot.perception.fitting import fit
from edge_pilot.perception.found import Found
from edge_pilot.types import NANOSECONDS, Frame, Image, Tensor

REFERENCE = "onnx"
KINDS = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(uint8)": np.uint8}


class GuestEngine(Protocol):
    """A loaded guest."""

    def run(self, tensor: Tensor) -> Mapping[str, Tensor]:
        """Compute every output, by name, in the model's order."""
        ...


class OnnxGuest:
    """A guest on ONNX Runtime."""

    def __init__(self, file: GuestFile, threads: int = 1, provider: str = "CPU") -> None:
        """Load it.

        Raises:
            EngineError: this build lacks the provider.
            ModelError: it is no model, or its input is not that of the card.
        """
        name = f"{provider}ExecutionProvider"
        if name not in ort.get_available_providers():
            raise EngineError(f"expected {name}, got an onnxruntime that was built without it")
        options = ort.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3
        try:
            self._session = ort.InferenceSession(file.onnx, options, providers=[name])
        except Exception as error:  # noqa: BLE001  the runtime's exceptions share no root
            reason = str(error).splitlines()[0]
            raise ModelError(f"expected an ONNX model in {file.path}, got: {reason}") from None
        if name not in self._session.get_providers():
            raise EngineError(f"expected {name}, got {self._session.get_providers()[0]} instead")
        inputs = self._session.get_inputs()
        self.inputs = {item.name: tuple(item.shape) for item in inputs}
        self.outputs = {item.name: tuple(item.shape) for item in self._session.get_outputs()}
        _check_input(file, self.inputs, [item.type for item in inputs])
        self._input, self._kind = inputs[0].name, KINDS[inputs[0].type]
        self._where = file.path

    def run(self, tensor: Tensor) -> Mapping[str, Tensor]:
        """Compute every output, by name, in the model's order."""
        try:
            values = self._session.run(None, {self._input: tensor.astype(self._kind, copy=False)})
        except Exception as error:  # noqa: BLE001  the runtime's exceptions share no root
            reason = str(error).splitlines()[0]
            raise ModelError(f"expected {self._where} to compute, got: {reason:.200}") from None
        return dict(zip(self.outputs, values, strict=True))


class OpenCvGuest:
    """A guest on OpenCV's own network code: other arithmetic, to compare with."""

    def __init__(self, file: GuestFile, threads: int = 1) -> None:
        """Load it.

        Raises:
            EngineError: OpenCV cannot read it.
        """
        try:
            self._net = cv2.dnn.readNetFromONNX(np.frombuffer(file.onnx, np.uint8))
            self._outputs = list(self._net.getUnconnectedOutLayersNames())
        except cv2.error as error:
            raise EngineError(f"OpenCV cannot read it: {_first_line(error)}") from None

    def run(self, tensor: Tensor) -> Mapping[str, Tensor]:
        """Compute every output, by name, in OpenCV's order."""
        try:
            self._net.setInput(tensor)
            values = self._net.forward(self._outputs)
        except cv2.error as error:
            raise EngineError(f"OpenCV cannot compute it: {_first_line(error)}") from None
        return dict(zip(self._outputs, (np.asarray(v) for v in values), strict=True))


ENGINES: dict[str, Callable[[GuestFile, int], GuestEngine]] = {  # the reference first
    REFERENCE: OnnxGuest,
    "onnx-cuda": lambda file, threads: OnnxGuest(file, threads, "CUDA"),
    "onnx-tensorrt": lambda file, threads: OnnxGuest(file, threads, "Tensorrt"),
    "opencv": OpenCvGuest,
}


class Guest:
    """A model beside the driving one, at its own rate."""

    def __init__(self, file: GuestFile, engine: GuestEngine) -> None:
        self.file, self._engine = file, engine
        self._last_ns: int | None = None

    def is_due(self, stamp_ns: int) -> bool:
        """Tell whether its rate lets it look at a picture of that stamp, which then counts."""
        rate_hz = self.file.card.rate_hz
        # A tenth of a period early is in time: pictures do not come like clockwork.
        wait_ns = 0.9 * NANOSECONDS / rate_hz if rate_hz > 0.0 else 0.0
        if self._last_ns is not None and 0 <= stamp_ns - self._last_ns < wait_ns:
            return False
        self._last_ns = stamp_ns
        return True

    def look(self, image: Image) -> Found:
        """Say what it finds in a picture (H, W, 3) RGB.

        Raises:
            ModelError: its outputs have another form than its card says.
        """
        tensor, place = fit(image, self.file.card.input)
        return decode(self._engine.run(tensor), self.file.card, place)

    def watch(self, frame: Frame) -> Found | None:
        """Look where it is due, else None."""
        return self.look(frame.image) if self.is_due(frame.stamp_ns) else None


def load(file: GuestFile, threads: int = 1) -> Guest:
    """Load a guest on the engine that is always there, and let it answer a grey picture.

    Raises:
        ModelError: it is no model, or its input or outputs are not what its card says.
    """
    guest = Guest(file, OnnxGuest(file, threads))
    guest.look(np.full((file.card.input.height_px, file.card.input.width_px, 3), 114, np.uint8))
    return guest


def _check_input(
    file: GuestFile, inputs: Mapping[str, tuple[object, ...]], kinds: list[str]
) -> None:
    if len(inputs) != 1:
        raise ModelError(f"expected one input of {file.path}, the picture, got {dict(inputs)}")
    (name, shape), wanted = next(iter(inputs.items())), file.card.input.shape
    if kinds[0] not in KINDS:
        raise ModelError(f"expected {name} of {file.path} to be of {', '.join(KINDS)}, "
                         f"got {kinds[0]}")  # fmt: skip
    if _fits(shape, wanted):
        return
    spec = file.card.input
    other = (1, *wanted[2:], wanted[1]) if spec.layout == "NCHW" else (1, wanted[3], *wanted[1:3])
    turned = "NHWC" if spec.layout == "NCHW" else "NCHW"
    if _fits(shape, other):
        hint = f": is its layout {turned}?"
    elif _fits(shape, (1, wanted[1], wanted[3], wanted[2])):
        hint = ": are width and height exchanged?"
    else:
        hint = ""
    raise ModelError(
        f"expected the input {wanted} ({spec.layout}) of {file.path} as its card says, got {name} "
        f"{shape}{hint}"
    )


def _fits(shape: tuple[object, ...], wanted: tuple[int, ...]) -> bool:
    """Compare shapes; a symbolic dimension fits any number."""
    return len(shape) == len(wanted) and all(
        not isinstance(got, int) or got == want for got, want in zip(shape, wanted, strict=True)
    )


def _first_line(error: Exception) -> str:
    return next((line for line in str(error).splitlines() if line.strip()), "")[:160]
