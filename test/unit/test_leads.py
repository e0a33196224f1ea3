from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_pilot.config import ControlConfig, VehicleConfig
from edge_pilot.control.cruise import Cruise
from edge_pilot.control.leads import Lead, leads, place
from edge_pilot.types import NANOSECONDS, UNKNOWN, EgoState, Obstacle, Path

VEHICLE, CONTROL = VehicleConfig(), ControlConfig()
FRONT_M = VEHICLE.length_m - VEHICLE.rear_overhang_m
STATIONS = np.arange(0.0, 50.0, 5.0)
STRAIGHT = Path(0, np.column_stack([STATIONS, np.zeros(10)]))


def bend(radius_m):
    angle = STATIONS / radius_m
    return Path(0, radius_m * np.column_stack([np.sin(angle), 1.0 - np.cos(angle)]))


def obstacle(x, y, v=(0.0, 0.0), width=0.5, kind="pedestrian", std=0.25):
    return Obstacle(0, kind, 0.9, x, y, *v, width, 0.2, std)


def found(*obstacles, path=STRAIGHT, speed_mps=10.0):
    return leads(obstacles, path, EgoState(0, speed_mps, 0.0), VEHICLE, CONTROL)


def test_a_car_ahead_is_a_lead_at_its_distance_from_the_bumper():
    (lead,) = found(obstacle(20.0, 0.3, (6.0, 0.0), 1.8, "vehicle"))
    assert lead == Lead(20.0 - FRONT_M, 6.0, "vehicle", is_entering=False)


@pytest.mark.parametrize("radius_m", [40.0, -40.0, 1e6])
@pytest.mark.parametrize("distance_m", [6.0, 20.0, 40.0])
@pytest.mark.parametrize("side", [1.0, -1.0])
def test_a_parked_car_beside_the_lane_is_none(radius_m, distance_m, side):
    angle = distance_m / radius_m
    offset = side * (2.1 + 0.9)
    x = (radius_m - offset) * np.sin(angle)
    y = radius_m - (radius_m - offset) * np.cos(angle)
    assert found(obstacle(x, y, width=1.8, kind="vehicle"), path=bend(radius_m)) == ()


@pytest.mark.parametrize("radius_m", [40.0, -40.0, 1e6])
@pytest.mark.parametrize("distance_m", [8.0, 20.0, 40.0])
def test_an_oncoming_car_in_its_own_lane_is_none(radius_m, distance_m):
    angle = distance_m / radius_m
    x, y = (radius_m - 3.5) * np.sin(angle), radius_m - (radius_m - 3.5) * np.cos(angle)
    velocity = -10.0 * np.cos(angle), -10.0 * np.sin(angle)
    assert found(obstacle(x, y, velocity, 1.8, "vehicle"), path=bend(radius_m)) == ()


@pytest.mark.parametrize("velocity", [(0.0, 0.0), (1.5, 0.0), (-1.5, 0.0), (1.4, 0.4)])
@pytest.mark.parametrize("x", [6.0, 15.0, 40.0])
def test_who_walks_along_the_pavement_or_waits_there_is_none(velocity, x):
    assert found(obstacle(x, -2.9, velocity)) == ()


@pytest.mark.parametrize("walks_mps", [1.4, 2.2])
@pytest.mark.parametrize("side", [1.0, -1.0])
def test_who_will_cross_when_the_car_is_there_is_a_lead_before_he_is_in_the_way(walks_mps, side):
    (lead,) = found(obstacle(20.0, 2.4 * side, (0.0, -walks_mps * side)))
    assert lead.is_entering
    assert lead.distance_m == pytest.approx(20.0 - FRONT_M)


@pytest.mark.parametrize("kind", ["pedestrian", "cyclist", UNKNOWN])
def test_who_walks_or_rides_in_the_lane_is_in_the_way_where_a_parked_car_is_not(kind):
    beside = 0.5 * (VEHICLE.width_m + 0.5) + CONTROL.corridor_margin_m + 0.1
    assert [lead.is_entering for lead in found(obstacle(10.0, -beside, kind=kind))] == [False]
    assert found(obstacle(10.0, -beside, kind="vehicle")) == ()
    assert found(obstacle(10.0, -beside, (9.0, 0.0), kind=kind)) == ()  # nobody is that fast


def test_who_is_too_fast_to_stop_at_the_kerb_is_believed_from_farther():
    (rider,) = found(obstacle(20.0, -4.0, (0.0, 4.2), kind="cyclist"))
    assert rider.is_entering
    assert found(obstacle(20.0, -4.0, (0.0, 1.4), kind="cyclist")) == ()


