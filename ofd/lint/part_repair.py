"""Repairing one XML part: what is changed never changes what the part says."""

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass

from lxml import etree

from ofd.lint import rules_content, rules_structure
from ofd.lint.finding import Rule
from ofd.lint.inspection import line_of, object_of
from ofd.lint.pictures import picture_format
from ofd.lint.reform import cut_deltas, reformed
from ofd.lint.schema import ElementType
from ofd.lint.values import expand_deltas
from ofd.lint.walk import NAMESPACES, name_of, namespace_of, namespaces_in, walk
from ofd.package.lenient import LenientPackage
from ofd.package.loc import absolute, resolve
from ofd.xmlio import NAMESPACE, Element
from trustcore.errors import TrustError

__all__ = ["Repair", "in_namespace", "repair_part"]

_PREFIX = "ofd"
_LAST_BMP = 0xFFFF


@dataclass(frozen=True, slots=True, kw_only=True)
class Repair:
    """One thing that was mended."""

    code: str
    """Of the rule that was broken."""
    entry: str
    line: int
    object_id: str
    before: str
    after: str

    def as_json(self) -> dict[str, object]:
        """The repair as JSON-ready data."""
        return {
            "code": self.code,
            "entry": self.entry,
            "line": self.line,
            "object_id": self.object_id,
            "before": self.before,
            "after": self.after,
        }


class _Mender:
    """Notes what has to be mended while a part is gone through; a :class:`ofd.lint.walk.Visitor`."""

    def __init__(self, package: LenientPackage, name: str, *, base: str, in_res: bool) -> None:
        self._package = package
        self._name = name
        self._base = base
        self._in_res = in_res
        self.kinds: list[tuple[ElementType, Element]] = []
        self.values: list[tuple[Element, str, str, str]] = []
        """Node, attribute (empty for the text), value before and after, of values that are written otherwise."""
        self.links: list[tuple[Element, str, str]] = []
        """Node, location before and after."""
        self.dangling: list[tuple[Element, str]] = []
        """Links to resource files that are not there."""

    def problem(self, rule: Rule, node: Element, **values: object) -> None:
        if rule is rules_structure.VALUE_FORM:
            before = str(values["value"])
            after = reformed(str(values["type"]), before)
            if after is not None:
                name = str(values["name"])
                self.values.append((node, "" if name == "text()" else name, before, after))

    def link(self, target: str, location: str, node: Element) -> None:
        base = self._base if self._in_res else ""
        try:
            strict = resolve(location, holder=self._name, base=base)
        except TrustError:
            strict = ""
        found = self._package.find(location, holder=self._name, base=base)
        if found is not None and found != strict:
            self.links.append((node, location, absolute(found)))
        elif found is None and strict and target == "Res":
            self.dangling.append((node, location))

    def definition(self, kind: str, number: int, node: Element) -> None:
        """IDs stay as they are."""

    def use(self, kind: str, number: int, node: Element) -> None:
        """References stay as they are."""

    def element(self, kind: ElementType, node: Element) -> None:
        self.kinds.append((kind, node))


def repair_part(
    root: Element, type_name: str, package: LenientPackage, name: str, *, drops_links: bool = False
) -> list[Repair]:
    """Mend a part in place, all but its namespace.

    Args:
        root: its root element.
        type_name: the element type.
        package: where its links lead.
        name: its entry name.
        drops_links: whether links to resource files that are not there may go: nobody asks for what was in them.
    """
    base = root.get("BaseLoc", "").strip() if type_name == "Res" else ""
    mender = _Mender(package, name, base=base, in_res=type_name == "Res")
    walk(root, type_name, mender)
    done = [*_links(mender, name), *_values(mender, name)]
    for node, location in mender.dangling if drops_links else ():
        parent = node.getparent()
        if parent is not None:
            done.append(_repair(rules_structure.LINK_DANGLING, node, name, location, ""))
            parent.remove(node)
    for kind, node in mender.kinds:
        if kind.name == "TextCode":
            done.extend(_deltas(node, name))
        elif kind.name == "MultiMedia":
            done.extend(_format(node, package, name, base))
        done.extend(_order(kind, node, name))
    return done


def in_namespace(root: Element, name: str) -> tuple[Element, list[Repair]]:
    """The part in the namespace of 2016 with the prefix ``ofd``."""
    spaces = namespaces_in(root)
    if spaces <= {NAMESPACE} and (root.prefix == _PREFIX or namespace_of(root) not in NAMESPACES):
        return root, []
    before = f"{root.prefix or ''}={namespace_of(root)}"
    old = spaces - {NAMESPACE}
    rule = "ofd.lint.part.namespace" if old else "ofd.lint.reader.easyofd.prefix"
    repair = Repair(code=rule, entry=name, line=line_of(root), object_id="", before=before, after=f"ofd={NAMESPACE}")
    kept = {prefix: space for prefix, space in root.nsmap.items() if prefix and space not in NAMESPACES}
    renamed = _renamed(root, {_PREFIX: NAMESPACE, **{p: s for p, s in kept.items() if p != _PREFIX}})
    etree.cleanup_namespaces(renamed, top_nsmap={_PREFIX: NAMESPACE})
    return renamed, [repair]


