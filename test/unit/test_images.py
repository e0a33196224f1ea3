import array
import struct

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_pilot.errors import ImageError
from edge_pilot.images import LAYOUTS, from_compressed, to_rgb

RED, GREEN, BLUE = COLOUR = (200, 100, 50)
LUMA, CB, CR = 123, 91, 176  # of COLOUR, by ITU-R BT.601 with 16..235 and 16..240
ROW_PAIRS = {  # encoding: two rows of two pixels of COLOUR, or of grey 77
    "rgb8": (bytes([RED, GREEN, BLUE] * 2), bytes([RED, GREEN, BLUE] * 2)),
    "bgr8": (bytes([BLUE, GREEN, RED] * 2), bytes([BLUE, GREEN, RED] * 2)),
    "rgba8": (bytes([RED, GREEN, BLUE, 9] * 2), bytes([RED, GREEN, BLUE, 9] * 2)),
    "bgra8": (bytes([BLUE, GREEN, RED, 9] * 2), bytes([BLUE, GREEN, RED, 9] * 2)),
    "mono8": (b"\x4d" * 2, b"\x4d" * 2),
    "mono16": (b"\x12\x4d" * 2, b"\x12\x4d" * 2),
    "8UC1": (b"\x4d" * 2, b"\x4d" * 2),
    "8UC3": (bytes([BLUE, GREEN, RED] * 2), bytes([BLUE, GREEN, RED] * 2)),
    "8UC4": (bytes([BLUE, GREEN, RED, 9] * 2), bytes([BLUE, GREEN, RED, 9] * 2)),
    "16UC1": (b"\x12\x4d" * 2, b"\x12\x4d" * 2),
    "32FC1": (struct.pack("<2f", 77 / 255, 77 / 255), struct.pack("<2f", 77 / 255, 77 / 255)),
    "bayer_rggb8": (bytes([RED, GREEN]), bytes([GREEN, BLUE])),
    "bayer_bggr8": (bytes([BLUE, GREEN]), bytes([GREEN, RED])),
    "bayer_gbrg8": (bytes([GREEN, BLUE]), bytes([RED, GREEN])),
    "bayer_grbg8": (bytes([GREEN, RED]), bytes([BLUE, GREEN])),
    "yuv422": (bytes([CB, LUMA, CR, LUMA]), bytes([CB, LUMA, CR, LUMA])),
    "uyvy": (bytes([CB, LUMA, CR, LUMA]), bytes([CB, LUMA, CR, LUMA])),
    "yuv422_yuy2": (bytes([LUMA, CB, LUMA, CR]), bytes([LUMA, CB, LUMA, CR])),
    "yuyv": (bytes([LUMA, CB, LUMA, CR]), bytes([LUMA, CB, LUMA, CR])),
}
GREY = ("mono8", "mono16", "8UC1", "16UC1", "32FC1")
PLANAR = {"nv12": bytes([CB, CR]), "nv21": bytes([CR, CB])}


def read(data, encoding, width, height, step=None, is_bigendian=False):
    step = width * LAYOUTS[encoding].pixel_bytes if step is None else step
    return to_rgb(
        data, encoding=encoding, width=width, height=height, step=step, is_bigendian=is_bigendian
    )


@st.composite
def messages(draw, encoding):
    """Draw the rows of a message without padding, and its width and height."""
    layout = LAYOUTS[encoding]
    columns, rows = layout.multiple_px
    width = columns * draw(st.integers(layout.least_px, 9))
    height = rows * draw(st.integers(layout.least_px, 6))
    shape = (height * layout.rows_per_pair // 2, width * layout.pixel_bytes)
    seed = draw(st.integers(0, 2**32 - 1))
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8), width, height


def test_every_encoding_has_a_golden_colour():
    assert set(LAYOUTS) == set(ROW_PAIRS) | set(PLANAR)


