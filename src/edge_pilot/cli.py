"""The command line: `edge_pilot COMMAND ...`.

Exit status: 0 done, 1 done and found wanting, 2 bad input (one line on stderr says what was
expected and what was got), 130 interrupted.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import NamedTuple

from edge_pilot.errors import InputError
from edge_pilot.results import own_version

BAD_INPUT, INTERRUPTED = 2, 130


class Command(NamedTuple):
    """One row of the table.

    The module has `add_arguments(parser)`, `run(args) -> int` and `EXAMPLES`; it is imported
    when its command is called.
    """

    module: str
    help: str


COMMANDS = {
    "demo": Command(
        "edge_pilot.commands.demo", "drive an unseen road with all nodes, and write a report"
    ),
    "drive": Command(
        "edge_pilot.commands.drive", "measure how well a model drives, on many simulated roads"
    ),
    "scenarios": Command(
        "edge_pilot.commands.scenarios", "measure how a model brakes for what is on the road"
    ),
    "perceive": Command(
        "edge_pilot.commands.perceive", "measure how well a model sees, on unseen roads"
    ),
    "train": Command("edge_pilot.commands.train", "train a model on simulated drives"),
    "novelty": Command(
        "edge_pilot.commands.novelty", "measure what pictures a model knows, for its card"
    ),
    "engine": Command(
        "edge_pilot.commands.engine", "build the inference engine beforehand, and compare it"
    ),
    "golden": Command(
        "edge_pilot.commands.golden", "take the pictures on which engines are compared"
    ),
    "quantise": Command(
        "edge_pilot.commands.quantise", "make a model of fewer bits, and judge it by driving"
    ),
    "bench": Command(
        "edge_pilot.commands.bench", "measure image to command, beside a floor and a plain node"
    ),
    "replay": Command("edge_pilot.commands.replay", "drive through a recorded bag"),
    "inspect": Command("edge_pilot.commands.inspect", "say what is in a log, and what is wrong"),
    "evaluate": Command(
        "edge_pilot.commands.evaluate", "compare a model with what a human did in a log"
    ),
    "model": Command("edge_pilot.commands.model", "check an ONNX model of anybody's"),
    "convert": Command("edge_pilot.commands.convert", "make a clean rosbag2 of any log"),
}
EXTRAS = {  # of setup.py, by the package that is missing without it
    "panda3d": "sim",
    "direct": "sim",
    "matplotlib": "sim",
    "vehiclemodels": "sim",
    "torch": "train",
    "onnx": "train",
    "safetensors": "train",
    "rclpy": "ros",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and give its exit status."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        args = _parser(arguments).parse_args(arguments)
        return int(args.run(args))
    except InputError as error:
        return _refuse(str(error))
    except ImportError as error:
        return _refuse(_missing(error))
    except KeyboardInterrupt:
        return INTERRUPTED
    except SystemExit as stop:  # argparse has already said why
        return int(stop.code or 0)


def _refuse(reason: str) -> int:
    sys.stderr.write(f"edge_pilot: {reason}\n")
    return BAD_INPUT


def _missing(error: ImportError) -> str:
    """Say which extra brings a package; what no extra brings is a defect, not bad input."""
    package = (error.name or "").partition(".")[0]
    if package not in EXTRAS:
        raise error
    return (
        f"expected the package {package}, got: {error}; "
        f"pip install 'edge_pilot[{EXTRAS[package]}]' brings it"
    )


def _parser(arguments: Sequence[str]) -> argparse.ArgumentParser:
    """Build the parser, with the options of that command only which is called."""
    parser = argparse.ArgumentParser(
        prog="edge_pilot", description="Drives a car from its camera, and makes its model better."
    )
    parser.add_argument("--version", action="version", version=f"edge_pilot {own_version()}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    called = next((word for word in arguments if not word.startswith("-")), None)
    for name, command in COMMANDS.items():
        own = commands.add_parser(
            name,
            help=command.help,
            description=command.help.capitalize() + ".",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        if name == called:
            _fill(own, command)
    return parser


def _fill(parser: argparse.ArgumentParser, command: Command) -> None:
    module = import_module(command.module)
    module.add_arguments(parser)
    parser.epilog = "examples:\n" + "\n".join(f"  {line}" for line in module.EXAMPLES)
    parser.set_defaults(run=module.run)
