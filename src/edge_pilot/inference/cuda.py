"""As much of CUDA as an engine needs: a stream, and arrays of which the device has a twin.

The host's side is pinned, so that copies run beside the CPU and nothing is allocated for a frame.
"""

from __future__ import annotations

import ctypes
import math
from collections.abc import Sequence
from importlib import import_module
from typing import Any, NamedTuple

import numpy as np

from edge_pilot.errors import EngineError
from edge_pilot.types import Tensor

MODULES = ("cuda.bindings.runtime", "cuda.cudart")  # of cuda-python since 12.6, and before


class Twin(NamedTuple):
    """An array on both sides."""

    host: Tensor  # pinned
    device: int  # the address there


class Device:
    """The first CUDA device, with one stream. It lives as long as the process."""

    def __init__(self, runtime: Any = None) -> None:
        """Open the device.

        Args:
            runtime: CUDA's runtime as a module; by default that of cuda-python.

        Raises:
            EngineError: there is no device, or cuda-python is not installed.
        """
        self._cuda = runtime or _runtime()
        if not self._call(self._cuda.cudaGetDeviceCount()):
            raise EngineError("expected a CUDA device, got none")
        properties = self._call(self._cuda.cudaGetDeviceProperties(0))
        name = bytes(properties.name).split(b"\0")[0].decode() if isinstance(
            properties.name, bytes) else str(properties.name)  # fmt: skip
        self.name = f"{name}, compute capability {properties.major}.{properties.minor}"
        self.version = str(self._call(self._cuda.cudaRuntimeGetVersion()))
        self.stream = int(self._call(self._cuda.cudaStreamCreate()))

    def twin(self, shape: Sequence[int]) -> Twin:
        """Allocate an array of float32 on both sides."""
        count = math.prod(shape)
        address = int(self._call(self._cuda.cudaMallocHost(4 * count)))
        buffer = (ctypes.c_float * count).from_address(address)
        host = np.ctypeslib.as_array(buffer).reshape(tuple(shape))
        return Twin(host, int(self._call(self._cuda.cudaMalloc(4 * count))))

    def upload(self, twin: Twin) -> None:
        """Copy to the device, in the order of the stream."""
        way = self._cuda.cudaMemcpyKind.cudaMemcpyHostToDevice
        self._copy(twin.device, twin.host.ctypes.data, twin, way)

    def download(self, twin: Twin) -> None:
        """Copy from the device, in the order of the stream."""
        way = self._cuda.cudaMemcpyKind.cudaMemcpyDeviceToHost
        self._copy(twin.host.ctypes.data, twin.device, twin, way)

    def wait(self) -> None:
        """Wait for all that is under way."""
        self._call(self._cuda.cudaStreamSynchronize(self.stream))

    def _copy(self, target: int, source: int, twin: Twin, way: Any) -> None:
        size = twin.host.nbytes
        self._call(self._cuda.cudaMemcpyAsync(target, source, size, way, self.stream))

    def _call(self, answer: tuple[Any, ...]) -> Any:
        """Give what a call gave; each also gives its error."""
        error, *values = answer
        if int(error):
            raise EngineError(f"expected CUDA to work, got {error}")
        return values[0] if values else None


def _runtime() -> Any:
    for name in MODULES:
        try:
            return import_module(name)
        except ImportError:
            continue
    raise EngineError("expected cuda-python, got no module of it")
