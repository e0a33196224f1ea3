import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_pilot.config import SafetyConfig
from edge_pilot.safety.gate import (
    FUTURE_TOLERANCE_NS,
    LIMITS,
    REFUSALS,
    SENTENCES,
    WITHIN_LIMITS,
    judge,
    limit,
)
from edge_pilot.types import Command

SAFETY = SafetyConfig()
NOW_NS = 1_700_000_000_000_000_000
MS = 1_000_000
PREVIOUS = Command(NOW_NS - 50 * MS, 0.0, 0.0)
GOOD = Command(NOW_NS - 30 * MS, 0.01, 1.0)

STAMPS = st.integers(-(2**63), 2**63 - 1)
NEAR_STAMPS = st.integers(-(10**9), 10**9).map(lambda offset_ns: NOW_NS + offset_ns)
NUMBERS = st.floats(allow_nan=True, allow_infinity=True)
STEERINGS = st.floats(-SAFETY.max_steering_rad, SAFETY.max_steering_rad)


def test_what_is_within_limits_passes_unchanged_with_the_moment_of_decision():
    verdict = judge(GOOD, PREVIOUS, NOW_NS, SAFETY)
    assert verdict.code == WITHIN_LIMITS
    assert verdict.command == replace(GOOD, stamp_ns=NOW_NS)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("name", ["steering_rad", "acceleration_mps2"])
def test_a_number_that_is_not_finite_is_refused(name, value):
    verdict = judge(replace(GOOD, **{name: value}), PREVIOUS, NOW_NS, SAFETY)
    assert (verdict.code, verdict.command) == ("not_finite", None)


@pytest.mark.parametrize(("age_ms", "code"), [(200, WITHIN_LIMITS), (201, "too_old")])
def test_an_image_is_refused_once_it_is_older_than_permitted(age_ms, code):
    verdict = judge(replace(GOOD, stamp_ns=NOW_NS - age_ms * MS), PREVIOUS, NOW_NS, SAFETY)
    assert verdict.code == code


@pytest.mark.parametrize(("excess_ns", "code"), [(0, WITHIN_LIMITS), (1, "from_future")])
def test_an_image_from_the_future_is_refused_beyond_a_small_tolerance(excess_ns, code):
    proposal = replace(GOOD, stamp_ns=NOW_NS + FUTURE_TOLERANCE_NS + excess_ns)
    assert judge(proposal, PREVIOUS, NOW_NS, SAFETY).code == code


@pytest.mark.parametrize(("newer_ns", "code"), [(1, WITHIN_LIMITS), (0, "not_newer")])
def test_an_image_must_be_newer_than_the_last_accepted(newer_ns, code):
    accepted_ns = GOOD.stamp_ns - newer_ns
    assert judge(GOOD, PREVIOUS, NOW_NS, SAFETY, accepted_ns).code == code


@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_the_steering_angle_is_limited(sign):
    previous = replace(PREVIOUS, steering_rad=sign * 0.6)
    verdict = judge(replace(GOOD, steering_rad=sign * 0.9), previous, NOW_NS, SAFETY)
    assert (verdict.code, verdict.command.steering_rad) == ("steering_angle", sign * 0.6)


@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_the_steering_rate_is_limited_by_the_time_since_the_last_output(sign):
    verdict = judge(replace(GOOD, steering_rad=sign * 0.5), PREVIOUS, NOW_NS, SAFETY)
    assert verdict.code == "steering_rate"
    assert verdict.command.steering_rad == pytest.approx(sign * 0.4 * 0.05)


def test_a_pause_permits_no_larger_step_of_the_steering_than_two_output_periods():
    previous = replace(PREVIOUS, stamp_ns=NOW_NS - 10_000 * MS)
    command, _ = limit(replace(GOOD, steering_rad=0.5), previous, NOW_NS, SAFETY)
    assert command.steering_rad == pytest.approx(0.4 * 2 * 0.05)


def test_the_steering_is_held_while_the_clock_does_not_advance():
    previous = Command(NOW_NS + MS, 0.2, 0.0)
    command, code = limit(replace(GOOD, steering_rad=0.5), previous, NOW_NS, SAFETY)
    assert (command.steering_rad, code) == (0.2, "steering_rate")


@pytest.mark.parametrize(("wanted", "given_mps2"), [(9.0, 2.0), (-9.0, -8.0)])
def test_the_acceleration_is_limited_both_ways(wanted, given_mps2):
    verdict = judge(replace(GOOD, acceleration_mps2=wanted), PREVIOUS, NOW_NS, SAFETY)
    assert (verdict.code, verdict.command.acceleration_mps2) == ("acceleration", given_mps2)


def test_what_is_refused_says_why_with_numbers():
    verdict = judge(replace(GOOD, stamp_ns=NOW_NS - 312 * MS), PREVIOUS, NOW_NS, SAFETY)
    assert verdict.sentence == "The proposal's image is 312 ms old; 200 ms are permitted."


def test_each_code_has_one_sentence():
    assert SENTENCES.keys() == REFUSALS.keys() | LIMITS.keys() | {WITHIN_LIMITS}
    assert all(text.endswith(".") and "\n" not in text for text in SENTENCES.values())


@given(
    proposal=st.builds(Command, STAMPS | NEAR_STAMPS, NUMBERS | STEERINGS, NUMBERS),
    previous=st.builds(Command, STAMPS | NEAR_STAMPS, STEERINGS, st.floats(-8.0, 2.0)),
    now_ns=STAMPS | st.just(NOW_NS),
    accepted_ns=st.none() | STAMPS | NEAR_STAMPS,
)
def test_whatever_is_proposed_only_a_fresh_finite_limited_command_comes_out(
    proposal, previous, now_ns, accepted_ns
):
    verdict = judge(proposal, previous, now_ns, SAFETY, accepted_ns)
    assert "{" not in verdict.sentence
    if verdict.command is None:
        assert verdict.code in REFUSALS
        return
    command = verdict.command
    assert -FUTURE_TOLERANCE_NS <= now_ns - proposal.stamp_ns <= 200 * MS
    assert accepted_ns is None or proposal.stamp_ns > accepted_ns
    assert abs(command.steering_rad) <= SAFETY.max_steering_rad
    assert abs(command.steering_rad - previous.steering_rad) <= 0.4 * 2 * 0.05 + 1e-12
    assert -SAFETY.max_braking_mps2 <= command.acceleration_mps2 <= SAFETY.max_acceleration_mps2


@given(
    wanted=st.builds(Command, STAMPS, st.floats(-1e300, 1e300), st.floats(-1e300, 1e300)),
    previous=st.builds(Command, STAMPS | NEAR_STAMPS, STEERINGS, st.floats(-8.0, 2.0)),
    now_ns=STAMPS | NEAR_STAMPS,
)
def test_the_code_says_whether_and_where_a_command_was_limited(wanted, previous, now_ns):
    command, code = limit(wanted, previous, now_ns, SAFETY)
    is_same = replace(command, stamp_ns=wanted.stamp_ns) == wanted
    assert is_same == (code == WITHIN_LIMITS)
    assert is_same or code in LIMITS
