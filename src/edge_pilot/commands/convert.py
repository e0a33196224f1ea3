"""`edge_pilot convert`: any log to a clean rosbag2."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tqdm import tqdm

from edge_pilot import results
from edge_pilot.commands import add_config_arguments, load_config, sources
from edge_pilot.config import ImuConfig
from edge_pilot.errors import BagError
from edge_pilot.mounting import Mounting
from edge_pilot.replay.convert import convert

EXAMPLES = (
    "edge_pilot convert data/tub out/tub.mcap",
    "edge_pilot convert udacity:data/track out/track.mcap --steering-scale full=25deg,right",
    "edge_pilot convert drive.db3 out/drive.mcap --set imu.axes=forward,right,down",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.description = (
        "Write a rosbag2 (MCAP) with this package's topics from any log: steering in rad, "
        "positive left, the IMU in base_link, stamps that increase; pictures stay as they are. "
        "Exit status 1: something was damaged and is not in it."
    )
    parser.add_argument("source", metavar="SRC", help=sources.help_text())
    parser.add_argument(
        "out", metavar="OUT", type=Path, help="a file that ends in .mcap, or a new folder"
    )
    parser.add_argument("--json", metavar="FILE", help="write the counts; - is standard output")
    sources.add_arguments(parser)
    add_config_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Convert a log.

    Raises:
        InputError: it is none, it holds nothing of use, or the result cannot be written.
    """
    config = load_config(args)
    mounting = None if config.imu == ImuConfig() else Mounting(config.imu)
    with sources.open_rest(args.source, args, config) as source:
        used = set(source.selection.names.values())
        unused = [topic for topic in source.log.topics if topic.name not in used]
        total = sum(topic.count for topic in source.log.topics if topic.name in used)
        with tqdm(total=total, unit="message", disable=None) as bar:
            try:
                done = convert(
                    source.log, source.selection, source.clock, source.unit.factor, mounting,
                    args.out, bar.update,
                )  # fmt: skip
            except OSError as error:
                raise BagError(f"expected to write {args.out}, got: {error}") from None
        skips = source.log.skipped
    skips.damaged.update(done.skipped)
    skips.unused.update({f"message on {t.name} ({t.type})": t.count for t in unused if t.count})
    stream = sys.stderr if args.json == results.STANDARD_OUTPUT else sys.stdout
    stream.write(f"wrote     {args.out}\n")
    stream.writelines(f"topic     {name}: {n}\n" for name, n in sorted(done.written.items()))
    stream.write(f"stamps    {source.clock.source}: {source.clock.reason}\n")
    if source.selection.steering:
        stream.write(f"steering  {source.unit.reason}\n")
    stream.writelines(f"skipped   {line}\n" for line in skips.lines())
    if args.json:
        results.write(
            args.json, config=config, model=None, results=[],
            total={"written": done.written, "damaged": skips.damaged, "unused": skips.unused},
        )  # fmt: skip
    return 1 if skips.damaged else 0
