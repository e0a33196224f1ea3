"""ONNX Runtime on the CPU: the engine that is always there, and the reference for others."""

from __future__ import annotations

from collections.abc import Mapping

import onnxruntime as ort

from edge_pilot.card import ModelCard, ModelFile
from edge_pilot.errors import ModelError
from edge_pilot.perception.heads import output_shapes, outputs_of
from edge_pilot.types import Tensor


class OnnxBackend:
    """Runs a model in this process."""

    def __init__(self, model: ModelFile, threads: int = 1) -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        # A spinning pool takes the cores away from the other nodes between two frames.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3
        try:
            self._session = ort.InferenceSession(
                model.onnx, options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # noqa: BLE001  the runtime's exceptions share no root
            reason = str(error).splitlines()[0]
            raise ModelError(f"expected an ONNX model in {model.path}, got: {reason}") from None
        self._outputs = outputs_of(model.card)
        _check_inputs(self._session, model)
        _check_outputs(self._session, model)

    def run(self, image: Tensor, state: Tensor) -> Mapping[str, Tensor]:
        """Compute every output, by name."""
        values = self._session.run(list(self._outputs), {"image": image, "state": state})
        return dict(zip(self._outputs, values, strict=True))


def _check_inputs(session: ort.InferenceSession, model: ModelFile) -> None:
    got = {item.name: tuple(item.shape) for item in session.get_inputs()}
    wanted = _input_shapes(model.card)
    if got.keys() != wanted.keys() or not _fit(got, wanted):
        raise ModelError(f"expected inputs {wanted} in {model.path}, got {got}")


def _check_outputs(session: ort.InferenceSession, model: ModelFile) -> None:
    got = {item.name: tuple(item.shape) for item in session.get_outputs()}
    wanted = output_shapes(model.card)
    if missing := [name for name in wanted if name not in got]:
        raise ModelError(
            f"expected outputs {', '.join(wanted)} in {model.path}, "
            f"got {', '.join(sorted(got))} without {', '.join(missing)}"
        )
    if not _fit(got, wanted):
        raise ModelError(f"expected outputs {wanted} in {model.path}, got {got}")


def _fit(got: Mapping[str, tuple[object, ...]], wanted: Mapping[str, tuple[int, ...]]) -> bool:
    """Compare shapes; a symbolic dimension fits any number."""
    return all(
        len(got[name]) == len(shape)
        and all(not isinstance(g, int) or g == w for g, w in zip(got[name], shape, strict=True))
        for name, shape in wanted.items()
    )


def _input_shapes(card: ModelCard) -> dict[str, tuple[int, ...]]:
    spec = card.input
    return {"image": (1, 3, spec.height_px, spec.width_px), "state": (1, len(card.state))}
