"""From the model to the scene: resources looked up, draw parameters and defaults resolved, everything placed.

Painting order (GB/T 33190-2016 §7.7): background templates, the page's layers, foreground templates, annotations; seals
are drawn above all that by :mod:`ofd.draw.seals`. Objects are clipped to their Boundary with a little slack, as readers
in the field do: figures and pictures by the width of a line, text by one em.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from ofd.draw.glyphs import lay_out
from ofd.draw.paints import BLACK
from ofd.draw.scene import (
    Clip,
    ClipArea,
    Image,
    ImageItem,
    Item,
    OriginKind,
    Paint,
    PathItem,
    Scene,
    SolidPaint,
    Stroke,
    TextItem,
)
from ofd.draw.units import LINE_WIDTH, Place, Unit, dash_of, is_even_odd
from ofd.fonts.library import FontLibrary, ResolvedFont
from ofd.geometry import IDENTITY, Box, Matrix
from ofd.model import objects as model
from ofd.model.document import Document
from ofd.model.pages import Layer, Page
from ofd.model.path_data import parse_path
from ofd.model.resources import Media
from trustcore.errors import TrustError

__all__ = ["MOST_OBJECTS", "page_scene"]

_DEEPEST = 32
"""Nesting of blocks, composites and patterns."""
MOST_OBJECTS = 500_000
"""Objects drawn for one page."""
_MOST_GLYPHS = 250_000
"""Characters and glyphs drawn for one page; the densest pages of books have ten thousand."""
_MOST_IMAGE_BYTES = 512 << 20
_MOST_WARNINGS = 200
_BOLD_FROM = 600
_SLACK = 0.1
"""Millimetres by which pictures, and figures of thin lines, may stand out of their Boundary."""
_LAYER_ORDER = {"background": 0, "foreground": 2}


def page_scene(
    document: Document,
    index: int,
    *,
    fonts: FontLibrary,
    annotations: bool = True,
    for_print: bool = False,
    text_only: bool = False,
    most_objects: int = MOST_OBJECTS,
) -> Scene:
    """A page as it is painted, without seals.

    Templates that a template names are not drawn: only a page's own templates belong to it (GB/T 33190-2016 §7.7).

    Args:
        document: where the page is.
        index: of the page, from 0.
        fonts: where fonts are found that are not embedded.
        annotations: whether annotations are drawn.
        for_print: leave out annotations that are not to be printed.
        text_only: leave out figures and pictures, which are then not even read.
        most_objects: what comes after so many objects is left out, with a warning; composites may multiply them, and
            deeply nested ones count several times.

    Raises:
        NotFoundError: ``ofd.model.no-page``; ``ofd.font.not-installed`` without any font on this machine.
    """
    page = document.page(index)
    painter = _Painter(document, fonts, text_only=text_only, most_objects=most_objects)
    items = [*painter.templates(page, "background"), *painter.page(page, page, OriginKind.PAGE)]
    items += painter.templates(page, "foreground")
    if annotations:
        items += painter.annotations(page, for_print=for_print)
    return Scene(area=document.physical_box(page), items=tuple(items), warnings=tuple(painter.warnings))


class _Painter:
    """Draws the parts of one page."""

    def __init__(self, document: Document, fonts: FontLibrary, *, text_only: bool, most_objects: int) -> None:
        self._text_only = text_only
        self._document = document
        self._fonts = fonts
        self._images: dict[str, Image] = {}
        self._image_bytes = 0
        self._objects = 0
        self._glyphs = 0
        self._most_objects = most_objects
        self.warnings: dict[str, None] = {}

    @property
    def default_space(self) -> str | None:
        """ID of the document's DefaultCS."""
        return self._document.default_color_space

    def read(self, name: str) -> bytes:
        """The content of an entry."""
        return self._document.files.read(name)

    def page(self, page: Page, user: Page, kind: OriginKind) -> list[Item]:
        """The layers of a page or template."""
        lookup = self._document.lookup(*dict.fromkeys((page, user)))
        place = Place(matrix=IDENTITY, lookup=lookup, kind=kind, part=page.part)
        if not page.readable:
            self.warn(f"Page {page.id} is missing or cannot be read.")
        layers = sorted(page.layers, key=lambda layer: _LAYER_ORDER.get(layer.type.lower(), 1))
        return [item for layer in layers for item in self._layer(layer, place)]

    def templates(self, page: Page, order: str) -> list[Item]:
        """The templates of a page that lie behind or before it."""
        items: list[Item] = []
        for use in page.templates:
            found = self._document.template(use.template)
            if found is None:
                self.warn(f"The template {use.template} is missing.")
                continue
            link, template = found
            if (use.z_order or link.z_order or "Background").lower() == order:
                items += self.page(template, page, OriginKind.TEMPLATE)
        return items

    def annotations(self, page: Page, *, for_print: bool) -> list[Item]:
        """The appearances of the page's annotations."""
        lookup = self._document.lookup(page)
        listed_in = self._document.linked_parts.get("Annotations")
        items: list[Item] = []
        for annotation in self._document.annotations(page.index):
            if not annotation.visible or (for_print and not annotation.print):
                continue
            box = annotation.boundary
            matrix = IDENTITY if box is None else Matrix.translation(box.x, box.y)
            place = Place(
                matrix=matrix,
                lookup=lookup,
                kind=OriginKind.ANNOTATION,
                part=annotation.part,
                object_id=annotation.id,
                used=() if listed_in is None else (listed_in,),
            )
            items += self._draw_all(annotation.objects, place)
        return items

    def _layer(self, layer: Layer, place: Place) -> Iterator[Item]:
        params = place.lookup.draw_params(layer.draw_param)
        if layer.draw_param and not params:
            self.warn(f"The draw parameter {layer.draw_param} is missing.")
        return iter(self._draw_all(layer.objects, replace(place, inherited=params)))

    def _draw_all(self, objects: Sequence[model.PageObject], place: Place) -> list[Item]:
        if place.depth > _DEEPEST:
            self.warn("Objects are nested too deeply; the innermost are left out.")
            return []
        items: list[Item] = []
        for item in objects:
            # An object takes the more work the deeper it is nested: every composite around it looks how far it reaches.
            self._objects += max(1, place.depth - 1)
            if self._objects > self._most_objects:
                self.warn("The page has too many objects; the rest is left out.")
                break
            if isinstance(item, model.Block):
                items += self._draw_all(item.objects, replace(place, depth=place.depth + 1))
            elif item.visible and not (self._text_only and isinstance(item, model.PathObject | model.ImageObject)):
                items += self._draw(item, place)
        return items

    def _draw(
        self,
        item: model.TextObject | model.PathObject | model.ImageObject | model.CompositeObject,
        place: Place,
    ) -> list[Item]:
        unit = Unit(self, item, place)
        if not unit.is_drawable:
            self.warn(f"Object {item.id} is stretched to nothing or beyond all bounds.")
            return []
        match item:
            case model.TextObject():
                drawn: list[Item] = self._text(item, unit)
                slack = item.size * unit.matrix.scale
            case model.PathObject():
                drawn = self._path(item, unit)
                slack = max(unit.line_width * unit.matrix.scale, _SLACK)
            case model.ImageObject():
                drawn = self._image(item, unit)
                slack = _SLACK
            case model.CompositeObject():
                drawn = self._composite(item, unit)
                slack = _SLACK
        return unit.finish(drawn, slack)

    def _text(self, item: model.TextObject, unit: Unit) -> list[Item]:
        if item.size <= 0:
            if item.text:
                self.warn(f"Text {item.id} has no size.")
            return []
        if not self._has_room_for(item):
            return []
        font = self._font(item, unit)
        fill: Paint | None = None
        stroke: Stroke | None = None
        if not self._text_only:
            fill, stroke = self._inks(unit, item, text=True)
        return [
            TextItem(
                face=font.face,
                size=item.size,
                glyphs=lay_out(item, font, self._fonts.fallback, self.warn),
                matrix=unit.matrix,
                horizontal_scale=item.h_scale or 1,
                char_direction=item.char_direction,
                bold=font.bold,
                italic=font.italic,
                fill=fill,
                stroke=stroke,
                origin=unit.origin(),
            )
        ]

    def _has_room_for(self, item: model.TextObject) -> bool:
        """Whether the page may have this text too."""
        self._glyphs += sum(len(code.text) + sum(len(run.glyphs) for run in code.glyph_runs) for code in item.codes)
        if self._glyphs > _MOST_GLYPHS:
            self.warn("The page has too many characters; the rest is left out.")
            return False
        return True

    def _font(self, item: model.TextObject, unit: Unit) -> ResolvedFont:
        font = unit.place.lookup.font(item.font)
        bold, italic = (item.weight or 400) >= _BOLD_FROM, bool(item.italic)
        if font is None:
            self.warn(f"The font {item.font} is missing.")
            return self._fonts.resolve("", bold=bold, italic=italic)
        unit.used += [font.part, *([font.file] if font.file else [])]
        resolved = self._document.resolve_font(font, self._fonts, bold=bold, italic=italic)
        for warning in resolved.warnings:
            self.warn(f"{warning.en} ({warning.evidence.get('font', font.name)})")
        return resolved

    def _path(self, item: model.PathObject, unit: Unit) -> list[Item]:
        path, fault = parse_path(item.data)
        if fault:
            self.warn(f"Figure {item.id} has a {fault}.")
        fill, stroke = self._inks(unit, item, text=False)
        if not path or (fill is None and stroke is None):
            return []
        return [
            PathItem(
                path=path,
                matrix=unit.matrix,
                fill=fill,
                stroke=stroke,
                even_odd=is_even_odd(item.rule),
                origin=unit.origin(),
            )
        ]

    def _inks(
        self, unit: Unit, item: model.TextObject | model.PathObject, *, text: bool
    ) -> tuple[Paint | None, Stroke | None]:
        """Fill and stroke. A text is filled in black, a figure stroked in black, when nothing else is written."""
        fill: Paint | None = None
        stroke: Paint | None = None
        if item.fill if item.fill is not None else text:
            color = item.fill_color or next((p.fill_color for p in unit.params if p.fill_color is not None), None)
            fill = (SolidPaint(color=BLACK) if text else None) if color is None else unit.paint(color)
        if item.stroke if item.stroke is not None else not text:
            color = item.stroke_color or next((p.stroke_color for p in unit.params if p.stroke_color is not None), None)
            stroke = (None if text else SolidPaint(color=BLACK)) if color is None else unit.paint(color)
        if fill is None or stroke is None:
            fill, stroke = (None if paint is None else unit.fade(paint) for paint in (fill, stroke))
        return fill, None if stroke is None else unit.stroke(stroke)

    def _image(self, item: model.ImageObject, unit: Unit) -> list[Item]:
        box = item.boundary
        matrix = unit.matrix
        if item.ctm is None:
            if box is None:
                self.warn(f"Picture {item.id} has no place.")
                return []
            matrix = Matrix.scaling(box.width, box.height).then(matrix)
        image = self._media(item.resource, unit) or (item.substitution and self._media(item.substitution, unit))
        mask = self._media(item.image_mask, unit) if item.image_mask else None
        items: list[Item] = []
        if image:
            items.append(ImageItem(image=image, mask=mask, matrix=matrix, origin=unit.origin()))
        else:
            self.warn(f"The picture {item.resource} is missing.")
        if item.border is not None and box is not None:
            items.append(self._border(item.border, box, unit))
        return items

    def _border(self, border: model.Border, box: Box, unit: Unit) -> Item:
        paint = None if border.color is None else unit.paint(border.color)
        return PathItem(
            path=_rounded(box.width, box.height, border.horizontal_radius, border.vertical_radius),
            matrix=unit.translation,
            stroke=Stroke(
                paint=paint or SolidPaint(color=BLACK),
                width=LINE_WIDTH if border.line_width is None else max(border.line_width, 0.0),
                dash=dash_of(border.dash_pattern),
                dash_offset=border.dash_offset or 0,
            ),
            origin=unit.origin(),
        )

    def _media(self, identifier: str, unit: Unit) -> Image | None:
        media: Media | None = unit.place.lookup.media(identifier)
        if media is None or media.file is None:
            return None
        unit.used += [media.part, media.file]
        if media.file not in self._images:
            try:
                data = self._document.files.read(media.file)
            except TrustError as error:
                self.warn(f"The picture {media.file} cannot be read: {error.code}.")
                return None
            self._image_bytes += len(data)
            if self._image_bytes > _MOST_IMAGE_BYTES:
                self.warn("The pictures of the page are too large; the rest is left out.")
                return None
            self._images[media.file] = Image(name=media.file, data=data)
        return self._images[media.file]

    def _composite(self, item: model.CompositeObject, unit: Unit) -> list[Item]:
        place = unit.place
        composite = place.lookup.composite(item.resource)
        if composite is None:
            self.warn(f"The composite {item.resource} is missing.")
            return []
        key = (composite.part, composite.id)
        if key in place.composites:
            self.warn(f"The composite {item.resource} holds itself.")
            return []
        unit.used.append(composite.part)
        inner = replace(
            place,
            matrix=unit.matrix,
            inherited=unit.params,
            object_id=place.object_id if place.object_id is not None else item.id,
            used=(*place.used, *unit.used),
            composites=place.composites | {key},
            depth=place.depth + 1,
        )
        return self._draw_all(composite.objects, inner)

    def clips(self, clips: Sequence[model.Clip], unit: Unit) -> tuple[Clip, ...]:
        """The clips of an object."""
        outer = unit.matrix if unit.item.clips_follow else unit.translation
        found: list[Clip] = []
        for clip in clips:
            areas = tuple(area for item in clip.areas if (area := self._area(item, outer, unit)) is not None)
            if areas:
                found.append(Clip(areas=areas))
            else:
                self.warn(f"A clip of object {unit.item.id} has no area; it is left out.")
        return tuple(found)

    def _area(self, area: model.ClipArea, outer: Matrix, unit: Unit) -> ClipArea | None:
        shape = area.shape
        box = shape.boundary
        matrix = shape.ctm or IDENTITY
        if box is not None:
            matrix = matrix.then(Matrix.translation(box.x, box.y))
        matrix = matrix.then(area.ctm or IDENTITY).then(outer)
        if isinstance(shape, model.PathObject):
            path, _ = parse_path(shape.data)
            return ClipArea(path=path, matrix=matrix, even_odd=is_even_odd(shape.rule)) if path else None
        if shape.size <= 0 or not self._has_room_for(shape):
            return None
        font = self._font(shape, unit)
        text = TextItem(
            face=font.face,
            size=shape.size,
            glyphs=lay_out(shape, font, self._fonts.fallback, self.warn),
            matrix=matrix,
            horizontal_scale=shape.h_scale or 1,
            char_direction=shape.char_direction,
            bold=font.bold,
            italic=font.italic,
            fill=SolidPaint(color=BLACK),
            origin=unit.origin(),
        )
        return ClipArea(text=text, matrix=IDENTITY)

    def cell(self, objects: Sequence[model.PageObject], place: Place) -> tuple[Item, ...]:
        """The content of a pattern's cell, in the cell's own space."""
        return tuple(self._draw_all(objects, replace(place, matrix=IDENTITY, depth=place.depth + 1)))

    def warn(self, sentence: str) -> None:
        """Note what cannot be drawn as written."""
        if len(self.warnings) < _MOST_WARNINGS:
            self.warnings.setdefault(sentence)


def _rounded(width: float, height: float, across: float, down: float) -> tuple[tuple[str, tuple[float, ...]], ...]:
    """A rectangle with elliptic corners."""
    rx, ry = min(max(across, 0), width / 2), min(max(down, 0), height / 2)
    if not rx or not ry:
        return Box(0, 0, width, height).path()
    k = 0.44772
    return (
        ("M", (rx, 0)),
        ("L", (width - rx, 0)),
        ("C", (width - rx * k, 0, width, ry * k, width, ry)),
        ("L", (width, height - ry)),
        ("C", (width, height - ry * k, width - rx * k, height, width - rx, height)),
        ("L", (rx, height)),
        ("C", (rx * k, height, 0, height - ry * k, 0, height - ry)),
        ("L", (0, ry)),
        ("C", (0, ry * k, rx * k, 0, rx, 0)),
        ("Z", ()),
    )
