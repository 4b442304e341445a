"""XML parts: hardened parsing, strict access by local name, deterministic writing.

Access is strict so that no two readers find different values: a repeated element that may stand once, a foreign
namespace on a name of the standard, or markup inside a text (``Doc_0/<!-- -->Other.xml``) is refused.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from types import TracebackType

from lxml import etree

from trustcore.errors import MalformedError, RejectedError, TrustError

__all__ = [
    "MAX_BYTES",
    "MAX_DEPTH",
    "NAMESPACE",
    "Members",
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
_OTHER_ENCODING = re.compile(rb"[\xff\xfe]|.{0,3}\x00", re.DOTALL).match
"""First octets from which parsers guess UTF-16 or UTF-32, whatever is declared (XML 1.0 appendix F)."""
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
    if _OTHER_ENCODING(data) or (info.encoding or "UTF-8").upper() != "UTF-8":
        raise _malformed(part, "is not UTF-8", "encoding")
    if tags > MAX_DEPTH and _TOO_DEEP(root):
        raise _malformed(part, "is nested too deeply", "depth")
    return root


class naming:  # noqa: N801 - used as a function is
    """Whatever goes wrong inside names the entry that is being read."""

    __slots__ = ("_part",)

    def __init__(self, part: str) -> None:
        """Start to read an entry."""
        self._part = part

    def __enter__(self) -> None:
        """Nothing has gone wrong yet."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Name the entry in an error that names none."""
        if isinstance(error, TrustError):
            error.facts.setdefault("entry", self._part)


def local_name(node: Element) -> str:
    """Name without namespace.

    Raises:
        MalformedError: ``ofd.xml.namespace`` when the element is of a namespace that is not OFD's.
    """
    known, name = _split(node.tag)
    if not known:
        raise _foreign(name)
    return name


class Members:
    """The child elements of an element, sorted by local name once; for elements that are asked for many of them."""

    __slots__ = ("_by_name",)

    def __init__(self, node: Element) -> None:
        """Look at all child elements of ``node``.

        Raises:
            MalformedError: ``ofd.xml.namespace`` as :func:`local_name`.
        """
        self._by_name: dict[str, list[Element]] = {}
        for item in node.iterchildren("*"):
            known, name = _split(item.tag)
            if not known:
                raise _foreign(name)
            self._by_name.setdefault(name, []).append(item)

    def all(self, name: str) -> Sequence[Element]:
        """As :func:`children`."""
        return self._by_name.get(name, ())

    def one(self, name: str) -> Element | None:
        """As :func:`child`."""
        found = self._by_name.get(name)
        return None if found is None else _only(found, name)

    def required(self, name: str) -> Element:
        """As :func:`required`."""
        found = self._by_name.get(name)
        if found is None:
            raise _missing(name)
        return _only(found, name)


@lru_cache(maxsize=4096)
def _split(tag: str) -> tuple[bool, str]:
    """Whether the namespace is one of OFD's, and the local name."""
    namespace, _, name = tag.rpartition("}")
    return namespace.removeprefix("{") in _READ_NAMESPACES, name


def children(node: Element, name: str) -> tuple[Element, ...]:
    """The child elements with this local name, in order."""
    found: list[Element] = []
    for item in node.iterchildren("*"):
        known, local = _split(item.tag)
        if not known:
            raise _foreign(local)
        if local == name:
            found.append(item)
    return tuple(found)


def child(node: Element, name: str) -> Element | None:
    """The only child element with this local name, if there is one.

    Raises:
        MalformedError: ``ofd.xml.repeated`` when there are several.
    """
    found = children(node, name)
    return _only(found, name) if found else None


def required(node: Element, name: str) -> Element:
    """The only child element with this local name; ``MalformedError`` (``ofd.xml.missing``) when there is none."""
    found = children(node, name)
    if not found:
        raise _missing(name)
    return _only(found, name)


def _only(found: Sequence[Element], name: str) -> Element:
    if len(found) > 1:
        raise MalformedError(f"Element {name} is repeated.", code="ofd.xml.repeated", element=name)
    return found[0]


def _missing(name: str) -> MalformedError:
    return MalformedError(f"Element {name} is missing.", code="ofd.xml.missing", element=name)


def _foreign(name: str) -> MalformedError:
    return MalformedError(f"Element {name} is not in the namespace of OFD.", code="ofd.xml.namespace", element=name)


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
