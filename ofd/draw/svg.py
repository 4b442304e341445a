"""Scenes as SVG: glyphs as outlines, so that a page looks the same everywhere, and over them text to search and select.

The picture needs nothing from outside: no fonts, no files, no scripts. What SVG cannot say (meshes of triangles,
circles that lie outside each other) is drawn into the picture as pixels.
"""

import base64
from collections.abc import Iterator, Sequence
from dataclasses import replace
from html import escape
from math import cos, hypot, isfinite, radians, sin

from PIL import ImageChops

from ofd.draw.gradient import unrolled_stops, without_eccentricity
from ofd.draw.images import decode, to_png, web_picture
from ofd.draw.pdf_paint import mirrored_cells
from ofd.draw.png import to_picture
from ofd.draw.scene import (
    AxialPaint,
    BlendMode,
    Cap,
    Clip,
    Color,
    Extend,
    Group,
    Image,
    ImageItem,
    Item,
    Join,
    MeshPaint,
    OriginKind,
    Paint,
    PathItem,
    PatternPaint,
    RadialPaint,
    Scene,
    SolidPaint,
    Stop,
    Stroke,
    TextItem,
)
from ofd.fonts.faces import FontFace
from ofd.geometry import IDENTITY, Box, Matrix, PathCommand, Point
from trustcore.errors import TrustError

__all__ = ["to_svg"]

_MOST_NESTED = 64
_PIXELS_PER_MM = 300 / 25.4
_BOLDER, _SLANT = 0.015, 0.21


def to_svg(scene: Scene, *, title: str = "", prefix: str = "", text: bool = True) -> str:
    """A page as one SVG element.

    Args:
        scene: the page.
        title: told to screen readers.
        prefix: begins every ``id``, for several pages in one HTML document.
        text: put invisible text over the glyphs, to be searched, selected and read out.
    """
    writer = _SvgWriter(prefix, text=text, area=scene.area)
    body = "".join(writer.items(scene.items))
    area = scene.area
    role = ' role="img"' if title else ""
    shown = f"<title>{_text(title)}</title>" if title else ""
    defs = f"<defs>{''.join(writer.defs)}</defs>" if writer.defs else ""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_n(area.width)}mm" height="{_n(area.height)}mm" '
        f'viewBox="{" ".join(_n(value) for value in area)}" style="isolation:isolate"{role}>'
        f"{shown}{defs}{body}</svg>"
    )


