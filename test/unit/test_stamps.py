"""Whose time a recorded message has."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from replay.make_bags import STORE, command, image, imu, odometry

from edge_pilot.errors import BagError
from edge_pilot.replay.stamps import Sample, choose, header_stamp, restamp

STAMPS = st.integers(0, 2**31 * 10**9 - 1)
SECOND = 10**9


def serialize(message, little_endian: bool = True) -> bytes:
    data = STORE.serialize_cdr(message, message.__msgtype__, little_endian=little_endian)
    return bytes(data)


@given(stamp_ns=STAMPS, little_endian=st.booleans())
def test_the_header_stamp_is_read_in_either_byte_order(stamp_ns, little_endian):
    assert header_stamp(serialize(imu(stamp_ns), little_endian)) == stamp_ns


@given(old=STAMPS, new=STAMPS, little_endian=st.booleans())
def test_restamping_changes_the_stamp_and_nothing_else(old, new, little_endian):
    for make in (image, imu, lambda ns: odometry(ns, 3.0), lambda ns: command(ns, 0.1)):
        restamped = restamp(serialize(make(old), little_endian), new)

        assert restamped == serialize(make(new), little_endian)


@pytest.mark.parametrize("data", [b"", b"\x00\x01\x00\x00", bytes(11)])
def test_a_message_too_short_for_a_header_is_refused(data):
    with pytest.raises(BagError, match=f"got {len(data)} bytes"):
        header_stamp(data)
    with pytest.raises(BagError, match=f"got {len(data)} bytes"):
        restamp(data, 1)


def sound(offset_ns: int = 0, count: int = 3) -> list[Sample]:
    return [Sample(i * SECOND + offset_ns, i * SECOND) for i in range(100, 100 + count)]


@pytest.mark.parametrize("offset_s", [-59, 0, 59])
def test_auto_takes_sound_header_stamps(offset_s):
    clock = choose("auto", {"/camera": sound(offset_s * SECOND), "/imu": sound()})

    assert clock.source == "header"


@pytest.mark.parametrize(
    ("samples", "reason"),
    [
        ([Sample(0, 100 * SECOND)], "/imu has header stamps of zero"),
        (sound(-61 * SECOND), "/imu has header stamps 61 s from record time"),
        (sound(61 * SECOND), "/imu has header stamps 61 s from record time"),
        (sound() + sound()[-1:], "/imu has header stamps that do not increase"),
        (sound()[::-1], "/imu has header stamps that do not increase"),
        ([Sample(None, 100 * SECOND)], "/imu has no header"),
    ],
)
def test_auto_takes_record_time_for_all_where_one_topic_is_unsound(samples, reason):
    clock = choose("auto", {"/camera": sound(), "/imu": samples})

    assert clock == ("record", reason)


@pytest.mark.parametrize("source", ["header", "record"])
def test_what_is_asked_for_is_taken(source):
    assert choose(source, {"/imu": [Sample(0, 1)]}).source == source
