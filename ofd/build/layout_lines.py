"""Breaking text into lines as Chinese typesetting does (GB/T 15834; the rules of 避头尾), and placing their characters.

A line may end between two Chinese characters, at a blank or after a hyphen, but not before a mark that closes, nor
behind one that opens, nor within a dash or an ellipsis of two characters. A word that is wider than the line is broken
anywhere.
"""

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from ofd.build.colors import BLACK, Color
from ofd.fonts.faces import FontStack
from ofd.model.actions import Act

__all__ = ["Character", "Line", "Span", "break_lines", "characters"]

NOT_FIRST = frozenset("!%),.:;?]}¢°·'\"†‡›℃∶、。々〃〉》」』】〕〗〞﹚﹜！＂％＇），．：；？］｝～”’–‐")
"""Marks that may not begin a line."""
NOT_LAST = frozenset("$([{£¥‹〈《「『【〔〖〝﹙﹛＄（［｛￡￥“‘#＃@")
"""Marks that may not end a line."""
_EITHER_SIDE = frozenset("'\"")
"""Marks that open behind a blank and close elsewhere."""
_TOGETHER = frozenset("—…⋯")
"""Of these, two equal ones are one mark."""
_BREAK_AFTER = frozenset("-‐–/")
_NO_BREAK = frozenset("\N{NO-BREAK SPACE}\N{NARROW NO-BREAK SPACE}\N{WORD JOINER}")
_SLACK = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Text of one look within a paragraph."""

    text: str
    size_mm: float | None = None
    """The paragraph's if left out."""
    color: Color = BLACK
    bold: bool = False
    underline: bool = False
    fonts: FontStack | None = None
    """The document's if left out."""
    link: Act | None = None
    """What a click on it does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Character:
    """One character and how it looks."""

    text: str
    width: float
    """Millimetres."""
    size: float
    span: Span
    fonts: FontStack

    @property
    def is_blank(self) -> bool:
        """Whether it vanishes at the end of a line."""
        return self.text.isspace() and self.text not in _NO_BREAK

    @property
    def is_wide(self) -> bool:
        """Whether it is Chinese, Japanese or Korean: a line may end on both sides of it."""
        return unicodedata.east_asian_width(self.text) in {"W", "F"} or self.text in _TOGETHER


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """Characters that stand in one line, blanks at its end left out."""

    characters: tuple[Character, ...]
    width: float
    """As the characters are wide by themselves."""
    last: bool
    """Of a paragraph, or before a forced break: it is not stretched."""

    @property
    def size(self) -> float:
        """The largest font size."""
        return max((item.size for item in self.characters), default=0.0)

    def places(self, width: float, *, justify: bool) -> Iterator[tuple[Character, float]]:
        """The characters and where each begins, from the line's start.

        Args:
            width: of the space there is.
            justify: stretch the line to the width, unless it is the last one.
        """
        gaps = [_stretches(one, other) for one, other in pairwise(self.characters)]
        spare = width - self.width
        step = spare / sum(gaps) if justify and not self.last and spare > 0 and any(gaps) else 0.0
        x = 0.0
        for at, character in enumerate(self.characters):
            yield character, x
            x += character.width + (step if at < len(gaps) and gaps[at] else 0.0)


def characters(spans: Sequence[Span], *, size_mm: float, fonts: FontStack) -> list[Character | None]:
    """The characters of spans; ``None`` for a forced break (a line feed).

    Raises:
        RejectedError: ``ofd.font.missing-glyph``.
    """
    found: list[Character | None] = []
    for span in spans:
        stack, size = span.fonts or fonts, span.size_mm or size_mm
        for char in span.text.replace("\r\n", "\n"):
            if char == "\n":
                found.append(None)
                continue
            shown = " " if char == "\t" or (char.isspace() and not stack.covers(char)) else char
            found.append(Character(text=shown, width=stack.advance(shown) * size, size=size, span=span, fonts=stack))
    return found


def break_lines(text: Sequence[Character | None], *, width: float, first_indent: float = 0) -> list[Line]:
    """Lines that are no wider than there is space.

    Args:
        text: characters, ``None`` where a line has to end.
        width: of the space, millimetres.
        first_indent: by how much the first line is shorter.
    """
    lines: list[Line] = []
    for part in _parts(text):
        start = 0
        while True:
            space = width - (first_indent if not lines else 0)
            end = _end(part, start, space)
            last = end >= len(part)
            lines.append(_line(part[start:end], last=last))
            start = end
            while start < len(part) and part[start].is_blank:
                start += 1
            if start >= len(part):
                break
    return lines


def _parts(text: Sequence[Character | None]) -> Iterator[list[Character]]:
    part: list[Character] = []
    for character in text:
        if character is None:
            yield part
            part = []
        else:
            part.append(character)
    yield part


def _end(part: Sequence[Character], start: int, space: float) -> int:
    """Where the line that begins at ``start`` ends."""
    used, best = 0.0, 0
    for at in range(start, len(part)):
        if at > start and _may_break(part, at):
            best = at
        used += part[at].width
        if used > space + _SLACK and not part[at].is_blank:
            return best or max(at, start + 1)
    return len(part)


def _may_break(part: Sequence[Character], at: int) -> bool:
    """Whether a line may end before the character at ``at``."""
    before, after = part[at - 1], part[at]
    if after.is_blank or before.text in _NO_BREAK or after.text in _NO_BREAK:
        return False
    if before.is_blank:
        solid = next((part[index].text for index in range(at - 1, -1, -1) if not part[index].is_blank), "")
        return solid not in NOT_LAST and (after.text not in NOT_FIRST or after.text in _EITHER_SIDE)
    if after.text in NOT_FIRST or before.text in NOT_LAST:
        return False
    if before.text == after.text and before.text in _TOGETHER:
        return False
    return before.is_wide or after.is_wide or (before.text in _BREAK_AFTER and after.text.isalpha())


def _line(found: Sequence[Character], *, last: bool) -> Line:
    shown = list(found)
    while shown and shown[-1].is_blank:
        shown.pop()
    return Line(characters=tuple(shown), width=sum(item.width for item in shown), last=last)


def _stretches(one: Character, other: Character) -> bool:
    """Whether the space between two characters may grow."""
    if one.text == other.text and one.text in _TOGETHER:
        return False
    return one.is_blank or (not other.is_blank and (one.is_wide or other.is_wide))
