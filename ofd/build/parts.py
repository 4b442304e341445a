"""The parts of a new document that are not drawn: OFD.xml, attachments, indexes, extensions, versions."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Literal

from lxml import etree

from ofd.build.canvas import Canvas, ObjectRef
from ofd.build.navigation import (
    write_actions,
    write_bookmarks,
    write_outlines,
    write_permissions,
    write_preferences,
)
from ofd.build.numbers import box_text, number
from ofd.build.resources import ResourceTable
from ofd.model.actions import Action, Destination
from ofd.model.attached import Extension
from ofd.model.info import Info
from ofd.model.navigation import Bookmark, OutlineItem, Permissions, Preferences
from ofd.model.pages import PageArea
from ofd.package.zip_write import Content
from ofd.xmlio import NAMESPACE, Element, element, serialise
from trustcore.errors import MalformedError, NotFoundError, RejectedError

__all__ = [
    "AttachedFile",
    "Navigation",
    "NewVersion",
    "Placement",
    "TagIndex",
    "attachment_files",
    "check_format",
    "check_size",
    "content_part",
    "destination",
    "document_part",
    "extension_files",
    "root_part",
    "tag_files",
    "version_part",
    "write_area",
    "write_info",
]

_CHUNK_BYTES = 256 * 1024


class Placement(StrEnum):
    """Where a template lies: ``@ZOrder``."""

    BACKGROUND = "Background"
    FOREGROUND = "Foreground"


@dataclass(frozen=True, slots=True, kw_only=True)
class Navigation:
    """How readers find their way in a document, and what it allows them."""

    outlines: tuple[OutlineItem, ...] = ()
    permissions: Permissions | None = None
    actions: tuple[Action, ...] = ()
    preferences: Preferences | None = None
    bookmarks: tuple[Bookmark, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AttachedFile:
    """A file that travels in the package."""

    id: str
    name: str
    data: bytes | Path
    format: str
    usage: str = "none"
    visible: bool = True

    @property
    def size(self) -> int:
        """Octets."""
        return self.data.stat().st_size if isinstance(self.data, Path) else len(self.data)

    @property
    def content(self) -> Content:
        """The octets, those of a file in pieces."""
        return _pieces(self.data) if isinstance(self.data, Path) else self.data


@dataclass(frozen=True, slots=True, kw_only=True)
class TagIndex:
    """A tag file: elements of a namespace, each with the object that shows it."""

    namespace: str
    entries: tuple[tuple[str, ObjectRef], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class NewVersion:
    """A version that the document records of itself."""

    number: str
    name: str
    current: bool = True


def check_size(size_mm: tuple[float, float]) -> None:
    """Refuse a page without width or height: ``RejectedError`` (``ofd.build.page-size``)."""
    if min(size_mm) <= 0:
        raise RejectedError("A page has a width and a height.", code="ofd.build.page-size")


def check_format(name: str) -> None:
    """Refuse what cannot be a suffix: ``RejectedError`` (``ofd.build.attachment``)."""
    if not (name.isascii() and name.isalnum()):
        raise RejectedError("The format of an attachment is alphanumeric.", code="ofd.build.attachment")


def root_part(info: Info, *, document: str, doc_type: str = "OFD", versions: Sequence[NewVersion] = ()) -> bytes:
    """OFD.xml of a package with one document."""
    root = element(None, "OFD", attributes={"Version": "1.0", "DocType": doc_type})
    body = element(root, "DocBody")
    write_info(element(body, "DocInfo"), info)
    element(body, "DocRoot", document)
    if versions:
        holder = element(body, "Versions")
        folder = document.rpartition("/")[0]
        for index, version in enumerate(versions):
            attributes = {"ID": f"V{index + 1}", "Index": str(index)}
            if version.current:
                attributes["Current"] = "true"
            attributes["BaseLoc"] = f"{folder}/Versions/Version_{index}.xml"
            element(holder, "Version", attributes=attributes)
    return serialise(root)


def write_info(node: Element, info: Info) -> None:
    """The content of ``DocInfo`` in the order of the schema."""
    for name, value in (
        ("DocID", info.doc_id),
        ("Title", info.title),
        ("Author", info.author),
        ("Subject", info.subject),
        ("Abstract", info.abstract),
        ("CreationDate", info.created),
        ("ModDate", info.modified),
        ("DocUsage", info.usage),
        ("Cover", info.cover or ""),
    ):
        if value:
            element(node, name, value)
    if info.keywords:
        holder = element(node, "Keywords")
        for word in info.keywords:
            element(holder, "Keyword", word)
    for name, value in (("Creator", info.creator), ("CreatorVersion", info.creator_version)):
        if value:
            element(node, name, value)
    if info.custom:
        datas = element(node, "CustomDatas")
        for name, value in info.custom.items():
            element(datas, "CustomData", value, {"Name": name})


def write_area(node: Element, area: PageArea) -> None:
    """The content of ``PageArea`` or ``Area``."""
    for name, box in (
        ("PhysicalBox", area.physical),
        ("ApplicationBox", area.application),
        ("ContentBox", area.content),
        ("BleedBox", area.bleed),
    ):
        if box is not None:
            element(node, name, box_text(box))


def destination(
    page: Canvas,
    *,
    kind: Literal["XYZ", "Fit", "FitH", "FitV", "FitR"] = "XYZ",
    box_mm: tuple[float, float, float, float] | None = None,
    zoom: float | None = None,
) -> Destination:
    """A place on a page under construction, for actions, outlines and bookmarks.

    Args:
        page: where it is.
        kind: how much of it is shown.
        box_mm: x, y, width, height; its corner is what ``XYZ`` shows, all of it what ``FitR`` shows.
        zoom: 1 is life size; keeps what is when left out.
    """
    if box_mm is None:
        return Destination(type=kind, page=str(page.id), zoom=zoom)
    left, top, width, height = box_mm
    right, bottom = (left + width, top + height) if kind == "FitR" else (None, None)
    return Destination(type=kind, page=str(page.id), left=left, top=top, right=right, bottom=bottom, zoom=zoom)


def document_part(
    *,
    max_id: int,
    area: PageArea,
    resources: ResourceTable,
    templates: Sequence[int],
    pages: Sequence[int],
    navigation: Navigation,
    links: Mapping[str, str],
) -> bytes:
    """Document.xml.

    Args:
        max_id: the highest ID in use.
        area: of pages that say nothing else.
        resources: which resource files there are.
        templates: IDs, each in the folder of its index.
        pages: IDs, each in the folder of its index.
        navigation: outlines and the like.
        links: the further parts by the element that names them, in the order of the schema; empty ones are left out.
    """
    root = element(None, "Document")
    common = element(root, "CommonData")
    element(common, "MaxUnitID", str(max_id))
    write_area(element(common, "PageArea"), area)
    for kind, location in resources.parts:
        element(common, kind, location)
    for index, template in enumerate(templates):
        attributes = {"ID": str(template), "BaseLoc": f"Tpls/Tpl_{index}/Content.xml"}
        element(common, "TemplatePage", attributes=attributes)
    holder = element(root, "Pages")
    for index, page in enumerate(pages):
        element(holder, "Page", attributes={"ID": str(page), "BaseLoc": f"Pages/Page_{index}/Content.xml"})
    write_outlines(root, navigation.outlines)
    if navigation.permissions is not None:
        write_permissions(root, navigation.permissions)
    write_actions(root, navigation.actions)
    if navigation.preferences is not None:
        write_preferences(root, navigation.preferences)
    write_bookmarks(root, navigation.bookmarks)
    for name, location in links.items():
        if location:
            element(root, name, location)
    return serialise(root)


def content_part(canvas: Canvas, templates: Sequence[tuple[Canvas, Placement]], area: PageArea | None) -> bytes:
    """Content.xml of a page or template.

    Args:
        canvas: what was drawn.
        templates: are shown on it.
        area: where it is not the document's.
    """
    root = element(None, "Page")
    for template, placement in templates:
        element(root, "Template", attributes={"TemplateID": str(template.id), "ZOrder": str(placement)})
    if area is not None:
        write_area(element(root, "Area"), area)
    content = element(root, "Content")
    for layer in canvas.copy_layers():
        content.append(layer)
    write_actions(root, canvas.actions)
    return serialise(root)


def attachment_files(attachments: Sequence[AttachedFile], *, created: str) -> Iterator[tuple[str, Content]]:
    """Attachments.xml and the files, by their paths below the document's folder; nothing without any."""
    if not attachments:
        return
    root = element(None, "Attachments")
    names: list[str] = []
    for index, item in enumerate(attachments, start=1):
        attributes = {
            "ID": item.id,
            "Name": item.name,
            "Format": item.format,
            "CreationDate": created,
            "Size": number(item.size / 1024),
        }
        if not item.visible:
            attributes["Visible"] = "false"
        attributes["Usage"] = item.usage
        names.append(f"attachment_{index}.{item.format}")
        element(element(root, "Attachment", attributes=attributes), "FileLoc", names[-1])
    yield "Attachs/Attachments.xml", serialise(root)
    for name, item in zip(names, attachments, strict=True):
        yield f"Attachs/{name}", item.content


