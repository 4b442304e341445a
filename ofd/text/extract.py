"""From a scene to its text: the characters that are shown, and the order in which they are read."""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain, count, pairwise
from math import floor, frexp, hypot, ldexp

from ofd.draw.bounds import clip_box, intersection
from ofd.draw.glyphs import NO_CHARACTER
from ofd.draw.scene import Group, Item, Scene, TextItem
from ofd.geometry import Box, Point
from ofd.text.order import arrange
from ofd.text.page import Character, PageText

__all__ = ["page_text"]

_TALLEST, _DEEPEST = 1.0, 0.35
"""Em that a character's box reaches at most above and below the baseline: fonts with tall scripts say more."""
_SAME_PLACE = 0.25
"""Em: the same character nearer than this is painted twice to look bold."""
_FEWEST_STEPS = 2
_MOST_STEPS = 0.7
"""Of the steps from character to character that are equal when a text is set in cells."""
_TURNS = {90: (0, 1, -1, 0), 180: (-1, 0, 0, -1), 270: (0, -1, 1, 0)}
"""Where the steps to the right and downward go when a glyph is turned clockwise."""
_QUARTER = 0.38
"""Directions within 22 degrees of an axis are that axis."""


def page_text(scene: Scene) -> PageText:
    """The text of a page with its boxes, in reading order.

    What lies outside its clip or the page is left out; so is text in the cells of patterns, which is decoration: it is
    repeated as often as the figure it fills is large, and no part of it has one place.
    """
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
    glyphs = [glyph for glyph in item.glyphs if glyph.text and glyph.text != NO_CHARACTER]
    origins = [item.matrix.apply(glyph.x, glyph.y) for glyph in glyphs]
    directions = _directions(item, origins)
    a, b, c, d, _, _ = item.matrix
    size = hypot(c, d) * item.size
    # What a step of one em to the right and downward is on the page, for a glyph as it is turned.
    turn = _TURNS.get(item.char_direction, (1, 0, 0, 1))
    wide = item.size * item.horizontal_scale
    right_x, right_y = (a * turn[0] + c * turn[1]) * wide, (b * turn[0] + d * turn[1]) * wide
    down_x, down_y = (a * turn[2] + c * turn[3]) * item.size, (b * turn[2] + d * turn[3]) * item.size
    blank = False
    cell = _cell(origins)
    last = len(glyphs) - 1
    for number, (glyph, origin, direction) in enumerate(zip(glyphs, origins, directions, strict=True)):
        if glyph.text.isspace():
            blank = True
            continue
        face = glyph.face or item.face
        advance = face.advance_of(glyph.index) if glyph.index else _blank(glyph.text)
        x, y = right_x * advance, right_y * advance
        up, low = min(face.ascent, _TALLEST), min(face.descent, _DEEPEST)
        reach = x * direction.x + y * direction.y
        if number < last:
            reach = max(reach, cell)
        # The corners are sums of the step to the right, and one of those upward and downward.
        lift_x, lift_y, drop_x, drop_y = -down_x * up, -down_y * up, down_x * low, down_y * low
        left = origin.x + min(x, 0.0) + min(lift_x, drop_x)
        top = origin.y + min(y, 0.0) + min(lift_y, drop_y)
        yield Character(
            text=glyph.text,
            box=Box(left, top, abs(x) + abs(lift_x - drop_x), abs(y) + abs(lift_y - drop_y)),
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


def _cell(origins: Sequence[Point]) -> float:
    """How much room each character has in a text that is set in cells of one width; 0 in any other text."""
    if len(origins) <= _FEWEST_STEPS:
        return 0
    steps = Counter(round(hypot(b.x - a.x, b.y - a.y), 2) for a, b in pairwise(origins))
    step, times = steps.most_common(1)[0]
    return step if times >= _MOST_STEPS * (len(origins) - 1) else 0


def _directions(item: TextItem, origins: Sequence[Point]) -> list[Point]:
    """In which direction reading goes on at each character: to the next one, if it is near."""
    matrix, size = item.matrix, hypot(item.matrix.c, item.matrix.d) * item.size
    x, y, _, _ = _TURNS.get(item.char_direction, (1, 0, 0, 1))
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
    seen: dict[tuple[str, int, int, int], list[Character]] = {}
    nothing: list[Character] = []
    for item in characters:
        text, (x, y) = item.text, item.origin
        # Cells of a power of two, twice as wide as the limit at least: what is near is in this one or one beside it.
        exponent = frexp(2 * _SAME_PLACE * item.size)[1]
        cell = ldexp(1.0, exponent)
        column, row = floor(x / cell), floor(y / cell)
        beside = column + (1 if x / cell - column > 0.5 else -1)
        below = row + (1 if y / cell - row > 0.5 else -1)
        here = seen.setdefault((text, exponent, column, row), [])
        near = chain(
            here,
            seen.get((text, exponent, beside, row), nothing),
            seen.get((text, exponent, column, below), nothing),
            seen.get((text, exponent, beside, below), nothing),
        )
        if not any(_is_double(other, item) for other in near):
            here.append(item)
            kept.append(item)
    return kept


def _is_double(first: Character, second: Character) -> bool:
    limit = _SAME_PLACE * second.size
    (x, y), (other_x, other_y) = first.origin, second.origin
    return abs(x - other_x) < limit and abs(y - other_y) < limit and abs(first.size - second.size) < 0.2 * second.size
