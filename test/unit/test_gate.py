import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_pilot.config import Config
from edge_pilot.control.longitudinal import pedals
from edge_pilot.safety.gate import (
    ABSURD_MPS2,
    ABSURD_RAD,
    FASTEST_MPS,
    FUTURE_TOLERANCE_NS,
    HOLDING_MPS2,
    LAST_NS,
    LIMITS,
    MOST_TOLD,
    REFUSALS,
    ROUNDING,
    SENTENCES,
    WITHIN_LIMITS,
    Past,
    begin,
    hand_over,
    judge,
    limit,
)
from edge_pilot.types import Command

CONFIG = Config()
SAFETY = CONFIG.safety
WHEELBASE_M = CONFIG.vehicle.wheelbase_m
NOW_NS = 1_700_000_000_000_000_000
MS = 1_000_000
SLOW = 2.0  # m/s: there the steering's own limits are the narrowest
BEFORE = Past(Command(NOW_NS - 50 * MS, 0.0, 0.0))
GOOD = Command(NOW_NS - 30 * MS, 0.01, 1.0)

STAMPS = st.integers(-(2**63), 2**63 - 1)
NEAR = st.integers(-(10**9), 10**9).map(lambda offset_ns: NOW_NS + offset_ns)
NUMBERS = st.floats(allow_nan=True, allow_infinity=True, allow_subnormal=True)
STEERINGS = st.floats(-SAFETY.max_steering_rad, SAFETY.max_steering_rad)


def told(steering_rad=0.0, acceleration_mps2=0.0, *, age_ms=50, **more):
    return Past(Command(NOW_NS - age_ms * MS, steering_rad, acceleration_mps2), **more)


def ask(past=BEFORE, speed_mps=SLOW, now_ns=NOW_NS, config=CONFIG, **changes):
    return judge(replace(GOOD, **changes), past, speed_mps, now_ns, config)


def lateral(steering_rad, speed_mps):
    return speed_mps**2 * math.tan(steering_rad) / WHEELBASE_M


def angle(lateral_mps2, speed_mps):
    return math.atan(lateral_mps2 * WHEELBASE_M / speed_mps**2)


def test_it_begins_with_a_car_that_is_held():
    past = begin(7)
    assert past.command == Command(7, 0.0, HOLDING_MPS2)
    assert (past.lateral, past.accepted_ns, past.settled_ns) == ((), None, None)


def test_what_is_within_limits_passes_unchanged_with_the_moment_of_decision():
    verdict = ask()
    assert verdict.code == WITHIN_LIMITS
    assert verdict.sentence == "The proposal is within all limits."
    assert verdict.command == replace(GOOD, stamp_ns=NOW_NS)


def test_a_verdict_remembers_what_the_next_one_needs():
    past = ask(past=told(settled_ns=5)).past
    assert past.command == replace(GOOD, stamp_ns=NOW_NS)
    assert past.accepted_ns == GOOD.stamp_ns
    assert past.settled_ns == 5
    assert past.lateral == ((NOW_NS, pytest.approx(lateral(0.01, SLOW))),)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("name", ["steering_rad", "acceleration_mps2"])
def test_a_number_that_is_not_finite_is_refused_and_leaves_no_trace(name, value):
    verdict = ask(**{name: value})
    assert (verdict.code, verdict.command, verdict.past) == ("not_finite", None, BEFORE)


@pytest.mark.parametrize("stamp_ns", [math.nan, math.inf, -math.inf, LAST_NS + 1, -LAST_NS - 1])
@pytest.mark.parametrize("whose", ["proposal", "clock"])
def test_what_is_no_moment_is_refused(whose, stamp_ns):
    changes = {"stamp_ns": stamp_ns} if whose == "proposal" else {"now_ns": stamp_ns}
    assert ask(**changes).code == "no_clock"


@pytest.mark.parametrize("now_ns", [LAST_NS, -LAST_NS])
def test_the_first_and_the_last_moment_are_moments(now_ns):
    assert ask(now_ns=now_ns, stamp_ns=now_ns, steering_rad=0.0).code == WITHIN_LIMITS


