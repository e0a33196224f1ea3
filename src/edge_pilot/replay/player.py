"""Recorded messages, each when it is due."""

from __future__ import annotations

from collections.abc import Iterator

from edge_pilot.replay.bags import Message
from edge_pilot.types import NANOSECONDS


def between(messages: Iterator[Message], start_s: float, end_s: float) -> Iterator[Message]:
    """Give the messages from `start_s` to `end_s` after the first; 0 is to the end."""
    first_ns: int | None = None
    for message in messages:
        first_ns = message.stamp_ns if first_ns is None else first_ns
        at_s = (message.stamp_ns - first_ns) / NANOSECONDS
        if end_s and at_s > end_s:
            return
        if at_s >= start_s:
            yield message


class Player:
    """Knows no clock: what has passed since the first message is told."""

    def __init__(self, messages: Iterator[Message], rate: float = 1.0) -> None:
        """Play messages in the order of record time, `rate` times as fast as recorded."""
        self._messages = messages
        self._rate = rate
        self._next = next(messages, None)
        self._first_ns = self._next.stamp_ns if self._next else 0

    @property
    def is_over(self) -> bool:
        """Whether there is no further message."""
        return self._next is None

    def wait_ns(self, elapsed_ns: int) -> int:
        """Give how long it is to the next message; negative: it is late; 0 where all is over."""
        return self._offset_ns(self._next) - elapsed_ns if self._next else 0

    def due(self, elapsed_ns: int) -> Iterator[tuple[int, Message]]:
        """Give each message whose time has come, with the time [ns] when it came."""
        while self._next and self._offset_ns(self._next) <= elapsed_ns:
            message, self._next = self._next, next(self._messages, None)
            yield self._offset_ns(message), message

    def recorded_ns(self, elapsed_ns: int) -> int:
        """Give the record time that is reached."""
        return self._first_ns + round(elapsed_ns * self._rate)

    def _offset_ns(self, message: Message) -> int:
        return round((message.stamp_ns - self._first_ns) / self._rate)
