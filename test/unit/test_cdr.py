import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rosbags.typesys import Stores, get_typestore

from edge_pilot.errors import CloudError, ImageError, InputError
from edge_pilot.images import LAYOUTS, to_rgb
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


def scalars(names, values):
    return T["sensor_msgs/msg/JointState"](
        header=header(), name=names, position=np.array(values, float), velocity=np.zeros(0),
        effort=np.zeros(0),
    )  # fmt: skip


def vector(values):
    return T["geometry_msgs/msg/Vector3"](*values)


def quaternion():
    return T["geometry_msgs/msg/Quaternion"](x=0.1, y=0.2, z=0.3, w=0.9)


NUMBERS = st.floats(allow_nan=False)
TRIPLES = st.tuples(NUMBERS, NUMBERS, NUMBERS)


@pytest.mark.parametrize("little_endian", [True, False])
@given(frame_id=TEXTS, turn=TRIPLES, force=TRIPLES)
def test_an_inertial_sample_is_read_as_it_was_written(little_endian, frame_id, turn, force):
    noise = [np.arange(9.0) + 10.0 * k for k in range(3)]
    message = T["sensor_msgs/msg/Imu"](
        header(frame_id), quaternion(), noise[0], vector(turn), noise[1], vector(force), noise[2]
    )
    assert cdr.imu(serialize(message, little_endian)) == (12_000_000_034, turn, force)


@pytest.mark.parametrize("little_endian", [True, False])
def test_the_stamp_of_any_message_with_a_header_is_read(little_endian):
    assert cdr.stamp_ns(serialize(image(), little_endian)) == 12_000_000_034
    with pytest.raises(InputError, match="expected at least 8 bytes"):
        cdr.stamp_ns(serialize(image(), little_endian)[:9])


@pytest.mark.parametrize("little_endian", [True, False])
@given(frame_id=TEXTS, child=TEXTS, speed=NUMBERS, rate=NUMBERS, variance=NUMBERS)
def test_odometry_is_read_as_it_was_written(little_endian, frame_id, child, speed, rate, variance):
    place = T["geometry_msgs/msg/Pose"](T["geometry_msgs/msg/Point"](1.0, 2.0, 3.0), quaternion())
    twist = T["geometry_msgs/msg/Twist"](vector((speed, 5.0, 6.0)), vector((7.0, 8.0, rate)))
    noise = np.concatenate([[variance], np.arange(35.0)])
    message = T["nav_msgs/msg/Odometry"](
        header(frame_id), child,
        T["geometry_msgs/msg/PoseWithCovariance"](place, np.arange(36.0)),
        T["geometry_msgs/msg/TwistWithCovariance"](twist, noise),
    )  # fmt: skip
    assert cdr.odometry(serialize(message, little_endian)) == (
        12_000_000_034, speed, rate, variance,
    )  # fmt: skip


STAMP_NS = 12_000_000_034


@given(values=st.dictionaries(TEXTS, NUMBERS, max_size=5))
def test_scalars_are_written_as_ros_writes_them(values):
    expected = serialize(scalars(list(values), list(values.values())))
    assert cdr.write_scalars(STAMP_NS, values) == expected


@given(frame_id=TEXTS, points=st.lists(st.tuples(NUMBERS, NUMBERS), max_size=4))
def test_a_path_is_written_as_ros_writes_it(frame_id, points):
    place, level = T["geometry_msgs/msg/Point"], T["geometry_msgs/msg/Quaternion"](0, 0, 0, 1)
    pose, stamped = T["geometry_msgs/msg/Pose"], T["geometry_msgs/msg/PoseStamped"]
    poses = [stamped(header(frame_id), pose(place(x, y, 0.0), level)) for x, y in points]
    expected = serialize(T["nav_msgs/msg/Path"](header(frame_id), poses))
    assert cdr.write_path(STAMP_NS, frame_id, np.array(points).reshape(-1, 2)) == expected


@given(frame_id=TEXTS, encoding=TEXTS, height=st.integers(0, 4), width=st.integers(1, 4))
def test_an_image_is_written_as_ros_writes_it(frame_id, encoding, height, width):
    pixels = np.arange(height * width * 3, dtype=np.uint8).reshape(height, width, 3)
    message = image(frame_id, encoding, pixels.tobytes(), height=height, width=width,
                    is_bigendian=0, step=3 * width if height else 0)  # fmt: skip
    assert cdr.write_image(STAMP_NS, frame_id, encoding, pixels) == serialize(message)


def test_a_compressed_image_is_written_as_ros_writes_it():
    file = np.arange(9, dtype=np.uint8)
    message = T["sensor_msgs/msg/CompressedImage"](header=header("c"), format="jpeg", data=file)
    assert cdr.write_compressed(STAMP_NS, "c", "jpeg", file) == serialize(message)


def test_pixels_in_another_order_are_written_as_they_are_seen():
    pixels = np.arange(6, dtype=np.uint8).reshape(1, 2, 3)[..., ::-1]
    assert bytes(cdr.image(cdr.write_image(0, "", "rgb8", pixels)).data) == bytes(
        [2, 1, 0, 5, 4, 3]
    )


SMALL = st.integers(0, 9)
READERS = (cdr.image, cdr.compressed, cdr.cloud, cdr.imu, cdr.odometry)
WHOLE = {
    cdr.image: serialize(image()),
    cdr.compressed: cdr.write_compressed(1, "camera", "jpeg", np.zeros(20, np.uint8)),
    cdr.cloud: serialize(cloud()),
}


@pytest.mark.parametrize("read", WHOLE)
@given(data=st.data())
def test_a_length_that_lies_gives_an_error_or_a_view_within_the_message(read, data):
    message = bytearray(WHOLE[read])
    at = data.draw(st.integers(4, len(message) - 4))
    message[at : at + 4] = data.draw(st.binary(min_size=4, max_size=4))
    try:
        view = read(bytes(message)).data
    except InputError as error:
        assert str(error).startswith("expected ")
    else:
        assert view.nbytes <= len(message)


@pytest.mark.parametrize("read", READERS)
@given(message=st.binary(max_size=400), begin=st.sampled_from([b"\0\1\0\0", b"\0\0\0\0", b""]))
def test_no_bytes_crash_a_reader(read, message, begin):
    try:
        read(begin + message)
    except InputError as error:
        assert str(error).startswith("expected ")


@given(encoding=st.sampled_from(sorted(LAYOUTS)), width=SMALL, height=SMALL,
       step=st.integers(0, 99), big=st.booleans(), data=st.binary(max_size=300))  # fmt: skip
def test_a_picture_whose_fields_lie_gives_a_picture_of_its_size_or_an_error(
    encoding, width, height, step, big, data
):
    message = image(encoding=encoding, data=data, width=width, height=height, step=step,
                    is_bigendian=int(big))  # fmt: skip
    raw = cdr.image(serialize(message))
    try:
        picture = to_rgb(raw.data, encoding=raw.encoding, width=raw.width, height=raw.height,
                         step=raw.step, is_bigendian=raw.is_bigendian)  # fmt: skip
    except ImageError as error:
        assert str(error).startswith("expected ")
    else:
        assert picture.shape == (height, width, 3)
        assert picture.sum() >= 0  # every byte of it can be read
