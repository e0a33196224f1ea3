"""The one form of every --json."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from edge_pilot import results
from edge_pilot.card import CameraModel, InputSpec, ModelCard, ModelFile
from edge_pilot.config import Config, to_flat
from edge_pilot.errors import InputError

SPEC = InputSpec(1, 1, CameraModel(1, 1, 1, 1, 0, 0), 0, 1, (0, 0, 0), (1, 1, 1))
CARD = ModelCard("pilot", SPEC, (), (), (1.0,), 1.4, 0.0)
MODEL = ModelFile(Path("/somewhere/pilot.onnx"), b"", CARD, "0123456789ab")


@dataclass
class Item:
    seed: int
    error: float


def write(path, **fields):
    given = {"config": Config(), "model": MODEL, "results": [], "total": {}, **fields}
    results.write(str(path), **given)


def read(path):
    return json.loads(path.read_text(), parse_constant=pytest.fail)


def test_the_parts_are_always_there(tmp_path):
    write(tmp_path / "a.json", total={"n": 1}, bag="drive")

    document = read(tmp_path / "a.json")

    assert document["model"] == {"name": "pilot", "digest": "0123456789ab", "path": "pilot.onnx"}
    assert document["config"] == to_flat(Config())
    assert (document["total"], document["bag"], document["results"]) == ({"n": 1}, "drive", [])
    assert {"edge_pilot", "python", "numpy"} <= document["versions"].keys()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (math.nan, None),
        (-math.inf, None),
        (np.float32(0.5), 0.5),
        (np.float64("nan"), None),
        (np.int64(3), 3),
        (np.bool_(True), True),
        (np.array([[1.0, np.inf]]), [[1.0, None]]),
        ((1, "a", None), [1, "a", None]),
        ({1: Path("x")}, {"1": "x"}),
        (Item(1, math.nan), {"seed": 1, "error": None}),
        ([True, 2**70], [True, 2**70]),
    ],
)
def test_values_become_what_json_knows(tmp_path, value, expected):
    write(tmp_path / "a.json", results=[value])

    assert read(tmp_path / "a.json")["results"] == [expected]


def test_a_value_without_a_meaning_in_json_is_refused():
    with pytest.raises(TypeError, match="got bytes"):
        results.plain({"a": b"\0"})


def test_equal_runs_give_equal_bytes(tmp_path):
    write(tmp_path / "a.json", total={"b": 1, "a": 2})
    write(tmp_path / "b.json", total={"a": 2, "b": 1})

    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()


def test_a_dash_is_standard_output(capsys):
    write("-", total={"n": 1})

    assert json.loads(capsys.readouterr().out)["total"] == {"n": 1}


def test_folders_are_made_and_nothing_else_is_left(tmp_path):
    write(tmp_path / "out" / "a.json")

    assert [path.name for path in (tmp_path / "out").iterdir()] == ["a.json"]


def test_the_old_file_stays_where_writing_fails(tmp_path):
    write(tmp_path / "a.json", total={"n": 1})

    with pytest.raises(TypeError):
        write(tmp_path / "a.json", total={"n": object()})
    assert read(tmp_path / "a.json")["total"] == {"n": 1}


@pytest.mark.parametrize("name", ["folder", "file/a.json"])
def test_a_place_that_cannot_be_written_is_bad_input(tmp_path, name):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("")

    with pytest.raises(InputError, match="expected a file to write at"):
        write(tmp_path / name)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder"]


def test_a_run_without_a_model_says_so(tmp_path):
    write(tmp_path / "a.json", model=None)

    assert read(tmp_path / "a.json")["model"] is None
