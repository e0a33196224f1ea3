import math
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_pilot.perception.tracker import COAST_S, Tracker, time_to_collision
from edge_pilot.types import NANOSECONDS, UNKNOWN, Detection, EgoState

STANDING = EgoState(0, 0.0, 0.0)


def ns(seconds):
    return round(seconds * NANOSECONDS)


def seen(x, y, kind="pedestrian", width=0.5):
    return Detection(kind, 0.9, x, y, width)


def watch(place, until_s, kind="pedestrian", ego=STANDING, period_s=0.05, tracker=None):
    """Let a sensor see a thing at `place(t)` in the ground's frame, from a car on the x axis."""
    tracker = tracker or Tracker()
    for i in range(round(until_s / period_s) + 1):
        t = i * period_s
        x, y = place(t)
        tracker.update(ns(t), ego, [seen(x - ego.speed_mps * t, y, kind)])
    return tracker


@pytest.mark.parametrize(("kind", "hits"), [(UNKNOWN, 2), ("vehicle", 3)])
def test_a_thing_is_told_of_once_it_is_seen_often_enough(kind, hits):
    tracker, told = Tracker(), []
    for i in range(hits):
        tracker.update(ns(0.1 * i), STANDING, [seen(30.0, 1.0, kind)])
        told.append(len(tracker.obstacles(ns(0.1 * i), STANDING)))
    assert told == [0] * (hits - 1) + [1]


def test_a_single_ghost_is_never_told_of():
    tracker = Tracker()
    for i in range(10):
        tracker.update(ns(0.05 * i), STANDING, [seen(30.0, 1.0)] if i == 3 else [])
        assert tracker.obstacles(ns(0.05 * i), STANDING) == ()


@pytest.mark.parametrize(("kind", "period_s"), [(UNKNOWN, 0.1), ("pedestrian", 0.05)])
def test_a_walker_s_velocity_is_found_within_a_second(kind, period_s):
    tracker = watch(lambda t: (20.0, 5.0 - 1.5 * t), 1.0, kind, period_s=period_s)
    (one,) = tracker.obstacles(ns(1.0), STANDING)
    assert (one.vx_mps, one.vy_mps) == pytest.approx((0.0, -1.5), abs=0.2)


def test_what_stands_has_no_velocity_though_the_car_moves():
    ego = EgoState(0, 14.0, 0.0)
    (one,) = watch(lambda t: (40.0, 1.0), 1.0, "vehicle", ego).obstacles(ns(1.0), ego)
    assert (one.x_m, one.vx_mps, one.vy_mps) == pytest.approx((26.0, 0.0, 0.0), abs=0.2)


def test_what_stands_has_no_velocity_though_the_car_turns():
    ego, tracker = EgoState(0, 0.0, 0.3), Tracker()
    for t in np.arange(0.0, 1.01, 0.05):
        place = 20.0 * math.cos(-0.3 * t), 20.0 * math.sin(-0.3 * t)
        tracker.update(ns(t), ego, [seen(*place)])
    (one,) = tracker.obstacles(ns(1.0), ego)
    assert math.hypot(one.vx_mps, one.vy_mps) < 0.1


def test_an_oncoming_car_stays_one_track():
    ego = EgoState(0, 14.0, 0.0)
    tracker = watch(lambda t: (70.0 - 14.0 * t, 3.5), 1.2, UNKNOWN, ego, 0.1)
    (one,) = tracker.obstacles(ns(1.2), ego)
    assert one.vx_mps == pytest.approx(-14.0, abs=0.7)


def test_camera_and_lidar_make_one_track_that_takes_the_best_of_both():
    tracker = Tracker()
    for i in range(20):
        tracker.update(ns(0.05 * i), STANDING, [seen(33.0, 2.2)])  # a tenth too far
        if i % 2 and i > 8:
            tracker.update(ns(0.05 * i - 0.01), STANDING, [seen(30.0, 2.0, UNKNOWN)])
    (one,) = tracker.obstacles(ns(0.95), STANDING)
    assert (one.kind, one.x_m) == ("pedestrian", pytest.approx(30.0, abs=0.3))


