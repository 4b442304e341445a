"""Annotations (GB/T 33190-2016 §15)."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from ofd.geometry import Box
from ofd.model.objects import PageObject
from ofd.model.read_objects import read_objects
from ofd.model.reading import Part
from ofd.xmlio import Element

__all__ = ["Annotation", "read_annotations"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotation:
    """Annot."""

    id: str
    type: str
    """Link, Path, Highlight, Stamp or Watermark."""
    subtype: str | None = None
    creator: str = ""
    last_modified: str = ""
    """``@LastModDate`` as written."""
    visible: bool = True
    print: bool = True
    no_zoom: bool = False
    no_rotate: bool = False
    read_only: bool = True
    remark: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)
    boundary: Box | None = None
    """Of the appearance; the objects in it are placed relative to its corner."""
    objects: tuple[PageObject, ...] = ()
    part: str = ""
    """Entry name of the page's annotation file."""


def read_annotations(part: Part, root: Element) -> tuple[Annotation, ...]:
    """The annotations of one page's file, in order."""
    return tuple(_read_annotation(part, node) for node in part.children(root, "Annot"))


def _read_annotation(part: Part, node: Element) -> Annotation:
    appearance = part.child(node, "Appearance")
    parameters = part.children(part.child(node, "Parameters"), "Parameter")
    return Annotation(
        id=part.string(node, "ID") or "",
        type=part.string(node, "Type") or "",
        subtype=part.string(node, "Subtype"),
        creator=part.string(node, "Creator") or "",
        last_modified=part.string(node, "LastModDate") or "",
        visible=part.boolean(node, "Visible") is not False,
        print=part.boolean(node, "Print") is not False,
        no_zoom=part.boolean(node, "NoZoom") or False,
        no_rotate=part.boolean(node, "NoRotate") or False,
        read_only=part.boolean(node, "ReadOnly") is not False,
        remark=part.child_text(node, "Remark"),
        parameters={part.string(item, "Name") or "": part.text(item) for item in parameters},
        boundary=None if appearance is None else part.box(appearance),
        objects=read_objects(part, appearance),
        part=part.name,
    )
