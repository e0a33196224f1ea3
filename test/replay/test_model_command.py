"""`edge_pilot model check`, on models that were made here and on three that were not."""

from __future__ import annotations

import json
import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from fakes import write_model
from replay import make_bags

from edge_pilot import cli

onnx = pytest.importorskip("onnx")
DATA = Path(
    os.environ.get("EDGE_PILOT_DATA", Path(__file__).resolve().parents[3] / "shared" / "data")
)
CARDS = Path(__file__).resolve().parents[2] / "docs" / "cards"
needs_models = pytest.mark.skipif(
    not (DATA / "models").is_dir(), reason="needs the models of EDGE_PILOT_DATA"
)


@pytest.fixture
def check(tmp_path):
    def check(path, *arguments):
        file = tmp_path / "check.json"
        status = cli.main(["model", "check", str(path), "--json", str(file), *map(str, arguments)])
        return status, json.loads(file.read_text())["total"] if file.exists() else None

    return check


def mean_model(folder, name="probabilities", shape=(1, 3, 8, 8), card=""):
    """Write a model whose output is the mean of each colour."""
    make, kind = onnx.helper, onnx.TensorProto.FLOAT
    node = make.make_node("GlobalAveragePool", ["image"], ["pooled"])
    flat = make.make_node("Flatten", ["pooled"], [name])
    graph = make.make_graph(
        [node, flat], "mean", [make.make_tensor_value_info("image", kind, shape)],
        [make.make_tensor_value_info(name, kind, (1, 3))],
    )  # fmt: skip
    model = make.make_model(graph, opset_imports=[make.make_opsetid("", 13)], ir_version=8)
    onnx.save(model, folder / "m.onnx")
    (folder / "m.yaml").write_text(
        "name: mean\ndecoder: classification\nlabels: [red, green, blue]\n"
        f"input: {{width_px: 8, height_px: 8, scale: 1{card}}}\n"
    )
    return folder / "m.onnx"


def test_a_model_that_fits_is_good_and_its_pictures_are_drawn(check, tmp_path):
    status, report = check(mean_model(tmp_path), "--out", tmp_path / "out")

    assert status == 0 and report["is_good"]
    assert report["engines"]["onnx"]["differences"] == {"probabilities": 0.0}
    assert set(report["engines"]["onnx"]["stages_ms"]) == {"preprocess", "infer", "decode"}
    assert len(list((tmp_path / "out").glob("*.jpg"))) == report["pictures"] > 0


def test_a_name_that_lies_is_said(check, tmp_path):
    _, report = check(mean_model(tmp_path))

    assert "probabilities sounds like values of 0 to 1" in report["notes"][0]


def test_a_layout_that_does_not_fit_is_said(check, tmp_path, capsys):
    status, _ = check(mean_model(tmp_path, card=", layout: NHWC"))

    assert status == 2 and "is its layout NCHW?" in capsys.readouterr().err


def test_the_drivers_own_model_is_checked_too(check, tmp_path):
    status, report = check(write_model(tmp_path))

    assert status == 0 and report["model"]["decoder"] == "pilot"
    assert "infer" in report["engines"]["onnx"]["stages_ms"]


@needs_models
def test_a_detector_of_others_finds_cars_on_the_street(check):
    status, report = check(
        DATA / "models" / "FastestDet.onnx", "--card", CARDS / "fastestdet.yaml",
        "--images", DATA / "lanes" / "tusimple_lanenet" / "image",
    )  # fmt: skip

    assert status == 0 and len(report["found"]) == 4
    assert all("car" in line for line in report["found"])


@needs_models
def test_a_classifier_of_others_reads_traffic_lights(check, tmp_path):
    """Crops of lights in CARLA's frames, as large as they come."""
    folder, crops = DATA / "detection" / "carla_od", []
    for labels in sorted((folder / "labels_yolo").glob("*.txt")):
        picture = cv2.imread(str(folder / "images" / f"{labels.stem}.jpg"))
        for line in labels.read_text().split("\n"):
            kind, *box = line.split() or ["-"]
            if kind == "3" and picture is not None:
                size = np.array(picture.shape[1::-1])
                middle, extent = np.array(box[:2], float) * size, np.array(box[2:], float) * size
                (x0, y0), (x1, y1) = (middle - extent / 2).astype(int), (middle + extent / 2)
                crops.append((extent.prod(), picture[max(y0, 0) : int(y1), max(x0, 0) : int(x1)]))
    for i, (_, crop) in enumerate(sorted(crops, key=lambda c: -c[0])[:6]):
        cv2.imwrite(str(tmp_path / f"{i}.png"), crop)

    status, report = check(
        DATA / "models" / "tlr_model.onnx", "--card", CARDS / "traffic_light.yaml",
        "--images", tmp_path,
    )  # fmt: skip

    assert status == 0
    assert all(float(line.split()[1].rstrip(",")) > 0.5 for line in report["found"])


def test_two_models_run_beside_the_driving_one_at_their_own_rates(tmp_path):
    beside = []
    for name, rate in (("slow", "rate_hz: 5\n"), ("each", "")):
        (tmp_path / name).mkdir()
        path = mean_model(tmp_path / name)
        card = path.with_suffix(".yaml")
        card.write_text(rate + card.read_text().replace("name: mean", f"name: {name}"))
        beside += ["--guest", str(path)]
    bag = make_bags.write(tmp_path / "drive", make_bags.drive(20))  # 20 Hz
    out = tmp_path / "replay.json"
    alone = [
        "replay",
        "--bag",
        str(bag),
        "--model",
        str(write_model(tmp_path)),
        "--json",
        str(out),
    ]

    cli.main(alone)
    digest = json.loads(out.read_text())["total"]["digest"]
    assert cli.main([*alone, *beside]) == 0

    document = json.loads(out.read_text())
    looked = [view["guest"] for view in document["guests"]]
    assert (looked.count("slow"), looked.count("each")) == (5, 20)
    assert document["total"]["digest"] == digest  # guests change nothing in how it drives
