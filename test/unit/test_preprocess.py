import os
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_pilot.card import CameraModel, InputSpec
from edge_pilot.errors import ConfigError, ImageError, ModelError
from edge_pilot.images import from_compressed, from_compressed_reduced
from edge_pilot.preprocess import Preprocessor

OWN = CameraModel(320, 180, 190.0, 190.0, 159.5, 89.5)
SPEC = InputSpec(160, 45, OWN, 60, 150, mean=(0.5, 0.4, 0.3), std=(0.25, 0.2, 0.1))
FULL_SIZE = replace(SPEC, width_px=320, height_px=90)


def scaled(factor):
    """Give the network's own camera at another resolution."""
    centre = [(c + 0.5) * factor - 0.5 for c in (OWN.cx_px, OWN.cy_px)]
    size = (int(320 * factor), int(180 * factor))
    return CameraModel(*size, 190.0 * factor, 190.0 * factor, *centre)


HD = CameraModel(1280, 720, 700.0, 710.0, 651.0, 348.0)
CAMERAS = {
    "other intrinsics": HD,
    "rectified": replace(HD, distortion_model=""),
    "barrel": replace(HD, distortion=(-0.3, 0.1, 0.003, -0.004, -0.02)),
    "rational": replace(
        HD,
        distortion_model="rational_polynomial",
        distortion=(0.4, -0.1, 0.002, 0.003, 0.01, 0.6, -0.05, 0.02),
    ),
    "ideal fisheye": replace(HD, distortion_model="equidistant"),
    "fisheye": replace(HD, distortion_model="equidistant", distortion=(0.1, -0.05, 0.3, -0.4)),
    "own intrinsics, barrel": replace(scaled(4), distortion=(-0.2, 0.0, 0.0, 0.0)),
    "own intrinsics, fisheye": replace(scaled(4), distortion_model="equidistant"),
}
RAYS = [(0.0, 0.1), (-0.5, 0.05), (0.45, 0.2), (0.2, -0.05)]  # x right, y down, at z = 1


def data_folder():
    beside = Path(__file__).resolve().parents[3] / "shared" / "data"
    return Path(os.environ.get("EDGE_PILOT_DATA", beside))


def project(ray, camera):
    """Give the pixel of a ray by OpenCV's own formulas."""
    matrix = np.array(
        [[camera.fx_px, 0, camera.cx_px], [0, camera.fy_px, camera.cy_px], [0, 0, 1]]
    )
    distortion = np.array(camera.distortion or (0.0,) * 4)
    point, still = np.array([[[*ray, 1.0]]]), np.zeros(3)
    fisheye = camera.distortion_model == "equidistant"
    model = cv2.fisheye.projectPoints if fisheye else cv2.projectPoints
    return model(point, still, still, matrix, distortion)[0].ravel()


def spot(at, width, height):
    """Draw a soft white spot."""
    u, v = np.meshgrid(np.arange(width), np.arange(height))
    bright = 255 * np.exp(-((u - at[0]) ** 2 + (v - at[1]) ** 2) / (2 * 8.0**2))
    return np.repeat(np.rint(bright).astype(np.uint8)[..., None], 3, axis=2)


def waves(width, height):
    """Draw a smooth picture that covers the same view in any resolution."""
    u = (np.arange(width) + 0.5) / width
    v = (np.arange(height)[:, None] + 0.5) / height
    red, green = 128 + 100 * np.sin(9 * u + 5 * v), 128 + 100 * np.cos(7 * v - 4 * u)
    return np.stack([red, green, 255 * u * v], axis=-1).astype(np.uint8)


def test_the_crop_has_the_rows_of_the_spec():
    image = np.random.default_rng(0).integers(0, 256, (180, 320, 3), np.uint8)
    np.testing.assert_array_equal(Preprocessor(FULL_SIZE).crop(image), image[60:150])


@pytest.mark.parametrize("camera", [None, scaled(3)])
def test_the_rows_scale_with_the_picture(camera):
    image = np.random.default_rng(0).integers(0, 256, (180, 320, 3), np.uint8)
    large = image.repeat(3, axis=0).repeat(3, axis=1)
    np.testing.assert_array_equal(Preprocessor(FULL_SIZE, camera).crop(large), image[60:150])


