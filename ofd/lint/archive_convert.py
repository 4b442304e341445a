"""Turning documents into OFD-A (GB/T 42133-2022): what the profile forbids is taken out, what it wants is put in.

What a page shows stays: fonts that were not embedded are embedded as they are drawn here, pictures of other formats
become PNG. What is taken out of the document is handed back beside it.
"""

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

import uharfbuzz as hb
from PIL import Image

from ofd import xmlio
from ofd.compare.pages import PageSource, compare_pages
from ofd.fonts.library import FontLibrary, installed_fonts
from ofd.lint import archive_edit as edit
from ofd.lint import rules_archive as rules
from ofd.lint.archive import ALLOWED_PICTURES, check_archive
from ofd.lint.archive_seals import Unsigned, seals_as_annotations
from ofd.lint.content import ContentChecks, FontUse
from ofd.lint.finding import Findings, LintReport, Rule
from ofd.lint.inspection import Inspection, inspect, line_of
from ofd.lint.part_repair import Repair
from ofd.lint.pictures import picture_format
from ofd.lint.repair import is_signed, repair
from ofd.lint.walk import name_of
from ofd.model.document import Document
from ofd.package.lenient import LenientPackage
from ofd.package.loc import absolute
from ofd.package.reader import write_package
from ofd.progress import silent
from ofd.xmlio import Element
from trustcore.errors import InternalError, RejectedError, TrustError

__all__ = ["Archived", "to_archive"]

