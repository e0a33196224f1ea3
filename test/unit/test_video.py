import sys
from dataclasses import replace

import cv2
import numpy as np
import pytest
from fakes_drive import make_drive

from edge_pilot.config import CameraConfig
from edge_pilot.errors import ImageError
from edge_pilot.replay import video

CAMERA = CameraConfig()


def read(path):
    """Give the pictures of a file, and when each is shown."""
    file, pictures, times_ms = cv2.VideoCapture(str(path)), [], []
    while file.grab():
        times_ms.append(file.get(cv2.CAP_PROP_POS_MSEC))
        pictures.append(file.retrieve()[1])
    return pictures, times_ms


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    path = tmp_path_factory.mktemp("film") / "drive.webm"
    video.write(make_drive(), CAMERA, path)
    return path


def test_every_picture_is_in_the_video_at_its_own_time(film):
    pictures, times_ms = read(film)

    assert times_ms == pytest.approx([50.0 * number for number in range(40)])
    assert {picture.shape for picture in pictures} == {(360, 640, 3)}


def test_the_pictures_come_in_their_order(film):
    greys = [picture[100:140, 20:60].mean() for picture in read(film)[0]]

    assert greys[0] == pytest.approx(60, abs=4)
    assert greys[-1] == pytest.approx(157, abs=4)
    assert np.diff(greys).min() > 0.0


def test_the_prediction_is_drawn_in(film):
    _, green, red = read(film)[0][0][330, 320].astype(int)

    assert green > red + 10


def test_the_file_says_how_long_it_takes(film):
    file = cv2.VideoCapture(str(film))

    assert file.get(cv2.CAP_PROP_FPS) == pytest.approx(20.0)
    assert file.get(cv2.CAP_PROP_FRAME_COUNT) == 40


def test_missing_pictures_do_not_make_the_video_shorter(tmp_path):
    drive = make_drive(1.0)

    video.write(replace(drive, frames=drive.frames[:5] + drive.frames[9:]), CAMERA,
                tmp_path / "a.webm")  # fmt: skip

    assert read(tmp_path / "a.webm")[1] == pytest.approx([50.0 * number for number in range(20)])


def test_stamps_that_jitter_lose_no_picture(tmp_path):
    drive, wrong_ns = make_drive(1.0), np.random.default_rng(0).integers(-12e6, 12e6, 20)
    frames = [replace(frame, stamp_ns=frame.stamp_ns + int(wrong))
              for frame, wrong in zip(drive.frames, wrong_ns, strict=True)]  # fmt: skip

    video.write(replace(drive, frames=frames), CAMERA, tmp_path / "a.webm")

    greys = [picture[100:140, 20:60].mean() for picture in read(tmp_path / "a.webm")[0]]
    assert np.diff(greys).min() > 0.0


def test_another_rate_is_kept(tmp_path):
    video.write(make_drive(1.0), CAMERA, tmp_path / "a.webm", rate_hz=10.0)

    assert read(tmp_path / "a.webm")[1] == pytest.approx([100.0 * number for number in range(11)])


def test_progress_is_told_up_to_the_end(tmp_path):
    told = []

    video.write(make_drive(0.5), CAMERA, tmp_path / "a.webm", progress=lambda *at: told.append(at))

    assert told == [(number, 10) for number in range(1, 11)]


def test_nothing_is_printed(tmp_path, capfd):
    video.write(make_drive(0.2), CAMERA, tmp_path / "a.webm")

    assert capfd.readouterr() == ("", "")


def test_a_missing_encoder_is_one_clear_error(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)  # what Python does with one that is not there

    with pytest.raises(video.VideoError, match=r"expected PyAV .*edge_pilot\[sim\]"):
        video.write(make_drive(0.2), CAMERA, tmp_path / "a.webm")


def test_a_file_that_cannot_be_written_is_one_clear_error(tmp_path):
    with pytest.raises(video.VideoError, match=r"expected to write a video to .*, got: ") as error:
        video.write(make_drive(0.2), CAMERA, tmp_path / "none" / "a.webm")

    assert "\n" not in str(error.value)


def test_a_drive_without_pictures_gives_no_video(tmp_path):
    with pytest.raises(video.VideoError, match="expected a drive with pictures, got none"):
        video.write(replace(make_drive(0.2), frames=[]), CAMERA, tmp_path / "a.webm")


def test_a_damaged_picture_is_an_error(tmp_path):
    drive = make_drive(0.2)
    frames = [*drive.frames[:2], replace(drive.frames[2], jpeg=b"no picture")]

    with pytest.raises(ImageError):
        video.write(replace(drive, frames=frames), CAMERA, tmp_path / "a.webm")


def test_the_caption_is_that_of_the_moment():
    drive = replace(make_drive(1.0), states=[(0.0, "engaged", "All is well."),
                                             (0.5, "stopping", "No proposal came.")])  # fmt: skip
    alike = [replace(frame, jpeg=drive.frames[0].jpeg) for frame in drive.frames]
    drive = replace(drive, frames=alike)

    sentence = [video.still(drive, drive.frames[i], CAMERA)[28:46, :300] for i in (2, 9, 10, 15)]

    assert (sentence[0] == sentence[1]).all()
    assert (sentence[2] == sentence[3]).all()
    assert (sentence[1] != sentence[2]).any()
