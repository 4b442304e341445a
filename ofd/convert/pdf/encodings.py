"""Encodings of simple fonts (ISO 32000-2 §9.6.5 and Annex D): from codes to glyph names, and from names to Unicode."""

import re
import unicodedata
from functools import cache

import pikepdf
from fontTools import agl
from fontTools.encodings.MacRoman import MacRoman

from ofd.convert.pdf.font_programs import STANDARD_NAMES
from ofd.convert.pdf.streams import array, dictionary, name, number

__all__ = ["MAC_ROMAN_CODES", "UNKNOWN", "base_encoding", "clean_text", "differences", "text_of_glyph_name"]

UNKNOWN = "\N{REPLACEMENT CHARACTER}"
"""Stands for a glyph whose meaning the PDF does not tell."""

_MAC_ROMAN = {code: glyph for code, glyph in enumerate(MacRoman) if glyph not in {".notdef", "NUL"}}
MAC_ROMAN_CODES = {glyph: code for code, glyph in reversed(list(_MAC_ROMAN.items()))}
"""Glyph name to code of MacRomanEncoding."""
_FORMS = re.compile("[\ufb00-\ufb06\ufe10-\ufe19\ufe30-\ufe44]")
"""Latin ligatures; forms of punctuation for vertical lines."""
_UNWANTED = frozenset({"Cc", "Cs", "Cn", "Co"})


@cache
def _win_ansi() -> dict[int, str]:
    result = {}
    for code in range(32, 256):
        try:
            char = bytes([code]).decode("cp1252")
        except UnicodeDecodeError:
            char = "•"
        result[code] = agl.UV2AGL.get(ord(char), "bullet")
    return result | {0x7F: "bullet", 0xA0: "space", 0xAD: "hyphen"}


def base_encoding(encoding: object) -> dict[int, str] | None:
    """The encoding that a font names, or that its ``Encoding`` dictionary starts from; None when it names none."""
    source = dictionary(encoding)
    plain = name(encoding) if source is None else name(source.get("/BaseEncoding"))
    if plain == "/WinAnsiEncoding":
        return _win_ansi()
    if plain == "/MacRomanEncoding":
        return _MAC_ROMAN
    return STANDARD_NAMES if plain == "/StandardEncoding" else None


def differences(encoding: object) -> dict[int, str]:
    """The ``Differences`` of an encoding dictionary."""
    source = dictionary(encoding)
    result: dict[int, str] = {}
    code = 0
    for item in array(source.get("/Differences")) or () if source is not None else ():
        if isinstance(item, pikepdf.Name):
            result[code] = name(item)[1:]
            code += 1
        else:
            code = int(number(item))
    return result


def text_of_glyph_name(glyph: str, *, dingbats: bool = False) -> str:
    """What a glyph name stands for by the Adobe Glyph List; empty when that does not tell."""
    return clean_text(agl.toUnicode(glyph, isZapfDingbats=dingbats))


def clean_text(text: str) -> str:
    """Text without what does not stand for a character: controls, surrogates, unassigned and private ones.

    Latin ligatures and punctuation for vertical lines become what they stand for, so that they can be searched for.
    """
    if len(text) == 1 and " " <= text < "\x7f":
        return text
    kept = (char for char in text if unicodedata.category(char) not in _UNWANTED)
    return "".join(unicodedata.normalize("NFKC", char) if _FORMS.match(char) else char for char in kept)
