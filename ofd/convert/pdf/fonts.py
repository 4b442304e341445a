"""Fonts of a PDF (ISO 32000-2 §9.5 to §9.10): what the codes of a string mean, how wide they are, and how they look.

Glyphs are collected into clean TrueType faces. It is best to note all strings of a document first (:meth:`Font.note`),
so that each font becomes one face.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import pikepdf
from fontTools.pens.transformPen import TransformPen

from ofd.convert.pdf.cmaps import CMap
from ofd.convert.pdf.encodings import UNKNOWN
from ofd.convert.pdf.font_building import Drawn, build_truetype
from ofd.convert.pdf.font_programs import FontProgram
from ofd.convert.pdf.streams import dictionary
from ofd.fonts.faces import FontFace
from ofd.fonts.library import FontLibrary
from ofd.fonts.type1 import Pen
from ofd.geometry import Matrix
from trustcore.errors import NotFoundError

__all__ = ["Char", "Code", "Font", "Metrics", "Type3"]

_MOST_GLYPHS = 60_000
_NARROWER = 0.97
_BLANK = 1 << 20
"""No glyph of the program: it draws nothing."""


class Code(NamedTuple):
    """One code of a string."""

    length: int
    """Octets."""
    value: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Char:
    """What one code of a string does."""

    code: Code
    text: str
    width: float
    """Horizontal displacement in em."""
    height: float = 0
    """Vertical displacement in em, negative; of vertical fonts."""
    origin: tuple[float, float] = (0, 0)
    """Where the glyph's vertical origin lies from its horizontal one, in em; of vertical fonts."""

    @property
    def is_space(self) -> bool:
        """Whether word spacing applies (ISO 32000-2 §9.3.3)."""
        return self.code == (1, 32)


@dataclass(frozen=True, slots=True, kw_only=True)
class Type3:
    """What a Type 3 font adds."""

    matrix: Matrix
    procedures: dict[int, pikepdf.Object]
    """Code to content stream."""
    resources: pikepdf.Object | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics:
    """What the dictionary of a font says, resolved."""

    family: str
    program: FontProgram | None
    """None when no font program can be had: the installed fonts stand in."""
    substituted: bool
    """The program is not the document's own."""
    standard: bool = False
    """One of the fourteen fonts that a PDF need not embed."""
    glyphs: dict[int, int]
    """Code to glyph number of the program, of simple fonts."""
    texts: dict[int, str]
    """Code to what it stands for, as far as it is known beforehand."""
    widths: dict[int, float]
    """Code, or CID of a composite font, to width in em."""
    default_width: float
    bold: bool
    italic: bool
    cmap: CMap | None = None
    """Of a composite font."""
    cid_glyphs: bytes | None = None
    """``CIDToGIDMap``."""
    heights: dict[int, tuple[float, float, float]] | None = None
    """CID to vertical displacement and origin, of vertical fonts."""
    default_height: tuple[float, float] = (0.88, -1.0)
    type3: Type3 | None = None


