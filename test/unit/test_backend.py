import fakes
import numpy as np
import pytest

from edge_pilot.card import load
from edge_pilot.errors import ModelError
from edge_pilot.inference import backend
from edge_pilot.perception.heads import OUTPUTS

pytest.importorskip("onnx")


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
