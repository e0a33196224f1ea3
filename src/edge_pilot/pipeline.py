"""From a picture to a command, in one call: no ROS, no clock, no thread."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from edge_pilot.card import CameraModel, ModelFile
from edge_pilot.clusters import detect
from edge_pilot.config import Config
from edge_pilot.control.cruise import Cruise
from edge_pilot.control.lateral import steer
from edge_pilot.control.leads import Lead, leads
from edge_pilot.control.longitudinal import accelerate
from edge_pilot.inference.backend import Backend
from edge_pilot.perception.boxes import is_beside
from edge_pilot.perception.heads import decode, encode_state
from edge_pilot.perception.health import PictureCheck, PictureHealth
from edge_pilot.perception.tracker import Tracker
from edge_pilot.preprocess import Preprocessor
from edge_pilot.types import Command, EgoState, Frame, Obstacle, Prediction, Scan

STAGES = ("preprocess", "infer", "decode", "track", "control")


@dataclass(frozen=True, slots=True, eq=False)
class Decision:
    """What one frame led to."""

    prediction: Prediction
    obstacles: tuple[Obstacle, ...]
    leads: tuple[Lead, ...]
    command: Command
    reason: str  # of the acceleration, in one sentence
    health: PictureHealth
    speed_mps: float  # by which it was decided

    def scalars(self) -> dict[str, float]:
        """Give what safety must know of the picture and of the prediction, by name."""
        return {
            **self.health._asdict(),
            "novelty": self.prediction.novelty,
            "path_std_m": float(self.prediction.path_std_m.max()),
            "speed_mps": self.speed_mps,
        }


class Pipeline:
    """Drives: a frame, the car's motion and perhaps a scan in, a proposal out.

    It remembers what is around the car; a gap of a second, or a clock that is set back, makes it
    begin anew by itself.
    """

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
        self.reset()

    @property
    def reduction(self) -> int:
        """How many times smaller a JPEG of the camera may be decoded."""
        return self._preprocessor.reduction

    def reset(self) -> None:
        """Forget what is around the car, and what it saw."""
        self._preprocessor.forget()
        self._tracker = Tracker()
        self._cruise = Cruise(self._config.control)
        self._check = PictureCheck()

    def step(
        self,
        frame: Frame,
        ego: EgoState,
        scan: Scan | None = None,
        lap: Callable[[str], None] = lambda stage: None,
    ) -> Decision:
        """Decide on one frame; `lap` is called with the name of each stage when it has ended.

        Args:
            frame: the picture.
            ego: the car's motion.
            scan: what the LiDAR saw, where it is new; each scan is given once.
            lap: hears of the stages.

        Raises:
            ImageError: the picture has another size than its camera.
        """
        view = self._preprocessor.crop(frame.image, frame.reduction)
        health = self._check.measure(view)
        image = self._preprocessor.tensor_of(view, frame.stamp_ns)  # (1, C, H, W)
        lap("preprocess")
        outputs = self._backend.run(image, encode_state(ego, self._card))
        lap("infer")
        forward_m = self._config.camera.forward_m
        prediction = decode(outputs, self._card, frame.stamp_ns, forward_m)
        lap("decode")
        obstacles = self._track(prediction, ego, scan)
        lap("track")
        decision = self._decide(prediction, obstacles, ego, health)
        lap("control")
        return decision

    def _track(
        self, prediction: Prediction, ego: EgoState, scan: Scan | None
    ) -> tuple[Obstacle, ...]:
        pilot = self._config.pilot
        if scan is not None and pilot.use_lidar:
            self._tracker.update(scan.stamp_ns, ego, detect(scan), by_lidar=True)
        if pilot.use_camera:
            seen = [one for one in prediction.detections if not is_beside(one, self._card)]
            self._tracker.update(prediction.stamp_ns, ego, seen)
        return self._tracker.obstacles(prediction.stamp_ns, ego)

    def _decide(
        self,
        prediction: Prediction,
        obstacles: tuple[Obstacle, ...],
        ego: EgoState,
        health: PictureHealth,
    ) -> Decision:
        vehicle, control = self._config.vehicle, self._config.control
        path, stamp_ns = prediction.path, prediction.stamp_ns
        found = self._cruise.believe(stamp_ns, leads(obstacles, path, ego, vehicle, control))
        wanted = accelerate(path, ego, control, found)
        action = self._cruise.update(stamp_ns, ego.speed_mps, found, wanted)
        steering = steer(path, ego, vehicle, control)
        command = Command(stamp_ns, steering, action.acceleration_mps2)
        return Decision(
            prediction, obstacles, found, command, action.reason, health, ego.speed_mps
        )
