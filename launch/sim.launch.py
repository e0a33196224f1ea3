"""The simulator, the pilot and the safety gate: drive without a car."""

from launch import LaunchDescription
from launch.substitutions import LaunchConfiguration, PythonExpression

from edge_pilot.nodes.launching import car, common, node, override

OVERRIDES = ["sim.seed", "sim.light", "sim.duration_s", "sim.clock"]


def generate_launch_description() -> LaunchDescription:
    """Describe what to start."""
    is_simulated = PythonExpression(["'", LaunchConfiguration("clock"), "' == 'simulated'"])
    return LaunchDescription(
        [
            *map(override, OVERRIDES),
            *common(use_sim_time=is_simulated),
            *car(),
            node("sim", overrides=OVERRIDES, is_essential=True),
        ]
    )
