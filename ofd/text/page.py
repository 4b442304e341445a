"""What the text of a page is made of. Boxes are upright, in page space, millimetres."""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from ofd.geometry import Box, Point

__all__ = ["Character", "Line", "PageText", "Word"]


class Character(NamedTuple):
    """What one glyph stands for, mostly one character."""

    text: str
    box: Box
    """From the ascent to the descent of the font, as wide as the glyph's advance."""
    origin: Point
    """On the baseline."""
    direction: Point
    """Unit vector in which reading goes on: ``(1, 0)`` for usual text, ``(0, 1)`` for columns."""
    size: float
    """Height of 1 em on the page."""
    reach: float
    """Where its advance ends, from the origin along the direction."""
    run: int = 0
    """Characters with the same number come from one text object."""
    after_blank: bool = False
    """The text object has a blank before it."""
    origin_part: str = ""
    """Entry name of the part it stands in."""
    object_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """Characters without a blank between them."""

    characters: tuple[Character, ...]

    @property
    def text(self) -> str:
        """Its characters."""
        return "".join(item.text for item in self.characters)

    @property
    def box(self) -> Box:
        """Around all of it."""
        return _around(self.characters)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """Words on one baseline."""

    words: tuple[Word, ...]
    block: int
    """Number of the block (column, paragraph) it belongs to, in reading order."""

    @property
    def characters(self) -> tuple[Character, ...]:
        """All characters, blanks left out."""
        return tuple(item for word in self.words for item in word.characters)

    @property
    def text(self) -> str:
        """The words, a blank between them."""
        return " ".join(word.text for word in self.words)

    @property
    def box(self) -> Box:
        """Around all of it."""
        return _around(self.characters)


@dataclass(frozen=True, kw_only=True)
class PageText:
    """The text of a page in reading order."""

    lines: tuple[Line, ...]
    painted: tuple[Character, ...] = ()
    """The same characters, blanks left out, in the order in which they are painted."""

    @cached_property
    def characters(self) -> tuple[Character, ...]:
        """All characters in reading order, blanks left out."""
        return tuple(item for line in self.lines for item in line.characters)

    @property
    def text(self) -> str:
        """The lines, one below the other, an empty one between blocks."""
        pieces: list[str] = []
        for number, line in enumerate(self.lines):
            if number:
                pieces.append("\n\n" if line.block != self.lines[number - 1].block else "\n")
            pieces.append(line.text)
        return "".join(pieces)


def _around(characters: tuple[Character, ...]) -> Box:
    return Box.around([corner for item in characters for corner in item.box.corners()])
