"""Finding the camera and its companions in a recording."""

from __future__ import annotations

import pytest
from replay.make_bags import (
    Record,
    camera_info,
    command,
    compressed,
    drive,
    image,
    make,
    number,
    write,
)

from edge_pilot.errors import BagError
from edge_pilot.replay.bags import open_bag
from edge_pilot.replay.selection import select


def chosen(tmp_path, records, **names):
    with open_bag(write(tmp_path / "bag", records)) as bag:
        return select(bag, **names)


def pictures(topic, count, make_one=image, **fields):
    return [Record(topic, make_one(stamp, **fields), stamp) for stamp in range(1, count + 1)]


def test_each_topic_is_found_by_type(tmp_path):
    selection = chosen(tmp_path, drive())

    assert selection.names == {
        "camera": "/camera/image_raw",
        "imu": "/imu/data",
        "odom": "/odom",
        "steering": "/driver/command",
    }


def test_colour_goes_before_grey_and_depth_is_no_camera(tmp_path):
    records = [
        *pictures("/depth", 9, encoding="16UC1"),
        *pictures("/grey", 8, encoding="mono16"),
        *pictures("/colour", 3),
    ]

    assert chosen(tmp_path, records).camera.name == "/colour"


def test_the_camera_with_most_pictures_is_taken(tmp_path):
    records = [*pictures("/few", 2), *pictures("/many", 3, compressed), *pictures("/one", 1)]

    assert chosen(tmp_path, records).camera.name == "/many"


def test_depth_alone_is_no_camera(tmp_path):
    packed = compressed(1)
    packed.format = "16UC1; compressedDepth png"
    records = [*pictures("/depth", 2, encoding="32FC1"), Record("/packed", packed, 1)]

    with pytest.raises(BagError, match="expected a camera"):
        chosen(tmp_path, records)


def test_without_a_camera_one_line_lists_the_topics(tmp_path):
    with pytest.raises(BagError) as caught:
        chosen(tmp_path, [Record("/steering", number(1.0), 1), Record("/b", command(1, 0.0), 1)])

    line = str(caught.value)
    assert line.endswith("got /b (sensor_msgs/msg/JointState), /steering (std_msgs/msg/Float32)")
    assert "\n" not in line


def test_named_topics_are_taken_with_or_without_a_slash(tmp_path):
    records = [*drive(), *pictures("/other", 1)]

    selection = chosen(tmp_path, records, camera="other", steering="/steering")

    assert (selection.camera.name, selection.steering.name) == ("/other", "/steering")


@pytest.mark.parametrize(
    "names", [{"camera": "/imu/data"}, {"camera": "/x"}, {"steering": "/odom"}]
)
def test_a_named_topic_that_cannot_be_is_refused(tmp_path, names):
    with pytest.raises(BagError, match=r"expected messages on .*, got /camera/image_raw \("):
        chosen(tmp_path, drive(), **names)


@pytest.mark.parametrize("name", ["/front/image_raw", "/front/image_raw/compressed"])
def test_the_camera_info_beside_the_camera_is_taken(tmp_path, name):
    make_one = compressed if name.endswith("compressed") else image
    infos = [Record(f"/{side}/camera_info", camera_info(1), 1) for side in ("back", "front")]

    selection = chosen(tmp_path, [*pictures(name, 1, make_one), *infos])

    assert selection.camera_info.name == "/front/camera_info"


def test_an_empty_bag_has_no_camera(tmp_path):
    with pytest.raises(BagError, match="got no topics"):
        chosen(tmp_path, [])


def test_only_joint_states_named_driver_command_are_the_human(tmp_path):
    joints = make(
        "sensor_msgs/msg/JointState", **{**vars(command(1, 0.0)), "name": ["wheel", "arm"]}
    )
    selection = chosen(tmp_path, [*pictures("/camera", 1), Record("/joint_states", joints, 1)])

    assert selection.steering is None
