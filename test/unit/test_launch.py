"""The launch files: all that they name exists, and each argument does what it says."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import fakes_launch
import pytest
from fakes_launch import text

from edge_pilot import topics
from edge_pilot.config import flat_fields, load
from edge_pilot.errors import ConfigError

ROOT = Path(__file__).resolve().parents[2]
FILES = {path.name: path for path in sorted((ROOT / "launch").glob("*.launch.py"))}
SHARED = "edge_pilot.nodes.launching"
EXECUTABLES = {path.name for path in (ROOT / "scripts/nodes").iterdir()}


@pytest.fixture
def launch(monkeypatch):
    """Give a function that resolves a launch file with the stand-in."""
    for name, module in fakes_launch.modules().items():
        monkeypatch.setitem(sys.modules, name, module)
    sys.modules.pop(SHARED, None)

    def run(name, **given):
        describe = runpy.run_path(str(FILES[name]))["generate_launch_description"]
        return fakes_launch.resolve(describe(), given)

    yield run
    sys.modules.pop(SHARED, None)


def parameters(result, executable):
    """Give {parameter: text} of what the node gets beside its files."""
    node = next(node for node in result.nodes if node.executable == executable)
    chosen = [part for part in node.parameters if isinstance(part, dict)]
    return {name: text(v.parts[0], result.context) for part in chosen for name, v in part.items()}


def test_the_launch_files_are_those_of_the_package():
    assert list(FILES) == ["drive.launch.py", "replay.launch.py", "sim.launch.py"]


@pytest.mark.parametrize(
    ("name", "executables"),
    [
        ("drive.launch.py", {"pilot", "safety"}),
        ("replay.launch.py", {"pilot", "safety", "replay"}),
        ("sim.launch.py", {"pilot", "safety", "sim"}),
    ],
)
def test_starts_nodes_that_are_installed(launch, name, executables):
    nodes = launch(name).nodes

    assert {node.package for node in nodes} == {"edge_pilot"}
    assert {node.executable for node in nodes} == executables
    assert executables <= EXECUTABLES


@pytest.mark.parametrize("executable", sorted(EXECUTABLES))
def test_each_executable_has_a_module(executable):
    assert (ROOT / f"src/edge_pilot/nodes/{executable}.py").is_file()


@pytest.mark.parametrize("name", FILES)
def test_each_argument_has_a_description_and_a_default(launch, name):
    arguments = launch(name).arguments

    assert {"namespace", "use_sim_time", "log_level", "model"} <= set(arguments)
    assert all(len(argument.description) > 8 for argument in arguments.values())
    assert all("default_value" in argument.named for argument in arguments.values())


@pytest.mark.parametrize("name", FILES)
def test_gives_each_node_the_parameter_files_with_the_vehicle_first(launch, name):
    result = launch(name)

    for node in result.nodes:
        files = [text(part, result.context) for part in node.parameters[:2]]
        assert [Path(file).name for file in files] == ["vehicle.yaml", "drive.yaml"]
        load(files)


@pytest.mark.parametrize("name", FILES)
def test_every_parameter_is_one_of_the_configuration(launch, name):
    arguments = [key for key in launch(name).arguments if not key.endswith("_config")]
    result = launch(name, **dict.fromkeys(arguments, "1"))
    given = {key for node in result.nodes for key in parameters(result, node.executable)}

    assert given - {"use_sim_time"}
    assert given <= {*flat_fields(), "use_sim_time"}


@pytest.mark.parametrize("name", FILES)
def test_renames_topics_of_the_table_only(launch, name):
    result = launch(name)
    renamed = [pair for node in result.nodes for pair in node.remappings]

    assert bool(renamed) == (name == "drive.launch.py")
    for old, new in renamed:
        assert old in {topic.name for topic in topics.TOPICS}
        assert text(new, result.context) == old


def test_a_vehicle_names_its_own_camera(launch):
    result = launch("drive.launch.py", camera_image_raw="/front/image")

    for node in result.nodes:
        names = {old: text(new, result.context) for old, new in node.remappings}
        assert names["camera/image_raw"] == "/front/image"
        assert names["imu/data"] == "imu/data"


def test_the_files_decide_what_no_argument_says(launch):
    result = launch("sim.launch.py")

    assert parameters(result, "sim") == {"use_sim_time": "False"}
    assert parameters(result, "pilot") == {"use_sim_time": "False"}


def test_arguments_reach_their_node(launch):
    result = launch("sim.launch.py", seed="101", light="dusk", model="/m.onnx")

    assert parameters(result, "sim")["sim.seed"] == "101"
    assert parameters(result, "sim")["sim.light"] == "dusk"
    assert parameters(result, "pilot")["pilot.model"] == "/m.onnx"
    assert "sim.seed" not in parameters(result, "pilot")


def test_a_text_stays_a_text_and_the_node_judges_the_rest(launch):
    result = launch("sim.launch.py", seed="many", light="1")
    sim = next(node for node in result.nodes if node.executable == "sim")

    assert sim.parameters[-1]["sim.light"].value_type is str
    assert sim.parameters[-1]["sim.seed"].value_type is None


def test_simulated_time_follows_from_the_simulators_clock(launch):
    result = launch("sim.launch.py", clock="simulated")

    assert parameters(result, "sim")["sim.clock"] == "simulated"
    assert parameters(result, "pilot")["use_sim_time"] == "True"


@pytest.mark.parametrize("name", FILES)
def test_a_missing_parameter_file_stops_all_before_anything_starts(launch, name):
    with pytest.raises(ConfigError, match=r"got /nowhere\.yaml"):
        launch(name, vehicle_config="/nowhere.yaml")


@pytest.mark.parametrize("name", FILES)
def test_the_gate_outlives_the_pilot_and_nothing_outlives_the_gate(launch, name):
    ends = {node.executable: node.on_exit for node in launch(name).nodes}

    assert ends.pop("pilot") is None
    assert all(isinstance(end, fakes_launch.Shutdown) for end in ends.values())


@pytest.mark.parametrize("name", FILES)
def test_sets_the_transport_of_large_pictures(launch, monkeypatch, name):
    monkeypatch.delenv("FASTDDS_BUILTIN_TRANSPORTS", raising=False)
    monkeypatch.delenv("FASTRTPS_DEFAULT_PROFILES_FILE", raising=False)
    monkeypatch.delenv("FASTDDS_DEFAULT_PROFILES_FILE", raising=False)

    profile = launch(name).environment["FASTRTPS_DEFAULT_PROFILES_FILE"]

    assert "<segment_size>33554432</segment_size>" in Path(profile).read_text()


@pytest.mark.parametrize("name", FILES)
def test_the_real_launch_reads_it(name):
    pytest.importorskip("launch_ros")
    from launch import LaunchContext
    from launch.launch_description_sources import PythonLaunchDescriptionSource

    source = PythonLaunchDescriptionSource(str(FILES[name]))
    description = source.get_launch_description(LaunchContext())

    assert all(argument.description for argument in description.get_launch_arguments())
