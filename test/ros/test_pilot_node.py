"""The pilot as a process: pictures in, proposals out."""

from __future__ import annotations

import itertools
import math
import signal
import time

import fakes
import pytest

pytest.importorskip("rclpy")
pytest.importorskip("onnx")

from diagnostic_msgs.msg import DiagnosticStatus
from lifecycle_msgs.msg import State, Transition
from lifecycle_msgs.srv import ChangeState, GetState
from rcl_interfaces.srv import DescribeParameters
from ros import harness

from edge_pilot import topics
from edge_pilot.nodes import messages

pytestmark = [
    pytest.mark.ros,
    pytest.mark.filterwarnings("ignore:module 'sre_:DeprecationWarning"),  # a parser of rclpy's
]
OUTPUTS = (topics.PILOT_COMMAND, topics.PILOT_PATH, topics.PILOT_PREDICTION, topics.DIAGNOSTICS)
INPUTS = (topics.CAMERA, topics.CAMERA_COMPRESSED, topics.CAMERA_INFO, topics.IMU)
RADIUS_M = 40.0


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    return fakes.write_model(folder, fakes.outputs(fakes.bend(RADIUS_M), 1.0 / RADIUS_M))


@pytest.fixture(scope="module")
def shared_probe():
    with harness.probing() as probe:
        probe.listen(*OUTPUTS)
        yield probe


@pytest.fixture
def probe(shared_probe):
    shared_probe.run(0.05)
    shared_probe.heard.clear_all()
    return shared_probe


@pytest.fixture(scope="module")
def pilot(model, shared_probe):
    with harness.running("pilot", pilot__model=model) as process:
        shared_probe.meet(*INPUTS)
        yield process


def show(probe, camera=topics.CAMERA, imu=topics.IMU, **changed):
    """Send an inertial sample and a picture of this moment, and give its stamp."""
    stamp_ns = time.time_ns()
    probe.send(imu, harness.inertial(stamp_ns))
    probe.send(camera, harness.picture(stamp_ns, **changed))
    return stamp_ns


def drive(probe, count=1):
    """Show pictures until there are so many proposals; give them, and the pictures' stamps."""
    shown, commands = [], probe.heard[topics.PILOT_COMMAND]
    probe.until(lambda: len(commands) >= count, lambda: shown.append(show(probe)))
    return commands, shown


def stamp(message):
    return messages.to_ns(message.header.stamp)


def test_a_picture_is_answered_by_a_command_with_its_stamp(probe, pilot):
    commands, shown = drive(probe)
    command = messages.read_command(commands[0])
    assert command.stamp_ns in shown
    assert command.steering_rad == pytest.approx(2.579 / RADIUS_M, rel=0.05)  # to the left
    assert command.acceleration_mps2 == pytest.approx(1.5)


def test_the_path_of_the_same_picture_comes_too(probe, pilot):
    paths, commands = probe.heard[topics.PILOT_PATH], probe.heard[topics.PILOT_COMMAND]
    probe.until(
        lambda: set(map(stamp, paths)) & set(map(stamp, commands)),
        lambda: show(probe),
    )
    points = messages.read_path(paths[0]).points_m
    assert points[1:, 1] == pytest.approx(fakes.bend(RADIUS_M), rel=1e-5)


def test_the_prediction_has_named_numbers_with_the_latency_of_each_stage(probe, pilot):
    drive(probe)
    (prediction,) = probe.until(lambda: probe.heard[topics.PILOT_PREDICTION][:1])
    values = messages.read_scalars(prediction)
    assert values["curvature_1pm"] == pytest.approx(1.0 / RADIUS_M)
    stages = ("read", "preprocess", "infer", "decode", "control")
    laps = [values[f"{stage}_ms"] for stage in stages]
    assert min(laps) > 0.0
    assert sum(laps) <= values["latency_ms"] < 1000.0


