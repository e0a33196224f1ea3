"""The page of `edge_pilot perceive`: one HTML file that says first how well the model sees."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

from edge_pilot.perception.quality import WORKING_SCORE
from edge_pilot.replay import page, sight_figures, sight_tables, sights
from edge_pilot.replay.sights import Sights, Still

NAME = "perceive.html"
USUAL, HOLDOUT = "usual light", "hold-out light"
MOST_BAD, MOST_GOOD = 8, 4  # pictures of each group
CAPTIONS = {
    "precision": "Precision over recall at an overlap (IoU) of 0.5, and the area below it: the "
    "average precision. Dashed: light that no model learned from.",
    "recall": f"The share of what there is that is found at the working score of {WORKING_SCORE}, "
    "over the distance from the camera.",
    "distance": "The distance that the model said of what it found, over the true one, in metres; "
    "usual light.",
    "path": "How far the predicted path is from the lane's centre, over the distance along it.",
}
TITLES = {
    "precision": "Precision and recall", "recall": "Recall over distance",
    "distance": "Distance", "path": "Path",
}  # fmt: skip


def verdict(usual: Sights) -> str:
    """Say in a sentence whether the model sees well enough."""
    found = " and ".join(
        f"{kind}s with an average precision of {usual.kinds[kind].average_precision:.2f}"
        + _against(floor, usual.kinds[kind].average_precision < floor)
        for kind, floor in sights.MIN_PRECISION.items()
        if usual.kinds[kind].there
    )
    error = sights.path_error(usual)
    path = f"its path is {error:.2f} m off at {sights.PATH_AT_M:g} m" + _against(
        sights.MAX_PATH_ERROR_M, not error <= sights.MAX_PATH_ERROR_M
    )
    return f"The model finds {found or 'nothing, for nothing was there'}; {path}."


def write(groups: Mapping[str, Sights], model: str, out_folder: Path) -> Path:
    """Write the page, self-contained, and give its path.

    Args:
        groups: what was seen in USUAL light and, where that was looked at, in HOLDOUT.
        model: its name and digest.
        out_folder: where it goes; is made.

    Raises:
        OSError: the file cannot be written.
    """
    tables = [
        page.table(sight_tables.kind_rows(groups), sight_tables.KIND_HEADS),
        page.table(sight_tables.lane_rows(sight_tables.with_lights(groups)),
                   sight_tables.LANE_HEADS),
    ]  # fmt: skip
    names = list(sight_figures.FIGURES)
    parts = [
        _head(groups, model),
        "<h2>What stands there</h2>",
        page.figure(_wide(tables[0]), "Found of each kind: how many there were, the average "
                    "precision, the share found by distance, and the mean error of the distance "
                    "relative to the true one; positive bias: said to be farther away."),
        *(_halves(pair, groups) for pair in (names[:2], names[2:])),
        "<h2>The lane</h2>",
        page.figure(_wide(tables[1]), "Mean absolute errors, and the 95th percentile of the "
                    "path's, in each light."),
        *(part for name, group in groups.items() for part in _pictures(name, group)),
    ]  # fmt: skip
    out_folder.mkdir(parents=True, exist_ok=True)
    path = out_folder / NAME
    path.write_text(page.page(f"edge_pilot: how {model} sees", parts), encoding="utf-8")
    return path


def _against(limit: float, is_missed: bool) -> str:
    return f" (not good enough: the limit is {limit:g})" if is_missed else ""


def _head(groups: Mapping[str, Sights], model: str) -> str:
    usual = groups[USUAL]
    kind = "verdict bad" if sights.shortfalls(usual) else "verdict"
    about = [f"model {model}"]
    for name, group in groups.items():
        lights = ", ".join(dict.fromkeys(road.light for road in group.roads))
        seeds = ", ".join(str(road.seed) for road in group.roads)
        about.append(f"{name} ({lights}): roads {seeds}, {len(group.pictures)} pictures")
    said = " \N{MIDDLE DOT} ".join(about)
    return (
        f'<h1>edge_pilot: how the model sees</h1>\n<p class="{kind}">{escape(verdict(usual))}</p>'
        f'\n<p class="about">{escape(said)}</p>'
    )


def _halves(names: Sequence[str], groups: Mapping[str, Sights]) -> str:
    figures = [
        page.figure(
            page.svg(sight_figures.render(name, groups), TITLES[name]),
            CAPTIONS[name],
            TITLES[name],
        )
        for name in names
    ]
    return '<div class="halves">\n' + "\n".join(figures) + "\n</div>"


def _pictures(name: str, group: Sights) -> list[str]:
    """Show the worst of a group and some good ones."""
    stills = [(road.seed, road.light, still) for road in group.roads for still in road.stills]
    stills.sort(key=lambda one: -one[2].badness)
    bad = [one for one in stills if one[2].badness][:MOST_BAD]
    good = [one for one in stills if not one[2].badness][:MOST_GOOD]
    return [
        f"<h2>Pictures: {escape(name)}</h2>",
        '<p class="note">Vermilion: missed (crossed) or invented. Thin white: what there is. '
        "Green: where the model would drive.</p>",
        _pairs("Where it is worst", bad),
        _pairs("Where all is right", good),
    ]


def _pairs(title: str, stills: Sequence[tuple[int, str, Still]]) -> str:
    if not stills:
        return ""
    figures = "\n".join(
        page.figure(
            f'<img alt="{escape(still.caption)}" src="{page.data_uri("image/jpeg", still.jpeg)}">',
            f"road {seed}, {light}: {still.caption}",
        )
        for seed, light, still in stills
    )
    return f'<h3>{escape(title)}</h3>\n<div class="pairs">\n{figures}\n</div>'


def _wide(table: str) -> str:
    return f'<div class="scroll">{table}</div>'
