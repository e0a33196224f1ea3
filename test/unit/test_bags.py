"""Reading recordings, whole and broken."""

from __future__ import annotations

import os
import shutil
import struct
from io import BytesIO
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from replay import make_bags
from rosbags.rosbag2 import CompressionMode, Reader

from edge_pilot.errors import BagError
from edge_pilot.replay import mcap
from edge_pilot.replay.bags import Message, decode, open_bag, zstd

DATA = Path(
    os.environ.get("EDGE_PILOT_DATA", Path(__file__).resolve().parents[3] / "shared" / "data")
)
FORMS = [
    (storage, mode)
    for storage in ("mcap", "sqlite3")
    for mode in CompressionMode
    if (storage, mode) != ("sqlite3", CompressionMode.STORAGE)
]
RECORDS = make_bags.drive(frames=4)


def read(path: Path, *names: str) -> list[Message]:
    with open_bag(path) as bag:
        return list(bag.messages(names or [topic.name for topic in bag.topics]))


def stamps(path: Path) -> list[int]:
    return [message.stamp_ns for message in read(path)]


@pytest.fixture
def mcap_file(tmp_path: Path) -> Path:
    return make_bags.file_of(make_bags.write(tmp_path / "drive", RECORDS))


@pytest.mark.parametrize(("storage", "mode"), FORMS)
def test_every_form_of_a_bag_gives_the_same_messages(tmp_path, storage, mode):
    folder = make_bags.write(tmp_path / "drive", RECORDS, storage, mode)

    messages = read(folder)

    assert [(m.topic, m.stamp_ns) for m in messages] == [(r.topic, r.stamp_ns) for r in RECORDS]
    speeds = [decode(m).twist.twist.linear.x for m in messages if m.topic == "/odom"]
    assert speeds == [5.0, 6.0, 7.0, 8.0]


def test_topics_have_names_types_and_counts(mcap_file):
    with open_bag(mcap_file) as bag:
        topics = {topic.name: (topic.type, topic.count) for topic in bag.topics}

    assert topics["/imu/data"] == ("sensor_msgs/msg/Imu", 4)
    assert len(topics) == 5


def test_only_the_topics_asked_for_are_given(mcap_file):
    assert {message.topic for message in read(mcap_file, "/odom")} == {"/odom"}


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
def test_a_file_needs_no_metadata(tmp_path, storage):
    file = make_bags.file_of(make_bags.write(tmp_path / "drive", RECORDS, storage))
    (file.parent / "metadata.yaml").unlink()

    assert stamps(file) == stamps(file.parent) == [record.stamp_ns for record in RECORDS]


def test_a_file_compressed_as_a_whole_is_read(mcap_file):
    packed = mcap_file.with_suffix(".mcap.zstd")
    packed.write_bytes(zstd.compress(mcap_file.read_bytes()))

    assert stamps(packed) == stamps(mcap_file)


def test_the_files_of_a_split_bag_are_merged_by_record_time(tmp_path):
    parts = [make_bags.write(tmp_path / f"part{i}", RECORDS[i::2]) for i in range(2)]
    names = [shutil.copy(make_bags.file_of(part), tmp_path) for part in parts]
    paths = [f"drive/{Path(name).name}" for name in reversed(names)]
    metadata = {"rosbag2_bagfile_information": {"relative_file_paths": paths}}
    (tmp_path / "metadata.yaml").write_text(yaml.safe_dump(metadata))

    assert stamps(tmp_path) == [record.stamp_ns for record in RECORDS]


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        ("rosbag2_bagfile_information: {relative_file_paths: [a.mcap]}", "expected a.mcap in"),
        ("rosbag2_bagfile_information: {relative_file_paths: [a.txt]}", "ends in .mcap or .db3"),
        ("rosbag2_bagfile_information: {}", "expected the metadata of a rosbag2"),
        ("- [", "expected the metadata of a rosbag2"),
        ("\0", "expected the metadata of a rosbag2"),
    ],
)
def test_bad_metadata_are_said(tmp_path, metadata, expected):
    (tmp_path / "metadata.yaml").write_text(metadata)

    with pytest.raises(BagError, match=expected) as caught:
        read(tmp_path)
    assert "\n" not in str(caught.value)


def test_what_is_no_bag_is_said(tmp_path):
    (tmp_path / "notes.txt").write_text("no bag")
    (tmp_path / "notes.mcap").write_text("no bag")
    (tmp_path / "notes.db3").write_text("no bag")

    for name, expected in [
        ("nothing", "got nothing there"),
        ("notes.txt", "got .*notes.txt"),
        ("notes.mcap", "expected an MCAP file, got .* of 6 bytes"),
        ("notes.db3", "file is not a database"),
        ("", "got notes.db3, notes.mcap"),
    ]:
        with pytest.raises(BagError, match=expected):
            read(tmp_path / name)


