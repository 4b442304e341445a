"""Finding a keyword and its place, such as where a seal goes (签章关键字定位).

Blanks count neither in the text nor in the keyword, and characters are compared in their compatibility form, so that
``（甲方）`` finds ``(甲 方)``. A keyword may be split over texts, and over two lines that follow each other.
"""

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from math import hypot

from ofd.draw.interpret import page_scene
from ofd.draw.scene import Group, Item, Scene, TextItem
from ofd.fonts.library import FontLibrary, installed_fonts
from ofd.geometry import Box, Point
from ofd.model.document import Document
from ofd.progress import Progress, silent
from ofd.text.extract import page_text
from ofd.text.page import Character, Line, PageText
from trustcore.errors import RejectedError

__all__ = ["Hit", "document_text", "find_in_page", "search"]

_WIDEST_GAP = 6
"""Em between two characters of a keyword that are of different texts."""
_LONGEST = 256
_NEXT_LINE = 2.5
"""Em between the baselines of two lines over which a keyword may be split."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A place where a keyword stands."""

    page: int
    """Index of the page, from 0."""
    text: str
    """As it stands there, blanks left out."""
    boxes: tuple[Box, ...]
    """One for each line, in page space, millimetres."""
    box: Box
    """Around all of it."""


def document_text(
    document: Document,
    *,
    pages: Iterable[int] | None = None,
    fonts: FontLibrary | None = None,
    annotations: bool = True,
    progress: Progress = silent,
) -> Iterator[tuple[int, PageText]]:
    """The text of pages, one after the other; only one page is kept in memory.

    Args:
        document: what to read.
        pages: indexes from 0; all when left out.
        fonts: where fonts are found that are not embedded; those of this machine when left out.
        annotations: whether the text of annotations counts.
        progress: told of pages.

    Yields:
        The index of a page and its text.

    Raises:
        NotFoundError: ``ofd.model.no-page``; ``ofd.font.not-installed``.
    """
    for index, scene in _scenes(document, pages, fonts, annotations=annotations, progress=progress):
        yield index, page_text(scene)


def search(
    document: Document,
    keyword: str,
    *,
    pages: Iterable[int] | None = None,
    ignore_case: bool = False,
    fonts: FontLibrary | None = None,
    annotations: bool = True,
    progress: Progress = silent,
) -> Iterator[Hit]:
    """All places where a keyword stands, page by page, in reading order.

    Args:
        document: where to look.
        keyword: what to look for.
        pages: indexes from 0; all when left out.
        ignore_case: whether ``A`` is ``a``.
        fonts: where fonts are found that are not embedded; those of this machine when left out.
        annotations: whether the text of annotations counts.
        progress: told of pages.

    Raises:
        RejectedError: ``ofd.text.keyword`` for a keyword of blanks, or one that is too long.
        NotFoundError: ``ofd.model.no-page``; ``ofd.font.not-installed``.
    """
    wanted = frozenset(_wanted(keyword, ignore_case=ignore_case))
    return (
        hit
        for index, scene in _scenes(document, pages, fonts, annotations=annotations, progress=progress)
        # Most pages lack a character of the keyword: those need not be put in order.
        if wanted <= _all_characters(scene.items, ignore_case=ignore_case)
        for hit in find_in_page(page_text(scene), keyword, page=index, ignore_case=ignore_case)
    )


def find_in_page(text: PageText, keyword: str, *, page: int, ignore_case: bool = False) -> tuple[Hit, ...]:
    """All places where a keyword stands on one page.

    Raises:
        RejectedError: ``ofd.text.keyword`` for a keyword of blanks, or one that is too long.
    """
    wanted = _wanted(keyword, ignore_case=ignore_case)
    found: dict[frozenset[tuple[str, Point]], Hit] = {}
    for passage in _passages(text.lines):
        lines = {id(item): number for number, line in enumerate(passage) for item in line.characters}
        for match in _matches([item for line in passage for item in line.characters], wanted, ignore_case=ignore_case):
            parts: dict[int, list[Character]] = {}
            for item in match:
                parts.setdefault(lines[id(item)], []).append(item)
            if any(_apart(first, second) for part in parts.values() for first, second in pairwise(part)):
                continue
            found.setdefault(_places(match), _hit(page, match, list(parts.values())))
    # Texts that belong together though their places do not show it: in the order in which they are painted.
    for match in _matches(text.painted, wanted, ignore_case=ignore_case):
        if all(_near(first, second) for first, second in pairwise(match)):
            found.setdefault(_places(match), _hit(page, match, [match]))
    return tuple(found.values())


