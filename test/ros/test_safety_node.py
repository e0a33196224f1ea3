"""The safety gate as a process: nothing reaches the car but through it."""

from __future__ import annotations

import math
import signal
import time

import numpy as np
import pytest

pytest.importorskip("rclpy")

from ros import harness
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import JointState
from std_msgs.msg import Bool

from edge_pilot import topics
from edge_pilot.config import Config
from edge_pilot.control.lateral import steering_of
from edge_pilot.nodes import messages
from edge_pilot.safety.gate import HOLDING_MPS2

pytestmark = [
    pytest.mark.ros,
    pytest.mark.filterwarnings("ignore:module 'sre_:DeprecationWarning"),  # a parser of rclpy's
]
OUTPUTS = (topics.VEHICLE_COMMAND, topics.SAFETY_STATE, topics.VEHICLE_PEDALS,
           topics.VEHICLE_STEERING_CMD, topics.VEHICLE_BRAKE_CMD)  # fmt: skip
INPUTS = (topics.PILOT_COMMAND, topics.PILOT_PATH, topics.IMU, topics.ODOM, topics.DRIVER_OVERRIDE)
SAFETY = Config().safety
MS = 1_000_000
RADIUS_M, SPEED_MPS = 40.0, 8.0
BEND_RAD = steering_of(1.0 / RADIUS_M, Config().vehicle)
ANGLE = np.arange(0.0, 45.0, 3.0) / RADIUS_M
BEND = RADIUS_M * np.column_stack([np.sin(ANGLE), 1.0 - np.cos(ANGLE)])


class Car:
    """Feeds the safety process as sensors and a pilot do, and reads what it says."""

    def __init__(self, probe):
        self.probe = probe
        self.move()

    def move(self, speed_mps=SPEED_MPS, curvature_1pm=1.0 / RADIUS_M):
        self.speed_mps, self.yaw_rate_radps = speed_mps, speed_mps * curvature_1pm

    def sense(self):
        stamp_ns, rate = time.time_ns(), self.yaw_rate_radps
        self.probe.send(topics.IMU, harness.inertial(stamp_ns, rate, self.speed_mps * rate))
        self.probe.send(topics.ODOM, harness.odometry(stamp_ns, self.speed_mps))

    def propose(self):
        """Sense, and propose well."""
        self.sense()
        stamp_ns = time.time_ns() - 20 * MS
        self.probe.send(topics.PILOT_PATH, harness.planned(stamp_ns, BEND))
        self.probe.send(topics.PILOT_COMMAND, harness.proposal(stamp_ns, BEND_RAD, 0.7))

    def states(self):
        return [harness.said(message) for message in self.probe.heard[topics.SAFETY_STATE]]

    def commands(self):
        return [messages.read_command(m) for m in self.probe.heard[topics.VEHICLE_COMMAND]]

    def period_ms(self):
        """Give the usual time between commands; on a busy machine one may come late."""
        return np.median(np.diff([command.stamp_ns for command in self.commands()])) / MS

    def command_of(self, state):
        """Wait for the command of the same stamp."""
        (command,) = self.probe.until(
            lambda: [c for c in self.commands() if c.stamp_ns == state["stamp_ns"]]
        )
        return command

    def wait(self, state, feed=lambda: None):
        """Wait until the newest state is this one, and give it."""
        self.probe.until(lambda: self.states() and self.states()[-1]["state"] == state, feed)
        return self.states()[-1]

    def engage(self):
        answer = self.probe.until(self._engaged, self.propose)
        assert answer.success
        self.wait("engaged", self.propose)
        self.probe.heard.clear_all()

    def _engaged(self):
        answer = self.probe.call("safety/engage")
        return answer if answer.success else None


@pytest.fixture(scope="module")
def shared_car():
    with harness.probing() as probe, harness.running("safety"):
        probe.listen(*OUTPUTS)
        probe.meet(*INPUTS)
        yield Car(probe)


