"""Engines on a real device: the same answers, how far FP16 and INT8 may be off, and how fast.

make test-gpu
"""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest

from edge_pilot import card, resources
from edge_pilot.errors import EngineError
from edge_pilot.inference import backend, engine_cache, golden, onnx, quantise
from edge_pilot.inference.cuda import Device
from edge_pilot.inference.tensorrt import TensorrtRuntime

pytestmark = pytest.mark.gpu
MODEL = card.load(resources.model(""))
BUDGET_MS = 5.0  # a tenth of the deadline


@pytest.fixture(scope="module", autouse=True)
def device():
    try:
        return Device()
    except EngineError as error:
        pytest.skip(f"no GPU: {error}")


@pytest.fixture(scope="module")
def runtime(device):
    try:
        return TensorrtRuntime()
    except EngineError as error:
        pytest.skip(f"no TensorRT: {error}")


def armed(model, runtime, folder, said=None):
    said = [] if said is None else said
    return engine_cache.arm(model, runtime, backend.load(MODEL), folder, said.append)


def p50_ms(engine):
    image, state = next(golden.frames(MODEL.card))
    taken = []
    for _ in range(220):
        begun = time.perf_counter()
        engine.run(image, state)
        taken.append(time.perf_counter() - begun)
    return 1e3 * float(np.median(taken[20:]))


def test_tensorrt_answers_as_the_cpu_does(runtime, tmp_path):
    engine = armed(MODEL, runtime, tmp_path)
    shares = golden.differences(engine, backend.load(MODEL), MODEL.card)
    assert max(one.rms for one in shares.values()) < golden.TOLERANCES["fp32"].rms


@pytest.mark.parametrize("precision", ["fp16", "int8"])
def test_a_reduced_precision_stays_within_its_tolerance(runtime, tmp_path, precision):
    samples = list(golden.frames(MODEL.card))
    to_int8 = quantise.to_int8(MODEL, samples, is_symmetric=True)
    reduced = to_int8 if precision == "int8" else quantise.to_fp16(MODEL)
    model = replace(MODEL, onnx=reduced, card=replace(MODEL.card, precision=precision))
    engine = armed(model, runtime, tmp_path)
    shares = golden.differences(engine, backend.load(MODEL), MODEL.card)
    assert max(one.rms for one in shares.values()) < golden.TOLERANCES[precision].rms


def test_it_is_fast(runtime, tmp_path):
    assert p50_ms(armed(MODEL, runtime, tmp_path)) < BUDGET_MS


def test_the_second_start_needs_no_building_and_says_nothing(runtime, tmp_path):
    armed(MODEL, runtime, tmp_path)
    said = []
    armed(MODEL, runtime, tmp_path, said)
    assert said == []


def test_an_engine_that_is_none_is_refused_by_tensorrt_itself(runtime):
    with pytest.raises(EngineError, match="expected an engine of this TensorRT"):
        runtime.load(b"no engine", MODEL.card)


def test_progress_is_said_while_it_builds(runtime, tmp_path):
    said = []
    armed(MODEL, runtime, tmp_path, said)
    assert any(line.startswith("tensorrt: ") for line in said)


@pytest.mark.parametrize("provider", onnx.FASTER)
def test_onnx_runtime_on_a_device_answers_as_the_cpu_does(device, provider):
    try:
        engine = onnx.OnnxBackend(MODEL, provider=provider)
    except EngineError as error:
        pytest.skip(str(error))
    golden.check(engine, backend.load(MODEL), MODEL.card)


def test_torch_on_the_device_answers_as_the_cpu_does(device):
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("this PyTorch was built for the CPU")
    engine = backend.choose("torch", MODEL, backend.Settings()).backend
    golden.check(engine, backend.load(MODEL), MODEL.card)


def test_auto_takes_the_device(runtime, tmp_path):
    chosen = backend.choose("auto", MODEL, backend.Settings(cache=tmp_path))
    assert chosen.description.startswith("tensorrt ")
