"""Going through a whole document: every part that can be reached, its identifiers, references and links.

Parts are read one at a time and forgotten; what is kept is a set of numbers per document.
"""

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ofd import xmlio
from ofd.lint import rules_structure as rules
from ofd.lint.finding import Finding, Findings, Rule
from ofd.lint.schema import ElementType, is_element_type
from ofd.lint.walk import NAMESPACES, name_of, namespace_of, namespaces_in, walk
from ofd.package.lenient import LenientPackage
from ofd.package.loc import resolve
from ofd.xmlio import NAMESPACE, Element
from trustcore.errors import TrustError

__all__ = ["ElementCheck", "Inspection", "LinkedFile", "Place", "Scope", "inspect", "line_of", "object_of"]

_ROOT = "OFD.xml"
_KINDS = {
    "annotation": "注释",
    "block": "页面块",
    "color-space": "颜色空间",
    "composite": "复合图元",
    "draw-parameter": "绘制参数",
    "font": "字体",
    "media": "多媒体资源",
    "object": "图元",
    "page": "页面",
    "template": "模板页",
}


@dataclass(slots=True, kw_only=True)
class Scope:
    """One document of the package: one space of IDs."""

    document: str
    """Entry name of Document.xml."""
    ids: dict[int, str] = field(default_factory=dict)
    """ID to the entry in which it is given."""
    defined: dict[int, tuple[str, str]] = field(default_factory=dict)
    """ID to the kind and the entry, for what can be referred to."""
    used: dict[tuple[str, int, str], tuple[int, str]] = field(default_factory=dict)
    """Kind, ID and entry of a reference to the line and object of the first one."""
    inside: dict[tuple[str, int], set[int]] = field(default_factory=dict)
    """Kind and ID of a composite or draw parameter to the IDs of those of its kind that it is made of."""
    maximum: int | None = None
    """MaxUnitID."""
    maximum_line: int = 0
    users: dict[str, set[str]] = field(default_factory=dict)
    """Entry of a resource file to the entries of those who link it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkedFile:
    """A file that is linked and is no XML part of the standard."""

    name: str
    kind: str
    """``font``, ``media``, ``attachment``, …: the target in the schema's table."""
    scope: Scope | None
    holder: str
    """Entry name of the file with the link."""
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """An element that is looked at."""

    scope: Scope | None
    entry: str
    root_type: str
    """Type of the part's root element."""
    kind: ElementType
    node: Element
    findings: Findings

    def found(self, rule: Rule, node: Element | None = None, **values: object) -> None:
        """A finding here, or at a node inside."""
        node = self.node if node is None else node
        self.findings.add(rule.found(self.entry, line=line_of(node), object_id=object_of(node), **values))


ElementCheck = Callable[[Place], None]


@dataclass(slots=True, kw_only=True)
class Inspection:
    """What a document was found to hold."""

    source: LenientPackage
    findings: Findings
    checks: Mapping[str, Sequence[ElementCheck]]
    """Element type to what is to be called for each element of it."""
    scopes: dict[str, Scope] = field(default_factory=dict)
    reached: dict[str, set[str]] = field(default_factory=dict)
    """Entry name to the kinds it is linked as."""
    files: list[LinkedFile] = field(default_factory=list)
    groups: dict[str, set[str]] = field(default_factory=dict)
    """Entry name of a resource file to the names of the groups in it, such as ``Fonts``."""


def inspect(source: LenientPackage, findings: Findings, checks: Mapping[str, Sequence[ElementCheck]]) -> Inspection:
    """Go through everything that can be reached from OFD.xml.

    Args:
        source: the package.
        findings: where findings go.
        checks: called for each element of a type.
    """
    inspection = Inspection(source=source, findings=findings, checks=checks)
    waiting: deque[_Visit] = deque([_Visit(inspection, _ROOT, "OFD", None)])
    seen: set[tuple[str, str, str]] = set()
    while waiting:
        visit = waiting.popleft()
        key = (visit.name, visit.type, visit.scope.document if visit.scope else "")
        if key not in seen:
            seen.add(key)
            waiting.extend(visit.take())
    for scope in inspection.scopes.values():
        findings.extend(_judge(scope))
    return inspection


def line_of(node: Element) -> int:
    """Line of an element in its file."""
    line: object = node.sourceline  # what the stubs say of it is of no use
    return line if isinstance(line, int) else 0


def object_of(node: Element) -> str:
    """ID of an element, or of the nearest one around it that has one."""
    found: Element | None = node
    while found is not None:
        if found.get("ID"):
            return found.get("ID", "")
        found = found.getparent()
    return ""


