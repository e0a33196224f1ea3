"""How messages travel between the processes of one machine: what Fast DDS and malloc need.

Both are set by environment variables that must be there before a process starts, so whoever
starts one (a launch file, the demo, a test) passes `environment` on. The profile matters on the
side that publishes pictures.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from edge_pilot import resources

# Jazzy's Fast DDS reads the first name, later ones read the second.
PROFILES = ("FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE")
TRANSPORT_CHOICES = (*PROFILES, "FASTDDS_BUILTIN_TRANSPORTS")

# By default glibc maps and unmaps each picture, and every page of it faults anew: 2100 faults
# and 4 ms CPU a frame at 1280x720. With these the memory is kept and used again.
TUNING = {
    "MALLOC_MMAP_THRESHOLD_": "268435456",
    "MALLOC_TRIM_THRESHOLD_": "268435456",
    "MALLOC_TOP_PAD_": "16777216",
    "OMP_WAIT_POLICY": "PASSIVE",  # waiting OpenMP threads would spin on the other nodes' cores
}

SHARED_MEMORY = Path("/dev/shm")
PROCESS_BYTES = 36_000_000  # config/fastdds.xml's segment and Fast DDS's own, allocated at once
PROCESSES = 4  # a source of pictures, the pilot, the safety gate and one observer


def environment(base: Mapping[str, str]) -> dict[str, str]:
    """Give the variables to add to `base` for each process of ours.

    What the user has set in `base` is never overridden; a transport of the user's own choice
    keeps our profile out altogether.

    Raises:
        ConfigError: the profile is not where the package was installed.
    """
    wanted = dict(TUNING)
    if not any(name in base for name in TRANSPORT_CHOICES):
        wanted |= dict.fromkeys(PROFILES, str(resources.find("config/fastdds.xml")))
    return {name: value for name, value in wanted.items() if name not in base}


def shared_memory_problem(folder: Path = SHARED_MEMORY, processes: int = PROCESSES) -> str:
    """Say why `folder` cannot hold the segments of so many processes, or give an empty text."""
    wanted = processes * PROCESS_BYTES
    try:
        free = shutil.disk_usage(folder).free
    except OSError as error:
        return f"expected shared memory at {folder}, got: {error.strerror}"
    if free >= wanted:
        return ""
    return (
        f"expected {wanted // 1_000_000} MB free in {folder} for the pictures of {processes} "
        f"processes, got {free // 1_000_000} MB (a container: --shm-size=256m; after a crash: "
        f"fastdds shm clean)"
    )
