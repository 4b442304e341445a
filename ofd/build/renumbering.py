"""References between the parts of a document: which IDs a part uses, and the same part with other IDs.

IDs are one space for the whole document (GB/T 33190-2016 §7.3): documents that are put together need others.
"""

from collections.abc import Callable, Iterator

from lxml import etree

from ofd.model.reading import same_id
from ofd.xmlio import Element

__all__ = ["references", "renumber"]

_REFERRING = frozenset(
    {
        "ColorSpace",
        "DrawParam",
        "Font",
        "ImageMask",
        "PageID",
        "PageRef",
        "RefId",
        "Relative",
        "ResourceID",
        "Substitution",
        "TemplateID",
        "Thumbnail",
    }
)
"""Attributes that hold the ID of something."""
_REFERRING_TEXT = frozenset({"DefaultCS", "ObjectRef", "Substitution", "Thumbnail"})
"""Elements whose text is the ID of something."""


def references(root: Element) -> Iterator[str]:
    """The IDs that a part refers to, as :func:`ofd.model.reading.same_id` has them."""
    for node in root.iter("*"):
        for name, value in node.items():
            if name in _REFERRING and value.strip().isdigit():
                yield same_id(value)
        if etree.QName(node).localname in _REFERRING_TEXT and (node.text or "").strip().isdigit():
            yield same_id(node.text or "")


def renumber(root: Element, new_id: Callable[[str], str]) -> None:
    """Give a part other IDs, those it defines and those it refers to.

    Args:
        root: is changed.
        new_id: from the old ID, as :func:`ofd.model.reading.same_id` has it, to the new one.
    """
    for node in root.iter("*"):
        for name, value in node.items():
            if (name == "ID" or name in _REFERRING) and value.strip().isdigit():
                node.set(name, new_id(same_id(value)))
        if etree.QName(node).localname in _REFERRING_TEXT and (node.text or "").strip().isdigit():
            node.text = new_id(same_id(node.text or ""))