class _SvgWriter:
    def __init__(self, prefix: str, *, text: bool, area: Box) -> None:
        self._prefix = prefix
        self._selectable = text
        self._area = area
        self._depth = 0
        self._count = 0
        self.defs: list[str] = []
        self._glyphs: dict[tuple[int, int], str | None] = {}
        self._images: dict[tuple[str, int, str], str | None] = {}
        self._paints: dict[tuple[Paint, Matrix], str] = {}

    def items(self, items: Sequence[Item]) -> Iterator[str]:
        for item in items:
            try:
                match item:
                    case PathItem():
                        yield self._path(item)
                    case TextItem():
                        yield from self._text(item)
                    case ImageItem():
                        yield self._image(item)
                    case Group():
                        yield from self._group(item)
            except TrustError:
                continue

    def _id(self, kind: str) -> str:
        self._count += 1
        return f"{self._prefix}{kind}{self._count}"

    # Paths and paints

    def _path(self, item: PathItem) -> str:
        if not item.path or not item.matrix.determinant or not (item.fill or item.stroke):
            return ""
        if _beyond_svg(item.fill) or (item.stroke and _beyond_svg(item.stroke.paint)):
            return self._as_picture(item, _reach(item.path, item.matrix, item.stroke))
        rule = ' fill-rule="evenodd"' if item.even_odd else ""
        return f'<path d="{_d(item.path)}"{_transform(item.matrix)}{rule}{self._look(item)}/>'

    def _look(self, item: PathItem | TextItem) -> str:
        parts = [self._paint("fill", item.fill, item.matrix)]
        if item.stroke:
            parts += [self._paint("stroke", item.stroke.paint, item.matrix), _pen(item.stroke)]
        return "".join(parts)

    def _paint(self, attribute: str, paint: Paint | None, matrix: Matrix) -> str:
        match paint:
            case None:
                return f' {attribute}="none"'
            case SolidPaint():
                opacity = f' {attribute}-opacity="{_n(paint.color[3])}"' if paint.color[3] < 1 else ""
                if attribute == "fill" and paint.color[:3] == (0, 0, 0):
                    return opacity
                return f' {attribute}="{_hex(paint.color)}"{opacity}'
            case _:
                return f' {attribute}="url(#{self._server(paint, matrix)})"'

    def _server(self, paint: Paint, matrix: Matrix) -> str:
        own = matrix if isinstance(paint, PatternPaint) and paint.relative_to_page else IDENTITY
        key = (paint, own)
        if key not in self._paints:
            name = self._id("p")
            match paint:
                case AxialPaint():
                    ends = zip(("x1", "y1", "x2", "y2"), (*paint.start, *paint.end), strict=True)
                    self._gradient("linearGradient", name, dict(ends), paint, IDENTITY)
                case RadialPaint():
                    self._radial(name, paint)
                case PatternPaint():
                    self._pattern(name, paint, own)
                case SolidPaint() | MeshPaint():
                    raise AssertionError
            self._paints[key] = name
        return self._paints[key]

    def _radial(self, name: str, paint: RadialPaint) -> None:
        matrix, start, end = without_eccentricity(paint)
        small, large = max(paint.start_radius, 0.0), max(paint.end_radius, 0.0)
        if small > large:
            turned = tuple(replace(stop, position=1 - stop.position) for stop in reversed(unrolled_stops(paint)))
            swapped = {Extend.START: Extend.END, Extend.END: Extend.START}
            extend = swapped.get(paint.extend, paint.extend)
            paint = replace(paint, stops=turned, extend=extend, map_unit=None)
            start, end, small, large = end, start, large, small
        values = {"fx": start.x, "fy": start.y, "fr": small, "cx": end.x, "cy": end.y, "r": large}
        self._gradient("radialGradient", name, values, paint, matrix)

    def _gradient(
        self, kind: str, name: str, values: dict[str, float], paint: AxialPaint | RadialPaint, matrix: Matrix
    ) -> None:
        stops = list(unrolled_stops(paint))
        nothing = Color.of(0, 0, 0, 0)
        if paint.extend in {Extend.NONE, Extend.END} and not (kind == "radialGradient" and not values["fr"]):
            stops.insert(0, Stop(position=0, color=nothing))
        if paint.extend in {Extend.NONE, Extend.START}:
            stops.append(Stop(position=1, color=nothing))
        shown = "".join(_stop(stop) for stop in stops)
        places = "".join(f' {key}="{_g(value)}"' for key, value in values.items())
        turned = _transform(matrix, "gradientTransform")
        self.defs.append(f'<{kind} id="{name}" gradientUnits="userSpaceOnUse"{places}{turned}>{shown}</{kind}>')

    def _pattern(self, name: str, paint: PatternPaint, own: Matrix) -> None:
        box, x_step, y_step, cells = mirrored_cells(paint)
        matrix = paint.matrix.then(own.inverse() or IDENTITY)
        self._depth += 1
        inner = "".join(self.items(paint.cell)) if self._depth < _MOST_NESTED else ""
        self._depth -= 1
        if len(cells) > 1:
            cell = self._id("c")
            self.defs.append(f'<g id="{cell}">{inner}</g>')
            inner = "".join(f'<use href="#{cell}"{_transform(place)}/>' for place in cells)
        self.defs.append(
            f'<pattern id="{name}" patternUnits="userSpaceOnUse" x="{_g(box.x)}" y="{_g(box.y)}" '
            f'width="{_g(abs(x_step))}" height="{_g(abs(y_step))}"{_transform(matrix, "patternTransform")}>'
            f"{inner}</pattern>"
        )

    # Text

    def _text(self, item: TextItem) -> Iterator[str]:
        if not item.matrix.determinant or not item.size or not item.horizontal_scale:
            return
        solid = item.fill is None or isinstance(item.fill, SolidPaint)
        if item.fill and solid and not item.stroke and not item.bold:
            yield from self._glyph_uses(item)
        elif item.fill or item.stroke:
            yield self._glyph_path(item)
        if self._selectable and self._depth < _MOST_NESTED:
            yield _selectable(item)

    def _glyph_uses(self, item: TextItem) -> Iterator[str]:
        """Glyphs in units of their font, so that each only has to say where it stands."""
        yield f"<g{_transform(item.matrix)}{self._paint('fill', item.fill, item.matrix)}>"
        now: Matrix | None = None
        for matrix, face, index in _placed(item):
            name = self._glyph(face, index)
            if not name:
                continue
            units = 1 / face.units_per_em
            upright = Matrix(*matrix[:4]).then(Matrix.scaling(units, units))
            if upright != now:
                yield ("</g>" if now else "") + f"<g{_transform(upright)}>"
                now = upright
            back = upright.inverse()
            place = back.apply(matrix.e, matrix.f) if back else Point(0, 0)
            yield f'<use href="#{name}" x="{_u(place.x)}" y="{_u(place.y)}"/>'
        yield "</g>" * (2 if now else 1)

    def _glyph_path(self, item: TextItem) -> str:
        path = tuple(_outlines(item))
        stroke = item.stroke
        if item.bold and item.fill and not stroke:
            stroke = Stroke(paint=item.fill, width=item.size * _BOLDER, join=Join.ROUND)
        origin = item.origin
        return self._path(PathItem(path=path, matrix=item.matrix, fill=item.fill, stroke=stroke, origin=origin))

    def _glyph(self, face: FontFace, index: int) -> str | None:
        key = (id(face), index)
        if key not in self._glyphs:
            outline = face.outline(index)
            name = None
            if outline:
                name = self._id("g")
                units = face.units_per_em
                d = _d([(op, tuple(float(round(value * units, 1)) for value in values)) for op, values in outline])
                self.defs.append(f'<path id="{name}" d="{d}"/>')
            self._glyphs[key] = name
        return self._glyphs[key]

    # Images

    def _image(self, item: ImageItem) -> str:
        if not item.matrix.determinant:
            return ""
        key = (item.image.name, len(item.image.data), item.mask.name if item.mask else "")
        if key not in self._images:
            self._images[key] = None
            name = self._id("i")
            media_type, data = _masked(item.image, item.mask)
            self.defs.append(
                f'<image id="{name}" width="1" height="1" preserveAspectRatio="none" '
                f'style="image-orientation:none" href="{_data_url(media_type, data)}"/>'
            )
            self._images[key] = name
        found = self._images[key]
        return f'<use href="#{found}"{_transform(item.matrix)}/>' if found else ""

    def _as_picture(self, item: PathItem, box: Box) -> str:
        """An item as pixels, where SVG has no words for it."""
        box = _within(box, self._area) if self._depth == 0 else box
        if box.width <= 0 or box.height <= 0:
            return ""
        longest = max(box.width, box.height) * _PIXELS_PER_MM
        dpi = 300 * min(1, 4000 / longest)
        picture = to_picture(Scene(area=box, items=(item,)), dpi=dpi, background=None)
        url = _data_url("image/png", to_png(picture))
        place = f'x="{_g(box.x)}" y="{_g(box.y)}" width="{_g(box.width)}" height="{_g(box.height)}"'
        return f'<image {place} preserveAspectRatio="none" href="{url}"/>'

    # Groups

    def _group(self, group: Group) -> Iterator[str]:
        if self._depth >= _MOST_NESTED:
            return
        look = ""
        if group.alpha < 1:
            look += f' opacity="{_n(group.alpha)}"'
        if group.blend is not BlendMode.NORMAL:
            look += f' style="mix-blend-mode:{group.blend}"'
        if group.origin.kind in {OriginKind.SEAL, OriginKind.ANNOTATION}:
            look += f' data-kind="{group.origin.kind}" data-id="{escape(group.origin.object_id)}"'
        yield f"<g{look}>"
        for clip in group.clips:
            yield f'<g clip-path="url(#{self._clip(clip)})">'
        self._depth += 1
        yield from self.items(group.items)
        self._depth -= 1
        yield "</g>" * (len(group.clips) + 1)

    def _clip(self, clip: Clip) -> str:
        name = self._id("k")
        parts: list[str] = []
        for area in clip.areas:
            matrix = area.text.matrix.then(area.matrix) if area.text else area.matrix
            path = tuple(_outlines(area.text)) if area.text else area.path
            rule = ' clip-rule="evenodd"' if area.even_odd else ""
            parts.append(f'<path d="{_d(path)}"{_transform(matrix)}{rule}/>')
        self.defs.append(f'<clipPath id="{name}">{"".join(parts)}</clipPath>')
        return name


