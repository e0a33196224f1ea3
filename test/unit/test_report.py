import re
from base64 import b64decode
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from fakes_drive import flags, make_drive, with_truth

from edge_pilot import results
from edge_pilot.config import CameraConfig
from edge_pilot.replay import figures, report

pytest.importorskip("matplotlib", reason="the figures need matplotlib, of the extra `sim`")
CAMERA = CameraConfig()
GOOD = {"departures": 0, "collisions": 0, "frames_lost": 0, "frames_published": 1200,
        "distance_m": 702.4, "duration_s": 59.95}  # fmt: skip
ALONE = {"meta", "img", "br", "link", "input", "hr"}  # HTML's elements without an end


class Page(HTMLParser):
    """Takes a page apart and sees that each element ends."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.words, self._open = [], [], [], []
        self.feed(text)
        assert self._open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in ALONE:
            self._open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        self.words.append(data.strip())


def write(folder, log, film=None):
    report.write(log, CAMERA, folder, film)
    return (folder / "report.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def good_page(tmp_path_factory):
    return write(tmp_path_factory.mktemp("report"), make_drive())


def test_the_summary_of_a_drive_at_10_mps_for_1_95_s():
    total = report.summary(make_drive(2.0))

    assert total["distance_m"] == pytest.approx(19.5)
    assert total["duration_s"] == pytest.approx(1.95)
    assert total["lateral_max_m"] == pytest.approx(0.1 * np.sin(1.55), abs=1e-4)
    assert total["speed_mean_mps"] == total["speed_max_mps"] == 10.0
    assert (total["latency_p50_ms"], total["latency_max_ms"]) == pytest.approx((20.0, 30.0))
    assert (total["frames_published"], total["frames_lost"], total["late"]) == (40, 0, 0)


def test_the_lateral_error_has_no_sign():
    total = report.summary(with_truth(make_drive(), lateral_m=np.tile([-0.3, 0.1], 20)))

    assert total["lateral_mean_m"] == pytest.approx(0.2)
    assert total["lateral_max_m"] == pytest.approx(0.3)


def test_each_stay_outside_counts_as_one_departure():
    outside = flags(40, 0, 1, 10, 20, 21, 22)

    total = report.summary(with_truth(make_drive(), off_lane=outside, collided=flags(40, 39)))

    assert (total["departures"], total["collisions"]) == (3, 1)


def test_the_summary_can_be_written_as_json_when_nothing_was_measured():
    total = report.summary(replace(make_drive(), latency_ms=np.array([])))

    assert results.plain(total)["latency_p99_ms"] is None


@pytest.mark.parametrize(
    ("fault", "is_good"),
    [({}, True), ({"departures": 1}, False), ({"collisions": 1}, False),
     ({"frames_lost": 1}, False), ({"distance_m": 9.0}, False)],
)  # fmt: skip
def test_a_drive_is_good_unless_something_went_wrong(fault, is_good):
    assert report.is_good({**GOOD, **fault}) is is_good


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        ({}, "The car stayed in its lane for 702 m and 60 s; none of 1200 frames was lost."),
        ({"departures": 2, "frames_lost": 3},
         "The car left its lane 2 times in 702 m and 60 s; 3 of 1200 frames were lost."),
        ({"departures": 1, "collisions": 1, "frames_lost": 1},
         "The car left its lane once and collided once in 702 m and 60 s; "
         "1 of 1200 frames was lost."),
        ({"collisions": 2},
         "The car stayed in its lane and collided 2 times in 702 m and 60 s; "
         "none of 1200 frames was lost."),
        ({"distance_m": 0.4}, "The car hardly moved: 0 m and 60 s; none of 1200 frames was lost."),
    ],
)  # fmt: skip
def test_the_verdict_is_one_plain_sentence(fault, sentence):
    assert report.verdict({**GOOD, **fault}) == sentence


def test_the_page_asks_for_nothing_from_elsewhere(good_page):
    page = Page(good_page)

    addresses = [value for name, value in page.attributes
                 if name in ("src", "href", "poster", "xlink:href", "data", "srcset")]  # fmt: skip
    assert len(addresses) > 6
    assert all(address.startswith(("data:", "#")) for address in addresses)
    assert not {"script", "link", "iframe", "object"} & set(page.tags)
    assert "@import" not in good_page
    assert not re.search(r"url\((?!#)", good_page)


def test_the_verdict_comes_before_everything_that_is_shown(good_page):
    verdict = good_page.index("The car stayed in its lane for 20 m")

    assert all(verdict < good_page.index(shown) for shown in ("<img", "<svg", "<table"))


def test_the_numbers_are_in_the_page(good_page):
    words = Page(good_page).words

    for said in ("20 m", "10.0 m/s", "20.0 ms", "29.8 ms", "fake 0123456789ab", "dusk", "lost"):
        assert said in words


def test_every_figure_says_what_is_seen(good_page):
    captions = re.findall(r"<figure>.*?<figcaption>(.*?)</figcaption>", good_page, re.DOTALL)

    assert len(captions) == good_page.count("<figure>") == 9
    assert min(map(len, captions)) > 40


def test_the_page_has_colours_for_light_and_dark(good_page):
    used = set(re.findall(r"var\((--[a-z]+)\)", good_page))
    light, dark = good_page.split("prefers-color-scheme: dark")

    assert {"--blue", "--ink", "--lane"} <= used
    assert all(f"{name}:" in light and f"{name}:" in dark for name in used)
    assert not set(figures.VARIABLES) & set(re.findall(r"#[0-9a-f]{6}", good_page))


def test_no_two_elements_have_the_same_name(good_page):
    names = re.findall(r'\bid="([^"]*)"', good_page)

    assert names
    assert len(names) == len(set(names))


def test_words_of_others_cannot_become_html(tmp_path):
    evil = '<script>alert("&")</script>'
    drive = make_drive(0.5)
    drive = replace(drive, light=evil, model=evil, states=[(0.0, evil, evil)],
                    counts={**drive.counts, evil: 1}, stages_ms={evil: np.ones(3)})  # fmt: skip

    page = Page(write(tmp_path, drive))

    assert "script" not in page.tags
    assert sum(evil in word for word in page.words) >= 7


def test_a_small_video_is_inside_the_page(tmp_path):
    film = tmp_path / "drive.webm"
    film.write_bytes(b"film" * 100)

    sources = dict(Page(write(tmp_path, make_drive(0.5), film)).attributes[::-1])

    assert b64decode(sources["src"].removeprefix("data:video/webm;base64,")) == b"film" * 100


def test_a_large_video_stays_beside_the_page(tmp_path):
    film = tmp_path / "my drive.webm"
    with film.open("wb") as file:
        file.truncate(report.LARGEST_VIDEO)  # takes no room on the disk

    text = write(tmp_path, make_drive(0.5), film)

    assert 'src="my%20drive.webm"' in text
    assert "17 MB" in text


def test_a_drive_of_which_little_was_seen_has_a_report_too(tmp_path):
    drive = replace(make_drive(0.1), frames=[], states=[], stages_ms={"infer": np.array([])},
                    latency_ms=np.array([np.nan]))  # fmt: skip

    assert "nothing was measured" in Page(write(tmp_path, drive)).words


def test_a_standing_car_has_a_report_too(tmp_path):
    zeros = np.zeros(40)
    drive = with_truth(make_drive(), x_m=zeros, y_m=zeros, speed_mps=zeros)

    assert "The car hardly moved: 0 m and 2 s" in write(tmp_path, drive)
