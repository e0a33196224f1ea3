import json

import pytest

pytest.importorskip("panda3d", reason="the extra `sim` is not installed")

from edge_pilot.cli import main
from edge_pilot.commands import perceive


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    """One short road in usual and in hold-out light, with the shipped model."""
    folder = tmp_path_factory.mktemp("perceive")
    file = folder / "perceive.json"
    status = main(["perceive", "--seeds", "200", "--distance-m", "200", "--holdout", "--json",
                   str(file), "--out", str(folder / "page"), "--processes", "1"])  # fmt: skip
    return status, json.loads(file.read_text()), folder / "page" / "perceive.html"


def test_the_status_says_whether_a_floor_is_missed(seen):
    status, document, _ = seen
    assert status == bool(document["shortfalls"])


def test_the_json_has_what_every_json_has(seen):
    document = seen[1]
    assert {"config", "model", "versions", "results", "total"} <= document.keys()
    assert [row["light"] for row in document["results"]] == ["haze", "glare"]


def test_the_hold_out_stands_apart(seen):
    document = seen[1]
    assert document["total"]["roads"] == document["holdout"]["roads"] == 1
    assert document["total"]["pictures"] > 40
    assert document["total"]["path"] != document["holdout"]["path"]


def test_the_shipped_model_sees_the_lane(seen):
    total = seen[1]["total"]
    assert total["lane_offset_mean_m"] < 0.2
    assert total["path"]["mean_m"][1] < 0.4  # 10 m ahead


def test_there_is_a_page_with_pictures(seen):
    text = seen[2].read_text()
    assert "hold-out light" in text and "data:image/jpeg" in text


def test_roads_that_models_are_trained_on_are_refused(capsys):
    assert main(["perceive", "--seeds", "1000000"]) == 2
    assert "expected --seeds below 1000000" in capsys.readouterr().err


def test_it_knows_where_training_begins():
    train = pytest.importorskip("edge_pilot.commands.train", exc_type=ImportError)
    assert perceive.TRAINED_FROM == train.FIRST_ROAD


@pytest.mark.parametrize("arguments", [["--distance-m", "1"], ["--model", "no/such.onnx"]])
def test_bad_input_is_one_line_and_status_2(arguments, capsys):
    assert main(["perceive", "--seeds", "1", *arguments]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_the_floors_are_in_the_help(capsys):
    assert main(["perceive", "--help"]) == 0
    assert "vehicle 0.7, pedestrian 0.5" in " ".join(capsys.readouterr().out.split())
