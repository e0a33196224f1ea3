"""The tables of docs/bench.md, from what `edge_pilot bench` wrote.

python bench/table.py out/bench/bench.json [MORE.json ...]
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

HEAD = (
    "| case | who | p50 ms | p99 ms | p99.9 ms | CPU ms a frame | lost | memory MB |\n"
    "|---|---|---|---|---|---|---|---|\n"
)


def main() -> None:
    """Print the table of the live cases, then that of what must hold."""
    documents = [json.loads(Path(name).read_text(encoding="utf-8")) for name in sys.argv[1:]]
    rows = [_row(row) for document in documents for row in document["results"]]
    checks = [check for document in documents for check in document["checks"]]
    sys.stdout.write(
        HEAD + "\n".join(rows) + "\n\n| must hold | measured | at most |\n|---|---|---|\n"
    )
    sys.stdout.write("\n".join(map(_check, checks)) + "\n")


def _row(row: dict[str, Any]) -> str:
    times = " | ".join(f"{row[name]:.2f}" for name in ("p50_ms", "p99_ms", "p999_ms", "cpu_ms"))
    lost = f"{row['lost']} of {row['published']}"
    return f"| {row['case']} | {row['contender']} | {times} | {lost} | {row['memory_mb']:.0f} |"


def _check(check: dict[str, Any]) -> str:
    said = "" if check["holds"] else " **(no)**"
    return f"| {check['what']} | {check['value']:.3g}{said} | {check['limit']:.3g} |"


if __name__ == "__main__":
    main()
