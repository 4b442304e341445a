"""Font dictionaries of a PDF (ISO 32000-2 §9.6, §9.7): simple, composite and Type 3."""

import re

import pikepdf

from ofd.convert.pdf.cmaps import read_cmap, read_to_unicode
from ofd.convert.pdf.encodings import (
    MAC_ROMAN_CODES,
    base_encoding,
    clean_text,
    differences,
    text_of_glyph_name,
)
from ofd.convert.pdf.font_programs import STANDARD_NAMES, FontProgram, read_font_program
from ofd.convert.pdf.fonts import Metrics, Type3
from ofd.convert.pdf.standard_fonts import SAME_LOOK, is_standard, standard_name, standard_program, symbol_encoding
from ofd.convert.pdf.streams import Limits, array, dictionary, matrix_of, name, number, read_stream

__all__ = ["read_font"]

_SUBSET_TAG = re.compile(r"^[A-Z]{6}\+")
_SYMBOLIC, _ITALIC, _FORCE_BOLD = 4, 64, 1 << 18
_MOST_WIDTHS = 70_000
_GREEK = {ord(sign): letter for letter, sign in SAME_LOOK.items()}


def read_font(source: pikepdf.Object, limits: Limits) -> Metrics | None:
    """What a font dictionary says; None when it is none."""
    kind = name(source.get("/Subtype"))
    if kind == "/Type0":
        descendants = array(source.get("/DescendantFonts")) or []
        descendant = dictionary(descendants[0]) if descendants else None
        return None if descendant is None else _composite(source, descendant, limits)
    if kind == "/Type3":
        return _type3(source, limits)
    return _simple(source, limits)


def _family(source: pikepdf.Object) -> str:
    plain = _SUBSET_TAG.sub("", name(source.get("/BaseFont"))[1:])
    return "".join(char for char in plain if char.isprintable() and not "\ud800" <= char <= "\udfff")[:120]


def _program(descriptor: pikepdf.Object | None, limits: Limits) -> FontProgram | None:
    if descriptor is None:
        return None
    for key in ("/FontFile", "/FontFile2", "/FontFile3"):
        stream = descriptor.get(key)
        if isinstance(stream, pikepdf.Stream):
            data = read_stream(stream, limits)
            program = read_font_program(data) if data else None
            if program is not None:
                return program
    return None


def _style(family: str, descriptor: pikepdf.Object | None) -> tuple[int, bool, bool]:
    flags = int(number(descriptor.get("/Flags"))) if descriptor is not None else 0
    plain = family.lower()
    bold = "bold" in plain or "black" in plain or bool(flags & _FORCE_BOLD)
    return flags, bold, "italic" in plain or "oblique" in plain or bool(flags & _ITALIC)


def _simple(source: pikepdf.Object, limits: Limits) -> Metrics:
    family = _family(source)
    descriptor = dictionary(source.get("/FontDescriptor"))
    flags, bold, italic = _style(family, descriptor)
    own = _program(descriptor, limits)
    stand_in = standard_name(family, flags)
    program = own or standard_program(stand_in)
    encoding = source.get("/Encoding")
    base = base_encoding(encoding)
    changed = differences(encoding)
    if own is None and stand_in in {"Symbol", "ZapfDingbats"}:
        base = symbol_encoding(stand_in)
    if own is not None and own.truetype:
        symbolic = bool(flags & _SYMBOLIC) or (base is None and not changed)
        names = {**(base or ({} if symbolic else STANDARD_NAMES)), **changed}
        glyphs = _truetype_glyphs(own, names, symbolic=symbolic)
    else:
        glyphs, names = _named_glyphs(program, base, changed)
    dingbats = own is None and stand_in == "ZapfDingbats"
    texts = {code: text_of_glyph_name(glyph, dingbats=dingbats) for code, glyph in names.items()}
    if own is None and stand_in == "Symbol":
        texts = {code: text.translate(_GREEK) for code, text in texts.items()}
    if program is not None:
        by_glyph = {index: chr(point) for point, index in reversed(program.unicode.items())}
        for code, index in glyphs.items():
            if not texts.get(code) and index in by_glyph:
                texts[code] = clean_text(by_glyph[index])
    told = {code: clean_text(text) for code, text in read_to_unicode(source.get("/ToUnicode"), limits).items()}
    texts.update((code, text) for code, text in told.items() if text)
    widths = _simple_widths(source)
    missing = number(descriptor.get("/MissingWidth")) / 1000 if descriptor is not None else 0.0
    if not widths and program is not None:
        widths = {code: program.advance(index) / program.units_per_em for code, index in glyphs.items()}
    return Metrics(
        family=family,
        program=program,
        substituted=own is None,
        standard=own is None and is_standard(family),
        glyphs=glyphs,
        texts=texts,
        widths=widths,
        default_width=missing,
        bold=bold,
        italic=italic,
    )


def _simple_widths(source: pikepdf.Object, unit: float = 0.001) -> dict[int, float]:
    first = int(number(source.get("/FirstChar")))
    items = array(source.get("/Widths")) or []
    return {first + index: number(item) * unit for index, item in enumerate(items[:256])}


