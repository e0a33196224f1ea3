import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_pilot.ego import MAX_GAP_S, EgoFilter
from edge_pilot.types import NANOSECONDS, Imu

DT_NS = NANOSECONDS // 100
GRAVITY = 9.81


def imu(stamp_ns, ax=0.0, ay=0.0, yaw_rate=0.0):
    return Imu(stamp_ns, (ax, ay, GRAVITY), (0.0, 0.0, yaw_rate))


def feed(ego, seconds, start_ns=0, noise=None, **values):
    """Feed samples at 100 Hz, and give the stamp of the next."""
    for step in range(round(seconds * 100)):
        noisy = {
            name: v + (noise.normal(0.0, 0.05) if noise else 0.0) for name, v in values.items()
        }
        ego.add_imu(imu(start_ns + step * DT_NS, **noisy))
    return start_ns + round(seconds * 100) * DT_NS


def test_a_steady_acceleration_is_integrated():
    ego = EgoFilter()
    feed(ego, 4.01, ax=1.5)
    assert ego.state().speed_mps == pytest.approx(6.0, abs=0.01)


def test_the_stamp_and_the_yaw_rate_are_those_of_the_newest_sample():
    ego = EgoFilter()
    ego.add_imu(imu(5, yaw_rate=0.3))
    assert (ego.state().stamp_ns, ego.state().yaw_rate_radps) == (5, 0.3)


def test_odometry_corrects_the_speed_and_finds_the_accelerometer_s_bias():
    ego, bias = EgoFilter(), 0.3
    end_ns = 0
    for _ in range(400):
        end_ns = feed(ego, 0.05, end_ns, ax=bias)
        ego.add_speed(end_ns, 10.0)
    feed(ego, 2.0, end_ns, ax=bias)
    assert ego.state().speed_mps == pytest.approx(10.0, abs=0.2)


@pytest.mark.parametrize("slope_mps2", [0.0, 0.1, -0.25, 0.25])
def test_a_car_that_stands_on_a_slope_is_known_to_stand_despite_noise(slope_mps2):
    ego = EgoFilter()
    feed(ego, 60.0, ax=slope_mps2, noise=np.random.default_rng(1))
    assert ego.state().speed_mps < 0.1


def test_a_car_that_stops_is_known_to_stand_though_its_speed_was_off():
    ego = EgoFilter()
    end_ns = feed(ego, 4.0, ax=2.0)
    end_ns = feed(ego, 4.0, end_ns, ax=-1.7)  # as it felt, with 1.2 m/s left
    feed(ego, 2.0, end_ns)
    assert ego.state().speed_mps < 0.1


def test_a_slow_bend_is_not_taken_for_standing():
    ego = EgoFilter()
    end_ns = feed(ego, 1.0, ax=1.5)
    feed(ego, 3.0, end_ns, ay=1.5 * 0.2, yaw_rate=0.2)
    assert ego.state().speed_mps == pytest.approx(1.5, abs=0.1)


def test_a_bend_corrects_the_speed_without_odometry():
    ego, speed, rate = EgoFilter(), 8.0, 0.25
    end_ns = feed(ego, 4.0, ax=2.4)  # 20 % more than the true 8 m/s
    feed(ego, 3.0, end_ns, ay=speed * rate, yaw_rate=rate)
    assert ego.state().speed_mps == pytest.approx(speed, abs=0.4)


def test_the_speed_is_never_negative():
    ego = EgoFilter()
    feed(ego, 1.0, ax=-3.0)
    assert ego.state().speed_mps == 0.0


def test_a_gap_is_not_integrated_over():
    ego = EgoFilter()
    ego.add_imu(imu(0, ax=2.0))
    ego.add_imu(imu(round((MAX_GAP_S + 0.1) * NANOSECONDS), ax=2.0))
    assert ego.state().speed_mps == 0.0


def test_a_sample_that_comes_late_changes_nothing():
    ego = EgoFilter()
    end_ns = feed(ego, 1.0, ax=2.0)
    before = ego.state()
    ego.add_imu(imu(end_ns - 5 * DT_NS, ax=-9.0, yaw_rate=1.0))
    assert ego.state() == before