def test_an_older_scan_does_not_disturb_a_moving_track():
    tracker = watch(lambda t: (20.0, 5.0 - 2.0 * t), 1.0)
    tracker.update(ns(0.9), STANDING, [seen(20.0, 3.2, UNKNOWN)])
    (one,) = tracker.obstacles(ns(1.0), STANDING)
    assert one.y_m == pytest.approx(3.0, abs=0.1)


def test_two_things_side_by_side_are_two():
    tracker = Tracker()
    for i in range(10):
        tracker.update(ns(0.1 * i), STANDING, [seen(20.0, y, UNKNOWN) for y in (1.0, -1.0)])
    assert len(tracker.obstacles(ns(0.9), STANDING)) == 2


def test_the_kind_is_what_most_pictures_say():
    tracker = Tracker()
    for i, kind in enumerate(["pedestrian", "cyclist", "pedestrian", UNKNOWN]):
        tracker.update(ns(0.05 * i), STANDING, [seen(15.0, 0.0, kind)])
    assert tracker.obstacles(ns(0.15), STANDING)[0].kind == "pedestrian"


def scan(tracker, t, *detections):
    tracker.update(ns(t), STANDING, list(detections), by_lidar=True)


def test_what_a_lidar_at_work_does_not_see_is_doubted_and_then_forgotten():
    tracker, doubted = Tracker(), []
    for i in range(20):
        tracker.update(ns(0.1 * i), STANDING, [Detection("pedestrian", 0.6, 15.0, 0.0, 0.5)])
        scan(tracker, 0.1 * i + 0.05)
        doubted += [one.doubt_s > 0.25 for one in tracker.obstacles(ns(0.1 * i + 0.05), STANDING)]
    assert all(doubted)
    assert tracker.obstacles(ns(2.0), STANDING) == ()


def test_without_a_lidar_nothing_is_doubted():
    (one,) = watch(lambda t: (15.0, 0.0), 0.5).obstacles(ns(0.5), STANDING)
    assert one.doubt_s == 0.0


def test_what_a_lidar_at_work_sees_is_not_doubted_and_what_it_misses_is_for_as_long():
    tracker, one = Tracker(), seen(15.0, 0.0, UNKNOWN)
    for i in range(5):
        scan(tracker, 0.1 * i, one)
    scan(tracker, 0.5)
    told = [tracker.obstacles(ns(t), STANDING)[0].doubt_s for t in (0.4, 0.5, 0.6)]
    assert told == pytest.approx([0.0, 0.1, 0.2])


@pytest.mark.parametrize(
    ("part", "is_told"),
    [(seen(25.0, -0.9, UNKNOWN, 0.0), False), (seen(24.0, 0.5, "vehicle", 1.5), False),
     (Detection("cyclist", 0.6, 24.0, 0.8, 0.4), False), (seen(25.0, 0.8), True),
     (seen(25.0, -2.9, UNKNOWN, 0.0), True), (seen(33.0, 0.0, "vehicle", 1.8), True)],
    ids=["flank", "twin", "unsure rider", "somebody on foot", "aside", "the next car"],
)  # fmt: skip
def test_what_lies_in_a_vehicle_s_body_is_a_part_of_it(part, is_told):
    tracker, car = Tracker(), seen(22.0, 0.0, "vehicle", 1.8)
    for i in range(20):
        tracker.update(ns(0.05 * i), STANDING, [car, part] if i > 9 else [car])
    assert len(tracker.obstacles(ns(0.95), STANDING)) == 1 + is_told


@pytest.mark.parametrize(("aside_m", "count"), [(0.8, 1), (2.0, 2)])
def test_a_rider_has_one_track(aside_m, count):
    tracker, rider = Tracker(), seen(12.0, -3.0, "cyclist")
    for i in range(20):
        twin = [seen(12.0, -3.0 + aside_m)] if i > 9 else []
        tracker.update(ns(0.05 * i), STANDING, [rider, *twin])
    assert len(tracker.obstacles(ns(0.95), STANDING)) == count


