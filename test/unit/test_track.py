import numpy as np
import pytest

from edge_pilot.safety.track import COMPARED, Track, surprise
from edge_pilot.types import Imu, Path

MS = 1_000_000
SPEED_MPS = 10.0
STRAIGHT = np.column_stack([np.arange(0.0, 50.0, 5.0), np.zeros(10)])


def imu(stamp_ns, yaw_rate_radps=0.0):
    return Imu(stamp_ns, (0.0, 0.0, 9.81), (0.0, 0.0, yaw_rate_radps))


@pytest.fixture
def track():
    """Give one that has followed a car at a steady speed for a second."""
    track = Track()
    for stamp_ns in range(0, 1001 * MS, 10 * MS):
        track.add_imu(imu(stamp_ns))
        track.add_speed(stamp_ns, SPEED_MPS, 1e-3)
    return track


def plan(track, stamp_ns):
    track.add_path(Path(stamp_ns, STRAIGHT))
    track.accept(stamp_ns)


def test_nothing_is_known_before_the_first_inertial_sample():
    track = Track()
    track.add_speed(0, SPEED_MPS, 0.1)
    plan(track, 0)
    assert track.here(0) is None


def test_a_path_is_seen_from_where_the_car_is_now_not_from_where_its_image_was_taken(track):
    plan(track, 700 * MS)
    ego, path = track.here(1100 * MS)
    assert path.points_m[:, 0] == pytest.approx(STRAIGHT[:, 0] - 4.0, abs=0.05)
    assert (ego.stamp_ns, ego.speed_mps) == (1100 * MS, pytest.approx(SPEED_MPS, abs=0.01))


def test_the_last_good_path_stays_when_a_newer_one_is_not_accepted(track):
    plan(track, 900 * MS)
    track.add_path(Path(1000 * MS, STRAIGHT + 3.0))
    assert track.here(1000 * MS)[1].points_m[:, 1] == pytest.approx(np.zeros(10))


@pytest.mark.parametrize("to_ms", [100, 20_000])
def test_when_a_sensor_s_clock_jumps_the_path_goes_on_from_where_the_car_is(track, to_ms):
    plan(track, 900 * MS)
    track.add_imu(imu(to_ms * MS))
    ego, path = track.here((to_ms + 100) * MS)
    assert ego.speed_mps == pytest.approx(SPEED_MPS, abs=0.2)
    assert path.points_m[:, 0] == pytest.approx(STRAIGHT[:, 0] - 2.0, abs=0.1)


def test_a_jump_before_anything_is_known_changes_nothing():
    track = Track()
    track.jump(5)
    assert track.motion() is None


def test_a_jump_without_a_path_leaves_none(track):
    track.jump(5)
    assert track.here(5)[1] is None


def test_after_a_jump_the_old_stamps_count_for_nothing(track):
    plan(track, 900 * MS)
    track.jump(5)
    track.add_path(Path(900 * MS, STRAIGHT + 3.0))
    assert track.here(5)[1].points_m[:, 1] == pytest.approx(np.zeros(10))


def test_only_paths_from_before_a_doubt_are_given(track):
    plan(track, 900 * MS)
    track.add_path(Path(950 * MS, STRAIGHT + 3.0))
    track.accept(950 * MS)
    assert track.here(1000 * MS)[1].points_m[0, 1] == pytest.approx(3.0)
    assert track.here(1000 * MS, before_ns=951 * MS)[1].points_m[0, 1] == pytest.approx(3.0)
    assert track.here(1000 * MS, before_ns=950 * MS)[1].points_m[0, 1] == pytest.approx(0.0)
    assert track.here(1000 * MS, before_ns=900 * MS)[1] is None


def test_the_motion_is_that_of_the_newest_sample(track):
    motion = track.motion()
    assert motion.stamp_ns == 1000 * MS
    assert motion.speed_mps == pytest.approx(SPEED_MPS, abs=0.01)


@pytest.mark.parametrize(
    ("gyro", "wheels", "told", "turns"),
    [
        (0.5, 0.1, 0.02, 0.2),
        (0.3, 0.1, 0.02, 0.2),
        (0.15, 0.1, 0.02, 0.15),
        (-2.0, 0.1, 0.02, 0.1),
    ],
)
def test_two_of_three_tell_how_fast_the_car_turns(track, gyro, wheels, told, turns):
    track.told_1pm = told
    track.add_speed(1005 * MS, SPEED_MPS, 1e-3, wheels)
    track.add_imu(imu(1010 * MS, gyro))
    assert track.motion().yaw_rate_radps == pytest.approx(turns, abs=2e-3)