def _renamed(node: Element, spaces: dict[str, str]) -> Element:
    """A copy with OFD's elements in the namespace of 2016."""
    copy = etree.Element(_tag(node), nsmap=spaces)
    for key, value in node.attrib.items():
        copy.set(key, value)
    copy.text, copy.tail = node.text, node.tail
    is_free = name_of(node) == "Data"  # of an Extension: what is in it is not OFD's
    for child in node:
        is_other = is_free or not isinstance(child.tag, str)
        copy.append(deepcopy(child) if is_other else _renamed(child, spaces))
    return copy


def _tag(node: Element) -> str:
    return f"{{{NAMESPACE}}}{name_of(node)}" if namespace_of(node) in NAMESPACES else str(node.tag)


def _links(mender: _Mender, name: str) -> Iterator[Repair]:
    for node, before, after in mender.links:
        attribute = next((key for key, value in node.attrib.items() if value.strip() == before), None)
        if attribute is not None:
            node.set(attribute, after)
        elif not len(node):
            node.text = after
        else:
            continue
        yield _repair(rules_structure.LINK_LENIENT, node, name, before, after)


def _values(mender: _Mender, name: str) -> Iterator[Repair]:
    for node, attribute, before, after in mender.values:
        if attribute:
            node.set(attribute, after)
        else:
            target = _holder_of(node, before)
            if target is None:
                continue
            target.text = after
        yield _repair(rules_structure.VALUE_FORM, node, name, before, after)


def _holder_of(node: Element, text: str) -> Element | None:
    """The element whose text this is."""
    return node if not len(node) and (node.text or "").strip() == text.strip() else None


def _deltas(node: Element, name: str) -> Iterator[Repair]:
    text = node.text or ""
    units = len(text) + sum(ord(char) > _LAST_BMP for char in text)
    for attribute in ("DeltaX", "DeltaY"):
        before = node.get(attribute, "")
        deltas = expand_deltas(before)
        if deltas is None or not text or len(deltas) <= max(units, 1):
            continue
        after = cut_deltas(before, units - 1) or ""
        if after:
            node.set(attribute, after)
        else:
            del node.attrib[attribute]
        yield _repair(rules_content.TEXT_MANY_DELTAS, node, name, before, after)


def _format(node: Element, package: LenientPackage, name: str, base: str) -> Iterator[Repair]:
    file = next((item for item in node.iterchildren("*") if name_of(item) == "MediaFile"), None)
    before = node.get("Format", "")
    if file is None or not before or node.get("Type") != "Image":
        return
    entry = package.find((file.text or "").strip(), holder=name, base=base)
    try:
        found = None if entry is None else picture_format(package.read(entry))
    except TrustError:
        found = None
    same = {found, {"JPEG": "JPG", "TIFF": "TIF", "JBIG2": "GBIG2", "JPEG2000": "JP2"}.get(found or "")}
    if found is not None and before.upper() not in same:
        node.set("Format", found)
        yield _repair(rules_content.PICTURE_FORMAT, node, name, before, found)


def _order(kind: ElementType, node: Element, name: str) -> Iterator[Repair]:
    """Children in the order of the schema; whatever is not of the schema stays behind what it follows."""
    if not kind.ordered or len(node) < 2:
        return
    ranks: list[int] = []
    rank = 0
    for item in node:
        tag: object = item.tag  # of a comment, a function
        child = kind.children.get(name_of(item)) if isinstance(tag, str) else None
        if child is not None and namespace_of(item) in NAMESPACES:
            # CGTransform and TextCode follow one another in turn.
            rank = kind.children["TextCode"].rank if child.name == "CGTransform" else child.rank
        ranks.append(rank)
    if ranks == sorted(ranks):
        return
    before = " ".join(name_of(item) for item in node.iterchildren("*"))
    ordered = [item for _, item in sorted(zip(ranks, node, strict=True), key=lambda pair: pair[0])]
    node[:] = ordered
    after = " ".join(name_of(item) for item in node.iterchildren("*"))
    yield _repair(rules_structure.ELEMENT_ORDER, node, name, before, after)


def _repair(rule: Rule, node: Element, name: str, before: str, after: str) -> Repair:
    return Repair(code=rule.code, entry=name, line=line_of(node), object_id=object_of(node), before=before, after=after)
