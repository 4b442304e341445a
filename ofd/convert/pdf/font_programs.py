"""The font programs inside a PDF (ISO 32000-2 §9.9): glyph outlines by number or name, and what they say of encodings.

OpenType tables are drawn by HarfBuzz, which bounds its work; damaged tables cost glyphs, never the document.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from io import BytesIO

import uharfbuzz as hb
from fontTools import cffLib
from fontTools.encodings.StandardEncoding import StandardEncoding
from fontTools.misc.psCharStrings import T2WidthExtractor
from fontTools.ttLib import TTFont

from ofd.fonts.type1 import Pen, read_type1

__all__ = ["STANDARD_NAMES", "FontProgram", "read_cff", "read_font_program", "read_opentype"]

STANDARD_NAMES = {code: name for code, name in enumerate(StandardEncoding) if name != ".notdef"}
"""StandardEncoding (ISO 32000-2 Annex D): code to glyph name."""

_MOST_CALLS = 2000
_Draw = Callable[[int, Pen], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class FontProgram:
    """The glyphs of one embedded font."""

    units_per_em: float
    glyph_count: int
    draw: _Draw
    """Draws a glyph by number, in font units."""
    advance: Callable[[int], float]
    """Width of a glyph by number in font units; 0 when not known."""
    names: dict[str, int] = field(default_factory=dict)
    """Glyph names."""
    encoding: dict[int, int] = field(default_factory=dict)
    """Built-in encoding: code to glyph number."""
    cids: dict[int, int] | None = None
    """CID to glyph number; None when the font is not keyed by CID."""
    unicode: dict[int, int] = field(default_factory=dict)
    """Unicode cmap: code point to glyph number."""
    symbol: dict[int, int] = field(default_factory=dict)
    """Cmap (3, 0)."""
    macintosh: dict[int, int] = field(default_factory=dict)
    """Cmap (1, 0)."""
    truetype: bool = False
    """Whether glyphs are found through cmaps (``glyf``), not by names."""


def read_font_program(data: bytes) -> FontProgram | None:
    """A font program of any kind, by its first octets; None when it cannot be understood."""
    start = data[:4]
    if start in {b"\x00\x01\x00\x00", b"true", b"OTTO", b"ttcf", b"typ1"}:
        return read_opentype(data)
    if start[:2] in {b"%!", b"\x80\x01"} or b"eexec" in data[:16384]:
        return _type1(data)
    if start[:1] == b"\x01" and len(data) > 4:
        return read_cff(data)
    return read_opentype(data)


def _type1(data: bytes) -> FontProgram | None:
    program = read_type1(data)
    if program is None:
        return None
    order = list(program.charstrings)
    names = {name: index for index, name in enumerate(order)}
    built_in = STANDARD_NAMES if program.encoding is None else program.encoding

    def draw(index: int, pen: Pen) -> None:
        if 0 <= index < len(order):
            program.draw(order[index], pen, STANDARD_NAMES)

    return FontProgram(
        units_per_em=1 / program.matrix[0],
        glyph_count=len(order),
        draw=draw,
        advance=lambda _: 0.0,
        names=names,
        encoding={code: names[name] for code, name in built_in.items() if name in names},
    )


def read_cff(data: bytes) -> FontProgram | None:
    """A bare CFF font (Adobe Technical Note 5176); None when it cannot be understood."""
    try:
        fonts = cffLib.CFFFontSet()
        fonts.decompile(BytesIO(data), None)
        top = fonts[0]
        count = len(top.CharStrings.charStringsIndex)
        charset = list(top.charset)
        keyed = hasattr(top, "ROS")
        matrix = list(getattr(top, "FontMatrix", None) or [])
        if keyed and (not matrix or matrix[0] == 1):
            matrix = list(getattr(top.FDArray[0], "FontMatrix", None) or [])
        encoding = None if keyed else top.Encoding
    except Exception:  # noqa: BLE001 - fontTools raises anything at all for damaged fonts
        return None
    units = 1 / matrix[0] if len(matrix) == 6 and 1e-6 < matrix[0] < 1 else 1000.0
    drawn = _drawing(_wrapped(data, count, round(units)))
    if drawn is None:
        return None
    names = {name: index for index, name in reversed(list(enumerate(charset)))}
    cids = {int(name[3:]): index for name, index in names.items() if name[3:].isdigit()} if keyed else None
    if keyed:
        cids = {0: 0, **(cids or {})}
    by_code = (
        STANDARD_NAMES
        if encoding in {None, "StandardEncoding"} or isinstance(encoding, str)
        else dict(enumerate(encoding))
    )
    codes = {code: names[name] for code, name in by_code.items() if name in names and name != ".notdef"}
    return FontProgram(
        units_per_em=units,
        glyph_count=count,
        draw=drawn[0],
        advance=lambda index: _cff_width(top, charset, index),
        names={} if keyed else names,
        encoding=codes,
        cids=cids,
    )


class _WidthReader(T2WidthExtractor):  # type: ignore[misc]
    """Runs a charstring for its width; one that calls subroutines without end is given up."""

    calls = 0

    def execute(self, charstring: object) -> None:
        self.calls += 1
        if self.calls > _MOST_CALLS:
            raise ValueError
        super().execute(charstring)


def _cff_width(top: cffLib.TopDict, charset: list[str], index: int) -> float:
    """Width of a CFF glyph; 0 when its charstring does not tell."""
    try:
        charstring = top.CharStrings[charset[index]]
        private = charstring.private
        subroutines = getattr(private, "Subrs", [])
        reader = _WidthReader(subroutines, top.GlobalSubrs, private.nominalWidthX, private.defaultWidthX, private)
        reader.execute(charstring)
        return float(reader.width)
    except Exception:  # noqa: BLE001 - fontTools raises anything at all for damaged fonts
        return 0.0


def _wrapped(cff: bytes, count: int, units: int) -> bytes:
    """A CFF font in the least OpenType container that HarfBuzz draws from."""
    head = struct.pack(">IIIIHH16xhhhhHHhhh", 0x10000, 0, 0, 0x5F0F3CF5, 0, units, 0, 0, 0, 0, 0, 8, 2, 0, 0)
    tables = {b"CFF ": cff, b"head": head, b"maxp": struct.pack(">IH", 0x5000, min(count, 0xFFFF))}
    directory = struct.pack(">4sHHHH", b"OTTO", len(tables), 32, 1, 16)
    body = b""
    for tag, content in tables.items():
        directory += struct.pack(">4sIII", tag, 0, 12 + 16 * len(tables) + len(body), len(content))
        body += content + b"\x00" * (-len(content) % 4)
    return directory + body


def _drawing(data: bytes) -> tuple[_Draw, hb.Face, hb.Font] | None:
    face = hb.Face(data)
    if not face.glyph_count or not face.upem:
        return None
    font = hb.Font(face)

    def draw(index: int, pen: Pen) -> None:
        font.draw_glyph_with_pen(index, pen)

    return draw, face, font


def read_opentype(data: bytes) -> FontProgram | None:
    """A TrueType or OpenType font, as incomplete as PDF allows; None when it has no glyphs."""
    drawn = _drawing(data)
    if drawn is None:
        return None
    draw, face, font = drawn
    cff = bytes(face.reference_table("CFF ").data or b"")
    inner = read_cff(cff) if cff else None
    try:
        tables = TTFont(BytesIO(data), lazy=True, fontNumber=0)
    except Exception:  # noqa: BLE001 - fontTools raises anything at all for damaged fonts
        tables = None
    unicode, symbol, macintosh = _cmaps(tables)
    return FontProgram(
        units_per_em=float(face.upem),
        glyph_count=int(face.glyph_count),
        draw=draw,
        advance=lambda index: float(font.get_glyph_h_advance(index)),
        names=inner.names if inner is not None else _names(tables),
        encoding=inner.encoding if inner is not None else {},
        cids=inner.cids if inner is not None else None,
        unicode=unicode,
        symbol=symbol,
        macintosh=macintosh,
        truetype=not cff,
    )


def _cmaps(tables: TTFont | None) -> tuple[dict[int, int], dict[int, int], dict[int, int]]:
    unicode: dict[int, int] = {}
    symbol: dict[int, int] = {}
    macintosh: dict[int, int] = {}
    if tables is None:
        return unicode, symbol, macintosh
    try:
        subtables = list(tables["cmap"].tables)
    except Exception:  # noqa: BLE001 - fontTools raises anything at all for damaged fonts
        subtables = []
    for subtable in subtables:
        try:
            mapping = {code: tables.getGlyphID(name) for code, name in subtable.cmap.items()}
        except Exception:  # noqa: BLE001, S112 - fontTools raises anything at all for damaged fonts
            continue
        key = (subtable.platformID, subtable.platEncID)
        if key == (3, 0):
            symbol.update(mapping)
        elif key == (1, 0):
            macintosh.update(mapping)
        elif key[0] in {0, 3} and key != (0, 5):
            unicode.update(mapping)
    return unicode, symbol, macintosh


def _names(tables: TTFont | None) -> dict[str, int]:
    try:
        if tables is None or "post" not in tables or tables["post"].formatType != 2:
            return {}
        return {name: index for index, name in reversed(list(enumerate(tables.getGlyphOrder())))}
    except Exception:  # noqa: BLE001 - fontTools raises anything at all for damaged fonts
        return {}
