"""What every test gets: the checkout's source for subprocesses, and a ROS domain of its own."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

SOURCE = Path(__file__).resolve().parents[1] / "src"
# A noisy machine is no defect, and CI shall judge a change by what it changed.
settings.register_profile("local", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if "CI" in os.environ else "local")

DOMAINS = 101  # the domains that are safe on every system are 0 to 101; a vehicle uses 0


@pytest.fixture(scope="session", autouse=True)
def isolation(tmp_path_factory):
    """Keep the tests' nodes away from others', above all from those of a real vehicle."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(SOURCE), prepend=os.pathsep)
        patch.setenv("ROS_DOMAIN_ID", str(1 + os.getpid() % DOMAINS))
        patch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
        patch.setenv("ROS_LOG_DIR", str(tmp_path_factory.mktemp("ros")))
        yield


def pytest_collection_modifyitems(items):
    """Run the tests of the core before those that start ROS nodes."""
    items.sort(key=lambda item: item.get_closest_marker("ros") is not None)
