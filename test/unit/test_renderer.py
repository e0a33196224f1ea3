from dataclasses import replace

import numpy as np
import pytest

from edge_pilot.config import CameraConfig
from edge_pilot.sim.look import LOOKS, varied
from edge_pilot.sim.vehicle import Motion
from edge_pilot.sim.world import HOLDOUT, LIGHTS, Actor, make_world

pytest.importorskip("panda3d", reason="the simulator's extra is not installed")
from edge_pilot.sim.renderer import Renderer

CAMERA = CameraConfig()
WORLD = make_world(4, 300.0, "day")
HORIZON = round(0.5 * CAMERA.height_px - CAMERA.focal_px * CAMERA.pitch_rad)
RED, BLUE = (255, 0, 0), (0, 0, 255)


def driver(s=60.0, lateral=0.0, speed=8.0, pitch=0.0, roll=0.0, world=WORLD):
    """Give the motion of a car on the lane."""
    x, y, heading = (float(v) for v in world.road.pose(s, lateral))
    return Motion(x, y, heading, speed, 0.0, 0.0, (0.0, 0.0), pitch, roll)


@pytest.fixture(scope="module")
def renderer():
    return Renderer(CAMERA)


def picture(renderer, world=WORLD, motion=None, time_s=0.0, frame=0):
    renderer.show(world)
    return renderer.render(motion or driver(), time_s, frame)


def test_a_picture_has_the_size_of_the_camera(renderer):
    image = picture(renderer)
    assert image.shape == (CAMERA.height_px, CAMERA.width_px, 3)
    assert image.dtype == np.uint8
    assert image.std() > 30.0


def test_another_camera_gives_another_size():
    small = Renderer(CameraConfig(width_px=96, height_px=64, focal_px=60.0))
    assert picture(small).shape == (64, 96, 3)


def test_two_renderers_draw_the_same_bytes(renderer):
    other = Renderer(CAMERA)
    for light in LIGHTS:
        world = replace(WORLD, light=light)
        assert picture(renderer, world).tobytes() == picture(other, world).tobytes()


def test_a_world_looks_the_same_when_shown_again(renderer):
    before = picture(renderer)
    between = picture(renderer, make_world(5, 300.0, "haze"))
    again = picture(renderer)
    assert before.tobytes() == again.tobytes()
    assert before.tobytes() != between.tobytes()


def test_a_picture_does_not_depend_on_those_before(renderer):
    renderer.show(WORLD)
    straight = [renderer.render(driver(s), s / 8.0) for s in (60.0, 61.0, 62.0)]
    backward = [renderer.render(driver(s), s / 8.0) for s in (62.0, 61.0, 60.0)]
    assert [a.tobytes() for a in straight] == [b.tobytes() for b in backward[::-1]]


def test_each_frame_has_a_noise_of_its_own(renderer):
    renderer.show(WORLD)
    one, other = (renderer.render(driver(), 0.0, frame).astype(int) for frame in (1, 2))
    assert 1.0 < (one - other).std() < 8.0
    assert abs((one - other).mean()) < 0.2


def test_dusk_is_darker_than_day(renderer):
    day, dusk = (picture(renderer, replace(WORLD, light=name)) for name in ("day", "dusk"))
    assert dusk.mean() < 0.7 * day.mean()


def test_haze_hides_what_is_far_and_leaves_what_is_near(renderer):
    views = [picture(renderer, replace(WORLD, light=name)) for name in ("day", "haze")]
    day, haze = (view.astype(float).mean(axis=2) for view in views)
    far, sky, near = slice(HORIZON + 2, HORIZON + 4), slice(40, HORIZON - 12), slice(140, 160)
    contrast = [view[sky].mean() - view[far].mean() for view in (day, haze)]
    assert 0.0 < contrast[1] < 0.6 * contrast[0]
    assert haze[near].mean() == pytest.approx(day[near].mean(), rel=0.15)


def test_worlds_differ_in_look(renderer):
    asphalt = [
        picture(renderer, make_world(seed, 200.0, "day"))[150:170, 140:180].mean()
        for seed in range(6)
    ]
    assert max(asphalt) - min(asphalt) > 20.0


def only(*actors):
    return replace(WORLD, actors=actors, props=())


def car(ahead, lateral, colour):
    return Actor("vehicle", 60.0 + ahead, lateral, 0.0, (4.2, 1.8, 1.5), colour)


def painted(renderer, actor, motion=None, rest=()):
    """Give where a picture shows an actor's paint: it changes with its colour alone."""
    views = [
        picture(renderer, only(replace(actor, colour=colour), *rest), motion).astype(int)
        for colour in (RED, BLUE)
    ]
    return np.abs(views[0] - views[1]).sum(axis=2) > 60


