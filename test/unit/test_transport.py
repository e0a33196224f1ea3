"""The environment of every process of ours, and the room for its pictures."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_pilot import transport

ROOT = Path(__file__).resolve().parents[2]


def test_every_process_gets_the_profile_under_both_names():
    added = transport.environment({"HOME": "/root"})

    profile = str(ROOT / "config/fastdds.xml")
    assert [added[name] for name in transport.PROFILES] == [profile, profile]
    assert added["OMP_WAIT_POLICY"] == "PASSIVE"
    assert "HOME" not in added


@pytest.mark.parametrize(
    "name",
    [
        "FASTDDS_BUILTIN_TRANSPORTS",
        "FASTDDS_DEFAULT_PROFILES_FILE",
        "FASTRTPS_DEFAULT_PROFILES_FILE",
    ],
)
def test_a_transport_of_the_users_choice_is_left_alone(name):
    added = transport.environment({name: "mine"})

    assert not [key for key in added if key.startswith("FAST")]
    assert "MALLOC_TOP_PAD_" in added


@pytest.mark.parametrize("name", transport.TUNING)
def test_tuning_of_the_users_own_is_respected(name):
    added = transport.environment({name: "1"})

    assert name not in added
    assert set(transport.TUNING) - {name} <= set(added)


def test_enough_shared_memory_is_no_problem(tmp_path):
    assert transport.shared_memory_problem(tmp_path, processes=0) == ""


def test_too_little_shared_memory_is_said_with_the_remedy(tmp_path):
    problem = transport.shared_memory_problem(tmp_path, processes=10**9)

    assert f"free in {tmp_path}" in problem
    assert "--shm-size" in problem


def test_a_system_without_shared_memory_is_said(tmp_path):
    assert "No such file" in transport.shared_memory_problem(tmp_path / "none")
