"""`edge_pilot replay`: the pipeline on what a real car recorded."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tqdm import tqdm

from edge_pilot import guest_card, results
from edge_pilot.card import ModelFile
from edge_pilot.commands import (
    add_config_arguments,
    add_model_argument,
    load_config,
    load_model,
    model_words,
    sources,
)
from edge_pilot.commands.sources import Source
from edge_pilot.errors import BagError
from edge_pilot.inference import backend, guests
from edge_pilot.inference.guests import Guest
from edge_pilot.pipeline import Pipeline
from edge_pilot.replay.camera import Intrinsics, find_intrinsics
from edge_pilot.replay.evaluate import Evaluation, Event, evaluate, first_frames, total
from edge_pilot.replay.selection import Selection
from edge_pilot.replay.stamp_faults import StampFaults, StampObserver
from edge_pilot.types import Frame

EXAMPLES = (
    "edge_pilot replay --bag my_drive/",
    "edge_pilot replay --bag drive.mcap --camera-topic /front/image_raw --json out/replay.json",
    "edge_pilot replay --bag drive.db3 --steering-topic /steering --steering-scale deg,right",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument("--bag", metavar="LOG", required=True, help=sources.help_text())
    sources.add_arguments(parser)
    parser.add_argument(
        "--limit", metavar="N", type=_positive, default=sys.maxsize, help="stop after N frames"
    )
    parser.add_argument("--json", metavar="FILE", help="write all rows; - is standard output")
    parser.add_argument(
        "--guest", metavar="M.onnx", action="append", default=[], type=Path,
        help="a model beside the driving one, at the rate of its card; may be repeated",
    )  # fmt: skip
    add_model_argument(parser)
    add_config_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Replay a bag; the status is 1 where some messages could not be used.

    Raises:
        InputError: the bag, the model or the configuration cannot be used.
    """
    config, observer = load_config(args), StampObserver()
    with sources.open_source(args.bag, args, config) as source:
        intrinsics = find_intrinsics(source.log, source.selection, config.camera)
        model = load_model(config)
        engine = backend.load(model, config.pilot.threads)
        pipeline = Pipeline(config, model, engine, intrinsics.camera)
        watchers = [guests.load(guest_card.load(path)) for path in args.guest]
        reduction = 1 if watchers else pipeline.reduction  # guests want the whole picture
        events = _shown(source.events(config, reduction, observer.add), source, args.limit)
        views: list[dict[str, Any]] = []
        evaluation = evaluate(pipeline, _watched(events, watchers, views))
    if not evaluation.rows:
        raise BagError(_say_nothing(args.bag, source, evaluation))
    sums, faults = total(evaluation), observer.faults()
    lines = [
        f"bag       {args.bag}",
        *_say_source(source, intrinsics),
        f"model     {_name(model)}",
    ]
    stream = sys.stderr if args.json == results.STANDARD_OUTPUT else sys.stdout
    stream.write("\n".join([*lines, *_say_faults(faults), *_say_outcome(evaluation, sums)]) + "\n")
    if args.json:
        results.write(
            args.json,
            config=config,
            model=model,
            results=evaluation.rows,
            total=sums,
            bag=Path(args.bag).name,
            topics=source.selection.names,
            stamps=source.clock.source,
            stamp_faults={name: fault._asdict() for name, fault in faults.items()},
            guests=views,
            damaged=source.log.skipped.damaged,
        )
    return 1 if evaluation.unreadable or source.log.skipped.damaged else 0


def _shown(events: Iterator[Event], source: Source, limit: int) -> Iterator[Event]:
    """Give the events up to a frame, and show on a terminal how many frames have passed."""
    camera = source.selection.camera
    frames = min(camera.count if camera else 0, limit)
    with tqdm(total=frames, unit="frame", disable=None) as bar:
        for event in first_frames(events, limit):
            yield event
            bar.update(isinstance(event, Frame))


def _watched(
    events: Iterator[Event], watchers: Sequence[Guest], views: list[dict[str, Any]]
) -> Iterator[Event]:
    """Give the events on, and let each guest look at a picture when its rate lets it."""
    for event in events:
        if isinstance(event, Frame):
            for guest in watchers:
                if found := guest.watch(event):
                    name, said = guest.file.card.name, model_words.summary(found)
                    views.append({"stamp_ns": event.stamp_ns, "guest": name, "found": said})
        yield event


def _positive(text: str) -> int:
    if text.isdecimal() and int(text) > 0:
        return int(text)
    raise argparse.ArgumentTypeError(f"expected a whole number above 0, got {text!r}")


def _say_nothing(path: str, source: Source, evaluation: Evaluation) -> str:
    reasons = [item.reason for item in evaluation.unreadable] or ["none at all"]
    return f"expected pictures on {source.selection.names['camera']} in {path}, got: {reasons[0]}"


def _say_source(source: Source, intrinsics: Intrinsics) -> list[str]:
    used = [topic for topic in source.selection if topic]
    unused = [topic for topic in source.log.topics if topic not in used]
    return [
        *(f"topic     {topic.name} ({topic.type}, {topic.count} messages)" for topic in used),
        f"skipped   {sum(t.count for t in unused)} messages on {len(unused)} other topics",
        f"stamps    {source.clock.source}: {source.clock.reason}",
        *(f"skipped   {line}" for line in source.log.skipped.lines()),
        *([f"steering  {source.unit.reason}"] if source.selection.steering else []),
        f"lens      {intrinsics.source}",
        f"motion    {_say_motion(source.selection)}",
    ]


def _say_motion(selection: Selection) -> str:
    known = [name for name in ("imu", "odom", "speed") if name in selection.names]
    return " and ".join(known) or "unknown: the car is taken to stand"


def _say_faults(faults: Mapping[str, StampFaults]) -> list[str]:
    """Say what is wrong with the stamps, where anything is."""
    return [
        f"stamps    {name}: {fault.gaps} gaps (longest {fault.longest_gap_s:.2f} s), "
        f"{fault.reordered} out of order, {fault.repeated} equal, {fault.jumps} jumps"
        for name, fault in faults.items()
        if fault.total
    ]


def _say_outcome(evaluation: Evaluation, sums: Mapping[str, Any]) -> list[str]:
    lines = [f"drove     {sums['frames']} frames of {sums['duration_s']:.1f} s"]
    if evaluation.unreadable:
        first = evaluation.unreadable[0].reason
        lines.append(f"unusable  {sums['unreadable']} messages, the first: {first}")
    if sums["human_frames"]:
        correlation = sums["human_correlation"]
        lines.append(
            f"human     mean difference {sums['human_mae_rad']:.4f} rad, correlation "
            f"{'unknown' if correlation is None else format(correlation, '.3f')}, "
            f"{sums['human_sign_errors']} of {sums['human_turns']} turns to the other side"
        )
    return [*lines, f"digest    {sums['digest']}"]


def _name(model: ModelFile) -> str:
    return f"{model.card.name} {model.digest}"
