import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rosbags.typesys import Stores, get_typestore

from edge_pilot.errors import CloudError, ImageError
from edge_pilot.nodes import cdr

STORE = get_typestore(Stores.ROS2_JAZZY)
T = STORE.types
TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)


def header(frame_id=""):
    stamp = T["builtin_interfaces/msg/Time"](sec=12, nanosec=34)
    return T["std_msgs/msg/Header"](stamp=stamp, frame_id=frame_id)


def image(frame_id="camera", encoding="rgb8", data=b"\1\2\3\4\5\6", **changed):
    fields = {"height": 1, "width": 2, "is_bigendian": 1, "step": 6, **changed}
    return T["sensor_msgs/msg/Image"](
        header=header(frame_id), encoding=encoding, data=np.frombuffer(data, np.uint8), **fields
    )


def serialize(message, little_endian=True):
    return bytes(STORE.serialize_cdr(message, message.__msgtype__, little_endian=little_endian))


@pytest.mark.parametrize("little_endian", [True, False])
@given(
    frame_id=TEXTS, encoding=TEXTS, data=st.binary(max_size=40), width=st.integers(0, 2**32 - 1)
)
def test_an_image_is_read_as_it_was_written(little_endian, frame_id, encoding, data, width):
    message = image(frame_id, encoding, data, width=width)
    raw = cdr.image(serialize(message, little_endian))
    assert raw == (12_000_000_034, 1, width, encoding, True, 6, memoryview(data))


@given(frame_id=TEXTS, data=st.binary(max_size=40))
def test_a_compressed_image_is_read_as_it_was_written(frame_id, data):
    message = T["sensor_msgs/msg/CompressedImage"](
        header=header(frame_id), format="jpeg", data=np.frombuffer(data, np.uint8)
    )
    assert cdr.compressed(serialize(message)) == (12_000_000_034, "jpeg", memoryview(data))


def test_the_pixels_are_not_copied():
    message = serialize(image())
    assert cdr.image(message).data.obj is message


@given(st.integers(0, 57))
def test_a_message_that_ends_too_early_is_refused(length):
    with pytest.raises(ImageError, match="expected"):
        cdr.image(serialize(image())[:length])


@given(st.binary(max_size=80))
def test_whatever_the_bytes_are_there_is_an_image_or_an_error_that_says_why_not(message):
    try:
        cdr.image(b"\x00\x01\x00\x00" + message)
    except ImageError as error:
        assert str(error).startswith("expected at least")


def test_another_encapsulation_is_refused():
    with pytest.raises(
        ImageError, match="expected a message in CDR, got one that begins with '0006'"
    ):
        cdr.image(b"\x00\x06\x00\x00" + bytes(40))


def cloud(names=("x", "y"), data=b"\1\2\3", **changed):
    fields = [
        T["sensor_msgs/msg/PointField"](name=name, offset=i, datatype=7, count=i + 1)
        for i, name in enumerate(names)
    ]
    sizes = {"height": 1, "width": 2, "point_step": 3, "row_step": 4, **changed}
    return T["sensor_msgs/msg/PointCloud2"](
        header=header("lidar"), fields=fields, is_bigendian=True, is_dense=True,
        data=np.frombuffer(data, np.uint8), **sizes,
    )  # fmt: skip


@pytest.mark.parametrize("little_endian", [True, False])
@given(names=st.lists(TEXTS, max_size=4), data=st.binary(max_size=40))
def test_a_cloud_is_read_as_it_was_written(little_endian, names, data):
    raw = cdr.cloud(serialize(cloud(names, data), little_endian))
    assert raw.fields == tuple((name, i, 7, i + 1) for i, name in enumerate(names))
    assert (raw.stamp_ns, raw.height, raw.width) == (12_000_000_034, 1, 2)
    assert (raw.is_bigendian, raw.point_step, raw.row_step) == (True, 3, 4)
    assert raw.data == data


@given(st.binary(max_size=80))
def test_whatever_the_bytes_are_there_is_a_cloud_or_an_error_that_says_why_not(message):
    try:
        cdr.cloud(b"\x00\x01\x00\x00" + message)
    except CloudError as error:
        assert str(error).startswith("expected at least")