@pytest.mark.parametrize(
    ("changed", "is_sure"),
    [({}, True), ({"age_s": 0.5}, False), ({"score": 0.5}, False), ({"doubt_s": 0.2}, False),
     ({"position_std_m": 1.5}, False), ({"y_m": 1.7}, False)],
    ids=["known", "new", "low score", "missed by the scan", "unsure distance", "at the edge"],
)  # fmt: skip
def test_a_lead_is_sure_where_it_is_well_known(changed, is_sure):
    (lead,) = found(replace(obstacle(20.0, 0.0, width=1.8, kind="vehicle"), **changed))
    assert lead.is_sure == is_sure


def test_who_is_just_about_to_pass_the_bumper_comes_too_late_to_brake_for():
    assert found(obstacle(FRONT_M + 1.5, -2.3, (0.0, 1.4))) == ()
    assert len(found(obstacle(FRONT_M + 1.5, -2.3, (0.0, 1.4)), speed_mps=4.0)) == 1


def test_a_post_beside_the_lane_does_not_come_into_the_way():
    assert found(obstacle(10.0, -2.3, (0.0, 1.4), width=0.1)) == ()
    assert len(found(obstacle(10.0, -2.3, (0.0, 1.4), width=0.3))) == 1


def test_who_is_still_far_from_the_way_may_stop_at_the_kerb():
    assert found(obstacle(20.0, -3.5, (0.0, 1.4))) == ()


@pytest.mark.parametrize(
    "changed",
    [{"score": 0.4}, {"age_s": 0.2}, {"vy_mps": 6.0}, {"kind": UNKNOWN, "width_m": 2.0},
     {"kind": UNKNOWN, "vx_mps": 2.0}, {"is_part": True}, {"doubt_s": 0.3}],
    ids=["unsure", "just seen", "too fast", "wide", "along", "part of a wall", "not in the scan"],
)  # fmt: skip
def test_what_is_not_surely_somebody_who_crosses_is_none(changed):
    walker = obstacle(20.0, -2.4, (0.0, 1.4))
    assert len(found(walker)) == 1
    assert found(replace(walker, **changed)) == ()


def test_far_ahead_only_what_is_seen_surely_counts():
    for kind, score in (("vehicle", 0.45), (UNKNOWN, 0.5)):
        there = replace(obstacle(30.0, 0.0, width=1.8, kind=kind), score=score)
        assert found(there) == ()
        assert len(found(replace(there, x_m=12.0))) == 1


def test_who_has_crossed_long_before_the_car_comes_is_none():
    assert found(obstacle(44.0, 2.0, (0.0, -2.2)), speed_mps=5.0) == ()


def test_who_comes_to_the_lane_long_after_the_car_is_none():
    assert found(obstacle(6.0, 6.0, (0.0, -1.4)), speed_mps=14.0) == ()


def test_an_unsure_sideways_speed_does_not_count():
    assert found(obstacle(20.0, 3.5, (0.0, -1.4), std=0.8)) == ()


def test_a_slower_car_that_cuts_in_is_a_lead_before_it_is_in_the_way():
    (lead,) = found(obstacle(15.0, 2.5, (7.0, -1.2), 1.8, "vehicle"))
    assert (lead.is_entering, lead.speed_mps) == (True, 7.0)


def test_on_a_bend_the_lead_s_distance_is_that_along_the_path():
    angle = 30.0 / 40.0
    at = 40.0 * np.sin(angle), 40.0 * (1.0 - np.cos(angle))
    velocity = 6.0 * np.cos(angle), 6.0 * np.sin(angle)
    (lead,) = found(obstacle(*at, velocity, 1.8, "vehicle"), path=bend(40.0))
    assert (lead.distance_m, lead.speed_mps) == pytest.approx((30.0 - FRONT_M, 6.0), rel=0.02)


@pytest.mark.parametrize("x", [-3.0, 1.0, 46.0])
def test_what_is_beside_the_car_behind_it_or_beyond_the_path_is_none(x):
    assert found(obstacle(x, 0.5)) == ()


def test_a_path_that_is_not_finite_has_no_leads():
    assert found(obstacle(20.0, 0.0), path=Path(0, np.full((10, 2), np.nan))) == ()


@given(st.floats(0.5, 44.0), st.floats(-3.0, 3.0))
def test_on_a_straight_path_a_place_is_its_coordinates(x, y):
    placed = place(x, y, STRAIGHT.points_m)
    assert (placed.station_m, placed.lateral_m) == pytest.approx((x, y))


