import numpy as np
import pytest

from edge_pilot.safety.track import Track
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


def test_a_sensor_s_clock_that_was_set_back_leaves_no_path(track):
    plan(track, 900 * MS)
    track.add_imu(imu(100 * MS))
    assert track.here(100 * MS)[1] is None


def test_a_late_sample_moves_nothing(track):
    plan(track, 1000 * MS)
    track.add_imu(imu(800 * MS, yaw_rate_radps=1.0))
    ego, path = track.here(1000 * MS)
    assert ego.yaw_rate_radps == 0.0
    assert path.points_m == pytest.approx(STRAIGHT)
