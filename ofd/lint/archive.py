"""Checking documents against OFD-A, the archive profile of GB/T 42133-2022, as far as its rules are public."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from ofd.lint import rules_archive as rules
from ofd.lint.finding import Finding, Findings, LintReport
from ofd.lint.inspection import ElementCheck, Inspection, Place, inspect
from ofd.lint.pictures import picture_format
from ofd.lint.rules_structure import PACKAGE_HOPELESS
from ofd.lint.run import opened_leniently
from ofd.lint.values import numbers
from ofd.lint.walk import NAMESPACES, name_of, namespace_of
from ofd.package.lenient import LenientPackage
from ofd.package.reader import Package
from ofd.xmlio import Element
from trustcore.errors import TrustError

__all__ = ["ALLOWED_ATTACHMENTS", "ALLOWED_PICTURES", "DEEPEST_BLOCK", "check_archive"]

ALLOWED_PICTURES = frozenset({"BMP", "JPEG", "PNG", "JBIG2", "JPEG2000", "TIFF"})
ALLOWED_ATTACHMENTS = frozenset({"TXT", "XML"})
DEEPEST_BLOCK = 3
_OUTSIDE = ("http:", "https:", "ftp:", "file:", "//")
_NEAR = 1e-6
_MEDIA = {"Audio": "音频", "Video": "视频"}
_NOT_PUBLIC = ("MultiMedias", "CompositeGraphicUnits", "DrawParams")
_NOT_OF_PAGES = ("ColorSpaces", "Fonts")


def check_archive(source: bytes | Path | Package | LenientPackage) -> LintReport:
    """Check a document against the archive profile; never raises for what a file holds.

    The findings are about the profile alone: :func:`ofd.lint.run.lint` has those about OFD itself.
    """
    findings = Findings()
    try:
        with opened_leniently(source) as package:
            return _check(package, findings)
    except TrustError as error:
        findings.add(PACKAGE_HOPELESS.found(reason=f"{error.detail} ({error.code})"))
        return findings.report(is_signed=False)


def _check(package: LenientPackage, findings: Findings) -> LintReport:
    encrypted = "Encryptions.xml" in package
    if encrypted:
        findings.add(rules.ENCRYPTED.found("Encryptions.xml"))
    checks = _ArchiveChecks(package)
    inspection = inspect(package, Findings(), checks.checks())
    findings.extend(checks.found())
    findings.extend(_judge(inspection, checks.public))
    if "OFD.xml" not in package and not encrypted:
        findings.add(PACKAGE_HOPELESS.found(reason="OFD.xml is missing"))
    return findings.report(is_signed=checks.signatures > 0)


class _ArchiveChecks:
    """The checks of single elements."""

    def __init__(self, package: LenientPackage) -> None:
        self._package = package
        self._findings = Findings()
        self.public: set[str] = set()
        """Entry names of the resource files that are PublicRes."""
        self.signatures = 0

    def found(self) -> tuple[Finding, ...]:
        """What the checks found so far."""
        return self._findings.report(is_signed=False).findings

    def checks(self) -> Mapping[str, Sequence[ElementCheck]]:
        """What to call for which element type."""
        checks: dict[str, ElementCheck] = {
            "OFD": _check_root,
            "Document": _check_document,
            "CommonData": self._note_public,
            "Action": _check_action,
            "Extensions": _check_extensions,
            "MultiMedia": self._check_media,
            "Font": _check_font,
            "ColorSpace": _check_color_space,
            "PageBlock": _check_block,
            "TextObject": _check_text,
            "Annot": _check_annotation,
            "Signatures": self._check_signatures,
            "Attachment": _check_attachment,
        }
        return {name: (self._kept(check),) for name, check in checks.items()}

    def _kept(self, check: ElementCheck) -> ElementCheck:
        """The check with its findings kept here: those of the inspection are about OFD itself."""

        def run(place: Place) -> None:
            check(
                Place(
                    scope=place.scope,
                    entry=place.entry,
                    root_type=place.root_type,
                    kind=place.kind,
                    node=place.node,
                    findings=self._findings,
                )
            )

        return run

    def _note_public(self, place: Place) -> None:
        for node in _children(place.node, "PublicRes"):
            name = self._package.find((node.text or "").strip(), holder=place.entry)
            if name is not None:
                self.public.add(name)

    def _check_media(self, place: Place) -> None:
        kind = place.node.get("Type", "")
        if kind in _MEDIA:
            place.found(rules.MEDIA, zh_kind=_MEDIA[kind], kind=kind)
        file = next(iter(_children(place.node, "MediaFile")), None)
        location = "" if file is None else (file.text or "").strip()
        if location.lower().startswith(_OUTSIDE):
            place.found(rules.EXTERNAL, location=location)
        if kind != "Image":
            return
        for item in place.node.iterchildren("*"):
            if namespace_of(item) not in NAMESPACES:
                place.found(rules.PICTURE_EXTENSION, item, name=name_of(item))
        root = place.node.getroottree().getroot()
        name = self._package.find(location, holder=place.entry, base=root.get("BaseLoc", ""))
        found = None if name is None else picture_format(self._head(name))
        if name is not None and found not in ALLOWED_PICTURES:
            place.found(rules.PICTURE, name=name, found=found or "?")

    def _head(self, name: str) -> bytes:
        try:
            return next(iter(self._package.chunks(name)), b"")
        except TrustError:
            return b""

    def _check_signatures(self, place: Place) -> None:
        for node in _children(place.node, "Signature"):
            self.signatures += 1
            place.found(rules.SIGNATURE, node, id=node.get("ID", ""))


def _children(node: Element, name: str) -> list[Element]:
    return [item for item in node.iterchildren("*") if name_of(item) == name]


def _check_root(place: Place) -> None:
    kind = place.node.get("DocType", "")
    if kind != "OFD-A":
        place.found(rules.DOC_TYPE, found=kind)
    bodies = _children(place.node, "DocBody")
    if len(bodies) > 1:
        place.found(rules.SEVERAL_DOCUMENTS, count=len(bodies))
    for body in bodies:
        for versions in _children(body, "Versions"):
            place.found(rules.VERSIONS, versions)


def _check_document(place: Place) -> None:
    for name, rule in (("Permissions", rules.PERMISSIONS), ("VPreferences", rules.PREFERENCES)):
        for node in _children(place.node, name):
            place.found(rule, node)


def _check_action(place: Place) -> None:
    for node in place.node.iterchildren("*"):
        if name_of(node) not in {"Goto", "Region"}:
            place.found(rules.ACTION, node, name=name_of(node))


def _check_extensions(place: Place) -> None:
    place.found(rules.EXTENSION)


def _check_font(place: Place) -> None:
    files = _children(place.node, "FontFile")
    if not files:
        place.found(rules.FONT, name=place.node.get("FontName", ""))
    for file in files:
        if (file.text or "").strip().lower().startswith(_OUTSIDE):
            place.found(rules.EXTERNAL, location=(file.text or "").strip())


def _check_color_space(place: Place) -> None:
    kind = place.node.get("Type", "")
    if kind.upper() not in {"GRAY", "RGB", "CMYK"}:
        place.found(rules.COLOR_SPACE, found=kind)


def _check_block(place: Place) -> None:
    depth = 1 + sum(name_of(item) == "PageBlock" for item in place.node.iterancestors())
    if depth == DEEPEST_BLOCK + 1:
        place.found(rules.BLOCK_DEPTH, depth=depth)


def _check_text(place: Place) -> None:
    text = place.node.get("CTM", "")
    matrix = numbers(text)
    if matrix is None or len(matrix) != 6 or place.node.get("HScale"):
        return
    a, b, c, d, *_ = matrix
    if abs(b) < _NEAR and abs(c) < _NEAR and abs(d - 1) < _NEAR < abs(a - 1):
        place.found(rules.TEXT_STRETCHED, matrix=text)


def _check_annotation(place: Place) -> None:
    identifier = place.node.get("ID", "")
    for name, usual in (("ReadOnly", "true"), ("NoZoom", "false"), ("NoRotate", "false")):
        if place.node.get(name, usual) not in {"true", "1"}:
            place.found(rules.ANNOTATION, id=identifier, name=name)
    for appearance in _children(place.node, "Appearance"):
        if _children(appearance, "PageBlock"):
            place.found(rules.ANNOTATION_BLOCK, id=identifier)


def _check_attachment(place: Place) -> None:
    kind = place.node.get("Format", "")
    if kind.upper() not in ALLOWED_ATTACHMENTS:
        place.found(rules.ATTACHMENT, name=place.node.get("Name", ""), format=kind)


def _judge(inspection: Inspection, public: set[str]) -> Iterator[Finding]:
    """What can be said when all parts were seen."""
    for scope in inspection.scopes.values():
        pages: dict[int, set[str]] = defaultdict(set)
        for kind, number, entry in scope.used:
            if kind == "media" and "Page" in inspection.reached.get(entry, ()):
                pages[number].add(entry)
        for number, entries in pages.items():
            _, holder = scope.defined.get(number, ("", ""))
            if len(entries) > 1 and holder in scope.users and "" not in scope.users[holder]:
                yield rules.SHARED_PICTURE.found(holder, object_id=str(number), id=number)
        for holder, users in scope.users.items():
            if holder in public:
                yield from _misplaced(inspection, holder, _NOT_PUBLIC, "公共资源", "public resources")
            elif "" not in users:
                yield from _misplaced(inspection, holder, _NOT_OF_PAGES, "页面资源", "resources of a page")


def _misplaced(
    inspection: Inspection, holder: str, names: Sequence[str], zh_place: str, place: str
) -> Iterator[Finding]:
    for name in names:
        if name in inspection.groups.get(holder, ()):
            yield rules.RESOURCE_PLACE.found(holder, name=name, zh_place=zh_place, place=place)
