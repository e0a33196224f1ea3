import json

import pytest

pytest.importorskip("panda3d", reason="the extra `sim` is not installed")

from edge_pilot.cli import main
from edge_pilot.commands.scenarios import failures, summary
from edge_pilot.sim.trial import Outcome


def outcome(scene="CCRs", passed=True, **changes):
    values = {
        "scene": scene, "seed": 0, "speed_mps": 10.0, "light": "day", "must_brake": True,
        "possible": True, "avoided": passed, "impact_mps": 0.0 if passed else 4.0,
        "min_gap_m": 3.0, "needed_mps2": 1.0, "used_mps2": 2.0, "false_brakes": 0,
        "stood_s": 5.0, "stuck_s": 0.0, "released": True, "distance_m": 100.0, "passed": passed,
    }  # fmt: skip
    return Outcome(**{**values, **changes})


@pytest.fixture(scope="module")
def driven(tmp_path_factory):
    """Two scenes with perfect sight."""
    folder = tmp_path_factory.mktemp("scenarios")
    arguments = ["--driver", "expert", "--scenes", "CCRs,empty", "--speeds", "8", "--seeds", "0"]
    files = ["--json", str(folder / "it.json"), "--out", str(folder)]
    status = main(["scenarios", *arguments, "--processes", "1", *files])
    return status, json.loads((folder / "it.json").read_text()), folder / "scenarios.html"


def test_perfect_sight_passes(driven):
    status, document, _ = driven
    assert status == 0
    assert document["total"]["perfect"]["failed"] == 0
    assert [row["scene"] for row in document["results"]] == ["CCRs", "empty"]
    assert document["results"][0]["released"] is True


def test_the_page_shows_each_scene(driven):
    text = driven[2].read_text()
    assert "All that must hold holds." in text
    assert ">CCRs<" in text
    assert ">1/1<" in text


def test_one_sensor_alone_must_master_some_scenes_only():
    bad = [outcome("CCRs", passed=False), outcome("CCRb-12-6", passed=False)]
    assert failures("both", bad) == bad
    assert failures("lidar", bad) == bad[:1]


def test_a_summary_counts_per_km():
    it = summary("both", [outcome(false_brakes=1), outcome(passed=False, possible=False)])
    assert (it["runs"], it["possible"], it["avoided"], it["failed"]) == (2, 1, 1, 1)
    assert it["false_brakes_per_km"] == pytest.approx(5.0)


@pytest.mark.parametrize(
    "arguments", [["--scenes", "nothing"], ["--sensors", "radar"], ["--speeds", "99"]]
)
def test_what_is_unknown_is_refused_in_one_line(arguments, capsys):
    assert main(["scenarios", *arguments]) == 2
    assert "expected" in capsys.readouterr().err