class _Visit:
    """One part while it is gone through; a :class:`ofd.lint.walk.Visitor`."""

    def __init__(self, inspection: Inspection, name: str, type_name: str, scope: Scope | None) -> None:
        self.name = name
        self.type = type_name
        self.scope = scope
        self._inspection = inspection
        self._found: list[_Visit] = []
        self._base = ""
        self._own: set[int] = set()
        inspection.reached.setdefault(name, set()).add(type_name)

    def take(self) -> "list[_Visit]":
        """Read the part and go through it; the parts that it links to."""
        root = self._read()
        if root is None:
            return []
        if self.scope is not None and self.type == "Res":
            self._base = root.get("BaseLoc", "").strip()
            self._inspection.groups[self.name] = {name_of(item) for item in root.iterchildren("*")}
        self._check_namespaces(root)
        walk(root, self.type, self)
        return self._found

    def problem(self, rule: Rule, node: Element, **values: object) -> None:
        found = rule.found(self.name, line=line_of(node), object_id=object_of(node), **values)
        self._inspection.findings.add(found)

    def element(self, kind: ElementType, node: Element) -> None:
        if kind.name == "CommonData" and self.scope is not None:
            self._note_maximum(node)
        for check in self._inspection.checks.get(kind.name, ()):
            check(
                Place(
                    scope=self.scope,
                    entry=self.name,
                    root_type=self.type,
                    kind=kind,
                    node=node,
                    findings=self._inspection.findings,
                )
            )

    def definition(self, kind: str, number: int, node: Element) -> None:
        if number == 0:
            self.problem(rules.ID_ZERO, node)
        if self.scope is None or number == 0:
            return
        first = self.scope.ids.setdefault(number, self.name)
        if first != self.name or number in self._own:
            self.problem(rules.ID_REPEATED, node, id=number, first=first)
        self._own.add(number)
        if kind not in {"object", "block", "annotation"}:
            self.scope.defined.setdefault(number, (kind, self.name))

    def use(self, kind: str, number: int, node: Element) -> None:
        if self.scope is not None and number:
            self.scope.used.setdefault((kind, number, self.name), (line_of(node), object_of(node)))
            holder = _holder(kind, node) if self.type == "Res" else None
            if holder is not None:
                self.scope.inside.setdefault((kind, holder), set()).add(number)

    def link(self, target: str, location: str, node: Element) -> None:
        base = self._base if self.type == "Res" else ""
        package = self._inspection.source
        try:
            strict = resolve(location, holder=self.name, base=base)
        except TrustError:
            strict = ""
        found = package.find(location, holder=self.name, base=base)
        if found is None:
            if not strict:
                self.problem(rules.LINK_MALFORMED, node, location=location)
            elif target == "Res":
                self.problem(rules.LINK_DANGLING, node, location=location)
            elif target not in {"reference", "version"}:
                self.problem(rules.LINK_MISSING, node, location=location)
            return
        if found != strict:
            self.problem(rules.LINK_LENIENT, node, location=location, name=found)
        self._follow(target, found, node)

    def _follow(self, target: str, name: str, node: Element) -> None:
        scope = self.scope
        if target == "Document":
            scope = self._inspection.scopes.setdefault(name, Scope(document=name))
        elif target == "Signatures":
            scope = next(reversed(self._inspection.scopes.values()), None)
        if target == "Res" and scope is not None:
            user = "" if self.type == "Document" else self.name
            scope.users.setdefault(name, set()).add(user)
        if is_element_type(target):
            self._found.append(_Visit(self._inspection, name, target, scope))
        else:
            self._inspection.reached.setdefault(name, set()).add(target)
            file = LinkedFile(name=name, kind=target, scope=scope, holder=self.name, line=line_of(node))
            self._inspection.files.append(file)

    def _read(self) -> Element | None:
        try:
            root = xmlio.parse(self._inspection.source.read(self.name), part=self.name)
        except TrustError as error:
            found = rules.PART_UNREADABLE.found(self.name, name=self.name, reason=f"{error.detail} ({error.code})")
            self._inspection.findings.add(found)
            return None
        wanted = self.type
        if name_of(root) != wanted or namespace_of(root) not in NAMESPACES:
            self.problem(rules.PART_ROOT, root, wanted=wanted, found=name_of(root))
            return None
        return root

    def _check_namespaces(self, root: Element) -> None:
        """Old namespaces, each told once for a part."""
        for namespace in sorted(namespaces_in(root) - {NAMESPACE}):
            self.problem(rules.PART_NAMESPACE, root, found=namespace)

    def _note_maximum(self, node: Element) -> None:
        for item in node.iterchildren("*"):
            text = (item.text or "").strip()
            if self.scope is not None and name_of(item) == "MaxUnitID" and text.isascii() and text.isdigit():
                self.scope.maximum = int(text)
                self.scope.maximum_line = line_of(item)


def _holder(kind: str, node: Element) -> int | None:
    """ID of the resource of this kind that a reference stands in."""
    wanted = {"composite": "CompositeGraphicUnit", "draw-parameter": "DrawParam"}.get(kind)
    found: Element | None = node
    while found is not None and name_of(found) != wanted:
        found = found.getparent()
    text = "" if found is None else found.get("ID", "")
    return int(text) if text.isascii() and text.isdigit() else None


def _cycles(scope: Scope) -> Iterator[Finding]:
    """Composites and draw parameters that are made of themselves."""
    for kind, start in scope.inside:
        waiting, seen = [start], set[int]()
        while waiting:
            new = scope.inside.get((kind, waiting.pop()), set()) - seen
            seen |= new
            waiting.extend(new)
        if start in seen:
            _, entry = scope.defined.get(start, ("", scope.document))
            yield rules.REFERENCE_CYCLE.found(entry, object_id=str(start), id=start, kind=kind, zh_kind=_KINDS[kind])


def _judge(scope: Scope) -> Iterator[Finding]:
    """What can be said of identifiers when everything was seen."""
    used = max(scope.ids, default=0)
    if scope.maximum is not None and scope.maximum < used:
        yield rules.ID_MAXIMUM.found(scope.document, line=scope.maximum_line, maximum=scope.maximum, used=used)
    yield from _cycles(scope)
    for (kind, number, entry), (line, object_id) in scope.used.items():
        values: dict[str, object] = {"id": number, "kind": kind, "zh_kind": _KINDS[kind]}
        if number not in scope.defined:
            yield rules.REFERENCE_MISSING.found(entry, line=line, object_id=object_id, **values)
            continue
        found, holder = scope.defined[number]
        if found != kind:
            values |= {"found": found, "zh_found": _KINDS[found]}
            yield rules.REFERENCE_KIND.found(entry, line=line, object_id=object_id, **values)
        users = scope.users.get(holder)
        if users is not None and "" not in users and entry not in users and entry != holder:
            yield rules.REFERENCE_ELSEWHERE.found(entry, line=line, object_id=object_id, **values)
