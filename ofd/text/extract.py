"""From a scene to its text: the characters that are shown, and the order in which they are read."""

from collections.abc import Iterator, Sequence
from itertools import count, pairwise
from math import hypot

from ofd.draw.bounds import clip_box, intersection
from ofd.draw.scene import Group, Item, Scene, TextItem
from ofd.geometry import Box, Point
from ofd.text.order import arrange
from ofd.text.page import Character, PageText

__all__ = ["page_text"]

_TALLEST, _DEEPEST = 1.0, 0.35
"""Em that a character's box reaches at most above and below the baseline: fonts with tall scripts say more."""
_SAME_PLACE = 0.25
"""Em: the same character nearer than this is painted twice to look bold."""
_QUARTER = 0.38
"""Directions within 22 degrees of an axis are that axis."""


def page_text(scene: Scene) -> PageText:
    """The text of a page with its boxes, in reading order. What lies outside its clip or the page is left out."""
    characters = _without_doubles(list(_shown(scene.items, scene.area, count())))
    return PageText(lines=arrange(characters), painted=tuple(characters))


def _shown(items: Sequence[Item], area: Box, runs: Iterator[int]) -> Iterator[Character]:
    for item in items:
        if isinstance(item, TextItem):
            yield from (char for char in _characters(item, next(runs)) if char.box.intersects(area))
        elif isinstance(item, Group):
            limit: Box | None = area
            for clip in item.clips:
                box = clip_box(clip)
                limit = None if limit is None or box is None else intersection(limit, box)
            if limit is not None:
                yield from _shown(item.items, limit, runs)


def _characters(item: TextItem, run: int) -> Iterator[Character]:
    """The characters of a text item in its own order, blanks left out."""
    glyphs = [glyph for glyph in item.glyphs if glyph.text]
    origins = [item.matrix.apply(glyph.x, glyph.y) for glyph in glyphs]
    directions = _directions(item, origins)
    blank = False
    for glyph, origin, direction in zip(glyphs, origins, directions, strict=True):
        if glyph.text.isspace():
            blank = True
            continue
        face = glyph.face or item.face
        advance = (face.advance_of(glyph.index) if glyph.index else _blank(glyph.text)) * item.size
        advance *= item.horizontal_scale
        ascent, descent = (min(face.ascent, _TALLEST) * item.size, min(face.descent, _DEEPEST) * item.size)
        corners = [(0.0, -ascent), (advance, -ascent), (advance, descent), (0.0, descent)]
        turned = [_turn(corner, item.char_direction) for corner in corners]
        placed = [item.matrix.apply(glyph.x + x, glyph.y + y) for x, y in turned]
        size = hypot(item.matrix.c, item.matrix.d) * item.size
        forward = item.matrix.apply(glyph.x + turned[1][0] - turned[0][0], glyph.y + turned[1][1] - turned[0][1])
        reach = (forward.x - origin.x) * direction.x + (forward.y - origin.y) * direction.y
        yield Character(
            text=glyph.text,
            box=Box.around(placed),
            origin=origin,
            direction=direction,
            size=size,
            # An upright character in a column takes as much of it as it is high.
            reach=reach if reach > 0.1 * size else size,
            run=run,
            after_blank=blank,
            origin_part=item.origin.part,
            object_id=item.origin.object_id,
        )
        blank = False


def _blank(text: str) -> float:
    return 0.5 * len(text) if text.isascii() else 1.0


def _turn(corner: tuple[float, float], degrees: int) -> tuple[float, float]:
    x, y = corner
    return {90: (-y, x), 180: (-x, -y), 270: (y, -x)}.get(degrees, (x, y))


def _directions(item: TextItem, origins: Sequence[Point]) -> list[Point]:
    """In which direction reading goes on at each character: to the next one, if it is near."""
    matrix, size = item.matrix, hypot(item.matrix.c, item.matrix.d) * item.size
    x, y = _turn((1.0, 0.0), item.char_direction)
    usual = _unit(matrix.a * x + matrix.c * y, matrix.b * x + matrix.d * y) or Point(1, 0)
    steps: list[Point | None] = []
    for first, second in pairwise(origins):
        near = hypot(second.x - first.x, second.y - first.y) <= 3 * size
        steps.append(_unit(second.x - first.x, second.y - first.y) if near else None)
    found: list[Point] = []
    for index in range(len(origins)):
        after = steps[index] if index < len(steps) else None
        before = steps[index - 1] if index else None
        step = after or before
        # Text that goes backwards along its own direction is written right to left or set anew: its own one counts.
        opposite = step is not None and step.x * usual.x + step.y * usual.y < -0.5
        found.append(usual if step is None or opposite else step)
    return found


def _unit(x: float, y: float) -> Point | None:
    length = hypot(x, y)
    if length < 1e-6:
        return None
    x, y = x / length, y / length
    if abs(y) < _QUARTER:
        return Point(1.0 if x > 0 else -1.0, 0.0)
    if abs(x) < _QUARTER:
        return Point(0.0, 1.0 if y > 0 else -1.0)
    return Point(round(x, 1), round(y, 1))


def _without_doubles(characters: Sequence[Character]) -> list[Character]:
    """The characters without those that are painted a second time nearly at the same place."""
    kept: list[Character] = []
    seen: dict[tuple[str, int, int], list[Character]] = {}
    for item in characters:
        cell = max(item.size, 0.1)
        column, row = int(item.origin.x // cell), int(item.origin.y // cell)
        near = (
            other
            for dx in (-1, 0, 1)
            for dy in (-1, 0, 1)
            for other in seen.get((item.text, column + dx, row + dy), ())
        )
        if any(
            hypot(other.origin.x - item.origin.x, other.origin.y - item.origin.y) < _SAME_PLACE * item.size
            and abs(other.size - item.size) < 0.2 * item.size
            for other in near
        ):
            continue
        seen.setdefault((item.text, column, row), []).append(item)
        kept.append(item)
    return kept