@pytest.mark.parametrize("mode", [CompressionMode.NONE, CompressionMode.STORAGE])
def test_an_mcap_without_its_last_byte_has_all_messages(tmp_path, mode):
    file = make_bags.file_of(make_bags.write(tmp_path / "drive", RECORDS, "mcap", mode))
    file.write_bytes(file.read_bytes()[:-1])

    with pytest.raises(BagError, match=f"cut off after {len(RECORDS)} messages"):
        read(file)


def test_an_mcap_cut_in_a_chunk_names_what_is_before(mcap_file):
    data = mcap_file.read_bytes()
    seventh = data.index(struct.pack("<Q", RECORDS[7].stamp_ns))  # in its record's head
    mcap_file.write_bytes(data[:seventh])

    with pytest.raises(BagError, match="cut off after 7 messages"):
        read(mcap_file)


def test_a_chunk_that_claims_to_be_huge_is_not_read(mcap_file):
    data = bytearray(mcap_file.read_bytes())
    chunk = data.index(struct.pack("<QQ", RECORDS[0].stamp_ns, RECORDS[-1].stamp_ns))
    data[chunk + 16 : chunk + 24] = struct.pack("<Q", 2**40)
    mcap_file.write_bytes(data)

    with pytest.raises(BagError, match="damaged after 0 messages"):
        read(mcap_file)


@pytest.mark.parametrize("compression", ["zstd", "lz4"])
def test_decompression_stops_at_its_limit(compression):
    compress = zstd.compress if compression == "zstd" else mcap.lz4.frame.compress

    data = mcap.inflate(compress(bytes(10_000_000)), compression, 1000)

    assert data == bytes(1000)


def test_a_bomb_that_does_not_declare_its_size_is_refused(mcap_file):
    packer = zstd.ZstdCompressor()
    bomb = packer.compress(bytes(1_000_000)) + packer.flush()
    assert zstd.get_frame_info(bomb).decompressed_size is None
    head = struct.pack("<QQQI", 0, 0, 1000, 0) + struct.pack("<I4sQ", 4, b"zstd", len(bomb))
    chunk = struct.pack("<BQ", mcap.CHUNK, len(head + bomb)) + head + bomb
    data = mcap_file.read_bytes()
    mcap_file.write_bytes(data[:8] + chunk + data[8:])

    with pytest.raises(BagError, match="damaged after 0 messages"):
        read(mcap_file)


def test_a_damaged_message_is_said():
    for data in (b"", b"\x00\x01\x00\x00", b"\x00\x01\x00\x00" + b"\xff" * 40):
        with pytest.raises(BagError, match=r"expected a std_msgs/msg/String on /words"):
            decode(Message("/words", "std_msgs/msg/String", 0, data))


@st.composite
def damages(draw):
    """Give a place to cut (as a share of the size), and bytes to change."""
    shares = st.floats(0, 1, exclude_max=True)
    flips = draw(st.lists(st.tuples(shares, st.integers(0, 255)), max_size=6))
    return draw(st.one_of(st.just(1.0), shares)), flips


@pytest.mark.parametrize(("storage", "mode"), FORMS)
@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(damage=damages())
def test_damage_gives_messages_or_one_line(tmp_path, storage, mode, damage):
    source = tmp_path / "source"
    if not source.exists():
        make_bags.write(source, make_bags.drive(frames=2), storage, mode)
    data = bytearray(make_bags.file_of(source).read_bytes())
    cut, flips = damage
    for share, value in flips:
        data[int(share * len(data))] = value
    broken = tmp_path / ("broken" + "".join(make_bags.file_of(source).suffixes))
    broken.write_bytes(data[: int(cut * len(data))])

    try:
        messages = read(broken)
    except BagError as error:
        assert "\n" not in str(error)
    else:
        assert all(isinstance(message.data, bytes) for message in messages)


@pytest.mark.skipif(not (DATA / "bags").is_dir(), reason="needs the recordings of EDGE_PILOT_DATA")
def test_real_bags_give_what_rosbags_gives():
    files = [path for path in (DATA / "bags").rglob("*") if path.suffix in (".mcap", ".db3")]
    assert len(files) >= 7

    for file in files:
        with Reader(file) as reader:
            expected = [(c.topic, stamp, data) for c, stamp, data in reader.messages()]
        assert [(m.topic, m.stamp_ns, m.data) for m in read(file)] == expected


def test_counting_stops_where_the_file_is_damaged(mcap_file):
    data = mcap_file.read_bytes()

    assert mcap.count_messages(BytesIO(data), len(data)) == len(RECORDS)
    assert mcap.count_messages(BytesIO(data[:60]), 60) == 0
