"""A recording, the pilot and the safety gate: see what they would do with it."""

from launch import LaunchDescription

from edge_pilot.nodes.launching import car, common, node, override

OVERRIDES = [
    "replay.bag", "replay.rate", "replay.loop", "replay.camera_topic", "replay.stamps",
    "replay.start_s", "replay.end_s", "replay.paused",
]  # fmt: skip


def generate_launch_description() -> LaunchDescription:
    """Describe what to start."""
    return LaunchDescription(
        [
            *map(override, OVERRIDES),
            *common(),
            *car(),
            node("replay", overrides=OVERRIDES, is_essential=True),
        ]
    )
