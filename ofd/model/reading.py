"""Lenient access to the XML of a part: whatever can be understood is read, whatever had to be guessed is a warning.

Verification reads strictly (:mod:`ofd.xmlio`, :mod:`ofd.structure`); this is for drawing and text. Defaults of the
schema are not filled in, since one that is would hide a DrawParam (GB/T 33190-2016 §8.2).
"""

import re
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from math import isfinite
from typing import TypeVar

from lxml import etree

from ofd import xmlio
from ofd.geometry import Box, Matrix, Point
from ofd.package.read_warning import ReadWarning
from ofd.xmlio import Element
from trustcore.errors import MalformedError

__all__ = ["Part", "Warnings", "plain_text", "same_id"]

_Shape = TypeVar("_Shape")
_NAMESPACES = frozenset({xmlio.NAMESPACE, "http://www.ofdspec.org", ""})
_SEPARATORS = re.compile(r"[\s,;]+")
_LEADING_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
_LARGEST = 1e7
"""Millimetres; ten kilometres are a mistake, and too much for the arithmetic of renderers."""
_SMALLEST = 1e-9
"""What is less is nothing."""
_KEPT_WARNINGS = 1000
_REPAIRABLE = frozenset({"ofd.xml.malformed", "ofd.xml.encoding"})
_TRUE, _FALSE = frozenset({"true", "1", "yes"}), frozenset({"false", "0", "no"})


class Warnings:
    """What had to be guessed, each thing once, at most a thousand."""

    def __init__(self, first: Iterable[ReadWarning] = ()) -> None:
        self._all: dict[tuple[str, tuple[tuple[str, str], ...]], ReadWarning] = {}
        self.extend(first)

    def add(self, warning: ReadWarning) -> None:
        """Remember a warning unless it is there already."""
        key = (warning.code, tuple(sorted(warning.evidence.items())))
        if len(self._all) < _KEPT_WARNINGS:
            self._all.setdefault(key, warning)

    def extend(self, warnings: Iterable[ReadWarning]) -> None:
        """Remember several."""
        for warning in warnings:
            self.add(warning)

    def __iter__(self) -> Iterator[ReadWarning]:
        """In the order found."""
        return iter(tuple(self._all.values()))

    def __len__(self) -> int:
        """How many there are."""
        return len(self._all)


@lru_cache(maxsize=4096)
def _local(tag: str) -> str:
    namespace, _, name = tag.rpartition("}")
    return name if namespace[1:] in _NAMESPACES else ""


@lru_cache(maxsize=4096)
def same_id(value: str) -> str:
    """The form in which IDs are compared: ``007`` is ``7``."""
    return value.strip().lstrip("0") or "0"


def plain_text(node: Element) -> str:
    """All text in an element, without comments and instructions, blanks kept."""
    if not len(node):
        return node.text or ""
    return "".join(str(piece) for piece in node.itertext("*"))


