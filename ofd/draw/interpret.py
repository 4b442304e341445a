"""From the model to the scene: resources looked up, draw parameters and defaults resolved, everything placed.

Painting order (GB/T 33190-2016 §7.7): background templates, the page's layers, foreground templates, annotations; seals
are drawn above all that by :mod:`ofd.draw.seals`. Objects are clipped to their Boundary with a little slack, as readers
in the field do: figures and pictures by the width of a line, text by one em.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain

from ofd.draw.bounds import bounds_of_all
from ofd.draw.glyphs import lay_out
from ofd.draw.paints import BLACK, PaintMixer, with_alpha
from ofd.draw.scene import (
    BlendMode,
    Cap,
    Clip,
    ClipArea,
    Group,
    Image,
    ImageItem,
    Item,
    Join,
    Origin,
    OriginKind,
    Paint,
    PathItem,
    Scene,
    SolidPaint,
    Stroke,
    TextItem,
)
from ofd.fonts.library import FontLibrary, ResolvedFont
from ofd.geometry import IDENTITY, Box, Matrix
from ofd.model import objects as model
from ofd.model.colors import Color
from ofd.model.document import Document
from ofd.model.lookup import Lookup
from ofd.model.pages import Layer, Page
from ofd.model.path_data import parse_path
from ofd.model.resources import DrawParam, Media
from trustcore.errors import TrustError

__all__ = ["page_scene"]

_DEEPEST = 32
"""Nesting of blocks, composites and patterns."""
_MOST_OBJECTS = 500_000
"""Objects drawn for one page; composites may multiply them."""
_MOST_IMAGE_BYTES = 512 << 20
_MOST_WARNINGS = 200
_BOLD_FROM = 600
_HAIRLINE = 0.05
"""Millimetres: a line of width 0 is the thinnest there is."""
_LINE_WIDTH = 0.353
_MITER_LIMIT = 4.234
_SLACK = 0.1
"""Millimetres by which pictures, and figures of thin lines, may stand out of their Boundary."""
_FULL = 255.0
_LAYER_ORDER = {"background": 0, "foreground": 2}


def page_scene(
    document: Document,
    index: int,
    *,
    fonts: FontLibrary,
    annotations: bool = True,
    for_print: bool = False,
) -> Scene:
    """A page as it is painted, without seals.

    Args:
        document: where the page is.
        index: of the page, from 0.
        fonts: where fonts are found that are not embedded.
        annotations: whether annotations are drawn.
        for_print: leave out annotations that are not to be printed.

    Raises:
        NotFoundError: ``ofd.model.no-page``; ``ofd.font.not-installed`` without any font on this machine.
    """
    page = document.page(index)
    painter = _Painter(document, fonts)
    items = [*painter.templates(page, "background"), *painter.page(page, page, OriginKind.PAGE)]
    items += painter.templates(page, "foreground")
    if annotations:
        items += painter.annotations(page, for_print=for_print)
    return Scene(area=document.physical_box(page), items=tuple(items), warnings=tuple(painter.warnings))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Where objects are drawn: what surrounds them decides."""

    matrix: Matrix
    lookup: Lookup
    kind: OriginKind
    part: str
    inherited: tuple[DrawParam, ...] = ()
    """Draw parameters of the layer and of composites around, the nearest first."""
    object_id: str | None = None
    """Of the composite on the page that everything here comes from."""
    used: tuple[str, ...] = ()
    composites: frozenset[tuple[str, str]] = frozenset()
    depth: int = 0


