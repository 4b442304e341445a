"""Comparing pages: which page of one document is which of the other, and where two pages differ.

Pages are first told apart by what they paint, which is exact and cheap; only pages that are painted of other objects
are drawn and compared point by point.
"""

from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from difflib import SequenceMatcher
from functools import lru_cache
from hashlib import sha256

from ofd.compare.changes import PageChange, PageState, TextChange
from ofd.compare.picture import difference, drawn, regions
from ofd.draw.page import sealed_scene
from ofd.draw.scene import Image, Origin, Scene, TextItem
from ofd.draw.seals import Seals
from ofd.fonts.faces import FontFace
from ofd.fonts.library import FontLibrary
from ofd.model.document import Document
from ofd.progress import Progress
from ofd.text.extract import page_text
from ofd.text.page import Line
from trustcore.errors import TrustError

__all__ = ["PageSource", "compare_pages"]

_OF_FONT = frozenset({"face", "glyphs", "origin"})


class PageSource:
    """The pages of one document, drawn with their seals when asked for."""

    def __init__(self, document: Document, *, fonts: FontLibrary) -> None:
        """Take a document."""
        self.document = document
        self._fonts = fonts
        self._seals = Seals(document, fonts=fonts)

    def __len__(self) -> int:
        """How many pages."""
        return len(self.document.pages)

    def scene(self, index: int) -> Scene:
        """A page with its seals, without the warnings."""
        scene = sealed_scene(self.document, index, fonts=self._fonts, seals=self._seals)
        return replace(scene, warnings=())


@dataclass(frozen=True, slots=True)
class _Print:
    """What is remembered of a page."""

    look: bytes
    """Digest of what it paints."""
    text: str
    error: str = ""


def compare_pages(
    old: PageSource,
    new: PageSource,
    *,
    dpi: float,
    tolerance: int,
    progress: Progress,
    known: Container[int] = (),
) -> tuple[PageChange, ...]:
    """What became of each page.

    Args:
        old: the pages before.
        new: the pages now.
        dpi: how fine pages are drawn that are made of other objects.
        tolerance: by how much points may differ, of 255.
        progress: told of pages read.
        known: indexes of pages that are made of the same files in both: they are not read.
    """
    total = len(old) + len(new)
    old_prints = [_print(old, index, known) for index in _counted(len(old), 0, total, progress)]
    new_prints = [_print(new, index, known) for index in _counted(len(new), len(old), total, progress)]
    pairs = list(_align(old_prints, new_prints))
    moved = _moved(pairs, old_prints, new_prints)
    found: list[PageChange] = []
    for first, second in pairs:
        if second in moved.values() and first is None:
            origin = next(key for key, value in moved.items() if value == second)
            found.append(PageChange(state=PageState.MOVED, old=origin, new=second))
        elif second is None and first in moved:
            continue
        elif first is None or second is None:
            state = PageState.ADDED if first is None else PageState.REMOVED
            source, index = (new, second) if second is not None else (old, first)
            found.append(PageChange(state=state, old=first, new=second, text=_all_text(source, index or 0, state)))
        elif old_prints[first] == new_prints[second]:
            error = old_prints[first].error
            found.append(PageChange(state=PageState.SAME, old=first, new=second, error=error))
        else:
            found.append(_compare(old, first, new, second, dpi=dpi, tolerance=tolerance))
    progress(total, total)
    return tuple(found)


def _counted(count: int, done: int, total: int, progress: Progress) -> Iterator[int]:
    for index in range(count):
        progress(done + index, total)
        yield index


def _print(source: PageSource, index: int, known: Container[int]) -> _Print:
    if index in known:
        return _Print(f"page {index}".encode(), "")
    try:
        scene = source.scene(index)
    except TrustError as error:
        return _Print(b"", "", error.code)
    state = sha256()
    for part in _flat((scene.area, scene.items)):
        state.update(part)
    return _Print(state.digest(), page_text(scene).text)


