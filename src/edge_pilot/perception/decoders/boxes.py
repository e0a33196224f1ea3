"""Detectors: grids of cells, or lists of boxes."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_pilot.errors import ModelError
from edge_pilot.guest_card import GuestCard
from edge_pilot.perception.fitting import Fit
from edge_pilot.perception.found import Box2d, Found
from edge_pilot.types import Floats, Tensor

MOST = 300  # boxes of one picture
DECODED_PX = 64.0  # offsets within a cell are far less, places in a picture more
SHARES = 2.0  # no box in pixels is smaller than this in a whole picture
PLUS_LEVELS = 4  # NanoDet-Plus has a fourth, and its anchors in the corners of cells


def fastestdet(outputs: Sequence[Tensor], card: GuestCard, place: Fit) -> Found:
    """Read (1, 5 + K, h, w): object score, box, classes of each cell.

    Score and box are those of the network's authors (dog-qiuqiu/FastestDet).
    """
    grid = _one(outputs, card, 4, "(1, 5 + labels, rows, columns)")[0].astype(np.float64)
    _expect(card, len(grid) - 5, "channels after the first five")
    rows, columns = grid.shape[1:]
    row, column = np.mgrid[0:rows, 0:columns]
    scores = _probable(grid[0])[None] ** 0.6 * grid[5:] ** 0.4
    x, y = (column + np.tanh(grid[1])) / columns, (row + np.tanh(grid[2])) / rows
    wide, high = _sigmoid(grid[3]), _sigmoid(grid[4])
    size = np.array([card.input.width_px, card.input.height_px] * 2)
    middle = np.stack([x, y, wide, high], axis=-1).reshape(-1, 4) * size
    return _boxes(_corners(middle), scores.reshape(len(scores), -1).T, card, place)


def yolox(outputs: Sequence[Tensor], card: GuestCard, place: Fit) -> Found:
    """Read (1, N, 5 + K): box, object score, classes; boxes in cells or already in pixels."""
    rows = _rows(_one(outputs, card, 3, "(1, boxes, 5 + labels)")[0], card, 5)
    boxes = rows[:, :4].copy()
    decoded = card.options.get("decoded", bool(np.abs(boxes[:, :2]).max() > DECODED_PX))
    if not decoded:
        cells = _cells(card, (8, 16, 32), len(rows), 0.0)
        boxes[:, :2] = boxes[:, :2] * cells[:, 2:] + cells[:, :2]
        boxes[:, 2:] = np.exp(np.clip(boxes[:, 2:], None, 10.0)) * cells[:, 2:]
    return _boxes(_corners(boxes), _probable(rows[:, 4:5]) * _probable(rows[:, 5:]), card, place)


def yolov8(outputs: Sequence[Tensor], card: GuestCard, place: Fit) -> Found:
    """Read (1, 4 + K, N), or (1, N, 6) where the network has put boxes together already."""
    table = _one(outputs, card, 3, "(1, 4 + labels, boxes) or (1, boxes, 6)")[0]
    if table.shape[1] == 6 and len(card.labels) != 2:
        return _finished(table.astype(np.float64), card, place)
    rows = _rows(table, card, 4)
    boxes = rows[:, :4]
    if len(boxes) and boxes.max() <= SHARES:
        boxes = boxes * np.array([card.input.width_px, card.input.height_px] * 2)
    return _boxes(_corners(boxes), _probable(rows[:, 4:]), card, place)


def nanodet(outputs: Sequence[Tensor], card: GuestCard, place: Fit) -> Found:
    """Read (1, N, K + 4 R), or two outputs for each level, (1, n, K) and (1, n, 4 R).

    A side is the mean of a distribution over R distances (Li et al., "Generalized Focal Loss",
    NeurIPS 2020).
    """
    classes, sides = _by_level(outputs, card)
    count = len(classes)
    levels = next((n for n in (3, 4) if _cell_count(card, STRIDES[:n]) == count), 0)
    if not levels:
        raise ModelError(
            f"expected as many rows as cells of 8, 16, 32 (and 64) pixels in {card.name}, got "
            f"{count} for {card.input.width_px}x{card.input.height_px}"
        )
    offset = float(card.options.get("offset", 0.0 if levels == PLUS_LEVELS else 0.5))
    cells = _cells(card, STRIDES[:levels], count, offset)
    bins = sides.reshape(count, 4, -1)
    weight = np.exp(bins - bins.max(axis=2, keepdims=True))
    reach = (weight @ np.arange(bins.shape[2])) / weight.sum(axis=2) * cells[:, 2:3]
    middle = np.concatenate([cells[:, :2], cells[:, :2]], axis=1)
    boxes = middle + reach * np.array([-1.0, -1.0, 1.0, 1.0])
    return _boxes(boxes, _probable(classes), card, place)


STRIDES = (8, 16, 32, 64)


def _by_level(outputs: Sequence[Tensor], card: GuestCard) -> tuple[Floats, Floats]:
    """Give classes (N, K) and sides (N, 4 R), the finest level first."""
    tables = [np.asarray(o, np.float64).reshape(-1, o.shape[-1]) for o in outputs if o.ndim == 3]
    kinds = len(card.labels)
    if len(tables) == 1:
        whole = tables[0]
        if not _is_sides(whole.shape[1] - kinds) and _is_sides(len(whole) - kinds):
            whole = whole.T
        if not _is_sides(whole.shape[1] - kinds):
            raise ModelError(
                f"expected {kinds} labels and four equal sides in each row of {card.name}, got "
                f"{whole.shape[1]} numbers"
            )
        return whole[:, :kinds], whole[:, kinds:]
    classes = sorted((t for t in tables if t.shape[1] == kinds), key=len, reverse=True)
    sides = sorted((t for t in tables if t.shape[1] != kinds), key=len, reverse=True)
    if [len(t) for t in classes] != [len(t) for t in sides] or not classes:
        raise ModelError(
            f"expected outputs (1, n, {kinds}) and (1, n, 4 R) for each level of {card.name}, got "
            f"{', '.join(str(o.shape) for o in outputs)}"
        )
    return np.concatenate(classes), np.concatenate(sides)


def _is_sides(width: int) -> bool:
    return width >= 8 and width % 4 == 0


def _one(outputs: Sequence[Tensor], card: GuestCard, rank: int, form: str) -> Tensor:
    """Give the one output of so many dimensions, whatever it is called."""
    found = [output for output in outputs if output.ndim == rank]
    if len(found) != 1:
        shapes = ", ".join(str(tuple(output.shape)) for output in outputs)
        raise ModelError(f"expected one output {form} for {card.decoder} of {card.name}, "
                         f"got {shapes}")  # fmt: skip
    return found[0]


def _rows(table: Tensor, card: GuestCard, before: int) -> Floats:
    """Give a row for each box, whichever way the table lies."""
    wanted = before + len(card.labels)
    if table.shape[1] != wanted and table.shape[0] == wanted:
        table = table.T
    elif table.shape[1] != wanted:
        width = min(table.shape)
        other = (
            {5: "yolov8", 4: "yolox"}[before] if width == wanted + {5: -1, 4: 1}[before] else ""
        )
        hint = f": is its decoder {other}?" if other else ""
        raise ModelError(
            f"expected {wanted} numbers for each box of {card.name} ({before} and "
            f"{len(card.labels)} labels), got {width}{hint}"
        )
    return table.astype(np.float64)


def _expect(card: GuestCard, got: int, what: str) -> None:
    if got != len(card.labels):
        raise ModelError(
            f"expected {len(card.labels)} {what} of {card.name}, one for each label of its card, "
            f"got {got}"
        )


def _cell_count(card: GuestCard, strides: Sequence[int]) -> int:
    spec = card.input
    return sum(-(-spec.height_px // s) * -(-spec.width_px // s) for s in strides)


def _cells(card: GuestCard, strides: Sequence[int], count: int, offset: float) -> Floats:
    """Give x, y and stride twice (N, 4) [px] of the cells of all levels."""
    if _cell_count(card, strides) != count:
        raise ModelError(
            f"expected {_cell_count(card, strides)} boxes of {card.name} for "
            f"{card.input.width_px}x{card.input.height_px} pixels, got {count}"
        )
    parts = []
    for stride in strides:
        high, wide = -(-card.input.height_px // stride), -(-card.input.width_px // stride)
        y, x = np.mgrid[0:high, 0:wide]
        flat = np.stack([(x + offset) * stride, (y + offset) * stride], axis=-1).reshape(-1, 2)
        parts.append(np.concatenate([flat, np.full((len(flat), 2), stride)], axis=1))
    return np.concatenate(parts)


def _corners(middle: Floats) -> Floats:
    half = 0.5 * middle[:, 2:]
    return np.concatenate([middle[:, :2] - half, middle[:, :2] + half], axis=1)


def _finished(table: Floats, card: GuestCard, place: Fit) -> Found:
    """Read x0 y0 x1 y1 score class."""
    scores = np.zeros((len(table), len(card.labels)))
    kinds = np.clip(table[:, 5].astype(int), 0, len(card.labels) - 1)
    scores[np.arange(len(table)), kinds] = table[:, 4]
    return _boxes(table[:, :4], scores, card, place)


def _boxes(corners: Floats, scores: Floats, card: GuestCard, place: Fit) -> Found:
    """Keep the best of boxes (N, 4) of the input with scores (N, K); each kind by itself."""
    best: NDArray[np.int64] = scores.argmax(axis=1)
    score = scores[np.arange(len(scores)), best]
    keep = np.flatnonzero((score >= card.min_score) & np.isfinite(corners).all(axis=1))
    boxes = place.boxes(corners[keep])
    flat = np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1)
    if not len(keep):
        return Found()
    chosen = cv2.dnn.NMSBoxesBatched(
        flat.tolist(), score[keep].tolist(), best[keep].tolist(), card.min_score, card.iou
    )
    order = sorted((int(i) for i in np.ravel(chosen)), key=lambda i: -score[keep][i])[:MOST]
    return Found(
        boxes=tuple(
            Box2d(card.labels[int(best[keep][i])], float(score[keep][i]), *boxes[i].tolist())
            for i in order
        )
    )


def _sigmoid(values: Floats) -> Floats:
    result: Floats = 1.0 / (1.0 + np.exp(-np.clip(values, -60.0, 60.0)))
    return result


def _probable(values: Floats) -> Floats:
    """Give probabilities, of log odds where these are what it is."""
    inside = values.size == 0 or (values.min() >= 0.0 and values.max() <= 1.0)
    return values if inside else _sigmoid(values)