def test_shrinking_averages():
    image = np.zeros((180, 320, 3), np.uint8)
    image[60, 0] = 200
    assert Preprocessor(SPEC).crop(image)[0, 0].tolist() == [50, 50, 50]


def test_a_small_picture_is_enlarged_evenly():
    crop = Preprocessor(FULL_SIZE).crop(waves(160, 90)).astype(int)
    exact = waves(320, 180)[60:150].astype(int)
    assert np.abs(crop - exact)[1:-1, 1:-1].max() <= 3


def test_a_picture_of_one_pixel_still_has_a_view():
    crop = Preprocessor(SPEC).crop(np.full((1, 1, 3), 7, np.uint8))
    assert crop.shape == (45, 160, 3)
    assert (crop == 7).all()


@pytest.mark.parametrize("ray", RAYS)
@pytest.mark.parametrize("name", CAMERAS)
def test_a_point_lands_where_the_networks_own_camera_sees_it(name, ray):
    camera = CAMERAS[name]
    image = spot(project(ray, camera), camera.width_px, camera.height_px)
    weight = Preprocessor(FULL_SIZE, camera).crop(image)[..., 0].astype(float)
    rows, columns = np.indices(weight.shape)
    seen = np.array([(columns * weight).sum(), (rows * weight).sum()]) / weight.sum()
    np.testing.assert_allclose(seen + np.array([0, 60]), project(ray, OWN), atol=0.15)


@pytest.mark.parametrize("factor", [0.5, 1, 2, 4, 6])
def test_lookup_and_resize_agree_to_a_fraction_of_a_pixel(factor):
    camera = scaled(factor)
    image = waves(camera.width_px, camera.height_px)
    looked_up = Preprocessor(SPEC, replace(camera, distortion=(1e-9,))).crop(image)
    resized = Preprocessor(SPEC, camera).crop(image)
    difference = np.abs(looked_up.astype(int) - resized)[1:-1, 1:-1]
    assert difference.max() <= 2


@pytest.mark.parametrize("shift", [0.0, 1.5])
def test_both_ways_to_scale_the_optical_centre_mean_the_same_view(shift):
    camera = replace(scaled(4), cx_px=638.0 + shift, cy_px=358.0 + shift)
    image = np.random.default_rng(0).integers(0, 256, (720, 1280, 3), np.uint8)
    crop = Preprocessor(SPEC, camera).crop(image)
    np.testing.assert_array_equal(crop, Preprocessor(SPEC).crop(image))


