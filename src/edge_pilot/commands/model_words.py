"""What `edge_pilot model check` says, in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from edge_pilot.config import CameraConfig
from edge_pilot.inference import golden
from edge_pilot.perception.found import Found
from edge_pilot.types import Image, Tensor

Answers = Sequence[Mapping[str, Tensor]]
MOST = 6
SURE = ("prob", "softmax", "score", "conf", "sigmoid")  # in a name: values of 0 to 1
RAW = ("logit",)
BOXES = ("box", "bbox", "loc")
MAPS = ("mask", "seg", "heat")


def describe(answers: Answers, declared: Mapping[str, tuple[object, ...]]) -> dict[str, Any]:
    """Give shape and range of each output."""
    return {
        name: {
            "declared": list(map(str, declared[name])),
            "shape": list(answers[0][name].shape),
            "lowest": float(min(np.min(answer[name], initial=np.inf) for answer in answers)),
            "highest": float(max(np.max(answer[name], initial=-np.inf) for answer in answers)),
        }
        for name in answers[0]
    }


def lies(answers: Answers) -> list[str]:
    """Say where an output is not what its name says; the shape and the values count."""
    notes = []
    for name in answers[0]:
        values = np.stack([np.asarray(answer[name], np.float64) for answer in answers])
        low, high, word = values.min(), values.max(), name.lower()
        shape = tuple(answers[0][name].shape)
        is_share = low >= 0.0 and high <= 1.0
        if any(w in word for w in SURE) and not is_share:
            notes.append(f"{name} sounds like values of 0 to 1, but goes from {low:.3g} to "
                         f"{high:.3g}: taken by its values")  # fmt: skip
        if any(w in word for w in RAW) and is_share:
            notes.append(f"{name} sounds like log odds, but goes from {low:.3g} to {high:.3g}: "
                         "taken by its values")  # fmt: skip
        if any(w in word for w in BOXES) and 4 not in shape and all(n % 4 for n in shape[1:]):
            notes.append(f"{name} sounds like boxes, but is {shape}: taken by its shape")
        if any(w in word for w in MAPS) and len(shape) < 3:
            notes.append(f"{name} sounds like a map, but is {shape}: taken by its shape")
        if not np.isfinite(values).all():
            notes.append(f"{name} has values that are not finite")
    return notes


def named_as(outputs: Mapping[str, Tensor], answer: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """Give outputs under the names of the answer; other engines have other names and orders."""
    if outputs.keys() == answer.keys():
        return {name: outputs[name] for name in answer}
    left = list(outputs.values())
    named = {}
    for name, wanted in answer.items():
        near = [o for o in left if o.size == wanted.size]
        if not near:
            return outputs
        best = min(near, key=lambda o: _share(o.reshape(wanted.shape), wanted))
        left = [o for o in left if o is not best]
        named[name] = best.reshape(wanted.shape)
    return named


def differences(outputs: Mapping[str, Tensor], answer: Mapping[str, Tensor]) -> dict[str, float]:
    """Give for each output the root mean square of the difference, as a share of the output's."""
    return {
        name: _share(outputs[name], wanted) if name in outputs else float("inf")
        for name, wanted in answer.items()
    }


def summary(found: Found) -> str:
    """Say in a line what was found."""
    parts = [f"{box.label} {box.score:.2f}" for box in found.boxes[:MOST]]
    if len(found.boxes) > MOST:
        parts.append(f"and {len(found.boxes) - MOST} more")
    best = sorted(found.scores.items(), key=lambda item: -item[1])[:MOST]
    parts += [f"{label} {score:.2f}" for label, score in best]
    parts += [f"{label} {100 * mask.mean():.1f} % of the picture"
              for label, mask in found.classes.items()]  # fmt: skip
    if found.steering_rad is not None:
        parts.append(f"steering {found.steering_rad:+.3f} rad")
    return ", ".join(parts) or "nothing"


def lines(report: Mapping[str, Any]) -> Iterator[str]:
    """Give what is printed."""
    model = report["model"]
    yield f"model     {model['name']} {model['digest']}, decoder {model['decoder']}"
    for name, shape in report["inputs"].items():
        yield f"input     {name} {_shape(shape)}"
    for name, one in report["outputs"].items():
        reach = f"{one['lowest']:.3g} to {one['highest']:.3g}"
        yield f"output    {name} {_shape(one['shape'])}, {reach}"
    yield from (f"note      {note}" for note in report["notes"])
    for name, engine in report["engines"].items():
        if "unavailable" in engine:
            yield f"engine    {name}: not available: {engine['unavailable']}"
            continue
        stages = ", ".join(f"{s} {ms:.2f}" for s, ms in engine["stages_ms"].items())
        worst = max(engine["differences"].values(), default=0.0)
        yield f"engine    {name}: {stages} ms; differs by {worst:.2g} of the reference at most"
    for number, line in enumerate(report["found"][:MOST]):
        yield f"picture   {number}: {line}"
    yield "verdict   " + (
        "model and card fit, and the engines agree"
        if report["is_good"]
        else "the engines do not agree"
    )


def camera_for(image: Image, camera: CameraConfig) -> CameraConfig:
    """Give the configured camera with pictures of another size."""
    height, width = image.shape[:2]
    focal = camera.focal_px * width / camera.width_px
    return replace(camera, width_px=width, height_px=height, focal_px=focal)


def _share(got: Tensor, wanted: Tensor) -> float:
    if got.shape != wanted.shape:
        return float("inf")
    return golden.difference(np.asarray(got), np.asarray(wanted)).rms


def _shape(shape: Sequence[object]) -> str:
    return "x".join(map(str, shape))
