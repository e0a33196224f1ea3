"""From the trained network to the files that travel: ONNX and its card."""

from __future__ import annotations

import io
import os
import warnings
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from edge_pilot import card as cards
from edge_pilot.card import ModelCard, ModelFile
from edge_pilot.perception.heads import outputs_of

OPSET = 17


def export(
    model: nn.Module, card: ModelCard, path: Path, training: Mapping[str, Any]
) -> ModelFile:
    """Write `path` and the card beside it, each at once or not at all, and read them back.

    The batch normalisation is folded into the convolutions by the exporter.
    """
    model.eval()
    shape = (1, card.input.channels, card.input.height_px, card.input.width_px)
    dynamic = {name: {0: "batch"} for name in ("image", "state", *outputs_of(card))}
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        # The newer exporter needs onnxscript, and brings nothing for a plain CNN.
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.onnx.export(
            model.to(memory_format=torch.contiguous_format),  # type: ignore[call-overload]
            (torch.zeros(shape), torch.zeros(1, len(card.state))),
            buffer,  # type: ignore[arg-type]
            input_names=["image", "state"],
            output_names=list(outputs_of(card)),
            dynamic_axes=dynamic,
            opset_version=OPSET,
            dynamo=False,
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    _write(path, buffer.getvalue())
    _write(path.with_suffix(".yaml"), cards.dump(replace(card, training=training)).encode())
    return cards.load(path)


def _write(path: Path, content: bytes) -> None:
    part = path.with_name(path.name + ".part")
    part.write_bytes(content)
    os.replace(part, path)