@pytest.fixture
def car(shared_car):
    """Give the car, disengaged and silent."""
    shared_car.move()
    shared_car.probe.call("safety/disengage")
    shared_car.wait("disengaged")
    shared_car.probe.heard.clear_all()
    return shared_car


@pytest.fixture
def engaged(car):
    car.engage()
    return car


def test_nothing_drives_before_engage_though_proposals_are_good(car):
    car.probe.run(0.5, car.propose)
    assert {state["state"] for state in car.states()} == {"disengaged"}
    assert {command.acceleration_mps2 for command in car.commands()} == {HOLDING_MPS2}


def test_who_listens_hears_a_living_process_before_engage(car):
    car.probe.run(1.0)
    assert len(car.commands()) >= 10
    assert car.period_ms() == pytest.approx(50, abs=10)


def test_engage_is_refused_without_fresh_proposals_and_says_why(car):
    car.probe.run(0.2)
    answer = car.probe.call("safety/engage")
    assert not answer.success
    assert answer.message.startswith("No proposal has come")


def test_once_engaged_the_proposal_reaches_the_car_with_what_it_rests_on(engaged):
    engaged.probe.until(lambda: len(engaged.commands()) >= 10, engaged.propose)
    command, state = engaged.commands()[-1], engaged.states()[-1]
    assert (command.acceleration_mps2, state["code"]) == (0.7, "within_limits")
    assert command.steering_rad == pytest.approx(BEND_RAD)
    age_ns = command.stamp_ns - int(state["image_stamp_ns"])
    assert 20 * MS <= age_ns < 200 * MS


def test_each_command_comes_with_the_state_of_the_same_stamp(engaged):
    engaged.probe.run(0.3, engaged.propose)
    engaged.probe.run(0.02)
    stamps = {command.stamp_ns for command in engaged.commands()}
    assert stamps & {state["stamp_ns"] for state in engaged.states()}
    assert len(stamps ^ {state["stamp_ns"] for state in engaged.states()}) <= 1


def test_simple_consumers_get_pedals_and_steering(engaged):
    heard = engaged.probe.heard
    engaged.probe.until(lambda: len(heard[topics.VEHICLE_BRAKE_CMD]) >= 5, engaged.propose)
    pedals = messages.read_scalars(heard[topics.VEHICLE_PEDALS][-1])
    assert pedals == pytest.approx({"throttle": 0.7 / 3.0, "brake": 0.0})
    assert heard[topics.VEHICLE_STEERING_CMD][-1].data == pytest.approx(BEND_RAD)
    assert heard[topics.VEHICLE_BRAKE_CMD][-1].data == 0.0


@pytest.mark.parametrize(
    ("code", "age_ms", "changed"),
    [
        ("not_finite", 20, {"steering_rad": math.nan}),
        ("not_finite", 20, {"acceleration_mps2": -math.inf}),
        ("too_old", 250, {}),
        ("from_future", -100, {}),
    ],
)
def test_a_bad_proposal_is_refused_and_the_car_stops_until_good_ones_come(
    engaged, code, age_ms, changed
):
    stamp_ns = time.time_ns() - age_ms * MS
    engaged.probe.send(topics.PILOT_COMMAND, harness.proposal(stamp_ns, **changed))
    state = engaged.wait("stopping")
    assert state["code"] == code
    assert engaged.command_of(state).acceleration_mps2 == -SAFETY.stop_braking_mps2
    engaged.wait("engaged", engaged.propose)


def test_a_replayed_proposal_is_refused(engaged):
    last_ns = int(engaged.wait("engaged", engaged.propose)["image_stamp_ns"])
    engaged.probe.send(topics.PILOT_COMMAND, harness.proposal(last_ns))
    assert engaged.wait("stopping")["code"] == "not_newer"


def test_an_unreadable_proposal_is_none(engaged):
    engaged.probe.send(topics.PILOT_COMMAND, JointState(name=["steering"], position=[0.1, 0.2]))
    engaged.probe.send(topics.PILOT_COMMAND, JointState(name=["speed"], position=[0.1]))
    assert engaged.wait("stopping")["code"] == "silence"
    engaged.wait("engaged", engaged.propose)


