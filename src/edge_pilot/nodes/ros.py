"""What every node shares: parameters, topics, and the way in which its process runs.

Parameters are generated from the configuration: name, type, default, range and description.
Publishers and subscriptions are made from the rows of the table of topics.
"""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import Field
from importlib import import_module
from typing import Any, TypeAlias

import rclpy
from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.callback_groups import CallbackGroup
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rclpy.subscription import Subscription

from edge_pilot.config import Config, flat_fields, from_flat, to_flat, unit_of
from edge_pilot.errors import ConfigError, InputError
from edge_pilot.topics import Topic

# A node is created with these, so that `declare` sees what the user gave, unknown names too.
NODE_OPTIONS = {"automatically_declare_parameters_from_overrides": True}
MessageInfo: TypeAlias = Mapping[str, Any]
PARAMETERS_OF_ROS = ("use_sim_time", "start_type_description_service", "qos_overrides.")

SIGNALS = (signal.SIGINT, signal.SIGTERM)

QOS = {
    "sensor": QoSProfile(depth=5, reliability=ReliabilityPolicy.BEST_EFFORT),
    "command": QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE),
    "reliable": QoSProfile(depth=10, reliability=ReliabilityPolicy.RELIABLE),
    "clock": QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE),
    "latched": QoSProfile(
        depth=1,
        reliability=ReliabilityPolicy.RELIABLE,
        durability=DurabilityPolicy.TRANSIENT_LOCAL,
    ),
}


def declare(node: Node) -> Config:
    """Declare the whole configuration on a node, read-only, with the values that the user gave.

    Raises:
        ConfigError: a name is unknown or a value not permitted.
    """
    given = {
        name: parameter.value
        for name, parameter in node.get_parameters_by_prefix("").items()
        if not name.startswith(PARAMETERS_OF_ROS)
    }
    config = from_flat(given)
    for name in given:
        node.undeclare_parameter(name)
    values, leaves = to_flat(config), flat_fields()
    rows = [(name, values[name], _describe(name, leaf)) for name, (leaf, _) in leaves.items()]
    node.declare_parameters("", rows, ignore_override=True)
    return config


def message_class(type_text: str) -> Any:
    """Give the class of a message type such as `sensor_msgs/msg/Image`."""
    package, kind, name = type_text.split("/")
    return getattr(import_module(f"{package}.{kind}"), name)


def publisher(node: Node, topic: Topic) -> Publisher:
    """Create the publisher of a row of the table."""
    return node.create_publisher(message_class(topic.type), topic.name, QOS[topic.qos])


def subscription(node: Node, topic: Topic, callback: Callable[[Any], None]) -> Subscription:
    """Create a subscription to a row of the table."""
    return node.create_subscription(
        message_class(topic.type), topic.name, callback, QOS[topic.qos]
    )


def raw_subscription(
    node: Node, topic: Topic, callback: Callable[[bytes, MessageInfo], None]
) -> Subscription:
    """Create a subscription whose callback gets serialized messages, with their MessageInfo.

    In ROS 2 Humble callbacks get no MessageInfo; there it is empty.
    """
    knows_info = hasattr(Subscription, "CallbackType")
    return node.create_subscription(
        message_class(topic.type),
        topic.name,
        callback if knows_info else lambda message: callback(message, {}),
        QOS[topic.qos],
        raw=True,
    )


class Mailbox:
    """The messages of a topic, which wait until they are taken.

    They wake nobody: for the samples of an IMU the waking alone costs more than all that is done
    with them. Beyond `depth` the oldest are dropped.
    """

    def __init__(self, node: Node, topic: Topic, *, depth: int, raw: bool = False) -> None:
        qos = QoSProfile(depth=depth, reliability=QOS[topic.qos].reliability)
        self._subscription = node.create_subscription(
            message_class(topic.type), topic.name, lambda message: None, qos, raw=raw,
            callback_group=_Asleep(),
        )  # fmt: skip

    def take(self) -> Iterator[tuple[Any, MessageInfo]]:
        """Give the waiting messages with their MessageInfo, oldest first."""
        while taken := take(self._subscription):
            yield taken


class _Asleep(CallbackGroup):
    """Keeps what is in it out of the executor's wait set."""

    def can_execute(self, entity: object) -> bool:
        return False

    def beginning_execution(self, entity: object) -> bool:
        return False

    def ending_execution(self, entity: object) -> None:
        pass


def take(subscription: Subscription) -> tuple[Any, MessageInfo] | None:
    """Take one more waiting message with its MessageInfo, or give None."""
    with subscription.handle:
        return subscription.handle.take_message(subscription.msg_type, subscription.raw)


def now_ns(node: Node) -> int:
    """Read the node's ROS time."""
    return int(node.get_clock().now().nanoseconds)


def received_ns(node: Node, info: MessageInfo) -> int:
    """Tell when a message came, in the node's ROS time; where nobody noted it, that is now."""
    now = time.time_ns()
    return now_ns(node) - (now - int(info.get("received_timestamp") or now))


def run(make_node: Callable[[], Node], args: list[str] | None = None) -> int:
    """Make a node and let it work until SIGINT or SIGTERM.

    Returns:
        The exit status: 0 after a signal, 2 where the user's input was bad.
    """
    signals = _catch_signals()
    try:
        _init(args)
        if not signals:  # later ones end the spinning
            _spin(make_node())
    except ExternalShutdownException:
        pass
    except InputError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except RuntimeError:
        # A signal shuts the context down, and whatever touches ROS after that raises.
        if rclpy.ok():
            raise
    finally:
        with suppress(RuntimeError):  # rclpy's own thread may just be doing the same
            rclpy.try_shutdown()
        # Python's end restores the default, by which a second Ctrl-C would kill.
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)
    return 0


def _describe(name: str, leaf: Field[Any]) -> ParameterDescriptor:
    meta, unit = leaf.metadata, unit_of(name)
    description = f"{meta['doc']} [{unit}]" if unit else meta["doc"]
    descriptor = ParameterDescriptor(description=description, read_only=True)
    if "options" in meta:
        descriptor.additional_constraints = "one of " + ", ".join(meta["options"])
    elif isinstance(meta.get("low"), int):
        whole = IntegerRange(from_value=meta["low"], to_value=meta["high"], step=1)
        descriptor.integer_range = [whole]
    elif "low" in meta:
        real = FloatingPointRange(from_value=meta["low"], to_value=meta["high"], step=0.0)
        descriptor.floating_point_range = [real]
    return descriptor


def _catch_signals() -> list[int]:
    """Give a list that grows with each signal.

    Python's own handler would raise KeyboardInterrupt wherever the process happens to be, in
    the midst of its clean-up too. That of rclpy, which is put before this one, wakes the executor.
    """
    caught: list[int] = []
    for number in SIGNALS:
        signal.signal(number, lambda number, _: caught.append(number))
    return caught


def _init(args: list[str] | None) -> None:
    try:
        rclpy.init(args=args)
    except RuntimeError as error:
        reason = str(error).split(", at /")[0]
        raise ConfigError(f"expected valid ROS arguments, got: {reason}") from None


def _spin(node: Node) -> None:
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    try:
        executor.spin()
    finally:
        executor.shutdown(timeout_sec=0.1)
        node.destroy_node()
