import json

import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed")
pytest.importorskip("panda3d", reason="the extra `sim` is not installed")

from edge_pilot.cli import main

pytestmark = pytest.mark.ros


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """Eight seconds through real nodes, with the video of them."""
    folder = tmp_path_factory.mktemp("demo")
    status = main(["demo", "--seconds", "8", "--seed", "5", "--out", str(folder)])
    return status, json.loads((folder / "demo.json").read_text()), folder


def test_the_car_drives_in_its_lane_and_no_frame_is_lost(demo):
    status, document, _ = demo
    total = document["total"]
    assert status == 0, total
    assert total["distance_m"] > 15.0
    assert (total["departures"], total["frames_lost"]) == (0, 0)


def test_latency_is_that_of_a_live_drive(demo):
    total = demo[1]["total"]
    assert 1.0 < total["latency_p50_ms"] < total["latency_p99_ms"] < 1000.0


def test_the_report_needs_no_other_file(demo):
    page = (demo[2] / "report.html").read_text()
    assert "<svg" in page
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert "https://" not in page


def test_a_model_that_is_missing_is_one_line_and_status_2(capsys, tmp_path):
    assert main(["demo", "--model", "no/such.onnx", "--out", str(tmp_path)]) == 2
    assert capsys.readouterr().err.count("\n") == 1
