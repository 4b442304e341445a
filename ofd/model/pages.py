"""Pages and templates (GB/T 33190-2016 §7.6, §7.7)."""

from collections.abc import Iterator
from dataclasses import dataclass

from ofd.geometry import Box
from ofd.model.actions import Action, read_actions
from ofd.model.objects import PageObject
from ofd.model.read_objects import read_objects
from ofd.model.reading import Part
from ofd.xmlio import Element

__all__ = ["Layer", "Page", "PageArea", "PageLink", "TemplateLink", "TemplateUse", "read_area", "read_page"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PageArea:
    """CT_PageArea."""

    physical: Box | None = None
    application: Box | None = None
    content: Box | None = None
    bleed: Box | None = None
    crop: Box | None = None
    """``CropBox``, which is not in the standard and occurs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PageLink:
    """A page as Document.xml lists it."""

    id: str
    part: str | None
    """Entry name; nothing when the link leads nowhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateLink:
    """TemplatePage of Document.xml."""

    id: str
    part: str | None
    name: str = ""
    z_order: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateUse:
    """Template of a page."""

    template: str
    z_order: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """Layer."""

    id: str = ""
    type: str = "Body"
    """Body, Background, Foreground or Custom."""
    draw_param: str | None = None
    objects: tuple[PageObject, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A page or template."""

    id: str
    index: int
    """From 0; -1 for a template."""
    part: str
    """Entry name; empty when there is none."""
    area: PageArea | None = None
    """Overrides the document's."""
    templates: tuple[TemplateUse, ...] = ()
    resources: tuple[str, ...] = ()
    """Entry names of its own resource files."""
    layers: tuple[Layer, ...] = ()
    actions: tuple[Action, ...] = ()
    readable: bool = True
    """Whether its file is there and could be read; else the page is blank."""


def read_area(part: Part, node: Element | None) -> PageArea | None:
    """A PageArea or Area element."""
    if node is None:
        return None
    return PageArea(
        physical=part.text_box(node, "PhysicalBox"),
        application=part.text_box(node, "ApplicationBox"),
        content=part.text_box(node, "ContentBox"),
        bleed=part.text_box(node, "BleedBox"),
        crop=part.text_box(node, "CropBox"),
    )


def read_page(part: Part, root: Element, *, page_id: str, index: int, resources: tuple[str, ...]) -> Page:
    """The content of a page's file, whose resource files were found already."""
    return Page(
        id=page_id,
        index=index,
        part=part.name,
        area=read_area(part, part.child(root, "Area")),
        templates=tuple(
            TemplateUse(template=part.string(node, "TemplateID") or "", z_order=part.string(node, "ZOrder"))
            for node in part.children(root, "Template")
        ),
        resources=resources,
        layers=tuple(layer for content in part.children(root, "Content") for layer in _read_layers(part, content)),
        actions=read_actions(part, root),
    )


def _read_layers(part: Part, content: Element) -> Iterator[Layer]:
    loose = read_objects(part, content)
    if loose:
        part.warn("ofd.model.no-layer", "对象不在图层中", "Objects stand in no layer")
        yield Layer(objects=loose)
    for node in part.children(content, "Layer"):
        yield Layer(
            id=part.string(node, "ID") or "",
            type=part.string(node, "Type") or "Body",
            draw_param=part.string(node, "DrawParam"),
            objects=read_objects(part, node),
        )
