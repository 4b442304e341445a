"""Scene items as page objects (GB/T 33190-2016 §8 to §13): paths, text, images, clips, and composites for groups.

Clips of a group are written into each object that they cut, or once into a composite object when the group is large;
Boundaries hold no more than what clips let through. Groups that are see-through or blended are composite objects.
Figures in plain colours are turned into the page's own space where that changes nothing, since readers differ in what
CTM does to lines.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from math import hypot

from ofd.build.bounds import clip_box, intersection, item_box, outward, rectangle_of, transformed
from ofd.build.finite import placeable
from ofd.build.numbers import box_text, matrix_text, number, path_text, places_for
from ofd.build.paints import write_paint
from ofd.build.resources import ResourceTable
from ofd.build.text_runs import TextRun, text_runs
from ofd.draw.scene import (
    BlendMode,
    Cap,
    Clip,
    ClipArea,
    Group,
    ImageItem,
    Item,
    Join,
    Paint,
    PathItem,
    SolidPaint,
    Stroke,
    TextItem,
)
from ofd.geometry import IDENTITY, Box, Matrix, Point
from ofd.xmlio import Element, element
from trustcore.errors import RejectedError

__all__ = ["ItemWriter", "stroke_attributes"]

_MOST_NESTED = 64
"""Groups within groups."""
_MOST_REPEATED = 400
"""Path commands of clips that are repeated in each object of a group before a composite object is made instead."""
_DEFAULT_MITER = 4.234
_EVEN = 1e-6
"""By how much a matrix may stretch one way more than the other and still count as even."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Where an item is written, and what lies on it from outside."""

    parent: Element
    offset: Point
    """Where the parent's space has its origin on the page."""
    limit: Box | None = None
    """Of upright rectangular clips, on the page."""
    clips: tuple[Clip, ...] = ()
    """The other ones."""
    alpha: float = 1
    depth: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Frame:
    """What an object is written into."""

    box: Box
    """Boundary, on the page."""
    matrix: Matrix
    """From the item's space to the box."""
    clips: tuple[Clip, ...]
    """That cut the item."""