def test_when_proposals_cease_the_car_brakes_along_the_bend(engaged):
    engaged.wait("stopping", engaged.sense)
    engaged.probe.heard.clear_all()
    engaged.probe.run(1.0, engaged.sense)
    commands = engaged.commands()
    assert {command.acceleration_mps2 for command in commands} == {-SAFETY.stop_braking_mps2}
    angles = [command.steering_rad for command in commands]
    assert angles == pytest.approx([BEND_RAD] * len(angles), abs=0.25 * BEND_RAD)
    assert engaged.period_ms() == pytest.approx(50, abs=10)


def test_while_it_stops_the_steering_answers_to_where_the_car_goes(engaged):
    engaged.move(curvature_1pm=0.0)  # straight on in the bend
    engaged.wait("stopping", engaged.sense)
    engaged.probe.run(1.0, engaged.sense)
    assert engaged.commands()[-1].steering_rad > 1.5 * BEND_RAD


def test_a_car_that_stands_is_only_held(car):
    car.move(speed_mps=0.0)
    car.probe.run(1.0, car.sense)
    car.engage()
    car.wait("stopping", car.sense)
    car.probe.run(0.3, car.sense)
    assert car.commands()[-1].acceleration_mps2 == HOLDING_MPS2


def test_an_override_wins_at_once_and_needs_release_and_a_new_engage(engaged):
    engaged.probe.send(topics.DRIVER_OVERRIDE, Bool(data=True))
    engaged.wait("override", engaged.propose)
    assert not engaged.probe.call("safety/engage").success
    engaged.probe.send(topics.DRIVER_OVERRIDE, Bool(data=False))
    engaged.wait("disengaged", engaged.propose)
    engaged.probe.run(0.2, engaged.propose)
    assert engaged.states()[-1]["state"] == "disengaged"
    engaged.engage()


def test_an_emergency_stop_brakes_fully_until_a_new_engage(engaged):
    assert engaged.probe.call("safety/emergency_stop").success
    engaged.probe.run(0.3, engaged.propose)
    engaged.wait("emergency", engaged.propose)
    assert engaged.commands()[-1].acceleration_mps2 == -SAFETY.emergency_braking_mps2
    engaged.engage()


def test_a_clock_that_stands_still_or_jumps_back_does_not_silence_it(shared_car):
    probe = shared_car.probe
    rows = [row._replace(name=f"/second/{row.name}") for row in OUTPUTS[:2]]
    probe.listen(*rows)
    with harness.running("safety", "-r", "__ns:=/second", use_sim_time="true"):
        probe.meet(topics.CLOCK)
        assert probe.until(lambda: len(probe.heard[rows[0]]) >= 3)
        for seconds in (100, 40):
            clock = Clock(clock=messages.to_stamp(seconds * 1000 * MS))
            expected = seconds * 1000 * MS
            probe.until(
                lambda expected=expected: messages.read_command(
                    probe.heard[rows[0]][-1]
                ).stamp_ns == expected,
                lambda clock=clock: probe.send(topics.CLOCK, clock),
            )  # fmt: skip
    assert harness.said(probe.heard[rows[1]][-1])["state"] == "disengaged"


def test_bad_input_is_one_line_and_status_2():
    status, errors = harness.Process("safety", safety__max_image_age_ms=200).wait()
    assert status == 2
    assert errors.count("\n") == 1
    assert errors.startswith("expected safety.max_image_age_s (in s), got the unknown key")


@pytest.mark.parametrize("times", [1, 2])
def test_sigint_ends_it_within_3_s_with_status_0_also_when_it_comes_twice(shared_car, times):
    row = topics.IMU._replace(name=f"/last{times}/imu/data")
    with harness.running("safety", "-r", f"__ns:=/last{times}") as process:
        shared_car.probe.meet(row)
        status, errors, seconds = process.end(signal.SIGINT, times)
    assert (status, "Traceback" in errors) == (0, False)
    assert seconds < 3.0
