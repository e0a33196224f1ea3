from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_pilot.config import Config, flat_fields, from_flat, load, read, to_flat, unit_of
from edge_pilot.errors import ConfigError

ROOT = Path(__file__).parents[2]
NUMBERS = [name for name, (leaf, _) in flat_fields().items() if "low" in leaf.metadata]


def write(folder, text):
    path = folder / "some.yaml"
    path.write_text(text)
    return path


def parameters(text):
    return f"/**:\n  ros__parameters:\n    {text}\n"


@pytest.mark.parametrize(
    ("file", "sections"),
    [
        ("vehicle.yaml", ("vehicle", "camera", "lidar", "imu")),
        ("drive.yaml", ("pilot", "control", "safety")),
    ],
)
def test_the_shipped_files_write_out_exactly_the_defaults(file, sections):
    defaults = {
        name: value
        for name, value in to_flat(Config()).items()
        if name.split(".", maxsplit=1)[0] in sections
    }
    assert read(ROOT / "config" / file) == defaults


def test_every_default_is_what_its_own_range_permits():
    assert from_flat(to_flat(Config())) == Config()


def test_every_field_says_what_it_is_and_numbers_have_a_unit_or_are_counts():
    for name, (leaf, kind) in flat_fields().items():
        assert leaf.metadata["doc"]
        assert kind is not float or unit_of(name) or name == "replay.rate"


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("end", ["low", "high"])
def test_a_number_beyond_its_range_is_refused(name, end):
    bound = flat_fields()[name][0].metadata[end]
    beyond = bound + (1 if end == "high" else -1)
    with pytest.raises(ConfigError, match=f"expected {name} to be a .*number from .*, got"):
        from_flat({name: beyond})


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "2,58", True, None, [1.0]])
def test_what_is_no_number_is_refused(value):
    with pytest.raises(
        ConfigError, match=r"vehicle\.wheelbase_m to be a number from 0\.1 to 10 m"
    ):
        from_flat({"vehicle.wheelbase_m": value})


def test_a_whole_number_is_a_number_too():
    wheelbase = from_flat({"vehicle.wheelbase_m": 3}).vehicle.wheelbase_m
    assert isinstance(wheelbase, float)
    assert wheelbase == 3.0


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("pilot.denoise", "gauss", "one of none, median, bilateral"),
        ("pilot.autostart", "yes", "true or false"),
        ("pilot.autostart", 1, "true or false"),
        ("pilot.model", 3, "a text"),
        ("camera.width_px", 320.0, "a whole number from 32 to 8192 pixels"),
    ],
)
def test_a_value_of_another_kind_is_refused(name, value, expected):
    with pytest.raises(ConfigError, match=f"expected {name} to be {expected}, got {value!r}"):
        from_flat({name: value})


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("vehicle.wheelbase_cm", r"expected vehicle\.wheelbase_m \(in m\)"),
        ("vehicle.wheelbase", r"expected vehicle\.wheelbase_m \(in m\)"),
        ("safety.max_image_age_ms", r"expected safety\.max_image_age_s \(in s\)"),
        ("vehicle.wheelbaze_m", r"expected vehicle\.wheelbase_m"),
        ("vehicle.xyzzy", r"expected one of vehicle\.wheelbase_m, "),
        ("wheels", r"expected one of camera\.\*, control\.\*, "),
    ],
)
def test_an_unknown_key_gets_the_right_name_and_unit(name, expected):
    with pytest.raises(ConfigError, match=f"^{expected}.*got the unknown key {name}$"):
        from_flat({name: 1.0})


@pytest.mark.parametrize(
    "values",
    [
        {"safety.stop_braking_mps2": 7.0, "safety.max_braking_mps2": 6.0,
         "safety.emergency_braking_mps2": 6.0},
        {"safety.emergency_braking_mps2": 9.0},
        {"safety.output_period_s": 0.1, "safety.proposal_timeout_s": 0.1},
    ],
)  # fmt: skip
def test_limits_that_contradict_one_another_are_refused(values):
    name = next(iter(values))
    with pytest.raises(ConfigError, match=rf"expected {name} <=? .*, got"):
        from_flat(values)


@pytest.mark.parametrize(
    "axes",
    ["forward,left", "forward,right,up", "forward,forward,up", "x,y,z", "", "Forward,left,up"],
)
def test_axes_that_no_imu_has_are_refused(axes):
    with pytest.raises(ConfigError, match=rf"^expected imu\.axes to be .*, got {axes!r}$"):
        from_flat({"imu.axes": axes})


def test_of_two_files_the_later_one_counts_and_overrides_count_most(tmp_path):
    first = write(tmp_path, parameters("vehicle: {wheelbase_m: 3.0, width_m: 2.0, length_m: 4}"))
    second = tmp_path / "second.yaml"
    second.write_text(parameters("vehicle: {wheelbase_m: 3.5, width_m: 2.5}"))
    vehicle = load([first, second], {"vehicle.width_m": 1.5}).vehicle
    assert (vehicle.wheelbase_m, vehicle.width_m, vehicle.length_m) == (3.5, 1.5, 4.0)


def test_dotted_names_in_a_file_are_the_same_as_nested_ones(tmp_path):
    path = write(tmp_path, parameters("vehicle.wheelbase_m: 3.0"))
    assert load([path]).vehicle.wheelbase_m == 3.0


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: [1, b: c: d", "expected YAML in"),
        ("vehicle: {wheelbase_m: 3.0}", "expected a ROS parameter file"),
        ("- 1\n- 2\n", "expected a ROS parameter file"),
        ("text", "expected a ROS parameter file"),
        ("\xff\x00", "expected"),
    ],
)
def test_a_file_of_another_form_is_refused_in_one_line(tmp_path, text, expected):
    with pytest.raises(ConfigError, match=expected) as caught:
        load([write(tmp_path, text)])
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(
        ConfigError, match=r"expected a readable configuration file, got .*no\.yaml"
    ):
        load([tmp_path / "no.yaml"])


@pytest.mark.parametrize("text", ["", "# nothing\n", "/**:\n  ros__parameters: {}\n"])
def test_an_empty_file_changes_nothing(tmp_path, text):
    assert load([write(tmp_path, text)]) == Config()


def test_the_configuration_cannot_be_changed():
    with pytest.raises(FrozenInstanceError):
        Config().vehicle.wheelbase_m = 3.0


@given(st.dictionaries(st.text(max_size=30), st.none() | st.integers() | st.text(max_size=9),
                       min_size=1))  # fmt: skip
def test_whatever_is_given_there_is_a_configuration_or_one_line_that_says_why_not(values):
    try:
        assert isinstance(from_flat(values), Config)
    except ConfigError as error:
        assert str(error).startswith("expected ")


@given(data=st.data(), name=st.sampled_from(NUMBERS))
def test_a_number_comes_out_as_it_went_in(data, name):
    leaf, kind = flat_fields()[name]
    low, high = leaf.metadata["low"], leaf.metadata["high"]
    value = data.draw(st.integers(low, high) if kind is int else st.floats(low, high))
    try:
        config = from_flat({name: value})
    except ConfigError as error:  # a limit may contradict another one's default
        assert str(error).startswith(("expected safety.", "expected control."))
    else:
        assert to_flat(config)[name] == value
