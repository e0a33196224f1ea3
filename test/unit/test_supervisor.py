import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_pilot.config import Config
from edge_pilot.control.lateral import steering_of
from edge_pilot.safety.gate import HOLDING_MPS2
from edge_pilot.safety.states import State
from edge_pilot.safety.supervisor import Moment, Supervisor
from edge_pilot.types import Command, Imu, Path

CONFIG = Config()
MS = 1_000_000
START_NS = 1_700_000_000_000_000_000
RADIUS_M, SPEED_MPS = 40.0, 8.0


class Drive:
    """A supervisor with clocks, a pilot at 20 Hz and a car that goes round a bend."""

    def __init__(self):
        self.now = Moment(START_NS, 0)
        self.supervisor = Supervisor(CONFIG, self.now)

    def at(self, *, ros_ms=0, steady_ms=0):
        self.now = Moment(self.now.ros_ns + ros_ms * MS, self.now.steady_ns + steady_ms * MS)
        return self.now

    def move(self, steps, speed_mps=SPEED_MPS, yaw_rate_radps=SPEED_MPS / RADIUS_M):
        for _ in range(steps):
            self.at(ros_ms=10, steady_ms=10)
            force = (0.0, speed_mps * yaw_rate_radps, 9.81)
            imu = Imu(self.now.ros_ns, force, (0.0, 0.0, yaw_rate_radps))
            self.supervisor.add_imu(imu, self.now)
            self.supervisor.add_speed(self.now.ros_ns, speed_mps, 0.01, self.now)

    def settle(self):
        """Drive for as long as a transition lasts, with the wheels straight."""
        for _ in range(22):
            self.move(5)
            self.propose()

    def propose(self, steering_rad=0.0, acceleration_mps2=1.0, age_ms=30):
        stamp_ns = self.now.ros_ns - age_ms * MS
        self.supervisor.track.add_path(bend(stamp_ns))
        command = Command(stamp_ns, steering_rad, acceleration_mps2)
        return self.supervisor.propose(command, self.now)

    def decide(self):
        return self.supervisor.decide(self.now)

    def engage(self):
        self.propose()
        assert self.supervisor.engage(self.now) == ""


def bend(stamp_ns):
    angle = np.arange(0.0, 45.0, 3.0) / RADIUS_M
    points = RADIUS_M * np.column_stack([np.sin(angle), 1.0 - np.cos(angle)])
    return Path(stamp_ns, points)


@pytest.fixture
def drive():
    drive = Drive()
    drive.move(20)
    return drive


@pytest.fixture
def engaged(drive):
    """Give one that the pilot has for a while."""
    drive.engage()
    drive.settle()
    return drive


def test_nothing_drives_before_engage(drive):
    assert drive.propose() is None
    output = drive.decide()
    assert (output.state, output.command.acceleration_mps2) == (State.DISENGAGED, -3.0)


def test_a_car_that_stands_is_held_before_engage(drive):
    drive.move(100, speed_mps=0.0, yaw_rate_radps=0.0)
    assert drive.decide().command.acceleration_mps2 == HOLDING_MPS2


def test_engage_is_refused_before_any_proposal(drive):
    assert drive.supervisor.engage(drive.now) == "No proposal has come yet."
    assert drive.decide().state is State.DISENGAGED


def test_engage_is_refused_after_a_refused_proposal(drive):
    drive.propose(steering_rad=math.nan)
    assert "not finite" in drive.supervisor.engage(drive.now)


def test_engage_is_refused_when_the_last_proposal_is_long_ago(drive):
    drive.propose()
    drive.move(20)
    assert drive.supervisor.engage(drive.now) == "No proposal has come for 0.20 s."


def test_an_accepted_proposal_goes_out_at_once_and_says_what_it_rests_on(engaged):
    engaged.move(5)
    output = engaged.propose(acceleration_mps2=0.5)
    assert output.command == Command(engaged.now.ros_ns, 0.0, 0.5)
    assert (output.code, output.image_stamp_ns) == ("within_limits", engaged.now.ros_ns - 30 * MS)


def test_between_two_proposals_the_last_one_is_repeated_within_its_rate(engaged):
    engaged.move(5)
    first = engaged.propose(steering_rad=0.5).command.steering_rad
    engaged.move(5)
    assert engaged.decide().command.steering_rad == pytest.approx(first + 0.4 * 0.05)


def test_a_refused_proposal_starts_the_stop_at_once_and_says_why(engaged):
    engaged.move(5)
    output = engaged.propose(steering_rad=math.inf)
    assert (output.state, output.code) == (State.STOPPING, "not_finite")
    assert output.command.acceleration_mps2 == -CONFIG.safety.stop_braking_mps2


def test_silence_on_the_steady_clock_starts_the_stop_though_ros_time_stands_still(engaged):
    engaged.at(steady_ms=151)
    output = engaged.decide()
    assert (output.state, output.code) == (State.STOPPING, "silence")
    assert output.sentence.startswith("No proposal has come for 0.15 s.")