def test_a_clock_that_was_set_back_begins_anew():
    ego = EgoFilter()
    feed(ego, 2.0, 10 * NANOSECONDS, ax=2.0)
    feed(ego, 1.01, 0, ax=1.0)
    assert ego.state().speed_mps == pytest.approx(1.0, abs=0.01)
    assert ego.state().stamp_ns == 100 * DT_NS


@pytest.mark.parametrize("value", [math.nan, math.inf, 1e3])
@pytest.mark.parametrize("name", ["ax", "ay", "yaw_rate"])
def test_a_sample_that_no_car_can_give_is_ignored(name, value):
    ego = EgoFilter()
    feed(ego, 1.0, ax=1.0)
    before = ego.state()
    ego.add_imu(imu(NANOSECONDS, **{name: value}))
    assert ego.state() == before


@pytest.mark.parametrize(
    ("speed_mps", "std_mps"), [(math.nan, 0.1), (1e6, 0.1), (5.0, math.nan), (5.0, 0.0)]
)
def test_a_speed_that_cannot_be_is_ignored(speed_mps, std_mps):
    ego = EgoFilter()
    ego.add_imu(imu(0))
    ego.add_speed(1, speed_mps, std_mps)
    assert ego.state().speed_mps == 0.0


def test_a_speed_from_before_the_clock_was_set_is_ignored():
    ego = EgoFilter()
    ego.add_imu(imu(10 * NANOSECONDS))
    ego.add_speed(0, 20.0)
    assert ego.state().speed_mps == 0.0


def test_the_age_is_that_of_the_newest_inertial_sample():
    ego = EgoFilter()
    assert ego.age_s(0) == math.inf
    ego.add_imu(imu(NANOSECONDS))
    ego.add_speed(2 * NANOSECONDS, 5.0)
    assert ego.age_s(3 * NANOSECONDS) == 2.0


def fix(east, north):
    """Give latitude and longitude of a place on the equator, where a degree is known well."""
    return math.degrees(north / 6335439.3), math.degrees(east / 6378137.0)


def drive(ego, seconds, start_s=0.0, speed=10.0, heading=0.8, rate=0.0, fixes=True, odometry=True,
          bias=0.0, drift=0.0, jump_m=0.0, noise=None, said=None):  # fmt: skip
    """Drive from (0, 0) as it was at second 0, without a bend before `start_s`; give the place."""
    x, y = start_s * speed * math.cos(heading), start_s * speed * math.sin(heading)
    for step in range(round(seconds * 100)):
        stamp_ns = round(start_s * NANOSECONDS) + step * DT_NS
        ego.add_imu(imu(stamp_ns, bias, speed * rate, rate + drift))
        heading += rate / 100
        x, y = x + speed / 100 * math.cos(heading), y + speed / 100 * math.sin(heading)
        if odometry and step % 2 == 0:
            ego.add_speed(stamp_ns, speed)
        if fixes and step % 10 == 9:
            east, north = noise.normal(0.0, 0.3, 2) if noise else (0.0, 0.0)
            ego.add_fix(stamp_ns + DT_NS, *fix(x + east + jump_m, y + north), 2.0, **(said or {}))
    return x, y, heading


def place(ego):
    return ego.state().x_m, ego.state().y_m


def test_without_gps_the_place_is_counted_from_where_the_car_began():
    ego = EgoFilter()
    x, y, heading = drive(ego, 10.0, heading=0.0, rate=0.1, fixes=False)
    assert place(ego) == pytest.approx((x, y), abs=0.5)
    assert ego.state().heading_rad == pytest.approx(heading, abs=0.01)
    assert not ego.state().is_georeferenced


@pytest.mark.parametrize("heading", [-3.0, -1.0, 0.0, 2.0])
@pytest.mark.parametrize("odometry", [False, True])
def test_fixes_show_heading_and_speed_once_the_car_has_moved(heading, odometry):
    ego = EgoFilter()
    drive(ego, 0.2, heading=heading, odometry=odometry)
    assert ego.state().heading_std_rad == math.pi
    x, y, _ = drive(ego, 20.0, 0.2, heading=heading, odometry=odometry,
                    noise=np.random.default_rng(3))  # fmt: skip
    state = ego.state()
    assert state.is_georeferenced
    assert math.remainder(state.heading_rad - heading, math.tau) == pytest.approx(0.0, abs=0.05)
    assert state.speed_mps == pytest.approx(10.0, abs=0.3)
    assert place(ego) == pytest.approx((x, y), abs=2.0)
    assert ego.fixes_rejected == 0


