from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("onnx", reason="the extra `dev` is not installed")

import fakes

import edge_pilot.pipeline
from edge_pilot import card
from edge_pilot.card import CameraModel
from edge_pilot.config import Config
from edge_pilot.control.lateral import steering_of
from edge_pilot.errors import ImageError
from edge_pilot.inference import backend
from edge_pilot.pipeline import STAGES, Pipeline
from edge_pilot.types import Detection, EgoState, Frame, Scan

CONFIG = Config()
FRAME = Frame(7, np.full((180, 320, 3), 128, np.uint8))
MOVING = EgoState(7, speed_mps=8.0, yaw_rate_radps=0.0)


def pipeline(folder, values=None, camera=None):
    model = card.load(fakes.write_model(folder, values))
    return Pipeline(CONFIG, model, backend.load(model), camera)


def test_on_a_straight_lane_it_speeds_up_with_the_wheels_straight(tmp_path):
    decision = pipeline(tmp_path).step(FRAME, MOVING)
    assert decision.command.steering_rad == pytest.approx(0.0, abs=1e-6)
    assert decision.command.acceleration_mps2 == CONFIG.control.max_acceleration_mps2


def test_a_bend_is_steered_by_its_radius_and_taken_slower(tmp_path):
    values = fakes.outputs(fakes.bend(40.0), 1.0 / 40.0)
    command = pipeline(tmp_path, values).step(FRAME, EgoState(7, 14.0, 0.0)).command
    assert command.steering_rad == pytest.approx(steering_of(1.0 / 40.0, CONFIG.vehicle), rel=0.02)
    assert command.acceleration_mps2 < 0.0


def test_command_path_and_prediction_carry_the_stamp_of_the_picture(tmp_path):
    decision = pipeline(tmp_path).step(FRAME, MOVING)
    stamps = {decision.command.stamp_ns, decision.prediction.stamp_ns,
              decision.prediction.path.stamp_ns}  # fmt: skip
    assert stamps == {7}


def test_each_stage_is_told_once_and_in_order(tmp_path):
    laps = []
    pipeline(tmp_path).step(FRAME, MOVING, lap=laps.append)
    assert tuple(laps) == STAGES


def test_a_picture_that_is_not_its_camera_s_is_refused(tmp_path):
    camera = CameraModel(640, 360, 380.0, 380.0, 319.5, 179.5)
    with pytest.raises(ImageError, match="640x360"):
        pipeline(tmp_path, camera=camera).step(FRAME, MOVING)


def test_the_same_frame_gives_the_same_command_to_the_last_bit(tmp_path):
    first, second = (pipeline(tmp_path).step(FRAME, MOVING).command for _ in range(2))
    assert first == second


@pytest.fixture
def car_ahead(monkeypatch):
    """Let the network see a car 12 m ahead."""
    seen = (Detection("vehicle", 0.9, 12.0, 0.0, 1.8),)
    real = edge_pilot.pipeline.decode
    monkeypatch.setattr(
        edge_pilot.pipeline, "decode", lambda *args: replace(real(*args), detections=seen)
    )


def drive(one, frames, ego=MOVING):
    """Let a pipeline see the same picture several times, 50 ms apart."""
    for i in range(frames):
        decision = one.step(Frame(i * 50_000_000, FRAME.image), ego)
    return decision


@pytest.mark.usefixtures("car_ahead")
def test_what_the_network_sees_ahead_is_braked_for(tmp_path):
    decision = drive(pipeline(tmp_path), 5)
    assert [lead.kind for lead in decision.leads] == ["vehicle"]
    assert decision.command.acceleration_mps2 < -3.0
    assert decision.reason.startswith("Brakes: a vehicle")


@pytest.mark.usefixtures("car_ahead")
def test_with_the_camera_s_obstacles_off_it_is_not(tmp_path):
    model = card.load(fakes.write_model(tmp_path))
    config = replace(CONFIG, pilot=replace(CONFIG.pilot, use_camera=False))
    decision = drive(Pipeline(config, model, backend.load(model)), 5)
    assert (decision.obstacles, decision.leads) == ((), ())


@pytest.mark.usefixtures("car_ahead")
def test_a_reset_forgets_what_was_around(tmp_path):
    one = pipeline(tmp_path)
    drive(one, 5)
    one.reset()
    assert drive(one, 1).obstacles == ()


def test_what_the_lidar_sees_ahead_is_braked_for(tmp_path):
    y, z = np.meshgrid(np.linspace(-0.9, 0.9, 30), np.linspace(0.3, 1.5, 20))
    points = np.column_stack([np.full(y.size, 12.0), y.ravel(), z.ravel()]).astype(np.float32)
    one, standing = pipeline(tmp_path), EgoState(0, 0.1, 0.0)
    for i in range(4):
        stamp_ns = i * 100_000_000
        one.step(Frame(stamp_ns, FRAME.image), standing, Scan(stamp_ns - 10_000_000, points))
    decision = one.step(Frame(stamp_ns, FRAME.image), MOVING)
    assert decision.leads[0].distance_m == pytest.approx(12.0 - 3.55, abs=0.3)
    assert decision.command.acceleration_mps2 < -3.0