def test_fine_stripes_of_another_camera_become_an_even_grey():
    stripes = np.where(np.arange(1280) // 4 % 2, 255, 0).astype(np.uint8)
    image = np.broadcast_to(stripes[:, None], (720, 1280, 3))
    crop = Preprocessor(SPEC, replace(scaled(4), fx_px=752.0)).crop(image)
    assert np.abs(crop.astype(int) - 127).max() <= 30


def test_what_another_camera_does_not_see_is_black():
    narrow = replace(HD, fx_px=1400.0, fy_px=1400.0)
    crop = Preprocessor(FULL_SIZE, narrow).crop(np.full((720, 1280, 3), 255, np.uint8))
    seen = 190 * (np.array([0, 1279]) - narrow.cx_px) / 1400 + OWN.cx_px
    first, last = np.flatnonzero(crop[40, :, 0] > 127)[[0, -1]]
    np.testing.assert_allclose([first, last], seen, atol=1)
    assert (crop[:, : first - 1] == 0).all()
    assert (crop[:, last + 2 :] == 0).all()


def test_a_lens_formula_that_turns_back_shows_no_ghost():
    camera = replace(HD, fx_px=500.0, fy_px=500.0, distortion=(-0.5,))
    crop = Preprocessor(FULL_SIZE, camera).crop(np.full((720, 1280, 3), 255, np.uint8))
    u, v = np.meshgrid(np.arange(320), np.arange(60, 150))
    r = np.hypot(u - OWN.cx_px, v - OWN.cy_px) / 190
    turn = (1 / (3 * 0.5)) ** 0.5  # where the derivative of r - 0.5 r^3 is zero
    assert (crop[r < turn - 0.01] == 255).all()
    assert (crop[r > turn + 0.01] == 0).all()


def test_normalise_gives_the_numbers_of_the_card():
    crop = np.array([[[0, 0, 0], [255, 255, 255], [51, 102, 204]]], np.uint8)
    tensor = Preprocessor(SPEC).normalise(crop)
    expected = [[-2, 2, -1.2], [-2, 3, 0], [-3, 7, 5]]
    assert tensor.dtype == np.float32
    np.testing.assert_allclose(tensor[0, :, 0], expected, atol=1e-6)


def test_a_batch_is_normalised_as_its_pictures_are():
    crops = np.random.default_rng(0).integers(0, 256, (4, 45, 160, 3), np.uint8)
    preprocessor = Preprocessor(SPEC)
    batch = preprocessor.normalise(crops)
    assert batch.shape == (4, 3, 45, 160)
    singles = [preprocessor.normalise(crop) for crop in crops]
    np.testing.assert_array_equal(batch, np.concatenate(singles))


@pytest.mark.parametrize("camera", [None, CAMERAS["fisheye"]])
def test_the_tensor_is_the_normalised_crop(camera):
    preprocessor, image = Preprocessor(SPEC, camera), waves(1280, 720)
    tensor = preprocessor.tensor(image)
    assert tensor.shape == (1, 3, 45, 160)
    assert tensor.flags.c_contiguous
    np.testing.assert_array_equal(tensor, preprocessor.normalise(preprocessor.crop(image)))


@pytest.mark.parametrize("camera", [None, CAMERAS["barrel"]])
def test_the_median_filter_removes_bright_pixels_before_the_resize(camera):
    image = np.zeros((720, 1280, 3), np.uint8)
    image[::4, ::4] = 255
    assert Preprocessor(SPEC, camera).crop(image).mean() > 10
    assert Preprocessor(SPEC, camera, "median").crop(image).max() == 0


def test_the_bilateral_filter_calms_noise_and_keeps_an_edge():
    noise = np.random.default_rng(0).normal(0, 6, (180, 320, 3))
    edge = np.where(np.arange(320) < 160, 60, 180)[:, None]
    image = (edge + noise).clip(0, 255).astype(np.uint8)
    crop = Preprocessor(FULL_SIZE, denoise="bilateral").crop(image)
    assert crop[:, :150].std() < 0.6 * image[60:150, :150].std()
    assert (crop[:, 160].mean() - crop[:, 159].mean()) > 110


@pytest.mark.parametrize("camera", [scaled(2), HD])
def test_a_picture_of_another_size_than_its_camera_is_refused(camera):
    preprocessor = Preprocessor(SPEC, camera)
    with pytest.raises(ImageError, match=r"expected a picture of \d+x\d+ .*, got 320x180$"):
        preprocessor.crop(np.zeros((180, 320, 3), np.uint8))


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((180, 320), np.uint8),
        np.zeros((180, 320, 4), np.uint8),
        np.zeros((180, 320, 3), np.float32),
        np.zeros((0, 320, 3), np.uint8),
    ],
)
def test_what_is_not_an_rgb_picture_is_refused(image):
    with pytest.raises(ImageError, match=r"expected a picture of \(height, width, 3\) uint8, got"):
        Preprocessor(SPEC).crop(image)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"fx_px": 0.0}, "expected a calibrated camera"),
        ({"fy_px": float("nan")}, "expected a calibrated camera"),
        ({"distortion_model": "magic"}, "expected a lens of .*, got 'magic'"),
        ({"distortion": (0.0,) * 5 + (0.1,)}, "expected 5 coefficients of plumb_bob, got 6"),
        ({"cx_px": 1e5}, "expected a camera that sees the network's view"),
    ],
)
def test_a_camera_that_cannot_be_used_is_refused(changes, message):
    with pytest.raises(ImageError, match=message):
        Preprocessor(SPEC, replace(HD, **changes))


@pytest.mark.parametrize(("top", "bottom"), [(-1, 90), (90, 90), (100, 90), (0, 181)])
def test_rows_outside_the_networks_camera_are_refused(top, bottom):
    with pytest.raises(ModelError, match=f"<= 180, got {top} and {bottom}$"):
        Preprocessor(replace(SPEC, crop_top_px=top, crop_bottom_px=bottom))