class ItemWriter:
    """Writes scene items into a layer, an appearance, a composite or a pattern's cell."""

    def __init__(self, resources: ResourceTable, next_id: Callable[[], int]) -> None:
        """Start to write.

        Args:
            resources: fonts, pictures and composites go there.
            next_id: gives the next free ID of the document.
        """
        self._resources = resources
        self._next_id = next_id

    def draw(self, item: Item, parent: Element, *, offset: Point = Point(0, 0)) -> tuple[int, ...]:  # noqa: B008 - a tuple
        """Append the objects that paint an item to ``parent`` and return their IDs, in the order of painting.

        Args:
            item: in the space of the page; its matrices lead there.
            parent: a Layer, PageBlock, Appearance, Content or CellContent.
            offset: where the parent's space has its origin on the page.

        Raises:
            RejectedError: ``ofd.draw.depth`` for groups nested too deeply; ``ofd.image.format``.
        """
        shown = placeable(item)
        return () if shown is None else tuple(self._draw(shown, _Place(parent=parent, offset=offset)))

    def _draw(self, item: Item, place: _Place) -> Iterator[int]:
        if isinstance(item, Group):
            yield from self._group(item, place)
            return
        match item:
            case PathItem():
                yield from self._path(_straightened(item), place)
            case TextItem():
                for run in text_runs(item):
                    yield from self._text(run, place)
            case ImageItem():
                yield from self._image(item, place)

    def _group(self, group: Group, place: _Place) -> Iterator[int]:
        if place.depth >= _MOST_NESTED:
            raise RejectedError("Groups are nested too deeply.", code="ofd.draw.depth")
        limit, clips = place.limit, place.clips
        for clip in group.clips:
            rectangle = rectangle_of(clip)
            if rectangle is None:
                clips = (*clips, clip)
                rectangle = clip_box(clip)
            limit = rectangle if limit is None or rectangle is None else intersection(limit, rectangle)
            if limit is None:
                return
        alpha = place.alpha * group.alpha
        single = len(group.items) == 1 and not isinstance(group.items[0], Group)
        together = group.blend is not BlendMode.NORMAL or (alpha < 1 and not single)
        repeated = sum(_commands(clip) for clip in clips) * _leaves(group) if clips else 0
        inner = replace(place, limit=limit, clips=clips, alpha=alpha, depth=place.depth + 1)
        if together or (repeated > _MOST_REPEATED and not single):
            yield from self._composite(group, inner)
            return
        for item in group.items:
            yield from self._draw(item, inner)

    def _composite(self, group: Group, place: _Place) -> Iterator[int]:
        frame = _frame(Group(items=group.items, origin=group.origin), place)
        if frame is None:
            return
        box = frame.box
        content = element(None, "Content")
        inside = _Place(parent=content, offset=Point(box.x, box.y), depth=place.depth)
        for item in group.items:
            for _ in self._draw(item, inside):
                pass
        if not len(content):
            return
        resource = self._resources.composite(content, width=box.width, height=box.height, complete=True)
        object_id, node = self._object("CompositeObject", frame, IDENTITY, place)
        node.set("ResourceID", str(resource))
        if group.blend is not BlendMode.NORMAL:
            node.set("BlendMode", _blend_name(group.blend))
        yield object_id

    def _path(self, item: PathItem, place: _Place) -> Iterator[int]:
        frame = _frame(item, place)
        if frame is None:
            return
        path, matrix = item.path, frame.matrix
        if item.matrix == IDENTITY and _is_plain(item.fill, item.stroke):
            path, matrix = transformed(path, matrix), IDENTITY
        object_id, node = self._object("PathObject", frame, matrix, place)
        places = places_for(matrix)
        node.set("Stroke", "true" if item.stroke else "false")
        node.set("Fill", "true" if item.fill else "false")
        if item.even_odd:
            node.set("Rule", "Even-Odd")
        self._pen(node, item.fill, item.stroke, places, order=("StrokeColor", "FillColor"))
        element(node, "AbbreviatedData", path_text(path, max(places - 1, 0)))
        yield object_id

    def _text(self, run: TextRun, place: _Place) -> Iterator[int]:
        item = run.item
        frame = _frame(item, place) if item.size > 0 else None
        if frame is None:
            return
        by, matrix = Point(0, 0), frame.matrix
        if item.matrix[:4] == IDENTITY[:4] and _is_plain(item.fill, item.stroke):
            by, matrix = Point(matrix.e, matrix.f), IDENTITY
        object_id, node = self._object("TextObject", frame, matrix, place)
        self._write_run(node, run, by, places_for(matrix))
        yield object_id

    def _image(self, item: ImageItem, place: _Place) -> Iterator[int]:
        frame = _frame(item, place)
        if frame is None:
            return
        object_id, node = self._object("ImageObject", frame, frame.matrix, place)
        node.set("ResourceID", str(self._resources.image(item.image.data)))
        if item.mask is not None:
            node.set("ImageMask", str(self._resources.image(item.mask.data)))
        yield object_id

    def _object(self, name: str, frame: _Frame, matrix: Matrix, place: _Place) -> tuple[int, Element]:
        object_id = self._next_id()
        box = frame.box
        seen = box._replace(x=box.x - place.offset.x, y=box.y - place.offset.y)
        node = element(place.parent, name, attributes={"ID": str(object_id), "Boundary": box_text(seen)})
        if matrix != IDENTITY:
            node.set("CTM", matrix_text(matrix))
        if place.alpha < 1:
            node.set("Alpha", str(round(place.alpha * 255)))
        undo = matrix.inverse()
        if frame.clips and undo is not None:
            holder = element(node, "Clips")
            for clip in frame.clips:
                target = element(holder, "Clip")
                for area in clip.areas:
                    self._write_area(target, area, box, undo)
        return object_id, node

    def _write_area(self, clip: Element, area: ClipArea, box: Box, undo: Matrix) -> None:
        shift = area.matrix.then(Matrix.translation(-box.x, -box.y))
        inside = f"0 0 {number(box.width)} {number(box.height)}"
        turned = {} if undo == IDENTITY else {"CTM": matrix_text(undo)}
        if area.text is None:
            node = element(clip, "Area", attributes=turned)
            figure = element(node, "Path", attributes={"Boundary": inside, "Stroke": "false", "Fill": "true"})
            if area.even_odd:
                figure.set("Rule", "Even-Odd")
            element(figure, "AbbreviatedData", path_text(transformed(area.path, shift)))
            return
        for run in text_runs(area.text):
            matrix = run.item.matrix.then(shift)
            node = element(clip, "Area", attributes=turned)
            text = element(node, "Text", attributes={"Boundary": inside, "CTM": matrix_text(matrix)})
            self._write_run(text, run, Point(0, 0), places_for(matrix))

    def _write_run(self, node: Element, run: TextRun, by: Point, places: int) -> None:
        """Font, size and characters; the colours stand between them."""
        item = run.item
        node.set("Font", str(self._resources.font(item.face, run.characters, run.named)))
        node.set("Size", number(item.size, places + 1))
        for name, value in _text_attributes(item).items():
            node.set(name, value)
        self._pen(node, item.fill, item.stroke, places, order=("FillColor", "StrokeColor"), dark_is_default=True)
        run.write(node, by, places)

    def _pen(
        self,
        node: Element,
        fill: Paint | None,
        stroke: Stroke | None,
        places: int,
        *,
        order: tuple[str, str],
        dark_is_default: bool = False,
    ) -> None:
        if stroke is not None:
            for name, value in stroke_attributes(stroke, places).items():
                node.set(name, value)
        for name in order:
            paint = fill if name == "FillColor" else stroke.paint if stroke else None
            if paint is None or (dark_is_default and name == "FillColor" and _is_black(paint)):
                continue
            write_paint(node, name, paint, places=places, draw_cell=self._draw_cell)

    def _draw_cell(self, cell: Element, items: tuple[Item, ...]) -> None:
        for item in items:
            self.draw(item, cell)


