import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_pilot.config import Config
from edge_pilot.sim.vehicle import DT, Vehicle

CONFIG = Config()
LIMITS = CONFIG.vehicle
commands = st.lists(
    st.tuples(st.floats(-0.6, 0.6), st.floats(-8.0, 3.0), st.integers(1, 50)),
    min_size=1,
    max_size=8,
)


def vehicle(speed=0.0, heading=0.0):
    car = Vehicle(CONFIG.vehicle, CONFIG.sim)
    car.place(0.0, 0.0, heading, speed)
    return car


def run(car, steering, acceleration, seconds):
    """Drive on under one command, and give the motion after each step."""
    motions = []
    for _ in range(round(seconds / DT)):
        car.step(steering, acceleration)
        motions.append(car.motion)
    return motions


@pytest.mark.parametrize("acceleration", [0.0, -3.0, -8.0])
@pytest.mark.parametrize("steering", [0.0, 0.5])
def test_a_standing_car_stays_where_it_is(steering, acceleration):
    motion = run(vehicle(heading=0.3), steering, acceleration, 5.0)[-1]
    assert (motion.speed, motion.yaw_rate, motion.acceleration) == (0.0, 0.0, (0.0, 0.0))
    assert motion.heading == pytest.approx(0.3, abs=1e-9)
    assert math.hypot(motion.x, motion.y) < 0.001


@pytest.mark.parametrize("speed", [0.5, 2.5, 8.0, 30.0])
@pytest.mark.parametrize("steering", [0.0, 0.1])
def test_the_full_brake_never_reverses(speed, steering):
    car = vehicle(speed)
    motions = run(car, steering, -8.0, speed / 8.0 + 2.0)
    x, y, heading = np.array([(m.x, m.y, m.heading) for m in motions]).T
    forward = np.diff(x) * np.cos(heading[1:]) + np.diff(y) * np.sin(heading[1:])
    assert forward.min() >= -1e-6
    assert min(m.speed for m in motions) == motions[-1].speed == 0.0


def test_the_full_brake_stops_in_the_distance_of_its_deceleration():
    motion = run(vehicle(14.0), 0.0, -8.0, 4.0)[-1]
    lag_m = 14.0 * CONFIG.sim.acceleration_lag_s
    assert motion.x == pytest.approx(14.0**2 / (2.0 * 8.0) + lag_m, rel=0.03)


@pytest.mark.parametrize("steering", [0.07, 0.2, -0.3])
@pytest.mark.parametrize(("speed", "tolerance"), [(1.0, 0.005), (2.5, 0.03), (4.0, 0.03)])
def test_a_held_wheel_gives_the_kinematic_radius_at_low_speed(steering, speed, tolerance):
    car = vehicle(speed)
    run(car, steering, 0.0, 3.0)
    turn = run(car, steering, 0.0, 3.0)
    chord = math.hypot(turn[-1].x - turn[0].x, turn[-1].y - turn[0].y)
    radius = chord / (2.0 * math.sin(0.5 * (turn[-1].heading - turn[0].heading)))
    assert radius == pytest.approx(LIMITS.wheelbase_m / math.tan(steering), rel=tolerance)


@settings(max_examples=40, deadline=None)
@given(speed=st.floats(0.0, 30.0), commands=commands)
def test_no_bounded_command_breaks_the_model(speed, commands):
    car = vehicle(speed)
    for steering, acceleration, steps in commands:
        for motion in run(car, steering, acceleration, steps * DT):
            flat = (motion.x, motion.y, motion.heading, motion.speed, motion.yaw_rate,
                    motion.steering, *motion.acceleration, motion.pitch, motion.roll)  # fmt: skip
            assert np.isfinite(flat).all()
            assert 0.0 <= motion.speed < 60.0


@settings(max_examples=40, deadline=None)
@given(speed=st.floats(0.0, 30.0), wanted=st.lists(st.floats(-9.0, 9.0), min_size=1, max_size=6))
def test_the_wheel_turns_no_faster_and_no_further_than_it_can(speed, wanted):
    car = vehicle(speed)
    angles = [0.0] + [m.steering for one in wanted for m in run(car, one, 0.0, 0.4)]
    assert np.abs(np.diff(angles)).max() <= LIMITS.max_steering_rate_radps * DT + 1e-9
    assert np.abs(angles).max() <= LIMITS.max_steering_rad + 1e-9


def test_the_wheel_reaches_what_is_commanded():
    angles = [m.steering for m in run(vehicle(5.0), 0.2, 0.0, 2.0)]
    assert angles[-1] == pytest.approx(0.2, abs=1e-3)
    assert angles[20] < 0.1


def test_the_engine_lags_and_is_limited():
    motions = run(vehicle(5.0), 0.0, 99.0, 3.0)
    assert motions[0].acceleration[0] < 0.2
    assert motions[-1].acceleration[0] == pytest.approx(LIMITS.max_acceleration_mps2, rel=0.01)


def test_the_accelerations_are_those_of_the_rear_axle():
    motion = run(vehicle(8.0), 0.1, 0.0, 4.0)[-1]
    assert motion.acceleration[1] == pytest.approx(motion.speed * motion.yaw_rate, rel=0.02)
    assert motion.acceleration[1] > 1.0
    assert abs(motion.acceleration[0]) < 0.3


def test_the_body_dives_when_braking_and_leans_out_of_a_bend():
    braking = run(vehicle(14.0), 0.0, -6.0, 1.0)[-1]
    turning = run(vehicle(10.0), 0.1, 0.0, 3.0)[-1]
    assert 0.02 < braking.pitch < 0.06
    assert braking.roll == 0.0
    assert 0.01 < turning.roll < 0.06


def test_the_same_commands_give_the_same_motion():
    once, again = (run(vehicle(9.0), 0.07, -1.0, 3.0) for _ in range(2))
    assert once == again
