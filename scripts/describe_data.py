#!/usr/bin/env python3
"""Write docs/data.md: what each command makes of each log and model in a folder.

usage: python scripts/describe_data.py DATA [OUT]
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

LOGS = {  # and the unit of their steering, where the log does not say it
    "steering/udacity_lake": (), "steering/udacity_dirty": (), "steering/donkey_lane": (),
    "telemetry/comma2k19_example": (),
    "bags/derived_donkey_compressed_mcap": ("--steering-scale", "full=25deg,right"),
    "bags/derived_comma2k19_imu_gps_can": ("--steering-scale", "deg,wheel=16.9"),
    "bags/nissan_leaf_demo": ("--steering-scale", "deg", "--set", "imu.axes=forward,right,down"),
    "bags/gps_nav_ackermann": (), "bags/all_types_synthetic/test_bag_mcap": (),
    "bags/all_types_synthetic/test_bag_sqlite3": (), "bags/mcap_edge_cases/test_sample.mcap": (),
    "bags/mcap_edge_cases/test_sample.mcap.zstd": (),
}  # fmt: skip
MODELS = {
    "FastestDet.onnx": "fastestdet", "TwinLiteNet.onnx": "twinlitenet",
    "tlr_model.onnx": "traffic_light",
}  # fmt: skip
WORDS = {0: "good", 1: "with damage", 2: "refused"}


def run(*arguments: str) -> tuple[int, str]:
    """Run a command and give its status and the last line it said."""
    command = [sys.executable, "-m", "edge_pilot", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    text = done.stderr if done.returncode == 2 else done.stdout
    return done.returncode, (text.strip().splitlines() or [""])[-1]


def cell(status: int, said: str, folder: str) -> str:
    """Give one cell."""
    text = WORDS.get(status, f"status {status}")
    reason = said.replace(folder, "").replace("edge_pilot: ", "").replace("|", "/")
    return f"{text}: {reason[:110]}" if status == 2 else text


def of_log(name: str, options: tuple[str, ...], data: Path, folder: Path) -> list[str]:
    """Give the cells of one log."""
    path, out, report = str(data / name), folder / "log.mcap", folder / "inspect.json"
    out.unlink(missing_ok=True)
    status, said = run("inspect", path, *options, "--json", str(report))
    total = json.loads(report.read_text())["total"] if status != 2 else {}
    facts = (
        f"{total['pictures']} pictures, {total['labels']} labels, {total['duration_s']:.0f} s; "
        f"{len(total['warnings'])} warnings"
        if total
        else said
    )
    row = [f"`{name}`", f"{WORDS[status]}; {facts}"]
    row.append(cell(*run("convert", path, str(out), *options), str(data)))
    row.append(cell(*run("replay", "--bag", path, "--limit", "200", *options), str(data)))
    row.append(cell(*run("evaluate", "--data", path, *options), str(data)))
    return row


def of_model(name: str, card: str, data: Path) -> list[str]:
    """Give the cells of one model."""
    status, said = run(
        "model", "check", str(data / "models" / name), "--card", f"docs/cards/{card}.yaml",
        "--images", str(data / "lanes" / "tusimple_lanenet" / "image"),
    )  # fmt: skip
    return [f"`{name}`", cell(status, said, str(data)), said.removeprefix("verdict   ")]


def table(heads: list[str], rows: list[list[str]]) -> str:
    """Give a table of Markdown."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def main() -> int:
    """Write the document."""
    data = Path(sys.argv[1])
    out = Path(sys.argv[2] if len(sys.argv) > 2 else "docs/data.md")
    with TemporaryDirectory() as folder:
        logs = [of_log(name, how, data, Path(folder)) for name, how in LOGS.items()]
    models = [of_model(name, card, data) for name, card in MODELS.items()]
    out.write_text(
        "# What the commands make of other people's logs and models\n\n"
        "Made by `scripts/describe_data.py`. Replay stops after 200 frames; evaluate judges the "
        "shipped model, which was trained on simulated roads only.\n\n"
        + table(["log", "inspect", "convert", "replay", "evaluate"], logs)
        + "\n" + table(["model", "model check", "verdict"], models),
        encoding="utf-8",
    )  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main())