@pytest.mark.parametrize(
    ("name", "most"), [("steering_rad", ABSURD_RAD), ("acceleration_mps2", ABSURD_MPS2)]
)
@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_what_no_car_can_do_is_refused_not_clamped(name, most, sign):
    assert ask(**{name: sign * most}).code in LIMITS
    assert ask(**{name: sign * math.nextafter(most, math.inf)}).code == "absurd"


@pytest.mark.parametrize(("age_ns", "code"), [(0, WITHIN_LIMITS), (1, "too_old")])
def test_an_image_is_refused_once_it_is_older_than_permitted(age_ns, code):
    assert ask(stamp_ns=NOW_NS - 200 * MS - age_ns).code == code


@pytest.mark.parametrize(("excess_ns", "code"), [(0, WITHIN_LIMITS), (1, "from_future")])
def test_an_image_from_the_future_is_refused_beyond_a_small_tolerance(excess_ns, code):
    assert ask(stamp_ns=NOW_NS + FUTURE_TOLERANCE_NS + excess_ns).code == code


@pytest.mark.parametrize(("newer_ns", "code"), [(1, WITHIN_LIMITS), (0, "not_newer")])
def test_an_image_must_be_newer_than_the_last_accepted(newer_ns, code):
    assert ask(past=told(accepted_ns=GOOD.stamp_ns - newer_ns)).code == code


@pytest.mark.parametrize("speed_mps", [math.nan, math.inf, -math.inf, 150.1, -150.1])
def test_without_a_speed_nothing_is_accepted(speed_mps):
    assert ask(speed_mps=speed_mps).code == "no_motion"


def test_the_fastest_speed_is_one():
    assert ask(speed_mps=FASTEST_MPS, steering_rad=0.0).code == WITHIN_LIMITS


@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_the_steering_angle_is_limited(sign):
    verdict = ask(past=told(sign * 0.6), steering_rad=sign * 0.9)
    assert (verdict.code, verdict.command.steering_rad) == ("steering_angle", sign * 0.6)


@pytest.mark.parametrize("sign", [-1.0, 1.0])
@pytest.mark.parametrize("speed_mps", [5.0, 14.0, -14.0, 30.0])
def test_the_lateral_acceleration_is_limited_whatever_the_speed(speed_mps, sign):
    near = sign * angle(2.9, speed_mps)
    past = told(near, lateral=((NOW_NS - 50 * MS, sign * 2.9),))
    verdict = ask(past=past, speed_mps=speed_mps, steering_rad=2.0 * near)
    assert verdict.code == "lateral_acceleration"
    assert lateral(verdict.command.steering_rad, speed_mps) == pytest.approx(sign * 3.0)


@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_the_lateral_jerk_is_limited_over_half_a_second(sign):
    begun = ((NOW_NS - 500 * MS, sign * -1.0), (NOW_NS - 50 * MS, sign * 0.5))
    past = told(sign * angle(0.5, 14.0), lateral=begun)
    verdict = ask(past=past, speed_mps=14.0, steering_rad=sign * angle(2.5, 14.0))
    assert verdict.code == "lateral_jerk"
    assert lateral(verdict.command.steering_rad, 14.0) == pytest.approx(sign * 1.5)


def test_what_is_longer_ago_than_half_a_second_is_no_jerk():
    past = told(angle(0.5, 14.0), lateral=((NOW_NS - 501 * MS, -2.0),))
    assert ask(past=past, speed_mps=14.0, steering_rad=angle(2.0, 14.0)).code == WITHIN_LIMITS


@pytest.mark.parametrize("held", [-0.4, 0.4])
def test_holding_the_steering_is_no_jerk_however_the_speed_changes(held):
    past = told(held, lateral=((NOW_NS - 50 * MS, math.copysign(2.9, held)),))
    assert ask(past=past, speed_mps=0.5, steering_rad=held).code == WITHIN_LIMITS


