"""Making OFD documents (GB/T 33190-2016): pages, templates, fonts, images, attachments, metadata and its index.

The parts are written in the order of the standard's schema, and the same calls give the same octets.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from string import hexdigits

from lxml import etree

from ofd.build.canvas import Canvas, ObjectRef, number
from ofd.build.resources import ResourceTable
from ofd.fonts.faces import FontStack
from ofd.package.reader import write_package
from ofd.xmlio import NAMESPACE, Element, element, serialise
from trustcore.errors import RejectedError

__all__ = ["Canvas", "DocumentBuilder", "ObjectRef", "Placement"]

_FOLDER = "Doc_0"
_UUID_LENGTH = 32


class Placement(StrEnum):
    """Where a template lies: ``@ZOrder``."""

    BACKGROUND = "Background"
    FOREGROUND = "Foreground"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Page:
    canvas: Canvas
    templates: tuple[tuple[Canvas, Placement], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Attachment:
    name: str
    data: bytes
    format: str
    usage: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tags:
    namespace: str
    entries: tuple[tuple[str, ObjectRef], ...]


class DocumentBuilder:
    r"""Collects what a document shows and holds, then writes it. Not shared between threads.

    Example:
        >>> from datetime import UTC
        >>> from ofd.fonts import find_fonts
        >>> builder = DocumentBuilder(
        ...     doc_id="0" * 32, title="营业执照", created=datetime(2026, 1, 31, tzinfo=UTC), fonts=find_fonts()
        ... )
        >>> _ = builder.page().text("营业执照", x_mm=105, y_mm=40, size_mm=9, align="center")
        >>> builder.to_bytes()[:4]
        b'PK\x03\x04'
    """

    def __init__(  # noqa: PLR0913 - one argument per property of a document
        self,
        *,
        doc_id: str,
        title: str,
        created: datetime,
        fonts: FontStack,
        page_size_mm: tuple[float, float] = (210, 297),
        metadata: Mapping[str, str] | None = None,
        author: str = "",
        subject: str = "",
        creator: str = "Xinyin",
        creator_version: str = "",
    ) -> None:
        """Start a document.

        Args:
            doc_id: UUID as 32 hexadecimal digits.
            title: title of the document.
            created: its date is written, in the zone of the value given.
            fonts: what text is set in.
            page_size_mm: width and height of every page.
            metadata: CustomDatas of DocInfo, name to value, in order: where GB/T 36905 keeps a licence's metadata.
            author: who made the content.
            subject: what it is about.
            creator: the software.
            creator_version: its version.

        Raises:
            RejectedError: ``ofd.build.doc-id`` or ``ofd.build.page-size``.
        """
        if len(doc_id) != _UUID_LENGTH or any(char not in hexdigits for char in doc_id):
            raise RejectedError("A document ID has 32 hexadecimal digits.", code="ofd.build.doc-id")
        if min(page_size_mm) <= 0:
            raise RejectedError("A page has a width and a height.", code="ofd.build.page-size")
        self._info = {
            "DocID": doc_id,
            "Title": title,
            "Author": author,
            "Subject": subject,
            "CreationDate": created.date().isoformat(),
            "Creator": creator,
            "CreatorVersion": creator_version,
        }
        self._metadata = dict(metadata or {})
        self._size_mm = page_size_mm
        self._fonts = fonts
        self._last_id = 0
        self._resources = ResourceTable(self._next_id)
        self._templates: list[Canvas] = []
        self._pages: list[_Page] = []
        self._attachments: list[_Attachment] = []
        self._tags: list[_Tags] = []

    def page(self, *, templates: Sequence[tuple[Canvas, Placement]] = ()) -> Canvas:
        """Add a page, on which the given templates are shown, and return it to draw on."""
        canvas = self._canvas()
        self._pages.append(_Page(canvas=canvas, templates=tuple(templates)))
        return canvas

    def template(self) -> Canvas:
        """Add a template page that pages may show, and return it to draw on."""
        canvas = self._canvas()
        self._templates.append(canvas)
        return canvas

    def attach(self, name: str, data: bytes, *, format: str, usage: str = "none") -> None:  # noqa: A002 - OFD's word
        """Attach a file.

        Args:
            name: what readers show.
            data: the octets.
            format: short and alphanumeric, such as ``xml``; also the suffix of the stored file.
            usage: what it is for.

        Raises:
            RejectedError: ``ofd.build.attachment`` when the format is not alphanumeric.
        """
        if not (format.isascii() and format.isalnum()):
            raise RejectedError("The format of an attachment is alphanumeric.", code="ofd.build.attachment")
        self._attachments.append(_Attachment(name=name, data=data, format=format, usage=usage))

    def tag(self, namespace: str, entries: Sequence[tuple[str, ObjectRef]]) -> None:
        """Index data elements: say which object of a page shows each (CustomTags, GB/T 33190-2016 §16).

        Args:
            namespace: of the elements.
            entries: element name (an XML name) and the object; a name may stand several times.
        """
        self._tags.append(_Tags(namespace=namespace, entries=tuple(entries)))

    def to_bytes(self) -> bytes:
        """The document as a package.

        Raises:
            RejectedError: ``ofd.build.empty`` without pages; ``ofd.xml.characters`` for text that XML cannot hold.
        """
        if not self._pages:
            raise RejectedError("A document has at least one page.", code="ofd.build.empty")
        parts = {"Document.xml": self._document()}
        if self._resources.has_fonts:
            parts.update(self._resources.public_files())
        if self._resources.has_document_resources:
            parts.update(self._resources.document_files())
        for index, template in enumerate(self._templates):
            parts[f"Tpls/Tpl_{index}/Content.xml"] = self._content(template, ())
        for index, page in enumerate(self._pages):
            parts[f"Pages/Page_{index}/Content.xml"] = self._content(page.canvas, page.templates)
        parts.update(self._attachment_files())
        parts.update(self._tag_files())
        files = {"OFD.xml": self._root()}
        files.update({f"{_FOLDER}/{name}": content for name, content in parts.items()})
        return write_package(files)

    def _next_id(self) -> int:
        self._last_id += 1
        return self._last_id

    def _canvas(self) -> Canvas:
        return Canvas(
            self._next_id(),
            size_mm=self._size_mm,
            fonts=self._fonts,
            resources=self._resources,
            next_id=self._next_id,
        )

    def _root(self) -> bytes:
        root = element(None, "OFD", attributes={"Version": "1.0", "DocType": "OFD"})
        body = element(root, "DocBody")
        info = element(body, "DocInfo")
        order = ("DocID", "Title", "Author", "Subject", "CreationDate", "Creator", "CreatorVersion")
        for name in order:
            if self._info[name]:
                element(info, name, self._info[name])
        if self._metadata:
            datas = element(info, "CustomDatas")
            for name, value in self._metadata.items():
                element(datas, "CustomData", value, {"Name": name})
        element(body, "DocRoot", f"{_FOLDER}/Document.xml")
        return serialise(root)

    def _document(self) -> bytes:
        root = element(None, "Document")
        common = element(root, "CommonData")
        element(common, "MaxUnitID", str(self._last_id))
        area = element(common, "PageArea")
        element(area, "PhysicalBox", f"0 0 {number(self._size_mm[0])} {number(self._size_mm[1])}")
        if self._resources.has_fonts:
            element(common, "PublicRes", "PublicRes.xml")
        if self._resources.has_document_resources:
            element(common, "DocumentRes", "DocumentRes.xml")
        for index, template in enumerate(self._templates):
            location = f"Tpls/Tpl_{index}/Content.xml"
            element(common, "TemplatePage", attributes={"ID": str(template.id), "BaseLoc": location})
        pages = element(root, "Pages")
        for index, page in enumerate(self._pages):
            location = f"Pages/Page_{index}/Content.xml"
            element(pages, "Page", attributes={"ID": str(page.canvas.id), "BaseLoc": location})
        if self._tags:
            element(root, "CustomTags", "Tags/CustomTags.xml")
        if self._attachments:
            element(root, "Attachments", "Attachs/Attachments.xml")
        return serialise(root)

    def _content(self, canvas: Canvas, templates: Sequence[tuple[Canvas, Placement]]) -> bytes:
        root = element(None, "Page")
        for template, placement in templates:
            element(root, "Template", attributes={"TemplateID": str(template.id), "ZOrder": str(placement)})
        element(root, "Content").append(canvas.copy_layer())
        return serialise(root)

    def _attachment_files(self) -> dict[str, bytes]:
        if not self._attachments:
            return {}
        root = element(None, "Attachments")
        files: dict[str, bytes] = {}
        for index, item in enumerate(self._attachments, start=1):
            attributes = {
                "ID": f"A{index}",
                "Name": item.name,
                "Format": item.format,
                "CreationDate": self._info["CreationDate"],
                "Size": number(len(item.data) / 1024),
                "Usage": item.usage,
            }
            file_name = f"attachment_{index}.{item.format}"
            element(element(root, "Attachment", attributes=attributes), "FileLoc", file_name)
            files[f"Attachs/{file_name}"] = item.data
        return {"Attachs/Attachments.xml": serialise(root), **files}

    def _tag_files(self) -> dict[str, bytes]:
        if not self._tags:
            return {}
        root = element(None, "CustomTags")
        files: dict[str, bytes] = {}
        for index, tags in enumerate(self._tags, start=1):
            file_name = f"Tag_{index}.xml"
            element(element(root, "CustomTag", attributes={"NameSpace": tags.namespace}), "FileLoc", file_name)
            files[f"Tags/{file_name}"] = serialise(_tag_tree(tags))
        return {"Tags/CustomTags.xml": serialise(root), **files}


def _tag_tree(tags: _Tags) -> Element:
    """The index: an element in the index's namespace for each data element, with ObjectRef to where it is shown."""
    try:
        root = etree.Element(f"{{{tags.namespace}}}DataIndex", nsmap={"tag": tags.namespace, "ofd": NAMESPACE})
        for name, ref in tags.entries:
            node = etree.SubElement(root, f"{{{tags.namespace}}}{name}")
            element(node, "ObjectRef", str(ref.object_id), {"PageRef": str(ref.page_id)})
    except ValueError as error:
        raise RejectedError("A data element's name is not an XML name.", code="ofd.build.tag") from error
    return root
