"""Reading TextCode and CGTransform: characters, where they stand, and their glyphs (GB/T 33190-2016 §11.3, §11.4)."""

import re

from ofd.model.objects import GlyphRun, TextCode
from ofd.model.reading import Part, plain_text
from ofd.xmlio import Element

__all__ = ["expand_deltas", "read_codes"]

_ESCAPE = re.compile(r"\\([0-9A-Fa-f]{4})")
_INDENTED = re.compile(r"[ \t]*\r?\n[ \t]*")
_LARGEST_GLYPH = 0xFFFF
_FIRST_PRINTABLE = 0x20


def read_codes(part: Part, node: Element) -> tuple[TextCode, ...]:
    """The TextCodes of a TextObject, each with the CGTransforms that stand before it."""
    codes: list[TextCode] = []
    runs: list[GlyphRun] = []
    for item in part.children(node, "CGTransform", "TextCode"):
        if part.local(item) == "CGTransform":
            runs.append(_read_run(part, item))
            continue
        codes.append(_read_code(part, item, tuple(runs)))
        runs = []
    if runs and codes:
        # Written after the text they belong to: positions then count from the first character.
        part.warn("ofd.model.glyphs-after-text", "字形变换写在文字之后", "CGTransform stands behind its TextCode")
        first = codes[0]
        codes[0] = TextCode(
            text=first.text,
            x=first.x,
            y=first.y,
            delta_x=first.delta_x,
            delta_y=first.delta_y,
            glyph_runs=(*first.glyph_runs, *runs),
        )
    return tuple(codes)


def expand_deltas(part: Part, value: str, name: str, most: int) -> tuple[float, ...]:
    """DeltaX or DeltaY with ``g count value`` written out, at most so many values."""
    deltas: list[float] = []
    items = value.replace(",", " ").split()
    index = 0
    while index < len(items) and len(deltas) < most:
        if items[index] in {"g", "G"}:
            numbers = part.parse_numbers(" ".join(items[index + 1 : index + 3]), name)
            if len(numbers) == 2:
                deltas += [numbers[1]] * min(max(int(numbers[0]), 0), most - len(deltas))
            index += 3
            continue
        number = part.parse_number(items[index], name)
        deltas.append(number or 0)
        index += 1
    return tuple(deltas)


def _read_code(part: Part, node: Element, runs: tuple[GlyphRun, ...]) -> TextCode:
    raw = plain_text(node)
    units = len(raw.encode("utf-16-le", "surrogatepass")) // 2
    deltas = [
        None if not (value := node.get(name) or "").strip() else expand_deltas(part, value, name, max(units - 1, 0))
        for name in ("DeltaX", "DeltaY")
    ]
    counts = {len(found) for found in deltas if found is not None}
    text = raw
    if "\n" in raw and len(raw) - 1 not in counts:
        # Written by a program that indents XML: the break is no character of the text.
        text = _INDENTED.sub("", raw)
    if "\\" in text:
        text = _without_escapes(text, counts)
    return TextCode(
        text=text,
        x=part.number(node, "X"),
        y=part.number(node, "Y"),
        delta_x=deltas[0],
        delta_y=deltas[1],
        glyph_runs=runs,
    )


def _without_escapes(raw: str, counts: set[int]) -> str:
    r"""``\xxxx`` means a character when XML could not hold it, or when the number of deltas says so."""
    whole = _ESCAPE.sub(lambda found: chr(int(found.group(1), 16)), raw)
    if whole != raw and len(raw) - 1 not in counts and len(whole) - 1 in counts and not _has_surrogate(whole):
        return whole

    def replaced(found: re.Match[str]) -> str:
        code = int(found.group(1), 16)
        unwritable = code < _FIRST_PRINTABLE and code not in {9, 10, 13}
        return chr(code) if unwritable or code in {0xFFFE, 0xFFFF} else found.group()

    return _ESCAPE.sub(replaced, raw)


def _has_surrogate(text: str) -> bool:
    return any(0xD800 <= ord(char) <= 0xDFFF for char in text)


def _read_run(part: Part, node: Element) -> GlyphRun:
    text = part.child_text(node, "Glyphs") or (node.get("Glyphs") or "")
    glyphs = tuple(int(value) if 0 <= value <= _LARGEST_GLYPH else 0 for value in part.parse_numbers(text, "Glyphs"))
    count = part.integer(node, "CodeCount")
    glyph_count = part.integer(node, "GlyphCount")
    return GlyphRun(
        code_position=max(part.integer(node, "CodePosition") or 0, 0),
        code_count=1 if count is None else max(count, 0),
        glyph_count=len(glyphs) if glyph_count is None else glyph_count,
        glyphs=glyphs,
    )
