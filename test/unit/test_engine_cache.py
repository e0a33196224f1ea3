from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import fakes
import numpy as np
import pytest

pytest.importorskip("onnx")

import onnx as onnx_files

from edge_pilot import resources
from edge_pilot.card import ModelFile, load
from edge_pilot.errors import EngineError
from edge_pilot.inference import backend, engine_cache, golden, onnx

IMAGE, STATE = np.zeros((1, 3, 30, 80), np.float32), np.zeros((1, 2), np.float32)


class Runtime:
    """A real one: its engines are graphs that ONNX Runtime has optimised."""

    def __init__(self, **traits):
        self.built = 0
        self._traits = {"runtime": "optimised", "version": "1", "device": "here", **traits}

    def traits(self):
        return self._traits

    def build(self, model, say):
        self.built += 1
        return onnx.fixed(model)

    def load(self, engine, card):
        return onnx.OnnxBackend(ModelFile(Path("engine"), engine, card, ""))


class Cache:
    """A folder of engines, and what was said about them."""

    def __init__(self, folder):
        self.folder, self.said = folder, []

    def arm(self, model, runtime):
        self.said.clear()
        reference = backend.load(model)
        return engine_cache.arm(model, runtime, reference, self.folder, self.said.append)

    def path(self, model, runtime):
        return self.folder / engine_cache.key_of(model, runtime).file_name


@pytest.fixture
def cache(tmp_path):
    return Cache(tmp_path / "engines")


def model(tmp_path, curvature_1pm=0.01):
    folder = tmp_path / f"model{curvature_1pm}"
    folder.mkdir(exist_ok=True)
    return load(fakes.write_model(folder, fakes.outputs(curvature_1pm=curvature_1pm)))


def curvature(engine):
    return float(engine.run(IMAGE, STATE)["curvature"][0, 0])


def test_an_engine_is_built_once(tmp_path, cache):
    runtime = Runtime()
    for _ in range(2):
        assert curvature(cache.arm(model(tmp_path), runtime)) == pytest.approx(0.01)
    assert (runtime.built, cache.said) == (1, [])


def test_the_same_graph_with_new_weights_gives_new_answers(tmp_path, cache):
    """microsoft/onnxruntime#6455"""
    runtime = Runtime()
    answers = [curvature(cache.arm(model(tmp_path, k), runtime)) for k in (0.01, 0.02)]
    assert answers == pytest.approx([0.01, 0.02])
    assert runtime.built == 2


@pytest.mark.parametrize("changed", [{"version": "2"}, {"device": "there"}, {"options": "others"}])
def test_another_runtime_device_or_option_finds_no_engine(tmp_path, cache, changed):
    cache.arm(model(tmp_path), Runtime())
    other = Runtime(**changed)
    cache.arm(model(tmp_path), other)
    assert other.built == 1


def test_another_precision_and_other_shapes_have_another_key(tmp_path):
    one = model(tmp_path)
    wide = replace(one.card.input, width_px=96)
    others = [
        replace(one, card=replace(one.card, precision="int8")),
        replace(one, card=replace(one.card, input=wide)),
    ]
    names = {engine_cache.key_of(each, Runtime()).file_name for each in (one, *others)}
    assert len(names) == 3


def test_a_planted_engine_of_another_model_is_refused_and_built_anew(tmp_path, cache):
    """Its key and its digest are right; only its answers are not."""
    own, other, runtime = model(tmp_path, 0.01), model(tmp_path, 0.02), Runtime()
    key = engine_cache.key_of(own, runtime)
    engine_cache.write(cache.path(own, runtime), key, runtime.build(other, print))
    runtime.built = 0

    armed = cache.arm(own, runtime)

    assert curvature(armed) == pytest.approx(0.01)
    assert runtime.built == 1
    assert "got a difference of 1 in curvature; it is built anew" in cache.said[0]