def tag_files(indexes: Sequence[TagIndex]) -> Iterator[tuple[str, Content]]:
    """CustomTags.xml and the tag files, by their paths below the document's folder; nothing without any.

    Raises:
        RejectedError: ``ofd.build.tag`` for a name that XML does not allow.
    """
    if not indexes:
        return
    root = element(None, "CustomTags")
    names: list[str] = []
    for index, tags in enumerate(indexes, start=1):
        names.append(f"Tag_{index}.xml")
        element(element(root, "CustomTag", attributes={"NameSpace": tags.namespace}), "FileLoc", names[-1])
    yield "Tags/CustomTags.xml", serialise(root)
    for name, tags in zip(names, indexes, strict=True):
        yield f"Tags/{name}", serialise(_tag_tree(tags))


def extension_files(items: Sequence[tuple[Extension, Mapping[str, bytes]]]) -> Iterator[tuple[str, Content]]:
    """Extensions.xml and the files of ExtendData, by their paths below the document's folder; nothing without any.

    Raises:
        MalformedError: ``ofd.build.extension`` for data that is not XML.
    """
    if not items:
        return
    root = element(None, "Extensions")
    stored: dict[str, bytes] = {}
    for at, (item, files) in enumerate(items):
        named = {
            "AppName": item.app_name,
            "Company": item.company,
            "AppVersion": item.app_version,
            "Date": item.date,
            "RefId": item.ref_id,
        }
        node = element(root, "Extension", attributes={name: value for name, value in named.items() if value})
        for given in item.properties:
            attributes = {"Name": given.name, **({"Type": given.type} if given.type else {})}
            element(node, "Property", given.value, attributes)
        for data in item.data:
            element(node, "Data").append(_foreign(data))
        for name, content in files.items():
            location = f"Extensions/Extension_{at}/{name}"
            element(node, "ExtendData", location)
            stored[location] = content
    yield "Extensions.xml", serialise(root)
    yield from stored.items()


