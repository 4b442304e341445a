"""The element types of the schema, read from :mod:`ofd.lint.schema_table`."""

import re
from dataclasses import dataclass, field
from functools import cache

from ofd.lint.schema_table import TABLE, VENDOR_ATTRIBUTES, VENDOR_ELEMENTS

__all__ = ["ChildType", "ElementType", "ValueType", "element_type", "element_types", "is_element_type"]

_TOKEN = re.compile(r"(?P<at>@?)(?P<name>\w*)(?P<mark>[!?*+]|\{\d\})?(?::(?P<type>[\w>-]+))?")
_MANY = 2**31


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueType:
    """What a text or attribute holds."""

    kind: str
    """A type of :mod:`ofd.lint.values`, or ``loc``, ``base``, ``text``, ``any``."""
    target: str = ""
    """Of a link the type of the file it leads to; of an ID or reference the kind of thing it names."""
    required: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildType:
    """An element inside another."""

    name: str
    element: str = ""
    """Its element type, or nothing when it holds a plain value."""
    value: ValueType | None = None
    minimum: int = 0
    maximum: int = _MANY
    rank: int
    """Its place in the order of the children."""


@dataclass(slots=True, kw_only=True)
class ElementType:
    """One line of the table, with what it takes over from another."""

    name: str
    ordered: bool
    attributes: dict[str, ValueType] = field(default_factory=dict)
    children: dict[str, ChildType] = field(default_factory=dict)
    text: ValueType | None = None
    vendor_attributes: set[str] = field(default_factory=set)
    vendor_elements: set[str] = field(default_factory=set)

    def take_over(self, other: "ElementType") -> None:
        """Begin with everything that another type has."""
        self.attributes.update(other.attributes)
        self.children.update(other.children)
        self.vendor_attributes |= other.vendor_attributes
        self.vendor_elements |= other.vendor_elements

    def add(self, token: str, element_names: frozenset[str]) -> None:
        """One attribute, child or text of the table."""
        match = _TOKEN.fullmatch(token)
        if match is None:
            message = f"the schema table has {token!r}"
            raise ValueError(message)
        name, mark, written = match["name"], match["mark"] or "", match["type"] or ""
        kind, _, target = (written or "text").partition(">")
        value = ValueType(kind=kind, target=target, required=mark == "!")
        if match["at"]:
            self.attributes[name] = value
        elif not name:
            self.text = value
        else:
            element = written if written in element_names else name if not written and name in element_names else ""
            minimum, maximum = _LIMITS.get(mark) or (int(mark[1]), _MANY)
            self.children[name] = ChildType(
                name=name,
                element=element,
                value=None if element else value,
                minimum=minimum,
                maximum=maximum,
                rank=len(self.children),
            )


_LIMITS = {"!": (1, 1), "?": (0, 1), "*": (0, _MANY), "+": (1, _MANY)}


def element_type(name: str) -> ElementType:
    """The element type of this name; ``KeyError`` when there is none."""
    return element_types()[name]


def is_element_type(name: str) -> bool:
    """Whether the table has this type."""
    return name in element_types()


@cache
def element_types() -> dict[str, ElementType]:
    """All element types, by name."""
    lines = [line.split() for line in TABLE.splitlines() if line.strip()]
    names = frozenset(line[0] for line in lines)
    types: dict[str, ElementType] = {}
    for name, order, *tokens in lines:
        found = ElementType(name=name, ordered=order == "=")
        for token in tokens:
            if token.startswith("<"):
                found.take_over(types[token[1:]])
            else:
                found.add(token, names)
        found.vendor_attributes |= VENDOR_ATTRIBUTES.get(name, set())
        found.vendor_elements |= VENDOR_ELEMENTS.get(name, set())
        types[name] = found
    return types
