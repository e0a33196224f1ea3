"""`edge_pilot inspect`: what is in a log, and what looks wrong with it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from tqdm import tqdm

from edge_pilot import results
from edge_pilot.commands import add_config_arguments, load_config, sources
from edge_pilot.commands.sources import Source
from edge_pilot.replay.inspection import Inspection, inspect
from edge_pilot.replay.selection import rivals
from edge_pilot.replay.stamp_faults import StampFaults, StampObserver

EXAMPLES = (
    "edge_pilot inspect my_drive/",
    "edge_pilot inspect donkeycar:data/tub --steering-scale full=20deg,right",
    "edge_pilot inspect drive.mcap --steering-topic /steer --steering-scale deg,wheel=15",
)
BAR = 30  # characters of the longest bar
MOST_STRETCHES = 12


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.description = (
        "Say what is in a log: topics, rates, gaps, labels, suspicious stretches, and what cannot "
        "be used and why. Exit status 1: some of it is damaged."
    )
    parser.add_argument("source", metavar="SRC", help=sources.help_text())
    parser.add_argument("--json", metavar="FILE", help="write all that; - is standard output")
    sources.add_arguments(parser)
    add_config_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Inspect a log.

    Raises:
        InputError: it is none, or it lacks a topic that is named.
    """
    config = load_config(args)
    observer = StampObserver()
    with sources.open_rest(args.source, args, config) as source:
        total = sum(topic.count for topic in source.log.topics if _is_read(source, topic.name))
        with tqdm(total=total, unit="message", disable=None) as bar:
            found = inspect(source.events(config, observe=observer.add), config, bar.update)
        faults, skips = observer.faults(), source.log.skipped
        stream = sys.stderr if args.json == results.STANDARD_OUTPUT else sys.stdout
        stream.write("\n".join(_say(args.source, source, found, faults)) + "\n")
    damaged = {**skips.damaged, **found.unreadable}
    if args.json:
        results.write(
            args.json, config=config, model=None,
            results=_rows(source, faults),
            total={**asdict(found), "damaged": damaged, "unused": skips.unused},
            source=str(args.source), topics=source.selection.names,
            stamps=source.clock.source, steering=source.unit.reason,
        )  # fmt: skip
    return 1 if damaged else 0


def _is_read(source: Source, name: str) -> bool:
    return name in source.selection.driving


def _rows(source: Source, faults: Mapping[str, StampFaults]) -> list[dict[str, Any]]:
    """Give what is known of each topic."""
    taken = {name: what for what, name in source.selection.names.items()}
    return [
        {
            "name": topic.name, "type": topic.type, "count": topic.count,
            "taken_for": taken.get(topic.name),
            "faults": faults[topic.name]._asdict() if topic.name in faults else None,
        }
        for topic in source.log.topics
    ]  # fmt: skip


def _say(
    name: str, source: Source, found: Inspection, faults: Mapping[str, StampFaults]
) -> Iterator[str]:
    """Give the lines that are printed."""
    yield f"log       {name}: {found.duration_s:.1f} s, {len(source.log.topics)} topics"
    for row in _rows(source, faults):
        role = row["taken_for"] or "not used"
        yield f"topic     {row['name']} ({row['type']}, {row['count']} messages): {role}"
        if fault := faults.get(row["name"]):
            yield f"            {_say_faults(fault)}"
    for what, names in rivals(source.log, source.selection).items():
        yield f"several   {what} could also be {', '.join(names)}"
    yield f"stamps    {source.clock.source}: {source.clock.reason}"
    if found.pictures:
        yield (
            f"pictures  {found.pictures} of {', '.join(found.sizes)}, "
            f"{found.equal_pictures} equal to the one before"
        )
    if source.selection.steering:
        yield f"steering  {source.unit.reason}"
    yield from _say_labels(found)
    for stretch in found.stretches[:MOST_STRETCHES]:
        yield f"stretch   {stretch.begin_s:.1f} to {stretch.end_s:.1f} s: {stretch.what}"
    if len(found.stretches) > MOST_STRETCHES:
        yield f"stretch   and {len(found.stretches) - MOST_STRETCHES} more"
    yield from (f"check     {note}" for note in found.notes)
    yield from (f"skipped   {line}" for line in source.log.skipped.lines())
    yield from (f"unusable  {count} x {reason}" for reason, count in found.unreadable.items())
    yield from (f"warning   {warning}" for warning in found.warnings)


def _say_faults(fault: StampFaults) -> str:
    longest = f" (longest {fault.longest_gap_s:.2f} s)" if fault.gaps else ""
    return (
        f"{fault.rate_hz:.1f} Hz, gaps {fault.gaps}{longest}, out of order {fault.reordered}, "
        f"equal stamps {fault.repeated}, jumps {fault.jumps}"
    )


def _say_labels(found: Inspection) -> Iterator[str]:
    if not found.histogram:
        yield "labels    none: nobody's steering is recorded"
        return
    most = max(count for _, count in found.histogram)
    yield f"labels    {found.labels} of steering [rad, positive left]"
    for middle, count in found.histogram:
        yield f"          {middle:+.3f} {count:7d} {'#' * round(BAR * count / most)}"