def test_a_planted_engine_of_the_shipped_model_s_sister_is_refused(cache):
    """The same graph, and weights that one step of training might have given."""
    own, runtime = load(resources.model("")), Runtime()
    graph = onnx_files.load_model_from_string(own.onnx)
    weights = max(graph.graph.initializer, key=lambda item: len(item.raw_data))
    moved = 1.02 * onnx_files.numpy_helper.to_array(weights)
    weights.CopyFrom(onnx_files.numpy_helper.from_array(moved, weights.name))
    sister = replace(own, onnx=graph.SerializeToString())
    key = engine_cache.key_of(own, runtime)
    engine_cache.write(cache.path(own, runtime), key, runtime.build(sister, print))

    armed = cache.arm(own, runtime)

    assert "got a difference of" in cache.said[0] and cache.said[0].endswith("it is built anew")
    found = golden.differences(armed, backend.load(own), own.card)
    assert max(one.rms for one in found.values()) < 1e-5  # other sums in another order
    assert cache.arm(own, runtime) and cache.said == []


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_one_wrong_cell_of_a_map_is_refused(precision):
    class Spotted:
        """Answers as the CPU does, but for one cell, which is sure that somebody is there."""

        def run(self, image, state):
            outputs = {name: value.copy() for name, value in reference.run(image, state).items()}
            outputs["obstacle_heat"][0, 0, 5, 5] = 1.0
            return outputs

    own = load(resources.model(""))
    reference = backend.load(own)
    with pytest.raises(EngineError, match="in obstacle_heat"):
        golden.check(Spotted(), reference, replace(own.card, precision=precision))


def test_an_engine_that_is_wrong_when_new_is_not_kept_and_the_one_before_is(tmp_path, cache):
    class Confused(Runtime):
        def build(self, wanted, say):
            return onnx.fixed(model(tmp_path, 0.5))

    before = Runtime(version="before")
    cache.arm(model(tmp_path), before)
    with pytest.raises(EngineError, match=r"got a difference of .* in curvature"):
        cache.arm(model(tmp_path), Confused())
    assert not cache.path(model(tmp_path), Confused()).exists()
    cache.arm(model(tmp_path), before)
    assert before.built == 1


@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        (lambda content: b"", "got something else"),
        (lambda content: b"no engine", "got something else"),
        (lambda content: content[:-7], "damaged bytes"),
        (lambda content: content[:-1] + bytes([content[-1] ^ 1]), "damaged bytes"),
        (lambda content: content[:60], "got another"),
    ],
)
def test_a_damaged_file_is_said_and_built_anew(tmp_path, cache, damage, expected):
    runtime, own = Runtime(), model(tmp_path)
    cache.arm(own, runtime)
    path = cache.path(own, runtime)
    path.write_bytes(damage(path.read_bytes()))
    assert curvature(cache.arm(own, runtime)) == pytest.approx(0.01)
    assert runtime.built == 2
    assert expected in cache.said[0] and cache.said[0].endswith("it is built anew")


def test_a_file_of_another_key_under_this_one_s_name_is_said_and_built_anew(tmp_path, cache):
    runtime, own, other = Runtime(), model(tmp_path), model(tmp_path, 0.02)
    cache.arm(other, runtime)
    cache.path(other, runtime).rename(cache.path(own, runtime))
    assert curvature(cache.arm(own, runtime)) == pytest.approx(0.01)
    assert "got another" in cache.said[0]


def test_the_engine_before_is_kept_and_those_before_it_are_not(tmp_path, cache):
    runtime = Runtime()
    models = [model(tmp_path, k) for k in (0.01, 0.02, 0.03)]
    for each in models:
        cache.arm(each, runtime)
    assert [cache.path(each, runtime).exists() for each in models] == [False, True, True]


def test_nothing_but_engines_and_what_is_armed_is_left_in_the_folder(tmp_path, cache):
    cache.arm(model(tmp_path), Runtime())
    assert sorted(path.suffix for path in cache.folder.iterdir()) == [".engine", ".json"]


def test_a_folder_that_cannot_be_written_is_said(tmp_path, cache):
    cache.folder.write_text("a file")
    with pytest.raises(EngineError, match=r"expected to write .*, got: "):
        cache.arm(model(tmp_path), Runtime())


def test_a_broken_engine_s_nan_is_refused(tmp_path):
    broken = load(fakes.write_model(tmp_path, fakes.outputs([float("nan")] * 9)))
    with pytest.raises(EngineError, match="difference of nan in path"):
        golden.check(backend.load(broken), backend.load(model(tmp_path)), fakes.CARD)


def test_the_golden_frames_are_pictures_that_differ():
    frames = [image for image, _ in golden.frames(fakes.CARD)]
    assert len(frames) == 6
    assert min(float(frame.std()) for frame in frames) > 0.2
    assert len({frame.tobytes() for frame in frames}) == 6
