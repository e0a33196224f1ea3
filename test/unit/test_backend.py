import importlib

import fakes
import numpy as np
import pytest

from edge_pilot import resources
from edge_pilot.card import load
from edge_pilot.errors import EngineError, ModelError
from edge_pilot.inference import backend, golden
from edge_pilot.inference.onnx import OnnxBackend
from edge_pilot.perception.heads import OUTPUTS

onnx = pytest.importorskip("onnx")
SHIPPED = resources.model("")


def run(path):
    image, state = np.zeros((1, 3, 30, 80), np.float32), np.zeros((1, 2), np.float32)
    return backend.load(load(path)).run(image, state)


def test_a_model_gives_every_output_by_name(tmp_path):
    values = fakes.outputs(fakes.bend(40.0), 1 / 40.0)
    answer = run(fakes.write_model(tmp_path, values))
    assert answer.keys() == set(OUTPUTS)
    assert all((answer[name] == values[name]).all() for name in OUTPUTS)


@pytest.mark.parametrize("shape", [(1, 3, 32, 32), (1, 1, 30, 80), (3, 30, 80)])
def test_an_input_of_another_shape_than_the_card_s_is_refused(tmp_path, shape):
    with pytest.raises(ModelError, match=r"expected inputs .*\(1, 3, 30, 80\).* got .*image"):
        run(fakes.write_model(tmp_path, image_shape=shape))


def test_a_symbolic_dimension_fits_any_number(tmp_path):
    assert run(fakes.write_model(tmp_path, image_shape=("batch", 3, "height", 80)))


def test_a_path_of_another_length_than_the_card_s_is_refused(tmp_path):
    with pytest.raises(ModelError, match=r"expected outputs .*'path': \(1, 9\).*got .*\(1, 4\)"):
        run(fakes.write_model(tmp_path, fakes.outputs([0.0] * 4)))


@pytest.mark.parametrize("name", OUTPUTS)
def test_a_missing_output_is_named(tmp_path, name):
    values = {key: value for key, value in fakes.outputs().items() if key != name}
    with pytest.raises(ModelError, match=f"expected outputs .* without {name}$"):
        run(fakes.write_model(tmp_path, values))


@pytest.mark.parametrize("content", [b"", b"no model"])
def test_what_is_no_model_is_refused_in_one_line(tmp_path, content):
    path = fakes.write_model(tmp_path)
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"expected an ONNX model in .*, got: .+") as caught:
        run(path)
    assert "\n" not in str(caught.value)


def choose(name, path):
    return backend.choose(name, load(path), backend.Settings(cache=path.parent))


def has_a_gpu():
    try:
        return importlib.import_module("edge_pilot.inference.cuda").Device() is not None
    except EngineError:
        return False


@pytest.mark.skipif(has_a_gpu(), reason="there is a faster engine here")
def test_auto_takes_what_there_is_and_says_in_one_line_why_nothing_faster(tmp_path):
    chosen = choose("auto", fakes.write_model(tmp_path))
    assert isinstance(chosen.backend, OnnxBackend)
    assert chosen.description.startswith("onnx on the CPU (not on Tensorrt: ")
    assert "; not on CUDA: " in chosen.description
    assert "); not tensorrt: expected " in chosen.description
    assert "\n" not in chosen.description


@pytest.mark.skipif(has_a_gpu(), reason="it can be used here")
def test_an_engine_that_is_asked_for_and_missing_is_an_error_and_no_other_is_taken(tmp_path):
    with pytest.raises(EngineError, match=r"expected .*, got no"):
        choose("tensorrt", fakes.write_model(tmp_path))


def test_an_execution_provider_that_this_build_lacks_is_an_error(tmp_path):
    with pytest.raises((EngineError, ModelError), match="expected "):
        OnnxBackend(load(fakes.write_model(tmp_path)), provider="NoSuch")


def test_answers_are_not_overwritten_by_the_next_ones():
    model = load(SHIPPED)
    engine = backend.load(model)
    (first, state), (second, _) = list(golden.frames(model.card))[:2]
    kept = engine.run(first, state)["path"]
    before = kept.copy()
    engine.run(second, state)
    np.testing.assert_array_equal(kept, before)


def test_torch_computes_the_shipped_network_as_the_cpu_does():
    pytest.importorskip("torch")
    model = load(SHIPPED)
    engine, description = choose("torch", SHIPPED)
    assert description.startswith("torch on ")
    found = golden.differences(engine, backend.load(model), model.card).values()
    assert max(one.worst for one in found) < 1e-5


def test_torch_refuses_an_operator_that_it_does_not_know(tmp_path):
    pytest.importorskip("torch")
    path = fakes.write_model(tmp_path)
    model = onnx.load(path)
    constant = model.graph.node[-1]
    constant.output[0] = "before"
    model.graph.node.append(onnx.helper.make_node("Erf", ["before"], ["heading_error"]))
    # What does not depend on an input would be folded.
    model.graph.node[-1].input[0] = "part"
    reduced = onnx.helper.make_node("ReduceMax", ["state"], ["part"], axes=[1], keepdims=1)
    model.graph.node.insert(0, reduced)
    path.write_bytes(model.SerializeToString())
    with pytest.raises(ModelError, match=r"expected operators of Conv, .*, got "):
        choose("torch", path)
