"""What an installation places where: pip alone, without a network."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
import sysconfig
from importlib.metadata import Distribution
from pathlib import Path
from xml.etree import ElementTree

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
MANIFEST = ElementTree.parse(ROOT / "package.xml")
NODES = sorted(path.name for path in (ROOT / "scripts/nodes").iterdir())
PACKAGED = ("bench", "config", "launch", "models", "resource", "scripts", "src")
PINNED_EXTRAS = ("", "ros", "sim", "train", "dev", "test")


def run(*command, **environment):
    return subprocess.run(
        command, env={**os.environ, **environment}, check=True, capture_output=True, text=True
    ).stdout


@pytest.fixture(scope="module")
def prefix(tmp_path_factory):
    """Give the prefix that a copy of the checkout was installed under."""
    pytest.importorskip("setuptools", minversion="70.1")
    source, prefix = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("prefix")
    for name in PACKAGED:
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("*.egg-info"))
    for path in ROOT.glob("*.*"):
        if path.is_file():
            shutil.copy(path, source)
    pip = (sys.executable, "-m", "pip", "-qq", "install", "--no-index", "--no-deps")
    where = ("--ignore-installed", "--no-build-isolation", f"--prefix={prefix}")
    run(*pip, *where, str(source))
    return prefix


@pytest.fixture(scope="module")
def distribution(prefix):
    """Give the metadata that pip wrote."""
    library = sysconfig.get_path("purelib", vars={"base": str(prefix)})
    (found,) = Path(library).glob("edge_pilot-*.dist-info")
    return Distribution.at(found)


@pytest.fixture
def python(tmp_path):
    """Give a stand-in for Python that says its name and its arguments, a line each."""
    path = tmp_path / "python3"
    path.write_text('#!/bin/sh\nprintf \'%s\\n\' "$0" "$@"\n')
    path.chmod(0o755)
    return path


def expected():
    yield "share/ament_index/resource_index/packages/edge_pilot"
    yield "share/edge_pilot/package.xml"
    for folder in ("bench", "config", "launch", "models"):
        names = [path.name for path in (ROOT / folder).iterdir() if path.is_file()]
        yield from (f"share/edge_pilot/{folder}/{name}" for name in names)


@pytest.mark.parametrize("path", list(expected()))
def test_places_what_ros2_looks_for(prefix, path):
    assert (prefix / path).is_file()


@pytest.mark.parametrize("name", ["edge_pilot/sim", "edge_pilot/pilot", "edge_pilot/safety"])
def test_nodes_are_executable_files(prefix, name):
    assert os.access(prefix / "lib" / name, os.X_OK)


@pytest.mark.parametrize("node", NODES)
def test_a_node_runs_with_the_python_of_its_environment(prefix, python, node):
    (prefix / "bin/python3").unlink(missing_ok=True)
    shutil.copy(python, prefix / "bin/python3")

    said = run(str(prefix / "lib/edge_pilot" / node), "--ros-args", "-p", "a:=b c")

    program, *rest = said.splitlines()
    assert Path(program).resolve() == prefix / "bin/python3"
    assert rest == ["-m", f"edge_pilot.nodes.{node}", "--ros-args", "-p", "a:=b c"]


def test_a_node_without_one_runs_with_the_python_of_the_path(prefix, python):
    (prefix / "bin/python3").unlink(missing_ok=True)

    said = run(str(prefix / "lib/edge_pilot/sim"), PATH=f"{python.parent}:{os.environ['PATH']}")

    assert said.splitlines() == [str(python), "-m", "edge_pilot.nodes.sim"]


def test_a_node_keeps_its_name_behind_a_link(prefix, python, tmp_path):
    (tmp_path / "pilot").symlink_to(prefix / "lib/edge_pilot/pilot")

    said = run(str(tmp_path / "pilot"), PATH=f"{python.parent}:{os.environ['PATH']}")

    assert "edge_pilot.nodes.pilot" in said


def test_the_installed_files_are_found_by_the_ament_index(prefix):
    pytest.importorskip("ament_index_python")
    code = "from edge_pilot.resources import find; print(find('config/fastdds.xml'))"
    library = sysconfig.get_path("purelib", vars={"base": str(prefix)})

    said = run(sys.executable, "-c", code, PYTHONPATH=library, AMENT_PREFIX_PATH=str(prefix))

    assert said.strip() == str(prefix / "share/edge_pilot/config/fastdds.xml")


def test_the_command_line_is_installed(prefix, distribution):
    assert (prefix / "bin/edge_pilot").is_file()
    (entry,) = distribution.entry_points
    assert entry.value == "edge_pilot.cli:main"


def test_both_manifests_say_the_same(distribution):
    assert distribution.metadata["Name"].replace("-", "_") == MANIFEST.findtext("name")
    assert distribution.version == MANIFEST.findtext("version")
    assert distribution.metadata["License"] == MANIFEST.findtext("license")


def test_the_car_needs_no_torch_no_simulator_and_no_wheels_of_ros(distribution):
    always = [text for text in distribution.requires if "extra ==" not in text]
    names = {Requirement(text).name for text in always}

    assert names >= {"numpy", "onnxruntime", "rosbags"}
    assert not names & {"torch", "panda3d", "matplotlib", "onnx", "ros-jazzy-rclpy"}


@pytest.mark.parametrize("extra", PINNED_EXTRAS)
def test_constraints_pin_what_is_permitted(distribution, extra):
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = [Requirement(line) for line in lines if line and not line.startswith("#")]
    pinned = {canonicalize_name(p.name): p for p in pins if not p.marker or p.marker.evaluate()}

    for requirement in map(Requirement, distribution.requires):
        if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
            (pin,) = pinned[canonicalize_name(requirement.name)].specifier
            assert pin.operator == "=="
            assert requirement.specifier.contains(pin.version)


def imported_by(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and not node.level:
            yield node.module.partition(".")[0]
        elif isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)


def test_rosdep_is_told_of_each_ros_package_that_is_imported():
    named = {element.text for element in MANIFEST.iter("exec_depend")}
    files = [*(ROOT / "src").rglob("*.py"), *(ROOT / "launch").glob("*.py")]
    imported = {name for path in files for name in imported_by(path)}
    own = {"rclpy", "ament_index_python", "launch", "launch_ros", "cv_bridge"}

    of_ros = {name for name in imported if name.endswith(("_msgs", "_srvs", "_interfaces"))}
    assert {"sensor_msgs", "nav_msgs"} <= of_ros
    assert of_ros | (imported & own) <= named


def test_rosdep_is_told_how_the_package_is_built():
    assert MANIFEST.getroot().attrib["format"] == "3"
    assert MANIFEST.findtext("export/build_type") == "ament_python"
