import math
from html.parser import HTMLParser

import numpy as np
import pytest

from edge_pilot.config import CameraConfig
from edge_pilot.perception.quality import Picture, Truth
from edge_pilot.replay import sight_page, sight_stills, sight_tables, sights
from edge_pilot.replay.sights import Road, Still
from edge_pilot.types import Detection, Path

DISTANCES_M = (10.0, 20.0, 40.0)
BOX, ELSEWHERE = (100.0, 80.0, 120.0, 120.0), (200.0, 80.0, 220.0, 120.0)
EVIL = '<script>"&"</script>'


def truth(kind="pedestrian", distance=20.0, box=BOX, must=True):
    return Truth(kind, box, distance, must)


def found(kind="pedestrian", distance=20.0, box=BOX, score=0.9):
    return Detection(kind, score, distance, 0.0, 0.5, box)


HIT = Picture((found(),), (truth(),), 0.0)
MISS = Picture((), (truth(distance=10.0),), 0.0)
GHOST = Picture((found(box=ELSEWHERE),), (), 0.0)


def road(pictures, path_m=0.1, light="day", stills=()):
    count = len(pictures)
    errors = {name: np.full((count, 1), 0.01) for name in sights.LANE}
    errors["path"] = np.full((count, 3), path_m) * (1.0, 2.0, 4.0)
    return Road(7, light, pictures, errors, stills)


def sum_up(*roads):
    return sights.sum_up(roads, DISTANCES_M)


def test_a_picture_where_all_is_found_has_no_fault():
    assert sights.faults(HIT) == ([], [])
    assert sights.faults(HIT).badness == 0.0


def test_what_is_missed_and_what_is_invented_are_faults_and_near_ones_weigh_more():
    assert sights.faults(MISS).missed == [MISS.truths[0]]
    assert sights.faults(GHOST).false == [GHOST.detections[0]]
    assert sights.faults(MISS).badness > sights.faults(GHOST).badness > 0.0


def test_what_is_found_below_the_working_score_is_missed():
    faint = Picture((found(score=0.2),), (truth(),), 0.0)

    assert sights.faults(faint) == ([faint.truths[0]], [])


def test_what_need_not_be_found_is_no_fault():
    assert sights.faults(Picture((), (truth(must=False),), 0.0)).badness == 0.0


def test_the_curve_ends_at_the_share_that_was_found():
    recall, precision = sights.precision_recall(sum_up(road([HIT, GHOST, MISS])), "pedestrian")

    assert recall.tolist() == [0.5, 0.5]
    assert precision.tolist() == [1.0, 0.5]


def test_distances_are_true_and_said():
    far = Picture((found(distance=24.0),), (truth(),), 0.0)

    true, said = sights.distances(sum_up(road([far])), "pedestrian")

    assert (true.tolist(), said.tolist()) == ([20.0], [24.0])


def test_path_errors_are_those_at_each_distance_and_ends_of_roads_do_not_count():
    cut = road([HIT, HIT])
    cut.errors["path"][1] = np.nan

    lane = sum_up(cut, road([HIT], 0.3)).lane

    assert lane.path_mean_m == pytest.approx((0.2, 0.4, 0.8))
    assert lane.path_p95_m == pytest.approx((0.29, 0.58, 1.16))


@pytest.mark.parametrize(
    ("pictures", "path_m", "said"),
    [([HIT], 0.1, []), ([MISS], 0.1, ["pedestrian average precision 0.00 is below 0.5"]),
     ([HIT], 0.3, ["path error 0.60 m at 20 m is above 0.4 m"]),
     ([GHOST], 0.1, [])],
)  # fmt: skip
def test_a_floor_that_is_missed_is_said(pictures, path_m, said):
    assert sights.shortfalls(sum_up(road(pictures, path_m))) == said


def test_each_light_is_judged_on_its_own():
    lights = sights.by_light(sum_up(road([HIT]), road([MISS], light="dusk")))

    precision = {light: one.kinds["pedestrian"].average_precision for light, one in lights.items()}
    assert precision == {"day": 1.0, "dusk": 0.0}


