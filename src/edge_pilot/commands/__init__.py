"""The commands, one module each, and the options that they share."""

from __future__ import annotations

import argparse
from pathlib import Path

import yaml

from edge_pilot import card, resources
from edge_pilot.card import ModelFile
from edge_pilot.config import Config, load
from edge_pilot.errors import ConfigError


def add_config_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options that `load_config` reads."""
    parser.add_argument(
        "--config",
        metavar="FILE",
        action="append",
        default=[],
        type=Path,
        help="a ROS parameter file; may be repeated, the last one counts",
    )
    parser.add_argument(
        "--set",
        metavar="SECTION.KEY=VALUE",
        action="append",
        default=[],
        help="one configuration value, above all files; may be repeated",
    )


def add_model_argument(parser: argparse.ArgumentParser) -> None:
    """Add the option that goes before `pilot.model` of the configuration."""
    parser.add_argument(
        "--model",
        metavar="FILE",
        help="an ONNX model with its card beside it; default: pilot.model, or the shipped one",
    )


def load_config(args: argparse.Namespace) -> Config:
    """Read the configuration that the options ask for.

    Raises:
        ConfigError: a file, a name or a value is not what it should be.
    """
    overrides = dict(_setting(text) for text in args.set)
    if getattr(args, "model", None):
        overrides["pilot.model"] = args.model
    return load(args.config, overrides)


def load_model(config: Config) -> ModelFile:
    """Read the model that the configuration names, or the shipped one.

    Raises:
        ModelError: there is none, or it has no valid card.
    """
    return card.load(resources.model(config.pilot.model))


def _setting(text: str) -> tuple[str, object]:
    name, sign, value = text.partition("=")
    if not sign:
        raise ConfigError(f"expected --set SECTION.KEY=VALUE, got {text!r}")
    try:
        return name.strip(), yaml.safe_load(value)
    except yaml.YAMLError:
        raise ConfigError(f"expected a YAML value for {name}, got {value!r}") from None
