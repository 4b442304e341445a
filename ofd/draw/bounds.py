"""How far the ink of scene items reaches on the page."""

from collections.abc import Iterable, Sequence
from functools import singledispatch

from ofd.draw.scene import Clip, ClipArea, Group, ImageItem, Item, PathItem, TextItem
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
    boxes = [box for index in range(len(item.glyphs)) if (box := glyph_box(item, index)) is not None]
    return _around(boxes)


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
    glyph = item.glyphs[index]
    if not glyph.index:
        return None
    left, top, right, bottom = (glyph.face or item.face).extents(glyph.index)
    if left == right:
        return None
    wide, high = item.size * item.horizontal_scale, item.size
    corners = [(x * wide, -y * high) for x in (left, right) for y in (bottom, top)]
    if item.char_direction == 90:
        corners = [(-y, x) for x, y in corners]
    elif item.char_direction == 180:
        corners = [(-x, -y) for x, y in corners]
    elif item.char_direction == 270:
        corners = [(y, -x) for x, y in corners]
    reach = 0.0 if item.stroke is None else item.stroke.width / 2
    box = Box.around([(glyph.x + x, glyph.y + y) for x, y in corners])
    return item.matrix.box(Box(box.x - reach, box.y - reach, box.width + 2 * reach, box.height + 2 * reach))


def clip_box(clip: Clip) -> Box | None:
    """A box around all areas of a clip; nothing when it shows nothing."""
    return _around([box for area in clip.areas if (box := _area_box(area)) is not None])


def _area_box(area: ClipArea) -> Box | None:
    return path_box(area.path, area.matrix) if area.text is None else bounds(area.text)


def _around(boxes: Sequence[Box]) -> Box | None:
    return Box.around([corner for box in boxes for corner in box.corners()]) if boxes else None