def _placed(item: TextItem) -> Iterator[tuple[Matrix, FontFace, int]]:
    """Each glyph that can be drawn, with the matrix from its em square (y upward) to the item's space."""
    slant = item.size * _SLANT if item.italic else 0.0
    upright = Matrix(item.size * item.horizontal_scale, 0, slant, -item.size, 0, 0)
    turn = radians(item.char_direction % 360)
    if turn:
        upright = upright.then(Matrix(cos(turn), sin(turn), -sin(turn), cos(turn)))
    for glyph in item.glyphs:
        if glyph.index > 0:
            yield upright.then(Matrix.translation(glyph.x, glyph.y)), glyph.face or item.face, glyph.index


def _outlines(item: TextItem) -> Iterator[PathCommand]:
    """All glyphs of a text as one path in the item's space."""
    for matrix, face, index in _placed(item):
        for operator, values in face.outline(index):
            points = (matrix.apply(*values[at : at + 2]) for at in range(0, len(values), 2))
            yield operator, tuple(value for point in points for value in point)


def _selectable(item: TextItem) -> str:
    """The characters, invisible, each where its glyph is."""
    shown = [glyph for glyph in item.glyphs if glyph.text and not _is_control(glyph.text)]
    if not shown:
        return ""
    spans: list[str] = []
    run: list[tuple[float, str]] = []

    def close(y: float) -> None:
        if run:
            places = " ".join(_n(x) for x, _ in run)
            spans.append(f'<tspan x="{places}" y="{_n(y)}">{_text("".join(char for _, char in run))}</tspan>')
            run.clear()

    line = shown[0].y
    for glyph in shown:
        lone = len(glyph.text) != 1 or ord(glyph.text) > 0xFFFF
        if glyph.y != line or lone:
            close(line)
            line = glyph.y
        run.append((glyph.x, glyph.text))
        if lone:
            close(line)
    close(line)
    return (
        f'<text{_transform(item.matrix)} font-size="{_n(item.size)}" font-family="serif" fill="none" '
        f'pointer-events="all" style="white-space:pre">{"".join(spans)}</text>'
    )


