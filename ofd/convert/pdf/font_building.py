"""Clean TrueType fonts out of glyph outlines of any kind, to be embedded in OFD."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from io import BytesIO

from fontTools.fontBuilder import FontBuilder
from fontTools.misc.transform import Transform
from fontTools.pens.cu2quPen import Cu2QuPen
from fontTools.pens.transformPen import TransformPen
from fontTools.pens.ttGlyphPen import TTGlyphPen
from fontTools.ttLib.tables._g_l_y_f import Glyph as TrueTypeGlyph

from ofd.fonts.type1 import Pen

__all__ = ["Drawn", "build_truetype"]

_CURVE_ERROR = 0.0007
"""By how much of an em a quadratic curve may miss the cubic one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """A glyph to be built."""

    draw: Callable[[Pen], None]
    """Draws the outline in font units, y upward."""
    advance: float
    """In font units."""
    text: str
    """What it stands for."""


def build_truetype(glyphs: Sequence[Drawn], *, family: str, units_per_em: float, bold: bool, italic: bool) -> bytes:
    """A font whose glyph 0 is empty and whose glyphs 1, 2, … are those given.

    A character that several glyphs stand for leads to the first of them. The same glyphs give the same octets.

    Args:
        glyphs: at most 65,534.
        family: family name.
        units_per_em: of the outlines; brought to between 16 and 16,384.
        bold: said in the font's style.
        italic: said in the font's style.
    """
    units = (
        round(units_per_em) if 16 <= units_per_em <= 16384 and abs(units_per_em - round(units_per_em)) < 1e-3 else 1000
    )
    factor = units / units_per_em
    order = [".notdef", *(f"g{index}" for index in range(1, len(glyphs) + 1))]
    outlines = {".notdef": TrueTypeGlyph()}
    metrics = {".notdef": (units // 2, 0)}
    characters: dict[int, str] = {}
    for name, glyph in zip(order[1:], glyphs, strict=True):
        outline = _outline(glyph.draw, factor, units)
        outlines[name] = outline
        metrics[name] = (min(max(round(glyph.advance * factor), 0), 0xFFFF), getattr(outline, "xMin", 0) or 0)
        if len(glyph.text) == 1:
            characters.setdefault(ord(glyph.text), name)
    style = {(False, False): "Regular", (True, False): "Bold", (False, True): "Italic", (True, True): "Bold Italic"}
    builder = FontBuilder(units, isTTF=True)
    builder.setupGlyphOrder(order)
    builder.setupCharacterMap(characters)
    builder.setupGlyf(outlines, calcGlyphBounds=True)
    for name, outline in outlines.items():
        metrics[name] = (metrics[name][0], getattr(outline, "xMin", 0) or 0)
    builder.setupHorizontalMetrics(metrics)
    builder.setupHorizontalHeader(ascent=round(units * 0.88), descent=-round(units * 0.12))
    shown = style[bold, italic]
    ascii_name = "".join(char for char in family if char.isascii() and char.isalnum()) or "Font"
    names = {"familyName": family or "Font", "styleName": shown, "psName": ascii_name + "-" + shown.replace(" ", "")}
    builder.setupNameTable(names, mac=False)
    builder.setupOS2(sTypoAscender=round(units * 0.88), sTypoDescender=-round(units * 0.12), fsType=0)
    builder.setupPost(keepGlyphNames=False)
    builder.updateHead(created=0, modified=0, macStyle=int(bold) | int(italic) << 1)
    stream = BytesIO()
    builder.font.save(stream)
    return stream.getvalue()


def _outline(draw: Callable[[Pen], None], factor: float, units: int) -> TrueTypeGlyph:
    pen = TTGlyphPen(None, outputImpliedClosingLine=False)
    quadratic = Cu2QuPen(pen, max_err=units * _CURVE_ERROR, reverse_direction=False)
    target = quadratic if factor == 1 else TransformPen(quadratic, Transform(factor, 0, 0, factor, 0, 0))
    try:
        draw(target)
        glyph = pen.glyph(dropImpliedOnCurves=True, round=partial(_rounded))
    except Exception:  # noqa: BLE001 - a damaged outline costs its glyph, never the document
        return TrueTypeGlyph()
    return glyph


def _rounded(value: float) -> int:
    return min(max(round(value), -32000), 32000)
