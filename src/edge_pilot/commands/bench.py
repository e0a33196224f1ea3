"""`edge_pilot bench`: image to command beside the floor and beside the node that people write."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from tqdm import tqdm

from edge_pilot import resources, results, transport
from edge_pilot.commands import add_config_arguments, add_model_argument, load_config, load_model
from edge_pilot.commands import bench_cases as cases
from edge_pilot.commands.bench_cases import ALL, MEMORY, OFFLINE, STARTUP, USUAL, Case
from edge_pilot.errors import ConfigError
from edge_pilot.nodes.load_spec import Heard
from edge_pilot.nodes.processes import ProcessError

if TYPE_CHECKING:
    from edge_pilot.commands import bench_live

EXAMPLES = (
    "edge_pilot bench",
    "edge_pilot bench --only '1280x720 raw small' --frames 400",
    "edge_pilot bench --only replay --only start-up",
    "edge_pilot bench --all --json out/bench.json",
)
BASELINE = "bench/baseline.json"
ROUNDS = 4  # contenders take turns, so that a busy minute of the machine meets each of them
MEMORY_SHARE = 10  # times as many frames
OFFLINE_FRAMES = 300
STARTS = 3
LIVE_PROCESSES = 2  # with ROS, at a time


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument("--frames", type=int, default=2000, help="of each run; default: 2000")
    parser.add_argument(
        "--only", metavar="PATTERN", action="append", default=[],
        help=f"of the cases and of {STARTUP}, {MEMORY}, {OFFLINE}; may be repeated",
    )  # fmt: skip
    parser.add_argument("--all", action="store_true", help="every combination: two hours")
    parser.add_argument("--out", metavar="DIR", type=Path, default=Path("out/bench"))
    parser.add_argument(
        "--json", metavar="FILE", help="write all figures; default: DIR/bench.json"
    )
    parser.add_argument(
        "--baseline", metavar="FILE", help=f"ratios to compare with; default: {BASELINE}"
    )
    parser.add_argument(
        "--write-baseline", metavar="FILE",
        help="write this run's ratios; those of other cases that are in FILE stay",
    )  # fmt: skip
    add_model_argument(parser)
    add_config_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Measure, print, and judge; the status is 1 where something does not hold or got worse."""
    from edge_pilot.commands import bench_live, bench_page

    if not 20 <= args.frames <= 1_000_000:
        raise ConfigError(f"expected --frames from 20 to 1000000, got {args.frames}")
    chosen = [case for case in (ALL if args.all else USUAL) if _is_wanted(case.name, args)]
    singles = [name for name in (OFFLINE, STARTUP, MEMORY) if _is_wanted(name, args)]
    if not chosen and not singles:
        names = ", ".join([*(case.name for case in ALL), STARTUP, MEMORY, OFFLINE])
        raise ConfigError(f"expected --only to match one of {names}, got {args.only}")
    if problem := transport.shared_memory_problem(processes=LIVE_PROCESSES):
        raise ConfigError(problem)
    config, before = load_config(args), _baseline(args.baseline)
    model = load_model(config)
    bench = bench_live.Bench(args.out, config, model)
    load_before = os.getloadavg()[0]
    try:
        heard = {case.name: _take_turns(bench, case, args.frames) for case in chosen}
        single, memory_mb = _measure_singles(bench, singles, args.frames)
    except ProcessError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    rows = [
        cases.row(case, who, parts) for case, said in heard.items() for who, parts in said.items()
    ]
    found, now = cases.checks(rows, single), cases.ratios(rows, single)
    worse = cases.worse(now, before)
    sys.stdout.write(bench_page.table(rows) + "\n" if rows else "")
    sys.stdout.write(bench_page.verdicts(found, worse))
    bench_page.write(args.out / "bench.html", heard, rows, found, worse, memory_mb)
    machine = {"load_before": load_before, **_machine()}
    results.write(
        args.json or str(args.out / "bench.json"), config=config, model=model, results=rows,
        total={**single, "ratios": now}, machine=machine, frames=args.frames, worse=worse,
        checks=[{**one._asdict(), "holds": one.holds} for one in found],
        models={name: one.digest for name, one in bench.models.items()}, memory_mb=memory_mb,
        latencies_ms={case: {who: [value for part in parts for value in part.latencies_ms]
                             for who, parts in said.items()} for case, said in heard.items()},
    )  # fmt: skip
    if args.write_baseline:
        others = _baseline(args.write_baseline) if Path(args.write_baseline).exists() else {}
        document = {"machine": machine, "frames": args.frames, "ratios": {**others, **now}}
        text = json.dumps(results.plain(document), indent=1, sort_keys=True)
        Path(args.write_baseline).write_text(text + "\n", encoding="utf-8")
    return 0 if all(one.holds for one in found) and not worse else 1


def _is_wanted(name: str, args: argparse.Namespace) -> bool:
    return not args.only or any(fnmatch(name, pattern) for pattern in args.only)


def _take_turns(bench: bench_live.Bench, case: Case, frames: int) -> dict[str, list[Heard]]:
    """Measure the contenders of a case, in several rounds."""
    said: dict[str, list[Heard]] = {name: [] for name in case.contenders}
    turns = [(number, name) for number in range(ROUNDS) for name in case.contenders]
    for number, name in tqdm(turns, desc=case.name, unit="turn", file=sys.stderr):
        share = frames // ROUNDS + (number < frames % ROUNDS)
        said[name].append(bench.measure(case, name, share))
    return said


def _measure_singles(
    bench: bench_live.Bench, names: Sequence[str], frames: int
) -> tuple[dict[str, float], list[float]]:
    """Measure what has no contenders; the second are the samples of the memory."""
    from edge_pilot.commands import bench_offline

    single: dict[str, float] = {}
    memory_mb: list[float] = []
    if OFFLINE in names:
        pictures, count = bench.pictures[cases.HD.width_px], min(OFFLINE_FRAMES, frames)
        model = bench.models["shipped"]
        single[OFFLINE] = bench_offline.share(bench.folder, pictures, model, count)
    if STARTUP in names:
        single[STARTUP] = float(np.median([bench.start_up_s() for _ in range(STARTS)]))
    if MEMORY in names:
        count = MEMORY_SHARE * frames
        memory_mb = bench.memory(count)
        single[MEMORY] = cases.slope_mb(memory_mb, count)
    return single, memory_mb


def _baseline(named: str | None) -> dict[str, float]:
    """Read the ratios to compare with; the default file may be missing.

    Raises:
        ConfigError: the named file cannot be read, or is no baseline.
    """
    try:
        path = Path(named) if named else resources.find(BASELINE)
    except ConfigError:
        return {}
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        return {str(name): float(value) for name, value in document["ratios"].items()}
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        raise ConfigError(f"expected a baseline of edge_pilot bench in {path}, got: {error}"
                          ) from None  # fmt: skip


def _machine() -> dict[str, object]:
    """Say where this was measured."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    names = [line.partition(": ")[2] for line in lines if line.startswith("model name")]
    return {"cpu": names[0] if names else platform.machine(), "cores": os.cpu_count(),
            "system": platform.platform()}  # fmt: skip