def _scenes(
    document: Document,
    pages: Iterable[int] | None,
    fonts: FontLibrary | None,
    *,
    annotations: bool,
    progress: Progress,
) -> Iterator[tuple[int, Scene]]:
    chosen = range(len(document.page_links)) if pages is None else tuple(pages)
    library = fonts or installed_fonts()
    for number, index in enumerate(chosen):
        progress(number, len(chosen))
        yield index, page_scene(document, index, fonts=library, annotations=annotations, text_only=True)
    progress(len(chosen), len(chosen))


def _all_characters(items: Iterable[Item], *, ignore_case: bool) -> frozenset[str]:
    """The characters of all texts, in the form in which they are compared."""
    found: set[str] = set()
    waiting = list(items)
    while waiting:
        item = waiting.pop()
        if isinstance(item, Group):
            waiting.extend(item.items)
        elif isinstance(item, TextItem):
            found.update(glyph.text for glyph in item.glyphs)
    return frozenset(char for text in found for char in _plain(text, ignore_case=ignore_case))


def _wanted(keyword: str, *, ignore_case: bool) -> str:
    wanted = "".join(_plain(char, ignore_case=ignore_case) for char in keyword)
    if not 0 < len(wanted) <= _LONGEST:
        raise RejectedError(f"A keyword has 1 to {_LONGEST} characters.", code="ofd.text.keyword")
    return wanted


@lru_cache(maxsize=8192)
def _plain(text: str, *, ignore_case: bool) -> str:
    """The form in which characters are compared."""
    plain = "".join(unicodedata.normalize("NFKC", text).split())
    return plain.casefold() if ignore_case else plain


def _passages(lines: Sequence[Line]) -> list[list[Line]]:
    """Lines that follow one another, so that a keyword may go on from one to the next."""
    passages: list[list[Line]] = []
    for line in lines:
        last = passages[-1][-1] if passages else None
        if last is not None and last.block == line.block and _near_lines(last, line):
            passages[-1].append(line)
        else:
            passages.append([line])
    return passages


def _near_lines(upper: Line, lower: Line) -> bool:
    first, second = upper.characters[0], lower.characters[0]
    direction = first.direction
    dx, dy = second.origin.x - first.origin.x, second.origin.y - first.origin.y
    return abs(dy * direction.x - dx * direction.y) <= _NEXT_LINE * max(first.size, second.size)


def _near(first: Character, second: Character) -> bool:
    distance = hypot(second.origin.x - first.origin.x, second.origin.y - first.origin.y)
    return distance <= _NEXT_LINE * max(first.size, second.size)


def _apart(first: Character, second: Character) -> bool:
    """Whether two characters of a line are too far from each other to be of one word: two cells of a table."""
    dx, dy = second.origin.x - first.origin.x, second.origin.y - first.origin.y
    gap = dx * first.direction.x + dy * first.direction.y - first.reach
    return first.run != second.run and gap > _WIDEST_GAP * max(first.size, second.size)


def _matches(characters: Sequence[Character], wanted: str, *, ignore_case: bool) -> Iterator[list[Character]]:
    """The stretches of characters in which the keyword stands."""
    owners: list[Character] = []
    plain: list[str] = []
    for item in characters:
        form = _plain(item.text, ignore_case=ignore_case)
        plain.append(form)
        owners += [item] * len(form)
    text = "".join(plain)
    start = text.find(wanted)
    while start >= 0:
        yield list({id(item): item for item in owners[start : start + len(wanted)]}.values())
        start = text.find(wanted, start + 1)


def _places(match: Sequence[Character]) -> frozenset[tuple[str, Point]]:
    return frozenset((item.text, item.origin) for item in match)


def _hit(page: int, match: Sequence[Character], parts: Sequence[Sequence[Character]]) -> Hit:
    boxes = tuple(Box.around([corner for item in part for corner in item.box.corners()]) for part in parts)
    return Hit(
        page=page,
        text="".join(item.text for item in match),
        boxes=boxes,
        box=Box.around([corner for box in boxes for corner in box.corners()]),
    )