class Part:
    """One XML part while it is read."""

    def __init__(self, name: str, warnings: Warnings) -> None:
        """Read the part with this entry name; guesses go to ``warnings``."""
        self.name = name
        self.warnings = warnings

    def warn(self, code: str, zh: str, en: str, **evidence: str) -> None:
        """Note a guess in this part."""
        self.warnings.add(ReadWarning(code=code, zh=zh, en=en, evidence={"part": self.name, **evidence}))

    def root(self, data: bytes, *, foreign: bool = False) -> Element:
        """The root element; XML with faults is repaired as far as can be.

        Args:
            data: the part.
            foreign: its elements may be of other namespaces than OFD's; else they are taken for OFD's.

        Raises:
            MalformedError: ``ofd.xml.…`` for what cannot be repaired, or must not: document types, size, depth.
        """
        try:
            root = xmlio.parse(data, part=self.name)
        except MalformedError as error:
            if error.code not in _REPAIRABLE:
                raise
            root = self._repaired(data, error)
        namespace = etree.QName(root).namespace or ""
        if namespace not in _NAMESPACES and not foreign:
            self.warn(
                "ofd.model.namespace",
                "命名空间不是 OFD 的，按 OFD 读取",
                "The namespace is not OFD's; it is read as if it were",
                namespace=namespace,
            )
            prefix = f"{{{namespace}}}"
            for node in root.iter("*"):
                if str(node.tag).startswith(prefix):
                    node.tag = str(node.tag).removeprefix(prefix)
        return root

    def _repaired(self, data: bytes, error: MalformedError) -> Element:
        parser = etree.XMLParser(
            resolve_entities=False, no_network=True, load_dtd=False, dtd_validation=False, huge_tree=False, recover=True
        )
        try:
            root = etree.fromstring(data.strip(b"\x00 \t\r\n"), parser)
        except (etree.XMLSyntaxError, ValueError):
            raise error from None
        # A second look at what the repair made: the refusals of strict reading stand.
        if root is None or (root.getroottree().docinfo.doctype and True):  # type: ignore[union-attr]
            raise error
        xmlio.parse(etree.tostring(root, encoding="UTF-8"), part=self.name)
        self.warn("ofd.model.xml", "XML 有错误，已尽量修复", "The XML has faults and was repaired", fault=error.code)
        return root

    def local(self, node: Element) -> str:
        """Name without namespace; empty for an element that is not OFD's."""
        return _local(str(node.tag))

    def children(self, node: Element | None, *names: str) -> Iterator[Element]:
        """The child elements with these local names, all of OFD's when none is given, in order."""
        if node is None:
            return
        for item in node.iterchildren("*"):
            name = _local(str(item.tag))
            if name and (not names or name in names):
                yield item

    def child(self, node: Element | None, name: str) -> Element | None:
        """The first child element with this local name."""
        found = None
        for item in self.children(node, name):
            if found is not None:
                self.warn(
                    "ofd.model.repeated", "元素重复，取第一个", "A repeated element: the first is taken", element=name
                )
                break
            found = item
        return found

    def text(self, node: Element | None) -> str:
        """All text of an element, blanks around it removed; empty without element."""
        return "" if node is None else plain_text(node).strip()

    def child_text(self, node: Element | None, name: str) -> str:
        """The text of the first child element with this name; empty without one."""
        return self.text(self.child(node, name))

    def string(self, node: Element, name: str) -> str | None:
        """An attribute, blanks around it removed; empty ones count as absent."""
        return (node.get(name) or "").strip() or None

    def number(self, node: Element, name: str) -> float | None:
        """An attribute that is a number."""
        text = node.get(name)
        return None if text is None or not text.strip() else self.parse_number(text, name)

    def parse_number(self, text: str, name: str) -> float | None:
        """A number; what begins with one is taken for it (``0.353mm``)."""
        try:
            value = float(text)
        except ValueError:
            found = _LEADING_NUMBER.match(text.strip())
            value = float(found.group()) if found else float("nan")
            self._bad(name, text)
        if not isfinite(value):
            return None
        if abs(value) > _LARGEST:
            self._bad(name, text)
            return None
        return value if abs(value) >= _SMALLEST else 0.0

    def integer(self, node: Element, name: str) -> int | None:
        """An attribute that is a whole number."""
        value = self.number(node, name)
        return None if value is None else int(value)

    def boolean(self, node: Element, name: str) -> bool | None:
        """An attribute that is true or false."""
        text = node.get(name)
        return None if text is None else self.parse_boolean(text, name)

    def parse_boolean(self, text: str, name: str) -> bool | None:
        """True or false, whatever the case; nothing when it is neither."""
        text = text.strip().lower()
        if text in _TRUE or text in _FALSE:
            return text in _TRUE
        if text:
            self._bad(name, text)
        return None

    def numbers(self, node: Element, name: str) -> tuple[float, ...] | None:
        """An attribute that is a list of numbers; separated by blanks, commas are tolerated."""
        text = node.get(name)
        return None if text is None or not text.strip() else self.parse_numbers(text, name)

    def parse_numbers(self, text: str, name: str) -> tuple[float, ...]:
        """A list of numbers; what is none is left out."""
        try:
            values = [value if abs(value := float(item)) >= _SMALLEST else 0.0 for item in text.split()]
        except ValueError:
            found = (self.parse_number(item, name) for item in _SEPARATORS.split(text.strip()) if item)
            return tuple(value for value in found if value is not None)
        if not all(-_LARGEST <= value <= _LARGEST for value in values):
            self._bad(name, text)
            return tuple(value for value in values if -_LARGEST <= value <= _LARGEST)
        return tuple(values)

    def point(self, node: Element, name: str) -> Point | None:
        """An attribute of type ST_Pos."""
        values = self.numbers(node, name)
        return None if values is None else self._shaped(values, 2, name, Point)

    def matrix(self, node: Element, name: str = "CTM") -> Matrix | None:
        """An attribute that is a transformation."""
        values = self.numbers(node, name)
        return None if values is None else self._shaped(values, 6, name, Matrix)

    def box(self, node: Element, name: str = "Boundary") -> Box | None:
        """An attribute of type ST_Box."""
        values = self.numbers(node, name)
        return None if values is None else self.shape_box(values, name)

    def text_box(self, node: Element | None, name: str) -> Box | None:
        """A child element of type ST_Box."""
        text = self.child_text(node, name)
        return self.shape_box(self.parse_numbers(text, name), name) if text else None

    def shape_box(self, values: tuple[float, ...], name: str) -> Box | None:
        """A box of four numbers; one turned inside out is turned back."""
        box = self._shaped(values, 4, name, Box)
        if box is not None and (box.width < 0 or box.height < 0):
            self._bad(name, " ".join(f"{value:g}" for value in values))
            return Box.around([(box.x, box.y), (box.right, box.bottom)])
        return box

    def _shaped(self, values: tuple[float, ...], count: int, name: str, shape: Callable[..., _Shape]) -> _Shape | None:
        if len(values) == count:
            return shape(*values)
        self._bad(name, " ".join(f"{value:g}" for value in values))
        return shape(*values[:count]) if len(values) > count else None

    def _bad(self, name: str, value: str) -> None:
        self.warn(
            "ofd.model.value",
            "取值不合规定，已忽略或取近似值",
            "A value is not as the standard says; it was ignored or guessed",
            name=name,
            value=value[:100],
        )
