"""Stand-ins for fonts that a PDF names but does not embed (ISO 32000-2 §9.6.2.2): the fourteen inside PDFium."""

import ctypes
from functools import cache
from io import BytesIO

import pikepdf
import pypdfium2
import pypdfium2.raw as pdfium
from fontTools import agl

from ofd.convert.pdf.font_programs import FontProgram, read_cff
from ofd.draw.pdfium import PDFIUM

__all__ = ["SAME_LOOK", "is_standard", "standard_name", "standard_program", "symbol_encoding"]

_FIXED, _SERIF, _SYMBOLIC, _ITALIC, _FORCE_BOLD = 1, 2, 4, 64, 1 << 18
_STEP = 20
"""Between two codes, in points, so that each stands for itself."""
SAME_LOOK = {"Ω": "\N{OHM SIGN}", "Δ": "\N{INCREMENT}", "μ": "\N{MICRO SIGN}"}
"""The Adobe Glyph List knows the Greek letters of Symbol by these."""
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


def is_standard(base_font: str) -> bool:
    """Whether a font is one of the fourteen that need not be embedded."""
    return base_font in {"Symbol", "ZapfDingbats"} or any(base_font in styles for styles in _STYLES.values())


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


@cache
def symbol_encoding(font_name: str) -> dict[int, str]:
    """The built-in encoding of Symbol or ZapfDingbats: code to glyph name, as PDFium reads a page with all codes."""
    program = standard_program(font_name)
    if program is None:
        return {}
    dingbats = font_name == "ZapfDingbats"
    named = {agl.toUnicode(glyph, isZapfDingbats=dingbats): glyph for glyph in program.names}
    for other, usual in SAME_LOOK.items():
        if usual in named:
            named.setdefault(other, named[usual])
    found = {32: "space"}
    for code, char in _read_by_pdfium(font_name).items():
        if char in named and named[char] != "space":
            found[code] = named[char]
    return found


def _read_by_pdfium(font_name: str) -> dict[int, str]:
    document = pikepdf.new()
    page = document.add_blank_page(page_size=(256 * _STEP, 100))
    font = pikepdf.Dictionary({"/Type": pikepdf.Name.Font, "/Subtype": pikepdf.Name.Type1})
    font["/BaseFont"] = pikepdf.Name(f"/{font_name}")
    page.obj["/Resources"] = pikepdf.Dictionary({"/Font": pikepdf.Dictionary({"/F": font})})
    shown = "".join(f"BT /F 8 Tf {code * _STEP} 50 Td <{code:02x}> Tj ET\n" for code in range(33, 255))
    page.obj["/Contents"] = document.make_stream(shown.encode())
    stream = BytesIO()
    document.save(stream)
    found: dict[int, str] = {}
    with PDFIUM:
        opened = pypdfium2.PdfDocument(stream.getvalue())
        try:
            text = opened[0].get_textpage()
            x, y = ctypes.c_double(), ctypes.c_double()
            for index in range(text.count_chars()):
                if pdfium.FPDFText_IsGenerated(text, index) == 0:
                    pdfium.FPDFText_GetCharOrigin(text, index, ctypes.byref(x), ctypes.byref(y))
                    found[round(x.value / _STEP)] = chr(pdfium.FPDFText_GetUnicode(text, index))
        finally:
            opened.close()
    return found
