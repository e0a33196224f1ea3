"""Pictures by either of two topics: of those that wait, only the newest is read."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeAlias

from rclpy.node import Node
from rclpy.subscription import Subscription

from edge_pilot import topics
from edge_pilot.nodes import messages, ros
from edge_pilot.nodes.meter import Arrivals
from edge_pilot.types import Frame

READERS = {
    topics.CAMERA: messages.read_image,
    topics.CAMERA_COMPRESSED: messages.read_compressed,
}
SEQUENCE = "publication_sequence_number"

Reader: TypeAlias = Callable[[bytes, int], Frame]


class Cameras:
    """Subscribes to both topics and counts their frames.

    `use` is called with a function that reads the newest frame, so that a node that has no use
    for it need not decode it. That function is told how many times smaller a JPEG may be decoded;
    it raises ImageError.
    """

    def __init__(self, node: Node, use: Callable[[Callable[[int], Frame]], None]) -> None:
        self._use = use
        self._topics: list[tuple[Subscription, Arrivals]] = []
        for number, topic in enumerate(READERS):
            callback = partial(self._on_message, number, READERS[topic])
            self._topics.append((ros.raw_subscription(node, topic, callback), Arrivals()))

    def counts(self) -> dict[str, int]:
        """Give how many frames came, never came, and were overtaken while they waited."""
        arrivals = [item for _, item in self._topics]
        return {
            "frames_received": sum(item.received for item in arrivals),
            "frames_lost": sum(item.lost for item in arrivals),
            "frames_superseded": sum(item.superseded for item in arrivals),
        }

    def _on_message(
        self, number: int, read: Reader, message: bytes, info: ros.MessageInfo
    ) -> None:
        subscription, arrivals = self._topics[number]
        arrivals.add(info.get(SEQUENCE))
        while later := ros.take(subscription):
            message, info = later
            arrivals.add(info.get(SEQUENCE))
            arrivals.superseded += 1
        self._use(partial(read, message))
