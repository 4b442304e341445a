"""What a document shows, and whether a seal protects all of it.

OFD has no ByteRange: each signer lists the files it protects, and a file that is not listed may be changed at will
without breaking any digest (unsigned template, swapped font, DocRoot turned to other pages). So everything that can be
reached from OFD.xml is compared with what the signature protects (GB/T 33190-2016 §6 to §18 for the links).
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache

from ofd import xmlio
from ofd.package.lenient import LenientPackage
from ofd.package.loc import absolute, resolve
from ofd.package.reader import Package
from ofd.structure import ROOT, parse_part, read_part
from ofd.verify.differential import Difference, Known, differences_in
from ofd.verify.kinds import Kind
from ofd.xmlio import Element
from trustcore.errors import TrustError

__all__ = ["Kind", "Reachable", "find_reachable"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reachable:
    """The closure of OFD.xml."""

    parts: Mapping[str, Kind]
    """Entry name to kind, in the order found."""
    missing: Mapping[str, Kind] = field(default_factory=dict)
    """Linked and not in the package: whoever adds such a file later adds content."""
    problems: tuple[TrustError, ...] = ()
    """Parts that cannot be read, and links that cannot be resolved strictly."""
    differences: tuple[Difference, ...] = ()
    """Places that readers understand differently."""


_LONGEST_REMEMBERED = 256 * 1024
"""Octets of a template."""
_Link = tuple[str, Kind]
_Links = Iterator[_Link]


def find_reachable(package: Package, trees: Mapping[str, Element] | None = None) -> Reachable:
    """Follow every link from OFD.xml, signatures left out. Never raises for what the package holds.

    Args:
        package: the document.
        trees: root elements of entries that were read already.
    """
    walk = _Walk(package, trees or {})
    parts: dict[str, Kind] = {}
    missing: dict[str, Kind] = {}
    problems: list[TrustError] = []
    seen: set[_Link] = set()
    waiting: deque[_Link] = deque([(ROOT, Kind.ROOT)])
    while waiting:
        link = waiting.popleft()
        if link in seen:
            continue
        seen.add(link)
        name, kind = link
        found = parts if name in package else missing
        # A file may be linked as an attachment and as a page: what shows it counts.
        if name not in found or kind.is_shown:
            found[name] = kind
        if name not in package:
            continue
        try:
            waiting.extend(walk.links(name, kind))
        except TrustError as error:
            problems.append(error)
    if missing or problems:
        walk.differences += _repaired(package, missing, problems)
    return Reachable(parts=parts, missing=missing, problems=tuple(problems), differences=tuple(walk.differences))


class _Walk:
    """Reads one part after the other, and remembers what has to be compared between them."""

    def __init__(self, package: Package, trees: Mapping[str, Element]) -> None:
        self._package = package
        self._trees = trees
        self._owners: dict[str, str] = {}
        self._defined: dict[str, Known] = {}
        self.differences: list[Difference] = []

    def links(self, name: str, kind: Kind) -> list[_Link]:
        """The parts that a part links to."""
        if kind not in _READERS:
            return []
        if kind is Kind.TEMPLATE and self._package.size(name) <= _LONGEST_REMEMBERED:
            with suppress(TrustError):  # what is wrong is told below
                linked, differences = _template_once(self._package.read(name), name)
                self.differences += differences
                return list(linked)
        root_name, reader = _READERS[kind]
        root = self._trees.get(name) if kind in {Kind.ROOT, Kind.DOCUMENT} else None
        if root is None:
            root = read_part(self._package, name, root_name)
        # Resources of the whole document are looked up together; those of a page belong to the page alone.
        owner = self._owners.get(name)
        known = None if owner is None else self._defined.setdefault(owner, {})
        self.differences += differences_in(root, name, kind, known=known)
        with xmlio.naming(name):
            found = list(reader(root, name))
        if kind is Kind.DOCUMENT:
            self._owners.update({linked: name for linked, what in found if what is Kind.RESOURCE})
        return found


@lru_cache(maxsize=16)
def _template_once(content: bytes, name: str) -> tuple[tuple[_Link, ...], tuple[Difference, ...]]:
    """Links of a template and where readers part over it: all documents of a kind have the same few templates."""
    root_name, reader = _READERS[Kind.TEMPLATE]
    root = parse_part(content, name, root_name)
    with xmlio.naming(name):
        return tuple(reader(root, name)), tuple(differences_in(root, name, Kind.TEMPLATE))


def _repaired(package: Package, missing: Mapping[str, Kind], problems: Iterable[TrustError]) -> Iterator[Difference]:
    """Links that mean no file strictly, and that readers repair until they do."""
    lenient = LenientPackage(package)
    links = [(absolute(name), "") for name in missing]
    links += [
        (str(error.facts["location"]), str(error.facts.get("entry", "")))
        for error in problems
        if "location" in error.facts
    ]
    for location, holder in links:
        found = lenient.find(location, holder=holder)
        if found is not None:
            yield Difference(reason="link", entry=found, detail=location)


def _root_links(root: Element, name: str) -> _Links:
    for body in xmlio.children(root, "DocBody"):
        yield from _texts(body, name, ("DocRoot", Kind.DOCUMENT))
        yield from _texts(xmlio.required(body, "DocInfo"), name, ("Cover", Kind.COVER))
        versions = xmlio.child(body, "Versions")
        for version in () if versions is None else xmlio.children(versions, "Version"):
            yield resolve(xmlio.attribute(version, "BaseLoc"), holder=name), Kind.VERSION


def _version_links(root: Element, name: str) -> _Links:
    yield from _texts(root, name, ("DocRoot", Kind.DOCUMENT))
    files = xmlio.child(root, "FileList")
    if files is not None:
        for item in xmlio.children(files, "File"):
            yield resolve(xmlio.text(item), holder=name), Kind.VERSION_FILE


def _document_links(root: Element, name: str) -> _Links:
    common = xmlio.required(root, "CommonData")
    yield from _texts(common, name, ("PublicRes", Kind.RESOURCE), ("DocumentRes", Kind.RESOURCE))
    yield from _base_locations(common, name, "TemplatePage", Kind.TEMPLATE)
    yield from _base_locations(xmlio.required(root, "Pages"), name, "Page", Kind.PAGE)
    yield from _texts(
        root,
        name,
        ("Annotations", Kind.ANNOTATION_LIST),
        ("CustomTags", Kind.TAG_LIST),
        ("Attachments", Kind.ATTACHMENT_LIST),
        ("Extensions", Kind.EXTENSION_LIST),
    )


def _page_links(root: Element, name: str) -> _Links:
    yield from _texts(root, name, ("PageRes", Kind.RESOURCE))


def _resource_links(root: Element, name: str) -> _Links:
    base = root.get("BaseLoc", "")
    for node in xmlio.descendants(root, "FontFile", "MediaFile"):
        kind = Kind.FONT if xmlio.local_name(node) == "FontFile" else Kind.MEDIA
        yield resolve(xmlio.text(node), holder=name, base=base), kind
    for node in xmlio.descendants(root, "ColorSpace"):
        profile = node.get("Profile")
        if profile:
            yield resolve(profile, holder=name, base=base), Kind.PROFILE


def _no_links(_root: Element, _name: str) -> _Links:
    return iter(())


def _file_links(kind: Kind, *names: str) -> Callable[[Element, str], _Links]:
    """Links of Annotations, Attachments, CustomTags and Extensions: locations as text, at any depth."""

    def links(root: Element, name: str) -> _Links:
        for node in xmlio.descendants(root, *names):
            yield resolve(xmlio.text(node), holder=name), kind

    return links


def _texts(node: Element, holder: str, *wanted: _Link) -> _Links:
    kinds = dict(wanted)
    for item in node.iterchildren("*"):
        kind = kinds.get(xmlio.local_name(item))
        if kind is not None:
            yield resolve(xmlio.text(item), holder=holder), kind


def _base_locations(node: Element, holder: str, name: str, kind: Kind) -> _Links:
    for item in xmlio.children(node, name):
        yield resolve(xmlio.attribute(item, "BaseLoc"), holder=holder), kind


_READERS: dict[Kind, tuple[str, Callable[[Element, str], _Links]]] = {
    Kind.ROOT: ("OFD", _root_links),
    Kind.VERSION: ("DocVersion", _version_links),
    Kind.DOCUMENT: ("Document", _document_links),
    Kind.PAGE: ("Page", _page_links),
    Kind.TEMPLATE: ("Page", _page_links),
    Kind.RESOURCE: ("Res", _resource_links),
    Kind.ANNOTATION_LIST: ("Annotations", _file_links(Kind.ANNOTATION, "FileLoc")),
    Kind.ANNOTATION: ("PageAnnot", _no_links),
    Kind.ATTACHMENT_LIST: ("Attachments", _file_links(Kind.ATTACHMENT, "FileLoc")),
    Kind.TAG_LIST: ("CustomTags", _file_links(Kind.TAG, "SchemaLoc", "FileLoc")),
    Kind.EXTENSION_LIST: ("Extensions", _file_links(Kind.EXTENSION, "ExtendData")),
}
"""Root element and link reader of every kind of part that links to others."""
