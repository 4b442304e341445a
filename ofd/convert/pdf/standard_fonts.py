"""Stand-ins for fonts that a PDF names but does not embed (ISO 32000-2 §9.6.2.2): the fourteen that PDFium has inside."""

import ctypes
from functools import cache

import pypdfium2
import pypdfium2.raw as pdfium

from ofd.convert.pdf.font_programs import FontProgram, read_cff
from ofd.draw.pdfium import PDFIUM

__all__ = ["standard_name", "standard_program"]

_FIXED, _SERIF, _SYMBOLIC, _ITALIC, _FORCE_BOLD = 1, 2, 4, 64, 1 << 18
_STYLES = {
    "Helvetica": ("Helvetica", "Helvetica-Bold", "Helvetica-Oblique", "Helvetica-BoldOblique"),
    "Times": ("Times-Roman", "Times-Bold", "Times-Italic", "Times-BoldItalic"),
    "Courier": ("Courier", "Courier-Bold", "Courier-Oblique", "Courier-BoldOblique"),
}
_SERIF_WORDS = ("times", "roman", "serif", "georgia", "garamond", "palatino", "bookman", "cambria", "century", "song")
_SANS_WORDS = ("arial", "helvetica", "sans", "verdana", "tahoma", "calibri", "univers", "frutiger")
_FIXED_WORDS = ("courier", "mono", "consol", "typewriter", "fixed")


def standard_name(base_font: str, flags: int) -> str:
    """Which of the fourteen standard fonts is nearest.

    Args:
        base_font: name of the font, without the tag of a subset.
        flags: of its descriptor (ISO 32000-2 table 121), 0 when it has none.
    """
    plain = base_font.lower().replace(" ", "")
    if plain.startswith("symbol"):
        return "Symbol"
    if "dingbats" in plain:
        return "ZapfDingbats"
    bold = any(word in plain for word in ("bold", "black", "heavy", "demi")) or bool(flags & _FORCE_BOLD)
    italic = any(word in plain for word in ("italic", "oblique")) or bool(flags & _ITALIC)
    sans = any(word in plain for word in _SANS_WORDS)
    if any(word in plain for word in _FIXED_WORDS) or flags & _FIXED:
        family = "Courier"
    elif not sans and (any(word in plain for word in _SERIF_WORDS) or flags & _SERIF):
        family = "Times"
    else:
        family = "Helvetica"
    return _STYLES[family][int(bold) + 2 * int(italic)]


@cache
def standard_program(font_name: str) -> FontProgram | None:
    """The font program that PDFium has for one of the fourteen standard fonts; None when it keeps it back."""
    with PDFIUM:
        document = pypdfium2.PdfDocument.new()
        try:
            font = pdfium.FPDFText_LoadStandardFont(document, font_name.encode("ascii"))
            if not font:
                return None
            size = ctypes.c_size_t()
            pdfium.FPDFFont_GetFontData(font, None, 0, ctypes.byref(size))
            buffer = (ctypes.c_uint8 * size.value)()
            pdfium.FPDFFont_GetFontData(font, buffer, size.value, ctypes.byref(size))
            pdfium.FPDFFont_Close(font)
        finally:
            document.close()
    return read_cff(bytes(buffer))