def stopped(distance_m=3.2, speed_mps=0.0):
    return Lead(distance_m, speed_mps, "vehicle", is_entering=False)


def test_a_car_that_stands_behind_another_is_held_and_says_why():
    action = Cruise(CONTROL).update(0, 0.0, (stopped(),), 0.3)
    assert (action.acceleration_mps2, action.reason) == (
        -1.0, "Stands: a vehicle 3.2 m ahead, 0.0 m/s.")  # fmt: skip


@pytest.mark.parametrize("gone", [(), (stopped(8.0),), (stopped(3.5, 2.0),)])
def test_a_held_car_drives_on_when_the_way_was_free_for_long_enough(gone):
    cruise = Cruise(CONTROL)
    cruise.update(0, 0.0, (stopped(),), -1.0)
    told = [cruise.update(round(t * NANOSECONDS), 0.0, gone, 1.0).acceleration_mps2
            for t in (0.1, 0.99 * CONTROL.release_after_s, CONTROL.release_after_s)]  # fmt: skip
    assert told == [-1.0, -1.0, 1.0]


def test_a_short_look_past_a_lead_does_not_let_the_car_go():
    cruise = Cruise(CONTROL)
    for i in range(100):
        seen = (stopped(),) if i % 10 == 0 else ()
        assert cruise.update(i * NANOSECONDS // 20, 0.0, seen, 1.0).acceleration_mps2 < 0.0


def test_a_clock_that_is_set_back_does_not_hold_the_car_for_ever():
    cruise = Cruise(CONTROL)
    cruise.update(10**18, 0.0, (stopped(),), 1.0)
    assert cruise.update(0, 0.0, (), 1.0).acceleration_mps2 == 1.0


def test_the_reason_names_the_lead_that_decides():
    near, slow = Lead(25.0, 10.0, "vehicle", False), Lead(28.0, 0.0, "pedestrian", False)
    action = Cruise(CONTROL).update(0, 10.0, (near, slow), -2.0)
    assert action.reason == "Brakes: a pedestrian 28.0 m ahead, 0.0 m/s."


def test_who_comes_into_the_way_is_believed_after_a_tenth_of_a_second():
    cruise = Cruise(CONTROL)
    ahead, comes = stopped(9.0), replace(stopped(9.0), is_entering=True)
    told = [[lead.is_certain for lead in cruise.believe(ns, (ahead, comes))]
            for ns in (0, 50_000_000, 100_000_000)]  # fmt: skip
    assert told == [[True, False], [True, False], [True, True]]
    cruise.believe(150_000_000, (ahead,))
    assert [lead.is_certain for lead in cruise.believe(200_000_000, (comes,))] == [False]


def test_after_a_clock_was_set_back_somebody_is_believed_again():
    cruise, comes = Cruise(CONTROL), replace(stopped(9.0), is_entering=True)
    cruise.believe(10**18, (comes,))
    told = [cruise.believe(ns, (comes,))[0].is_certain for ns in (0, 100_000_000)]
    assert told == [False, True]


@pytest.mark.parametrize(("doubt_s", "x", "certain"),
                         [(0.1, 20.0, True), (0.2, 20.0, False), (0.2, FRONT_M + 1.0, True),
                          (0.2, FRONT_M - 0.2, False)])  # fmt: skip
def test_what_the_newest_scans_missed_is_not_certain_except_under_the_beams(doubt_s, x, certain):
    (lead,) = found(replace(obstacle(x, 0.0), doubt_s=doubt_s))
    assert lead.is_certain == certain


@pytest.mark.parametrize(("x", "certain"), [(30.0, False), (15.0, True)])
def test_a_vehicle_that_comes_is_not_certain_while_it_has_time_to_keep_to_its_lane(x, certain):
    (lead,) = found(obstacle(x, 1.0, (-8.0, 0.0), 1.8, "vehicle"))
    assert lead.is_certain == certain


def test_far_away_nothing_is_sure():
    near, far = found(*(obstacle(x, 0.0, width=1.8, kind="vehicle") for x in (24.0, 32.0)))
    assert (near.is_sure, far.is_sure) == (True, False)


def test_a_car_that_rolls_is_not_held():
    action = Cruise(CONTROL).update(0, 5.0, (stopped(),), -8.0)
    assert (action.acceleration_mps2, action.reason[:6]) == (-8.0, "Brakes")
