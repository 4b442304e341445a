"""Parts of a document that exists already: read strictly, changed in place, written in the order of the schema."""

import re

from lxml import etree

from ofd import xmlio
from ofd.model.reading import same_id
from ofd.package.loc import resolve
from ofd.package.reader import Package
from ofd.structure import DocumentBody, page_names, read_bodies, read_part
from ofd.xmlio import NAMESPACE, Element, element
from trustcore.errors import ConflictError, MalformedError, NotFoundError

__all__ = [
    "DOCUMENT_ORDER",
    "PAGE_ORDER",
    "highest_id",
    "insert",
    "linked",
    "modern",
    "open_part",
    "page_parts",
    "refuse_signed",
    "the_body",
]

DOCUMENT_ORDER = (
    "CommonData",
    "Pages",
    "Outlines",
    "Permissions",
    "Actions",
    "VPreferences",
    "Bookmarks",
    "Annotations",
    "CustomTags",
    "Attachments",
    "Extensions",
)
"""Children of Document (GB/T 33190-2016 §7.5)."""
COMMON_ORDER = ("MaxUnitID", "PageArea", "PublicRes", "DocumentRes", "TemplatePage", "DefaultCS")
"""Children of CommonData."""
PAGE_ORDER = ("Template", "PageRes", "Area", "Content", "Actions")
"""Children of Page (§7.7)."""
_ORDERS = {"Document": DOCUMENT_ORDER, "CommonData": COMMON_ORDER, "Page": PAGE_ORDER}
_ID = re.compile(rb"""\bID\s*=\s*["']\s*(\d{1,10})\s*["']""")
_MOST_ID = 2**32 - 1


def the_body(package: Package, index: int = 0) -> DocumentBody:
    """A document of the package.

    Raises:
        NotFoundError: ``ofd.model.no-document`` when there are not so many.
    """
    bodies = read_bodies(package)
    if not 0 <= index < len(bodies):
        raise NotFoundError("OFD.xml names no such document.", code="ofd.model.no-document", body=index)
    return bodies[index]


def refuse_signed(package: Package) -> None:
    """Refuse a package with a signature, which every change would break.

    Raises:
        ConflictError: ``ofd.edit.signed``.
    """
    for body in read_bodies(package):
        if body.signatures is None or body.signatures not in package:
            continue
        root = read_part(package, body.signatures, "Signatures")
        if xmlio.children(root, "Signature"):
            raise ConflictError("The document is signed and cannot be changed.", code="ofd.edit.signed")


def open_part(package: Package, name: str, root: str) -> Element:
    """A part as a tree in the namespace of the standard, to be changed.

    Raises:
        NotFoundError: ``ofd.package.entry-missing``.
        MalformedError: ``ofd.xml.…``, ``ofd.structure.root``.
    """
    return modern(read_part(package, name, root))


def modern(root: Element) -> Element:
    """The tree with all names that OFD readers accept moved to the namespace of the standard."""
    if not any(_is_old(node) for node in root.iter("*")):
        return root
    made = element(None, etree.QName(root).localname)
    for name, value in root.items():
        made.set(name, value)
    made.text = root.text
    made.extend(list(root))
    for node in made.iter("*"):
        if _is_old(node):
            node.tag = f"{{{NAMESPACE}}}{etree.QName(node).localname}"
    etree.cleanup_namespaces(made)
    return made


def insert(parent: Element, node: Element) -> Element:
    """Put a node among its parent's children where the schema wants it, behind others of its name."""
    order = _ORDERS[etree.QName(parent).localname]
    rank = order.index(etree.QName(node).localname)
    at = 0
    for index, child in enumerate(parent):
        name = "" if callable(child.tag) else etree.QName(child).localname
        if name in order and order.index(name) <= rank:
            at = index + 1
    parent.insert(at, node)
    return node


def highest_id(package: Package, document: Element, folder: str) -> int:
    """The highest ID in use: MaxUnitID where it is right, which it is not always.

    Args:
        package: where the document is.
        document: the root element of Document.xml.
        folder: all parts of the document are below.
    """
    common = xmlio.required(document, "CommonData")
    stated = xmlio.text(xmlio.required(common, "MaxUnitID"))
    highest = int(stated) if stated.isdigit() and int(stated) <= _MOST_ID else 0
    for name in package.names:
        if name.startswith(folder) and name.lower().endswith(".xml") and "/signs/" not in name.lower():
            found = [int(value) for value in _ID.findall(package.read(name))]
            highest = max([highest, *(value for value in found if value <= _MOST_ID)])
    return highest


def page_parts(document: Element, *, holder: str) -> dict[str, str]:
    """Page ID to entry name, in the order of the pages; IDs as :func:`ofd.model.reading.same_id` has them.

    Args:
        document: the root element of Document.xml.
        holder: its entry name.

    Raises:
        MalformedError: ``ofd.edit.page-id`` for an ID that is no number, or two that are the same number;
            ``ofd.structure.…``, ``ofd.xml.…``, ``ofd.loc.…``.
    """
    found: dict[str, str] = {}
    for page_id, name in page_names(document, holder=holder).items():
        key = same_id(page_id)
        if not (key.isascii() and key.isdigit()) or int(key) > _MOST_ID or key in found:
            raise MalformedError(f"The page ID {page_id!r} is no number of its own.", code="ofd.edit.page-id")
        found[key] = name
    return found


def linked(package: Package, document: Element, name: str, *, holder: str) -> str | None:
    """The entry that an optional child of Document names, if it is in the package."""
    node = xmlio.child(document, name)
    if node is None:
        return None
    found = resolve(xmlio.text(node), holder=holder)
    return found if found in package else None


def _is_old(node: Element) -> bool:
    return (etree.QName(node).namespace or "") in {"", "http://www.ofdspec.org"}
