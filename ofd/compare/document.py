"""Comparing two documents, and a document with what one of its signatures signed."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ofd.compare.changes import Comparison, PartChange, PartState, ValueChange
from ofd.compare.pages import PageSource, compare_pages
from ofd.compare.picture import difference_picture
from ofd.fonts.library import FontLibrary, installed_fonts
from ofd.model.document import Document
from ofd.package.lenient import LenientPackage
from ofd.package.reader import Package
from ofd.progress import Progress, silent
from ofd.sign.parts import ListedSignature, read_signature, read_signature_list
from ofd.structure import ROOT, read_bodies
from ofd.verify.reachable import find_reachable
from ofd.verify.references import digest_algorithm
from trustcore.crypto.algorithms import DigestAlgorithm
from trustcore.errors import NotFoundError

__all__ = ["Comparing", "SinceSignature", "compare", "since_signature"]

_DPI = 144.0
"""One point is 0.18 mm."""
_TOLERANCE = 40
"""Of 255: what smoothing of edges may differ in."""


class Comparing:
    """Two documents that are compared; open them with :func:`Document.open` and close them afterwards."""

    def __init__(self, old: Document, new: Document, *, fonts: FontLibrary | None = None) -> None:
        """Take both documents."""
        fonts = fonts or installed_fonts()
        self._documents = old, new
        self._old, self._new = PageSource(old, fonts=fonts), PageSource(new, fonts=fonts)

    def compare(
        self,
        *,
        pages: bool = True,
        dpi: float = _DPI,
        tolerance: int = _TOLERANCE,
        progress: Progress = silent,
    ) -> Comparison:
        """Everything they differ in.

        Args:
            pages: whether pages are compared too, not only files and metadata.
            dpi: how fine pages are drawn that are made of other objects.
            tolerance: by how much points may differ, of 255.
            progress: told of pages.
        """
        old, new = self._documents
        parts = tuple(_part_changes(_lenient(old), _lenient(new)))
        known = _unchanged_pages(new, {part.name for part in parts})
        found = (
            compare_pages(self._old, self._new, dpi=dpi, tolerance=tolerance, progress=progress, known=known)
            if pages
            else ()
        )
        return Comparison(parts=parts, values=tuple(_value_changes(_values(old), _values(new))), pages=found)

    def picture(self, comparison: Comparison, number: int, *, dpi: float = 150) -> bytes:
        """PNG of what became of a page: see :func:`ofd.compare.picture.difference_picture`.

        Args:
            comparison: what :meth:`compare` answered.
            number: index in ``comparison.pages``.
            dpi: dots for an inch.
        """
        page = comparison.pages[number]
        old = None if page.old is None else self._old.scene(page.old)
        new = None if page.new is None else self._new.scene(page.new)
        return difference_picture(old, new, page.regions, dpi=dpi)


def compare(
    old: bytes | Path | Package,
    new: bytes | Path | Package,
    *,
    pages: bool = True,
    fonts: FontLibrary | None = None,
    progress: Progress = silent,
) -> Comparison:
    """Everything two documents differ in.

    Args:
        old: the document before.
        new: the document now.
        pages: whether pages are compared too, not only files and metadata.
        fonts: to draw with; those of this machine by default.
        progress: told of pages.

    Raises:
        TrustError: one of them cannot be read even leniently.
        OSError: a file cannot be read.
    """
    with Document.open(old) as before, Document.open(new) as after:
        return Comparing(before, after, fonts=fonts).compare(pages=pages, progress=progress)


@dataclass(frozen=True, slots=True, kw_only=True)
class SinceSignature:
    """What a document has beyond what a signature signed."""

    signature_id: str
    signed: Package
    """The document with the files only that the signature protects, its own, and the list of signatures."""
    altered: tuple[str, ...]
    """Protected files that are not as they were signed: what they were is not known."""
    missing: tuple[str, ...]
    """Protected files that are gone."""
    comparison: Comparison
    """From what was signed to what is there: what was added, and what was never signed."""


def since_signature(
    source: bytes | Package,
    signature_id: str,
    *,
    pages: bool = True,
    fonts: FontLibrary | None = None,
    progress: Progress = silent,
) -> SinceSignature:
    """Compare a document with what one of its signatures signed.

    This verifies nothing: a signature that is wrong may claim to sign anything (:mod:`ofd.verify`).

    Args:
        source: the signed document.
        signature_id: ``@ID`` of the signature.
        pages: whether pages are compared too, not only files and metadata.
        fonts: to draw with.
        progress: told of pages.

    Raises:
        NotFoundError: ``ofd.compare.no-signature``.
        TrustError: the document or the signature cannot be read strictly.
    """
    package = source if isinstance(source, Package) else Package(source)
    list_name, listed = _find(package, signature_id)
    description = read_signature(package.read(listed.name), name=listed.name)
    algorithm = digest_algorithm(description.check_method) or DigestAlgorithm.SM3
    protected = {reference.name: reference.digest for reference in description.references}
    missing = sorted(name for name in protected if name not in package)
    altered = sorted(
        name for name, value in protected.items() if name in package and package.digest(name, algorithm) != value
    )
    kept = {ROOT, list_name, listed.name, description.signed_value, description.seal, *protected}
    signed = package.changed({}, removed=[name for name in package.names if name not in kept])
    comparing = Comparing(Document.open(signed), Document.open(package), fonts=fonts)
    return SinceSignature(
        signature_id=signature_id,
        signed=signed,
        altered=tuple(altered),
        missing=tuple(missing),
        comparison=comparing.compare(pages=pages, progress=progress),
    )


def _find(package: Package, signature_id: str) -> tuple[str, ListedSignature]:
    known: list[str] = []
    for body in read_bodies(package):
        for listed in () if body.signatures is None else read_signature_list(package, body.signatures):
            if listed.id == signature_id and body.signatures is not None:
                return body.signatures, listed
            known.append(listed.id)
    raise NotFoundError(
        f"There is no signature {signature_id!r}; there are: {', '.join(known) or 'none'}.",
        code="ofd.compare.no-signature",
    )


def _unchanged_pages(document: Document, changed: Collection[str]) -> frozenset[int]:
    """Pages that cannot differ: their file is the same, and so is everything that is not the file of a page."""
    names = [link.part for link in document.page_links]
    templates = {link.part for link in document.template_links}
    if not set(changed) <= set(names) - templates:
        return frozenset()
    return frozenset(index for index, name in enumerate(names) if name is not None and name not in changed)


def _lenient(document: Document) -> LenientPackage:
    files = document.files
    if not isinstance(files, LenientPackage):
        message = "documents to be compared are opened leniently"
        raise TypeError(message)
    return files


def _part_changes(old: LenientPackage, new: LenientPackage) -> Iterator[PartChange]:
    old_kinds, new_kinds = _kinds(old), _kinds(new)
    for name in sorted({*old.names, *new.names}):
        before, after = name in old, name in new
        if before and after and _same(old, new, name):
            continue
        yield PartChange(
            name=name,
            state=PartState.CHANGED if before and after else PartState.REMOVED if before else PartState.ADDED,
            kinds=tuple(sorted({kinds[name] for kinds in (old_kinds, new_kinds) if name in kinds})),
            old_size=old.size(name) if before else None,
            new_size=new.size(name) if after else None,
        )


def _kinds(package: LenientPackage) -> Mapping[str, str]:
    """What each file is for, as far as strict reading finds it."""
    if package.strict is None:
        return {}
    return {name: str(kind) for name, kind in find_reachable(package.strict).parts.items()}


def _same(old: LenientPackage, new: LenientPackage, name: str) -> bool:
    """Whether two files hold the same octets; piece by piece."""
    if old.size(name) != new.size(name):
        return False
    if old.strict is not None and new.strict is not None:
        return old.strict.digest(name, DigestAlgorithm.SHA256) == new.strict.digest(name, DigestAlgorithm.SHA256)
    return old.read(name) == new.read(name)


def _values(document: Document) -> dict[str, str]:
    info = document.info
    plain = {
        "doc_id": info.doc_id,
        "title": info.title,
        "author": info.author,
        "subject": info.subject,
        "abstract": info.abstract,
        "created": info.created,
        "modified": info.modified,
        "usage": info.usage,
        "keywords": ", ".join(info.keywords),
        "creator": info.creator,
        "creator_version": info.creator_version,
        "doc_type": document.root.doc_type,
        "pages": str(len(document.pages)),
    }
    return {name: value for name, value in plain.items() if value} | {
        f"custom.{name}": value for name, value in info.custom.items()
    }


def _value_changes(old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[ValueChange]:
    for name in dict.fromkeys((*old, *new)):
        if old.get(name) != new.get(name):
            yield ValueChange(name=name, old=old.get(name), new=new.get(name))