@pytest.mark.parametrize("encoding", ROW_PAIRS)
def test_a_plain_colour_is_read_as_itself(encoding):
    even, odd = ROW_PAIRS[encoding]
    data = (even * 3 + odd * 3) * 2
    image = read(data, encoding, width=6, height=4)
    assert image.shape == (4, 6, 3)
    assert image.dtype == np.uint8
    expected = (77, 77, 77) if encoding in GREY else COLOUR
    np.testing.assert_allclose(image, np.broadcast_to(expected, (4, 6, 3)), atol=2)


@pytest.mark.parametrize("encoding", PLANAR)
def test_a_plain_colour_in_two_planes_is_read_as_itself(encoding):
    data = bytes([LUMA] * 24) + PLANAR[encoding] * 6
    image = read(data, encoding, width=6, height=4)
    np.testing.assert_allclose(image, np.broadcast_to(COLOUR, (4, 6, 3)), atol=2)


@pytest.mark.parametrize(
    ("encoding", "data"),
    [
        ("uyvy", bytes([128, 16, 128, 235])),
        ("yuyv", bytes([16, 128, 235, 128])),
        ("nv12", bytes([16, 235, 16, 235, 128, 128])),
        ("mono16", b"\xff\x00\x00\xff"),
        ("32FC1", struct.pack("<2f", 0.0, 1.0)),
    ],
)
def test_the_left_pixel_comes_first(encoding, data):
    image = read(data, encoding, width=2, height=2 if encoding == "nv12" else 1)
    np.testing.assert_allclose(image[0], [[0, 0, 0], [255, 255, 255]], atol=1)


def test_floats_beyond_the_range_are_clipped_and_nan_is_black():
    values = [float("nan"), float("-inf"), -1.0, 0.5, 2.0, float("inf")]
    image = read(struct.pack("<6f", *values), "32FC1", width=6, height=1)
    assert image[0, :, 0].tolist() == [0, 0, 0, 128, 255, 255]


@pytest.mark.parametrize("encoding", LAYOUTS)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_padding_and_byte_order_change_nothing(encoding, data):
    rows, width, height = data.draw(messages(encoding))
    padding, swap = data.draw(st.integers(0, 7)), data.draw(st.booleans())
    words = rows.reshape(len(rows), width, -1)
    swapped = words[..., ::-1] if swap and LAYOUTS[encoding].is_word else words
    padded = np.pad(swapped.reshape(rows.shape), ((0, 0), (0, padding)), constant_values=99)
    image = read(padded.tobytes(), encoding, width, height, padded.shape[1], swap)
    np.testing.assert_array_equal(image, read(rows.tobytes(), encoding, width, height))


@pytest.mark.parametrize("encoding", LAYOUTS)
@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_a_cut_message_is_refused(encoding, data):
    rows, width, height = data.draw(messages(encoding))
    whole = rows.tobytes()
    cut = data.draw(st.integers(0, len(whole) - 1))
    with pytest.raises(ImageError, match=rf"expected {len(whole)} bytes .* got {cut}$"):
        read(whole[:cut], encoding, width, height)


@settings(max_examples=300, deadline=None)
@given(
    data=st.binary(max_size=200),
    encoding=st.sampled_from(sorted(LAYOUTS)),
    width=st.integers(-1, 9),
    height=st.integers(-1, 9),
    step=st.integers(-1, 20),
    is_bigendian=st.booleans(),
)
def test_any_fields_give_a_picture_of_their_size_or_an_image_error(data, **header):
    try:
        image = to_rgb(data, **header)
    except ImageError as error:
        assert "expected" in str(error)
        assert "\n" not in str(error)
    else:
        assert image.shape == (header["height"], header["width"], 3)


