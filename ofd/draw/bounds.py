"""How far the ink of scene items reaches on the page."""

from collections.abc import Iterable, Sequence
from functools import singledispatch
from math import inf

from ofd.draw.scene import Clip, ClipArea, Glyph, Group, ImageItem, Item, PathItem, TextItem
from ofd.geometry import Box, Matrix, PathCommand

__all__ = ["bounds", "bounds_of_all", "clip_box", "glyph_box", "intersection", "path_box"]

_UNIT = Box(0, 0, 1, 1)
_MITER_REACH = 1.5
"""Of half the line's width: corners that are sharper than a right angle reach further."""
_CORNERS_FROM = 3


@singledispatch
def bounds(item: Item) -> Box | None:
    """A box around all ink of an item, in page space; nothing when it paints nothing. It may be a little too large."""
    raise TypeError(item)


@bounds.register
def _(item: PathItem) -> Box | None:
    reach = 0.0 if item.stroke is None else item.stroke.width / 2
    if len(item.path) >= _CORNERS_FROM:
        reach *= _MITER_REACH
    return path_box(item.path, item.matrix, reach)


@bounds.register
def _(item: TextItem) -> Box | None:
    box = _ink(item, item.glyphs)
    return None if box is None else item.matrix.box(box)


@bounds.register
def _(item: ImageItem) -> Box | None:
    return item.matrix.box(_UNIT)


@bounds.register
def _(item: Group) -> Box | None:
    box = bounds_of_all(item.items)
    for clip in item.clips:
        area = clip_box(clip)
        box = None if box is None or area is None else intersection(box, area)
    return box


def bounds_of_all(items: Iterable[Item]) -> Box | None:
    """A box around all ink of several items."""
    return _around([box for item in items if (box := bounds(item)) is not None])


def intersection(first: Box, second: Box) -> Box | None:
    """What two boxes have in common."""
    left, top = max(first.x, second.x), max(first.y, second.y)
    right, bottom = min(first.right, second.right), min(first.bottom, second.bottom)
    return Box(left, top, right - left, bottom - top) if right >= left and bottom >= top else None


def path_box(path: Sequence[PathCommand], matrix: Matrix, reach: float = 0) -> Box | None:
    """A box around a figure and its control points, with a margin in the figure's own space."""
    xs = [value for _, values in path for value in values[::2]]
    ys = [value for _, values in path for value in values[1::2]]
    if not xs:
        return None
    left, top = min(xs) - reach, min(ys) - reach
    return matrix.box(Box(left, top, max(xs) + reach - left, max(ys) + reach - top))


def glyph_box(item: TextItem, index: int) -> Box | None:
    """A box around the ink of one glyph of a text, in page space."""
    box = _ink(item, item.glyphs[index : index + 1])
    return None if box is None else item.matrix.box(box)


def _ink(item: TextItem, glyphs: Sequence[Glyph]) -> Box | None:
    """A box around the ink of glyphs in the item's own space. Pages have thousands of glyphs: nothing is made here."""
    wide, high, turned = item.size * item.horizontal_scale, item.size, item.char_direction
    left = top = inf
    right = bottom = -inf
    for glyph in glyphs:
        if not glyph.index:
            continue
        x0, y0, x1, y1 = (glyph.face or item.face).extents(glyph.index)
        if x0 == x1:
            continue
        x0, x1, y0, y1 = x0 * wide, x1 * wide, -y1 * high, -y0 * high
        if turned:
            x0, y0, x1, y1 = _turned(x0, y0, x1, y1, turned)
        x, y = glyph.x, glyph.y
        left = min(left, x + x0)
        top = min(top, y + y0)
        right = max(right, x + x1)
        bottom = max(bottom, y + y1)
    if left > right:
        return None
    reach = 0.0 if item.stroke is None else item.stroke.width / 2
    return Box(left - reach, top - reach, right - left + 2 * reach, bottom - top + 2 * reach)


def _turned(x0: float, y0: float, x1: float, y1: float, degrees: int) -> tuple[float, float, float, float]:
    """Left, top, right and bottom, turned clockwise about the origin."""
    match degrees:
        case 90:
            return -y1, x0, -y0, x1
        case 180:
            return -x1, -y1, -x0, -y0
        case _:
            return y0, -x1, y1, -x0


def clip_box(clip: Clip) -> Box | None:
    """A box around all areas of a clip; nothing when it shows nothing."""
    return _around([box for area in clip.areas if (box := _area_box(area)) is not None])


def _area_box(area: ClipArea) -> Box | None:
    return path_box(area.path, area.matrix) if area.text is None else bounds(area.text)


def _around(boxes: Sequence[Box]) -> Box | None:
    return Box.around([corner for box in boxes for corner in box.corners()]) if boxes else None
