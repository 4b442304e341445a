"""How far the ink of scene items reaches: an object's Boundary clips, so it has to hold all (GB/T 33190-2016 §8.5)."""

from collections.abc import Iterable, Sequence
from math import ceil, floor

from ofd.draw.scene import Cap, Clip, ClipArea, Glyph, Group, ImageItem, Item, Join, PathItem, Stroke, TextItem
from ofd.fonts.faces import FontFace
from ofd.geometry import Box, Matrix, PathCommand

__all__ = [
    "clip_box",
    "glyph_face",
    "intersection",
    "item_box",
    "outward",
    "path_points",
    "rectangle_of",
    "text_box",
    "transformed",
]

_GRID = 10_000
"""Boundaries are written with four decimals."""
_SMALLEST = 0.01
"""A Boundary has a width and a height, however thin the ink is."""
_SLANT = 0.4
"""Of a slanted glyph, in its height."""
_EMBOLDENED = 0.06
"""Of a thickened glyph, in em."""
_UNIT_SQUARE = Box(0, 0, 1, 1)
_SAME = 1e-6
"""Millimetres that nobody sees."""


def outward(box: Box) -> Box:
    """The box on the grid of what can be written, nowhere smaller, and not without width or height."""
    left, top = floor(box.x * _GRID + _SAME) / _GRID, floor(box.y * _GRID + _SAME) / _GRID
    right, bottom = ceil(box.right * _GRID - _SAME) / _GRID, ceil(box.bottom * _GRID - _SAME) / _GRID
    return Box(left, top, max(right - left, _SMALLEST), max(bottom - top, _SMALLEST))


def path_points(path: Sequence[PathCommand]) -> list[tuple[float, float]]:
    """End points and control points, between which the figure lies."""
    return [(values[at], values[at + 1]) for _, values in path for at in range(0, len(values) - 1, 2)]


def transformed(path: Sequence[PathCommand], matrix: Matrix) -> tuple[PathCommand, ...]:
    """A figure in another space."""
    return tuple(
        (operator, tuple(part for at in range(0, len(values), 2) for part in matrix.apply(values[at], values[at + 1])))
        for operator, values in path
    )


def item_box(item: Item) -> Box | None:
    """The box on the page around all that an item paints; ``None`` when it paints nothing."""
    match item:
        case PathItem():
            return _path_box(item)
        case TextItem():
            return text_box(item)
        case ImageItem():
            return item.matrix.box(_UNIT_SQUARE)
        case Group():
            return _group_box(item)


def text_box(item: TextItem) -> Box | None:
    """The box around the ink of a text and around its line, from ascent to descent and to the last advance."""
    if not item.glyphs:
        return None
    points: list[tuple[float, float]] = []
    for glyph in item.glyphs:
        points += _glyph_corners(item, glyph)
    box = Box.around(points)
    margin = item.stroke.width * max(item.stroke.miter_limit, 1) / 2 if item.stroke else 0.0
    if item.bold:
        margin += item.size * _EMBOLDENED
    return item.matrix.box(_grown(box, margin))


def glyph_face(item: TextItem, glyph: Glyph) -> FontFace:
    """The face that has the glyph."""
    return glyph.face or item.face


def clip_box(clip: Clip) -> Box | None:
    """The box on the page around what a clip lets through; ``None`` when it lets nothing through."""
    return _union(_area_box(area) for area in clip.areas)


def rectangle_of(clip: Clip) -> Box | None:
    """The upright rectangle that a clip is, if it is one."""
    if len(clip.areas) != 1 or clip.areas[0].text is not None:
        return None
    area = clip.areas[0]
    path = [command for command in area.path if command[0] != "Z"]
    if [operator for operator, _ in path] not in (["M", "L", "L", "L"], ["M", "L", "L", "L", "L"]):
        return None
    corners = [area.matrix.apply(*values) for _, values in path]
    if len(corners) == 5 and not _same(corners.pop(), corners[0]):
        return None
    sides = tuple(zip(corners, [*corners[1:], corners[0]], strict=True))
    for first in (0, 1):
        if all(abs(start[(k + first) % 2] - end[(k + first) % 2]) <= _SAME for k, (start, end) in enumerate(sides)):
            return Box.around(corners)
    return None


def _same(one: tuple[float, float], other: tuple[float, float]) -> bool:
    return abs(one[0] - other[0]) <= _SAME and abs(one[1] - other[1]) <= _SAME


def _area_box(area: ClipArea) -> Box | None:
    if area.text is not None:
        found = text_box(area.text)
        return None if found is None else area.matrix.box(found)
    points = path_points(area.path)
    return area.matrix.box(Box.around(points)) if points else None


def _path_box(item: PathItem) -> Box | None:
    points = path_points(item.path)
    if not points or (item.fill is None and item.stroke is None):
        return None
    margin = _stroke_margin(item.stroke, item.path) if item.stroke else 0.0
    return item.matrix.box(_grown(Box.around(points), margin))


def _stroke_margin(stroke: Stroke, path: Sequence[PathCommand]) -> float:
    reach = 1.0
    if stroke.cap is Cap.SQUARE:
        reach = 2**0.5
    corners = sum(operator != "M" for operator, _ in path) > 1
    if corners and stroke.join is Join.MITER:
        reach = max(reach, stroke.miter_limit)
    return stroke.width / 2 * reach


def _glyph_corners(item: TextItem, glyph: Glyph) -> list[tuple[float, float]]:
    face = glyph_face(item, glyph)
    left, top, right, bottom = face.extents(glyph.index)
    top, bottom = max(top, face.ascent), min(bottom, -face.descent)
    left, right = min(left, 0), max(right, face.advance_of(glyph.index))
    if item.italic:
        slant = _SLANT * max(top, -bottom)
        left, right = left - slant, right + slant
    wide = item.size * item.horizontal_scale
    sides = (left * wide, right * wide), (-top * item.size, -bottom * item.size)
    turn = _TURNS.get(item.char_direction % 360, _TURNS[0])
    return [(glyph.x + x * turn.a + y * turn.c, glyph.y + x * turn.b + y * turn.d) for x in sides[0] for y in sides[1]]


_TURNS = {0: Matrix(), 90: Matrix(0, 1, -1, 0), 180: Matrix(-1, 0, 0, -1), 270: Matrix(0, -1, 1, 0)}
"""Clockwise on the page."""


def _group_box(group: Group) -> Box | None:
    box = _union(item_box(item) for item in group.items)
    for clip in group.clips:
        inside = clip_box(clip)
        if box is None or inside is None:
            return None
        box = intersection(box, inside)
    return box


def intersection(one: Box, other: Box) -> Box | None:
    """What two boxes share, if it has an area."""
    left, top = max(one.x, other.x), max(one.y, other.y)
    right, bottom = min(one.right, other.right), min(one.bottom, other.bottom)
    return Box(left, top, right - left, bottom - top) if right > left and bottom > top else None


def _union(boxes: Iterable[Box | None]) -> Box | None:
    found = [box for box in boxes if box is not None]
    if not found:
        return None
    return Box.around([corner for box in found for corner in box.corners()])


def _grown(box: Box, margin: float) -> Box:
    return Box(box.x - margin, box.y - margin, box.width + 2 * margin, box.height + 2 * margin)
