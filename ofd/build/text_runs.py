"""Text of a scene cut into what one TextObject with one TextCode can hold (GB/T 33190-2016 §11).

Readers differ in how they count offsets where characters and glyphs are not one to one, and in how they count
characters beyond the BMP: such clusters stand alone, where all readers agree.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from string import hexdigits
from unicodedata import category

from ofd.build.bounds import glyph_face
from ofd.build.numbers import deltas, number
from ofd.draw.glyphs import NO_CHARACTER
from ofd.draw.scene import Glyph, TextItem
from ofd.geometry import Point
from ofd.xmlio import Element, element

__all__ = ["TextRun", "text_runs"]

_LAST_BMP = 0xFFFF
_UNKNOWN = "\N{REPLACEMENT CHARACTER}"
_SPACES = frozenset("\t\n\r\x0b\x0c\x85\N{LINE SEPARATOR}\N{PARAGRAPH SEPARATOR}")
_NOT_IN_XML = frozenset({"Cc", "Cs"})
_NONCHARACTERS = frozenset("\ufffe\uffff")
_ESCAPE_LENGTH = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class TextRun:
    """What goes into one TextObject."""

    item: TextItem
    """The glyphs of this run alone, all of the item's own face."""
    text: str
    """Its characters, without what XML cannot hold."""
    named: tuple[int, ...]
    """Glyph numbers that the text alone does not give; none when it does."""

    @property
    def characters(self) -> str:
        """The characters that the embedded font's ``cmap`` should have: those whose glyph it gives."""
        face = self.item.face
        return "".join(g.text for g in self.item.glyphs if len(g.text) == 1 and face.glyph(g.text) == g.index)

    def write(self, node: Element, by: Point, places: int) -> None:
        """Append CGTransform and TextCode to a text object.

        Args:
            node: the object; its colours stand already.
            by: is added to all places.
            places: decimals.
        """
        glyphs = self.item.glyphs
        if self.named:
            counts = {"CodePosition": "0", "CodeCount": str(_units(self.text)), "GlyphCount": str(len(self.named))}
            holder = element(node, "CGTransform", attributes=counts)
            element(holder, "Glyphs", " ".join(map(str, self.named)))
        attributes = {"X": number(glyphs[0].x + by.x, places), "Y": number(glyphs[0].y + by.y, places)}
        if len(self.text) > 1:
            attributes |= _offsets(glyphs, len(self.text), places)
        element(node, "TextCode", _escaped(self.text), attributes)


def text_runs(item: TextItem) -> Iterator[TextRun]:
    """The runs of a text, in order."""
    held: list[Glyph] = []
    for glyph in item.glyphs:
        text = _storable(glyph.text)
        simple = len(text) == 1 and _units(text) == 1
        if held and (not simple or glyph_face(item, held[0]) is not glyph_face(item, glyph)):
            yield _run(item, held)
            held = []
        if simple:
            held.append(glyph)
        else:
            yield _run(item, [glyph])
    if held:
        yield _run(item, held)


def _offsets(glyphs: Sequence[Glyph], characters: int, places: int) -> dict[str, str]:
    """DeltaX and DeltaY, of which one is always said: readers would else set characters by their own advances."""
    steps = [(after.x - before.x, after.y - before.y) for before, after in pairwise(glyphs)]
    steps += [(0.0, 0.0)] * (characters - 1 - len(steps))
    limit = 10.0**-places / 2
    attributes: dict[str, str] = {}
    moves_down = any(abs(down) > limit for _, down in steps)
    if not moves_down or any(abs(across) > limit for across, _ in steps):
        attributes["DeltaX"] = deltas([across for across, _ in steps], places)
    if moves_down:
        attributes["DeltaY"] = deltas([down for _, down in steps], places)
    return attributes


def _run(item: TextItem, glyphs: list[Glyph]) -> TextRun:
    face = glyph_face(item, glyphs[0])
    text = "".join(_storable(glyph.text) for glyph in glyphs)
    plain = tuple(glyph if glyph.face is None else replace(glyph, face=None) for glyph in glyphs)
    own = replace(item, face=face, glyphs=plain)
    given = len(text) == len(glyphs) and all(
        glyph.index == face.glyph(char) for glyph, char in zip(glyphs, text, strict=True)
    )
    named = () if given and _units(text) == len(text) else tuple(glyph.index for glyph in glyphs)
    return TextRun(item=own, text=text, named=named)


def _storable(text: str) -> str:
    """The characters of a glyph as XML can hold them, at least one, so that all readers place each glyph."""
    if text and text.isprintable():
        return text
    return "".join(
        " " if char in _SPACES else _UNKNOWN if category(char) in _NOT_IN_XML or char in _NONCHARACTERS else char
        for char in text or NO_CHARACTER
    )


def _escaped(text: str) -> str:
    r"""A backslash that would be read as the escape ``\xxxx`` is itself escaped."""
    if "\\" not in text:
        return text
    return "".join(
        r"\005C" if char == "\\" and _is_escape(text[at : at + _ESCAPE_LENGTH]) else char
        for at, char in enumerate(text)
    )


def _is_escape(text: str) -> bool:
    return len(text) == _ESCAPE_LENGTH and all(char in hexdigits for char in text[1:])


def _units(text: str) -> int:
    """UTF-16 units, which most readers count."""
    return sum(1 + (ord(char) > _LAST_BMP) for char in text)
