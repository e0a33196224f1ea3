"""Guests' cards and decoders, by outputs that are made by hand."""

from __future__ import annotations

import numpy as np
import pytest

from edge_pilot.errors import ModelError
from edge_pilot.guest_card import GuestCard, GuestInput, load
from edge_pilot.perception.detectors import decode
from edge_pilot.perception.fitting import fit

PICTURE = np.zeros((100, 200, 3), np.uint8)
SPEC = GuestInput(64, 64)
KINDS = ("car", "person", "bike")


def read(decoder, *outputs, labels=KINDS, spec=SPEC, **more):
    card = GuestCard("guest", decoder, spec, labels, **more)
    _, place = fit(PICTURE, spec)
    named = {f"o{i}": np.asarray(o, np.float32) for i, o in enumerate(outputs)}
    return decode(named, card, place)


def only_box(found):
    (box,) = found.boxes
    return box.label, [round(float(v), 1) for v in box[2:]]


# A box of 16 x 16 around (32, 24) of 64 x 64 is one of 50 x 25 around (100, 37.5) in the picture.
WANTED = [75.0, 25.0, 125.0, 50.0]


def cells(strides):
    return [(x, y, s) for s in strides for y in range(64 // s) for x in range(64 // s)]


@pytest.mark.parametrize("turned", [False, True])
def test_yolov8_is_read_whichever_way_its_table_lies(turned):
    table = np.zeros((7, 50))
    table[:, 9] = [32, 24, 16, 16, 0.1, 0.9, 0.2]

    assert only_box(read("yolov8", (table.T if turned else table)[None])) == ("person", WANTED)


def test_yolox_is_decoded_from_cells():
    rows = np.zeros((len(cells((8, 16, 32))), 8))
    at = cells((8, 16, 32)).index((4, 3, 8))
    rows[at] = [0, 0, np.log(2), np.log(2), 0.9, 0.1, 0.2, 0.95]

    assert only_box(read("yolox", rows[None])) == ("bike", WANTED)


def nanodet_rows():
    centres = cells((8, 16, 32, 64))
    at = centres.index((4, 3, 8))
    scores, sides = np.zeros((len(centres), 3)), np.full((len(centres), 4, 8), -20.0)
    scores[at, 0] = 0.8
    sides[at, :, 1] = 20.0  # one stride to each side
    return centres, scores, sides.reshape(len(centres), -1)


def test_nanodet_is_read_from_one_table():
    _, scores, sides = nanodet_rows()

    assert only_box(read("nanodet", np.hstack([scores, sides])[None])) == ("car", WANTED)


def test_nanodet_is_read_from_outputs_in_any_order():
    centres, scores, sides = nanodet_rows()
    strides = np.array([s for _, _, s in centres])
    parts = [table[strides == s][None] for s in (32, 8, 64, 16) for table in (sides, scores)]

    assert only_box(read("nanodet", *parts)) == ("car", WANTED)


def test_fastestdet_is_decoded_from_its_grid():
    grid = np.zeros((8, 4, 4))
    logit = np.log(0.25 / 0.75)  # a quarter of the picture
    grid[:, 1, 2] = [0.9, 0, np.arctanh(0.5), logit, logit, 0.9, 0.1, 0]

    assert only_box(read("fastestdet", grid[None])) == ("car", WANTED)


def test_boxes_of_one_kind_that_overlap_are_one():
    table = np.zeros((7, 50))
    table[:, 3] = [32, 24, 16, 16, 0.9, 0, 0]
    table[:, 4] = [33, 24, 16, 16, 0.8, 0, 0]
    table[:, 5] = [10, 50, 8, 8, 0.7, 0, 0]

    assert [round(box.score, 1) for box in read("yolov8", table[None]).boxes] == [0.9, 0.7]


@pytest.mark.parametrize(
    ("decoder", "shape", "expected"),
    [
        ("yolov8", (1, 8, 50), "expected 7 numbers for each box .* got 8: is its decoder yolox"),
        ("yolox", (1, 84, 7), "expected 8 numbers for each box .* got 7: is its decoder yolov8"),
        ("yolox", (1, 80, 8), "expected 84 boxes .* got 80"),
        ("fastestdet", (1, 9, 4, 4), "expected 3 channels after the first five .* got 4"),
        ("fastestdet", (1, 3), "expected one output"),
        ("nanodet", (1, 10, 35), "as many rows as cells"),
        ("nanodet", (1, 85, 30), "expected 3 labels and four equal sides .* got 30"),
        ("classification", (1, 4), "expected one output of 3 numbers .* got 4"),
    ],
)
def test_what_does_not_fit_is_said_in_words(decoder, shape, expected):
    with pytest.raises(ModelError, match=expected):
        read(decoder, np.zeros(shape) + 0.6)


@pytest.mark.parametrize("last", [False, True])
def test_a_segmentation_covers_the_picture(last):
    logits = np.zeros((2, 8, 8))
    logits[1, :, :2] = 5.0
    output = logits.transpose(1, 2, 0) if last else logits

    found = read("segmentation", output[None], labels=("road",))

    assert found.classes["road"].shape == (100, 200)
    assert found.classes["road"][:, :50].all() and not found.classes["road"][:, 50:].any()


def test_classes_of_one_map_have_the_labels_in_order():
    found = read("segmentation", np.eye(3).reshape(1, 3, 1, 3), labels=("rest", "road", "line"))

    shares = {label: round(float(mask.mean()), 1) for label, mask in found.classes.items()}
    assert shares == {"road": 0.3, "line": 0.3}


@pytest.mark.parametrize("values", [[0.1, 0.7, 0.2], np.log([0.1, 0.7, 0.2]) + 3])
def test_scores_are_probabilities_or_log_odds(values):
    assert read("classification", [values]).scores == pytest.approx(
        {"car": 0.1, "person": 0.7, "bike": 0.2}, rel=1e-4
    )


def test_steering_is_in_the_unit_of_the_card():
    found = read("steering", [[0.5, 0.9]], options={"unit": "full=0.4rad,right"})

    assert found.steering_rad == pytest.approx(-0.2)


@pytest.mark.parametrize("resize", ["plain", "letterbox", "crop"])
def test_what_is_fitted_finds_its_way_back(resize):
    spec = GuestInput(64, 64, resize=resize, region=(0.25, 0.0, 1.0, 1.0))
    picture = PICTURE.copy()
    picture[40:60, 120:140] = 255

    tensor, place = fit(picture, spec)

    rows, columns = np.nonzero(tensor[0, 0] > 0.9)
    box = [[columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]]
    np.testing.assert_allclose(place.boxes(np.array(box, float))[0], [120, 40, 140, 60], atol=4)


def test_colour_layout_and_scale_are_those_of_the_card():
    picture = np.zeros((4, 4, 3), np.uint8)
    picture[..., 0] = 200  # red
    spec = GuestInput(4, 4, "NHWC", "BGR", 1.0, (0, 0, 100), (1, 1, 2))

    tensor, _ = fit(picture, spec)

    assert tensor.shape == (1, 4, 4, 3) and tensor[0, 0, 0].tolist() == [0, 0, 50]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("decoder: yolo\ninput: {width_px: 8, height_px: 8}", "decoder 'yolo', which is not of"),
        ("decoder: yolox\ninput: {width_px: 8}", "height_px"),
        (
            "decoder: yolox\ninput: {width_px: 8, height_px: 8, layout: CHW}",
            "layout 'CHW', not of",
        ),
        ("decoder: yolox\ninput: {width_px: 8, height_px: 8}\nlabels_file: x.txt", "no labels at"),
        ("decoder: yolox\ninput: {width_px: 8, height_px: 8, std: [0, 1, 1]}", "mean .* and std"),
        ("[", "expected YAML"),
    ],
)
def test_a_bad_card_is_said_in_one_line(tmp_path, text, expected):
    (tmp_path / "m.onnx").write_bytes(b"")
    (tmp_path / "m.yaml").write_text(f"name: m\n{text}" if text != "[" else text)

    with pytest.raises(ModelError, match=expected) as caught:
        load(tmp_path / "m.onnx")
    assert "\n" not in str(caught.value)
