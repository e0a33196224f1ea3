"""Messages are handed out when they are due."""

from __future__ import annotations

import pytest

from edge_pilot.replay.bags import Message
from edge_pilot.replay.player import Player, between
from edge_pilot.types import NANOSECONDS

START = 1_700_000_000_000_000_000


def player(*offsets, rate=1.0):
    return Player((Message("/a", "t", START + offset, b"") for offset in offsets), rate)


def play(player, elapsed_ns):
    return [offset for offset, _ in player.due(elapsed_ns)]


def test_each_message_is_due_once_and_in_its_time():
    one = player(0, 10, 20, 30)

    assert [play(one, elapsed) for elapsed in (0, 9, 20, 100)] == [[0], [], [10, 20], [30]]
    assert one.is_over


@pytest.mark.parametrize(("rate", "offsets"), [(2.0, [0, 50]), (0.5, [0, 200])])
def test_the_rate_stretches_time(rate, offsets):
    one = player(0, 100, rate=rate)

    assert play(one, 1000) == offsets
    assert one.recorded_ns(50) == START + round(50 * rate)


def test_the_wait_is_that_for_the_next_message():
    one = player(0, 100, rate=2.0)

    assert [one.wait_ns(0), play(one, 0), one.wait_ns(20), one.wait_ns(70)] == [0, [0], 30, -20]


def test_nothing_is_over_at_once():
    one = player()

    assert one.is_over and one.wait_ns(5) == 0 and play(one, 5) == []


def test_a_part_begins_and_ends_so_long_after_the_first_message():
    messages = [Message("/a", "t", 5 + second * NANOSECONDS, b"") for second in range(6)]

    assert list(between(iter(messages), 2.0, 4.0)) == messages[2:5]
    assert list(between(iter(messages), 0.0, 0.0)) == messages
