"""The card of a model that somebody else trained: a guest beside the driving model.

It lies beside the ONNX file under the same name, and says how a picture becomes its input and what
reads its outputs::

    name: fastestdet
    decoder: fastestdet        # pilot, yolox, yolov8, nanodet, fastestdet, segmentation,
                               # classification or steering
    input:
      width_px: 352
      height_px: 352
      layout: NCHW             # or NHWC
      colour: BGR              # RGB, BGR or GREY
      scale: 255               # pixels are divided by this, then (x - mean) / std
      mean: [0, 0, 0]
      std: [1, 1, 1]
      resize: plain            # plain, letterbox (with bars) or crop (to its shape)
      region: [0, 0, 1, 1]     # of the picture: left, top, right, bottom, in shares
    labels_file: coco.names    # or labels: [car, ...]
    min_score: 0.5
    iou: 0.45                  # boxes that overlap more are one
    rate_hz: 5                 # at most so often; 0: each picture
    options: {}                # of the decoder
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from edge_pilot.errors import ModelError

PILOT = "pilot"
DECODERS = (
    PILOT, "yolox", "yolov8", "nanodet", "fastestdet", "segmentation", "classification",
    "steering",
)  # fmt: skip
CHOICES = {
    "layout": ("NCHW", "NHWC"), "colour": ("RGB", "BGR", "GREY"),
    "resize": ("plain", "letterbox", "crop"), "align": ("centre", "corner"),
}  # fmt: skip
LARGEST_PX = 8192
MAX_BYTES = 2**20  # of a card or a file of labels


@dataclass(frozen=True)
class GuestInput:
    """How a picture becomes the input."""

    width_px: int
    height_px: int
    layout: str = "NCHW"
    colour: str = "RGB"
    scale: float = 255.0
    mean: tuple[float, ...] = (0.0, 0.0, 0.0)
    std: tuple[float, ...] = (1.0, 1.0, 1.0)
    resize: str = "plain"
    align: str = "centre"  # of a letterbox's picture
    pad: int = 114  # grey of a letterbox's bars
    region: tuple[float, float, float, float] = (0.0, 0.0, 1.0, 1.0)

    @property
    def channels(self) -> int:
        """1 for grey, else 3."""
        return 1 if self.colour == "GREY" else 3

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Give the shape of the tensor for one picture."""
        size = (self.height_px, self.width_px)
        return (1, self.channels, *size) if self.layout == "NCHW" else (1, *size, self.channels)


@dataclass(frozen=True)
class GuestCard:
    """What the card says."""

    name: str
    decoder: str
    input: GuestInput
    labels: tuple[str, ...] = ()
    min_score: float = 0.5
    iou: float = 0.45
    rate_hz: float = 0.0
    outputs: tuple[str, ...] = ()  # their names, in the decoder's order; empty: found by shape
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class GuestFile:
    """An ONNX file with its card."""

    path: Path
    onnx: bytes = field(repr=False)
    card: GuestCard
    digest: str  # 12 hexadecimal digits


def beside(path: Path) -> Path:
    """Give where the card of a model lies."""
    return path.with_suffix(".yaml")


def decoder_of(card: Path) -> str:
    """Give the decoder that a card names; one without is a pilot's.

    Raises:
        ModelError: there is no card, or it is not YAML.
    """
    return str(_document(card)[0].get("decoder", PILOT))


def load(path: Path, card: Path | None = None) -> GuestFile:
    """Read a model and its card; None: the one beside it.

    Raises:
        ModelError: either is missing, or the card is not a card.
    """
    place = card or beside(path)
    document, text = _document(place)
    try:
        onnx = path.read_bytes()
    except OSError as error:
        raise ModelError(f"expected a model at {path}, got: {error.strerror}") from None
    read = parse(document, place, path.parent)
    return GuestFile(path, onnx, read, hashlib.sha256(onnx + text).hexdigest()[:12])


def parse(document: Mapping[str, Any], path: Path, folder: Path) -> GuestCard:
    """Read the card at `path`; its file of labels lies beside it, or in `folder`.

    Raises:
        ModelError: a key is missing, unknown, or of another kind.
    """
    values = dict(document)
    try:
        given = _tuples(dict(values.pop("input")))
        if (file := values.pop("labels_file", None)) is not None:
            values["labels"] = _labels(str(file), (path.parent, folder))
        values["labels"] = tuple(map(str, values.get("labels", ())))
        card = GuestCard(input=GuestInput(**given), **_tuples(values))
        _check(card)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        reason = " ".join(str(error).replace("__init__()", "the card").split())
        raise ModelError(f"expected a guest's card in {path}, got: {reason}") from None
    return card


def _check(card: GuestCard) -> None:
    """Raise ValueError where a value is not permitted."""
    spec = card.input
    if card.decoder not in DECODERS[1:]:
        raise ValueError(f"decoder {card.decoder!r}, which is not of {', '.join(DECODERS)}")
    for name, options in CHOICES.items():
        if getattr(spec, name) not in options:
            raise ValueError(f"{name} {getattr(spec, name)!r}, not of {', '.join(options)}")
    if not (0 < spec.width_px <= LARGEST_PX and 0 < spec.height_px <= LARGEST_PX):
        raise ValueError(f"an input of {spec.width_px}x{spec.height_px} pixels")
    if len(spec.mean) < spec.channels or len(spec.std) < spec.channels or not all(spec.std):
        raise ValueError(f"mean {spec.mean} and std {spec.std} for {spec.channels} channels")
    if not spec.scale > 0:
        raise ValueError(f"scale {spec.scale}, not above 0")
    left, top, right, bottom = spec.region
    if not (0 <= left < right <= 1 and 0 <= top < bottom <= 1):
        raise ValueError(f"region {spec.region}, which is not left, top, right, bottom in shares")
    if not (0 < card.min_score < 1 and 0 < card.iou <= 1 and card.rate_hz >= 0):
        raise ValueError("min_score or iou outside of 0 to 1, or rate_hz below 0")


def _document(path: Path) -> tuple[dict[str, Any], bytes]:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ModelError(f"expected a card of at most {MAX_BYTES} bytes at {path}")
        text = path.read_bytes()
        document = yaml.safe_load(text)
    except OSError as error:
        raise ModelError(f"expected a card at {path}, got: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise ModelError(f"expected YAML in {path}, got: {reason}") from None
    if not isinstance(document, dict):
        raise ModelError(f"expected a card in {path}, got {type(document).__name__}")
    return document, text


def _labels(name: str, folders: Sequence[Path]) -> list[str]:
    places = [folder / name for folder in folders]
    path = next((place for place in places if place.exists()), places[0])
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ValueError(f"labels of more than {MAX_BYTES} bytes in {path}")
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ValueError(f"no labels at {path} ({error.strerror})") from None
    return [line.strip() for line in text.splitlines() if line.strip()]


def _tuples(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: tuple(v) if isinstance(v, list) else v for key, v in values.items()}
