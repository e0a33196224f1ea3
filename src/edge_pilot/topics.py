"""The topics: one table for nodes, launch files, reports and documentation.

Names are relative, so a namespace makes a second vehicle possible. Types are those of
common_interfaces only.
"""

from __future__ import annotations

from typing import NamedTuple


class Topic(NamedTuple):
    """One row of the table."""

    name: str
    type: str
    qos: str  # sensor: best effort, depth 5; command: reliable, depth 1; latched: transient local
    rate_hz: float  # nominal; 0 where it is published on change
    doc: str


CAMERA = Topic("camera/image_raw", "sensor_msgs/msg/Image", "sensor", 20, "the picture")
CAMERA_COMPRESSED = Topic(
    "camera/image_raw/compressed", "sensor_msgs/msg/CompressedImage", "sensor", 20,
    "the picture as JPEG or PNG",
)  # fmt: skip
CAMERA_INFO = Topic(
    "camera/camera_info", "sensor_msgs/msg/CameraInfo", "sensor", 20, "its intrinsics"
)
IMU = Topic("imu/data", "sensor_msgs/msg/Imu", "sensor", 100, "acceleration and rotation")
GPS = Topic("gps/fix", "sensor_msgs/msg/NavSatFix", "sensor", 10, "position, WGS 84")
LIDAR = Topic("lidar/points", "sensor_msgs/msg/PointCloud2", "sensor", 10, "x y z in lidar frame")
ODOM = Topic("odom", "nav_msgs/msg/Odometry", "sensor", 50, "wheel odometry")
DRIVER_COMMAND = Topic(
    "driver/command", "sensor_msgs/msg/JointState", "command", 20,
    "what the human or the expert does: the only source of steering labels",
)  # fmt: skip
DRIVER_OVERRIDE = Topic(
    "driver/override", "std_msgs/msg/Bool", "latched", 0, "true: the driver has the car"
)
PILOT_COMMAND = Topic(
    "pilot/command", "sensor_msgs/msg/JointState", "command", 20,
    "the proposal, stamped with its image's stamp",
)  # fmt: skip
PILOT_PATH = Topic(
    "pilot/path", "nav_msgs/msg/Path", "command", 20,
    "the planned path, in the base_link of its image's stamp",
)  # fmt: skip
PILOT_PREDICTION = Topic(
    "pilot/prediction", "sensor_msgs/msg/JointState", "command", 20,
    "named scalars: curvature, spread, latency of each stage",
)  # fmt: skip
PILOT_OBSTACLES = Topic(
    "pilot/obstacles", "sensor_msgs/msg/PointCloud2", "command", 20,
    "x y z vx vy class score u v w h of each, in the base_link of its image's stamp",
)  # fmt: skip
PILOT_OBSTACLE_MARKERS = Topic(
    "pilot/obstacle_markers", "visualization_msgs/msg/MarkerArray", "command", 20,
    "the same to look at",
)  # fmt: skip
PILOT_DEBUG_IMAGE = Topic(
    "pilot/debug_image/compressed", "sensor_msgs/msg/CompressedImage", "sensor", 20,
    "the picture with what the pilot makes of it",
)  # fmt: skip
VEHICLE_COMMAND = Topic(
    "vehicle/command", "sensor_msgs/msg/JointState", "command", 20,
    "what the car does, stamped with the moment of decision",
)  # fmt: skip
VEHICLE_PEDALS = Topic(
    "vehicle/pedals", "sensor_msgs/msg/JointState", "command", 20, "throttle and brake, 0 to 1"
)
VEHICLE_STEERING_CMD = Topic(
    "vehicle/steering_cmd", "std_msgs/msg/Float32", "command", 20, "rad, for simple consumers"
)
VEHICLE_BRAKE_CMD = Topic(
    "vehicle/brake_cmd", "std_msgs/msg/Float32", "command", 20, "0 to 1, for simple consumers"
)
SAFETY_STATE = Topic(
    "safety/state", "diagnostic_msgs/msg/DiagnosticArray", "command", 20,
    "state, verdict, reason and image stamp of the vehicle/command with the same stamp",
)  # fmt: skip
DIAGNOSTICS = Topic(
    "/diagnostics", "diagnostic_msgs/msg/DiagnosticArray", "reliable", 1, "health of each node"
)
CLOCK = Topic("/clock", "rosgraph_msgs/msg/Clock", "clock", 100, "simulated time")
SIM_TRUTH = Topic(
    "sim/truth", "sensor_msgs/msg/JointState", "command", 20,
    "named scalars that only the simulator knows: for reports, never for driving",
)  # fmt: skip

TOPICS = tuple(value for value in globals().values() if isinstance(value, Topic))
