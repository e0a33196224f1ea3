import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_pilot.nodes.meter import WINDOW_NS, Arrivals, Latencies, Stopwatch, is_late
from edge_pilot.types import NANOSECONDS


def counted(sequences):
    arrivals = Arrivals()
    for sequence in sequences:
        arrivals.add(sequence)
    return arrivals


@pytest.mark.parametrize(
    ("sequences", "lost"),
    [([1, 2, 3], 0), ([7, 8], 0), ([1, 3, 7], 4), ([5, 6, 1, 2], 0), ([None, None], 0), ([], 0)],
)
def test_gaps_in_the_sequence_numbers_are_lost_frames(sequences, lost):
    arrivals = counted(sequences)
    assert (arrivals.received, arrivals.lost) == (len(sequences), lost)


@given(st.sets(st.integers(1, 200), min_size=1))
def test_each_frame_between_the_first_and_the_last_is_received_or_lost(sequences):
    arrivals = counted(sorted(sequences))
    assert arrivals.received + arrivals.lost == max(sequences) - min(sequences) + 1


def test_rate_and_percentiles_are_those_of_the_last_seconds():
    latencies = Latencies(deadline_ms=50.0)
    latencies.add(0, 1000.0)
    for step in range(100):
        latencies.add(WINDOW_NS + step, float(step))
    summary = latencies.summary(WINDOW_NS + 99)
    assert summary["rate_hz"] == 100 * NANOSECONDS / WINDOW_NS
    assert summary["latency_p50_ms"] == pytest.approx(49.5)
    assert summary["latency_p99_ms"] == pytest.approx(98.0, abs=0.1)


def test_after_a_while_without_values_only_a_rate_of_zero_is_left():
    latencies = Latencies(deadline_ms=50.0)
    latencies.add(0, 1.0)
    assert latencies.summary(WINDOW_NS) == {"rate_hz": 0.0, "deadline_misses": 0}


def test_what_is_later_than_the_deadline_is_counted_and_said_while_it_is_recent():
    latencies = Latencies(deadline_ms=50.0)
    for latency_ms in (50.0, 50.1, 70.0):
        latencies.add(0, latency_ms)
    assert latencies.misses == 2
    assert latencies.problem(0) == (
        "expected each command within 50 ms of its picture, got 2 of the last 3 later, "
        "2 since the start"
    )
    assert latencies.problem(WINDOW_NS) == ""
    assert latencies.summary(WINDOW_NS)["deadline_misses"] == 2


def test_a_stopwatch_measures_each_stage_from_the_end_of_the_one_before():
    ticks = iter([0, 2_000_000, 7_000_000])
    watch = Stopwatch(lambda: next(ticks))
    watch.lap("read")
    watch.lap("infer")
    assert watch.laps_ms == {"read": 2.0, "infer": 5.0}


@pytest.mark.parametrize(
    ("ahead_ms", "expected"), [(50, False), (0, True), (-50, True), (-500, True), (-501, False)]
)
def test_a_frame_is_late_unless_it_is_newer_or_the_clock_was_set_back(ahead_ms, expected):
    newest_ns = 100 * NANOSECONDS
    assert is_late(newest_ns + ahead_ms * 1_000_000, newest_ns) is expected
