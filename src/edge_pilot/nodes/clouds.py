"""Point clouds: the LiDAR's by serialized messages, and obstacles as messages to look at."""

from __future__ import annotations

import array
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from builtin_interfaces.msg import Duration
from geometry_msgs.msg import Vector3
from rclpy.node import Node
from sensor_msgs.msg import PointCloud2, PointField
from std_msgs.msg import ColorRGBA, Header
from visualization_msgs.msg import Marker, MarkerArray

from edge_pilot import lidar, topics
from edge_pilot.config import LidarConfig
from edge_pilot.errors import CloudError, InputError
from edge_pilot.nodes import cdr, ros
from edge_pilot.nodes.messages import BASE_FRAME, to_ns, to_stamp
from edge_pilot.types import KINDS, NANOSECONDS, UNKNOWN, Obstacle, Scan

COLUMNS = (
    "x", "y", "z", "vx", "vy", "class", "score", "u", "v", "w", "h", "width", "age", "std"
)  # fmt: skip
MOST_OBSTACLES = 1000
MAX_AGE_S = 0.3  # between a scan and the picture that it is used with
LIFETIME = Duration(nanosec=300_000_000)  # a marker that is not renewed is gone
HEIGHTS_M = {"pedestrian": 1.7, "cyclist": 1.7, "vehicle": 1.5}  # of boxes to look at


class Scans:
    """Subscribes to the LiDAR, keeps the newest cloud, and gives it once.

    A scan's stamp is what `received_ns` gives when its message comes, or its own where that is
    None.
    """

    def __init__(
        self, node: Node, mount: LidarConfig, received_ns: Callable[[], int | None]
    ) -> None:
        self._mount, self._received_ns = mount, received_ns
        self._waiting: tuple[bytes, int | None] | None = None
        self._counts = {"scans_received": 0, "scans_used": 0, "scans_late": 0, "scans_failed": 0}
        self.last_error = ""
        ros.raw_subscription(node, topics.LIDAR, self._on_message)

    def counts(self) -> dict[str, int]:
        """Give how many scans came, were used, did not fit their picture, and were unreadable."""
        return dict(self._counts)

    def take(self, stamp_ns: int) -> Scan | None:
        """Give the newest scan if it is new and within MAX_AGE_S of a picture."""
        waiting, self._waiting = self._waiting, None
        if waiting is None:
            return None
        message, received_ns = waiting
        try:
            scan = lidar.to_scan(cdr.cloud(message), self._mount)
        except InputError as error:
            self._counts["scans_failed"] += 1
            self.last_error = str(error)
            return None
        if received_ns is not None:
            scan = replace(scan, stamp_ns=received_ns)
        fits = abs(stamp_ns - scan.stamp_ns) <= MAX_AGE_S * NANOSECONDS
        self._counts["scans_used" if fits else "scans_late"] += 1
        return scan if fits else None

    def _on_message(self, message: bytes, info: ros.MessageInfo) -> None:
        self._waiting = message, self._received_ns()
        self._counts["scans_received"] += 1


def write_obstacles(stamp_ns: int, obstacles: Sequence[Obstacle]) -> PointCloud2:
    """Write obstacles in base_link, one point each, float32 COLUMNS.

    `class` is the index in KINDS or -1; u, v are the middle and w, h the size of the box in the
    picture [px], NaN where no camera saw it; width is that of the thing [m], age is how long it
    has been known [s], std that of its distance [m].
    """
    rows = np.array([_row(one) for one in obstacles], "<f4").reshape(-1, len(COLUMNS))
    step = 4 * len(COLUMNS)
    fields = [
        PointField(name=name, offset=4 * i, datatype=PointField.FLOAT32, count=1)
        for i, name in enumerate(COLUMNS)
    ]
    message = PointCloud2(header=_header(stamp_ns), height=1, width=len(rows), fields=fields,
                          point_step=step, row_step=step * len(rows), is_dense=False)  # fmt: skip
    message.data = array.array("B", rows.tobytes())
    return message


