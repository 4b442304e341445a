"""Fonts that documents bring along: what readers draw although it is no complete TrueType or OpenType file.

Found in the wild: bare CFF (a PDF's FontFile3 copied into the package), collections, WOFF, and Type 1 programs.
"""

import io
from collections.abc import Iterable, Mapping, Sequence

from fontTools.agl import toUnicode
from fontTools.cffLib import CFFFontSet, TopDict
from fontTools.encodings.StandardEncoding import StandardEncoding
from fontTools.fontBuilder import FontBuilder
from fontTools.misc.psCharStrings import T2CharString, T2WidthExtractor
from fontTools.misc.transform import Transform
from fontTools.pens.t2CharStringPen import T2CharStringPen
from fontTools.pens.transformPen import TransformPen
from fontTools.ttLib import TTFont, newTable

from ofd.fonts.faces import FontFace
from ofd.fonts.type1 import Type1Program, read_type1
from trustcore.errors import MalformedError

__all__ = ["open_embedded"]

_LARGEST = 64 << 20
_WOFF = b"wOFF"
_TYPE1 = (b"%!", b"\x80\x01")
_BLENDED = b"/WeightVector"
_MOST_GLYPHS = 0xFFFF
_NOTDEF = ".notdef"
_STANDARD_NAMES = {code: name for code, name in enumerate(StandardEncoding) if name != _NOTDEF}


def open_embedded(data: bytes) -> FontFace:
    """A face from the octets of an embedded font file.

    Raises:
        MalformedError: ``ofd.font.malformed``, not a font.
        RejectedError: ``ofd.font.no-outlines``.
    """
    if len(data) > _LARGEST:
        raise MalformedError("The embedded font is too large.", code="ofd.font.malformed")
    if data[:2] == b"\x01\x00" and data[:4] != b"\x01\x00\x00\x00" and 4 <= data[2] <= 32:
        return FontFace(_around_cff(data))
    if data[:2] in _TYPE1:
        return FontFace(_around_type1(data))
    if data[:4] == _WOFF:
        return FontFace(_without_woff(data))
    return FontFace(data)


def _without_woff(data: bytes) -> bytes:
    try:
        font = TTFont(io.BytesIO(data), lazy=True, recalcTimestamp=False)
        font.flavor = None
        written = io.BytesIO()
        font.save(written)
    except Exception as error:  # the parser raises whatever a damaged file leads it into
        raise MalformedError("The embedded font cannot be unpacked.", code="ofd.font.malformed") from error
    return written.getvalue()


def _around_cff(data: bytes) -> bytes:
    """An OpenType file with these CFF outlines."""
    try:
        fonts = CFFFontSet()
        fonts.decompile(io.BytesIO(data), None)
        top = fonts.topDictIndex[0]
        matrix = getattr(top, "FontMatrix", None) or [0.001]
        upem = round(1 / matrix[0]) if matrix[0] else 1000
        order = top.getGlyphOrder()
        builder = FontBuilder(upem, isTTF=False)
        builder.setupGlyphOrder(order)
        builder.setupCharacterMap(_unicode_of(top))
        table = newTable("CFF ")
        table.cff = fonts
        builder.font["CFF "] = table
        strings = top.CharStrings
        builder.setupHorizontalMetrics({name: (_width(strings[name]), 0) for name in order})
        builder.setupHorizontalHeader(ascent=round(upem * 0.88), descent=-round(upem * 0.12))
        builder.setupNameTable({"familyName": fonts.fontNames[0], "styleName": "Regular", "psName": fonts.fontNames[0]})
        builder.setupOS2()
        builder.setupPost()
        builder.updateHead(created=0, modified=0)
        written = io.BytesIO()
        builder.font.save(written)
    except Exception as error:  # the parser raises whatever a damaged file leads it into
        raise MalformedError("The embedded CFF font cannot be read.", code="ofd.font.malformed") from error
    return written.getvalue()


def _around_type1(data: bytes) -> bytes:
    """An OpenType file with the outlines of a Type 1 program; its glyphs are counted as FreeType counts them."""
    program = read_type1(data)
    # The glyphs of a multiple master font are only made by blending several designs.
    if program is None or _BLENDED in data or len(program.charstrings) >= _MOST_GLYPHS:
        raise MalformedError("The embedded Type 1 font cannot be read.", code="ofd.font.malformed")
    order = list(program.charstrings)
    # The glyph for what is missing has number 0: it changes places with the first one.
    if _NOTDEF in program.charstrings:
        place = order.index(_NOTDEF)
        order[0], order[place] = order[place], order[0]
    else:
        order = [_NOTDEF, *order[1:], order[0]]
    try:
        return _built(program, order)
    except Exception as error:  # what a damaged program draws may be beyond any table
        raise MalformedError("The embedded Type 1 font cannot be read.", code="ofd.font.malformed") from error


def _built(program: Type1Program, order: Sequence[str]) -> bytes:
    units = min(max(round(1 / program.matrix[0]), 16), 16384)
    upright = Transform(*(value * units for value in program.matrix))
    strings: dict[str, T2CharString] = {}
    metrics: dict[str, tuple[int, int]] = {}
    for name in order:
        pen = T2CharStringPen(0, None)
        advance = program.draw(name, TransformPen(pen, upright), _STANDARD_NAMES)
        # The width stands in the metrics alone.
        strings[name] = pen.getCharString()
        metrics[name] = (min(max(round(advance * upright[0]), 0), 0xFFFF), 0)
    characters = _unicode_by_names(order)
    for code, name in (program.encoding or {}).items():
        if name in strings and not toUnicode(name):
            characters.setdefault(code, name)
    builder = FontBuilder(units, isTTF=False)
    builder.setupGlyphOrder(list(order))
    builder.setupCharacterMap(characters)
    builder.setupCFF("Embedded", {}, strings, {})
    builder.setupHorizontalMetrics(metrics)
    builder.setupHorizontalHeader(ascent=round(units * 0.88), descent=-round(units * 0.12))
    builder.setupNameTable({"familyName": "Embedded", "styleName": "Regular", "psName": "Embedded"})
    builder.setupOS2()
    builder.setupPost()
    builder.updateHead(created=0, modified=0)
    written = io.BytesIO()
    builder.font.save(written)
    return written.getvalue()


def _width(charstring: T2CharString) -> int:
    private = charstring.private
    extractor = T2WidthExtractor(
        getattr(private, "Subrs", []), charstring.globalSubrs, private.nominalWidthX, private.defaultWidthX, private
    )
    extractor.execute(charstring)
    return int(extractor.width)


def _unicode_of(top: TopDict) -> Mapping[int, str]:
    """Characters by the glyphs' names, where they have names."""
    return {} if hasattr(top, "ROS") else _unicode_by_names(top.getGlyphOrder())


def _unicode_by_names(names: Iterable[str]) -> dict[int, str]:
    found: dict[int, str] = {}
    for name in names:
        text = toUnicode(name)
        if len(text) == 1:
            found.setdefault(ord(text), name)
    return found
