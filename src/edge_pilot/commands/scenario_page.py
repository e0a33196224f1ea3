"""The report of `edge_pilot scenarios`: a heat map for each set of sensors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from edge_pilot.replay import page
from edge_pilot.sim.trial import Outcome

CELL_W, CELL_H, LEFT, TOP = 72, 26, 96, 24  # px
TITLES = {
    "both": "Camera and LiDAR", "camera": "Camera alone", "lidar": "LiDAR alone",
    "perfect": "Perfect sight",
}  # fmt: skip
CAPTION = (
    "Green: avoided, or nothing braked for. Yellow: hit, though slower than half of the test "
    "speed, where no stop was possible. Red: failed. A number after the count is the worst "
    "impact speed in m/s."
)


def cell(outcomes: Sequence[Outcome]) -> str:
    """Say how many runs of one scene and speed avoided all, and the worst impact [m/s]."""
    if not outcomes:
        return ""
    good = sum(one.avoided if one.must_brake else one.passed for one in outcomes)
    worst = max(one.impact_mps for one in outcomes)
    mark = "" if all(one.passed for one in outcomes) else "!"
    return f"{good}/{len(outcomes)}" + (f" {worst:.1f}" if worst > 0.0 else "") + mark


def write(
    runs: Mapping[str, Sequence[Outcome]], total: Mapping[str, Mapping[str, Any]], driver: str
) -> str:
    """Give the whole page as HTML."""
    failed = sum(one["failed"] for one in total.values())
    verdict = "All that must hold holds." if not failed else f"{failed} runs failed."
    parts = [
        "<h1>edge_pilot scenarios</h1>",
        f'<p class="verdict{" bad" if failed else ""}">{verdict}</p>',
        f'<p class="about">{escape(driver)}; scenes after Euro NCAP\'s names and geometry</p>',
    ]
    for sensors, outcomes in runs.items():
        title = TITLES[sensors]
        picture = page.svg(_heat_map(outcomes), f"{title}: outcome by scene and test speed")
        parts.append(page.figure(picture, CAPTION, title))
        parts.append(page.card(title, _figures(total[sensors])))
    return page.page("edge_pilot scenarios", parts)


def _figures(it: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [
        ("avoided where possible", f"{it['avoided_where_possible']} of {it['possible']}"),
        ("avoided of all", f"{it['avoided']} of {it['must_brake']}"),
        ("false brakes", f"{it['false_brakes']} in {it['km']:.1f} km"),
        ("stuck with a free way", f"{it['stuck_s']:.1f} s"),
        ("did not go on", str(it["not_released"])),
    ]


def _heat_map(outcomes: Sequence[Outcome]) -> str:
    """Draw scenes downwards and speeds to the right."""
    scenes = list(dict.fromkeys(one.scene for one in outcomes))
    speeds = sorted({one.speed_mps for one in outcomes})
    width, height = LEFT + CELL_W * len(speeds), TOP + CELL_H * len(scenes)
    parts = [f'<svg viewBox="0 0 {width} {height}" font-size="12" fill="var(--ink)">']
    for column, speed in enumerate(speeds):
        x = LEFT + CELL_W * (column + 0.5)
        parts.append(f'<text x="{x}" y="16" text-anchor="middle">{speed:g} m/s</text>')
    for row, scene in enumerate(scenes):
        y = TOP + CELL_H * row
        parts.append(f'<text x="0" y="{y + 17}">{escape(scene)}</text>')
        for column, speed in enumerate(speeds):
            here = [one for one in outcomes if (one.scene, one.speed_mps) == (scene, speed)]
            parts.append(_square(LEFT + CELL_W * column, y, here))
    return "\n".join([*parts, "</svg>"])


def _square(x: float, y: float, outcomes: Sequence[Outcome]) -> str:
    if not outcomes:
        return ""
    failed, hit = (any(bad) for bad in ([not one.passed for one in outcomes],
                                        [not one.avoided for one in outcomes]))  # fmt: skip
    colour = "--red" if failed else "--orange" if hit else "--green"
    return (
        f'<rect x="{x + 1}" y="{y + 1}" width="{CELL_W - 2}" height="{CELL_H - 2}" rx="3" '
        f'fill="var({colour})" fill-opacity="0.45"/>'
        f'<text x="{x + CELL_W / 2}" y="{y + 17}" text-anchor="middle">{cell(outcomes)}</text>'
    )
