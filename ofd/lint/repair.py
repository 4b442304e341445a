"""Repairing documents: what is mended never changes what a page shows, and everything is told.

Only documents without signatures are repaired: a signature covers octets, so any repair would break it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from ofd import xmlio
from ofd.draw.interpret import page_scene
from ofd.draw.scene import Scene
from ofd.fonts.library import FontLibrary, installed_fonts
from ofd.lint import rules_structure as rules
from ofd.lint.finding import Findings, LintReport
from ofd.lint.inspection import Inspection, inspect
from ofd.lint.part_repair import Repair, in_namespace, repair_part
from ofd.lint.run import lint
from ofd.lint.schema import is_element_type
from ofd.lint.walk import name_of
from ofd.model.document import Document
from ofd.package.lenient import LenientPackage
from ofd.package.reader import Package, write_package
from ofd.xmlio import Element
from trustcore.errors import ConflictError, InternalError, RejectedError, TrustError

__all__ = ["Repair", "Repaired", "is_signed", "refuse_signed", "repair"]

_SIGNATURE_TYPES = frozenset({"Signatures", "Signature", "signed-value", "seal"})
_MISSED = frozenset({rules.REFERENCE_MISSING.code, rules.PART_UNREADABLE.code, rules.PART_ROOT.code})
"""Findings after which a missing resource file may be missed."""
_DAMAGE = frozenset({"ofd.read.entry-damaged", "ofd.read.cut-off"})
"""Warnings that say that content is lost: nothing mends that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Repaired:
    """A document after its repair."""

    data: bytes
    """The same octets as before when there was nothing to do."""
    done: tuple[Repair, ...]
    left: LintReport
    """What lint finds now."""


def repair(data: bytes, *, fonts: FontLibrary | None = None) -> Repaired:
    """Mend what can be mended without changing what the document shows.

    Mended are: the ZIP structure and names of entries, old namespaces and prefixes, the order of elements, MaxUnitID,
    locations that only lenient readers find, dates, DocID and paths that are written otherwise than the standard
    asks, surplus deltas, the declared format of pictures, and links to resource files that are not there, where nothing
    is missing for it. Each page is drawn before and after, and compared.

    Args:
        data: the document.
        fonts: to draw with; those of the machine by default.

    Raises:
        ConflictError: ``ofd.repair.signed``: the document is signed, or its list of files is.
        RejectedError: ``ofd.repair.encrypted``; ``ofd.repair.damaged`` when content is lost.
        MalformedError: ``ofd.package.…`` for what is no package.
        InternalError: ``ofd.repair.changed``: a page would look different. Nothing is returned then.
    """
    package = LenientPackage(data)
    refuse_signed(package)
    _refuse_damaged(package)
    findings = Findings()
    inspection = inspect(package, findings, {})
    drops_links = not findings.report(is_signed=False).codes & _MISSED
    files: dict[str, bytes] = {}
    done: list[Repair] = []
    for name, kinds in inspection.reached.items():
        types = [kind for kind in kinds if is_element_type(kind)]
        mended = _mend(package, name, types, inspection, drops_links=drops_links)
        if mended is not None:
            files[name], repairs = mended
            done.extend(repairs)
    if package.strict is None:
        done.insert(0, _repacked(package))
    if not done:
        return Repaired(data=data, done=(), left=lint(data))
    result = write_package({name: files.get(name) or package.read(name) for name in package.names})
    _compare(data, result, fonts or installed_fonts())
    return Repaired(data=result, done=tuple(done), left=lint(result))


def _refuse_damaged(package: LenientPackage) -> None:
    for name in package.names:
        try:
            for _ in package.chunks(name):
                pass
        except TrustError as error:
            raise _lost(name) from error
    for warning in package.warnings:
        if warning.code in _DAMAGE:
            raise _lost(warning.evidence.get("entry", ""))


def _lost(name: str) -> RejectedError:
    return RejectedError("Content of the document is lost.", code="ofd.repair.damaged", entry=name)


def refuse_signed(package: LenientPackage) -> None:
    """Raise ``ConflictError`` (``ofd.repair.signed``) for a signed document, ``RejectedError`` for an encrypted one."""
    if "Encryptions.xml" in package:
        raise RejectedError("The document is encrypted: decrypt it first.", code="ofd.repair.encrypted")
    if is_signed(package):
        raise ConflictError("The document is signed: any change would break that.", code="ofd.repair.signed")


def is_signed(package: LenientPackage) -> bool:
    """Whether there is any sign of a signature, however broken; or a signed list of files."""
    if "OFDEntries.xml" in package:
        return True
    inspection = inspect(package, Findings(), {})
    if any(kinds & _SIGNATURE_TYPES for kinds in inspection.reached.values()):
        return True
    try:
        root = xmlio.parse(package.read("OFD.xml"), part="OFD.xml")
    except TrustError:
        return False
    return any(name_of(node) == "Signatures" for node in root.iter("*"))


def _mend(
    package: LenientPackage, name: str, types: Sequence[str], inspection: Inspection, *, drops_links: bool
) -> tuple[bytes, list[Repair]] | None:
    """The mended part and what was done; ``None`` for a part that is fine or cannot be read."""
    if not types:
        return None
    try:
        root = xmlio.parse(package.read(name), part=name)
    except TrustError:
        return None
    if name_of(root) != types[0]:
        return None
    done = repair_part(root, types[0], package, name, drops_links=drops_links)
    done.extend(_raise_maximum(root, name, inspection))
    root, renamed = in_namespace(root, name)
    done.extend(renamed)
    return (xmlio.serialise(root), done) if done else None


def _raise_maximum(root: Element, name: str, inspection: Inspection) -> list[Repair]:
    """MaxUnitID, where it is below an ID in use."""
    scope = inspection.scopes.get(name)
    used = 0 if scope is None else max(scope.ids, default=0)
    if scope is None or scope.maximum is None or scope.maximum >= used:
        return []
    for node in root.iter("*"):
        if name_of(node) == "MaxUnitID":
            node.text = str(used)
    before, line = str(scope.maximum), scope.maximum_line
    return [Repair(code=rules.ID_MAXIMUM.code, entry=name, line=line, object_id="", before=before, after=str(used))]


def _repacked(package: LenientPackage) -> Repair:
    before = "; ".join(warning.en for warning in package.warnings if not warning.code.startswith("ofd.read.path"))
    return Repair(
        code=rules.PACKAGE_UNREADABLE.code, entry="", line=0, object_id="", before=before, after="packed anew"
    )


def _compare(before: bytes, after: bytes, fonts: FontLibrary) -> None:
    """Refuse a result that strict readers cannot read, or of which a page is drawn otherwise."""
    Package(after)
    with Document.open(before) as old, Document.open(after) as new:
        same = len(old.pages) == len(new.pages)
        for index in range(len(old.pages) if same else 0):
            same = same and _drawn(old, index, fonts) == _drawn(new, index, fonts)
    if not same:
        raise InternalError("The repair would change what a page shows.", code="ofd.repair.changed")


def _drawn(document: Document, index: int, fonts: FontLibrary) -> Scene | str:
    """The page as it is painted; for a page that cannot be read, why."""
    try:
        scene = page_scene(document, index, fonts=fonts)
    except TrustError as error:
        return error.code
    # Warnings speak of what was repaired.
    return Scene(area=scene.area, items=scene.items)