@pytest.mark.parametrize(("wheels", "told"), [(None, 0.02), (0.1, None)])
def test_of_two_the_gyroscope_is_believed(track, wheels, told):
    track.told_1pm = told
    track.add_speed(1005 * MS, SPEED_MPS, 1e-3, wheels)
    track.add_imu(imu(1010 * MS, 0.5))
    assert track.motion().yaw_rate_radps == pytest.approx(0.5, abs=2e-3)


def test_while_the_imu_is_silent_the_wheels_tell_where_the_car_goes(track):
    plan(track, 1000 * MS)
    track.add_speed(1100 * MS, SPEED_MPS, 1e-3, 0.2)
    assert track.motion().stamp_ns == 1000 * MS
    for stamp_ns in range(1101 * MS, 1502 * MS, 20 * MS):
        track.add_speed(stamp_ns, SPEED_MPS, 1e-3, 0.2)
    ego, path = track.here(1501 * MS)
    assert (ego.stamp_ns, ego.yaw_rate_radps) == (1501 * MS, 0.2)
    assert path.points_m[0, 0] == pytest.approx(-5.0, abs=0.3)
    assert path.points_m[-1, 1] < -2.0


def test_wheels_that_do_not_say_how_the_car_turns_move_nothing(track):
    track.add_speed(1300 * MS, SPEED_MPS, 1e-3)
    assert track.motion().stamp_ns == 1000 * MS


def test_wheels_alone_begin_nothing():
    track = Track()
    track.add_speed(300 * MS, SPEED_MPS, 1e-3, 0.1)
    assert track.motion() is None


class TestContradiction:
    """Between what is seen and how the car moves."""

    def see(self, track, number, points):
        stamp_ns = (700 + 50 * number) * MS
        track.add_path(Path(stamp_ns, points))
        track.accept(stamp_ns)

    def test_one_path_contradicts_nothing(self, track):
        assert not track.is_contradicted()
        self.see(track, 0, STRAIGHT)
        assert not track.is_contradicted()

    def test_a_path_that_lies_where_it_lay_contradicts_nothing(self, track):
        for number in range(4):
            self.see(track, number, STRAIGHT - [0.5 * number, 0.0])
        assert not track.is_contradicted()

    def test_a_path_that_suddenly_lies_elsewhere_does(self, track):
        self.see(track, 0, STRAIGHT)
        turned = np.column_stack([STRAIGHT[:, 0], 0.1 * STRAIGHT[:, 0]])
        self.see(track, 1, turned)
        assert track.is_contradicted()

    def test_it_is_forgotten_once_all_that_is_compared_lies_alike(self, track):
        self.see(track, 0, STRAIGHT)
        turned = np.column_stack([STRAIGHT[:, 0], 0.1 * STRAIGHT[:, 0]])
        for number in range(1, COMPARED + 1):
            self.see(track, number / 10, turned)
        assert not track.is_contradicted()

    def test_the_middle_of_three_places_counts(self):
        bent = STRAIGHT + np.interp(STRAIGHT[:, :1], [10.0, 15.0, 20.0], [1.0, 1.5, 0.0]) * [0, 1]
        assert surprise(bent, STRAIGHT) == pytest.approx(0.1)
        assert surprise(STRAIGHT, bent) == pytest.approx(0.1)

    @pytest.mark.parametrize(("end_m", "expected"), [(9.9, 0.0), (10.0, 0.1), (14.0, 0.1)])
    def test_paths_are_compared_as_far_as_both_go(self, end_m, expected):
        short = np.array([[0.0, 1.0], [end_m, 1.0]])
        assert surprise(short, STRAIGHT) == pytest.approx(expected)
        assert surprise(STRAIGHT, short) == pytest.approx(expected)


def test_a_late_sample_moves_nothing(track):
    plan(track, 1000 * MS)
    track.add_imu(imu(800 * MS, yaw_rate_radps=1.0))
    ego, path = track.here(1000 * MS)
    assert ego.yaw_rate_radps == 0.0
    assert path.points_m == pytest.approx(STRAIGHT)
