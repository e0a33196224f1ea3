"""Engines that were built for one model on one device, kept so that they need not be built again.

An engine is filed under the digest of all that it depends on, so that another model, runtime,
device or option never finds it. That alone is not believed: what a file holds may still be wrong,
so each engine has to give the CPU's answers on the golden frames before it is armed. The engine
that was armed before it is kept.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from edge_pilot import files
from edge_pilot.card import ModelCard, ModelFile
from edge_pilot.errors import EngineError
from edge_pilot.inference import golden
from edge_pilot.inference.backend import Backend, input_shapes

MAGIC = b"edge_pilot engine 1\n"
ARMED = "armed.json"  # for each model's name its engine's file, and the one before
Say = Callable[[str], None]


class Runtime(Protocol):
    """What builds engines and loads them."""

    def traits(self) -> Mapping[str, str]:
        """Give all that an engine depends on beside its model: version, device, options ..."""
        ...

    def build(self, model: ModelFile, say: Say) -> bytes:
        """Build an engine.

        Raises:
            EngineError: the model cannot be built.
        """
        ...

    def load(self, engine: bytes, card: ModelCard) -> Backend:
        """Make an engine ready.

        Raises:
            EngineError: it is not one, or not one for this runtime.
        """
        ...


@dataclass(frozen=True)
class EngineKey:
    """All that an engine depends on."""

    onnx_sha256: str
    precision: str
    shapes: Mapping[str, tuple[int, ...]]
    traits: Mapping[str, str]

    @property
    def text(self) -> bytes:
        """The key in one line of JSON, always the same for equal keys."""
        shapes = {name: list(shape) for name, shape in self.shapes.items()}
        document = {"onnx_sha256": self.onnx_sha256, "precision": self.precision,
                    "shapes": shapes, "traits": dict(self.traits)}  # fmt: skip
        return json.dumps(document, sort_keys=True).encode()

    @property
    def file_name(self) -> str:
        """The name of the engine's file."""
        return hashlib.sha256(self.text).hexdigest()[:32] + ".engine"


def key_of(model: ModelFile, runtime: Runtime) -> EngineKey:
    """Give the key of a model's engine."""
    return EngineKey(
        onnx_sha256=hashlib.sha256(model.onnx).hexdigest(),
        precision=model.card.precision,
        shapes=input_shapes(model.card),
        traits=runtime.traits(),
    )


def arm(model: ModelFile, runtime: Runtime, reference: Backend, folder: Path, say: Say) -> Backend:
    """Give the model's engine, from the cache or newly built, after it was compared.

    A cached file that is damaged, foreign or gives other answers is said, and built anew.

    Raises:
        EngineError: no engine can be built, or the new one gives other answers too. Nothing is
            changed then.
    """
    key = key_of(model, runtime)
    path = folder / key.file_name
    if path.exists():
        try:
            backend = runtime.load(read(path, key), model.card)
            golden.check(backend, reference, model.card)
        except EngineError as error:
            say(f"engine cache: {error}; it is built anew")
        else:
            _note(folder, model.card.name, path.name)
            return backend
    say(f"engine cache: building an engine for {model.card.name} {model.digest}")
    engine = runtime.build(model, say)
    backend = runtime.load(engine, model.card)
    golden.check(backend, reference, model.card)
    write(path, key, engine)
    _note(folder, model.card.name, path.name)
    return backend


def read(path: Path, key: EngineKey) -> bytes:
    """Read an engine.

    Raises:
        EngineError: the file is damaged, or that of another key.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise EngineError(f"expected an engine at {path}, got: {error.strerror}") from None
    if not content.startswith(MAGIC):
        raise EngineError(f"expected an engine of edge_pilot in {path}, got something else")
    text, _, rest = content[len(MAGIC) :].partition(b"\n")
    digest, _, engine = rest.partition(b"\n")
    if text != key.text:
        raise EngineError(f"expected an engine for {key.text.decode()} in {path}, got another")
    if hashlib.sha256(engine).hexdigest().encode() != digest:
        raise EngineError(f"expected a whole engine in {path}, got {len(engine)} damaged bytes")
    return engine


def write(path: Path, key: EngineKey, engine: bytes) -> None:
    """Write an engine, whole or not at all.

    Raises:
        EngineError: the folder cannot be written.
    """
    digest = hashlib.sha256(engine).hexdigest().encode()
    _replace(path, MAGIC + key.text + b"\n" + digest + b"\n" + engine)


def _note(folder: Path, model: str, name: str) -> None:
    """Note the armed engine of a model, and remove those before the last but one."""
    path = folder / ARMED
    armed = _armed(path)
    current, previous = armed.get(model, ["", ""])
    if name == current:
        return
    armed[model] = [name, current]
    _replace(path, json.dumps(armed, sort_keys=True).encode())
    if previous and not any(previous in kept for kept in armed.values()):
        (folder / previous).unlink(missing_ok=True)


def _armed(path: Path) -> dict[str, list[str]]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        return {str(model): [str(current), str(before)] for model, (current, before) in
                document.items()}  # fmt: skip
    except (OSError, ValueError, AttributeError, TypeError):
        return {}  # it only says what may be removed


def _replace(path: Path, content: bytes) -> None:
    try:
        files.replace(path, content)
    except OSError as error:
        raise EngineError(f"expected to write {path}, got: {error.strerror}") from None
