"""What OFD.xml and Document.xml say: the document bodies, their metadata, pages and signature lists.

Everything is read strictly (:mod:`ofd.xmlio`, :mod:`ofd.package.loc`): what is returned is what every reader finds.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from ofd import xmlio
from ofd.package.loc import resolve
from ofd.xmlio import Element
from trustcore.errors import MalformedError

__all__ = [
    "ROOT",
    "DocumentBody",
    "Parts",
    "bodies_of",
    "page_names",
    "parse_part",
    "permits_signing",
    "read_bodies",
    "read_part",
]

ROOT = "OFD.xml"
"""The only entry whose name is fixed (GB/T 33190-2016 §6.2)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentBody:
    """DocBody: one document of a package."""

    doc_id: str
    title: str
    metadata: Mapping[str, str]
    """CustomDatas by name; each name stands once."""
    document: str
    """Entry name of Document.xml."""
    signatures: str | None
    """Entry name of Signatures.xml."""


class Parts(Protocol):
    """Whatever entries are read from."""

    def read(self, name: str) -> bytes:
        """The content of an entry."""


def read_part(package: Parts, name: str, root: str) -> Element:
    """Parse an entry and check the name of its root element.

    Raises:
        NotFoundError: ``ofd.package.entry-missing``.
        MalformedError: ``ofd.xml.…``, ``ofd.package.entry-damaged``, or ``ofd.structure.root`` for another element.
    """
    return parse_part(package.read(name), name, root)


def parse_part(content: bytes, name: str, root: str) -> Element:
    """Parse the content of an entry and check the name of its root element; raises as :func:`read_part`."""
    node = xmlio.parse(content, part=name)
    with xmlio.naming(name):
        if xmlio.local_name(node) != root:
            raise MalformedError(f"The root element of {name} is not {root}.", code="ofd.structure.root")
    return node


def read_bodies(package: Parts) -> tuple[DocumentBody, ...]:
    """The documents of a package, in order; usually one.

    Raises:
        NotFoundError: ``ofd.package.entry-missing`` without OFD.xml.
        MalformedError: ``ofd.xml.…``, ``ofd.loc.…`` or ``ofd.structure.…``.
    """
    return bodies_of(read_part(package, ROOT, "OFD"))


def bodies_of(root: Element) -> tuple[DocumentBody, ...]:
    """The documents that the root element of OFD.xml names; raises as :func:`read_bodies`."""
    with xmlio.naming(ROOT):
        bodies = tuple(_body(node) for node in xmlio.children(root, "DocBody"))
    if not bodies:
        raise MalformedError("OFD.xml names no document.", code="ofd.structure.no-document")
    return bodies


def page_names(document: Element, *, holder: str) -> dict[str, str]:
    """Page ID to entry name, in the order of the pages.

    Args:
        document: the root element of Document.xml.
        holder: its entry name.

    Raises:
        MalformedError: ``ofd.structure.page-id`` when an ID is used twice; ``ofd.xml.…``; ``ofd.loc.…``.
    """
    pages: dict[str, str] = {}
    with xmlio.naming(holder):
        for node in xmlio.children(xmlio.required(document, "Pages"), "Page"):
            page_id = xmlio.attribute(node, "ID")
            if page_id in pages:
                raise MalformedError(f"The page ID {page_id} is used twice.", code="ofd.structure.page-id")
            pages[page_id] = resolve(xmlio.attribute(node, "BaseLoc"), holder=holder)
    return pages


def permits_signing(document: Element) -> bool:
    """Whether Permissions allow a further signature (GB/T 33190-2016 §7.5)."""
    permissions = xmlio.child(document, "Permissions")
    node = None if permissions is None else xmlio.child(permissions, "Signature")
    return node is None or xmlio.text(node) in {"true", "1"}


def _body(node: Element) -> DocumentBody:
    parts = xmlio.Members(node)
    info = xmlio.Members(parts.required("DocInfo"))
    signatures = parts.one("Signatures")
    datas = info.one("CustomDatas")
    metadata: dict[str, str] = {}
    for item in () if datas is None else xmlio.children(datas, "CustomData"):
        name = xmlio.attribute(item, "Name")
        if name in metadata:
            raise MalformedError(f"CustomData {name} stands twice.", code="ofd.structure.custom-data", name=name)
        metadata[name] = xmlio.text(item)
    return DocumentBody(
        doc_id=_optional_text(info, "DocID"),
        title=_optional_text(info, "Title"),
        metadata=metadata,
        document=resolve(xmlio.text(parts.required("DocRoot")), holder=ROOT),
        signatures=None if signatures is None else resolve(xmlio.text(signatures), holder=ROOT),
    )


def _optional_text(parts: xmlio.Members, name: str) -> str:
    found = parts.one(name)
    return "" if found is None else xmlio.text(found)
