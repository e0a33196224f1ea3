"""`edge_pilot replay`: the pipeline on what a real car recorded."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from tqdm import tqdm

from edge_pilot import results
from edge_pilot.card import ModelFile
from edge_pilot.commands import add_config_arguments, add_model_argument, load_config, load_model
from edge_pilot.config import Config
from edge_pilot.errors import BagError
from edge_pilot.inference import backend
from edge_pilot.pipeline import Pipeline
from edge_pilot.replay import stamps
from edge_pilot.replay.bags import Bag, BagTopic, open_bag
from edge_pilot.replay.camera import Intrinsics, find_intrinsics
from edge_pilot.replay.evaluate import Evaluation, Event, evaluate, first_frames, total
from edge_pilot.replay.events import read_events, sample_stamps
from edge_pilot.replay.selection import Selection, select
from edge_pilot.types import Frame

EXAMPLES = (
    "edge_pilot replay --bag my_drive/",
    "edge_pilot replay --bag drive.mcap --camera-topic /front/image_raw --json out/replay.json",
    "edge_pilot replay --bag drive.db3 --steering-topic /steering_deg --steering-scale 0.01745",
)


class Source(NamedTuple):
    """How a bag is read."""

    topics: tuple[BagTopic, ...]
    selection: Selection
    clock: stamps.Clock
    intrinsics: Intrinsics


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument(
        "--bag", metavar="PATH", required=True, type=Path, help="a rosbag2 folder, .mcap or .db3"
    )
    parser.add_argument(
        "--camera-topic",
        metavar="TOPIC",
        default="",
        help="default: replay.camera_topic, or found by type",
    )
    parser.add_argument(
        "--steering-topic",
        metavar="TOPIC",
        default="",
        help="what the human did: a JointState that names steering, a Float32 or a Float64; "
        "default: driver/command",
    )
    parser.add_argument(
        "--steering-scale",
        metavar="FACTOR",
        type=float,
        default=1.0,
        help="turns that into rad at the road wheel, positive left (default: 1)",
    )
    parser.add_argument(
        "--stamps",
        choices=stamps.SOURCES,
        default="auto",
        help="whose time counts; auto: the headers' where they are sound, else the recorder's",
    )
    parser.add_argument(
        "--limit", metavar="N", type=_positive, default=sys.maxsize, help="stop after N frames"
    )
    parser.add_argument("--json", metavar="FILE", help="write all rows; - is standard output")
    add_model_argument(parser)
    add_config_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Replay a bag; the status is 1 where some messages could not be used.

    Raises:
        InputError: the bag, the model or the configuration cannot be used.
    """
    config = load_config(args)
    with open_bag(args.bag) as bag:
        source = _inspect(bag, args, config)
        model = load_model(config)
        engine = backend.load(model, config.pilot.threads)
        pipeline = Pipeline(config, model, engine, source.intrinsics.camera)
        evaluation = evaluate(pipeline, _read(bag, source, args, pipeline.reduction))
    if not evaluation.rows:
        raise BagError(_say_nothing(args.bag, source, evaluation))
    sums = total(evaluation)
    lines = [f"bag       {args.bag}", *_say_source(source), f"model     {_name(model)}"]
    stream = sys.stderr if args.json == results.STANDARD_OUTPUT else sys.stdout
    stream.write("\n".join([*lines, *_say_outcome(evaluation, sums)]) + "\n")
    if args.json:
        results.write(
            args.json,
            config=config,
            model=model,
            results=evaluation.rows,
            total=sums,
            bag=args.bag.name,
            topics=source.selection.names,
            stamps=source.clock.source,
        )
    return 1 if evaluation.unreadable else 0


def _inspect(bag: Bag, args: argparse.Namespace, config: Config) -> Source:
    """Find out how to read a bag."""
    camera_topic = args.camera_topic or config.replay.camera_topic
    selection = select(bag, camera_topic, args.steering_topic)
    return Source(
        topics=bag.topics,
        selection=selection,
        clock=stamps.choose(args.stamps, sample_stamps(bag, selection.driving)),
        intrinsics=find_intrinsics(bag, selection, config.camera),
    )


def _read(bag: Bag, source: Source, args: argparse.Namespace, reduction: int) -> Iterator[Event]:
    """Give the events, and show on a terminal how many frames have passed."""
    events = read_events(bag, source.selection, source.clock, args.steering_scale, reduction)
    frames = min(source.selection.camera.count, args.limit)
    with tqdm(total=frames, unit="frame", disable=None) as bar:
        for event in first_frames(events, args.limit):
            yield event
            bar.update(isinstance(event, Frame))


def _positive(text: str) -> int:
    if text.isdecimal() and int(text) > 0:
        return int(text)
    raise argparse.ArgumentTypeError(f"expected a whole number above 0, got {text!r}")


def _say_nothing(path: Path, source: Source, evaluation: Evaluation) -> str:
    reasons = [item.reason for item in evaluation.unreadable] or ["none at all"]
    return f"expected pictures on {source.selection.camera.name} in {path}, got: {reasons[0]}"


def _say_source(source: Source) -> list[str]:
    used = [topic for topic in source.selection if topic]
    unused = [topic for topic in source.topics if topic not in used]
    return [
        *(f"topic     {topic.name} ({topic.type}, {topic.count} messages)" for topic in used),
        f"skipped   {sum(t.count for t in unused)} messages on {len(unused)} other topics",
        f"stamps    {source.clock.source}: {source.clock.reason}",
        f"lens      {source.intrinsics.source}",
        f"motion    {_say_motion(source.selection)}",
    ]


def _say_motion(selection: Selection) -> str:
    known = [name for name, topic in (("imu", selection.imu), ("odom", selection.odom)) if topic]
    return " and ".join(known) or "unknown: the car is taken to stand"


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