def stroke_attributes(stroke: Stroke, places: int) -> dict[str, str]:
    """The attributes of a pen, those of the default left out but for the width."""
    attributes = {"LineWidth": number(stroke.width, places + 1)}
    if stroke.cap is not Cap.BUTT:
        attributes["Cap"] = stroke.cap
    if stroke.join is not Join.MITER:
        attributes["Join"] = stroke.join
    elif stroke.miter_limit != _DEFAULT_MITER:
        attributes["MiterLimit"] = number(stroke.miter_limit)
    if stroke.dash:
        # Readers take the lengths in pairs, of a dash and a gap.
        pairs = stroke.dash * (1 + len(stroke.dash) % 2)
        attributes["DashPattern"] = " ".join(number(length, places + 1) for length in pairs)
        if stroke.dash_offset:
            attributes["DashOffset"] = number(stroke.dash_offset, places + 1)
    return attributes


def _text_attributes(item: TextItem) -> dict[str, str]:
    attributes: dict[str, str] = {}
    if item.stroke is not None:
        attributes["Stroke"] = "true"
    if item.fill is None:
        attributes["Fill"] = "false"
    if item.horizontal_scale != 1:
        attributes["HScale"] = number(item.horizontal_scale, 6)
    if item.char_direction % 360:
        attributes["CharDirection"] = str(item.char_direction % 360)
    if item.bold:
        attributes["Weight"] = "700"
    if item.italic:
        attributes["Italic"] = "true"
    return attributes


def _frame(item: Item, place: _Place) -> _Frame | None:
    """Where an item shows, if it does."""
    reach = item_box(item)
    matrix = IDENTITY if isinstance(item, Group) else item.matrix
    box = reach if reach is None or place.limit is None else intersection(reach, place.limit)
    if box is None or not matrix.determinant:
        return None
    clips = place.clips
    if place.limit is not None and box != reach:
        clips = (*clips, Clip(areas=(ClipArea(path=place.limit.path(), matrix=IDENTITY),)))
    box = outward(box)
    return _Frame(box=box, matrix=matrix.then(Matrix.translation(-box.x, -box.y)), clips=clips)


def _straightened(item: PathItem) -> PathItem:
    """The figure in the space of the page, where it looks the same there."""
    matrix = item.matrix
    if matrix == IDENTITY or not matrix.determinant or not _is_plain(item.fill, item.stroke):
        return item
    stroke = item.stroke
    if stroke is not None:
        scale = hypot(matrix.a, matrix.b)
        skew = abs(matrix.a * matrix.c + matrix.b * matrix.d) + abs(hypot(matrix.c, matrix.d) - scale)
        if skew > _EVEN * scale:
            return item
        dash = tuple(length * scale for length in stroke.dash)
        stroke = replace(stroke, width=stroke.width * scale, dash=dash, dash_offset=stroke.dash_offset * scale)
    return replace(item, path=transformed(item.path, matrix), matrix=IDENTITY, stroke=stroke)


def _is_plain(fill: Paint | None, stroke: Stroke | None) -> bool:
    """Whether all colours are plain ones, which have no place."""
    paints = (fill, stroke.paint if stroke else None)
    return all(paint is None or isinstance(paint, SolidPaint) for paint in paints)


def _is_black(paint: Paint) -> bool:
    return isinstance(paint, SolidPaint) and tuple(paint.color) == (0, 0, 0, 1)


def _commands(clip: Clip) -> int:
    return sum(len(area.path) + (len(area.text.glyphs) if area.text else 0) for area in clip.areas)


def _leaves(group: Group) -> int:
    return sum(_leaves(item) if isinstance(item, Group) else 1 for item in group.items)


def _blend_name(blend: BlendMode) -> str:
    return "".join(part.capitalize() for part in blend.split("-"))
