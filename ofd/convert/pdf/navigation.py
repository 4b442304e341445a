"""Where a PDF leads its readers: outlines, links, named places (ISO 32000-2 §12.3, §12.6); and its attached files."""

from collections.abc import Iterator
from dataclasses import dataclass

import pikepdf

from ofd.convert.pdf.encodings import clean_text
from ofd.convert.pdf.streams import Limits, array, dictionary, entries, name, number, numbers, read_stream, text_of
from ofd.geometry import Box

__all__ = ["AttachedFile", "Entry", "Link", "Navigation", "Place"]

_MOST_NAMES = 100_000
_MOST_LINKS = 20_000
_MOST_FILES = 1000
_DEEPEST = 24
_LONGEST_URI = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A destination."""

    page: int
    """Index of the page."""
    kind: str
    """XYZ, Fit, FitH, FitV or FitR."""
    values: tuple[float | None, ...] = ()
    """What follows the kind, in the page's user space; None keeps what is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A part of a page that answers a click."""

    box: Box
    """In the page's user space."""
    target: Place | str
    """A place, or an address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An outline item."""

    title: str
    target: Place | str | None
    expanded: bool
    children: "tuple[Entry, ...]"


@dataclass(frozen=True, slots=True, kw_only=True)
class AttachedFile:
    """An embedded file."""

    file_name: str
    data: bytes


class Navigation:
    """Looks places up; built once for a document."""

    def __init__(self, document: pikepdf.Pdf, limits: Limits) -> None:
        """Take an open document."""
        self._document = document
        self._limits = limits
        self._pages = {page.obj.objgen: index for index, page in enumerate(document.pages)}
        self._names: dict[str, pikepdf.Object] | None = None
        self._entries_left = limits.outline_entries

    def outlines(self) -> tuple[Entry, ...]:
        """The table of contents; what leads in a circle is cut off."""
        root = dictionary(self._document.Root.get("/Outlines"))
        if root is None:
            return ()
        self._entries_left = self._limits.outline_entries
        return tuple(self._entries(root, set(), 0))

    def _entries(self, parent: pikepdf.Object, seen: set[tuple[int, int]], depth: int) -> Iterator[Entry]:
        item = dictionary(parent.get("/First"))
        while item is not None and item.objgen not in seen and depth < _DEEPEST and self._entries_left > 0:
            self._entries_left -= 1
            if item.objgen[0]:
                seen.add(item.objgen)
            title = clean_text(text_of(item.get("/Title")))
            children = tuple(self._entries(item, seen, depth + 1))
            if title or children:
                yield Entry(
                    title=title or "…",
                    target=self._target(item),
                    expanded=number(item.get("/Count")) >= 0,
                    children=children,
                )
            item = dictionary(item.get("/Next"))

    def links(self, page: pikepdf.Object) -> Iterator[Link]:
        """The links of a page that lead somewhere in the document or to an address."""
        for item in (array(page.get("/Annots")) or [])[:_MOST_LINKS]:
            annotation = dictionary(item)
            if annotation is None or name(annotation.get("/Subtype")) != "/Link":
                continue
            rectangle = numbers(annotation.get("/Rect"), 4)
            target = self._target(annotation)
            if rectangle is not None and target is not None:
                box = Box.around([(rectangle[0], rectangle[1]), (rectangle[2], rectangle[3])])
                if box.width > 0 and box.height > 0:
                    yield Link(box=box, target=target)

    def files(self) -> Iterator[AttachedFile]:
        """Embedded files of the document and of its file annotations.

        Raises:
            RejectedError: ``ofd.convert.pdf-too-big``.
        """
        found: dict[str, object] = {}
        tree = dictionary(self._document.Root.get("/Names"))
        for key, value in _tree(tree.get("/EmbeddedFiles")) if tree is not None else ():
            found.setdefault(key, value)
        for index, page in enumerate(self._document.pages):
            for item in (array(page.obj.get("/Annots")) or [])[:_MOST_LINKS]:
                annotation = dictionary(item)
                if annotation is not None and name(annotation.get("/Subtype")) == "/FileAttachment":
                    found.setdefault(f"page {index + 1} {len(found)}", annotation.get("/FS"))
        for key, holder in list(found.items())[:_MOST_FILES]:
            specification = dictionary(holder)
            streams = dictionary(specification.get("/EF")) if specification is not None else None
            if specification is None or streams is None:
                continue
            stream = streams.get("/UF", streams.get("/F"))
            if isinstance(stream, pikepdf.Stream):
                shown = text_of(specification.get("/UF")) or text_of(specification.get("/F")) or key
                yield AttachedFile(file_name=clean_text(shown) or "file", data=read_stream(stream, self._limits))

    def _target(self, source: pikepdf.Object) -> Place | str | None:
        """``Dest`` or ``A`` of an outline item or a link."""
        place = self._place(source.get("/Dest"))
        if place is not None:
            return place
        action = dictionary(source.get("/A"))
        if action is None:
            return None
        kind = name(action.get("/S"))
        if kind == "/GoTo":
            return self._place(action.get("/D"))
        if kind == "/URI":
            return clean_text(text_of(action.get("/URI")))[:_LONGEST_URI] or None
        return None

    def _place(self, value: object, depth: int = 0) -> Place | None:
        if depth > 4 or value is None:
            return None
        named = name(value)[1:] or text_of(value)
        if named:
            return self._place(self._named().get(named), depth + 1)
        items = array(value)
        if items is None:
            holder = dictionary(value)
            return None if holder is None else self._place(holder.get("/D"), depth + 1)
        if len(items) < 2:
            return None
        page = self._page(items[0])
        if page is None:
            return None
        given: list[object] = list(items[2:6])
        values = tuple(None if item is None else number(item) for item in given)
        return Place(page=page, kind=name(items[1])[1:], values=values)

    def _page(self, value: object) -> int | None:
        if isinstance(value, pikepdf.Dictionary):
            return self._pages.get(value.objgen)
        index = int(number(value, -1))
        return index if 0 <= index < len(self._pages) else None

    def _named(self) -> dict[str, pikepdf.Object]:
        if self._names is None:
            self._names = {}
            tree = dictionary(self._document.Root.get("/Names"))
            for key, value in _tree(tree.get("/Dests")) if tree is not None else ():
                self._names.setdefault(key, value)
            for key, value in entries(self._document.Root.get("/Dests")):
                self._names.setdefault(key[1:], value)
        return self._names


def _tree(root: object) -> Iterator[tuple[str, pikepdf.Object]]:
    """The pairs of a name tree (§7.9.6), circles cut off."""
    seen: set[tuple[int, int]] = set()
    pending = [root]
    count = 0
    while pending:
        node = dictionary(pending.pop())
        if node is None or node.objgen in seen:
            continue
        if node.objgen[0]:
            seen.add(node.objgen)
        pairs = array(node.get("/Names")) or []
        for key, value in zip(pairs[::2], pairs[1::2], strict=False):
            count += 1
            if count > _MOST_NAMES:
                return
            yield text_of(key), value
        pending.extend(reversed(array(node.get("/Kids")) or []))