def test_where_the_car_is_too_fast_for_its_steering_nothing_is_accepted():
    verdict = ask(past=told(0.3), speed_mps=30.0, steering_rad=0.0)
    assert (verdict.code, verdict.command) == ("unreachable", None)
    assert verdict.past == told(0.3)


def test_what_rounding_leaves_is_not_unreachable():
    reach = 0.4 * 0.05
    held = angle(3.0, 10.0) + reach
    assert ask(told(held + 0.5 * ROUNDING), 10.0, steering_rad=0.0).code != "unreachable"
    assert ask(told(held + 2.0 * ROUNDING), 10.0, steering_rad=0.0).code == "unreachable"
    held = -held
    assert ask(told(held - 0.5 * ROUNDING), 10.0, steering_rad=0.0).code != "unreachable"
    assert ask(told(held - 2.0 * ROUNDING), 10.0, steering_rad=0.0).code == "unreachable"


@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_the_steering_rate_is_limited_by_the_time_since_the_last_output(sign):
    verdict = ask(steering_rad=sign * 0.5)
    assert verdict.code == "steering_rate"
    assert verdict.command.steering_rad == pytest.approx(sign * 0.4 * 0.05)


def test_a_pause_permits_no_larger_step_of_the_steering_than_two_output_periods():
    verdict = ask(past=told(age_ms=10_000), steering_rad=0.5)
    assert verdict.command.steering_rad == pytest.approx(0.4 * 2 * 0.05)


def test_the_steering_is_held_while_the_clock_does_not_advance():
    verdict = ask(past=told(0.2, age_ms=-1), steering_rad=0.5)
    assert (verdict.command.steering_rad, verdict.code) == (0.2, "steering_rate")


@pytest.mark.parametrize(("wanted", "given_mps2"), [(9.0, 2.0), (-9.0, -8.0)])
def test_the_acceleration_is_limited_both_ways(wanted, given_mps2):
    verdict = ask(acceleration_mps2=wanted)
    assert (verdict.code, verdict.command.acceleration_mps2) == ("acceleration", given_mps2)


def test_the_first_limit_that_is_met_gives_the_code():
    assert ask(steering_rad=0.9, acceleration_mps2=9.0).code == "steering_angle"


@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_after_a_hand_over_the_steering_is_slower(sign):
    past = hand_over(told(), NOW_NS - 1000 * MS + 1, SAFETY)
    verdict = ask(past=past, steering_rad=sign * 0.5, acceleration_mps2=0.0)
    assert verdict.command.steering_rad == pytest.approx(sign * 0.5 * 0.4 * 0.05)
    verdict = ask(past=past, steering_rad=sign * 0.015, acceleration_mps2=0.0)
    assert verdict.code == "transition"


def test_after_a_hand_over_the_acceleration_rises_slowly_and_falls_at_once():
    past = hand_over(told(acceleration_mps2=-1.0), NOW_NS, SAFETY)
    verdict = ask(past=past, acceleration_mps2=1.0)
    assert verdict.code == "transition"
    assert verdict.command.acceleration_mps2 == pytest.approx(-1.0 + 5.0 * 0.05)
    assert ask(past=past, acceleration_mps2=-8.0).command.acceleration_mps2 == -8.0
    assert ask(past=past, acceleration_mps2=-0.9).code == WITHIN_LIMITS
    assert ask(past=past, acceleration_mps2=-9.0).code == "acceleration"


def test_a_transition_never_brakes_harder_than_permitted():
    past = hand_over(told(acceleration_mps2=-20.0), NOW_NS, SAFETY)
    assert ask(past=past).command.acceleration_mps2 == -8.0


def test_a_transition_ends():
    past = hand_over(told(acceleration_mps2=-1.0), NOW_NS - 1000 * MS, SAFETY)
    assert ask(past=past).code == WITHIN_LIMITS


