"""The model card: what a network takes, what it gives, and how it came to be.

The card lies beside its ONNX file under the same name (`pilot.onnx`, `pilot.yaml`). A model is
named by the first 12 hexadecimal digits of the SHA-256 over both files' bytes, since another
normalisation makes another model.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml

from edge_pilot.config import CameraConfig
from edge_pilot.errors import ModelError
from edge_pilot.types import KINDS, EgoState

PRECISIONS = ("fp32", "fp16", "int8")
MAX_HISTORY_S = 2.0


@dataclass(frozen=True)
class CameraModel:
    """The intrinsics of a camera, as in sensor_msgs/CameraInfo."""

    width_px: int
    height_px: int
    fx_px: float
    fy_px: float
    cx_px: float
    cy_px: float
    distortion_model: str = "plumb_bob"  # or rational_polynomial, equidistant
    distortion: tuple[float, ...] = ()


@dataclass(frozen=True)
class InputSpec:
    """How a picture becomes the network's image tensor.

    The network sees the rows `crop_top_px` to `crop_bottom_px` of the picture of `camera`, a
    camera without distortion, resized to `width_px` by `height_px`, in RGB, as (x / 255 - mean)
    / std. Where `history_s` names ages, the pictures of so long ago follow in the channels.
    """

    width_px: int
    height_px: int
    camera: CameraModel
    crop_top_px: int
    crop_bottom_px: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    history_s: tuple[float, ...] = ()  # ascending

    @property
    def channels(self) -> int:
        """Those of the network's image: three for each picture."""
        return 3 * (1 + len(self.history_s))


@dataclass(frozen=True)
class Novelty:
    """What embeddings are usual, by component; see `perception.novelty`."""

    mean: tuple[float, ...]
    std: tuple[float, ...]
    far: float  # distance that no usual picture has


@dataclass(frozen=True)
class ModelCard:
    """What `pilot.yaml` says."""

    name: str
    input: InputSpec
    state: tuple[str, ...]  # what the state vector holds, in order
    state_scale: tuple[float, ...]  # each is divided by this
    path_distances_m: tuple[float, ...]  # along the path, ascending
    camera_height_m: float
    camera_pitch_rad: float
    precision: str = "fp32"  # of PRECISIONS, that its ONNX file computes in
    kinds: tuple[str, ...] = ()  # of obstacles that it finds, in order; none: it finds none
    novelty: Novelty | None = None  # None: it gives no embedding
    training: Mapping[str, Any] = field(default_factory=dict)  # command, seed, data, metrics


@dataclass(frozen=True)
class ModelFile:
    """An ONNX file with its card, both read once."""

    path: Path
    onnx: bytes = field(repr=False)
    card: ModelCard
    digest: str  # 12 hexadecimal digits


def pinhole(camera: CameraConfig) -> CameraModel:
    """Give the intrinsics of a camera that looks straight ahead and does not distort.

    Whole pixel coordinates are the centres of pixels.
    """
    return CameraModel(
        width_px=camera.width_px,
        height_px=camera.height_px,
        fx_px=camera.focal_px,
        fy_px=camera.focal_px,
        cx_px=0.5 * (camera.width_px - 1),
        cy_px=0.5 * (camera.height_px - 1),
    )


def resized(camera: CameraModel, width_px: int, height_px: int) -> CameraModel:
    """Give the camera whose pictures are those of `camera` in another resolution."""
    across, down = width_px / camera.width_px, height_px / camera.height_px
    return replace(
        camera,
        width_px=width_px,
        height_px=height_px,
        fx_px=across * camera.fx_px,
        fy_px=down * camera.fy_px,
        cx_px=across * (camera.cx_px + 0.5) - 0.5,
        cy_px=down * (camera.cy_px + 0.5) - 0.5,
    )


def load(path: Path) -> ModelFile:
    """Read a model and the card beside it.

    Raises:
        ModelError: either is missing, or the card is not a card.
    """
    card_path = path.with_suffix(".yaml")
    onnx, text = _read(path, "a model"), _read(card_path, "a model card")
    digest = hashlib.sha256(onnx + text).hexdigest()[:12]
    return ModelFile(path, onnx, parse(text, str(card_path)), digest)


def parse(text: bytes, name: str) -> ModelCard:
    """Read a card from YAML.

    Raises:
        ModelError: a key is missing, unknown, or of another kind.
    """
    try:
        document = yaml.safe_load(text)
        spec = dict(document.pop("input"))
        camera = dict(spec.pop("camera"))
        usual = document.pop("novelty", None)
        card = ModelCard(
            input=InputSpec(camera=CameraModel(**_tuples(camera)), **_tuples(spec)),
            novelty=None if usual is None else Novelty(**_tuples(dict(usual))),
            **_tuples(document),
        )
        _check(card)
    except (yaml.YAMLError, AttributeError, KeyError, TypeError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise ModelError(f"expected a model card in {name}, got: {reason}") from None
    return card


def dump(card: ModelCard) -> str:
    """Write a card as YAML."""
    plain = _plain(asdict(card))
    if card.novelty is None:
        del plain["novelty"]
    return yaml.safe_dump(plain, sort_keys=False)


def _check(card: ModelCard) -> None:
    """Raise ValueError where values contradict one another or the car."""
    known = {item.name for item in fields(EgoState)} - {"stamp_ns"}
    if unknown := set(card.state) - known:
        raise ValueError(f"a state that the car does not know: {', '.join(sorted(unknown))}")
    if len(card.state) != len(card.state_scale):
        raise ValueError(f"{len(card.state_scale)} state_scale for {len(card.state)} state")
    if unknown := set(card.kinds) - set(KINDS):
        raise ValueError(f"kinds that are not known: {', '.join(sorted(map(str, unknown)))}")
    if card.precision not in PRECISIONS:
        raise ValueError(f"a precision that is not of {', '.join(PRECISIONS)}")
    ages = (0.0, *card.input.history_s)
    if any(older <= newer for newer, older in pairwise(ages)) or ages[-1] > MAX_HISTORY_S:
        raise ValueError(f"history_s that does not ascend from 0 to {MAX_HISTORY_S} at most")
    if card.novelty:
        _check_novelty(card.novelty)
    distances = (0.0, *card.path_distances_m)
    if len(distances) < 2 or any(far <= near for near, far in pairwise(distances)):
        raise ValueError("path_distances_m that do not ascend from 0")


def _check_novelty(usual: Novelty) -> None:
    numbers = (*usual.mean, *usual.std, usual.far)
    if len(usual.mean) != len(usual.std) or not usual.mean:
        raise ValueError(f"{len(usual.std)} novelty.std for {len(usual.mean)} novelty.mean")
    if not all(abs(value) < math.inf for value in numbers):
        raise ValueError("a novelty that is not finite")
    if min(*usual.std, usual.far) <= 0.0:
        raise ValueError("a novelty.std or novelty.far that is not positive")


def _read(path: Path, what: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ModelError(f"expected {what} at {path}, got: {error.strerror}") from None


def _tuples(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: tuple(v) if isinstance(v, list) else v for key, v in values.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, (list, tuple)) else value
