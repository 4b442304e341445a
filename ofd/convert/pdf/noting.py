"""Which glyphs a page uses: its strings read ahead, without painting, so that each font is built once."""

from collections.abc import Sequence

import pikepdf

from ofd.convert.pdf.annotations import appearances
from ofd.convert.pdf.fonts import Font
from ofd.convert.pdf.reading import Reading
from ofd.convert.pdf.streams import array, content_stream, dictionary, entries, name, operators, read_stream

__all__ = ["note_strings"]

_OPERATORS = "q Q Tf Tj TJ ' \" gs"
_DEPTH = 12


def note_strings(reading: Reading, page: pikepdf.Object, content: pikepdf.Object) -> None:
    """Note the strings of a page, its forms, patterns and annotations in their fonts."""
    seen: set[tuple[int, int]] = set()
    resources = page.get("/Resources")
    node = page
    for _ in range(64):
        if resources is not None or (parent := dictionary(node.get("/Parent"))) is None:
            break
        node = parent
        resources = node.get("/Resources")
    _note(reading, content, dictionary(resources), seen, 0)
    for appearance in appearances(reading, page):
        _note_form(reading, appearance.form, dictionary(resources), seen, 0)


def _note_form(
    reading: Reading, form: pikepdf.Object, outer: pikepdf.Object | None, seen: set[tuple[int, int]], depth: int
) -> None:
    if form.objgen in seen or depth > _DEPTH:
        return
    if form.objgen[0]:
        seen.add(form.objgen)
    own = dictionary(form.get("/Resources"))
    content = content_stream(reading.document, read_stream(form, reading.limits), reading.limits)
    _note(reading, content, own if own is not None else outer, seen, depth + 1)


def _note(
    reading: Reading,
    content: pikepdf.Object,
    resources: pikepdf.Object | None,
    seen: set[tuple[int, int]],
    depth: int,
) -> None:
    if resources is None:
        return
    fonts = dictionary(resources.get("/Font"))
    if fonts is not None:
        _note_text(reading, content, fonts, dictionary(resources.get("/ExtGState")))
    for kind, wanted in (("/XObject", "/Form"), ("/Pattern", "")):
        for _, item in entries(resources.get(kind)):
            if isinstance(item, pikepdf.Stream) and name(item.get("/Subtype")) == wanted:
                _note_form(reading, item, resources, seen, depth)


def _note_text(reading: Reading, content: pikepdf.Object, fonts: pikepdf.Object, states: pikepdf.Object | None) -> None:
    instructions = operators(content, _OPERATORS)
    reading.work(len(instructions))
    font: Font | None = None
    saved: list[Font | None] = []
    for operator, operands in instructions:
        if operator == "q":
            saved.append(font)
        elif operator == "Q":
            font = saved.pop() if saved else font
        elif operator == "Tf" and operands:
            font = reading.font(fonts.get(operands[0])) if isinstance(operands[0], pikepdf.Name) else None
        elif operator == "gs" and operands and states is not None:
            state = dictionary(states.get(operands[0])) if isinstance(operands[0], pikepdf.Name) else None
            pair = array(state.get("/Font")) if state is not None else None
            font = reading.font(pair[0]) if pair else font
        elif font is not None and operands:
            strings = array(operands[-1])
            listed: Sequence[object] = [operands[-1]] if strings is None else strings
            for item in listed:
                if isinstance(item, pikepdf.String):
                    font.note(bytes(item))