def test_no_frame_is_lost_between_two_processes(probe, pilot):
    drive(probe, 20)
    values = messages.read_scalars(probe.heard[topics.PILOT_PREDICTION][-1])
    assert values["frames_received"] >= 20
    assert values["frames_lost"] == 0


def test_a_compressed_picture_is_answered_too(probe, pilot):
    def feed():
        stamp_ns = time.time_ns()
        probe.send(topics.IMU, harness.inertial(stamp_ns))
        probe.send(topics.CAMERA_COMPRESSED, harness.compressed_picture(stamp_ns))

    assert probe.until(lambda: probe.heard[topics.PILOT_COMMAND], feed)


def test_the_same_moment_is_answered_once_though_it_comes_by_both_topics(probe, pilot):
    commands = probe.heard[topics.PILOT_COMMAND]
    stamp_ns = show(probe)
    probe.until(lambda: commands)
    probe.send(topics.CAMERA_COMPRESSED, harness.compressed_picture(stamp_ns))
    probe.run(0.3)
    assert [stamp(command) for command in commands] == [stamp_ns]


def test_a_bad_picture_is_counted_and_said_and_the_node_lives(probe, pilot):
    drive(probe)
    before = messages.read_scalars(probe.until(lambda: probe.heard[topics.PILOT_PREDICTION])[0])
    show(probe, encoding="rgb99")
    told = probe.until(lambda: [
        values for values in map(harness.said, probe.heard[topics.DIAGNOSTICS])
        if "got 'rgb99'" in values["last_error"]
    ])  # fmt: skip
    assert int(told[0]["frames_failed"]) == before["frames_failed"] + 1
    probe.heard.clear_all()
    drive(probe)


def test_diagnostics_name_the_model_and_say_how_fast_it_answers(probe, pilot):
    drive(probe, 20)
    last = probe.until(lambda: probe.heard[topics.DIAGNOSTICS], lambda: show(probe))[-1]
    values = harness.said(last)
    assert values["model"] == "fake" and len(values["digest"]) == 12
    assert float(values["rate_hz"]) > 0.0
    assert 0.0 < float(values["latency_p50_ms"]) <= float(values["latency_p99_ms"]) < 1000.0


def test_diagnostics_say_that_the_imu_is_mounted_in_another_way(probe, pilot):
    stamps = itertools.count(10**9, 2 * 10**8)

    def feed():
        sample = harness.inertial(next(stamps))
        sample.linear_acceleration.z *= -1.0
        probe.send(topics.IMU, sample)

    heard = probe.heard[topics.DIAGNOSTICS]
    told = probe.until(
        lambda: [one.status[0] for one in heard if "imu.axes" in one.status[0].message], feed
    )
    assert told[0].level == DiagnosticStatus.WARN
    assert told[0].message.endswith("got -9.8: is it forward,right,down?")


def test_a_camera_of_another_size_is_used_once_its_intrinsics_come(probe, pilot):
    def feed(size):
        probe.send(topics.CAMERA_INFO, harness.camera_info(size))
        show(probe, size=size)

    commands, size = probe.heard[topics.PILOT_COMMAND], (640, 360)
    probe.run(0.2, lambda: show(probe, size=size))
    assert commands == []
    probe.until(lambda: commands, lambda: feed(size))
    commands.clear()
    probe.until(lambda: commands, lambda: feed(harness.SIZE))


def test_parameters_come_with_unit_range_and_description_and_cannot_be_changed(probe, pilot):
    names = ["safety.max_image_age_s", "pilot.threads", "pilot.denoise"]
    answer = probe.call(
        "pilot/describe_parameters", DescribeParameters, DescribeParameters.Request(names=names)
    )
    age, threads, denoise = answer.descriptors
    assert age.read_only and age.description.endswith("is judged [s]")
    assert (age.floating_point_range[0].from_value, age.floating_point_range[0].to_value) == (
        0.02,
        2,
    )
    assert threads.integer_range[0].to_value == 64
    assert denoise.additional_constraints == "one of none, median, bilateral"


