import numpy as np
import pytest

from edge_pilot.sim.judge import false_brakes, stuck_s

SECOND = 20  # rows


def rows(*parts):
    """Give one value for some seconds each."""
    return np.concatenate([np.full(round(SECOND * seconds), value) for value, seconds in parts])


DRIVES = rows((10.0, 6))
FREE = rows((0.0, 6))


def test_braking_hard_for_nothing_is_one_false_brake():
    assert false_brakes(rows((0.0, 2), (-4.0, 1), (0.0, 3)), FREE, DRIVES) == 1


def test_two_episodes_count_twice():
    demand = rows((0.0, 1), (-4.0, 1), (0.0, 1), (-3.0, 1), (0.0, 2))
    assert false_brakes(demand, FREE, DRIVES) == 2


def test_comfortable_braking_is_none():
    assert false_brakes(rows((-2.4, 6)), FREE, DRIVES) == 0


def test_braking_for_what_perfect_sight_brakes_for_is_none():
    demand = rows((0.0, 2), (-8.0, 2), (0.0, 2))
    assert false_brakes(demand, rows((0.0, 1.5), (-2.0, 2), (0.0, 2.5)), DRIVES) == 0


def test_a_brake_is_false_again_a_second_after_its_reason_went():
    demand = rows((-6.0, 4), (0.0, 2))
    assert false_brakes(demand, rows((-6.0, 2), (0.0, 4)), DRIVES) == 1
    assert false_brakes(demand, rows((-6.0, 3.1), (0.0, 2.9)), DRIVES) == 0


def test_a_standing_car_may_hold_its_brake():
    assert false_brakes(rows((-4.0, 6)), FREE, rows((0.0, 6))) == 0


def test_to_stand_with_a_free_way_is_to_be_stuck():
    speed, perfect = rows((5.0, 1), (0.0, 5)), rows((1.0, 6))
    assert stuck_s(speed, perfect) == pytest.approx(5.0)


def test_to_stand_for_a_reason_or_to_go_on_soon_is_not():
    assert stuck_s(rows((0.0, 6)), rows((-1.0, 6))) == 0.0
    assert stuck_s(rows((0.0, 2.9), (5.0, 3.1)), rows((1.0, 6))) == 0.0