def version_part(version: NewVersion, index: int, *, created: str, document: str, names: Iterable[str]) -> bytes:
    """DocVersion: which files a version of the document has.

    Args:
        version: what is said of it.
        index: from 0.
        created: its date.
        document: entry name of Document.xml.
        names: entry names of all its files.
    """
    attributes = {"ID": f"V{index + 1}", "Version": version.number, "Name": version.name, "CreationDate": created}
    root = element(None, "DocVersion", attributes=attributes)
    holder = element(root, "FileList")
    for at, name in enumerate(names, start=1):
        element(holder, "File", f"/{name}", {"ID": f"F{index + 1}_{at}"})
    element(root, "DocRoot", f"/{document}")
    return serialise(root)


def _foreign(data: bytes) -> Element:
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        return etree.fromstring(data, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise MalformedError("The data of an extension is not XML.", code="ofd.build.extension") from error


def _pieces(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb") as file:
            while piece := file.read(_CHUNK_BYTES):
                yield piece
    except OSError as error:
        raise NotFoundError(f"The file {path.name} cannot be read.", code="ofd.build.file") from error


def _tag_tree(tags: TagIndex) -> Element:
    """The index: an element in the index's namespace for each data element, with ObjectRef to where it is shown."""
    try:
        root = etree.Element(f"{{{tags.namespace}}}DataIndex", nsmap={"tag": tags.namespace, "ofd": NAMESPACE})
        for name, ref in tags.entries:
            node = etree.SubElement(root, f"{{{tags.namespace}}}{name}")
            element(node, "ObjectRef", str(ref.object_id), {"PageRef": str(ref.page_id)})
    except ValueError as error:
        raise RejectedError("A data element's name is not an XML name.", code="ofd.build.tag") from error
    return root
