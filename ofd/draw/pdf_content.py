"""Painting a scene into a PDF's content stream (ISO 32000-2 §8.5, §9.4, §11).

A content stream stands for the page, a group that is composed as a whole, a soft mask or the cell of a pattern. Each
begins in millimetres with y downward, as the scene has it; only the page's own leads on to points.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from math import cos, radians, sin

from ofd.draw.gradient import opacity_of
from ofd.draw.pdf_file import Name, PdfFile, Ref, Value, number
from ofd.draw.pdf_fonts import PdfFonts
from ofd.draw.pdf_images import write_picture
from ofd.draw.pdf_paint import matrix_value, mirrored_cells, opacity_channel, shading_pattern
from ofd.draw.scene import (
    BlendMode,
    Cap,
    Clip,
    ClipArea,
    Color,
    Group,
    Image,
    ImageItem,
    Item,
    Join,
    MeshPaint,
    Paint,
    PathItem,
    PatternPaint,
    SolidPaint,
    Stroke,
    TextItem,
)
from ofd.fonts.faces import FontFace
from ofd.geometry import IDENTITY, Box, Matrix, PathCommand
from trustcore.errors import TrustError

__all__ = ["Content", "Shared", "path_operators"]

_MOST_NESTED = 64
_CAPS = {Cap.BUTT: 0, Cap.ROUND: 1, Cap.SQUARE: 2}
_JOINS = {Join.MITER: 0, Join.ROUND: 1, Join.BEVEL: 2}
_BLEND_NAMES = {mode: Name("".join(part.capitalize() for part in mode.split("-"))) for mode in BlendMode}
_BOLDER = 0.015
"""Width of the line drawn around glyphs that are made bold, in em: a quarter more ink, as bold faces have."""
_SLANT = 0.21
"""Tangent of the angle by which glyphs are slanted, 12 degrees."""
_FIRST_ROW_ON_TOP = Matrix(1, 0, 0, -1, 0, 1)
_FILL, _STROKE, _BOTH, _INVISIBLE, _CLIP = 0, 1, 2, 3, 7


@dataclass(slots=True)
class Shared:
    """What all content streams of a file use."""

    file: PdfFile
    fonts: PdfFonts
    images: dict[tuple[str, int, str], Ref | None] = field(default_factory=dict)
    dot_mm: float = 0
    """Side of a dot when the file is made to become a picture, where no line gets thinner; 0 when it is not known."""
    states: dict[tuple[float, float, str], Ref] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


def path_operators(path: Sequence[PathCommand], matrix: Matrix = IDENTITY) -> str:
    """A path as PDF's operators, its points transformed."""
    parts: list[str] = []
    at = start = matrix.apply(0, 0)
    begun = False
    for operator, values in path:
        points = [matrix.apply(*values[index : index + 2]) for index in range(0, len(values), 2)]
        if operator == "Z":
            if begun:
                parts.append("h")
                at = start
            continue
        if operator == "M" or not begun:
            at = start = points[-1] if operator == "M" else at
            parts.append(f"{number(at.x)} {number(at.y)} m")
            begun = True
            if operator == "M":
                continue
        if operator == "Q":
            control, end = points
            first = (at.x + (control.x - at.x) * 2 / 3, at.y + (control.y - at.y) * 2 / 3)
            second = (end.x + (control.x - end.x) * 2 / 3, end.y + (control.y - end.y) * 2 / 3)
            points = [type(end)(*first), type(end)(*second), end]
        shown = " ".join(f"{number(x)} {number(y)}" for x, y in points)
        parts.append(f"{shown} {'l' if operator == 'L' else 'c'}")
        at = points[-1]
    return " ".join(parts)


