"""A recording stand-in for `launch` and `launch_ros`, which are not on PyPI.

It keeps what a launch file says, and resolves it as `ros2 launch` would.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType, SimpleNamespace
from typing import Any


class Said:
    """One thing that a launch file said: the kind of it is the class."""

    def __init__(self, *parts: Any, **named: Any) -> None:
        self.parts = parts
        self.named = named

    def __getattr__(self, name: str) -> Any:
        try:
            return self.__dict__["named"][name]
        except KeyError:
            raise AttributeError(name) from None


class LaunchDescription(Said):
    pass


class DeclareLaunchArgument(Said):
    pass


class SetEnvironmentVariable(Said):
    pass


class Shutdown(Said):
    pass


class OpaqueFunction(Said):
    pass


class Node(Said):
    pass


class LaunchConfiguration(Said):
    def perform(self, context: Mapping[str, str]) -> str:
        return context[self.parts[0]]


class PythonExpression(Said):
    def perform(self, context: Mapping[str, str]) -> str:
        return str(eval(text(self.parts[0], context)))


class ParameterValue(Said):
    def __init__(self, value: Said, *, value_type: type | None) -> None:
        if not isinstance(value, Said):  # the real one takes a text for a text only
            raise TypeError(f"expected a substitution, got {value!r}")
        super().__init__(value, value_type=value_type)


def modules() -> dict[str, ModuleType]:
    """Give what to put into sys.modules."""
    contents = {
        "launch": {"LaunchDescription": LaunchDescription, "LaunchContext": Mapping,
                   "SomeSubstitutionsType": Any},
        "launch.actions": {kind.__name__: kind for kind in (
            DeclareLaunchArgument, OpaqueFunction, SetEnvironmentVariable, Shutdown)},
        "launch.substitutions": {kind.__name__: kind for kind in (
            LaunchConfiguration, PythonExpression)},
        "launch_ros": {},
        "launch_ros.actions": {"Node": Node},
        "launch_ros.parameter_descriptions": {"ParameterValue": ParameterValue},
    }  # fmt: skip
    made = {}
    for name, values in contents.items():
        made[name] = ModuleType(name)
        vars(made[name]).update(values)
    return made


def text(value: Any, context: Mapping[str, str]) -> str:
    """Resolve what may be a text, a substitution or a list of both."""
    if isinstance(value, list):
        return "".join(text(part, context) for part in value)
    return value.perform(context) if isinstance(value, Said) else str(value)


def resolve(description: LaunchDescription, given: Mapping[str, str]) -> SimpleNamespace:
    """Carry out a description with these arguments.

    Returns:
        `arguments` {name: declaration}, `environment` {name: value} and `nodes`, each with its
        own `context`.
    """
    result = SimpleNamespace(arguments={}, environment={}, nodes=[], context={})
    for action in description.parts[0]:
        _carry_out(action, given, result)
    return result


def _carry_out(action: Said, given: Mapping[str, str], result: SimpleNamespace) -> None:
    if isinstance(action, DeclareLaunchArgument):
        name = action.parts[0]
        result.arguments[name] = action
        default = text(action.default_value, result.context)
        result.context[name] = given.get(name, default)
    elif isinstance(action, SetEnvironmentVariable):
        result.environment[action.parts[0]] = action.parts[1]
    elif isinstance(action, OpaqueFunction):
        for inner in action.function(result.context) or ():
            _carry_out(inner, given, result)
    elif isinstance(action, Node):
        result.nodes.append(action)
    else:
        raise TypeError(f"expected an action that is known here, got {type(action).__name__}")
