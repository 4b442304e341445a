"""Annotations of a document under construction, by page (GB/T 33190-2016 §15)."""

from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

from ofd.build.numbers import number
from ofd.geometry import Box
from ofd.xmlio import Element, element, serialise

__all__ = ["AnnotationTable", "AnnotationType", "Remarks", "write_annotation"]


class AnnotationType(StrEnum):
    """``Annot@Type``."""

    LINK = "Link"
    PATH = "Path"
    HIGHLIGHT = "Highlight"
    STAMP = "Stamp"
    WATERMARK = "Watermark"


@dataclass(frozen=True, slots=True, kw_only=True)
class Remarks:
    """What is known of an annotation beside its look."""

    creator: str = "Xinyin"
    """Who made it; the standard wants it said."""
    subtype: str = ""
    remark: str = ""
    """What readers show of it in words."""
    parameters: Mapping[str, str] = field(default_factory=dict)
    visible: bool = True
    printed: bool = True
    no_zoom: bool = False
    no_rotate: bool = False
    read_only: bool = True


class AnnotationTable:
    """The annotations of all pages; each page's are one file."""

    def __init__(self) -> None:
        """Start without annotations."""
        self._pages: dict[int, Element] = {}

    def add(
        self, page_id: int, annotation_id: int, kind: AnnotationType, box: Box, *, remarks: Remarks, modified: date
    ) -> Element:
        """A new annotation of a page; its Appearance, into which objects are drawn relative to the box."""
        page = self._pages.get(page_id)
        if page is None:
            page = self._pages[page_id] = element(None, "PageAnnot")
        return write_annotation(page, annotation_id, kind, box, remarks=remarks, modified=modified)

    def __bool__(self) -> bool:
        """Whether there is any annotation."""
        return bool(self._pages)

    def pages(self) -> dict[int, bytes]:
        """The annotation file of each page by the page's ID, in the order in which they were begun."""
        return {page_id: serialise(deepcopy(page)) for page_id, page in self._pages.items()}

    def files(self) -> Iterator[tuple[str, bytes]]:
        """Annotations.xml and the files of the pages, by their paths below the document's folder."""
        root = element(None, "Annotations")
        names = {page_id: f"Page_{index}/Annotation.xml" for index, page_id in enumerate(self._pages)}
        for page_id, name in names.items():
            element(element(root, "Page", attributes={"PageID": str(page_id)}), "FileLoc", name)
        yield "Annots/Annotations.xml", serialise(root)
        for page_id, content in self.pages().items():
            yield f"Annots/{names[page_id]}", content


def write_annotation(
    page: Element, annotation_id: int, kind: AnnotationType, box: Box, *, remarks: Remarks, modified: date
) -> Element:
    """Append an ``Annot`` to a ``PageAnnot`` and return its Appearance."""
    attributes = {
        "ID": str(annotation_id),
        "Type": kind.value,
        "Creator": remarks.creator,
        "LastModDate": modified.isoformat(),
    }
    for name, value, usual in (
        ("Visible", remarks.visible, True),
        ("Print", remarks.printed, True),
        ("NoZoom", remarks.no_zoom, False),
        ("NoRotate", remarks.no_rotate, False),
        ("ReadOnly", remarks.read_only, True),
    ):
        if value is not usual:
            attributes[name] = "true" if value else "false"
    if remarks.subtype:
        attributes["Subtype"] = remarks.subtype
    node = element(page, "Annot", attributes=attributes)
    if remarks.remark:
        element(node, "Remark", remarks.remark)
    if remarks.parameters:
        holder = element(node, "Parameters")
        for name, text in remarks.parameters.items():
            element(holder, "Parameter", text, {"Name": name})
    return element(node, "Appearance", attributes={"Boundary": " ".join(number(value) for value in box)})
