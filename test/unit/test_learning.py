import math
from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra `train` is not installed")

from edge_pilot import card as cards  # noqa: E402
from edge_pilot.commands.train import card_for  # noqa: E402
from edge_pilot.config import CameraConfig  # noqa: E402
from edge_pilot.inference import backend  # noqa: E402
from edge_pilot.learning.export import export  # noqa: E402
from edge_pilot.learning.losses import loss  # noqa: E402
from edge_pilot.learning.model import PilotNet  # noqa: E402
from edge_pilot.learning.train import LABELS, Recipe, merge, train  # noqa: E402
from edge_pilot.perception import boxes  # noqa: E402
from edge_pilot.perception.heads import output_shapes, outputs_of  # noqa: E402
from edge_pilot.preprocess import Preprocessor  # noqa: E402

WHOLE = card_for(CameraConfig())
CARD = replace(WHOLE, input=replace(WHOLE.input, width_px=160, height_px=64))
COUNT = len(CARD.path_distances_m)


def samples(count=64, seed=0):
    """Pictures whose brighter half says on which side of the lane the car is."""
    rng = np.random.default_rng(seed)
    spec = CARD.input
    offset = rng.uniform(-1.0, 1.0, (count, 1)).astype(np.float32)
    image = np.full((count, spec.height_px, spec.width_px, 3), 90, np.uint8)
    image[:, :, : spec.width_px // 2] += (60 * (offset + 1)).astype(np.uint8)[:, :, None, None]
    return {
        "image": image,
        "state": np.zeros((count, 2), np.float32),
        "path": np.repeat(-offset, COUNT, axis=1),
        "curvature": np.zeros((count, 1), np.float32),
        "lane_offset": offset,
        "heading_error": np.zeros((count, 1), np.float32),
        "boxes": np.full((count, 2, 9), -1.0, np.float32),
    }


def with_cars(count=48, seed=0):
    """Pictures of one dark car each, that is the smaller the farther it stands."""
    rng = np.random.default_rng(seed)
    data = samples(count, seed)
    for image, rows in zip(data["image"], data["boxes"], strict=True):
        distance = rng.uniform(5.0, 20.0)
        width, height, x = 200.0 / distance, 150.0 / distance, rng.uniform(40.0, 120.0)
        y = 12.0 + 0.5 * height
        image[
            int(y - height / 2) : int(y + height / 2), int(x - width / 2) : int(x + width / 2)
        ] = 0
        rows[0] = (1.0, x, y, width, height, distance, 0.0, 1.8, 1.0)
    return data


def network(seed=0):
    torch.manual_seed(seed)
    return PilotNet(CARD)


def batch(model, labels):
    count = len(labels["path"])
    spec = CARD.input
    outputs = model(torch.rand(count, 3, spec.height_px, spec.width_px), torch.zeros(count, 2))
    return loss(
        outputs, {name: torch.as_tensor(labels[name]) for name in LABELS}, model.path_scale
    )


def test_outputs_have_the_names_and_shapes_of_the_heads():
    spec = CARD.input
    outputs = network()(torch.zeros(1, 3, spec.height_px, spec.width_px), torch.zeros(1, 2))
    shapes = [tuple(value.shape) for value in outputs]
    assert dict(zip(outputs_of(CARD), shapes, strict=True)) == output_shapes(CARD)


def test_a_card_without_kinds_makes_a_network_without_an_obstacle_head():
    card = replace(CARD, kinds=())
    spec = card.input
    outputs = PilotNet(card)(torch.zeros(1, 3, spec.height_px, spec.width_px), torch.zeros(1, 2))
    assert len(outputs) == len(outputs_of(card)) == 6


def test_a_label_that_is_lacking_moves_no_weight():
    model, labels = network(), samples(4)
    lacking = {name: np.full_like(labels[name], math.nan) for name in LABELS}
    value = batch(model, lacking)
    value.backward()
    assert value.item() == 0.0
    assert all(
        not weights.grad.any() for weights in model.parameters() if weights.grad is not None
    )


def test_the_other_labels_of_a_sample_still_count_where_one_is_lacking():
    model, labels = network(), samples(4)
    labels["path"][:] = math.nan
    value = batch(model, labels)
    value.backward()
    assert math.isfinite(value.item())
    assert model.heads.weight.grad[2 * COUNT + 2].any()  # the row of lane_offset
    assert not model.heads.weight.grad[:COUNT].any()  # the rows of path


def test_a_box_that_may_be_missed_neither_costs_nor_pays():
    model, labels = network().eval(), with_cars(4)
    labels["boxes"][:, 0, 8] = 0.0
    image, state = torch.zeros(4, 3, *_size()), torch.zeros(4, 2)
    quiet = model(image, state)
    loud = [value.clone() for value in quiet]
    x, y = (labels["boxes"][:, 0, i] / 4 for i in (1, 2))
    for i in range(4):
        loud[6][i, :, int(y[i]), int(x[i])] = 0.9
    given = {name: torch.as_tensor(labels[name]) for name in LABELS}
    assert loss(tuple(loud), given, model.path_scale) == loss(quiet, given, model.path_scale)


def test_training_learns_where_a_car_is_and_how_far():
    model, data = network(), with_cars()
    train(model, CARD, data, Recipe(epochs=30, batch=16), seed=0)
    unseen, right = with_cars(8, seed=5), 0
    view = Preprocessor(CARD.input)
    for image, rows in zip(unseen["image"], unseen["boxes"], strict=True):
        with torch.no_grad():
            *_, heat, box = model.eval()(
                torch.from_numpy(view.normalise(image)), torch.zeros(1, 2)
            )
        found = boxes.find(heat[0].numpy(), box[0].numpy(), CARD, 0.0)
        truth = boxes.in_picture(*rows[0, 1:5].tolist(), CARD)
        right += bool(found) and (
            found[0].kind == "vehicle" and boxes.overlap(found[0].box_px, truth) > 0.4
        )
    assert right >= 6


def test_training_learns_what_the_pictures_say():
    model, data = network(), samples(128)
    before = offset_error(model)
    train(model, CARD, data, Recipe(epochs=8, batch=16), seed=0)
    assert offset_error(model) < 0.6 * before


def offset_error(model):
    unseen = samples(64, seed=1)
    image = torch.from_numpy(Preprocessor(CARD.input).normalise(unseen["image"]))
    with torch.no_grad():
        offset = model.eval()(image, torch.zeros(64, 2))[4].numpy()
    return float(np.abs(offset - unseen["lane_offset"]).mean())


def test_the_same_seed_trains_the_same_network():
    weights = []
    for _ in range(2):
        model = network()
        train(model, CARD, samples(32), Recipe(epochs=1, batch=16), seed=3)
        weights.append(model.heads.weight.detach().numpy().tobytes())
    assert weights[0] == weights[1]


def test_the_exported_model_answers_as_the_network_does(tmp_path):
    model = network().eval()
    written = export(model, CARD, tmp_path / "pilot.onnx", {"command": "none"})
    image = np.random.default_rng(0).normal(size=(1, 3, *_size())).astype(np.float32)
    state = np.array([[0.8, -0.3]], np.float32)
    with torch.no_grad():
        wanted = model(torch.from_numpy(image), torch.from_numpy(state))
    got = backend.load(written).run(image, state)
    for name, value in zip(outputs_of(CARD), wanted, strict=True):
        np.testing.assert_allclose(got[name], value.numpy(), rtol=1e-3, atol=1e-4)


def test_a_card_is_read_as_it_was_written(tmp_path):
    written = export(network(), CARD, tmp_path / "pilot.onnx", {"seed": 0})
    assert written.card.input == CARD.input
    assert written.card.path_distances_m == CARD.path_distances_m
    assert written.card.training == {"seed": 0}


def test_a_model_has_another_digest_when_only_its_card_changes(tmp_path):
    first = export(network(), CARD, tmp_path / "pilot.onnx", {"seed": 0})
    text = (tmp_path / "pilot.yaml").read_text().replace("seed: 0", "seed: 1")
    (tmp_path / "pilot.yaml").write_text(text)
    assert cards.load(tmp_path / "pilot.onnx").digest != first.digest


def test_samples_of_two_drives_are_put_in_a_row():
    both = merge([samples(3), samples(2, seed=1)])
    assert {name: len(value) for name, value in both.items()} == dict.fromkeys(both, 5)


def _size():
    return CARD.input.height_px, CARD.input.width_px