def _flat(value: object) -> Iterator[bytes]:
    """Everything that decides how an item looks, in order; where it comes from does not."""
    if isinstance(value, Origin):
        return
    if isinstance(value, Image):
        yield sha256(value.data).digest()
    elif isinstance(value, TextItem):
        # Fonts of two documents are subset differently: what counts are the outlines.
        yield from _flat(tuple(getattr(value, field.name) for field in fields(value) if field.name not in _OF_FONT))
        for glyph in value.glyphs:
            yield _outline(glyph.face or value.face, glyph.index)
            yield f"{glyph.x:.6g} {glyph.y:.6g} {glyph.text}\x00".encode()
    elif is_dataclass(value):
        yield type(value).__name__.encode()
        for field in fields(value):
            yield from _flat(getattr(value, field.name))
    elif isinstance(value, tuple):
        yield b"("
        for item in value:
            yield from _flat(item)
        yield b")"
    else:
        # 0 and 0.0 are the same length.
        yield f"{value:.6g} ".encode() if isinstance(value, (int, float)) else f"{value}\x00".encode()


@lru_cache(maxsize=65536)
def _outline(face: FontFace, index: int) -> bytes:
    return sha256(repr(face.outline(index)).encode()).digest()


def _align(old: Sequence[_Print], new: Sequence[_Print]) -> Iterator[tuple[int | None, int | None]]:
    """Pairs of pages, in the order of the new document: the same ones first, then those with the same text."""
    by_look = SequenceMatcher(None, [item.look for item in old], [item.look for item in new], autojunk=False)
    for tag, a, b, c, d in by_look.get_opcodes():
        if tag == "equal":
            yield from zip(range(a, b), range(c, d), strict=True)
            continue
        texts = SequenceMatcher(
            None, [item.text for item in old[a:b]], [item.text for item in new[c:d]], autojunk=False
        )
        for inner, e, f, g, h in texts.get_opcodes():
            olds: list[int | None] = list(range(a + e, a + f))
            news: list[int | None] = list(range(c + g, c + h))
            if inner != "equal":
                longer = max(len(olds), len(news))
                olds += [None] * (longer - len(olds))
                news += [None] * (longer - len(news))
            yield from zip(olds, news, strict=True)


def _moved(
    pairs: Sequence[tuple[int | None, int | None]], old: Sequence[_Print], new: Sequence[_Print]
) -> dict[int, int]:
    """Pages that are gone from one place and stand, the same, in another."""
    gone = {old[first].look: first for first, second in pairs if second is None and first is not None}
    return {
        gone[new[second].look]: second
        for first, second in pairs
        if first is None and second is not None and new[second].look in gone and new[second].look
    }


def _all_text(source: PageSource, index: int, state: PageState) -> tuple[TextChange, ...]:
    try:
        lines = page_text(source.scene(index)).lines
    except TrustError:
        return ()
    texts, boxes = tuple(line.text for line in lines), tuple(line.box for line in lines)
    if not lines:
        return ()
    if state is PageState.ADDED:
        return (TextChange(old=(), new=texts, new_boxes=boxes),)
    return (TextChange(old=texts, new=(), old_boxes=boxes),)


def _compare(old: PageSource, first: int, new: PageSource, second: int, *, dpi: float, tolerance: int) -> PageChange:
    """Two pages that are painted of other objects."""
    try:
        before, after = old.scene(first), new.scene(second)
        pictures = [drawn(scene, before.area, after.area, dpi=dpi) for scene in (before, after)]
        found = regions(difference(*pictures), before.area, after.area, dpi=dpi, tolerance=tolerance)
    except TrustError as error:
        return PageChange(state=PageState.CHANGED, old=first, new=second, error=error.code)
    text = tuple(_text_changes(page_text(before).lines, page_text(after).lines))
    same_size = before.area == after.area
    state = PageState.REWRITTEN if not found and not text and same_size else PageState.CHANGED
    return PageChange(state=state, old=first, new=second, text=text, regions=found)


def _text_changes(old: Sequence[Line], new: Sequence[Line]) -> Iterator[TextChange]:
    matcher = SequenceMatcher(None, [line.text for line in old], [line.text for line in new], autojunk=False)
    for tag, a, b, c, d in matcher.get_opcodes():
        if tag != "equal":
            yield TextChange(
                old=tuple(line.text for line in old[a:b]),
                new=tuple(line.text for line in new[c:d]),
                old_boxes=tuple(line.box for line in old[a:b]),
                new_boxes=tuple(line.box for line in new[c:d]),
            )
