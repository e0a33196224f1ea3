"""What can be known of TensorRT's engine without a device: memory, bindings and errors."""

import ctypes
from types import SimpleNamespace

import fakes
import numpy as np
import pytest

from edge_pilot import resources
from edge_pilot.card import load
from edge_pilot.errors import EngineError
from edge_pilot.inference import onnx
from edge_pilot.inference.backend import input_shapes
from edge_pilot.inference.cuda import Device
from edge_pilot.inference.tensorrt import TensorrtBackend
from edge_pilot.perception.heads import output_shapes

IMAGE, STATE = np.full((1, 3, 30, 80), 0.5, np.float32), np.ones((1, 2), np.float32)
SHAPES = {**input_shapes(fakes.CARD), **output_shapes(fakes.CARD)}


class Cuda:
    """A CUDA runtime whose device is ordinary memory; each call gives its error first."""

    cudaMemcpyKind = SimpleNamespace(cudaMemcpyHostToDevice=1, cudaMemcpyDeviceToHost=2)

    def __init__(self, devices=1, error=0):
        self.devices, self.error, self.waits, self.kept = devices, error, 0, []

    def _allocate(self, size):
        self.kept.append(ctypes.create_string_buffer(size))
        return self.error, ctypes.addressof(self.kept[-1])

    cudaMalloc = cudaMallocHost = _allocate

    def cudaGetDeviceCount(self):
        return 0, self.devices

    def cudaGetDeviceProperties(self, number):
        return 0, SimpleNamespace(name=b"Stand-in\0\0", major=8, minor=7)

    def cudaRuntimeGetVersion(self):
        return 0, 12060

    def cudaStreamCreate(self):
        return 0, 7

    def cudaMemcpyAsync(self, target, source, size, way, stream):
        ctypes.memmove(target, source, size)
        return (0,)

    def cudaStreamSynchronize(self, stream):
        self.waits += 1
        return (0,)


class Engine:
    """An engine that gives the mean of the image as each output."""

    def __init__(self, shapes=None, works=True):
        self._shapes = list((SHAPES if shapes is None else shapes).items())
        self.num_io_tensors, self.works, self.addresses = len(self._shapes), works, {}

    def get_tensor_name(self, number):
        return self._shapes[number][0]

    def get_tensor_shape(self, name):
        return dict(self._shapes)[name]

    def create_execution_context(self):
        return self

    def set_input_shape(self, name, shape):
        assert shape == SHAPES[name]

    def set_tensor_address(self, name, address):
        self.addresses[name] = address

    def _array(self, name):
        count = int(np.prod(SHAPES[name]))
        return np.ctypeslib.as_array((ctypes.c_float * count).from_address(self.addresses[name]))

    def execute_async_v3(self, stream):
        for name in output_shapes(fakes.CARD):
            self._array(name)[:] = self._array("image").mean() + self._array("state").mean()
        return self.works


def test_a_frame_goes_to_the_device_and_its_answers_come_back():
    cuda = Cuda()
    engine = TensorrtBackend(Engine(), fakes.CARD, Device(cuda))
    answer = engine.run(IMAGE, STATE)
    assert {name: value.shape for name, value in answer.items()} == output_shapes(fakes.CARD)
    assert all((value == 1.5).all() for value in answer.values())
    assert cuda.waits == 1


def test_answers_are_kept_though_the_memory_is_used_again():
    engine = TensorrtBackend(Engine(), fakes.CARD, Device(Cuda()))
    first = engine.run(IMAGE, STATE)["path"]
    engine.run(2.0 * IMAGE, STATE)
    assert (first == 1.5).all()


def test_nothing_is_allocated_for_a_frame():
    cuda = Cuda()
    engine = TensorrtBackend(Engine(), fakes.CARD, Device(cuda))
    before = len(cuda.kept)
    engine.run(IMAGE, STATE)
    assert len(cuda.kept) == before == 2 * len(SHAPES)


def test_an_engine_of_another_shape_is_refused():
    wide = {**SHAPES, "image": (1, 3, 30, 96)}
    with pytest.raises(EngineError, match=r"expected an engine with .*, got .*\(1, 3, 30, 96\)"):
        TensorrtBackend(Engine(wide), fakes.CARD, Device(Cuda()))


def test_an_engine_that_fails_is_an_error():
    engine = TensorrtBackend(Engine(works=False), fakes.CARD, Device(Cuda()))
    with pytest.raises(EngineError, match="got a failure"):
        engine.run(IMAGE, STATE)


def test_a_device_names_itself_for_the_cache():
    device = Device(Cuda())
    assert (device.name, device.version) == ("Stand-in, compute capability 8.7", "12060")


def test_no_device_is_an_error():
    with pytest.raises(EngineError, match="expected a CUDA device, got none"):
        Device(Cuda(devices=0))


def test_cuda_s_own_error_is_one():
    with pytest.raises(EngineError, match="expected CUDA to work, got 2"):
        Device(Cuda(error=2)).twin((1,))


def test_a_dimension_that_the_profile_fixes_fits():
    loose = {**SHAPES, "image": (-1, 3, 30, 80)}
    engine = TensorrtBackend(Engine(loose), fakes.CARD, Device(Cuda()))
    assert (engine.run(IMAGE, STATE)["path"] == 1.5).all()


def test_what_is_given_to_a_builder_has_fixed_shapes():
    files = pytest.importorskip("onnx")
    model = load(resources.model(""))
    graph = files.load_model_from_string(onnx.fixed(model)).graph
    shapes = {
        item.name: tuple(dim.dim_value for dim in item.type.tensor_type.shape.dim)
        for item in graph.input
    }
    assert shapes == input_shapes(model.card)
