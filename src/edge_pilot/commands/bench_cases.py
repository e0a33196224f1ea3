"""What `edge_pilot bench` measures, and what is made of the measurements. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import NamedTuple

import numpy as np

from edge_pilot.nodes.load_spec import Heard

FLOOR, PLAIN, PILOT, AS_RUN = "floor", "plain", "pilot", "plain as run"
WIDTHS_PX = (640, 1280, 1920)  # all 16:9
ENCODINGS, MODELS = ("raw", "jpeg"), ("small", "shipped")
PERCENTILES = (50.0, 90.0, 99.0, 99.9)
STARTUP, MEMORY, OFFLINE = "start-up", "memory", "replay"
WORSE = 1.15  # a ratio that grew by more than this has got worse
MOST_AS_RUN = 0.05  # of the frames, by default transport: a few per cent
SETTLED = 0.1  # of a run: what grows in the beginning are caches


@dataclass(frozen=True)
class Case:
    """One load; every contender gets the same."""

    width_px: int
    encoding: str  # of ENCODINGS
    model: str  # of MODELS
    has_hog: bool = False  # a process beside it that never rests

    @property
    def height_px(self) -> int:
        """Rows of the picture."""
        return self.width_px * 9 // 16

    @property
    def name(self) -> str:
        """What it is called in tables, in the baseline and for `--only`."""
        hog = " hog" if self.has_hog else ""
        return f"{self.width_px}x{self.height_px} {self.encoding} {self.model}{hog}"

    @property
    def contenders(self) -> tuple[str, ...]:
        """Who takes part."""
        is_plain = self.encoding == "raw" and self.model == "small" and not self.has_hog
        return (FLOOR, PLAIN, PILOT, *([AS_RUN] if is_plain else []))


ALL = tuple(
    Case(width, encoding, model, hog)
    for model, hog, width, encoding in product(MODELS, (False, True), WIDTHS_PX, ENCODINGS)
)
HD = Case(1280, "raw", "small")
FULL_HD = Case(1920, "raw", "small")
USUAL = tuple(
    case
    for case in ALL
    if (case.model == "small" and not case.has_hog)
    or (case.width_px == HD.width_px and not (case.model == "shipped" and case.has_hog))
)


@dataclass
class Row:
    """What one contender did in one case."""

    case: str
    contender: str
    published: int
    answered: int
    lost: int
    superseded: int
    p50_ms: float
    p90_ms: float
    p99_ms: float
    p999_ms: float
    cpu_ms: float  # for each frame, the IMU's included
    imu_cpu_ms: float
    memory_mb: float
    stages_ms: dict[str, float] = field(default_factory=dict)


class Check(NamedTuple):
    """Something that must hold."""

    what: str
    value: float
    limit: float  # the value must not be above it

    @property
    def holds(self) -> bool:
        """Whether it does; NaN does not."""
        return self.value <= self.limit


def row(case: str, contender: str, parts: Sequence[Heard]) -> Row:
    """Put the rounds of one contender together."""
    latencies = np.array([value for part in parts for value in part.latencies_ms])
    shown = np.percentile(latencies, PERCENTILES) if latencies.size else np.full(4, np.nan)
    p50, p90, p99, p999 = map(float, shown)
    stages = {
        name: float(np.median([part.stages_ms[name] for part in parts]))
        for name in parts[-1].stages_ms
    }
    return Row(
        case=case,
        contender=contender,
        published=sum(part.published for part in parts),
        answered=int(latencies.size),
        lost=sum(part.lost for part in parts),
        superseded=sum(part.superseded for part in parts),
        p50_ms=p50,
        p90_ms=p90,
        p99_ms=p99,
        p999_ms=p999,
        cpu_ms=float(np.mean([part.cpu_ms for part in parts])),
        imu_cpu_ms=float(np.mean([part.imu_cpu_ms for part in parts])),
        memory_mb=max(part.memory_mb[-1] for part in parts),
        stages_ms=stages,
    )


def slope_mb(samples_mb: Sequence[float], frames: int) -> float:
    """Give the growth of memory in MB per 10,000 frames, once it has settled."""
    settled = np.asarray(samples_mb)[int(SETTLED * len(samples_mb)) :]
    if settled.size < 2:
        return float("nan")
    step = frames / len(samples_mb)
    return float(np.polyfit(step * np.arange(settled.size), settled, 1)[0]) * 10_000


def checks(rows: Iterable[Row], single: Mapping[str, float]) -> list[Check]:
    """Judge what was measured; what was not is not judged.

    Args:
        rows: of the live cases.
        single: by STARTUP [s], MEMORY [MB per 10,000 frames], OFFLINE (share of the frame rate).
    """
    found = {(one.case, one.contender): one for one in rows}
    judged = [*_judge_hd(found), *_judge_full_hd(found)]
    if OFFLINE in single:
        share = single[OFFLINE]
        judged.append(Check("time of replay / decoding and inference alone", 1 / share, 1 / 0.7))
    if STARTUP in single:
        judged.append(Check("s from process start to the first command", single[STARTUP], 3.0))
    if MEMORY in single:
        judged.append(Check("MB that memory grows in 10,000 frames", single[MEMORY], 1.0))
    return judged


def _judge_hd(found: Mapping[tuple[str, str], Row]) -> list[Check]:
    name, judged = HD.name, []
    pilot, floor = found.get((name, PILOT)), found.get((name, FLOOR))
    plain, as_run = found.get((name, PLAIN)), found.get((name, AS_RUN))
    if pilot:
        judged += [
            Check(f"{name}: frames lost by the pilot", pilot.lost, 0),
            Check(f"{name}: pilot p99 / p50", pilot.p99_ms / pilot.p50_ms, 3.0),
        ]
    if pilot and floor:
        limit_ms = 1.25 * floor.p50_ms + 0.3
        what = f"{name}: pilot p50 / (1.25 x floor + 0.3 ms)"
        judged.append(Check(what, pilot.p50_ms / limit_ms, 1.0))
    if pilot and plain:
        judged.append(_against(name, pilot, plain, 1.6))
    if pilot and as_run:
        judged.append(_against(name, pilot, as_run, 2.5))
        share = as_run.answered / as_run.published
        judged.append(Check(f"{name}: share of frames that {AS_RUN} gets", share, MOST_AS_RUN))
    return judged


def _judge_full_hd(found: Mapping[tuple[str, str], Row]) -> list[Check]:
    name, judged = FULL_HD.name, []
    pilot, plain = found.get((name, PILOT)), found.get((name, PLAIN))
    if pilot:
        judged.append(Check(f"{name}: frames lost by the pilot", pilot.lost, 0))
    if pilot and plain:
        judged.append(_against(name, pilot, plain, 2.0))
    return judged


def _against(name: str, pilot: Row, other: Row, times: float) -> Check:
    what = f"{name}: pilot p50 / {other.contender}"
    return Check(what, pilot.p50_ms / other.p50_ms, 1.0 / times)


def ratios(rows: Iterable[Row], single: Mapping[str, float]) -> dict[str, float]:
    """Give the ratios that a baseline holds; less is better."""
    found = {(one.case, one.contender): one for one in rows}
    given = {}
    for (case, contender), one in found.items():
        floor = found.get((case, FLOOR))
        if contender == PILOT and floor:
            given[f"{case}: p50 / floor"] = one.p50_ms / floor.p50_ms
            given[f"{case}: CPU / floor"] = one.cpu_ms / floor.cpu_ms
    if OFFLINE in single:
        given["replay / decoding and inference alone"] = 1.0 / single[OFFLINE]
    return given


def worse(now: Mapping[str, float], before: Mapping[str, float]) -> list[str]:
    """Say which ratios got worse by more than WORSE allows; those measured once only are left."""
    return [
        f"{name}: expected at most {WORSE:g} x {before[name]:.2f}, got {value:.2f}"
        for name, value in now.items()
        if name in before and not value <= WORSE * before[name]
    ]
