"""Finding the package's files wherever it was installed."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from edge_pilot import resources
from edge_pilot.errors import ConfigError

ROOT = Path(__file__).resolve().parents[2]
MANIFEST = "<package><name>edge_pilot</name></package>"


def write(path, content=""):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return path


def test_finds_files_and_folders_of_the_checkout():
    assert resources.find("config/fastdds.xml") == ROOT / "config/fastdds.xml"
    assert resources.find("launch") == ROOT / "launch"


def test_the_checkout_wins_over_an_installed_copy():
    assert resources.places()[0] == ROOT


def test_a_missing_file_is_named_with_every_place_that_was_tried(tmp_path):
    places = [tmp_path / "a", tmp_path / "b"]

    with pytest.raises(ConfigError) as caught:
        resources.first("config/no.yaml", places)

    assert all(str(place / "config/no.yaml") in str(caught.value) for place in places)


def test_takes_the_first_folder_that_has_the_file(tmp_path):
    write(tmp_path / "b/x.yaml")
    third = write(tmp_path / "c/x.yaml")

    found = resources.first("x.yaml", [tmp_path / "a", tmp_path / "b", third.parent])

    assert found == tmp_path / "b/x.yaml"


def test_a_module_in_site_packages_has_no_checkout(tmp_path):
    module = write(tmp_path / "lib/site-packages/edge_pilot/resources.py")

    assert resources.checkout(module) is None


def test_another_packages_manifest_makes_no_checkout(tmp_path):
    write(tmp_path / "package.xml", MANIFEST.replace("edge_pilot", "other"))
    module = write(tmp_path / "src/edge_pilot/resources.py")

    assert resources.checkout(module) is None


def test_a_link_into_a_checkout_leads_to_it(tmp_path):
    write(tmp_path / "package.xml", MANIFEST)
    write(tmp_path / "src/edge_pilot/resources.py")
    (tmp_path / "link").symlink_to(tmp_path / "src/edge_pilot")

    assert resources.checkout(tmp_path / "link/resources.py") == tmp_path


def test_the_ament_index_is_asked_before_the_environment(tmp_path, monkeypatch):
    pytest.importorskip("ament_index_python")
    write(tmp_path / "share/ament_index/resource_index/packages/edge_pilot")
    (tmp_path / "share/edge_pilot").mkdir()
    monkeypatch.setenv("AMENT_PREFIX_PATH", str(tmp_path))

    places = resources.places()

    assert places.index(tmp_path / "share/edge_pilot") == 1
    assert Path(sys.prefix) / "share/edge_pilot" in places[2:]


@pytest.mark.parametrize("path", [None, "/nowhere"])
def test_an_ament_index_without_the_package_is_passed_over(path, monkeypatch):
    monkeypatch.delenv("AMENT_PREFIX_PATH", raising=False)
    if path:
        monkeypatch.setenv("AMENT_PREFIX_PATH", path)

    assert resources.places()[0] == ROOT
    assert Path(path or "/nowhere") / "share/edge_pilot" not in resources.places()