def _is_control(text: str) -> bool:
    return any(ord(char) < 0x20 or 0xD800 <= ord(char) <= 0xDFFF or ord(char) in {0xFFFE, 0xFFFF} for char in text)


def _masked(image: Image, mask: Image | None) -> tuple[str, bytes]:
    if mask is None:
        return web_picture(image.data)
    picture = decode(image.data).convert("RGBA")
    shown = decode(mask.data).convert("L")
    if shown.size != picture.size:
        larger = max(shown.size, picture.size, key=lambda size: size[0] * size[1])
        picture, shown = picture.resize(larger), shown.resize(larger)
    picture.putalpha(ImageChops.multiply(picture.getchannel("A"), shown))
    return "image/png", to_png(picture)


def _data_url(media_type: str, data: bytes) -> str:
    return f"data:{media_type};base64,{base64.b64encode(data).decode()}"


def _beyond_svg(paint: Paint | None) -> bool:
    """Meshes; and circles of which neither lies in the other."""
    if isinstance(paint, RadialPaint):
        _, start, end = without_eccentricity(paint)
        small, large = sorted((paint.start_radius, paint.end_radius))
        return hypot(start.x - end.x, start.y - end.y) + small > large + 1e-6
    return isinstance(paint, MeshPaint)


def _reach(path: Sequence[PathCommand], matrix: Matrix, stroke: Stroke | None) -> Box:
    points = [matrix.apply(*values[at : at + 2]) for _, values in path for at in range(0, len(values), 2)]
    box = Box.around(points) if points else Box(0, 0, 0, 0)
    wider = (stroke.width if stroke else 0) * matrix.scale * 2
    return Box(box.x - wider, box.y - wider, box.width + 2 * wider, box.height + 2 * wider)