class Content:
    """One content stream with the resources it names."""

    def __init__(self, shared: Shared, *, base: Matrix, box: Box, depth: int = 0) -> None:
        """Begin a stream.

        Args:
            shared: the file's fonts and images.
            base: from millimetres to the stream's own space; identity but for pages.
            box: the part that can be seen, in millimetres.
            depth: how many streams this one is inside of.
        """
        self._shared = shared
        self._base = base
        self._box = box
        self._depth = depth
        self._parts: list[str] = []
        self._resources: dict[str, dict[str, Value]] = {}
        self._patterns: dict[tuple[Paint, Matrix, bool], Ref] = {}
        if base != IDENTITY:
            self._parts.append(_cm(base))

    @property
    def resources(self) -> Value:
        """The stream's resource dictionary."""
        return self._resources

    @property
    def data(self) -> bytes:
        """The operators."""
        return "\n".join(self._parts).encode()

    def draw(self, items: Sequence[Item]) -> None:
        """Paint items in order; what cannot be painted is left out with a warning."""
        for item in items:
            before = len(self._parts)
            try:
                match item:
                    case PathItem():
                        self._path(item)
                    case TextItem():
                        self._text(item)
                    case ImageItem():
                        self._image(item)
                    case Group():
                        self._group(item)
            except TrustError as error:
                del self._parts[before:]
                self._shared.warnings.append(str(error))

    def _name(self, kind: str, prefix: str, ref: Ref) -> str:
        name = f"{prefix}{ref.number}"
        self._resources.setdefault(kind, {})[name] = ref
        return name

    # Paths

    def _path(self, item: PathItem) -> None:
        if not item.path or not item.matrix.determinant:
            return
        fill, stroke = item.fill, item.stroke
        together = fill and stroke and _plain(fill) and _plain(stroke.paint)
        if fill and stroke and not together:
            self._paint_path(item, fill, None)
            self._paint_path(item, None, stroke)
        elif fill or stroke:
            self._paint_path(item, fill, stroke)

    def _paint_path(self, item: PathItem, fill: Paint | None, stroke: Stroke | None) -> None:
        self._parts.append("q")
        self._prepare(item.matrix, fill, stroke)
        self._parts.append(path_operators(item.path))
        rule = "*" if item.even_odd else ""
        self._parts.append(("B" if stroke else "f") + rule if fill else "S")
        self._parts.append("Q")

    def _prepare(self, matrix: Matrix, fill: Paint | None, stroke: Stroke | None) -> None:
        """Set opacity, paints and pen, and enter the item's space."""
        self._opacity(fill, stroke, matrix)
        if fill:
            self._set_paint(fill, matrix, fills=True)
        if stroke:
            self._set_paint(stroke.paint, matrix, fills=False)
        if matrix != IDENTITY:
            self._parts.append(_cm(matrix))
        if stroke:
            self._pen(stroke)

    def _pen(self, stroke: Stroke) -> None:
        parts = [f"{number(max(stroke.width, 0))} w"]
        if stroke.cap is not Cap.BUTT:
            parts.append(f"{_CAPS[stroke.cap]} J")
        if stroke.join is not Join.MITER:
            parts.append(f"{_JOINS[stroke.join]} j")
        else:
            parts.append(f"{number(max(stroke.miter_limit, 1))} M")
        dash = [max(value, 0) for value in stroke.dash]
        if any(number(value) != "0" for value in dash):
            parts.append(f"[{' '.join(number(value) for value in dash)}] {number(max(stroke.dash_offset, 0))} d")
        self._parts.append(" ".join(parts))

    # Paints

    def _set_paint(self, paint: Paint, matrix: Matrix, *, fills: bool) -> None:
        if isinstance(paint, SolidPaint):
            red, green, blue = (number(part) for part in paint.color[:3])
            if red == green == blue:
                self._parts.append(f"{red} {'g' if fills else 'G'}")
            else:
                self._parts.append(f"{red} {green} {blue} {'rg' if fills else 'RG'}")
            return
        name = self._name("Pattern", "P", self._pattern(paint, matrix))
        self._parts.append(f"/Pattern cs /{name} scn" if fills else f"/Pattern CS /{name} SCN")

    def _pattern(self, paint: Paint, matrix: Matrix, *, opacity: bool = False) -> Ref:
        key = (paint, matrix, opacity)
        if key not in self._patterns:
            whole = matrix.then(self._base)
            if isinstance(paint, PatternPaint):
                self._patterns[key] = self._tiling(paint, self._base if paint.relative_to_page else whole)
            elif isinstance(paint, SolidPaint):
                raise AssertionError
            elif opacity:
                self._patterns[key] = shading_pattern(self._shared.file, paint, whole, opacity_channel)
            else:
                self._patterns[key] = shading_pattern(self._shared.file, paint, whole)
        return self._patterns[key]

    def _tiling(self, paint: PatternPaint, whole: Matrix) -> Ref:
        box, x_step, y_step, cells = mirrored_cells(paint)
        content = Content(self._shared, base=IDENTITY, box=box, depth=self._depth + 1)
        if content._depth < _MOST_NESTED:
            for cell in cells:
                content._parts += ["q", _cm(cell)]
                content.draw(paint.cell)
                content._parts.append("Q")
        entries: dict[str, Value] = {
            "Type": Name("Pattern"),
            "PatternType": 1,
            "PaintType": 1,
            "TilingType": 1,
            "BBox": [box.x, box.y, box.right, box.bottom],
            "XStep": x_step,
            "YStep": y_step,
            "Matrix": matrix_value(paint.matrix.then(whole)),
            "Resources": content.resources,
        }
        return self._shared.file.stream(entries, content.data)

    def _opacity(self, fill: Paint | None, stroke: Stroke | None, matrix: Matrix) -> None:
        """Set the opacity of the paints; must come before the item's space is entered."""
        line = stroke.paint if stroke else None
        for paint in (fill, line):
            if paint is not None and opacity_of(paint) is None:
                self._soft_mask(self._opacity_form(paint, matrix))
                return
        filled, lined = (1.0 if paint is None else opacity_of(paint) or 0.0 for paint in (fill, line))
        self._state(filled, lined, BlendMode.NORMAL)

    def _state(self, filled: float, lined: float, blend: BlendMode) -> None:
        if filled == lined == 1 and blend is BlendMode.NORMAL:
            return
        key = (round(filled, 4), round(lined, 4), str(blend))
        ref = self._shared.states.get(key)
        if ref is None:
            entries: dict[str, Value] = {"Type": Name("ExtGState"), "ca": key[0], "CA": key[1]}
            if blend is not BlendMode.NORMAL:
                entries["BM"] = _BLEND_NAMES[blend]
            ref = self._shared.states[key] = self._shared.file.put(entries)
        self._parts.append(f"/{self._name('ExtGState', 'G', ref)} gs")

    def _opacity_form(self, paint: Paint, matrix: Matrix) -> Ref:
        inner = Content(self._shared, base=IDENTITY, box=self._box, depth=self._depth + 1)
        name = inner._name("Pattern", "P", inner._pattern(paint, matrix, opacity=True))
        inner._parts.append(f"/Pattern cs /{name} scn {path_operators(self._box.path())} f")
        return inner.form(gray=True)

    def _soft_mask(self, form: Ref) -> None:
        mask: Value = {"Type": Name("Mask"), "S": Name("Luminosity"), "G": form}
        state = self._shared.file.put({"Type": Name("ExtGState"), "SMask": mask})
        self._parts.append(f"/{self._name('ExtGState', 'G', state)} gs")

    def form(self, *, gray: bool = False) -> Ref:
        """Write the stream as a group that is composed as a whole."""
        space = Name("DeviceGray" if gray else "DeviceRGB")
        box = self._box
        entries: dict[str, Value] = {
            "Type": Name("XObject"),
            "Subtype": Name("Form"),
            "BBox": [box.x, box.y, box.right, box.bottom],
            "Group": {"S": Name("Transparency"), "CS": space, "I": True},
            "Resources": self.resources,
        }
        return self._shared.file.stream(entries, self.data)

    # Text

    def _text(self, item: TextItem) -> None:
        if not item.matrix.determinant or not item.size or not item.horizontal_scale:
            return
        fill, stroke = item.fill, item.stroke
        if item.bold and fill and not stroke:
            stroke = self._bolder(item, fill)
            if stroke.paint is not fill:
                self._text(replace(item, bold=False, fill=None, stroke=stroke))
                stroke = None
        mode = _BOTH if fill and stroke else _FILL if fill else _STROKE if stroke else _INVISIBLE
        self._parts.append("q")
        self._prepare(item.matrix, fill, stroke)
        mute = mode != _INVISIBLE and any(not glyph.text for glyph in item.glyphs)
        self._show(replace(item, glyphs=tuple(glyph for glyph in item.glyphs if glyph.text)) if mute else item, mode)
        if mute:
            self._mute_glyphs(item, {_FILL: "f", _STROKE: "S", _BOTH: "B"}[mode])
        self._parts.append("Q")

    def _bolder(self, item: TextItem, fill: Paint) -> Stroke:
        """The line around glyphs that are made bold; as much paler as the device draws it too wide."""
        width = item.size * _BOLDER
        on_page = width * item.matrix.scale
        if on_page < self._shared.dot_mm and isinstance(fill, SolidPaint):
            red, green, blue, alpha = fill.color
            fill = SolidPaint(color=Color.of(red, green, blue, alpha * on_page / self._shared.dot_mm))
        return Stroke(paint=fill, width=width, join=Join.ROUND)

    def _mute_glyphs(self, item: TextItem, operator: str) -> None:
        """The further glyphs of clusters as figures: as text they would be copied out as something."""
        line = _TextLine(item, IDENTITY)
        for glyph in item.glyphs:
            path = () if glyph.text else (glyph.face or item.face).outline(glyph.index)
            if path and glyph.index:
                self._parts.append(path_operators(path, line.matrix_at((glyph.x, glyph.y))) + f" {operator}")

    def _show(self, item: TextItem, mode: int, outer: Matrix = IDENTITY) -> None:
        """Text as a text object; ``outer`` leads from the item's space to the current one."""
        line = _TextLine(item, outer)
        parts = ["BT"] + ([f"{mode} Tr"] if mode else [])
        font_now: Ref | None = None
        for glyph in item.glyphs:
            face = glyph.face or item.face
            drawable = 0 < glyph.index < min(face.glyph_count, 0x10000)
            if not drawable and not glyph.text:
                continue
            fonts = self._shared.fonts
            ref, code = fonts.code(face, glyph.index, glyph.text) if drawable else fonts.blank(glyph.text)
            if ref != font_now:
                parts += line.end()
                parts.append(f"/{self._name('Font', 'F', ref)} 1 Tf")
                font_now = ref
            parts += line.add(code, face if drawable else None, glyph.index, (glyph.x, glyph.y))
        parts += line.end()
        parts.append("ET")
        self._parts += parts

    # Images

    def _image(self, item: ImageItem) -> None:
        if not item.matrix.determinant:
            return
        ref = self._picture(item.image, item.mask)
        if ref is not None:
            name = self._name("XObject", "X", ref)
            self._parts.append(f"q {_cm(_FIRST_ROW_ON_TOP.then(item.matrix))} /{name} Do Q")

    def _picture(self, image: Image, mask: Image | None) -> Ref | None:
        key = (image.name, len(image.data), mask.name if mask else "")
        if key not in self._shared.images:
            self._shared.images[key] = None
            ref = write_picture(self._shared.file, image.data, mask.data if mask else None)
            self._shared.images[key] = ref
        return self._shared.images[key]

    # Groups

    def _group(self, group: Group) -> None:
        if self._depth >= _MOST_NESTED:
            self._shared.warnings.append("Groups are nested too deep; the inner ones are not drawn.")
            return
        alone = group.alpha < 1 or group.blend is not BlendMode.NORMAL
        masks = [clip for clip in group.clips if len(clip.areas) > 1]
        self._parts.append("q")
        for clip in group.clips:
            if len(clip.areas) <= 1:
                self._clip(clip.areas[0] if clip.areas else None)
        if alone or masks:
            self._composed(group, masks)
        else:
            self._depth += 1
            self.draw(group.items)
            self._depth -= 1
        self._parts.append("Q")

    def _composed(self, group: Group, masks: Sequence[Clip]) -> None:
        """Items painted apart and then put onto the page as one, inside the areas of clips."""
        inner = Content(self._shared, base=IDENTITY, box=self._box, depth=self._depth + 1)
        inner.draw(group.items)
        form = inner.form()
        for clip in masks[1:]:
            outer = Content(self._shared, base=IDENTITY, box=self._box, depth=self._depth + 1)
            outer._soft_mask(outer._union_form(clip))
            outer._parts.append(f"/{outer._name('XObject', 'X', form)} Do")
            form = outer.form()
        self._state(group.alpha, group.alpha, group.blend)
        if masks:
            self._soft_mask(self._union_form(masks[0]))
        self._parts.append(f"/{self._name('XObject', 'X', form)} Do")

    def _union_form(self, clip: Clip) -> Ref:
        """A soft mask that is open where any of the areas is."""
        inner = Content(self._shared, base=IDENTITY, box=self._box, depth=self._depth + 1)
        inner._parts.append("1 g")
        for area in clip.areas:
            if area.text:
                inner._show(area.text, _FILL, area.text.matrix.then(area.matrix))
            elif area.path:
                inner._parts.append(f"{path_operators(area.path, area.matrix)} f{'*' if area.even_odd else ''}")
        return inner.form(gray=True)

    def _clip(self, area: ClipArea | None) -> None:
        if area and area.text:
            self._show(area.text, _CLIP, area.text.matrix.then(area.matrix))
        elif area and area.path:
            self._parts.append(f"{path_operators(area.path, area.matrix)} W{'*' if area.even_odd else ''} n")
        else:
            self._parts.append("0 0 m W n")