class _Painter:
    """Draws the parts of one page."""

    def __init__(self, document: Document, fonts: FontLibrary) -> None:
        self._document = document
        self._fonts = fonts
        self._images: dict[str, Image] = {}
        self._image_bytes = 0
        self._objects = 0
        self.warnings: dict[str, None] = {}

    @property
    def default_space(self) -> str | None:
        """ID of the document's DefaultCS."""
        return self._document.default_color_space

    def page(self, page: Page, user: Page, kind: OriginKind) -> list[Item]:
        """The layers of a page or template."""
        lookup = self._document.lookup(*dict.fromkeys((page, user)))
        place = _Place(matrix=IDENTITY, lookup=lookup, kind=kind, part=page.part)
        if not page.part:
            self._warn(f"Page {page.id} is not in the package.")
        layers = sorted(page.layers, key=lambda layer: _LAYER_ORDER.get(layer.type.lower(), 1))
        return [item for layer in layers for item in self._layer(layer, place)]

    def templates(self, page: Page, order: str) -> list[Item]:
        """The templates of a page that lie behind or before it."""
        items: list[Item] = []
        for use in page.templates:
            found = self._document.template(use.template)
            if found is None:
                self._warn(f"The template {use.template} is missing.")
                continue
            link, template = found
            # Content of a page that is its own template would go on for ever; a template's templates are not drawn.
            if (use.z_order or link.z_order or "Background").lower() == order:
                items += self.page(template, page, OriginKind.TEMPLATE)
        return items

    def annotations(self, page: Page, *, for_print: bool) -> list[Item]:
        """The appearances of the page's annotations."""
        lookup = self._document.lookup(page)
        items: list[Item] = []
        for annotation in self._document.annotations(page.index):
            if not annotation.visible or (for_print and not annotation.print):
                continue
            box = annotation.boundary
            matrix = IDENTITY if box is None else Matrix.translation(box.x, box.y)
            place = _Place(
                matrix=matrix,
                lookup=lookup,
                kind=OriginKind.ANNOTATION,
                part=annotation.part,
                object_id=annotation.id,
            )
            items += self._draw_all(annotation.objects, place)
        return items

    def _layer(self, layer: Layer, place: _Place) -> Iterator[Item]:
        params = place.lookup.draw_params(layer.draw_param)
        if layer.draw_param and not params:
            self._warn(f"The draw parameter {layer.draw_param} is missing.")
        return iter(self._draw_all(layer.objects, replace(place, inherited=params)))

    def _draw_all(self, objects: Sequence[model.PageObject], place: _Place) -> list[Item]:
        if place.depth > _DEEPEST:
            self._warn("Objects are nested too deeply; the innermost are left out.")
            return []
        items: list[Item] = []
        for item in objects:
            self._objects += 1
            if self._objects > _MOST_OBJECTS:
                self._warn("The page has too many objects; the rest is left out.")
                break
            if isinstance(item, model.Block):
                items += self._draw_all(item.objects, replace(place, depth=place.depth + 1))
            elif item.visible:
                items += self._draw(item, place)
        return items

    def _draw(
        self,
        item: model.TextObject | model.PathObject | model.ImageObject | model.CompositeObject,
        place: _Place,
    ) -> list[Item]:
        unit = _Unit(self, item, place)
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

    def _text(self, item: model.TextObject, unit: "_Unit") -> list[Item]:
        if item.size <= 0:
            if item.text:
                self._warn(f"Text {item.id} has no size.")
            return []
        font = self._font(item, unit)
        fill, stroke = self._inks(unit, item, text=True)
        return [
            TextItem(
                face=font.face,
                size=item.size,
                glyphs=lay_out(item, font, self._fonts.fallback, self._warn),
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

    def _font(self, item: model.TextObject, unit: "_Unit") -> ResolvedFont:
        font = unit.place.lookup.font(item.font)
        bold, italic = (item.weight or 400) >= _BOLD_FROM, bool(item.italic)
        if font is None:
            self._warn(f"The font {item.font} is missing.")
            return self._fonts.resolve("", bold=bold, italic=italic)
        unit.used += [font.part, *([font.file] if font.file else [])]
        resolved = self._document.resolve_font(font, self._fonts, bold=bold, italic=italic)
        for warning in resolved.warnings:
            self._warn(f"{warning.en} ({warning.evidence.get('font', font.name)})")
        return resolved

    def _path(self, item: model.PathObject, unit: "_Unit") -> list[Item]:
        path, fault = parse_path(item.data)
        if fault:
            self._warn(f"Figure {item.id} has a {fault}.")
        fill, stroke = self._inks(unit, item, text=False)
        if not path or (fill is None and stroke is None):
            return []
        return [
            PathItem(
                path=path,
                matrix=unit.matrix,
                fill=fill,
                stroke=stroke,
                even_odd=_is_even_odd(item.rule),
                origin=unit.origin(),
            )
        ]

    def _inks(
        self, unit: "_Unit", item: model.TextObject | model.PathObject, *, text: bool
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

    def _image(self, item: model.ImageObject, unit: "_Unit") -> list[Item]:
        box = item.boundary
        matrix = unit.matrix
        if item.ctm is None:
            if box is None:
                self._warn(f"Picture {item.id} has no place.")
                return []
            matrix = Matrix.scaling(box.width, box.height).then(matrix)
        image = self._media(item.resource, unit) or (item.substitution and self._media(item.substitution, unit))
        mask = self._media(item.image_mask, unit) if item.image_mask else None
        items: list[Item] = []
        if image:
            items.append(ImageItem(image=image, mask=mask, matrix=matrix, origin=unit.origin()))
        else:
            self._warn(f"The picture {item.resource} is missing.")
        if item.border is not None and box is not None:
            items.append(self._border(item.border, box, unit))
        return items

    def _border(self, border: model.Border, box: Box, unit: "_Unit") -> Item:
        paint = None if border.color is None else unit.paint(border.color)
        return PathItem(
            path=_rounded(box.width, box.height, border.horizontal_radius, border.vertical_radius),
            matrix=unit.translation,
            stroke=Stroke(
                paint=paint or SolidPaint(color=BLACK),
                width=_LINE_WIDTH if border.line_width is None else max(border.line_width, _HAIRLINE),
                dash=_dash(border.dash_pattern),
                dash_offset=border.dash_offset or 0,
            ),
            origin=unit.origin(),
        )

    def _media(self, identifier: str, unit: "_Unit") -> Image | None:
        media: Media | None = unit.place.lookup.media(identifier)
        if media is None or media.file is None:
            return None
        unit.used += [media.part, media.file]
        if media.file not in self._images:
            try:
                data = self._document.files.read(media.file)
            except TrustError as error:
                self._warn(f"The picture {media.file} cannot be read: {error.code}.")
                return None
            self._image_bytes += len(data)
            if self._image_bytes > _MOST_IMAGE_BYTES:
                self._warn("The pictures of the page are too large; the rest is left out.")
                return None
            self._images[media.file] = Image(name=media.file, data=data)
        return self._images[media.file]

    def _composite(self, item: model.CompositeObject, unit: "_Unit") -> list[Item]:
        place = unit.place
        composite = place.lookup.composite(item.resource)
        if composite is None:
            self._warn(f"The composite {item.resource} is missing.")
            return []
        key = (composite.part, composite.id)
        if key in place.composites:
            self._warn(f"The composite {item.resource} holds itself.")
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

    def clips(self, clips: Sequence[model.Clip], unit: "_Unit") -> tuple[Clip, ...]:
        """The clips of an object."""
        outer = unit.matrix if unit.item.clips_follow else unit.translation
        found: list[Clip] = []
        for clip in clips:
            areas = tuple(area for item in clip.areas if (area := self._area(item, outer, unit)) is not None)
            if areas:
                found.append(Clip(areas=areas))
            else:
                self._warn(f"A clip of object {unit.item.id} has no area; it is left out.")
        return tuple(found)

    def _area(self, area: model.ClipArea, outer: Matrix, unit: "_Unit") -> ClipArea | None:
        shape = area.shape
        box = shape.boundary
        matrix = shape.ctm or IDENTITY
        if box is not None:
            matrix = matrix.then(Matrix.translation(box.x, box.y))
        matrix = matrix.then(area.ctm or IDENTITY).then(outer)
        if isinstance(shape, model.PathObject):
            path, _ = parse_path(shape.data)
            return ClipArea(path=path, matrix=matrix, even_odd=_is_even_odd(shape.rule)) if path else None
        if shape.size <= 0:
            return None
        font = self._font(shape, unit)
        text = TextItem(
            face=font.face,
            size=shape.size,
            glyphs=lay_out(shape, font, self._fonts.fallback, self._warn),
            matrix=matrix,
            horizontal_scale=shape.h_scale or 1,
            char_direction=shape.char_direction,
            bold=font.bold,
            italic=font.italic,
            fill=SolidPaint(color=BLACK),
            origin=unit.origin(),
        )
        return ClipArea(text=text, matrix=matrix)

    def cell(self, objects: Sequence[model.PageObject], place: _Place) -> tuple[Item, ...]:
        """The content of a pattern's cell, in the cell's own space."""
        return tuple(self._draw_all(objects, replace(place, matrix=IDENTITY, depth=place.depth + 1)))

    def _warn(self, sentence: str) -> None:
        if len(self.warnings) < _MOST_WARNINGS:
            self.warnings.setdefault(sentence)

    warn = _warn


class _Unit:
    """One object while it is drawn: its place, its draw parameters, and what it was drawn with."""

    def __init__(self, painter: _Painter, item: model.GraphicUnit, place: _Place) -> None:
        self.item = item
        self.place = place
        self.used: list[str] = []
        self._painter = painter
        box = item.boundary
        self.translation = place.matrix if box is None else Matrix.translation(box.x, box.y).then(place.matrix)
        self.matrix = self.translation if item.ctm is None else item.ctm.then(self.translation)
        own = place.lookup.draw_params(item.draw_param)
        if item.draw_param and not own:
            painter.warn(f"The draw parameter {item.draw_param} is missing.")
        self.params: tuple[DrawParam, ...] = own + place.inherited
        self.used += [param.part for param in self.params]
        self._alpha = 1.0 if item.alpha is None else min(max(item.alpha / _FULL, 0.0), 1.0)

    def origin(self) -> Origin:
        """Where what is drawn comes from."""
        place = self.place
        return Origin(
            kind=place.kind,
            part=place.part,
            object_id=self.item.id if place.object_id is None else place.object_id,
            used=tuple(dict.fromkeys((*place.used, *self.used))),
        )

    def paint(self, color: Color) -> Paint | None:
        """The paint of a colour of this object."""
        mixer = PaintMixer(
            lookup=self.place.lookup,
            default_space=self._painter.default_space,
            draw=lambda objects, _: self._painter.cell(objects, self.place),
            warn=self._painter.warn,
        )
        paint = mixer.paint(color)
        self.used += mixer.used
        return paint

    def fade(self, paint: Paint) -> Paint:
        """The object's Alpha put into the paint, where that can be."""
        faded = with_alpha(paint, self._alpha)
        if faded is None:
            return paint
        self._alpha = 1
        return faded

    @property
    def line_width(self) -> float:
        """LineWidth."""
        width = self._first(self.item.line_width, "line_width")
        return _LINE_WIDTH if width is None else max(width, _HAIRLINE)

    def stroke(self, paint: Paint) -> Stroke:
        """The pen."""
        item = self.item
        cap = item.cap or next((p.cap for p in self.params if p.cap), None)
        join = item.join or next((p.join for p in self.params if p.join), None)
        dash = item.dash_pattern
        if dash is None:
            dash = next((p.dash_pattern for p in self.params if p.dash_pattern is not None), None)
        miter = self._first(item.miter_limit, "miter_limit")
        return Stroke(
            paint=paint,
            width=self.line_width,
            cap=next((member for member in Cap if member.lower() == (cap or "").lower()), Cap.BUTT),
            join=next((member for member in Join if member.lower() == (join or "").lower()), Join.MITER),
            miter_limit=_MITER_LIMIT if miter is None else max(miter, 1.0),
            dash=_dash(dash),
            dash_offset=self._first(item.dash_offset, "dash_offset") or 0,
        )

    def finish(self, drawn: list[Item], slack: float) -> list[Item]:
        """What was drawn, in a group when it is clipped, see-through or blended as a whole."""
        if not drawn:
            return drawn
        clips = [*self._boundary_clip(drawn, slack)]
        if self.item.clips:
            clips += self._painter.clips(self.item.clips, self)
        blend = next((mode for mode in BlendMode if mode == _plain(self.item.blend_mode)), BlendMode.NORMAL)
        if not clips and self._alpha == 1 and blend is BlendMode.NORMAL:
            return drawn
        group = Group(items=tuple(drawn), clips=tuple(clips), alpha=self._alpha, blend=blend, origin=self.origin())
        return [group]

    def _boundary_clip(self, drawn: Sequence[Item], slack: float) -> Iterator[Clip]:
        box = self.item.boundary
        ink = bounds_of_all(drawn)
        scale = self.place.matrix.scale
        if box is None or ink is None or not scale:
            return
        margin = slack / scale
        limit = Box(-margin, -margin, box.width + 2 * margin, box.height + 2 * margin)
        reach = self.translation.box(limit)
        upright = not (self.translation.b or self.translation.c)
        inside = reach.x <= ink.x and reach.y <= ink.y and ink.right <= reach.right and ink.bottom <= reach.bottom
        if not (upright and inside):
            yield Clip(areas=(ClipArea(path=limit.path(), matrix=self.translation),))

    def _first(self, own: float | None, name: str) -> float | None:
        """What the object says, or the nearest of its draw parameters."""
        if own is not None:
            return own
        values: chain[float | None] = chain(getattr(param, name) for param in self.params)
        return next((value for value in values if value is not None), None)


def _dash(pattern: Sequence[float] | None) -> tuple[float, ...]:
    """A dash pattern; one that would draw nothing, or for ever, is none."""
    if not pattern or min(pattern) < 0 or sum(pattern) <= 0:
        return ()
    return tuple(pattern)


def _is_even_odd(rule: str | None) -> bool:
    return (rule or "").replace("-", "").lower() == "evenodd"


def _plain(mode: str | None) -> str:
    """A blend mode as CSS names it: ``ColorDodge`` and ``color_dodge`` are ``color-dodge``."""
    if not mode:
        return BlendMode.NORMAL
    text = mode.strip().replace("_", "").replace("-", "").replace(" ", "").lower()
    return next((member.value for member in BlendMode if member.value.replace("-", "") == text), BlendMode.NORMAL)


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