def test_without_inertial_samples_there_is_no_proposal_and_it_is_said(probe, model):
    with harness.running("pilot", "-r", "__ns:=/second", pilot__model=model):
        second = topics.CAMERA._replace(name="/second/camera/image_raw")
        commands = topics.PILOT_COMMAND._replace(name="/second/pilot/command")
        probe.listen(commands)
        probe.meet(second)
        probe.until(
            lambda: any(
                harness.said(message)["sentence"].endswith("got none yet")
                for message in probe.heard[topics.DIAGNOSTICS]
            ),
            lambda: probe.send(second, harness.picture(time.time_ns())),
        )
        assert probe.heard[commands] == []


def test_without_autostart_it_proposes_nothing_until_it_is_activated(probe, model):
    with harness.running(
        "pilot", "-r", "__ns:=/third", pilot__model=model, pilot__autostart="false"
    ):
        rows = [row._replace(name=f"/third/{row.name}") for row in (topics.CAMERA, topics.IMU)]
        commands = topics.PILOT_COMMAND._replace(name="/third/pilot/command")
        probe.listen(commands)
        probe.meet(*rows)

        def feed():
            show(probe, *rows)

        probe.run(0.3, feed)
        for number in (Transition.TRANSITION_CONFIGURE, Transition.TRANSITION_ACTIVATE):
            assert probe.heard[commands] == []
            request = ChangeState.Request(transition=Transition(id=number))
            assert probe.call("third/pilot/change_state", ChangeState, request).success
            probe.run(0.3, feed)
        assert probe.until(lambda: probe.heard[commands], feed)


def test_what_a_broken_network_says_is_proposed_for_the_gate_to_refuse(probe, tmp_path):
    broken = fakes.write_model(tmp_path, fakes.outputs([math.nan] * 9))
    with harness.running("pilot", "-r", "__ns:=/fifth", pilot__model=broken) as process:
        rows = [row._replace(name=f"/fifth/{row.name}") for row in (topics.CAMERA, topics.IMU)]
        commands = topics.PILOT_COMMAND._replace(name="/fifth/pilot/command")
        probe.listen(commands)
        probe.meet(*rows)
        probe.until(lambda: probe.heard[commands], lambda: show(probe, *rows))
        assert math.isnan(messages.read_command(probe.heard[commands][0]).steering_rad)
        assert process.is_alive()


def test_a_model_that_cannot_be_loaded_leaves_it_unconfigured_and_alive(probe, tmp_path):
    name = tmp_path / "no.onnx"
    with harness.running(
        "pilot", "-r", "__ns:=/fourth", pilot__model=name, pilot__autostart="false"
    ) as process:
        request = ChangeState.Request(transition=Transition(id=Transition.TRANSITION_CONFIGURE))
        assert not probe.call("fourth/pilot/change_state", ChangeState, request).success
        state = probe.call("fourth/pilot/get_state", GetState).current_state
        assert state.id == State.PRIMARY_STATE_UNCONFIGURED
        assert f"expected a model at {name}" in process.end()[1]


def missing_model(folder):
    return {"pilot__model": folder / "no.onnx"}, "expected a model at "


def model_of_another_shape(folder):
    path = fakes.write_model(folder, image_shape=(1, 3, 32, 32))
    return {"pilot__model": path}, "'image': (1, 3, 32, 32)"


def model_that_is_none(folder):
    path = fakes.write_model(folder)
    path.write_bytes(b"no model")
    return {"pilot__model": path}, "expected an ONNX model in "


def unknown_parameter(folder):
    return {"vehicle__wheelbase_cm": 258}, "expected vehicle.wheelbase_m (in m), got the unknown"


def value_out_of_range(folder):
    return {"camera__width_px": 1}, "expected camera.width_px to be a whole number from 32 to"


@pytest.mark.parametrize(
    "make",
    [missing_model, model_of_another_shape, model_that_is_none, unknown_parameter,
     value_out_of_range],
)  # fmt: skip
def test_bad_input_is_one_line_and_status_2(tmp_path, make):
    parameters, expected = make(tmp_path)
    status, errors = harness.Process("pilot", **parameters).wait()
    assert status == 2
    assert errors.count("\n") == 1 and errors.startswith("expected ") and expected in errors


