"""The seam between the car and whatever computes the network."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import NamedTuple, Protocol

from edge_pilot.card import ModelCard, ModelFile
from edge_pilot.errors import EngineError
from edge_pilot.types import Tensor

PLUGINS = {  # the fastest first; each module has `load(model, settings) -> Loaded`
    "tensorrt": "edge_pilot.inference.tensorrt",
    "onnx": "edge_pilot.inference.onnx",
    "torch": "edge_pilot.inference.torch",
}
AUTO = "auto"


class Backend(Protocol):
    """A loaded network."""

    def run(self, image: Tensor, state: Tensor) -> Mapping[str, Tensor]:
        """Compute every output, by name.

        Args:
            image: (B, C, H, W), three channels a picture, normalised as the card says; B is 1
                where the engine is fixed.
            state: (B, S), scaled as the card says.
        """
        ...


@dataclass(frozen=True)
class Settings:
    """What an engine may be told."""

    threads: int = 1
    cache: Path = Path()  # the folder of built engines
    say: Callable[[str], None] = lambda line: None  # hears of what takes long


def settings(threads: int, cache: str, say: Callable[[str], None]) -> Settings:
    """Give settings; without a folder for engines it is that of the user."""
    home = Path.home() / ".cache" / "edge_pilot" / "engines"
    return Settings(threads, Path(cache) if cache else home, say)


class Loaded(NamedTuple):
    """An engine, and in a few words where it runs and why no faster way was taken."""

    backend: Backend
    description: str


def load(model: ModelFile, threads: int = 1) -> Backend:
    """Load a model with the engine that is always there, and the reference for others.

    Raises:
        ModelError: the file is no model, or its inputs and outputs are not those of its card.
    """
    from edge_pilot.inference.onnx import OnnxBackend

    return OnnxBackend(model, threads)


def choose(name: str, model: ModelFile, settings: Settings) -> Loaded:
    """Load a model with a named engine, or with the fastest that there is.

    Args:
        name: of PLUGINS, or AUTO.
        model: what to load.
        settings: for whichever it will be.

    Returns:
        The engine, and in one line what it is and why no faster one.

    Raises:
        EngineError: the named engine cannot be used.
        ModelError: the file is no model, or its inputs and outputs are not those of its card.
    """
    if name != AUTO:
        return _load(name, model, settings)
    reasons = []
    for candidate in PLUGINS:
        try:
            backend, description = _load(candidate, model, settings)
        except EngineError as error:
            reasons.append(f"not {candidate}: {error}")
        else:
            return Loaded(backend, "; ".join([description, *reasons]))
    raise EngineError("expected an engine that works, got: " + "; ".join(reasons))


def input_shapes(card: ModelCard) -> dict[str, tuple[int, ...]]:
    """Give the shape of each input for one frame."""
    spec = card.input
    return {
        "image": (1, spec.channels, spec.height_px, spec.width_px),
        "state": (1, len(card.state)),
    }


def _load(name: str, model: ModelFile, settings: Settings) -> Loaded:
    loaded: Loaded = import_module(PLUGINS[name]).load(model, settings)
    return loaded
