"""`edge_pilot replay`, from the arguments to the exit status."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from fakes import bend, outputs, write_model
from replay.make_bags import Record, command, drive, file_of, image, number, write

from edge_pilot import cli

DATA = Path(
    os.environ.get("EDGE_PILOT_DATA", Path(__file__).resolve().parents[3] / "shared" / "data")
)
needs_data = pytest.mark.skipif(
    not (DATA / "bags").is_dir(), reason="needs the recordings of EDGE_PILOT_DATA"
)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """Give a model that always sees a bend of 40 m to the left."""
    return write_model(tmp_path_factory.mktemp("model"), outputs(bend(40.0), 1 / 40))


@pytest.fixture
def replay(model, tmp_path):
    """Give a function that replays a bag: status and what `--json` has."""

    def replay(bag, *arguments):
        file = tmp_path / "result.json"
        given = ["--bag", str(bag), "--model", str(model), "--json", str(file), *arguments]
        status = cli.main(["replay", *given])
        return status, json.loads(file.read_text()) if file.exists() else None

    return replay


def test_a_drive_is_replayed(replay, tmp_path, capsys):
    status, document = replay(write(tmp_path / "drive", drive(frames=6)))

    rows, total = document["results"], document["total"]
    assert (status, len(rows), total["frames"]) == (0, 6, 6)
    assert all(0.05 < row["steering_rad"] < 0.08 for row in rows)  # atan(2.579 / 40) = 0.064
    assert rows[-1]["speed_mps"] > 5.0 and rows[0]["human_steering_rad"] == 0.05
    assert document["topics"]["camera"] == "/camera/image_raw"
    assert f"digest    {total['digest']}" in capsys.readouterr().out


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
def test_the_result_does_not_depend_on_storage_or_run(replay, tmp_path, storage):
    first = replay(write(tmp_path / "first", drive()))[1]

    second = replay(write(tmp_path / "second", drive(), storage))[1]

    assert {**first, "bag": ""} == {**second, "bag": ""}


def test_the_human_is_compared_in_the_given_unit(replay, tmp_path):
    bag = write(tmp_path / "drive", drive())

    same = replay(bag, "--steering-topic", "/steering", "--steering-scale", "-0.03")[1]["total"]
    other = replay(bag, "--steering-topic", "/steering", "--steering-scale", "0.03")[1]["total"]

    assert same["human_mae_rad"] < 0.01 and same["human_sign_errors"] == 0
    assert other["human_mae_rad"] > 0.1 and other["human_sign_errors"] == other["human_turns"] == 5


def test_the_limit_stops_after_so_many_frames(replay, tmp_path):
    bag = write(tmp_path / "drive", drive(frames=6))

    assert replay(bag, "--limit", "2")[1]["total"]["frames"] == 2
    assert replay(bag, "--limit", "0")[0] == 2


def test_zero_header_stamps_give_way_to_record_time(replay, tmp_path, capsys):
    records = [Record("/camera", image(0), stamp) for stamp in (5, 10)]
    bag = write(tmp_path / "drive", records)

    rows = replay(bag)[1]["results"]

    assert [row["stamp_ns"] for row in rows] == [5, 10]
    assert "stamps    record: /camera has header stamps of zero" in capsys.readouterr().out
    assert replay(bag, "--stamps", "header")[1]["results"][1]["stamp_ns"] == 0


def test_an_unusable_picture_is_said_and_gives_status_1(replay, tmp_path, capsys):
    broken = image(1)
    broken.encoding = "technicolor"
    bag = write(tmp_path / "drive", [Record("/a", broken, 1), Record("/a", image(2), 2)])

    status, document = replay(bag)

    assert (status, document["total"]["frames"], document["total"]["unreadable"]) == (1, 1, 1)
    assert "unusable  1 messages, the first: expected" in capsys.readouterr().out


def test_standard_output_is_json_alone(model, tmp_path, capsys):
    bag = write(tmp_path / "drive", drive())

    cli.main(["replay", "--bag", str(bag), "--model", str(model), "--json", "-"])

    assert json.loads(capsys.readouterr().out)["total"]["frames"] == 5


def broken_picture(folder):
    broken = image(1)
    broken.height = 480
    return write(folder / "drive", [Record("/a", broken, 1)])


def truncated(folder):
    file = file_of(write(folder / "drive", drive()))
    file.write_bytes(file.read_bytes()[:-100])
    return file


BAD_BAGS = {
    "nothing there": lambda folder: folder / "nothing",
    "cut off after 25 messages": truncated,
    "got /b (sensor_msgs/msg/JointState), /c (std_msgs/msg/Float32)": lambda folder: write(
        folder / "drive", [Record("/b", command(1, 0.0), 1), Record("/c", number(1.0), 1)]
    ),
    "expected pictures on /a": broken_picture,
}


@pytest.mark.parametrize("expected", BAD_BAGS)
def test_a_bad_bag_is_one_line_and_status_2(replay, tmp_path, capsys, expected):
    status, document = replay(BAD_BAGS[expected](tmp_path))

    output, line = capsys.readouterr()
    assert (status, document, output) == (2, None, "")
    assert line.startswith("edge_pilot: expected ") and expected in line
    assert line.count("\n") == 1


def test_a_bad_model_is_one_line_and_status_2(tmp_path, capsys):
    bag = write(tmp_path / "drive", drive())

    assert cli.main(["replay", "--bag", str(bag), "--model", str(tmp_path / "no.onnx")]) == 2
    assert capsys.readouterr().err.startswith("edge_pilot: expected a model at")


@needs_data
def test_a_real_camera_is_replayed(replay):
    bag = DATA / "bags" / "derived_donkey_compressed_mcap"
    human = ["--steering-topic", "/vehicle/steering_normalized", "--steering-scale", "-0.4"]

    status, document = replay(bag, *human)

    total = document["total"]
    assert (status, total["frames"], total["human_frames"]) == (0, 600, 600)
    assert total["duration_s"] == pytest.approx(30.6, abs=0.1)


@needs_data
def test_every_real_bag_is_replayed_or_refused_in_one_line(replay, capsys):
    bags = [
        path for path in (DATA / "bags").rglob("*") if path.suffix in (".mcap", ".db3", ".zstd")
    ]
    assert len(bags) >= 7

    for bag in bags:
        status, _ = replay(bag, "--limit", "3")
        line = capsys.readouterr().err
        assert status == (0 if "donkey" in bag.name else 2)
        assert line.count("\n") == (1 if status else 0)
