"""Blanks: named places on pages that show nothing until they are filled, such as the fields of a form.

OFD has no forms (GB/T 33190-2016). A blank is an invisible PathObject that bears a Name (§8.5); when it is filled, a
PageBlock takes its place and its ID, so that custom tags that point at the one point at the other.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import isfinite

from ofd import xmlio
from ofd.geometry import Box
from ofd.xmlio import Element, element

__all__ = ["Blank", "blanks_of", "block_for", "mark_blank"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Blank:
    """A place that is still to be filled."""

    name: str
    """Several blanks may have one name: the same is to stand in all of them."""
    page_id: str
    box: Box
    """On the page, millimetres."""


def mark_blank(node: Element, name: str) -> None:
    """Make a PathObject a blank."""
    node.set("Name", name)
    node.set("Visible", "false")


def blanks_of(page: Element, page_id: str) -> Iterator[tuple[Blank, Element]]:
    """The blanks of a page, in the order of painting; what has no sensible place is none.

    Args:
        page: the root of its content.
        page_id: its ID.
    """
    for node in xmlio.descendants(page, "PathObject"):
        box = _boundary(node.get("Boundary") or "")
        if node.get("Name") and node.get("Visible") in {"false", "0"} and box is not None:
            yield Blank(name=node.get("Name") or "", page_id=page_id, box=box), node


def block_for(node: Element) -> Element:
    """Put an empty PageBlock in the place of a blank, and return it."""
    block = element(None, "PageBlock", attributes={"ID": xmlio.attribute(node, "ID")})
    node.addprevious(block)
    parent = node.getparent()
    assert parent is not None
    parent.remove(node)
    return block


def _boundary(text: str) -> Box | None:
    try:
        x, y, width, height = (float(value) for value in text.split())
    except ValueError:
        return None
    box = Box(x, y, width, height)
    return box if all(map(isfinite, box)) and width > 0 and height > 0 else None
