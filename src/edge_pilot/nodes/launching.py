"""What the launch files share: each of them is a list of these parts.

An argument that stands for a parameter takes its name, type and description from the
configuration, and is empty by default: then the files decide.
"""

from __future__ import annotations

import os
from collections.abc import Collection
from typing import Any

from launch import LaunchContext, SomeSubstitutionsType
from launch.actions import DeclareLaunchArgument, OpaqueFunction, SetEnvironmentVariable, Shutdown
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

from edge_pilot import resources, transport
from edge_pilot.config import flat_fields, load
from edge_pilot.topics import Topic

MODEL = "pilot.model"
FILES = {
    "vehicle_config": ("config/vehicle.yaml", "parameter file: the car and its camera"),
    "drive_config": ("config/drive.yaml", "parameter file, later in rank: how to drive"),
}


def common(use_sim_time: SomeSubstitutionsType = "false") -> list[Any]:
    """Declare the arguments of every launch file, and set what every process needs."""
    return [
        DeclareLaunchArgument("namespace", default_value="", description="before every topic"),
        DeclareLaunchArgument(
            "use_sim_time", default_value=use_sim_time, description="take the time from /clock"
        ),
        DeclareLaunchArgument(
            "log_level", default_value="info", description="debug, info, warn, error or fatal"
        ),
        *(
            DeclareLaunchArgument(
                name, default_value=str(resources.find(path)), description=description
            )
            for name, (path, description) in FILES.items()
        ),
        *(
            SetEnvironmentVariable(name, value)
            for name, value in transport.environment(os.environ).items()
        ),
        OpaqueFunction(function=_check_files),
    ]


def car(topics: Collection[Topic] = ()) -> list[Any]:
    """Declare the model, and start the pilot and the safety gate, with these topics renamed."""
    return [
        override(MODEL),
        node("pilot", overrides=[MODEL], topics=topics),
        # The pilot may die, and the gate then stops the car. Without the gate nothing may drive.
        node("safety", topics=topics, is_essential=True),
    ]


def override(parameter: str) -> Any:
    """Declare an argument for a parameter, under the last part of its name."""
    meta = flat_fields()[parameter][0].metadata
    options = f" ({', '.join(meta['options'])})" if "options" in meta else ""
    return DeclareLaunchArgument(
        _argument(parameter),
        default_value="",
        description=f"{parameter}: {meta['doc']}{options}; if not given, as in the files",
    )


def rename(topic: Topic) -> Any:
    """Declare an argument for the name that a topic has on this vehicle."""
    return DeclareLaunchArgument(
        _argument_of(topic), default_value=topic.name, description=f"{topic.type}: {topic.doc}"
    )


def node(
    executable: str,
    overrides: Collection[str] = (),
    topics: Collection[Topic] = (),
    is_essential: bool = False,
) -> Any:
    """Start one of our nodes; when an essential one ends, all end."""
    renamed = [(topic.name, LaunchConfiguration(_argument_of(topic))) for topic in topics]

    def start(context: LaunchContext) -> list[Any]:
        time = ParameterValue(LaunchConfiguration("use_sim_time"), value_type=bool)
        parameters = {"use_sim_time": time, **_given(overrides, context)}
        action = Node(
            package=resources.PACKAGE,
            executable=executable,
            namespace=LaunchConfiguration("namespace"),
            parameters=[*map(LaunchConfiguration, FILES), parameters],
            remappings=renamed,
            ros_arguments=["--log-level", LaunchConfiguration("log_level")],
            output="screen",
            on_exit=Shutdown() if is_essential else None,
        )
        return [action]

    return OpaqueFunction(function=start)


def _check_files(context: LaunchContext) -> None:
    """Refuse bad files before anything starts; launch itself would only warn of a missing one."""
    load(LaunchConfiguration(name).perform(context) for name in FILES)


def _given(overrides: Collection[str], context: LaunchContext) -> dict[str, Any]:
    """Give the parameters whose arguments are not empty.

    What is no text is typed as YAML and judged by the node: a conversion that fails in launch
    leaves those nodes behind that run already.
    """
    arguments = {name: LaunchConfiguration(_argument(name)) for name in overrides}
    return {
        name: ParameterValue(argument, value_type=str if flat_fields()[name][1] is str else None)
        for name, argument in arguments.items()
        if argument.perform(context)
    }


def _argument(parameter: str) -> str:
    return parameter.rsplit(".", 1)[-1]


def _argument_of(topic: Topic) -> str:
    return topic.name.replace("/", "_")