class _TextLine:
    """Glyphs that follow each other on a line, gathered into one operator."""

    def __init__(self, item: TextItem, outer: Matrix) -> None:
        self._em = item.size * item.horizontal_scale
        slant = item.size * _SLANT if item.italic else 0.0
        turn = radians(item.char_direction % 360)
        upright = Matrix(self._em, 0, slant, -item.size, 0, 0)
        self._glyph = upright.then(Matrix(cos(turn), sin(turn), -sin(turn), cos(turn))) if turn else upright
        self._turned = bool(turn)
        self._outer = outer
        self._pieces: list[str] = []
        self._codes = ""
        self._pen = (0.0, 0.0)
        self._begun = False

    def matrix_at(self, place: tuple[float, float]) -> Matrix:
        """From the em square of a glyph, y upward, to the current space."""
        return self._glyph.then(Matrix.translation(*place)).then(self._outer)

    def add(self, code: bytes, face: FontFace | None, index: int, place: tuple[float, float]) -> list[str]:
        """Take a glyph; returns the operators that became complete."""
        advance = face.advance_of(index) if face else 1.0
        done: list[str] = []
        gap = (self._pen[0] - place[0]) / self._em * 1000 if self._begun else 0.0
        if not self._begun or self._turned or abs(place[1] - self._pen[1]) > 1e-5 or abs(gap) > 20_000:
            done = self.end()
            done.append(" ".join(number(value) for value in self.matrix_at(place)) + " Tm")
            self._begun = True
            self._pen = place
        elif abs(gap) >= 0.05:
            gap = round(gap, 1)
            self._break()
            self._pieces.append(number(gap))
            self._pen = (self._pen[0] - gap / 1000 * self._em, self._pen[1])
        self._codes += code.hex().upper()
        self._pen = (self._pen[0] + advance * self._em, self._pen[1])
        return done

    def end(self) -> list[str]:
        """Close the line; returns its operator."""
        self._break()
        pieces, self._pieces, self._begun = self._pieces, [], False
        return [f"[{''.join(pieces)}] TJ"] if pieces else []

    def _break(self) -> None:
        if self._codes:
            self._pieces.append(f"<{self._codes}>")
            self._codes = ""


def _cm(matrix: Matrix) -> str:
    return " ".join(number(value) for value in matrix) + " cm"


def _plain(paint: Paint) -> bool:
    return not isinstance(paint, MeshPaint) and opacity_of(paint) == 1
