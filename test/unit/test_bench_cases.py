import math
from dataclasses import replace

import numpy as np
import pytest

from edge_pilot.commands import bench_cases as cases
from edge_pilot.commands.bench_cases import AS_RUN, FLOOR, FULL_HD, HD, PILOT, PLAIN
from edge_pilot.nodes.load_spec import Heard


def row(contender, p50_ms, case=HD, **changed):
    values = np.linspace(0.5 * p50_ms, 1.5 * p50_ms, 101).tolist()
    heard = Heard(published=101, latencies_ms=values, cpu_ms=p50_ms, memory_mb=[100.0])
    return replace(cases.row(case.name, contender, [heard]), **changed)


def failed(rows, **single):
    named = {name.replace("_", "-"): value for name, value in single.items()}
    return [check.what for check in cases.checks(rows, named) if not check.holds]


GOOD = [row(FLOOR, 4.0), row(PLAIN, 9.0), row(PILOT, 5.0), row(AS_RUN, 15.0, answered=5)]


def test_what_is_within_every_limit_holds():
    assert failed(GOOD, replay=0.7, start_up=3.0, memory=1.0) == []


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([row(FLOOR, 4.0), row(PILOT, 5.31)], "(1.25 x floor + 0.3 ms)"),
        ([row(PLAIN, 7.9), row(PILOT, 5.0)], "pilot p50 / plain"),
        ([row(AS_RUN, 12.4, answered=5), row(PILOT, 5.0)], "pilot p50 / plain as run"),
        ([row(AS_RUN, 15.0, answered=60), row(PILOT, 5.0)], "share of frames"),
        ([row(PILOT, 5.0, lost=1)], "frames lost"),
        ([row(PILOT, 5.0, p99_ms=15.1)], "p99 / p50"),
        ([row(PILOT, 5.0, FULL_HD, lost=1)], "frames lost"),
        ([row(PLAIN, 9.9, FULL_HD), row(PILOT, 5.0, FULL_HD)], "pilot p50 / plain"),
    ],
)
def test_what_is_beyond_a_limit_is_named(rows, expected):
    (what,) = failed(rows)
    assert what.endswith(expected) or expected in what


def test_replay_start_up_and_memory_have_their_limits():
    assert len(failed([], replay=0.69, start_up=3.01, memory=1.01)) == 3


def test_a_pilot_that_never_answered_fails():
    nothing = cases.row(HD.name, PILOT, [Heard(published=10, lost=10, memory_mb=[1.0])])
    assert math.isnan(nothing.p50_ms)
    assert len(failed([nothing, row(FLOOR, 4.0)])) == 3


def test_rounds_are_put_together():
    parts = [
        Heard(published=2, latencies_ms=[1.0, 3.0], cpu_ms=1.0, memory_mb=[1.0, 5.0], lost=1),
        Heard(published=1, latencies_ms=[2.0], cpu_ms=3.0, memory_mb=[4.0], superseded=2),
    ]
    both = cases.row("case", PILOT, parts)
    assert (both.published, both.answered, both.lost, both.superseded) == (3, 3, 1, 2)
    assert (both.p50_ms, both.cpu_ms, both.memory_mb) == (2.0, 2.0, 5.0)


def test_memory_that_grows_after_it_has_settled_is_a_slope():
    frames, samples = 20_000, np.concatenate([np.full(10, 50.0), 100.0 + 0.02 * np.arange(90)])
    assert cases.slope_mb(samples.tolist(), frames) == pytest.approx(1.0)
    assert cases.slope_mb([50.0] * 10 + [100.0] * 90, frames) == pytest.approx(0.0, abs=1e-9)


def test_a_ratio_that_grew_by_more_than_15_percent_is_worse():
    before = cases.ratios(GOOD, {"replay": 0.8})
    assert cases.worse(before, before) == []
    now = {name: 1.16 * value for name, value in before.items()}
    assert len(cases.worse(now, before)) == len(before) == 3
    assert cases.worse({**now, "new": 9.0}, {}) == []
    assert len(cases.worse(dict.fromkeys(before, math.nan), before)) == 3


def test_the_usual_cases_are_some_of_all_and_have_each_size_and_encoding():
    assert set(cases.USUAL) < set(cases.ALL)
    assert {HD, FULL_HD} <= set(cases.USUAL)
    assert len({case.name for case in cases.ALL}) == len(cases.ALL) == 24
    assert {(case.width_px, case.encoding) for case in cases.USUAL} == {
        (width, encoding) for width in cases.WIDTHS_PX for encoding in cases.ENCODINGS
    }
