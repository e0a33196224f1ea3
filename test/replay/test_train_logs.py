"""`edge_pilot train --data` and `edge_pilot evaluate`, on a small tub."""

from __future__ import annotations

import json

import numpy as np
import pytest
from replay import make_logs

torch = pytest.importorskip("torch", reason="the extra `train` is not installed")

from edge_pilot import card as cards  # noqa: E402
from edge_pilot import cli  # noqa: E402
from edge_pilot.learning import train as training  # noqa: E402


@pytest.fixture(scope="module")
def tub(tmp_path_factory):
    return make_logs.tub(tmp_path_factory.mktemp("logs") / "tub", 700)


def train(tub, folder, *arguments):
    out = folder / "mine.onnx"
    given = ["--data", f"donkeycar:{tub}", "--out", out, "--cache", folder / "cache",
             "--epochs", 3, "--width", 32, "--json", folder / "train.json"]  # fmt: skip
    status = cli.main(["train", *map(str, [*given, *arguments])])
    return status, out, json.loads((folder / "train.json").read_text())["total"]


def test_a_model_is_trained_and_compared_with_the_baselines(tub, tmp_path, capsys):
    _, out, total = train(tub, tmp_path)

    card = cards.load(out).card
    assert card.input.history_s == (0.1, 0.2) and card.training["samples"] > 300
    assert {"model", "ridge", "straight on"} <= set(total)
    assert "withheld  ridge" in capsys.readouterr().out
    assert not list(tmp_path.glob("*.resume"))


def test_what_is_decoded_once_is_used_again(tub, tmp_path):
    digest = cards.load(train(tub, tmp_path)[1]).digest
    (facts,) = (tmp_path / "cache").glob("*/facts.json")
    before = facts.stat().st_mtime_ns

    assert cards.load(train(tub, tmp_path)[1]).digest == digest
    assert facts.stat().st_mtime_ns == before


def test_a_training_that_was_killed_ends_as_if_it_had_not_been(tub, tmp_path, monkeypatch):
    whole = cards.load(train(tub, tmp_path)[1]).onnx
    save, saved = training.Checkpoint.save, []

    def die(self, *arguments):
        save(self, *arguments)
        saved.append(arguments)
        if len(saved) == 1:
            raise KeyboardInterrupt

    monkeypatch.setattr(training.Checkpoint, "save", die)
    with pytest.raises(FileNotFoundError):
        (tmp_path / "train.json").unlink()
        train(tub, tmp_path)
    assert list(tmp_path.glob("*.resume"))

    assert cards.load(train(tub, tmp_path)[1]).onnx == whole
    assert len(saved) == 3  # one before the end, and two that were left


def test_a_model_is_evaluated_beside_its_human(tub, tmp_path, capsys):
    _, out, _ = train(tub, tmp_path)
    report = tmp_path / "evaluation.json"
    given = ["evaluate", "--data", str(tub), "--model", str(out), "--previous", str(out),
             "--json", str(report), "--out", str(tmp_path / "page"), "--no-video"]  # fmt: skip

    assert cli.main(given) == 0
    assert cli.main([*given, "--fail-under", "correlation=1.1"]) == 1
    assert cli.main([*given, "--fail-under", "beauty=1"]) == 2

    total = json.loads(report.read_text())["total"]
    drivers = total["drivers"]
    assert {"model", "previous", "straight on", "ridge", "human"} == set(drivers)
    assert drivers["model"] == drivers["previous"]
    low, high = drivers["model"]["mae_rad"]["interval"]
    assert low <= drivers["model"]["mae_rad"]["value"] <= high
    assert drivers["human"]["mae_rad"]["value"] == 0.0
    human = np.abs(make_logs.angles(700)).mean() * np.radians(25.0)
    assert drivers["straight on"]["mae_rad"]["value"] == pytest.approx(human, rel=0.02)
    page = (tmp_path / "page" / "evaluation.html").read_text()
    assert "Worst moments" in page and "data:image/jpeg" in page


def test_a_log_without_steering_is_refused(tmp_path, capsys):
    given = ["train", "--data", str(make_logs.kitti(tmp_path / "k", 60)), "--out",
             str(tmp_path / "m.onnx"), "--cache", str(tmp_path / "cache")]  # fmt: skip

    assert cli.main(given) == 2
    assert "expected steering of a human" in capsys.readouterr().err
