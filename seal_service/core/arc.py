"""Characters on an arc: how large, how wide and at which angle."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import atan, cos, sin

from seal_service.core.outline import Point

__all__ = ["Cell", "place_above", "place_below", "spread"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """The place of one character: a box of ``width`` whose axis is turned by ``angle``."""

    angle: float
    """Radians from the middle of the text; positive clockwise for an upper arc, anticlockwise for a lower one."""
    width: float
    """In the unit of the radius."""


def spread(advances: Sequence[float], *, size: float, radius: float, gap: float, limit: float) -> tuple[Cell, ...]:
    """Spread characters evenly about the middle of an arc; boxes never overlap.

    Every box touches ``radius`` with its nearer edge to the centre, where room is scarcest. A text too long for
    ``limit`` is condensed: boxes and gaps shrink alike, as an engraver narrows a long name and keeps its height.

    Args:
        advances: width of each character in parts of its height.
        size: height of the characters, in the unit of ``radius``.
        radius: distance from the centre to the nearer edge of the boxes.
        gap: room between two boxes in parts of a character's height, at ``radius``.
        limit: the largest angle the text may take, in radians.
    """
    halves = [advance * size / 2 for advance in advances]
    total = _angle(halves, gap * size, radius, scale=1.0)
    scale = 1.0
    if total > limit:
        low, high = 0.0, 1.0
        for _ in range(40):
            scale = (low + high) / 2
            low, high = (scale, high) if _angle(halves, gap * size, radius, scale=scale) < limit else (low, scale)
        scale = low
        total = _angle(halves, gap * size, radius, scale=scale)
    cells, edge = [], -total / 2
    for half in halves:
        turn = atan(half * scale / radius)
        cells.append(Cell(angle=edge + turn, width=2 * half * scale))
        edge += 2 * turn + _turn(gap * size * scale, radius)
    return tuple(cells)


def _turn(width: float, radius: float) -> float:
    return 2 * atan(width / 2 / radius)


def _angle(halves: Sequence[float], gap: float, radius: float, *, scale: float) -> float:
    boxes = sum(2 * atan(half * scale / radius) for half in halves)
    return boxes + (len(halves) - 1) * _turn(gap * scale, radius)


def place_above(point: Point, *, angle: float, radius: float) -> Point:
    """Turn a point of an upright character box onto an upper arc: feet towards the centre.

    ``point`` is measured from the middle of the box's lower edge, which stands at ``radius``.
    """
    u, v = point[0], radius + point[1]
    return (u * cos(angle) + v * sin(angle), v * cos(angle) - u * sin(angle))


def place_below(point: Point, *, angle: float, radius: float) -> Point:
    """Turn a point of an upright character box onto a lower arc: feet away from the centre.

    ``point`` is measured from the middle of the box's lower edge, which stands at ``radius``.
    """
    u, v = point[0], radius - point[1]
    return (u * cos(angle) + v * sin(angle), u * sin(angle) - v * cos(angle))
