"""The pilot and the safety gate, on a vehicle whose drivers run already."""

from launch import LaunchDescription

from edge_pilot import topics
from edge_pilot.nodes.launching import car, common, rename

TOPICS = [
    topics.CAMERA,
    topics.CAMERA_COMPRESSED,
    topics.CAMERA_INFO,
    topics.IMU,
    topics.ODOM,
    topics.DRIVER_OVERRIDE,
    topics.VEHICLE_COMMAND,
]


def generate_launch_description() -> LaunchDescription:
    """Describe what to start."""
    return LaunchDescription([*common(), *map(rename, TOPICS), *car(TOPICS)])