def _named_glyphs(
    program: FontProgram | None, base: dict[int, str] | None, changed: dict[int, str]
) -> tuple[dict[int, int], dict[int, str]]:
    """Glyphs of fonts that are drawn by name: Type 1, CFF and the standard ones."""
    if program is None:
        return {}, {**(base or STANDARD_NAMES), **changed}
    by_index = {index: glyph for glyph, index in reversed(program.names.items())}
    glyphs: dict[int, int] = {}
    names: dict[int, str] = {}
    if base is None:
        glyphs = dict(program.encoding)
        names = {code: by_index[index] for code, index in glyphs.items() if index in by_index}
    for code, glyph in {**(base or {}), **changed}.items():
        names[code] = glyph
        index = program.names.get(glyph)
        if index is None and glyph not in program.names:
            point = text_of_glyph_name(glyph)
            index = program.unicode.get(ord(point)) if len(point) == 1 else None
        if index is None:
            glyphs.pop(code, None)
        else:
            glyphs[code] = index
    if not program.names and program.cids is not None:
        glyphs = {code: code for code in range(min(256, program.glyph_count))}
    return glyphs, names


def _truetype_glyphs(program: FontProgram, names: dict[int, str], *, symbolic: bool) -> dict[int, int]:
    """Glyphs of a TrueType font (ISO 32000-2 §9.6.5.4)."""
    glyphs: dict[int, int] = {}
    mapped = bool(program.symbol or program.macintosh or program.unicode)
    for code in range(256):
        by_code = (
            program.symbol.get(code)
            or program.symbol.get(0xF000 + code)
            or program.symbol.get(0xF100 + code)
            or program.macintosh.get(code)
        )
        glyph = names.get(code)
        by_name = 0 if glyph is None else _by_name(program, glyph)
        index = (by_code or by_name) if symbolic else (by_name or by_code)
        if not index:
            index = program.unicode.get(code, 0) if mapped else code
        if index and index < program.glyph_count:
            glyphs[code] = index
    return glyphs


def _by_name(program: FontProgram, glyph: str) -> int:
    text = text_of_glyph_name(glyph)
    if len(text) == 1 and ord(text) in program.unicode:
        return program.unicode[ord(text)]
    if glyph in MAC_ROMAN_CODES and MAC_ROMAN_CODES[glyph] in program.macintosh:
        return program.macintosh[MAC_ROMAN_CODES[glyph]]
    return program.names.get(glyph, 0)


def _composite(source: pikepdf.Object, descendant: pikepdf.Object, limits: Limits) -> Metrics:
    family = _family(source) or _family(descendant)
    descriptor = dictionary(descendant.get("/FontDescriptor"))
    _, bold, italic = _style(family, descriptor)
    program = _program(descriptor, limits)
    cmap = read_cmap(source.get("/Encoding"), limits)
    mapping = descendant.get("/CIDToGIDMap")
    texts = {code: clean_text(text) for code, text in read_to_unicode(source.get("/ToUnicode"), limits).items()}
    vertical = array(descendant.get("/DW2")) or []
    default_height = (number(vertical[0]) / 1000, number(vertical[1]) / 1000) if len(vertical) == 2 else (0.88, -1.0)
    return Metrics(
        family=family,
        program=program,
        substituted=program is None,
        glyphs={},
        texts=texts,
        widths={cid: values[0] for cid, values in _cid_metrics(descendant.get("/W"), 1).items()},
        default_width=number(descendant.get("/DW"), 1000) / 1000,
        bold=bold,
        italic=italic,
        cmap=cmap,
        cid_glyphs=read_stream(mapping, limits) if isinstance(mapping, pikepdf.Stream) else None,
        heights={cid: (v[0], v[1], v[2]) for cid, v in _cid_metrics(descendant.get("/W2"), 3).items()},
        default_height=default_height,
    )


def _cid_metrics(value: object, each: int) -> dict[int, tuple[float, ...]]:
    """``W`` (one number each) and ``W2`` (three), in em (ISO 32000-2 §9.7.4.3)."""
    items = array(value) or []
    result: dict[int, tuple[float, ...]] = {}
    place = 0
    while place + 1 < len(items) and len(result) < _MOST_WIDTHS:
        first = int(number(items[place]))
        listed = array(items[place + 1])
        if listed is not None:
            scaled = [number(item) / 1000 for item in listed]
            for index in range(len(scaled) // each):
                result[first + index] = tuple(scaled[index * each : (index + 1) * each])
            place += 2
        else:
            last = min(int(number(items[place + 1])), first + 0xFFFF)
            values = tuple(number(item) / 1000 for item in items[place + 2 : place + 2 + each])
            if len(values) == each:
                result.update(dict.fromkeys(range(first, last + 1), values))
            place += 2 + each
    return result


def _type3(source: pikepdf.Object, limits: Limits) -> Metrics:
    procedures = dictionary(source.get("/CharProcs"))
    names = differences(source.get("/Encoding"))
    matrix = matrix_of(source.get("/FontMatrix"))
    texts = {code: text_of_glyph_name(glyph) for code, glyph in names.items()}
    told = {code: clean_text(text) for code, text in read_to_unicode(source.get("/ToUnicode"), limits).items()}
    texts.update((code, text) for code, text in told.items() if text)
    streams: dict[int, pikepdf.Object] = {}
    for code, glyph in names.items():
        stream = procedures.get("/" + glyph) if procedures is not None else None
        if isinstance(stream, pikepdf.Stream):
            streams[code] = stream
    return Metrics(
        family=_family(source) or "Type3",
        program=None,
        substituted=True,
        glyphs={},
        texts=texts,
        widths=_simple_widths(source, abs(matrix.a) or 0.001),
        default_width=0,
        bold=False,
        italic=False,
        type3=Type3(matrix=matrix, procedures=streams, resources=dictionary(source.get("/Resources"))),
    )
