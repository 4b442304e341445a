"""What of a page is signed, object by object.

A digest covers a whole file, so an object is signed when the file it stands in is, and every resource, font and picture
it is drawn with. The page itself hangs on OFD.xml and Document.xml, which say that it is a page of this document.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from ofd.draw.bounds import bounds, intersection
from ofd.draw.page import sealed_scene
from ofd.draw.scene import Group, Item, OriginKind, Scene
from ofd.draw.seals import Seals
from ofd.fonts.library import FontLibrary
from ofd.geometry import Box
from ofd.model.document import Document
from ofd.structure import ROOT
from ofd.verify.document import Verification

__all__ = ["Cover", "MarkedObject", "PageCoverage", "page_coverage"]


class Cover(StrEnum):
    """How far an object is signed."""

    SIGNED = "signed"
    LATER = "later"
    """Not by the signature asked about, but by a later one: it was added in between, or was left open."""
    UNSIGNED = "unsigned"
    """By none: it may be anybody's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkedObject:
    """Something on a page that is not signed, or not by the signature asked about."""

    cover: Cover
    kind: OriginKind
    part: str
    """Entry name of the file in which it stands."""
    object_id: str
    because: tuple[str, ...]
    """The entries that are not covered: the part, or what it is drawn with."""
    by: str
    """ID of the later signature that covers it; empty when it is unsigned."""
    box: Box
    """Where its ink is, in page space."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PageCoverage:
    """One page."""

    index: int
    """From 0."""
    page_id: str
    scene: Scene
    """The page with its seals."""
    marked: tuple[MarkedObject, ...]
    """In the order in which they are painted."""
    open_chain: tuple[str, ...]
    """Entries that lead to the page and are not covered: then nothing on it is."""
    objects: int
    """How many items were looked at."""

    @property
    def is_covered(self) -> bool:
        """Whether everything on the page is signed."""
        return not self.marked and not self.open_chain


@dataclass(frozen=True, slots=True, kw_only=True)
class _Signed:
    """Who covers what."""

    covered: frozenset[str]
    later: tuple[tuple[str, frozenset[str]], ...]

    def judge(self, entries: tuple[str, ...]) -> tuple[Cover, tuple[str, ...], str]:
        """How far something that hangs on these entries is signed, on which it is not, and who signs it later."""
        missing = tuple(name for name in entries if name not in self.covered)
        if not missing:
            return Cover.SIGNED, (), ""
        by = next((signature for signature, covered in self.later if set(missing) <= covered), "")
        return (Cover.LATER if by else Cover.UNSIGNED), missing, by


def page_coverage(
    document: Document,
    index: int,
    verification: Verification,
    *,
    fonts: FontLibrary,
    signature: str | None = None,
    seals: Seals | None = None,
) -> PageCoverage:
    """Compare what a page shows with what is signed.

    Args:
        document: the same document as was verified, opened for drawing.
        index: of the page, from 0.
        verification: of :func:`ofd.verify.document.examine`.
        fonts: for fonts that are not embedded.
        signature: ID of the signature asked about; by default an object counts as signed when all signatures cover it.
        seals: of the document, when they are at hand.

    Raises:
        NotFoundError: ``ofd.model.no-page``.
    """
    seals = seals or Seals(document, fonts=fonts)
    scene = sealed_scene(document, index, fonts=fonts, seals=seals)
    signed = _signed(verification, signature)
    link = document.page_links[index]
    # OFD.xml may be open when it leads to a signed document (ofd.coverage.metadata); what it leads to has to be signed.
    chain = tuple(name for name in (document.part, link.part) if name is not None and name not in signed.covered)
    if ROOT not in signed.covered and len(document.root.bodies) > 1:
        chain = (ROOT, *chain)
    found = [item for item in scene.items if isinstance(item, Group) or bounds(item) is not None]
    marked = tuple(_marks(scene.items, signed, scene.area))
    return PageCoverage(
        index=index, page_id=link.id, scene=scene, marked=marked, open_chain=chain, objects=len(found)
    )  # fmt: skip


def _signed(verification: Verification, signature: str | None) -> _Signed:
    trusted = [item for item in verification.signatures if item.is_trusted]
    own = frozenset[str]().union(*(item.own for item in trusted))
    if signature is None:
        return _Signed(covered=verification.protected | own, later=())
    at = next((place for place, item in enumerate(trusted) if item.id == signature), None)
    if at is None:
        return _Signed(covered=frozenset(), later=())
    return _Signed(
        covered=trusted[at].intact | trusted[at].own,
        later=tuple((item.id, item.intact | item.own) for item in trusted[at + 1 :]),
    )


def _marks(items: tuple[Item, ...], signed: _Signed, clip: Box) -> Iterator[MarkedObject]:
    """What has to be marked; a group whose own origin is signed is looked into."""
    for item in items:
        box = bounds(item)
        box = None if box is None else intersection(box, clip)
        if box is None:
            continue
        cover, because, by = signed.judge((item.origin.part, *item.origin.used))
        if cover is not Cover.SIGNED:
            yield MarkedObject(
                cover=cover,
                kind=item.origin.kind,
                part=item.origin.part,
                object_id=item.origin.object_id,
                because=because,
                by=by,
                box=box,
            )
        elif isinstance(item, Group):
            yield from _marks(item.items, signed, box)
