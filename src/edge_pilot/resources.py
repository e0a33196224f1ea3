"""One finder for the files that come with the package: launch files, configuration, models.

Where they lie depends on how the package was installed. In order of rank:

1. the checkout that this source lies in, so that edits take effect and no older installed copy
   of the same files wins;
2. `share/edge_pilot` of the ament index (colcon, apt);
3. `share/edge_pilot` under the prefixes that pip installs to (environment, then user).
"""

from __future__ import annotations

import site
import sysconfig
from collections.abc import Iterable
from pathlib import Path

from edge_pilot.errors import ConfigError

PACKAGE = "edge_pilot"
SHIPPED_MODEL = "models/pilot.onnx"


def find(relative: str) -> Path:
    """Give the path of a file or folder such as "config/vehicle.yaml" or "launch".

    Raises:
        ConfigError: it is in none of the places.
    """
    return first(relative, places())


def first(relative: str, folders: Iterable[Path]) -> Path:
    """Give `relative` in the first of the folders that has it.

    Raises:
        ConfigError: none has it.
    """
    candidates = [folder / relative for folder in folders]
    for path in candidates:
        if path.exists():
            return path
    tried = ", ".join(str(path) for path in candidates)
    raise ConfigError(f"expected {relative} at one of: {tried}; got none of them")


def places() -> list[Path]:
    """List the folders to look in, best first."""
    prefixes = (sysconfig.get_path("data"), site.getuserbase())
    found = (checkout(Path(__file__)), _ament_share())
    return [
        *(folder for folder in found if folder),
        *(Path(prefix) / "share" / PACKAGE for prefix in prefixes),
    ]


def checkout(module: Path) -> Path | None:
    """Give the package's root if `module` lies in its `src/edge_pilot`, otherwise None."""
    root = module.resolve().parents[2]
    manifest = root / "package.xml"
    own = manifest.is_file() and f"<name>{PACKAGE}</name>" in manifest.read_text(encoding="utf-8")
    return root if own else None


def model(named: str) -> Path:
    """Give the path of the model that a configuration names; an empty name is the shipped one.

    Raises:
        ConfigError: the shipped one is not where the package was installed.
    """
    return Path(named) if named else find(SHIPPED_MODEL)


def _ament_share() -> Path | None:
    """Ask the ament index; None without ROS or where it does not know the package."""
    try:
        from ament_index_python.packages import get_package_share_directory

        return Path(get_package_share_directory(PACKAGE)).absolute()
    except (ImportError, LookupError, OSError):
        return None