def test_a_car_that_a_rider_passes_stays_a_car():
    tracker, rider = Tracker(), seen(12.0, -3.0, "cyclist")
    for i in range(20):
        car = [seen(12.0, -2.0, "vehicle", 1.8)] if i > 9 else []
        tracker.update(ns(0.05 * i), STANDING, [rider, *car])
    kinds = {one.kind for one in tracker.obstacles(ns(0.95), STANDING)}
    assert kinds == {"cyclist", "vehicle"}


def test_the_speed_of_what_is_new_is_said_to_be_unsure():
    new, old = (
        watch(lambda t: (20.0, 0.0), s, UNKNOWN, period_s=0.1).obstacles(ns(s), STANDING)[0]
        for s in (0.1, 1.0)
    )
    assert new.speed_std_mps > 1.5
    assert old.speed_std_mps < 0.5


def test_what_flickers_at_a_low_score_is_never_told_of():
    tracker = Tracker()
    for i in range(40):
        flicker = [Detection("pedestrian", 0.45, 25.0, 0.0, 0.5)] if i % 2 else []
        tracker.update(ns(0.05 * i), STANDING, flicker)
        assert tracker.obstacles(ns(0.05 * i), STANDING) == ()


def test_what_is_seen_no_more_is_told_of_for_a_while_and_then_gone():
    tracker = watch(lambda t: (20.0, 0.0), 0.5)
    for t, count in ((0.5 + 0.9 * COAST_S, 1), (0.5 + 1.2 * COAST_S, 0)):
        tracker.update(ns(t), STANDING, [])
        assert len(tracker.obstacles(ns(t), STANDING)) == count


@pytest.mark.parametrize("stamp_s", [0.1, 2.0])
def test_a_gap_or_a_clock_that_is_set_back_begins_anew(stamp_s):
    tracker = watch(lambda t: (20.0, 0.0), 0.8)
    tracker.update(ns(stamp_s), STANDING, [])
    assert tracker.obstacles(ns(stamp_s), STANDING) == ()


def test_the_stated_spread_covers_the_error_of_noisy_pictures():
    rng, errors = np.random.default_rng(0), []
    for _ in range(40):
        tracker = Tracker()
        for i in range(20):
            far, side = 20.0 * (1.0 + 0.08 * rng.normal()), 2.0 + 0.15 * rng.normal()
            tracker.update(ns(0.05 * i), STANDING, [seen(far, side)])
        errors += [one.vy_mps / one.velocity_std_mps for one in
                   tracker.obstacles(ns(0.95), STANDING)[:1]]  # fmt: skip
    assert np.std(errors) < 1.2


@given(st.lists(st.floats(allow_nan=True, allow_infinity=True), min_size=4, max_size=4))
def test_what_is_not_a_number_is_passed_over(values):
    tracker = Tracker()
    x, y, width, score = values
    for i in range(4):
        tracker.update(i, STANDING, [Detection("vehicle", score, x, y, width), seen(9.0, 0.0)])
    places = [(one.x_m, one.vx_mps) for one in tracker.obstacles(3, STANDING)]
    assert places
    assert np.isfinite(places[0]).all()


def test_the_number_of_tracks_is_bounded():
    tracker = Tracker()
    for i in range(3):
        crowd = [seen(5.0 + 2.0 * j, 0.0, UNKNOWN) for j in range(200)]
        tracker.update(ns(0.05 * i), STANDING, crowd)
    assert len(tracker.obstacles(ns(0.1), STANDING)) <= 64


def test_twenty_things_take_little_time():
    tracker, took = Tracker(), []
    things = [seen(5.0 + 2.0 * j, 3.0 * (-1) ** j) for j in range(20)]
    for i in range(30):
        begin = time.perf_counter()
        tracker.update(ns(0.05 * i), STANDING, things)
        took.append(time.perf_counter() - begin)
    assert np.median(took) < 0.01  # measured: about a millisecond


def test_time_to_collision_is_infinite_where_the_distance_grows():
    assert time_to_collision(10.0, 5.0) == 2.0
    assert time_to_collision(10.0, -1.0) == math.inf
