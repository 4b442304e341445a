"""XML parts: hardened parsing, strict access by local name, deterministic writing.

Access is strict so that no two readers find different values: a repeated element that may stand once, a foreign
namespace on a name of the standard, or markup inside a text (``Doc_0/<!-- -->Other.xml``) is refused.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

from lxml import etree

from trustcore.errors import MalformedError, RejectedError, TrustError

__all__ = [
    "MAX_BYTES",
    "MAX_DEPTH",
    "NAMESPACE",
    "attribute",
    "child",
    "children",
    "descendants",
    "element",
    "local_name",
    "naming",
    "parse",
    "required",
    "serialise",
    "text",
]

NAMESPACE = "http://www.ofdspec.org/2016"
"""The namespace of GB/T 33190-2016, the only one written."""
_READ_NAMESPACES = frozenset({NAMESPACE, "http://www.ofdspec.org", ""})
"""Older writers used the second one or none."""
MAX_DEPTH = 256
"""Deepest nesting of elements."""
MAX_BYTES = 64 * 1024 * 1024
"""Largest part that is read as XML."""
MAX_MARKUP = 4_000_000
"""Most tags and attributes of a part: each takes about a hundred octets of memory, however short it is written."""
_TOO_DEEP = etree.XPath("boolean(" + "/*" * (MAX_DEPTH + 1) + ")")

Element = etree._Element  # noqa: SLF001 - lxml has no public name for the type of its elements


def parse(data: bytes, *, part: str) -> Element:
    """The root element of an XML part.

    Args:
        data: UTF-8.
        part: entry name, for the error.

    Raises:
        MalformedError: ``ofd.xml.malformed``, ``ofd.xml.doctype``, ``ofd.xml.encoding``, ``ofd.xml.depth``,
            ``ofd.xml.size``.
    """
    if len(data) > MAX_BYTES:
        raise _malformed(part, "is too large", "size")
    tags = data.count(b"<")
    if len(data) > MAX_MARKUP and tags + data.count(b"=") > MAX_MARKUP:
        raise _malformed(part, "has too many elements and attributes", "size")
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, dtd_validation=False, huge_tree=False
    )
    try:
        root = etree.fromstring(data, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise _malformed(part, "is not well-formed XML", "malformed") from error
    info = root.getroottree().docinfo
    if info.doctype:  # type: ignore[union-attr] # the stubs of lxml lack it
        raise _malformed(part, "declares a document type", "doctype")
    if (info.encoding or "UTF-8").upper() != "UTF-8":
        raise _malformed(part, "is not UTF-8", "encoding")
    if tags > MAX_DEPTH and _TOO_DEEP(root):
        raise _malformed(part, "is nested too deeply", "depth")
    return root


@contextmanager
def naming(part: str) -> Iterator[None]:
    """Whatever goes wrong inside names the entry that is being read."""
    try:
        yield
    except TrustError as error:
        error.facts.setdefault("entry", part)
        raise


def local_name(node: Element) -> str:
    """Name without namespace.

    Raises:
        MalformedError: ``ofd.xml.namespace`` when the element is of a namespace that is not OFD's.
    """
    known, name = _split(node.tag)
    if not known:
        raise MalformedError(f"Element {name} is not in the namespace of OFD.", code="ofd.xml.namespace", element=name)
    return name


@lru_cache(maxsize=4096)
def _split(tag: str) -> tuple[bool, str]:
    """Whether the namespace is one of OFD's, and the local name."""
    namespace, _, name = tag.rpartition("}")
    return namespace.removeprefix("{") in _READ_NAMESPACES, name


def children(node: Element, name: str) -> tuple[Element, ...]:
    """The child elements with this local name, in order."""
    return tuple([item for item in node.iterchildren("*") if local_name(item) == name])


def child(node: Element, name: str) -> Element | None:
    """The only child element with this local name, if there is one.

    Raises:
        MalformedError: ``ofd.xml.repeated`` when there are several.
    """
    found = children(node, name)
    if len(found) > 1:
        raise MalformedError(f"Element {name} is repeated.", code="ofd.xml.repeated", element=name)
    return found[0] if found else None


def required(node: Element, name: str) -> Element:
    """The only child element with this local name; ``MalformedError`` (``ofd.xml.missing``) when there is none."""
    found = child(node, name)
    if found is None:
        raise MalformedError(f"Element {name} is missing.", code="ofd.xml.missing", element=name)
    return found


def descendants(node: Element, *names: str) -> tuple[Element, ...]:
    """All elements below with one of these local names, in document order, of whatever namespace OFD readers accept."""
    return tuple(item for item in node.iter("*") if _split(item.tag)[1] in names and local_name(item))


def text(node: Element) -> str:
    """The text of an element without markup, blanks around it removed.

    Raises:
        MalformedError: ``ofd.xml.mixed-content`` when there is an element, comment or instruction in it.
    """
    if len(node):
        name = local_name(node)
        raise MalformedError(f"Element {name} has markup in its text.", code="ofd.xml.mixed-content", element=name)
    return (node.text or "").strip()


def attribute(node: Element, name: str) -> str:
    """An attribute; ``MalformedError`` (``ofd.xml.missing``) when there is none."""
    value = node.get(name)
    if value is None:
        raise MalformedError(f"Attribute {name} is missing.", code="ofd.xml.missing", attribute=name)
    return value


def element(
    parent: Element | None, name: str, content: str | None = None, attributes: dict[str, str] | None = None
) -> Element:
    """A new OFD element, appended to ``parent`` if given, attributes in the order given.

    Raises:
        RejectedError: ``ofd.xml.characters`` for text that XML cannot hold.
    """
    tag = f"{{{NAMESPACE}}}{name}"
    try:
        if parent is None:
            node = etree.Element(tag, attributes, nsmap={"ofd": NAMESPACE})
        else:
            node = etree.SubElement(parent, tag, attributes)
        node.text = content
    except ValueError as error:
        raise RejectedError(f"The text of {name} has control characters.", code="ofd.xml.characters") from error
    return node


def serialise(root: Element) -> bytes:
    """UTF-8 octets of a part with an XML declaration; the same tree gives the same octets."""
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8")


def _malformed(part: str, detail: str, reason: str) -> MalformedError:
    return MalformedError(f"{part} {detail}.", code=f"ofd.xml.{reason}", entry=part)
