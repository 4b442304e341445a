"""Going through one XML part along the schema, telling a visitor what stands in it."""

from collections import Counter
from collections.abc import Iterator
from typing import Protocol

from lxml import etree

from ofd.lint import rules_structure as rules
from ofd.lint.finding import Rule
from ofd.lint.schema import ElementType, ValueType, element_type
from ofd.lint.values import is_value
from ofd.xmlio import NAMESPACE, Element

__all__ = ["NAMESPACES", "Visitor", "name_of", "namespace_of", "namespaces_in", "walk"]

NAMESPACES = frozenset({NAMESPACE, "http://www.ofdspec.org", ""})
"""What counts as OFD's: the one of the standard, an older one, and none."""
_FORMS = frozenset({"date", "datetime", "moment", "docid", "doctype", "version", "annottype", "weight", "path"})
"""Types of which other spellings are common; readers cope."""


class Visitor(Protocol):
    """Is told what a part holds, in document order."""

    def problem(self, rule: Rule, node: Element, **values: object) -> None:
        """Something is against the schema."""

    def link(self, target: str, location: str, node: Element) -> None:
        """A location of a file of the type ``target``."""

    def definition(self, kind: str, number: int, node: Element) -> None:
        """An ID is given to a thing of this kind."""

    def use(self, kind: str, number: int, node: Element) -> None:
        """A thing of this kind is referred to by its ID."""

    def element(self, kind: ElementType, node: Element) -> None:
        """An element of this type begins."""


def name_of(node: Element) -> str:
    """Local name."""
    return etree.QName(node).localname


def namespace_of(node: Element) -> str:
    """Namespace, empty for none."""
    return etree.QName(node).namespace or ""


def namespaces_in(root: Element) -> set[str]:
    """The namespaces of OFD that a part is written in; what an extension's Data holds is not OFD's."""
    free = root.xpath("//*[local-name() = 'Data']/descendant::*")
    inside = set(free) if isinstance(free, list) else set()
    return {namespace_of(node) for node in root.iter("*") if node not in inside} & NAMESPACES


def walk(root: Element, type_name: str, visitor: Visitor) -> None:
    """Go through an element of this type and all below it."""
    kind = element_type(type_name)
    visitor.element(kind, root)
    _attributes(root, kind, visitor)
    if kind.text is not None:
        _value(root, kind.text, _text(root, visitor), visitor, "")
    elif not kind.children and len(root):
        visitor.problem(rules.TEXT_MARKUP, root, name=name_of(root))
    _children(root, kind, visitor)


def _attributes(node: Element, kind: ElementType, visitor: Visitor) -> None:
    for name, value in kind.attributes.items():
        found = node.get(name)
        if found is not None:
            _value(node, value, found, visitor, name)
        elif value.required:
            visitor.problem(rules.ATTRIBUTE_MISSING, node, parent=name_of(node), name=name)
    for shown in map(str, node.attrib):
        if shown in kind.attributes or shown.startswith("{"):
            continue
        known = shown in kind.vendor_attributes
        rule = rules.VENDOR_EXTENSION if known else rules.UNKNOWN_ATTRIBUTE
        visitor.problem(rule, node, parent=name_of(node), name=shown)


def _children(node: Element, kind: ElementType, visitor: Visitor) -> None:
    if not kind.children:
        return
    counts: Counter[str] = Counter()
    rank = 0
    in_order = True
    for item in _known(node, kind, visitor):
        name = name_of(item)
        child = kind.children[name]
        counts[name] += 1
        if kind.ordered and child.rank < rank and in_order and not _may_alternate(kind, name):
            in_order = False
            visitor.problem(rules.ELEMENT_ORDER, item, parent=name_of(node), name=name)
        rank = max(rank, child.rank)
        if child.element:
            walk(item, child.element, visitor)
        elif child.value is not None and child.value.kind != "any":
            _value(item, child.value, _text(item, visitor), visitor, "")
    for child in kind.children.values():
        if counts[child.name] < child.minimum:
            visitor.problem(rules.ELEMENT_MISSING, node, parent=name_of(node), name=child.name)
        elif counts[child.name] > child.maximum:
            count = counts[child.name]
            visitor.problem(rules.ELEMENT_REPEATED, node, parent=name_of(node), name=child.name, count=count)


def _may_alternate(kind: ElementType, name: str) -> bool:
    """CGTransform and TextCode follow one another in turn (§11.2)."""
    return name == "CGTransform" and "TextCode" in kind.children


def _known(node: Element, kind: ElementType, visitor: Visitor) -> Iterator[Element]:
    for item in node.iterchildren("*"):
        name = name_of(item)
        if namespace_of(item) not in NAMESPACES:
            visitor.problem(rules.FOREIGN_ELEMENT, item, parent=name_of(node), name=name)
        elif name in kind.children:
            yield item
        elif name in kind.vendor_elements:
            visitor.problem(rules.VENDOR_EXTENSION, item, parent=name_of(node), name=name)
        else:
            visitor.problem(rules.UNKNOWN_ELEMENT, item, parent=name_of(node), name=name)


def _text(node: Element, visitor: Visitor) -> str:
    if len(node):
        visitor.problem(rules.TEXT_MARKUP, node, name=name_of(node))
    return (node.text or "").strip()


def _value(node: Element, value: ValueType, text: str, visitor: Visitor, attribute: str) -> None:
    """Judge a value and tell of links, definitions and uses in it."""
    if not is_value(value.kind, text):
        rule = rules.VALUE_FORM if value.kind in _FORMS else rules.VALUE_WRONG
        shown = {"parent": name_of(node), "name": attribute or "text()", "value": text, "type": value.kind}
        visitor.problem(rule, node, **shown)
    elif value.kind == "loc":
        visitor.link(value.target, text, node)
    elif value.kind == "id":
        visitor.definition(value.target, int(text), node)
    elif value.kind == "ref":
        visitor.use(value.target, int(text), node)
