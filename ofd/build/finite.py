"""What of a scene can be placed: damaged documents hold numbers that are none, or infinite, or as far as no page is."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from ofd.draw.scene import (
    AxialPaint,
    Clip,
    ClipArea,
    Group,
    ImageItem,
    Item,
    MeshPaint,
    Paint,
    PathItem,
    PatternPaint,
    RadialPaint,
    SolidPaint,
    Stroke,
    TextItem,
)

__all__ = ["placeable"]

_FAR = 1e7
"""Millimetres, ten kilometres: nothing is drawn there."""
_MOST_NESTED = 256


def placeable(item: Item, depth: int = 0) -> Item | None:
    """The item, of a group those items that can be placed; nothing when nothing can."""
    if not isinstance(item, Group):
        return item if all(-_FAR < value < _FAR for value in _numbers(item)) else None
    if depth > _MOST_NESTED:
        return item
    items = tuple(kept for part in item.items if (kept := placeable(part, depth + 1)) is not None)
    if not items:
        return None
    clips = tuple(Clip(areas=tuple(area for area in clip.areas if _is_placeable(area))) for clip in item.clips)
    return item if items == item.items and clips == item.clips else replace(item, items=items, clips=clips)


def _is_placeable(area: ClipArea) -> bool:
    text = area.text is None or placeable(area.text) is not None
    return text and all(-_FAR < value < _FAR for value in (*area.matrix, *_coordinates(area.path)))


def _numbers(item: PathItem | TextItem | ImageItem) -> Iterator[float]:
    yield from item.matrix
    if isinstance(item, ImageItem):
        return
    if isinstance(item, PathItem):
        yield from _coordinates(item.path)
    else:
        yield item.size
        yield item.horizontal_scale
        for glyph in item.glyphs:
            yield glyph.x
            yield glyph.y
    if item.fill is not None:
        yield from _of_paint(item.fill)
    if item.stroke is not None:
        yield from _of_stroke(item.stroke)


def _of_stroke(stroke: Stroke) -> Iterator[float]:
    yield from (stroke.width, stroke.miter_limit, stroke.dash_offset)
    yield from stroke.dash
    yield from _of_paint(stroke.paint)


def _of_paint(paint: Paint) -> Iterator[float]:
    match paint:
        case SolidPaint():
            pass
        case AxialPaint() | RadialPaint():
            yield from (*paint.start, *paint.end, paint.map_unit or 0)
            yield from (stop.position for stop in paint.stops)
            if isinstance(paint, RadialPaint):
                yield from (paint.start_radius, paint.end_radius, paint.eccentricity, paint.angle)
        case MeshPaint():
            yield from (value for triangle in paint.triangles for point in triangle.points for value in point)
        case PatternPaint():
            yield from (paint.width, paint.height, paint.x_step, paint.y_step, *paint.matrix)


def _coordinates(path: Iterable[tuple[str, tuple[float, ...]]]) -> Iterator[float]:
    return (value for _, values in path for value in values)