def test_what_the_receiver_says_of_the_course_counts_at_once():
    ego = EgoFilter()
    drive(ego, 0.3, heading=0.8, odometry=False, said={"speed_mps": 10.0, "course_rad": 0.8})
    assert ego.state().heading_rad == pytest.approx(0.8, abs=0.01)
    assert ego.state().speed_mps == pytest.approx(10.0, abs=0.2)
    assert ego.state().heading_std_rad < 0.02


def test_fixes_find_the_gyroscope_s_bias():
    ego = EgoFilter()
    drive(ego, 40.0, drift=0.01)
    assert ego.state().yaw_rate_radps == pytest.approx(0.0, abs=0.003)
    assert ego.state().heading_rad == pytest.approx(0.8, abs=0.03)


def test_without_gps_the_car_is_less_and_less_sure_and_gps_brings_it_back():
    ego = EgoFilter()
    drive(ego, 20.0)
    before = ego.state().position_std_m
    drive(ego, 30.0, 20.0, fixes=False, drift=0.003)
    lost = ego.state()
    x, y, _ = drive(ego, 10.0, 50.0)
    assert lost.position_std_m > before
    assert ego.state().position_std_m < lost.position_std_m
    assert place(ego) == pytest.approx((x, y), abs=1.0)


def test_a_fix_far_away_is_refused_and_counted():
    ego = EgoFilter()
    drive(ego, 10.0)
    x, y, _ = drive(ego, 0.1, 10.0, jump_m=80.0)
    assert ego.fixes_rejected == 1
    assert place(ego) == pytest.approx((x, y), abs=1.0)


def test_fixes_that_stay_far_away_are_believed_in_the_end():
    ego = EgoFilter()
    drive(ego, 10.0)
    x, y, _ = drive(ego, 15.0, 10.0, jump_m=80.0)
    assert ego.fixes_rejected >= 5
    assert place(ego) == pytest.approx((x + 80.0, y), abs=2.0)


@pytest.mark.parametrize(
    "values",
    [(math.nan, 0.0, 2.0), (0.0, math.inf, 2.0), (95.0, 0.0, 2.0), (0.0, 0.0, 0.0),
     (0.0, 0.0, math.nan)],
)  # fmt: skip
def test_a_fix_that_cannot_be_changes_nothing(values):
    ego = EgoFilter()
    drive(ego, 5.0)
    before = ego.state()
    ego.add_fix(before.stamp_ns, *values)
    assert ego.state() == before


def test_without_an_imu_odometry_and_fixes_follow_a_bend():
    ego, speed, rate = EgoFilter(), 5.0, 0.2
    for step in range(600):
        t = step / 20
        ego.add_speed(round(t * NANOSECONDS), speed)
        if step % 4 == 0:
            x, y = speed / rate * math.sin(rate * t), speed / rate * (1 - math.cos(rate * t))
            ego.add_fix(round(t * NANOSECONDS), *fix(x, y), 0.5)
    assert ego.state().yaw_rate_radps == pytest.approx(rate, abs=0.05)
    assert math.remainder(ego.state().heading_rad - rate * t, math.tau) == pytest.approx(
        0, abs=0.1
    )


@given(st.lists(st.tuples(st.sampled_from("iog"), st.integers(-10**9, 3 * 10**9),
                          st.floats(allow_nan=True), st.floats(-30, 30))))  # fmt: skip
def test_whatever_comes_the_state_stays_finite_and_the_covariance_one(events):
    ego, now_ns = EgoFilter(), 10**12
    for kind, step_ns, wild, value in events:
        now_ns += step_ns
        if kind == "i":
            ego.add_imu(imu(now_ns, value, wild, value / 10))
        elif kind == "o":
            ego.add_speed(now_ns, value)
        else:
            ego.add_fix(now_ns, *fix(value * 10, value), 2.0, wild, wild)
    state = ego.state()
    assert all(math.isfinite(getattr(state, name)) for name in state.__dataclass_fields__)
    assert np.linalg.eigvalsh(ego._p).min() > -1e-6
