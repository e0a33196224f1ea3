"""`edge_pilot inspect` and `edge_pilot convert`, from the arguments to the exit status."""

from __future__ import annotations

import json
from io import BytesIO
from itertools import pairwise

import numpy as np
import pytest
from replay import make_bags, make_logs
from replay.make_bags import Record, file_of, image, imu, number, write

from edge_pilot import cli
from edge_pilot.replay.bags import decode, open_bag


def inspected(tmp_path, *arguments):
    file = tmp_path / "inspect.json"
    status = cli.main(["inspect", *map(str, arguments), "--json", str(file)])
    return status, json.loads(file.read_text())


def read(path):
    with open_bag(path) as bag:
        return list(bag.messages([topic.name for topic in bag.topics]))


def test_a_converted_tub_has_its_pictures_byte_by_byte(tmp_path):
    tub, out = make_logs.tub(tmp_path / "tub", 20), tmp_path / "out" / "tub.mcap"

    assert cli.main(["convert", str(tub), str(out)]) == 0

    pictures = [m for m in read(out) if m.type.endswith("CompressedImage")]
    assert [m.topic for m in pictures] == ["/camera/image_raw/compressed"] * 20
    for i, message in enumerate(pictures):
        assert bytes(decode(message).data) == (tub / "images" / f"{i}.jpg").read_bytes()


def test_a_converted_bag_is_read_by_mcap_itself(tmp_path):
    mcap_reader = pytest.importorskip("mcap.reader")
    factory = pytest.importorskip("mcap_ros2.decoder").DecoderFactory()
    out = tmp_path / "clean.mcap"
    cli.main(["convert", str(write(tmp_path / "drive", make_bags.drive(6))), str(out)])

    reader = mcap_reader.make_reader(BytesIO(out.read_bytes()), decoder_factories=[factory])
    got = [(channel.topic, message) for _, channel, _, message in reader.iter_decoded_messages()]

    images = [bytes(m.data) for topic, m in got if topic == "/camera/image_raw"]
    assert images == [make_bags.picture(i).tobytes() for i in range(6)]
    assert {topic for topic, _ in got} == {
        "/camera/image_raw", "/imu/data", "/odom", "/driver/command"
    }  # fmt: skip


def test_raw_bgr_pictures_under_another_name_are_found_by_type(tmp_path):
    at = make_bags.START_NS
    pixels = np.arange(18 * 32 * 3, dtype=np.uint8).reshape(18, 32, 3)
    message = image(at)
    message.encoding, message.data = "bgr8", pixels.reshape(-1)
    bag = write(tmp_path / "b", [Record("/zed/left/raw", message, at),
                                 Record("/wheel/steer_deg", number(10.0), at)])  # fmt: skip

    assert cli.main(["convert", str(bag), str(tmp_path / "c.mcap")]) == 0

    got = {m.topic: decode(m) for m in read(tmp_path / "c.mcap")}
    assert bytes(got["/camera/image_raw"].data) == pixels.tobytes()
    assert got["/camera/image_raw"].encoding == "bgr8"
    # The wheel in its name is taken for the steering wheel.
    assert got["/driver/command"].position[0] == pytest.approx(np.radians(10.0) / 16)


def test_a_truncated_mcap_gives_what_is_left_and_status_1(tmp_path, capsys):
    file = file_of(write(tmp_path / "drive", make_bags.drive(10)))
    whole = len(read(file))
    file.write_bytes(file.read_bytes()[:-3000])

    status = cli.main(["convert", str(file), str(tmp_path / "rest.mcap")])

    assert status == 1 and "end of a file that is lost" in capsys.readouterr().out
    rest = read(tmp_path / "rest.mcap")
    assert whole / 2 < len(rest) < whole
    assert inspected(tmp_path, file)[0] == 1


def test_a_bag_with_only_an_imu_is_inspected_and_converted(tmp_path, capsys):
    records = [Record("/imu", imu(make_bags.START_NS + i * 10**7), i * 10**7) for i in range(50)]
    bag = write(tmp_path / "bag", records)

    status, document = inspected(tmp_path, bag)

    assert (status, document["topics"]) == (0, {"imu": "/imu"})
    assert "labels    none" in capsys.readouterr().out
    assert cli.main(["convert", str(bag), str(tmp_path / "c.mcap")]) == 0
    assert cli.main(["replay", "--bag", str(bag)]) == 2


def test_the_imu_is_turned_into_the_cars_axes(tmp_path):
    bag = write(tmp_path / "bag", [Record("/imu", imu(5, turning=0.5), 5)])

    axes = ["--set", "imu.axes=forward,right,down"]
    assert cli.main(["convert", str(bag), str(tmp_path / "c.mcap"), *axes]) == 0

    (message,) = read(tmp_path / "c.mcap")
    assert decode(message).angular_velocity.z == -0.5


def test_a_wrong_side_is_warned_of(tmp_path):
    _, right = inspected(tmp_path, make_logs.tub(tmp_path / "right"))
    _, wrong = inspected(tmp_path, make_logs.tub(tmp_path / "wrong", sign=-1.0))

    assert not right["total"]["warnings"]
    assert "the pictures move the other way" in wrong["total"]["warnings"][0]


def test_faults_of_stamps_are_counted(tmp_path):
    stamps = [0, 50, 100, 100, 150, 700, 650, 750, 60_000, 60_050]
    begin, ms = make_bags.START_NS, 10**6
    records = [
        Record("/a", image(begin + at * ms, i), begin + 50 * i * ms) for i, at in enumerate(stamps)
    ]

    _, document = inspected(tmp_path, write(tmp_path / "b", records), "--stamps", "header")

    (faults,) = [row["faults"] for row in document["results"]]
    names = ("gaps", "reordered", "repeated", "jumps")
    assert [faults[name] for name in names] == [1, 1, 1, 1]
    assert faults["longest_gap_s"] == pytest.approx(0.55)


def test_what_is_converted_again_stays_the_same(tmp_path):
    first, second = tmp_path / "1.mcap", tmp_path / "2.mcap"
    cli.main(["convert", str(make_logs.tub(tmp_path / "tub", 10)), str(first)])

    cli.main(["convert", str(first), str(second)])

    assert read(first) == read(second)
    stamps = [message.stamp_ns for message in read(second)]
    assert all(a <= b for a, b in pairwise(stamps))


def test_a_file_that_exists_is_not_written_over(tmp_path, capsys):
    out = tmp_path / "c.mcap"
    out.write_text("mine")

    assert cli.main(["convert", str(make_logs.tub(tmp_path / "tub", 5)), str(out)]) == 2
    assert "which exists" in capsys.readouterr().err and out.read_text() == "mine"