def test_what_is_refused_says_why_with_numbers():
    verdict = ask(stamp_ns=NOW_NS - 312 * MS)
    assert verdict.sentence == "The proposal's image is 312 ms old; 200 ms are permitted."
    ahead = ask(stamp_ns=NOW_NS + 45 * MS)
    assert ahead.sentence == "The proposal's image is 45 ms ahead of the clock."


def test_each_code_has_one_sentence_that_names_its_limit():
    assert SENTENCES.keys() == REFUSALS.keys() | LIMITS.keys() | {WITHIN_LIMITS}
    assert all(text.endswith(".") and "\n" not in text for text in SENTENCES.values())
    assert ask(steering_rad=0.5).sentence == "The steering is limited to 0.40 rad/s."
    sentence = "The steering cannot be brought within its limits in time."
    assert ask(told(0.3), 30.0).sentence == sentence


class TestLimit:
    """What replaces a proposal is limited too, but never refused."""

    def test_a_command_within_limits_is_told_as_it_is(self):
        before = told(accepted_ns=3, settled_ns=4)
        past = limit(Command(0, 0.01, -3.0), before, SLOW, NOW_NS, CONFIG)
        assert past.command == Command(NOW_NS, 0.01, -3.0)
        assert (past.accepted_ns, past.settled_ns) == (3, 4)
        assert past.lateral == ((NOW_NS, pytest.approx(lateral(0.01, SLOW))),)

    @pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
    def test_what_is_not_finite_holds_the_steering_or_brakes_fully(self, value):
        past = limit(Command(0, value, value), told(0.2), SLOW, NOW_NS, CONFIG)
        assert past.command == Command(NOW_NS, 0.2, -8.0)
        past = limit(Command(0, 0.21, value), told(0.2), SLOW, NOW_NS, CONFIG)
        assert past.command == Command(NOW_NS, 0.21, -8.0)

    @pytest.mark.parametrize("speed_mps", [math.nan, math.inf, 151.0])
    def test_without_a_speed_the_steering_is_held(self, speed_mps):
        past = limit(Command(0, 0.21, -3.0), told(0.2), speed_mps, NOW_NS, CONFIG)
        assert past.command == Command(NOW_NS, 0.2, -3.0)
        assert past.lateral == ()

    @pytest.mark.parametrize("now_ns", [math.nan, math.inf, LAST_NS + 1])
    def test_without_a_clock_time_stands_still(self, now_ns):
        past = limit(Command(0, 0.3, -3.0), told(0.2), SLOW, now_ns, CONFIG)
        assert past.command == Command(NOW_NS - 50 * MS, 0.2, -3.0)

    @pytest.mark.parametrize("sign", [-1.0, 1.0])
    def test_the_rate_is_kept_where_the_limits_contradict_one_another(self, sign):
        past = limit(Command(0, 0.0, -3.0), told(sign * 0.3), 8.0, NOW_NS, CONFIG)
        assert past.command.steering_rad == pytest.approx(sign * (0.3 - 0.4 * 0.05))

    def test_the_lateral_acceleration_is_kept_where_it_can_be(self):
        past = limit(Command(0, 0.5, -3.0), told(angle(2.9, 10.0)), 10.0, NOW_NS, CONFIG)
        assert lateral(past.command.steering_rad, 10.0) == pytest.approx(3.0)

    def test_the_acceleration_is_limited(self):
        past = limit(Command(0, 0.0, 5.0), told(), SLOW, NOW_NS, CONFIG)
        assert past.command.acceleration_mps2 == 2.0

    def test_what_is_half_a_second_old_is_forgotten(self):
        old = ((NOW_NS - 501 * MS, 1.0), (NOW_NS - 500 * MS, 2.0), (NOW_NS + 501 * MS, 3.0))
        past = limit(Command(0, 0.0, 0.0), told(lateral=old), SLOW, NOW_NS, CONFIG)
        assert past.lateral == ((NOW_NS - 500 * MS, 2.0), (NOW_NS, 0.0))

    def test_however_often_it_is_told_something_it_remembers_a_bounded_number(self):
        many = tuple((NOW_NS - MOST_TOLD + i, float(i)) for i in range(MOST_TOLD))
        past = limit(Command(0, 0.0, 0.0), told(lateral=many), SLOW, NOW_NS, CONFIG)
        assert len(past.lateral) == MOST_TOLD
        assert past.lateral[:2] == many[1:3]
        assert past.lateral[-1] == (NOW_NS, 0.0)


