"""Fonts that documents bring along: what readers draw although it is no complete TrueType or OpenType file.

Found in the wild: bare CFF (a PDF's FontFile3 copied into the package), collections, WOFF, and Type 1 programs.
"""

import io
from collections.abc import Mapping

from fontTools.agl import toUnicode
from fontTools.cffLib import CFFFontSet, TopDict
from fontTools.fontBuilder import FontBuilder
from fontTools.misc.psCharStrings import T2CharString, T2WidthExtractor
from fontTools.ttLib import TTFont, newTable

from ofd.fonts.faces import FontFace
from trustcore.errors import MalformedError

__all__ = ["open_embedded"]

_LARGEST = 64 << 20
_WOFF = b"wOFF"


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
    if data[:4] == _WOFF:
        return FontFace(_without_woff(data))
    return FontFace(data)


def _without_woff(data: bytes) -> bytes:
    try:
        font = TTFont(io.BytesIO(data), lazy=True)
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
        written = io.BytesIO()
        builder.font.save(written)
    except Exception as error:  # the parser raises whatever a damaged file leads it into
        raise MalformedError("The embedded CFF font cannot be read.", code="ofd.font.malformed") from error
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
    if hasattr(top, "ROS"):
        return {}
    found: dict[int, str] = {}
    for name in top.getGlyphOrder():
        text = toUnicode(name)
        if len(text) == 1:
            found.setdefault(ord(text), name)
    return found
