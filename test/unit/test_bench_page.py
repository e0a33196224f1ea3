from __future__ import annotations

import pytest

from edge_pilot.commands import bench_cases as cases
from edge_pilot.commands import bench_page
from edge_pilot.commands.bench_cases import FLOOR, HD, PILOT, Check
from edge_pilot.nodes.load_spec import Heard

pytest.importorskip("matplotlib")


def test_the_page_has_a_plot_for_each_case_one_of_the_memory_and_the_verdicts(tmp_path):
    said = [Heard(published=3, latencies_ms=[4.0, 5.0, 6.0], memory_mb=[100.0])]
    heard = {HD.name: {FLOOR: said, PILOT: said}}
    rows = [cases.row(HD.name, name, said) for name in (FLOOR, PILOT)]
    path = tmp_path / "bench.html"

    bench_page.write(path, heard, rows, [Check("frames lost", 1, 0)], [], [100.0, 101.0, 100.0])

    text = path.read_text(encoding="utf-8")
    assert text.count("<svg") == 2
    assert f"Latencies, {HD.name}" in text and "FAILS  frames lost" in text