def _within(box: Box, area: Box) -> Box:
    left, top = max(box.x, area.x), max(box.y, area.y)
    return Box(left, top, min(box.right, area.right) - left, min(box.bottom, area.bottom) - top)


def _pen(stroke: Stroke) -> str:
    width = max(stroke.width, 0)
    parts = [f' stroke-width="{_g(width)}"' if width else ' stroke-width="1" vector-effect="non-scaling-stroke"']
    if stroke.cap is not Cap.BUTT:
        parts.append(f' stroke-linecap="{stroke.cap.lower()}"')
    if stroke.join is not Join.MITER:
        parts.append(f' stroke-linejoin="{stroke.join.lower()}"')
    else:
        parts.append(f' stroke-miterlimit="{_n(max(stroke.miter_limit, 1))}"')
    dash = [max(value, 0) for value in stroke.dash]
    if any(dash):
        parts.append(f' stroke-dasharray="{" ".join(_g(value) for value in dash)}"')
        parts.append(f' stroke-dashoffset="{_g(stroke.dash_offset)}"' if stroke.dash_offset else "")
    return "".join(parts)


def _stop(stop: Stop) -> str:
    opacity = f' stop-opacity="{_n(stop.color[3])}"' if stop.color[3] < 1 else ""
    return f'<stop offset="{_g(stop.position)}" stop-color="{_hex(stop.color)}"{opacity}/>'


def _hex(color: Color) -> str:
    return "#" + "".join(f"{round(part * 255):02x}" for part in color[:3])


def _d(path: Sequence[PathCommand]) -> str:
    parts = []
    for index, (operator, values) in enumerate(path):
        if not index and operator not in {"M", "Z"}:
            parts.append("M0 0")
        if index or operator != "Z":
            parts.append(operator + " ".join(_n(value) for value in values))
    return "".join(parts)


def _transform(matrix: Matrix, attribute: str = "transform") -> str:
    if matrix == IDENTITY:
        return ""
    return f' {attribute}="matrix({" ".join(_g(value) for value in matrix)})"'


def _text(text: str) -> str:
    return escape("".join(char for char in text if not _is_control(char)), quote=False)


def _n(value: float) -> str:
    """A length: four decimals are a tenth of a micrometre."""
    if not isfinite(value):
        return "0"
    shown = f"{value:.4f}".rstrip("0").rstrip(".")
    return "0" if shown == "-0" else shown


def _u(value: float) -> str:
    """A length in font units, of which one is far below what can be seen."""
    return f"{value:.1f}".removesuffix(".0") if isfinite(value) else "0"


def _g(value: float) -> str:
    """A factor: seven digits that count."""
    return f"{value:.7g}" if isfinite(value) else "0"
