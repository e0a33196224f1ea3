"""From a picture to a command, in one call: no ROS, no clock, no thread."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from edge_pilot.card import CameraModel, ModelFile
from edge_pilot.config import Config
from edge_pilot.control.lateral import steer
from edge_pilot.control.longitudinal import accelerate
from edge_pilot.inference.backend import Backend
from edge_pilot.perception.heads import decode, encode_state
from edge_pilot.preprocess import Preprocessor
from edge_pilot.types import Command, EgoState, Frame, Prediction

STAGES = ("preprocess", "infer", "decode", "control")


@dataclass(frozen=True, slots=True, eq=False)
class Decision:
    """What one frame led to."""

    prediction: Prediction
    command: Command


class Pipeline:
    """Drives: a frame and the car's motion in, a proposal out."""

    def __init__(
        self,
        config: Config,
        model: ModelFile,
        backend: Backend,
        camera: CameraModel | None = None,
    ) -> None:
        self._config = config
        self._card = model.card
        self._backend = backend
        self._preprocessor = Preprocessor(model.card.input, camera, config.pilot.denoise)

    def step(
        self, frame: Frame, ego: EgoState, lap: Callable[[str], None] = lambda stage: None
    ) -> Decision:
        """Decide on one frame; `lap` is called with the name of each stage when it has ended.

        Raises:
            ImageError: the picture has another size than its camera.
        """
        image = self._preprocessor.tensor(frame.image)  # (1, 3, H, W)
        lap("preprocess")
        outputs = self._backend.run(image, encode_state(ego, self._card))
        lap("infer")
        prediction = decode(outputs, self._card, frame.stamp_ns)
        lap("decode")
        command = self._command(prediction, ego)
        lap("control")
        return Decision(prediction, command)

    def _command(self, prediction: Prediction, ego: EgoState) -> Command:
        vehicle, control = self._config.vehicle, self._config.control
        return Command(
            stamp_ns=prediction.stamp_ns,
            steering_rad=steer(prediction.path, ego, vehicle, control),
            acceleration_mps2=accelerate(prediction.path, ego, control),
        )