_EDITS: Mapping[str, tuple[edit.Edit, ...]] = {
    "OFD": (edit.edit_root,),
    "Document": (edit.edit_document,),
    "Page": (edit.edit_content,),
    "PageAnnot": (edit.edit_annotations,),
    "Res": (edit.edit_media, edit.edit_content),
    "Attachments": (edit.edit_attachments,),
}
_DPI = 96.0
_TOLERANCE = 48
_RESTRICTED = 0x0002
"""OS/2 ``fsType``: may not be embedded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Archived:
    """A document in the archive profile, as far as that was possible."""

    data: bytes
    done: tuple[Repair, ...]
    left: LintReport
    """What is still against the profile."""
    moved_out: Mapping[str, bytes] = field(default_factory=dict)
    """Files that are no longer in the document: attachments, sound, film, versions, signatures; by entry name."""


def to_archive(data: bytes, *, fonts: FontLibrary | None = None, annotate_seals: date | None = None) -> Archived:
    """The document as OFD-A.

    Args:
        data: the document.
        fonts: to embed and draw with; those of this machine by default.
        annotate_seals: take signed documents too, seals becoming annotations of this date: see
            :mod:`ofd.lint.archive_seals`. Without it they are refused.

    Raises:
        ConflictError: ``ofd.repair.signed``.
        RejectedError: ``ofd.repair.encrypted``; ``ofd.repair.damaged``; ``ofd.archive.several-documents``.
        MalformedError: ``ofd.package.…`` for what is no package.
        InternalError: ``ofd.archive.changed``: a page would look different. Nothing is returned then.
    """
    fonts = fonts or installed_fonts()
    unsigned = Unsigned(data=data, done=(), taken_out={})
    if annotate_seals is not None and is_signed(LenientPackage(data)):
        unsigned = seals_as_annotations(data, fonts=fonts, today=annotate_seals)
    repaired = repair(unsigned.data, fonts=fonts)
    package = LenientPackage(repaired.data)
    if _count_bodies(package) > 1:
        raise RejectedError("The file holds several documents.", code="ofd.archive.several-documents")
    content = ContentChecks()
    inspection = inspect(package, Findings(), content.checks())
    work = _Work(package, inspection, fonts)
    work.edit_parts()
    work.embed_fonts(content.fonts)
    work.convert_pictures()
    result, moved_out = work.finish()
    _check_looks(data, result, fonts)
    return Archived(
        data=result,
        done=(*unsigned.done, *repaired.done, *work.done),
        left=check_archive(result),
        moved_out={**unsigned.taken_out, **moved_out},
    )


class _Work:
    """A conversion under way: trees of the parts that are touched, and new files."""

    def __init__(self, package: LenientPackage, inspection: Inspection, fonts: FontLibrary) -> None:
        self._package = package
        self._inspection = inspection
        self._fonts = fonts
        self._trees: dict[str, Element] = {}
        self._touched: set[str] = set()
        self._files: dict[str, bytes] = {}
        self.done: list[Repair] = []

    def edit_parts(self) -> None:
        """Take out what is forbidden."""
        for name, kinds in self._inspection.reached.items():
            for change in _changes(kinds):
                tree = self._tree(name)
                if tree is not None:
                    self._note(name, change(tree, name))

    def embed_fonts(self, uses: Mapping[tuple[str, int], FontUse]) -> None:
        """Embed what the fonts of the document are drawn with."""
        for name, kinds in self._inspection.reached.items():
            tree = self._tree(name) if "Res" in kinds else None
            for node in () if tree is None else tree.iter("*"):
                if name_of(node) == "Font" and not any(name_of(item) == "FontFile" for item in node):
                    self._embed(node, name, uses)

    def convert_pictures(self) -> None:
        """Make PNG of pictures of other formats."""
        for name, kinds in self._inspection.reached.items():
            tree = self._tree(name) if "Res" in kinds else None
            for node in () if tree is None else list(tree.iter("*")):
                if name_of(node) == "MultiMedia" and node.get("Type") == "Image":
                    self._convert(node, name)

    def finish(self) -> tuple[bytes, dict[str, bytes]]:
        """The new package, and the files that are not in it any more."""
        files = {name: self._package.read(name) for name in self._package.names} | self._files
        files |= {name: xmlio.serialise(self._trees[name]) for name in sorted(self._touched)}
        still = set(inspect(LenientPackage(write_package(files)), Findings(), {}).reached)
        gone = {name for name in self._inspection.reached if name not in still}
        kept = {name: content for name, content in files.items() if name not in gone}
        return write_package(kept), {name: files[name] for name in sorted(gone)}

    def _tree(self, name: str) -> Element | None:
        if name not in self._trees:
            try:
                self._trees[name] = xmlio.parse(self._package.read(name), part=name)
            except TrustError:
                return None
        return self._trees[name]

    def _note(self, name: str, repairs: Iterable[Repair]) -> None:
        done = list(repairs)
        self.done.extend(done)
        if done:
            self._touched.add(name)

    def _embed(self, node: Element, name: str, uses: Mapping[tuple[str, int], FontUse]) -> None:
        identifier = node.get("ID", "")
        found = [use for key, use in uses.items() if str(key[1]) == identifier]
        wanted = set[str]().union(*(use.characters for use in found))
        flags = {flag: node.get(flag) in {"true", "1"} for flag in ("Bold", "Italic")}
        font_name = node.get("FontName", "")
        resolved = self._fonts.resolve(font_name, node.get("FamilyName"), bold=flags["Bold"], italic=flags["Italic"])
        if _is_restricted(resolved.face.data):
            return
        entry = f"{name[: name.rfind('/') + 1]}Res/archive_font_{identifier}.{_suffix(resolved.face.data)}"
        self._files[entry] = resolved.face.subset(sorted(wanted) or " ")
        xmlio.element(node, "FontFile", absolute(entry))
        after = f"{resolved.face.postscript_name}, {len(wanted)} characters"
        line = line_of(node)
        repair = Repair(
            code=rules.FONT.code, entry=name, line=line, object_id=identifier, before=font_name, after=after
        )
        self._note(name, [repair])

    def _convert(self, node: Element, name: str) -> None:
        file = next((item for item in node.iterchildren("*") if name_of(item) == "MediaFile"), None)
        base = node.getroottree().getroot().get("BaseLoc", "")
        entry = None if file is None else self._package.find((file.text or "").strip(), holder=name, base=base)
        if file is None or entry is None:
            return
        data = self._package.read(entry)
        found = picture_format(data)
        png = None if found in ALLOWED_PICTURES else _png(data)
        if png is None:
            return
        target = f"{entry.rsplit('.', 1)[0]}_archive.png"
        self._files[target] = png
        file.text = absolute(target)
        node.set("Format", "PNG")
        self._note(name, [_repair(rules.PICTURE, node, name, found or "?", "PNG")])


def _repair(rule: Rule, node: Element, name: str, before: str, after: str) -> Repair:
    line, identifier = line_of(node), node.get("ID", "")
    return Repair(code=rule.code, entry=name, line=line, object_id=identifier, before=before, after=after)


def _changes(kinds: Iterable[str]) -> Iterator[edit.Edit]:
    for kind in sorted(kinds):
        yield from _EDITS.get(kind, ())


def _count_bodies(package: LenientPackage) -> int:
    try:
        root = xmlio.parse(package.read("OFD.xml"), part="OFD.xml")
    except TrustError:
        return 0
    return sum(name_of(node) == "DocBody" for node in root.iterchildren("*"))


def _is_restricted(data: bytes) -> bool:
    rights = bytes(hb.Face(data).reference_table("OS/2").data)[8:10]
    return int.from_bytes(rights) & 0x000F == _RESTRICTED


def _suffix(data: bytes) -> str:
    return "otf" if data[:4] == b"OTTO" else "ttf"


def _png(data: bytes) -> bytes | None:
    """The picture as PNG; ``None`` when it cannot be decoded."""
    try:
        with Image.open(io.BytesIO(data)) as picture:
            stream = io.BytesIO()
            mode = "RGBA" if "transparency" in picture.info or "A" in picture.getbands() else "RGB"
            picture.convert(mode).save(stream, "PNG", optimize=True)
            return stream.getvalue()
    except (Image.DecompressionBombError, OSError, SyntaxError, ValueError):
        return None


def _check_looks(before: bytes, after: bytes, fonts: FontLibrary) -> None:
    with Document.open(before) as old, Document.open(after) as new:
        sources: Sequence[PageSource] = [PageSource(document, fonts=fonts) for document in (old, new)]
        pages = compare_pages(*sources, dpi=_DPI, tolerance=_TOLERANCE, progress=silent)
    if not all(page.is_same for page in pages):
        raise InternalError("The conversion would change what a page shows.", code="ofd.archive.changed")
