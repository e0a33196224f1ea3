"""The command line: dispatch, exit statuses, shared options."""

from __future__ import annotations

import subprocess
import sys
from argparse import ArgumentParser
from types import ModuleType

import pytest

from edge_pilot import cli, commands
from edge_pilot.errors import BagError, ConfigError


@pytest.fixture
def install(monkeypatch):
    """Give a function that makes `edge_pilot fake` run a function."""

    def install(run):
        module = ModuleType("fake_command")
        module.run = run
        module.EXAMPLES = ("edge_pilot fake --many 3",)
        module.add_arguments = lambda parser: parser.add_argument("--many", type=int, default=1)
        monkeypatch.setitem(sys.modules, "fake_command", module)
        monkeypatch.setitem(cli.COMMANDS, "fake", cli.Command("fake_command", "does nothing"))

    return install


def refuse(error):
    def run(args):
        raise error

    return run


def test_a_command_runs_with_its_arguments(install):
    install(lambda args: args.many)

    assert cli.main(["fake", "--many", "7"]) == 7
    assert cli.main(["fake"]) == 1


def test_bad_input_is_one_line_and_status_2(install, capsys):
    install(refuse(BagError("expected a bag, got a shoe")))

    assert cli.main(["fake"]) == 2
    assert capsys.readouterr() == ("", "edge_pilot: expected a bag, got a shoe\n")


def test_an_interrupt_is_status_130(install):
    install(refuse(KeyboardInterrupt()))

    assert cli.main(["fake"]) == 130


@pytest.mark.parametrize(
    ("package", "extra"), [("panda3d.core", "sim"), ("torch", "train"), ("torch.nn", "train")]
)
def test_a_missing_extra_is_named(install, capsys, package, extra):
    install(refuse(ModuleNotFoundError(f"No module named {package!r}", name=package)))

    assert cli.main(["fake"]) == 2
    line = capsys.readouterr().err
    assert line.count("\n") == 1
    assert line.startswith("edge_pilot: expected the package") and f"edge_pilot[{extra}]" in line


def test_a_defect_is_not_hidden_as_a_missing_extra(install):
    install(
        refuse(ModuleNotFoundError("No module named 'edge_pilot.nose'", name="edge_pilot.nose"))
    )

    with pytest.raises(ModuleNotFoundError):
        cli.main(["fake"])


@pytest.mark.parametrize("arguments", [[], ["dance"], ["fake", "--what"], ["fake", "--many", "x"]])
def test_wrong_arguments_are_status_2(install, capsys, arguments):
    install(lambda args: 0)

    assert cli.main(arguments) == 2
    assert "Traceback" not in capsys.readouterr().err


def test_help_names_every_command(capsys):
    assert cli.main(["--help"]) == 0

    text = capsys.readouterr().out
    assert all(
        name in text and command.help[:20] in text for name, command in cli.COMMANDS.items()
    )


def test_help_of_a_command_shows_its_examples(install, capsys):
    install(lambda args: 0)

    assert cli.main(["fake", "--help"]) == 0
    assert "examples:\n  edge_pilot fake --many 3" in capsys.readouterr().out


def test_version(capsys):
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("edge_pilot ")


def test_help_imports_nothing_heavy():
    code = (
        "import sys; from edge_pilot.cli import main; main(['--help']); "
        "heavy = {'cv2', 'onnxruntime', 'rosbags', 'panda3d', 'torch', 'rclpy'}; "
        "sys.exit(', '.join(heavy & set(sys.modules)) or 0)"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)

    assert (done.returncode, done.stderr) == (0, "")


def test_python_m_is_the_command_line():
    done = subprocess.run(
        [sys.executable, "-m", "edge_pilot", "dance"], capture_output=True, text=True, timeout=60
    )

    assert done.returncode == 2 and "invalid choice: 'dance'" in done.stderr


def config_of(*arguments):
    parser = ArgumentParser()
    commands.add_config_arguments(parser)
    commands.add_model_argument(parser)
    return commands.load_config(parser.parse_args(arguments))


def test_settings_go_before_files_and_later_files_before_earlier(tmp_path):
    for name, speed, width in [("a", 5.0, 1.5), ("b", 6.0, 1.6)]:
        tree = f"{{control: {{max_speed_mps: {speed}}}, vehicle: {{width_m: {width}}}}}"
        (tmp_path / name).write_text(f"/**: {{ros__parameters: {tree}}}")
    files = ["--config", str(tmp_path / "a"), "--config", str(tmp_path / "b")]

    config = config_of(*files, "--set", "control.max_speed_mps=7", "--set", "sim.lidar=false")

    assert (config.control.max_speed_mps, config.vehicle.width_m) == (7.0, 1.6)
    assert config.sim.lidar is False


def test_the_model_option_is_the_parameter():
    assert config_of("--model", "my.onnx").pilot.model == "my.onnx"
    assert config_of("--set", "pilot.model=my.onnx").pilot.model == "my.onnx"


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ("control.max_speed_mps", "expected --set SECTION.KEY=VALUE, got 'control.max_speed_mps'"),
        ("control.max_speed_mps=[", "expected a YAML value for control.max_speed_mps"),
        ("control.max_speed_kmh=50", "unknown key control.max_speed_kmh"),
        ("control.max_speed_mps=fast", "control.max_speed_mps"),
        ("=3", "unknown key"),
    ],
)
def test_a_bad_setting_is_refused(setting, expected):
    with pytest.raises(ConfigError, match=r"^expected .*, got ") as caught:
        config_of("--set", setting)
    assert expected in str(caught.value)