def test_a_parameter_file_is_read_and_an_unknown_key_in_it_refused(tmp_path):
    path = tmp_path / "some.yaml"
    path.write_text("/**:\n  ros__parameters:\n    vehicle: {wheelbase_m: 3, colour: red}\n")
    status, errors = harness.Process("pilot", "--params-file", str(path)).wait()
    assert (status, errors.count("\n")) == (2, 1)
    assert "got the unknown key vehicle.colour" in errors


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_within_3_s_with_status_0(probe, model, number):
    row = topics.IMU._replace(name=f"/last{number}/imu/data")
    with harness.running("pilot", "-r", f"__ns:=/last{number}", pilot__model=model) as process:
        probe.meet(row)
        status, errors, seconds = process.end(number)
    assert (status, "Traceback" in errors) == (0, False)
    assert seconds < 3.0


def test_a_missed_deadline_is_a_warning_with_the_count(probe, model):
    with harness.running(
        "pilot", "-r", "__ns:=/sixth", pilot__model=model, pilot__deadline_s=0.001
    ):
        rows = [row._replace(name=f"/sixth/{row.name}") for row in (topics.CAMERA, topics.IMU)]
        predictions = topics.PILOT_PREDICTION._replace(name="/sixth/pilot/prediction")
        probe.listen(predictions)
        probe.meet(*rows)
        heard = probe.heard[topics.DIAGNOSTICS]
        told = probe.until(
            lambda: [one for one in heard if "within 1 ms of its picture" in said(one)],
            lambda: show(probe, *rows),
        )
        assert told[0].status[0].level == DiagnosticStatus.WARN
        assert int(harness.said(told[0])["deadline_misses"]) > 0
        values = messages.read_scalars(probe.heard[predictions][-1])
        assert values["deadline_misses"] > 0


def test_of_pictures_that_wait_the_newest_is_taken_and_the_others_are_counted(probe, pilot):
    drive(probe)
    probe.run(0.2)  # until the last of those that were shown is answered
    before = messages.read_scalars(probe.heard[topics.PILOT_PREDICTION][-1])
    probe.heard.clear_all()
    waiting = [harness.compressed_picture(time.time_ns() + number) for number in range(5)]
    probe.send(topics.IMU, harness.inertial(time.time_ns()))
    for picture in waiting:
        probe.send(topics.CAMERA_COMPRESSED, picture)
    newest = stamp(waiting[-1])
    probe.until(lambda: newest in map(stamp, probe.heard[topics.PILOT_PREDICTION]))
    after = messages.read_scalars(probe.heard[topics.PILOT_PREDICTION][-1])
    came, skipped = (
        after[name] - before[name] for name in ("frames_received", "frames_superseded")
    )
    answered = {stamp(command) for command in probe.heard[topics.PILOT_COMMAND]}
    assert came == 5
    assert skipped == 5 - len(answered)


def test_every_stage_and_the_way_before_it_is_in_the_prediction(probe, pilot):
    drive(probe)
    (prediction,) = probe.until(lambda: probe.heard[topics.PILOT_PREDICTION][:1])
    values = messages.read_scalars(prediction)
    stages = ("transport", "read", "motion", "scan", "preprocess", "infer", "decode", "track",
              "control", "propose")  # fmt: skip
    total = sum(values[f"{stage}_ms"] for stage in stages)
    assert total == pytest.approx(values["latency_ms"], rel=0.2)


def test_diagnostics_say_which_engine_computes(probe, pilot):
    drive(probe)
    last = probe.until(lambda: probe.heard[topics.DIAGNOSTICS], lambda: show(probe))[-1]
    assert harness.said(last)["inference"].startswith(("onnx on ", "tensorrt "))


def said(message):
    return message.status[0].message
