from dataclasses import replace

import fakes
import pytest

from edge_pilot.card import dump, load, parse, pinhole
from edge_pilot.config import CameraConfig
from edge_pilot.errors import ModelError

TEXT = dump(fakes.CARD)


def test_a_card_is_read_as_it_was_written():
    card = replace(fakes.CARD, training={"seed": 3, "data": ["a", "b"]})
    assert parse(dump(card).encode(), "some.yaml") == card


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("name: fake", "nom: fake", "nom"),
        ("crop_top_px: 60", "crop_top: 60", "crop_top"),
        ("- speed_mps", "- colour", "a state that the car does not know: colour"),
        ("- speed_mps", "- stamp_ns", "a state that the car does not know: stamp_ns"),
        ("- 10.0\n- 0.2", "- 10.0", "1 state_scale for 2 state"),
        ("- 15.0", "- 10.0", "path_distances_m that do not ascend from 0"),
        ("- 5.0", "- 0.0", "path_distances_m that do not ascend from 0"),
        ("name: fake", "name: [fake", "while parsing"),
    ],
)
def test_a_card_with_something_wrong_is_refused_in_one_line(old, new, expected):
    assert TEXT.count(old) >= 1
    with pytest.raises(ModelError, match=f"^expected a model card in .*, got: .*{expected}"):
        parse(TEXT.replace(old, new, 1).encode(), "some.yaml")


@pytest.mark.parametrize("text", ["", "text", "[1, 2]", "input: 3"])
def test_what_is_no_card_is_refused(text):
    with pytest.raises(ModelError, match=r"^expected a model card in some\.yaml, got: "):
        parse(text.encode(), "some.yaml")


@pytest.mark.parametrize(("suffix", "what"), [(".onnx", "a model"), (".yaml", "a model card")])
def test_a_missing_file_is_named(tmp_path, suffix, what):
    path = fakes.write_model(tmp_path)
    path.with_suffix(suffix).unlink()
    with pytest.raises(ModelError, match=f"^expected {what} at .*pilot{suffix}, got: No "):
        load(path)


def test_the_name_of_a_model_changes_with_its_card_and_with_its_network(tmp_path):
    path = fakes.write_model(tmp_path)
    first = load(path).digest
    path.with_suffix(".yaml").write_text(TEXT.replace("- 0.25", "- 0.26", 1))
    second = load(path).digest
    fakes.write_model(tmp_path, fakes.outputs(curvature_1pm=0.1))
    assert len({first, second, load(path).digest}) == 3
    assert len(first) == 12


def test_the_optical_centre_of_a_pinhole_camera_is_the_middle_of_its_pixels():
    camera = pinhole(CameraConfig(width_px=64, height_px=36, focal_px=40.0))
    assert (camera.cx_px, camera.cy_px) == (31.5, 17.5)
    assert (camera.fx_px, camera.fy_px, camera.distortion) == (40.0, 40.0, ())