class Font:
    """One font of a PDF. Not shared between threads."""

    def __init__(self, metrics: Metrics, library: FontLibrary) -> None:
        """Take what the font's dictionary says, and the installed fonts that may stand in."""
        self._metrics = metrics
        self._library = library
        self._noted: dict[Code, str] = {}
        self._faces: dict[Code, tuple[FontFace, int] | None] = {}
        self._chars: dict[Code, Char] = {}
        self._reverse: dict[int, str] | None = None

    @property
    def type3(self) -> Type3 | None:
        """What a Type 3 font adds; None for other fonts."""
        return self._metrics.type3

    @property
    def vertical(self) -> bool:
        """Whether text runs downward."""
        return self._metrics.cmap is not None and self._metrics.cmap.vertical

    @property
    def substituted(self) -> str:
        """Name of the font when it is not embedded and another takes its place; else empty."""
        metrics = self._metrics
        return metrics.family if metrics.substituted and not metrics.standard and metrics.type3 is None else ""

    def has_outline(self, char: Char) -> bool:
        """Whether a glyph of a Type 3 font is an outline, as glyphs of other fonts are."""
        return char.code.value in self._metrics.glyphs

    def chars(self, data: bytes) -> Iterator[Char]:
        """What the codes of a string do, in order."""
        cmap = self._metrics.cmap
        codes = ((1, octet) for octet in data) if cmap is None else cmap.codes(data)
        for length, value in codes:
            code = Code(length, value)
            char = self._chars.get(code)
            if char is None:
                char = self._chars[code] = self._char(code)
            yield char

    def note(self, data: bytes) -> None:
        """Say that a string is going to be shown."""
        for char in self.chars(data):
            if char.code not in self._noted:
                self._noted[char.code] = char.text

    def glyph(self, char: Char) -> tuple[FontFace, int] | None:
        """The face and the glyph number in it; None when nothing can be drawn."""
        if char.code not in self._faces:
            self._noted.setdefault(char.code, char.text)
            self._build([code for code in self._noted if code not in self._faces])
        return self._faces[char.code]

    def _build(self, codes: list[Code]) -> None:
        program = self._metrics.program
        drawn: list[Drawn] = []
        slots: dict[tuple[int, str], int] = {}
        chosen: dict[Code, int] = {}
        for code in sorted(codes, key=lambda item: (item.length, item.value)):
            index = self._index(code)
            text = self._noted[code]
            if index is None or program is None or len(drawn) >= _MOST_GLYPHS:
                self._faces[code] = self._installed(text)
                continue
            slot = slots.get((index, text))
            if slot is None:
                width = self._chars[code].width
                draw = partial(program.draw, index)
                if self._metrics.substituted:
                    own = program.advance(index) / program.units_per_em
                    if 0 < width < own * _NARROWER:
                        draw = partial(_narrowed, draw, width / own)
                drawn.append(Drawn(draw=draw, advance=width * program.units_per_em, text=text))
                slot = slots[index, text] = len(drawn)
            chosen[code] = slot
        if drawn and program is not None:
            metrics = self._metrics
            data = build_truetype(
                drawn,
                family=metrics.family,
                units_per_em=program.units_per_em,
                bold=metrics.bold,
                italic=metrics.italic,
            )
            face = FontFace(data)
            self._faces.update((code, (face, slot)) for code, slot in chosen.items())

    def _installed(self, text: str) -> tuple[FontFace, int] | None:
        """A glyph of the installed fonts, by meaning."""
        if len(text) != 1 or text == UNKNOWN:
            return None
        metrics = self._metrics
        try:
            face = self._library.resolve(metrics.family, bold=metrics.bold, italic=metrics.italic).face
        except NotFoundError:
            return None
        if not face.covers(text):
            other = self._library.fallback(text)
            if other is None:
                return None
            face = other
        return face, face.glyph(text)

    def _index(self, code: Code) -> int | None:
        """Glyph number in the font program."""
        metrics = self._metrics
        program = metrics.program
        if program is None:
            return None
        if metrics.cmap is None:
            missing = None if metrics.substituted else program.names.get(".notdef", 0 if program.truetype else _BLANK)
            return metrics.glyphs.get(code.value, missing)
        if metrics.substituted:
            return None
        cid = metrics.cmap.cid(code.length, code.value)
        if cid is None:
            text = self._chars[code].text
            return program.unicode.get(ord(text), 0) if len(text) == 1 else 0
        return self._by_cid(program, cid)

    def _by_cid(self, program: FontProgram, cid: int) -> int:
        """Glyph number of a CID (ISO 32000-2 §9.7.4.2)."""
        mapping = self._metrics.cid_glyphs
        if mapping is not None:
            return int.from_bytes(mapping[2 * cid : 2 * cid + 2])
        return cid if program.cids is None else program.cids.get(cid, 0)

    def _char(self, code: Code) -> Char:
        metrics = self._metrics
        if metrics.cmap is None:
            width = metrics.widths.get(code.value, metrics.default_width)
            return Char(code=code, text=metrics.texts.get(code.value) or UNKNOWN, width=width)
        cid = metrics.cmap.cid(code.length, code.value)
        if cid is None:
            cid = metrics.cmap.ascii_cid(code.length, code.value)
        width = metrics.widths.get(cid, metrics.default_width)
        text = metrics.texts.get(code.value) or metrics.cmap.unicode(code.length, code.value) or self._meaning(cid)
        if not metrics.cmap.vertical:
            return Char(code=code, text=text or UNKNOWN, width=width)
        origin_y, height = metrics.default_height
        origin_x = width / 2
        if metrics.heights and cid in metrics.heights:
            height, origin_x, origin_y = metrics.heights[cid]
        return Char(code=code, text=text or UNKNOWN, width=width, height=height, origin=(origin_x, origin_y))

    def _meaning(self, cid: int) -> str:
        """What the font program itself says of a glyph."""
        program = self._metrics.program
        if program is None or self._metrics.substituted:
            return ""
        if self._reverse is None:
            self._reverse = {glyph: chr(point) for point, glyph in reversed(program.unicode.items())}
        return self._reverse.get(self._by_cid(program, cid), "")


def _narrowed(draw: "partial[None]", factor: float, pen: Pen) -> None:
    """Draw a glyph of a stand-in font as wide as the PDF says."""
    draw(TransformPen(pen, (factor, 0, 0, 1, 0, 0)))


def font_key(source: pikepdf.Object) -> object:
    """What tells one font of a document from another."""
    number, generation = source.objgen
    if number:
        return (number, generation)
    found = dictionary(source)
    return source.unparse() if found is not None else ""
