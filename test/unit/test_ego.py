import math

import numpy as np
import pytest

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
