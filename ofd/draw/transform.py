"""Items moved, turned and scaled: what a document inside a document needs."""

from collections.abc import Callable, Iterable
from dataclasses import replace

from ofd.draw.scene import (
    Clip,
    Group,
    Image,
    ImageItem,
    Item,
    Origin,
    Paint,
    PathItem,
    PatternPaint,
    Stroke,
    TextItem,
)
from ofd.geometry import Matrix

__all__ = ["transformed"]


def transformed(
    items: Iterable[Item], matrix: Matrix, *, origin: Origin | None = None, rename: Callable[[str], str] = str
) -> tuple[Item, ...]:
    """Items with a transformation after their own.

    Args:
        items: what to transform.
        matrix: from the space the items are in to the new one.
        origin: where the items come from now; their own origins stay when left out.
        rename: gives pictures names that are unique in the document they get into.
    """
    return tuple(_transformed(item, matrix, origin, rename) for item in items)


def _transformed(item: Item, matrix: Matrix, origin: Origin | None, rename: Callable[[str], str]) -> Item:
    source = origin or item.origin
    match item:
        case PathItem():
            fill, stroke = _paint(item.fill, matrix, rename), _stroke(item.stroke, matrix, rename)
            return replace(item, matrix=item.matrix.then(matrix), fill=fill, stroke=stroke, origin=source)
        case TextItem():
            return replace(_text(item, matrix, rename), origin=source)
        case ImageItem():
            mask = item.mask and _image(item.mask, rename)
            image = _image(item.image, rename)
            return replace(item, matrix=item.matrix.then(matrix), image=image, mask=mask, origin=source)
        case Group():
            clips = tuple(_clip(clip, matrix) for clip in item.clips)
            items = transformed(item.items, matrix, origin=origin, rename=rename)
            return replace(item, items=items, clips=clips, origin=source)


def _text(item: TextItem, matrix: Matrix, rename: Callable[[str], str]) -> TextItem:
    fill, stroke = _paint(item.fill, matrix, rename), _stroke(item.stroke, matrix, rename)
    return replace(item, matrix=item.matrix.then(matrix), fill=fill, stroke=stroke)


def _clip(clip: Clip, matrix: Matrix) -> Clip:
    """The text of an area has a matrix to the area's space, which the area's own leads on from."""
    return Clip(areas=tuple(replace(area, matrix=area.matrix.then(matrix)) for area in clip.areas))


def _image(image: Image, rename: Callable[[str], str]) -> Image:
    return replace(image, name=rename(image.name))


def _stroke(stroke: Stroke | None, matrix: Matrix, rename: Callable[[str], str]) -> Stroke | None:
    paint = _paint(stroke.paint, matrix, rename) if stroke else None
    return replace(stroke, paint=paint) if stroke and paint else None


def _paint(paint: Paint | None, matrix: Matrix, rename: Callable[[str], str]) -> Paint | None:
    """Only patterns know the page's space and pictures."""
    if not isinstance(paint, PatternPaint):
        return paint
    cell = transformed(paint.cell, Matrix(), rename=rename)
    own = paint.matrix.then(matrix) if paint.relative_to_page else paint.matrix
    return replace(paint, cell=cell, matrix=own)