def test_what_is_to_the_left_is_in_the_left_half(renderer):
    _, columns = np.nonzero(painted(renderer, car(15.0, 4.0, RED)))
    assert len(columns) > 50
    assert columns.max() < CAMERA.width_px / 2


def test_colours_are_red_green_blue(renderer):
    renderer.show(only(car(10.0, 0.0, RED)))
    view = renderer.render(driver(), 0.0)
    red, green, blue = view[94:104, 150:170].reshape(-1, 3).mean(axis=0)
    assert red > 90.0
    assert max(green, blue) < 0.3 * red


def test_what_is_nearer_hides_what_is_behind(renderer):
    wall = replace(car(8.0, 0.0, (0, 255, 0)), size=(1.0, 6.0, 3.0))
    assert painted(renderer, car(15.0, 0.0, RED)).sum() > 200
    assert painted(renderer, car(15.0, 0.0, RED), rest=(wall,)).sum() == 0


def test_an_oncoming_car_grows(renderer):
    oncoming = Actor("vehicle", 110.0, 3.5, -10.0, (4.2, 1.8, 1.5), RED)
    renderer.show(only(oncoming))
    views = [renderer.render(driver(), time_s).astype(int) for time_s in (1.0, 3.0)]
    sizes = [(view[..., 0] - view[..., 2:].max(axis=2) > 40).sum() for view in views]
    assert sizes[1] > 2 * sizes[0] > 0


def test_a_nose_that_dives_lifts_the_horizon(renderer):
    renderer.show(only())
    level, diving = (renderer.render(driver(pitch=pitch), 0.0) for pitch in (0.0, 0.05))
    rows = [edge_of_sky(view, CAMERA.width_px // 2) for view in (level, diving)]
    assert rows[0] - rows[1] == pytest.approx(CAMERA.focal_px * 0.05, abs=2.0)


def test_a_body_that_leans_right_turns_the_picture_left(renderer):
    renderer.show(only())
    right, left = (renderer.render(driver(roll=roll), 0.0) for roll in (0.08, -0.08))
    aside = 120  # columns left of the middle
    rows = [edge_of_sky(view, CAMERA.width_px // 2 - aside) for view in (right, left)]
    assert rows[0] - rows[1] == pytest.approx(2 * aside * 0.08, abs=3.0)


def edge_of_sky(view, column):
    """Give the first row from the bottom where a column is more blue than green."""
    strip = view[:, column - 3 : column + 3].astype(float).mean(axis=1)
    return int(np.flatnonzero(strip[:, 2] > strip[:, 1] + 6.0).max())


@pytest.mark.parametrize("light", HOLDOUT)
def test_no_light_that_is_held_out_looks_like_one_that_is_learned(renderer, light):
    held_out = picture(renderer, replace(WORLD, light=light)).mean((0, 1))
    learned = [picture(renderer, replace(WORLD, light=name)).mean((0, 1)) for name in LIGHTS]
    assert min(np.abs(held_out - other).max() for other in learned) > 8.0


def test_a_low_sun_blinds_who_drives_towards_it_and_no_one_else(renderer):
    glare = replace(WORLD, light="glare", style=WORLD.style | {"sun": 0.0})
    towards, away = driver(), driver()
    away = replace(away, heading=away.heading + np.pi)
    bright = [picture(renderer, glare, motion)[:60].max(2).mean() for motion in (towards, away)]
    assert bright[0] > bright[1] + 10.0


def test_rain_falls_from_frame_to_frame(renderer):
    renderer.show(replace(WORLD, light="rain"))
    one, other = (renderer.render(driver(), 0.0, frame).astype(int) for frame in (1, 2))
    assert (np.abs(one - other) > 20).mean() > 0.003


def test_a_camera_that_is_mounted_higher_looks_down_on_the_road(renderer):
    renderer.show(WORLD, replace(CAMERA, pitch_rad=CAMERA.pitch_rad + 0.1))
    lower = renderer.render(driver(), 0.0)
    assert sky_share(picture(renderer)) > sky_share(lower) + 0.05


def sky_share(image):
    return (image[:, :, 2] > 170).mean()


def test_a_varied_light_is_another_and_the_same_seed_gives_the_same():
    one, same, other = (varied(LOOKS["day"], np.random.default_rng(n)) for n in (1, 1, 2))
    assert one == same
    assert one.tint != other.tint
    assert one.haze_per_m >= 0.0
