import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_pilot.card import CameraModel
from edge_pilot.config import CameraConfig, ControlConfig, VehicleConfig
from edge_pilot.replay import ground, marks, overlay
from edge_pilot.replay.marks import Mark
from edge_pilot.types import KINDS, UNKNOWN, Detection, Obstacle, Path

CAMERA = CameraConfig()
CAR, CONTROL = VehicleConfig(), ControlConfig()
FRONT_M = CAR.length_m - CAR.rear_overhang_m
AHEAD = Path(0, np.column_stack([np.arange(0.0, 50.0, 5.0), np.zeros(10)]))
GREY = np.full((180, 320, 3), 100, np.uint8)
BOX = (100.0, 60.0, 140.0, 90.0)
NUMBERS = st.floats(-300.0, 300.0)


def thing(kind="vehicle", x=20.0, y=0.0, vx=0.0, vy=0.0, width=1.8, box=BOX):
    return Obstacle(0, kind, 0.9, x, y, vx, vy, width, 0.1, 0.1, box)


def mark(obstacle, speed=10.0, path=AHEAD):
    (found,) = marks.of_obstacles([obstacle], path, speed, CAR, CONTROL, CAMERA)
    return found


def drawn(*found):
    return overlay.sketch(GREY, None, 0.0, found, CAMERA)


def has(picture, colour):
    return bool((np.abs(picture.astype(int) - colour).max(axis=2) < 12).any())


def test_the_distance_counts_from_the_bumper():
    assert mark(thing(x=FRONT_M + 12.0), speed=0.0).label == "12 m"


def test_what_moves_has_a_speed():
    assert mark(thing("pedestrian", y=8.0, vx=0.9, vy=1.2)).label.split("  ")[1] == "2 m/s"


def test_the_time_to_collision_is_said_of_what_is_in_the_way():
    in_way, beside = (mark(thing(x=FRONT_M + 20.0, y=y)) for y in (0.0, 6.0))

    assert in_way.label == "20 m  in 2.0 s"
    assert "in" not in beside.label


def test_scenery_beside_the_way_has_no_label():
    beside, ahead = (mark(thing(UNKNOWN, y=y, box=None), speed=0.0).label for y in (8.0, 0.0))

    assert (beside, ahead) == ("", "16 m")


def test_a_lead_that_drives_away_is_never_hit():
    assert "in" not in mark(thing(x=FRONT_M + 20.0, vx=12.0)).label


def test_the_car_brakes_for_who_stands_close_ahead_and_not_for_who_is_beside_or_far():
    near, beside, far = (mark(thing(x=x, y=y)).warns for x, y in [(18, 0), (18, 6), (44, 0)])

    assert (near, beside, far) == (True, False, False)


@pytest.mark.parametrize(
    "path", [None, Path(0, np.full((4, 2), np.nan)), Path(0, np.zeros((1, 2)))]
)
def test_without_a_usable_path_nothing_warns(path):
    assert not mark(thing(x=8.0), path=path).warns


def test_a_box_that_the_thing_has_left_is_not_shown():
    here, gone = (mark(thing(x=1.6 + 19.0, y=y)).box_px for y in (4.0, -4.0))

    assert (here, gone) == (BOX, None)  # 190 * 4 / 19 = 40 pixels left or right of the middle


def test_a_detection_is_marked_with_score_and_distance_from_the_camera():
    seen = Detection("cyclist", 0.756, 1.6 + 3.0, 4.0, 0.6, BOX)

    assert marks.of_detections([seen], 1.6)[0].label == "cyclist 0.76 5 m"


@pytest.mark.parametrize("kind", [*KINDS, UNKNOWN])
def test_each_kind_has_its_colour(kind):
    picture = drawn(Mark(kind, (20.0, 0.0), 1.8, BOX, ""))

    shown = [one for one, colour in marks.COLOURS.items() if has(picture, colour)]
    assert shown == [kind]


def test_what_the_car_brakes_for_has_the_warning_colour_only():
    picture = drawn(Mark("vehicle", (20.0, 0.0), 1.8, BOX, "20 m", warns=True))

    assert has(picture, marks.WARNING)
    assert not has(picture, marks.COLOURS["vehicle"])


def test_a_box_is_drawn_on_its_own_edge():
    rows, columns = np.nonzero((drawn(Mark("vehicle", (20.0, 0.0), 1.8, BOX, "")) != 100).any(2))

    outer = (columns.min(), columns.max(), rows.min(), rows.max())
    assert outer == pytest.approx((199, 280, 119, 180), abs=1)  # with the shade around it


def test_what_only_the_lidar_saw_is_marked_on_the_road_where_it_is():
    camera = CameraConfig(pitch_rad=0.0)
    found = Mark(UNKNOWN, (11.6, 2.0), 0.8, None, "")

    rows, columns = np.nonzero((overlay.sketch(GREY, None, 0.0, [found], camera) != 100).any(2))

    x, y = 2 * (ground.project(np.array([[11.6, 2.0]]), camera)[0] + 0.5) - 0.5
    assert (columns.mean(), rows.mean()) == (pytest.approx(x, abs=2), pytest.approx(y, abs=3))


def test_what_is_behind_the_camera_is_not_drawn():
    assert (drawn(Mark(UNKNOWN, (-5.0, 0.0), 0.8, None, "5 m")) == 100).all()


def test_a_far_label_never_covers_a_near_one():
    near = Mark("vehicle", (8.0, 0.0), 1.8, BOX, "8 m")
    far = Mark("pedestrian", (40.0, 0.0), 0.5, BOX, "40 m  3 m/s")
    rows = slice(2 * 60 - 14, 2 * 60 - 3)  # where labels are

    assert (drawn(near, far)[rows] == drawn(near, far._replace(label=""))[rows]).all()
    assert (drawn(near, far)[rows] != drawn(near._replace(label=""), far)[rows]).any()


@given(st.lists(st.tuples(NUMBERS, NUMBERS, NUMBERS, NUMBERS, st.booleans(), st.booleans()),
                max_size=4))  # fmt: skip
def test_anything_can_be_marked(rows):
    found = [
        Mark("vehicle", (x, y), 1.8, None if flat else (u, v, u + 20.0, v + 9.0), "20 m", warns)
        for x, y, u, v, flat, warns in rows
    ]

    assert drawn(*found).shape == (360, 640, 3)


def test_a_box_moves_with_focal_length_and_optical_centre():
    own = CameraModel(320, 180, 190.0, 190.0, 159.5, 89.5)
    twice = CameraModel(640, 360, 380.0, 380.0, 319.5, 179.5)

    assert ground.seen_by(BOX, own, own) == pytest.approx(BOX)
    assert ground.seen_by(BOX, own, twice) == pytest.approx([2.0 * value for value in BOX])