def test_rgb8_is_a_read_only_view_of_the_message():
    data = array.array("B", range(24))
    image = read(data, "rgb8", width=4, height=2)
    data[0] = 200
    assert image[0, 0, 0] == 200
    assert not image.flags.writeable


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview, lambda b: array.array("B", b)])
def test_any_buffer_will_do(kind):
    image = read(kind(bytes(range(12))), "bgr8", width=2, height=2)
    assert image.tolist() == [[[2, 1, 0], [5, 4, 3]], [[8, 7, 6], [11, 10, 9]]]


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("encoding", "rgb9", "expected one of the encodings rgb8, .*, got 'rgb9'"),
        ("width", 0, "expected at least 1x1 pixels of uyvy, got 0x2"),
        ("height", 0, "expected at least 1x1 pixels of uyvy, got 4x0"),
        ("width", 3, "expected multiples of 2x1 pixels of uyvy, got 3x2"),
        ("step", 7, r"expected a step of at least 8 bytes \(4 pixels of uyvy\), got 7"),
        ("step", 9, r"expected 18 bytes of uyvy \(2 rows of 9\), got 16"),
    ],
)
def test_a_contradiction_is_named(field, value, message):
    header = {"encoding": "uyvy", "width": 4, "height": 2, "step": 8, "is_bigendian": False}
    with pytest.raises(ImageError, match=f"^{message}$"):
        to_rgb(bytes(16), **{**header, field: value})


def test_an_odd_height_of_nv12_is_refused():
    with pytest.raises(ImageError, match="multiples of 2x2 pixels of nv12, got 4x3"):
        read(bytes(100), "nv12", width=4, height=3)


def test_a_mosaic_too_small_to_interpolate_is_refused():
    with pytest.raises(ImageError, match="expected at least 3x3 pixels of bayer_rggb8, got 2x2"):
        read(bytes(4), "bayer_rggb8", width=2, height=2)


def encoded(extension, image=None):
    if image is None:
        image = np.full((16, 24, 3), COLOUR, np.uint8)
    return cv2.imencode(extension, cv2.cvtColor(image, cv2.COLOR_RGB2BGR))[1].tobytes()


def with_segment(jpeg, payload):
    """Insert an APP1 segment behind the start mark."""
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(payload) + 2) + payload + jpeg[2:]


@pytest.mark.parametrize("name", ["jpeg", "jpg", "rgb8; jpeg compressed bgr8", "bgr8;jpeg "])
def test_a_jpeg_keeps_its_colour(name):
    image = from_compressed(encoded(".jpg"), name)
    np.testing.assert_allclose(image, np.broadcast_to(COLOUR, (16, 24, 3)), atol=3)


def test_a_png_is_read_exactly():
    picture = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)
    image = from_compressed(array.array("B", encoded(".png", picture)), "rgb8; png compressed")
    np.testing.assert_array_equal(image, picture)


def test_an_orientation_in_exif_is_ignored():
    rotate = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
    jpeg = with_segment(encoded(".jpg"), rotate)
    assert cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR).shape == (24, 16, 3)
    assert from_compressed(jpeg, "jpeg").shape == (16, 24, 3)


@pytest.mark.parametrize("name", ["16UC1; compressedDepth png", "tiff", ""])
def test_another_format_is_refused(name):
    with pytest.raises(ImageError, match=rf"expected a jpeg or png picture, got .*{name!r}$"):
        from_compressed(encoded(".png"), name)


@pytest.mark.parametrize("extension", [".jpg", ".png"])
@settings(max_examples=60, deadline=None)
@given(share=st.floats(0.0, 1.0, exclude_max=True))
def test_a_cut_picture_is_refused(extension, share):
    whole = encoded(extension)
    with pytest.raises(ImageError, match="expected a whole JPEG or PNG, got"):
        from_compressed(whole[: int(share * len(whole))], "jpeg")


def test_the_end_mark_of_a_thumbnail_does_not_make_a_cut_picture_whole():
    jpeg = with_segment(encoded(".jpg"), b"Exif\0\0" + encoded(".jpg"))
    assert from_compressed(jpeg, "jpeg").shape == (16, 24, 3)
    with pytest.raises(ImageError, match="expected a whole JPEG or PNG, got"):
        from_compressed(jpeg[:-20], "jpeg")


def test_damaged_bytes_between_whole_marks_are_refused():
    jpeg = b"\xff\xd8" + bytes(50) + b"\xff\xda" + bytes(50) + b"\xff\xd9"
    with pytest.raises(ImageError, match="expected a readable JPEG or PNG, got 106 damaged"):
        from_compressed(jpeg, "jpeg")
