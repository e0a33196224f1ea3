import importlib
from dataclasses import replace

import pytest

pytest.importorskip("onnx")

import onnx
from replay import make_bags

from edge_pilot import card, cli, resources
from edge_pilot.config import Config
from edge_pilot.inference import backend, golden, quantise

MODEL = card.load(resources.model(""))
FRAMES = list(golden.frames(MODEL.card))


def differences(onnx_bytes, precision):
    quantised = replace(MODEL, onnx=onnx_bytes, card=replace(MODEL.card, precision=precision))
    engine = backend.load(quantised)
    golden.check(engine, backend.load(MODEL), quantised.card)
    return golden.differences(engine, backend.load(MODEL), MODEL.card)


def operators(onnx_bytes):
    return {node.op_type for node in onnx.load_model_from_string(onnx_bytes).graph.node}


def test_int8_keeps_inputs_and_outputs_and_stays_within_its_tolerance():
    quantised = quantise.to_int8(MODEL, FRAMES, is_symmetric=False)
    assert {"QuantizeLinear", "DequantizeLinear"} <= operators(quantised)
    shares = differences(quantised, "int8")
    assert max(one.rms for one in shares.values()) > 0.0  # `check` has looked at the limits


def test_int8_for_tensorrt_is_around_zero():
    quantised = quantise.to_int8(MODEL, FRAMES[:2], is_symmetric=True)
    graph = onnx.load_model_from_string(quantised).graph
    points = [item for item in graph.initializer if item.name.endswith("zero_point")]
    assert points
    assert not any(onnx.numpy_helper.to_array(point).any() for point in points)


def test_fp16_is_all_but_the_same():
    shares = differences(quantise.to_fp16(MODEL), "fp16")
    assert 0.0 < max(one.rms for one in shares.values()) < 0.01


@pytest.mark.parametrize("name", ["other.txt", "pilot.onnx"])
def test_the_model_at_hand_is_never_overwritten(name, tmp_path, capsys):
    path = MODEL.path if name == "pilot.onnx" else tmp_path / name
    before = MODEL.path.read_bytes()
    assert cli.main(["quantise", "--out", str(path)]) == 2
    assert "expected --out to name another .onnx file" in capsys.readouterr().err
    assert MODEL.path.read_bytes() == before


def test_a_quantised_model_is_not_quantised_again(tmp_path, capsys):
    path = tmp_path / "half.onnx"
    path.write_bytes(MODEL.onnx)
    half = replace(MODEL.card, precision="fp16")
    path.with_suffix(".yaml").write_text(card.dump(half), encoding="utf-8")
    assert cli.main(["quantise", "--model", str(path), "--out", str(tmp_path / "a.onnx")]) == 2
    assert "expected a model in fp32, got one in fp16" in capsys.readouterr().err


def test_calibration_can_come_from_a_recording(tmp_path):
    pytest.importorskip("panda3d")
    quantise_command = importlib.import_module("edge_pilot.commands.quantise")
    bag = make_bags.write(tmp_path / "drive", make_bags.drive(frames=5))
    samples = quantise_command.recorded(bag, MODEL.card, Config())
    spec = MODEL.card.input
    assert len(samples) == 5
    assert {image.shape for image, _ in samples} == {(1, 3, spec.height_px, spec.width_px)}
    assert {state.shape for _, state in samples} == {(1, 2)}


def test_the_engine_command_says_what_computes_and_how_fast(capsys):
    assert cli.main(["engine", "--set", "pilot.backend=onnx"]) == 0
    said = capsys.readouterr().out
    assert "inference  onnx on " in said and "a frame    p50 " in said


def test_an_engine_that_is_missing_is_one_line(capsys, tmp_path):
    status = cli.main(["engine", "--set", "pilot.backend=torch", "--model", str(tmp_path / "no")])
    assert (status, capsys.readouterr().err.count("\n")) == (2, 1)
