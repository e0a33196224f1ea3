"""Where a recorded camera's intrinsics come from."""

from __future__ import annotations

import pytest
from replay.make_bags import HEIGHT, WIDTH, Record, camera_info, image, write

from edge_pilot.config import CameraConfig
from edge_pilot.replay.bags import open_bag
from edge_pilot.replay.camera import find_intrinsics
from edge_pilot.replay.selection import select

SAME_SIZE = CameraConfig(width_px=WIDTH, height_px=HEIGHT, focal_px=30.0)


def intrinsics(tmp_path, *infos, configured=SAME_SIZE):
    records = [Record("/image_raw", image(2), 2)]
    records += [Record("/camera_info", info, 1) for info in infos]
    with open_bag(write(tmp_path / "bag", records)) as bag:
        return find_intrinsics(bag, select(bag), configured)


def test_recorded_intrinsics_go_before_configured_ones(tmp_path):
    camera, source = intrinsics(tmp_path, camera_info(1, focal=20.0))

    assert (camera.fx_px, camera.cx_px, camera.width_px) == (20.0, 15.5, WIDTH)
    assert source == "as recorded"


def without_size():
    info = camera_info(1)
    info.width = 0
    return info


@pytest.mark.parametrize("infos", [(), (camera_info(1, focal=0.0),), (without_size(),)])
def test_without_them_configured_ones_count_for_pictures_of_their_size(tmp_path, infos):
    camera, source = intrinsics(tmp_path, *infos)

    assert (camera.fx_px, camera.cx_px, camera.cy_px) == (30.0, (WIDTH - 1) / 2, (HEIGHT - 1) / 2)
    assert source.startswith("as configured")


def test_pictures_of_another_size_are_taken_for_the_models_own(tmp_path):
    camera, source = intrinsics(tmp_path, configured=CameraConfig())

    assert camera is None and "model's own" in source