def test_the_stop_follows_the_bend_though_no_path_comes_any_more(engaged):
    angles = []
    for _ in range(30):
        engaged.move(5)
        angles.append(engaged.decide().command.steering_rad)
    assert angles[-25:] == pytest.approx(
        [steering_of(1 / RADIUS_M, CONFIG.vehicle)] * 25, abs=0.01
    )


def test_the_stop_steers_back_when_the_car_goes_straight_on_in_the_bend(engaged):
    for _ in range(20):
        engaged.move(5, yaw_rate_radps=0.0)
        output = engaged.decide()
    assert output.command.steering_rad > 1.7 * steering_of(1 / RADIUS_M, CONFIG.vehicle)


def test_the_path_of_a_refused_proposal_is_not_followed(drive):
    drive.propose(steering_rad=math.nan)
    assert drive.supervisor.track.here(drive.now.ros_ns)[1] is None


def test_a_path_that_comes_after_its_proposal_is_followed_too(drive):
    stamp_ns = drive.now.ros_ns - 30 * MS
    drive.supervisor.propose(Command(stamp_ns, 0.0, 1.0), drive.now)
    drive.supervisor.track.add_path(bend(stamp_ns))
    assert drive.supervisor.track.here(drive.now.ros_ns)[1] is not None


def test_without_any_motion_known_nobody_engages_and_the_car_is_held():
    drive = Drive()
    drive.propose()
    assert drive.supervisor.engage(drive.now) == "The car's speed is not known."
    drive.supervisor.emergency_stop()
    drive.at(ros_ms=50, steady_ms=50)
    assert drive.decide().command == Command(drive.now.ros_ns, 0.0, -8.0)


def test_fresh_proposals_end_a_stop_by_themselves(engaged):
    engaged.move(20)
    assert engaged.decide().state is State.STOPPING
    assert engaged.propose().state is State.ENGAGED


def test_an_emergency_stop_brakes_hard_until_a_new_engage(engaged):
    assert engaged.supervisor.emergency_stop() == ""
    engaged.move(5)
    assert engaged.propose() is None
    assert engaged.decide().command.acceleration_mps2 == -8.0
    engaged.move(5)
    engaged.engage()
    assert engaged.decide().state is State.ENGAGED


def test_a_disengage_holds_the_car_but_does_not_end_an_emergency_stop(engaged):
    engaged.supervisor.disengage()
    assert engaged.decide().state is State.DISENGAGED
    engaged.supervisor.emergency_stop()
    engaged.supervisor.disengage()
    assert engaged.decide().state is State.EMERGENCY


def test_an_override_wins_and_needs_a_new_engage_after_it(engaged):
    engaged.supervisor.override(True)
    assert engaged.propose() is None
    assert engaged.supervisor.engage(engaged.now) == "The driver has the car."
    assert engaged.supervisor.emergency_stop() == "The driver has the car."
    engaged.supervisor.override(False)
    assert engaged.decide().state is State.DISENGAGED
    engaged.move(5)
    engaged.engage()
    assert engaged.decide().state is State.ENGAGED


def test_a_clock_that_goes_back_disengages_and_old_stamps_count_anew(engaged):
    engaged.decide()
    engaged.at(ros_ms=-1000, steady_ms=10)
    assert engaged.decide().state is State.DISENGAGED
    assert engaged.supervisor.engage(engaged.now) == "No proposal has come yet."
    engaged.engage()
    assert engaged.decide().state is State.ENGAGED


STEPS = st.one_of(
    st.tuples(st.just("propose"), st.floats(), st.floats(), st.integers(-500, 500)),
    st.tuples(st.just("at"), st.integers(-2000, 2000), st.integers(0, 300)),
    st.tuples(st.just("move"), st.integers(1, 5), st.floats(0, 40), st.floats(-1, 1)),
    st.tuples(st.sampled_from(["engage", "disengage", "emergency_stop", "take", "release"])),
)


@given(st.lists(STEPS, max_size=30))
def test_whatever_happens_each_output_is_finite_limited_and_deserved(steps):
    drive, is_wanted = Drive(), False
    last = drive.decide().command
    for name, *values in steps:
        act(drive, name, values)
        is_wanted = (is_wanted or name == "engage") and name not in ("disengage", "take")
        output = drive.decide()
        command = output.command
        assert abs(command.steering_rad) <= 0.6
        assert abs(command.steering_rad - last.steering_rad) <= 0.4 * 0.1 * 2 + 1e-9
        assert -8.0 <= command.acceleration_mps2 <= (2.0 if output.state is State.ENGAGED else -1)
        assert is_wanted or output.state is not State.ENGAGED
        last = command


def act(drive, name, values):
    if name == "propose":
        drive.propose(*values)
    elif name == "at":
        drive.at(ros_ms=values[0], steady_ms=values[1])
    elif name == "move":
        drive.move(*values)
    elif name == "engage":
        drive.propose()
        drive.supervisor.engage(drive.now)
    elif name in ("take", "release"):
        drive.supervisor.override(name == "take")
    else:
        getattr(drive.supervisor, name)()