def test_the_worst_pictures_come_first_and_lie_apart():
    pictures = [HIT] * 60
    pictures[10], pictures[11], pictures[40] = GHOST, MISS, GHOST

    chosen = sight_stills.pick(pictures, worst=3, best=1)

    assert chosen[:2] == [11, 40]
    assert len(chosen) == 3 and sights.faults(pictures[chosen[2]]).badness == 0.0


def test_the_caption_names_the_nearest_faults():
    many = [truth(distance=d, box=(d, 0.0, d + 1, 9.0)) for d in (30.0, 12.0, 40.0, 50.0, 60.0)]

    said = sight_stills.caption(sights.faults(Picture((), many, 0.0)))

    assert said.startswith("misses a pedestrian at 12 m, misses a pedestrian at 30 m")
    assert said.endswith("1 more")
    assert sight_stills.caption(sights.faults(HIT)) == "all is right"


@pytest.mark.parametrize(("picture", "is_wrong"), [(HIT, False), (GHOST, True), (MISS, True)])
def test_faults_are_vermilion_in_the_picture(picture, is_wrong):
    from fakes import CARD

    crop = np.full((30, 80, 3), 100, np.uint8)
    path = Path(0, np.array([[0.0, 0.0], [20.0, 0.0]]))

    drawn = sight_stills.draw(crop, picture, path, 0.0, CARD.input, CameraConfig())

    assert drawn.shape == (2 * 120, 2 * 320, 3)
    assert bool((drawn == (213, 94, 0)).all(axis=2).any()) is is_wrong


def test_numbers_carry_units_and_can_be_written():
    from edge_pilot import results

    numbers = results.plain(sights.numbers(sum_up(road([HIT, MISS]))))

    assert numbers["lane_offset_mean_m"] == 0.01
    assert numbers["kinds"]["pedestrian"]["there"] == 2
    assert numbers["kinds"]["vehicle"]["average_precision"] is None


def test_tables_have_a_cell_for_each_head():
    groups = sight_tables.with_lights({"usual": sum_up(road([HIT]), road([MISS], light="dusk"))})

    kinds, lane = sight_tables.kind_rows(groups), sight_tables.lane_rows(groups)

    assert list(groups) == ["usual", "day", "dusk"]
    assert {len(row) for row in kinds} == {len(sight_tables.KIND_HEADS)}
    assert {len(row) for row in lane} == {len(sight_tables.LANE_HEADS)}
    assert lane[0][4] == "0.20 m"


def test_the_verdict_says_what_is_not_good_enough():
    assert sight_page.verdict(sum_up(road([HIT]))) == (
        "The model finds pedestrians with an average precision of 1.00; "
        "its path is 0.20 m off at 20 m."
    )
    assert "0.00 (not good enough: the limit is 0.5)" in sight_page.verdict(sum_up(road([MISS])))


class Tags(HTMLParser):
    """Keeps the tags and what they ask for."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.sources = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.sources += [value for name, value in attrs if name in ("src", "href")]


@pytest.mark.parametrize("with_holdout", [False, True])
def test_the_page_is_whole_and_asks_for_nothing_from_elsewhere(tmp_path, with_holdout):
    pytest.importorskip("matplotlib", reason="the figures need matplotlib, of the extra `sim`")
    stills = [Still(b"jpeg", EVIL, 0.2), Still(b"jpeg", "all is right", 0.0)]
    groups = {sight_page.USUAL: sum_up(road([HIT, MISS, GHOST], stills=stills))}
    if with_holdout:
        groups[sight_page.HOLDOUT] = sum_up(road([MISS], light="night"))

    text = sight_page.write(groups, EVIL, tmp_path / "new").read_text(encoding="utf-8")

    page = Tags(text)
    assert page.tags.count("svg") == 4 and page.tags.count("img") == 2
    assert all(source.startswith(("data:", "#")) for source in page.sources)
    assert "script" not in page.tags
    assert ("night" in text) is with_holdout
    assert text.index("The model finds") < text.index("<table")


def test_a_model_that_finds_nothing_has_a_page_too(tmp_path):
    pytest.importorskip("matplotlib", reason="the figures need matplotlib, of the extra `sim`")
    empty = sum_up(road([Picture((), (), 0.0)]))

    assert sight_page.write({sight_page.USUAL: empty}, "m", tmp_path).exists()
    assert math.isnan(empty.kinds["vehicle"].average_precision)
