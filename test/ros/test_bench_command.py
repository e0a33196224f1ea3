"""The benchmark's parts, in short: what they measure is what they say."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("rclpy")
pytest.importorskip("torch")
pytest.importorskip("panda3d")

from edge_pilot import card, cli, resources
from edge_pilot.commands import bench_live, bench_offline
from edge_pilot.commands.bench_cases import FLOOR, PILOT, PLAIN, Case
from edge_pilot.config import Config

pytestmark = pytest.mark.ros
FRAMES = 30


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bench")
    pictures = np.random.default_rng(0).integers(0, 256, (2, 360, 640, 3), np.uint8)
    for width in (640, 1280, 1920):
        enlarged = pictures.repeat(width // 640, axis=1).repeat(width // 640, axis=2)
        np.save(folder / f"pictures{width}.npy", enlarged)
    return bench_live.Bench(folder, Config(), card.load(resources.model("")))


@pytest.mark.parametrize("contender", [FLOOR, PLAIN, PILOT])
def test_each_contender_answers_all_that_it_is_shown(bench, contender):
    heard = bench.measure(Case(640, "raw", "small"), contender, FRAMES)
    assert heard.published == FRAMES
    assert len(heard.latencies_ms) + heard.superseded == FRAMES
    assert heard.lost == 0
    assert 0.0 < np.median(heard.latencies_ms) < 1000.0
    assert heard.cpu_ms > 0.0 and heard.memory_mb[-1] > 10.0
    assert ("infer_ms" in heard.stages_ms) is (contender == PILOT)


def test_the_pilot_answers_jpeg_with_the_shipped_model(bench):
    heard = bench.measure(Case(640, "jpeg", "shipped"), PILOT, FRAMES)
    assert len(heard.latencies_ms) + heard.superseded == FRAMES


def test_start_up_is_the_time_to_the_first_command(bench):
    assert 0.2 < bench.start_up_s() < 20.0


def test_memory_is_looked_at_again_and_again(bench):
    assert len(bench.memory(200)) == 100


def test_replay_is_compared_with_decoding_and_inference_alone(bench):
    share = bench_offline.share(bench.folder, bench.pictures[640], bench.models["shipped"], 10)
    assert 0.1 < share < 10.0


def test_the_command_prints_writes_and_judges(bench, tmp_path, capsys):
    out, baseline = tmp_path / "out", tmp_path / "baseline.json"
    command = ["bench", "--only", "replay", "--frames", "20", "--out", str(out)]
    for path in bench.pictures.values():
        out.mkdir(exist_ok=True)
        (out / path.name).symlink_to(path)
    cli.main([*command, "--write-baseline", str(baseline)])
    assert "time of replay / decoding and inference alone: " in capsys.readouterr().out
    document = json.loads((out / "bench.json").read_text())
    assert document["machine"]["cores"] >= 1 and document["models"]["shipped"]
    assert (out / "bench.html").stat().st_size > 1000

    ratios = json.loads(baseline.read_text())
    (name,) = ratios["ratios"]
    ratios["ratios"][name] *= 0.2
    baseline.write_text(json.dumps(ratios))
    assert cli.main([*command, "--baseline", str(baseline)]) == 1
    assert f"WORSE  {name}: expected at most 1.15 x " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--frames", "1"], "expected --frames from 20"),
        (["--only", "nothing"], "expected --only to match one of 640x360 raw small, "),
        (["--only", "replay", "--baseline", "no.json"], "expected a baseline of edge_pilot bench"),
    ],
)
def test_bad_options_are_one_line(options, expected, tmp_path, capsys):
    assert cli.main(["bench", "--out", str(tmp_path), *options]) == 2
    errors = capsys.readouterr().err
    assert errors.startswith(f"edge_pilot: {expected}") and errors.count("\n") == 1
    assert not list(Path(tmp_path).iterdir())
