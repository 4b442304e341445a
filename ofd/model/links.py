"""What a click on a page leads to: places in the document, and addresses outside it (GB/T 33190-2016 §14)."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ofd.geometry import Box
from ofd.model.actions import Action, Destination, GotoAction, UriAction
from ofd.model.document import Document
from ofd.model.objects import Block, PageObject

__all__ = ["PlacedLink", "link_target", "page_links"]

_SAFE_SCHEMES = re.compile(r"(?:https?|mailto|ftp|tel):", re.IGNORECASE)
_MOST_LINKS = 5000
"""On one page."""
_DEEPEST = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedLink:
    """Where a click counts, and where it leads."""

    box: Box
    """On the page, millimetres."""
    target: Destination | str
    """A place in the document, or an address of a kind that does no harm."""


def link_target(document: Document, actions: Iterable[Action]) -> Destination | str | None:
    """Where the first action leads that leads anywhere.

    Args:
        document: whose bookmarks and pages count.
        actions: of an object or an outline entry.
    """
    for action in actions:
        match action.act:
            case GotoAction(destination=place, bookmark=name):
                marked = document.bookmarks_by_name.get(name) if name else None
                found = place or (None if marked is None else marked.destination)
                if found is not None and document.page_index(found.page) is not None:
                    return found
            case UriAction(uri=uri, base=base):
                address = uri if _SAFE_SCHEMES.match(uri) else (base or "") + uri
                if _SAFE_SCHEMES.match(address):
                    return address
            case _:
                continue
    return None


def page_links(document: Document, index: int, *, annotations: bool = True) -> Iterator[PlacedLink]:
    """The links of a page, at most five thousand.

    Args:
        document: where the page is.
        index: of the page, from 0.
        annotations: whether those of annotations count.

    Raises:
        NotFoundError: ``ofd.model.no-page``.
    """
    page = document.page(index)
    objects = [(item, 0.0, 0.0) for layer in page.layers for item in layer.objects]
    for annotation in document.annotations(index) if annotations else ():
        x, y = (annotation.boundary.x, annotation.boundary.y) if annotation.boundary else (0.0, 0.0)
        objects += [(item, x, y) for item in annotation.objects if annotation.visible]
    count = 0
    for item, x, y in objects:
        for link in _links_of(document, item, x, y, depth=0):
            count += 1
            if count > _MOST_LINKS:
                return
            yield link


def _links_of(document: Document, item: PageObject, x: float, y: float, *, depth: int) -> Iterator[PlacedLink]:
    if isinstance(item, Block):
        for inner in item.objects if depth < _DEEPEST else ():
            yield from _links_of(document, inner, x, y, depth=depth + 1)
        return
    if item.boundary is None:
        return
    for action in item.actions:
        target = link_target(document, [action]) if action.event == "CLICK" else None
        if target is not None:
            left, top, width, height = item.boundary
            if region := action.region_box:
                left, top, width, height = left + region.x, top + region.y, region.width, region.height
            yield PlacedLink(box=Box(left + x, top + y, width, height), target=target)
