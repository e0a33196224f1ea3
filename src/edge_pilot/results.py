"""What `--json` writes: one form for every command of this package.

One object with `config` (every value by its dotted name), `model`, `versions`, `results` (a list)
and `total`. Keys are sorted and numbers exact, so that equal runs give equal bytes; what is not
finite is null, since JSON has no word for it.
"""

from __future__ import annotations

import json
import math
import platform
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, is_dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from edge_pilot import files
from edge_pilot.card import ModelFile
from edge_pilot.config import Config, to_flat
from edge_pilot.errors import InputError

STANDARD_OUTPUT = "-"
MODULES = {  # whose version counts, where a run has imported them
    "numpy": "numpy",
    "cv2": "opencv",
    "onnxruntime": "onnxruntime",
    "rosbags": "rosbags",
    "panda3d": "panda3d",
    "torch": "torch",
}


def write(
    path: str,
    *,
    config: Config,
    model: ModelFile | None,
    results: Sequence[Any],
    total: Mapping[str, Any],
    **more: Any,
) -> None:
    """Write the results of a run, whole or not at all; `-` is the standard output.

    Raises:
        InputError: the file cannot be written.
    """
    document = {
        "config": to_flat(config),
        "model": describe(model) if model else None,
        "versions": versions(),
        "results": results,
        "total": total,
        **more,
    }
    text = json.dumps(plain(document), indent=1, sort_keys=True, allow_nan=False) + "\n"
    if path == STANDARD_OUTPUT:
        sys.stdout.write(text)
    else:
        _replace(Path(path), text)


def canonical(value: Any) -> bytes:
    """Give JSON without blanks, with sorted keys: what digests are taken of."""
    text = json.dumps(plain(value), separators=(",", ":"), sort_keys=True, allow_nan=False)
    return text.encode()


def plain(value: Any) -> Any:
    """Turn dataclasses, NumPy's values and paths into what JSON knows; not finite into None.

    Raises:
        TypeError: a value is of another kind.
    """
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, (np.generic, np.ndarray)):
        return plain(value.tolist())
    if isinstance(value, Path):
        return str(value)
    if is_dataclass(value) and not isinstance(value, type):
        return plain(asdict(value))
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, (bytes, bytearray)):
        return [plain(item) for item in value]
    raise TypeError(f"expected a value that JSON knows, got {type(value).__name__}")


def describe(model: ModelFile) -> dict[str, str]:
    """Name a model."""
    return {"name": model.card.name, "digest": model.digest, "path": model.path.name}


def versions() -> dict[str, str]:
    """Give the versions of what took part in this run."""
    own = {"edge_pilot": own_version(), "python": platform.python_version()}
    loaded = {label: name for name, label in MODULES.items() if name in sys.modules}
    return own | {label: _version(name) for label, name in loaded.items()}


def own_version() -> str:
    """Give the version of this package; it has none where it runs without being installed."""
    try:
        return metadata.version("edge_pilot")
    except metadata.PackageNotFoundError:
        return "not installed"


def _version(name: str) -> str:
    version = getattr(sys.modules[name], "__version__", None)
    return str(version or metadata.version(name))


def _replace(path: Path, text: str) -> None:
    try:
        files.replace(path, text.encode())
    except OSError as error:
        raise InputError(f"expected a file to write at {path}, got: {error.strerror}") from None