def test_an_unknown_filter_is_refused():
    with pytest.raises(ConfigError, match="one of none, median, bilateral, got 'sharpen'"):
        Preprocessor(SPEC, denoise="sharpen")


def test_a_real_photograph_keeps_its_content():
    photographs = sorted((data_folder() / "detection" / "carla_od" / "images").glob("*.jpg"))
    if not photographs:
        pytest.skip(f"no photographs in {data_folder()}")
    image = from_compressed(photographs[0].read_bytes(), "jpeg")
    camera = replace(HD, width_px=640, height_px=380, fx_px=400.0, fy_px=400.0, cx_px=319.5)
    rows = image[len(image) * 60 // 180 : len(image) * 150 // 180]
    plain = Preprocessor(SPEC).crop(image)
    np.testing.assert_allclose(plain.mean((0, 1)), rows.mean((0, 1)), atol=2)
    view = Preprocessor(SPEC, replace(camera, cy_px=189.5, distortion=(-0.1,))).tensor(image)
    assert view.shape == (1, 3, 45, 160)
    assert view.std() > 0.1


@pytest.mark.parametrize("camera", [None, scaled(4), CAMERAS["barrel"]])
def test_colours_that_lie_backwards_give_the_same_view(camera):
    rgb = waves(1280, 720)
    backwards = np.ascontiguousarray(rgb[..., ::-1])[..., ::-1]
    view = Preprocessor(SPEC, camera)
    np.testing.assert_array_equal(view.tensor(backwards).copy(), view.tensor(rgb))


def test_the_tensor_is_the_same_memory_each_time_and_what_normalise_gives_is_not():
    view, image = Preprocessor(SPEC), waves(320, 180)
    assert view.tensor(image) is view.tensor(image)
    assert view.normalise(view.crop(image)) is not view.normalise(view.crop(image))


@pytest.mark.parametrize(
    ("size_px", "expected"), [(320, 1), (480, 1), (640, 2), (1280, 4), (1920, 4), (2560, 8)]
)
def test_a_jpeg_may_be_reduced_as_long_as_it_fills_the_view(size_px, expected):
    assert Preprocessor(FULL_SIZE, scaled(size_px / 320)).reduction == expected


def test_without_a_camera_nothing_is_reduced():
    assert Preprocessor(FULL_SIZE).reduction == 1


@pytest.mark.parametrize("name", ["own", "barrel", "fisheye"])
def test_a_reduced_jpeg_gives_nearly_the_same_view(name):
    camera = {**CAMERAS, "own": scaled(4)}[name]
    file = cv2.imencode(".jpg", waves(1280, 720)[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 95])[1]
    view = Preprocessor(FULL_SIZE, camera)
    assert view.reduction > 1
    whole = view.crop(from_compressed(file, "jpeg")).astype(int)
    image, reduction = from_compressed_reduced(file, "jpeg", view.reduction)
    assert image.shape[0] * view.reduction == 720
    assert np.abs(view.crop(image, reduction) - whole).mean() < 1.0


def test_a_reduced_picture_of_another_camera_is_refused():
    view = Preprocessor(FULL_SIZE, scaled(4))
    with pytest.raises(ImageError, match=r"1280x720 pixels reduced by 2 .*, got 320x180$"):
        view.crop(waves(320, 180), 2)


def test_a_png_is_not_reduced():
    file = cv2.imencode(".png", waves(64, 36)[..., ::-1])[1]
    image, reduction = from_compressed_reduced(file, "png", 4)
    assert (image.shape, reduction) == ((36, 64, 3), 1)


def test_a_large_picture_shrinks_to_the_mean_of_its_areas():
    large = waves(1280, 720)
    spec = replace(SPEC, width_px=160, height_px=45, crop_top_px=60, crop_bottom_px=150)
    exact = cv2.resize(large[240:600].astype(np.float32), (160, 45), interpolation=cv2.INTER_AREA)
    assert np.abs(Preprocessor(spec).crop(large) - exact).max() < 1.6  # three roundings
