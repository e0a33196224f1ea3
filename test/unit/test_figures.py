import re
from dataclasses import replace

import numpy as np
import pytest
from fakes_drive import flags, make_drive, with_truth

from edge_pilot.replay import figures, overlay

matplotlib = pytest.importorskip(
    "matplotlib.figure", reason="needs matplotlib, of the extra `sim`"
)


def draw(name, log):
    """Give the axes of a figure, drawn."""
    axes = matplotlib.Figure().add_subplot()
    figures.FIGURES[name].draw(axes, log, overlay.CAR.width_m)
    axes.figure.draw_without_rendering()
    return axes


def driven(axes):
    """Give the lines that the car drove on a map."""
    return [line for item in axes.collections for line in item.get_segments()]


@pytest.mark.parametrize(
    ("name", "labels"),
    [("map", ["along [m]", "across [m]"]), ("lateral", ["time [s]", "lateral error [m]"]),
     ("steering", ["time [s]", "road wheel angle [deg]"]), ("speed", ["time [s]", "speed [m/s]"]),
     ("latency", ["image stamp to command [ms]", "p50: 20.0 ms", "p99: 29.8 ms"]),
     ("states", ["time [s]", "engaged"])],
)  # fmt: skip
def test_axes_carry_their_units(name, labels):
    svg = figures.render(name, make_drive(), overlay.CAR.width_m, 370.0)

    words = re.findall(r">([^<]+)</text>", svg)
    assert [label for label in labels if label not in words] == []


def test_the_same_drive_gives_the_same_figure():
    first, second = (figures.render("map", make_drive(), 1.6, 370.0) for _ in range(2))

    assert first == second


def test_the_map_has_one_scale_in_both_directions():
    axes = draw("map", make_drive(10.0))

    corners = axes.transData.transform([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    assert corners[1, 0] - corners[0, 0] == pytest.approx(corners[2, 1] - corners[0, 1])


def test_the_lane_on_the_map_has_its_width_around_the_driven_line():
    drive = make_drive(10.0)

    lane = draw("map", drive).patches[0].get_path().vertices
    places = np.concatenate(driven(draw("map", drive)))

    gaps = np.linalg.norm(places[:, None] - lane, axis=2).min(axis=1)
    assert gaps == pytest.approx(np.full(len(gaps), 1.75), abs=0.02)


def test_the_map_runs_from_left_to_right():
    drive = make_drive(10.0)
    turned = with_truth(drive, x_m=-drive.truth["y_m"], y_m=-drive.truth["x_m"])

    places = np.concatenate(driven(draw("map", turned)))

    assert np.ptp(places[:, 0]) > 80.0
    assert places[0] == pytest.approx([0.0, 0.0])
    assert places[-1, 0] > 80.0


def test_the_colour_of_the_line_is_that_of_the_error():
    drive = make_drive()
    error = np.repeat([0.0, -0.15, 0.3, 5.0], 10)

    axes = draw("map", with_truth(drive, lateral_m=error))

    lengths = [sum(len(line) - 1 for line in item.get_segments()) for item in axes.collections]
    assert lengths == [9, 10, 10, 10]


def test_no_line_is_drawn_where_the_car_was_put_somewhere_else():
    drive = make_drive(4.0)
    drive.truth["x_m"][40:] -= 15.0

    segments = driven(draw("map", drive))

    assert max(np.hypot(*np.diff(line, axis=0).T).max() for line in segments) < 1.0


def test_departures_and_collisions_are_marked():
    faults = with_truth(make_drive(), off_lane=flags(40, 5, 6, 30), collided=flags(40, 20))

    lines = {line.get_label(): line.get_xydata() for line in draw("map", faults).lines}

    assert (len(lines["left its lane"]), len(lines["collided"])) == (2, 1)


def test_the_limit_is_where_a_wheel_reaches_the_line():
    lines = {line.get_label(): line.get_ydata() for line in draw("lateral", make_drive()).lines}

    assert lines["a wheel reaches the line"][0] == pytest.approx(0.5 * (3.5 - overlay.CAR.width_m))


def test_the_line_of_what_the_car_believed_has_gaps_where_it_said_nothing():
    drive = make_drive()
    frames = [replace(frame, prediction={}) if 5 <= number < 9 else frame
              for number, frame in enumerate(drive.frames)]  # fmt: skip

    lines = {line.get_label(): line for line in draw("speed", replace(drive, frames=frames)).lines}

    believed = lines["as the car believed"].get_ydata()
    assert np.flatnonzero(np.isnan(believed)).tolist() == [5, 6, 7, 8]


def test_all_latencies_are_in_the_histogram():
    counts = [bar.get_height() for bar in draw("latency", make_drive()).patches]

    assert sum(counts) == 40
