from dataclasses import replace

import numpy as np
import pytest

from edge_pilot.commands.train import card_for
from edge_pilot.config import Config, SimConfig
from edge_pilot.perception.quality import judge
from edge_pilot.sim.labels import Label
from edge_pilot.types import KINDS

pytest.importorskip("panda3d", reason="the simulator's extra is not installed")
from edge_pilot.sim import eyesight
from edge_pilot.sim.collect import MAX_BOXES, box_labels, collect
from edge_pilot.sim.expert import Wanderer
from edge_pilot.sim.renderer import Renderer

CONFIG = Config(sim=SimConfig(road_length_m=200.0))
CARD = card_for(CONFIG.camera)
PERSON = Label("pedestrian", 100.0, 80.0, 108.0, 100.0, 20.0, 20.0, 6.0, 0.5, 1.0)


@pytest.fixture(scope="module")
def renderer():
    return Renderer(CONFIG.camera)


def samples(renderer, seed=3, **options):
    wanderer = Wanderer(CONFIG, np.random.default_rng(seed))
    return collect(
        seed, CONFIG, CARD, renderer, lambda sim, _: wanderer.drive(sim), **options
    )  # fmt: skip


class Oracle:
    """A network that answers with the labels of the pictures, in order."""

    def __init__(self, data):
        self._rows = iter(data["boxes"])
        self._lane = {name: data[name] for name in eyesight.LANE}
        self._index = -1

    def run(self, image, state):
        self._index += 1
        heat = np.zeros((1, 3, 28, 80), np.float32)
        box = np.ones((1, 7, 28, 80), np.float32)
        for kind, x, y, width, height, *side, must in next(self._rows):
            if must > 0.5:
                at = (min(int(y / 4), 27), min(int(x / 4), 79))
                heat[(0, int(kind), *at)] = 0.9
                middle = (x - 4 * at[1] - 2, y - 4 * at[0] - 2)
                box[(0, slice(None), *at)] = (*middle, width, height, *side)
        lane = {name: values[self._index][None] for name, values in self._lane.items()}
        return {**lane, "obstacle_heat": heat, "obstacle_box": box}


def test_a_drive_gives_a_row_of_each_label_for_each_picture(renderer):
    data = samples(renderer)
    count = len(data["image"])
    assert count > 20
    assert data["image"].shape[1:] == (112, 320, 3)
    assert data["boxes"].shape == (count, MAX_BOXES, 9)
    assert {len(values) for values in data.values()} == {count}


def test_the_same_seed_collects_the_same(renderer):
    one, other = samples(renderer), samples(renderer)
    assert all(one[name].tobytes() == other[name].tobytes() for name in one)


def test_every_second_road_is_crowded_for_learning_and_never_for_judging(renderer):
    found = [(data["boxes"][:, :, 0] >= 0).sum(1).mean()
             for data in (samples(renderer), samples(renderer, vary=False))]  # fmt: skip
    assert found[0] > found[1] + 1.0


def test_labels_are_what_a_perfect_network_would_say(renderer):
    data = samples(renderer)
    sight = eyesight.look(data, CARD, Oracle(data))
    quality = judge(sight.pictures)
    # Two things whose middles share a cell, or all but cover each other, can't both be said.
    assert all(quality[kind].average_precision > 0.9 for kind in KINDS if quality[kind].there)
    assert max(eyesight.mean_errors([sight]).values()) == 0.0


def test_a_label_is_moved_into_the_crop():
    kind, x, y, width, height, ahead, aside, wide, must = box_labels([PERSON], CARD)[0]
    assert (KINDS[int(kind)], x, width, height) == ("pedestrian", 104.0, 8.0, 20.0)
    assert (y, must) == (90.0 - CARD.input.crop_top_px, 1.0)
    assert (ahead, aside, wide) == (20.0, pytest.approx(6.0 - 20.0 * 56.0 / 190.0), 0.5)


@pytest.mark.parametrize(
    "change",
    [{"visible": 0.2}, {"y0": 96.0}, {"x0": 107.0}],
    ids=["mostly hidden", "too low", "too narrow"],
)
def test_what_can_hardly_be_seen_need_not_be_found(change):
    assert box_labels([replace(PERSON, **change)], CARD)[0, 8] == 0.0


def test_what_is_hidden_or_above_the_crop_is_no_label():
    hidden = replace(PERSON, visible=0.0)
    above = replace(PERSON, y0=20.0, y1=60.0)
    assert (box_labels([hidden, above], CARD) == -1.0).all()


def test_of_too_many_the_nearest_are_kept():
    many = [replace(PERSON, ahead_m=float(d)) for d in range(60, 0, -1)]
    assert box_labels(many, CARD)[:, 5].tolist() == list(range(1, MAX_BOXES + 1))
