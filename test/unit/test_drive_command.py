import csv
import json

import pytest

pytest.importorskip("panda3d", reason="the extra `sim` is not installed")

from edge_pilot.cli import main

KEYS = {"seed", "light", "distance_m", "departures", "collisions", "false_brakes", "stuck_s",
        "lateral_mean_m", "lateral_max_m", "lateral_jerk_p95_mps3"}  # fmt: skip


@pytest.fixture(scope="module")
def driven(tmp_path_factory):
    """One short drive with the shipped model and all controls."""
    folder = tmp_path_factory.mktemp("drive")
    status = main(["drive", "--seeds", "7", "--distance-m", "150", "--holdout",
                   "--json", str(folder / "drive.json"),
                   "--csv", str(folder / "csv")])  # fmt: skip
    return status, json.loads((folder / "drive.json").read_text()), folder / "csv"


def test_the_shipped_model_keeps_its_lane(driven):
    status, document, _ = driven
    assert status == 0
    assert document["total"]["departures"] == 0
    assert document["total"]["lateral_mean_m"] < 0.15


def test_the_json_has_what_every_json_has(driven):
    _, document, _ = driven
    assert {"config", "model", "versions", "results", "total"} <= document.keys()
    assert document["results"][0].keys() >= KEYS
    assert document["results"][0]["seed"] == 7


def test_the_controls_stand_beside_the_model(driven):
    controls = driven[1]["controls"]
    assert controls["zero_steering"]["departures_per_km"] >= 20.0
    assert controls["expert"]["departures"] == 0


def test_the_hold_out_is_told_apart(driven):
    _, document, folder = driven
    assert document["controls"]["holdout"]["distance_m"] >= 150.0
    assert {row["light"] for row in document["results"]} == {"dusk"}
    assert (folder / "holdout_7.csv").exists()


def test_the_csv_lets_others_score_the_drive_anew(driven):
    _, document, folder = driven
    with (folder / "model_7.csv").open() as file:
        rows = list(csv.DictReader(file))
    mean = sum(abs(float(row["lateral_m"])) for row in rows) / len(rows)
    assert mean == pytest.approx(document["total"]["lateral_mean_m"], abs=1e-4)
    assert (folder / "road_7.csv").read_text().startswith("s_m,x_m,y_m")


@pytest.mark.parametrize("seeds", ["", "a", "3-", "-4", "5-1"])
def test_seeds_that_are_none_are_refused(seeds, capsys):
    assert main(["drive", f"--seeds={seeds}"]) == 2
    assert "expected seeds such as" in capsys.readouterr().err


def test_a_distance_that_no_road_has_is_refused(capsys):
    assert main(["drive", "--seeds", "1", "--distance-m", "1e9"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_a_missing_model_is_one_line(capsys):
    assert main(["drive", "--seeds", "1", "--model", "no/such.onnx"]) == 2
    assert capsys.readouterr().err.count("\n") == 1