def write_markers(stamp_ns: int, obstacles: Sequence[Obstacle]) -> MarkerArray:
    """Write a box and a line of text for each obstacle, in base_link."""
    makers = (_box, _text)
    header = _header(stamp_ns)
    return MarkerArray(markers=[
        make(header, number, one) for number, one in enumerate(obstacles) for make in makers
    ])  # fmt: skip


def _header(stamp_ns: int) -> Header:
    return Header(stamp=to_stamp(stamp_ns), frame_id=BASE_FRAME)


def _row(one: Obstacle) -> tuple[float, ...]:
    kind = KINDS.index(one.kind) if one.kind in KINDS else -1
    box = (np.nan,) * 4
    if one.box_px:
        x0, y0, x1, y1 = one.box_px
        box = (0.5 * (x0 + x1), 0.5 * (y0 + y1), x1 - x0, y1 - y0)
    known = (one.width_m, one.age_s, one.position_std_m)
    return one.x_m, one.y_m, 0.0, one.vx_mps, one.vy_mps, kind, one.score, *box, *known


def read_obstacles(message: PointCloud2) -> tuple[Obstacle, ...]:
    """Read what `write_obstacles` writes.

    Raises:
        CloudError: it is something else.
    """
    names = tuple(field.name for field in message.fields)
    size = 4 * len(COLUMNS) * message.width
    is_ours = names == COLUMNS and message.height == 1 and len(message.data) == size
    if not is_ours or message.width > MOST_OBSTACLES:
        raise CloudError(
            f"expected at most {MOST_OBSTACLES} obstacles of {', '.join(COLUMNS)}, "
            f"got {message.width} of {', '.join(names)} in {len(message.data)} bytes"
        )
    rows = np.frombuffer(message.data, "<f4").reshape(-1, len(COLUMNS)).astype(float)
    stamp_ns = to_ns(message.header.stamp)
    # What is not finite is nowhere, and no thing; a box may be missing, and an age without end.
    is_thing = np.isfinite(rows[:, [0, 1, 3, 4, 5, 6, 11, 13]]).all(axis=1)
    return tuple(_obstacle(stamp_ns, row.tolist()) for row in rows[is_thing])


def _obstacle(stamp_ns: int, row: list[float]) -> Obstacle:
    x, y, _, vx, vy, number, score, u, v, wide, high, width, age, std = row
    box = (u - 0.5 * wide, v - 0.5 * high, u + 0.5 * wide, v + 0.5 * high)
    return Obstacle(
        stamp_ns=stamp_ns,
        kind=KINDS[int(number)] if 0.0 <= number < len(KINDS) else UNKNOWN,
        score=score,
        x_m=x,
        y_m=y,
        vx_mps=vx,
        vy_mps=vy,
        width_m=width,
        position_std_m=std,
        velocity_std_mps=0.0,
        box_px=box if np.isfinite(box).all() else None,
        age_s=age,
    )


def _marker(header: Header, kind: int, number: int, one: Obstacle, height_m: float) -> Marker:
    marker = Marker(header=header, type=kind, id=number, lifetime=LIFETIME,
                    color=ColorRGBA(r=1.0, g=0.6, b=0.1, a=0.7))  # fmt: skip
    place = marker.pose.position
    place.x, place.y, place.z = float(one.x_m), float(one.y_m), height_m
    return marker


def _box(header: Header, number: int, one: Obstacle) -> Marker:
    height = HEIGHTS_M.get(one.kind, 1.0)
    marker = _marker(header, Marker.CUBE, number, one, 0.5 * height)
    marker.ns, marker.scale = "boxes", Vector3(x=0.3, y=max(0.2, float(one.width_m)), z=height)
    return marker


def _text(header: Header, number: int, one: Obstacle) -> Marker:
    height = HEIGHTS_M.get(one.kind, 1.0) + 0.5
    marker = _marker(header, Marker.TEXT_VIEW_FACING, number, one, height)
    marker.ns, marker.scale = "texts", Vector3(z=0.5)
    marker.text = f"{one.kind} {np.hypot(one.vx_mps, one.vy_mps):.1f} m/s"
    return marker
