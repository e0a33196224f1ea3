from dataclasses import replace

import pytest
from fakes_drive import PERIOD_NS, SPEED_MPS, START_NS, make_drive

from edge_pilot.config import ControlConfig, VehicleConfig
from edge_pilot.replay import encounters
from edge_pilot.types import Command, Obstacle

CAR = VehicleConfig()
FRONT_M = CAR.length_m - CAR.rear_overhang_m


def seen(number, kind="vehicle", x=40.0, y=0.0):
    """Give something that stands, as it is seen in a picture of a drive at SPEED_MPS."""
    stamp_ns = START_NS + number * PERIOD_NS
    x -= SPEED_MPS * number / 20.0
    return Obstacle(stamp_ns, kind, 0.9, x, y, 0.0, 0.0, 1.0, 0.1, 0.1, None)


def met(*things, braking=0.0, seconds=1.5, gap=()):
    drive = make_drive(seconds)
    frames = [
        replace(
            frame,
            obstacles=() if number in gap else tuple(seen(number, *one) for one in things),
            command=Command(frame.stamp_ns, 0.0, braking),
        )
        for number, frame in enumerate(drive.frames)
    ]
    return encounters.find(replace(drive, frames=frames), CAR, ControlConfig())


def test_a_thing_in_many_pictures_is_one():
    (one,) = met(("vehicle", 40.0, 0.0))

    assert (one.kind, one.duration_s) == ("vehicle", pytest.approx(1.45))
    assert one.nearest_m == pytest.approx(40.0 - 14.5 - FRONT_M)


def test_two_things_side_by_side_are_two():
    found = met(("pedestrian", 40.0, 4.0), ("pedestrian", 40.0, 7.0), ("vehicle", 40.0, -4.0))

    assert encounters.count(found) == {"pedestrian": (2, 0), "vehicle": (1, 0)}


def test_who_steps_beside_another_is_a_second_one():
    drive = make_drive(1.5)
    frames = [
        replace(frame, obstacles=tuple(seen(number, "pedestrian", 40.0, y)
                                       for y in ((4.0, 5.5) if number > 9 else (4.0,))))
        for number, frame in enumerate(drive.frames)
    ]  # fmt: skip

    found = encounters.find(replace(drive, frames=frames), CAR, ControlConfig())

    assert [one.duration_s for one in found] == pytest.approx([1.45, 0.95])


def test_a_thing_that_was_hidden_for_a_moment_is_the_same():
    assert len(met(("vehicle", 40.0, 0.0), gap=range(10, 18))) == 1


def test_what_flashes_up_is_nothing():
    assert met(("vehicle", 40.0, 0.0), gap=range(3, 40)) == []


@pytest.mark.parametrize(("y", "braking", "expected"), [(0, -2, 1), (0, 0, 0), (6, -2, 0)])
def test_braked_for_is_what_is_in_the_way_while_the_car_brakes(y, braking, expected):
    found = met(("pedestrian", 30.0, y), braking=braking)

    assert encounters.count(found) == {"pedestrian": (1, expected)}