SEQUENCES = st.lists(
    st.tuples(
        st.sampled_from(["judge", "limit", "hand over"]),
        NUMBERS | STEERINGS,  # steering
        NUMBERS | st.floats(-9.0, 3.0),  # acceleration
        STAMPS | st.integers(-300, 100) | st.sampled_from([math.nan, math.inf]),  # image
        st.integers(0, 120) | STAMPS | st.sampled_from([math.nan, -math.inf]),  # clock
        NUMBERS | st.floats(0.0, 40.0),  # speed
    ),
    max_size=25,
)


@given(SEQUENCES, st.floats(0.0, 40.0))
def test_whatever_is_proposed_and_however_clocks_run_each_output_is_finite_and_limited(
    steps, own_mps
):
    past, now_ns, accepted = begin(NOW_NS), NOW_NS, []
    for what, steering, acceleration, image, clock, odd_mps in steps:
        is_step = isinstance(clock, int) and abs(clock) <= 120
        now = now_ns + clock * MS if is_step else clock
        stamp = now_ns + image * MS if isinstance(image, int) and abs(image) <= 300 else image
        speed = own_mps if is_step else odd_mps
        before, command = past, Command(stamp, steering, acceleration)
        if what == "hand over":
            past = hand_over(past, now_ns, SAFETY)
            continue
        if what == "judge":
            verdict = judge(command, past, speed, now, CONFIG)
            assert (verdict.command is None) == (verdict.code in REFUSALS)
            assert "{" not in verdict.sentence
            if verdict.command is None:
                assert verdict.past == before
                continue
            past = verdict.past
            assert 0 <= now - stamp + FUTURE_TOLERANCE_NS <= 220 * MS
            assert not accepted or stamp > accepted[-1]
            accepted.append(stamp)
            check_lateral(past, speed)
        else:
            past = limit(command, past, speed, now, CONFIG)
        now_ns = past.command.stamp_ns
        check(past.command, before.command)


def check(command, before):
    assert -LAST_NS <= command.stamp_ns <= LAST_NS
    assert abs(command.steering_rad) <= SAFETY.max_steering_rad
    assert abs(command.steering_rad - before.steering_rad) <= 0.4 * 2 * 0.05 + 1e-9
    assert -SAFETY.max_braking_mps2 <= command.acceleration_mps2 <= SAFETY.max_acceleration_mps2
    throttle, brake = pedals(command.acceleration_mps2, CONFIG.vehicle)
    assert throttle * brake == 0.0


def check_lateral(past, speed_mps):
    given_mps2 = lateral(past.command.steering_rad, speed_mps)
    assert abs(given_mps2) <= SAFETY.max_lateral_acceleration_mps2 + 1e-6


@given(
    st.lists(st.floats(-1.5, 1.5), min_size=15, max_size=40),
    st.floats(1.0, 40.0),
    st.floats(0.005, 0.1),
)
def test_at_a_steady_speed_the_jerk_over_half_a_second_stays_within_its_limit(
    steerings, speed_mps, period_s
):
    past, now_ns, given_mps2 = begin(NOW_NS), NOW_NS, []
    for steering in steerings:
        now_ns += int(period_s * 1e9)
        past = judge(Command(now_ns, steering, 0.0), past, speed_mps, now_ns, CONFIG).past
        given_mps2.append(lateral(past.command.steering_rad, speed_mps))
    back = max(1, int(0.5 / period_s))
    for one in range(len(given_mps2)):
        window = given_mps2[max(0, one - back) : one + 1]
        assert max(window) - min(window) <= 2.5 + 1e-6
