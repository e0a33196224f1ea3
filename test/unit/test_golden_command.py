from __future__ import annotations

import cv2
import pytest

from edge_pilot import cli, resources
from edge_pilot.inference import golden

pytest.importorskip("panda3d")


def test_the_pictures_that_are_shipped_are_those_that_the_command_takes(tmp_path):
    path = tmp_path / "golden.jpg"
    assert cli.main(["golden", "--out", str(path)]) == 0
    taken, shipped = (
        cv2.imread(str(one)).astype(int) for one in (path, resources.find(golden.FILE))
    )
    assert taken.shape == shipped.shape
    assert abs(taken - shipped).mean() < 2.0  # graphics drivers round differently


def test_another_kind_of_file_is_refused(tmp_path, capsys):
    assert cli.main(["golden", "--out", str(tmp_path / "golden.png")]) == 2
    assert capsys.readouterr().err.startswith("edge_pilot: expected --out to name a .jpg file")
