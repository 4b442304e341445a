"""Where a seal is shown: at one place, on several pages, at a keyword, across the edges of pages.

Everything here plans: it answers with :class:`StampAnnotation`, which :func:`ofd.sign.seal.prepare` puts into the
document. All lengths are millimetres from the top left corner of a page.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import isfinite
from typing import NamedTuple, Protocol

from ofd import xmlio
from ofd.build.numbers import number
from ofd.geometry import Box
from ofd.package.reader import Package
from ofd.ses.structure import Picture
from ofd.sign.parts import StampRecord
from ofd.structure import page_names, read_bodies, read_part
from ofd.xmlio import Element
from trustcore.errors import MalformedError, RejectedError

__all__ = [
    "Anchor",
    "FoundText",
    "Side",
    "StampAnnotation",
    "at_keyword",
    "on_pages",
    "opposite_pages",
    "page_boxes",
    "riding",
    "stamp_records",
]

_SMALLEST_GROUP = 2
_MAX_MILLIMETRES = 100_000.0


class Side(StrEnum):
    """An edge of a page."""

    RIGHT = "right"
    LEFT = "left"
    TOP = "top"
    BOTTOM = "bottom"

    @property
    def is_upright(self) -> bool:
        """Whether the edge runs from top to bottom."""
        return self in {Side.RIGHT, Side.LEFT}


class Anchor(StrEnum):
    """A corner of a page, or its middle."""

    TOP_LEFT = "top-left"
    TOP_RIGHT = "top-right"
    BOTTOM_LEFT = "bottom-left"
    BOTTOM_RIGHT = "bottom-right"
    CENTRE = "centre"


@dataclass(frozen=True, slots=True, kw_only=True)
class StampAnnotation:
    """Where the seal is shown on a page."""

    page: int = 0
    """Index of the page, from 0."""
    x_mm: float
    y_mm: float
    """Top left corner, from the top left corner of the page."""
    width_mm: float | None = None
    height_mm: float | None = None
    """Size; that of the seal's picture when left out."""
    clip_mm: tuple[float, float, float, float] | None = None
    """x, y, width, height of the part shown, from the corner of the seal."""


class FoundText(Protocol):
    """A place where text was found, such as :class:`ofd.text.search.Hit`."""

    @property
    def page(self) -> int:
        """Index of the page, from 0."""

    @property
    def box(self) -> Box:
        """Around the text, in millimetres of the page."""


def page_boxes(package: Package) -> tuple[Box, ...]:
    """PhysicalBox of every page, its own or the document's, in order (GB/T 33190-2016 §7.5, §7.6).

    Raises:
        MalformedError: ``ofd.structure.page-box`` for a box that is none or without size; ``ofd.xml.…``.
        NotFoundError: ``ofd.package.entry-missing``.
    """
    body = read_bodies(package)[0]
    document = read_part(package, body.document, "Document")
    area = xmlio.child(xmlio.required(document, "CommonData"), "PageArea")
    boxes: list[Box] = []
    for name in page_names(document, holder=body.document).values():
        own = xmlio.child(read_part(package, name, "Page"), "Area")
        with xmlio.naming(name):
            boxes.append(_physical_box(own, area))
    return tuple(boxes)


def on_pages(
    boxes: Sequence[Box],
    pages: Iterable[int],
    *,
    size_mm: tuple[float, float],
    anchor: Anchor = Anchor.BOTTOM_RIGHT,
    margin_mm: float = 20,
) -> tuple[StampAnnotation, ...]:
    """The whole seal at the same corner of several pages, each of its own size.

    Args:
        boxes: from :func:`page_boxes`.
        pages: indexes, from 0.
        size_mm: width and height of the seal.
        anchor: which corner.
        margin_mm: how far from the edges.

    Raises:
        RejectedError: ``ofd.seal.page``.
    """
    width, height = size_mm
    stamps: list[StampAnnotation] = []
    for page in pages:
        box = _box(boxes, page)
        if anchor is Anchor.CENTRE:
            x, y = (box.width - width) / 2, (box.height - height) / 2
        else:
            x = margin_mm if anchor in {Anchor.TOP_LEFT, Anchor.BOTTOM_LEFT} else box.width - width - margin_mm
            y = margin_mm if anchor in {Anchor.TOP_LEFT, Anchor.TOP_RIGHT} else box.height - height - margin_mm
        stamps.append(_stamp(page, box, (x, y, width, height)))
    return tuple(stamps)


def at_keyword(
    hits: Iterable[FoundText],
    *,
    size_mm: tuple[float, float],
    shift_mm: tuple[float, float] = (0, 0),
    only: int | None = None,
) -> tuple[StampAnnotation, ...]:
    """The seal with its middle over the middle of text that was found.

    Args:
        hits: what :func:`ofd.text.search.search` found, in order.
        size_mm: width and height of the seal.
        shift_mm: how far right and down from there.
        only: index of the one hit to take, negative from the end; all of them when left out.

    Raises:
        RejectedError: ``ofd.seal.keyword``: it was not found, or not as often.
    """
    found = tuple(hits)
    if only is not None:
        if not -len(found) <= only < len(found):
            raise RejectedError(
                f"The keyword stands {len(found)} times in the document.", code="ofd.seal.keyword", found=len(found)
            )
        found = (found[only],)
    if not found:
        raise RejectedError("The keyword does not stand in the document.", code="ofd.seal.keyword", found=0)
    width, height = size_mm
    return tuple(
        StampAnnotation(
            page=hit.page,
            x_mm=hit.box.centre.x - width / 2 + shift_mm[0],
            y_mm=hit.box.centre.y - height / 2 + shift_mm[1],
            width_mm=width,
            height_mm=height,
        )
        for hit in found
    )


def riding(
    boxes: Sequence[Box],
    *,
    size_mm: tuple[float, float],
    side: Side = Side.RIGHT,
    pages: Iterable[int] | None = None,
    group: int | None = None,
    offset_mm: float | None = None,
    margin_mm: float = 0,
) -> tuple[StampAnnotation, ...]:
    """骑缝章: one seal across the edges of pages that lie fanned out, a strip of it on each.

    Every strip is the whole seal, clipped, so that each page shows what the others do not.

    Args:
        boxes: from :func:`page_boxes`; each page's own size counts.
        size_mm: width and height of the whole seal.
        side: the edge that the strips are on.
        pages: indexes of the pages that take part, in order; all when left out.
        group: at most so many pages share a seal; a last group of one page joins the group before.
        offset_mm: from the top edge (right, left) or left edge (top, bottom); the middle when left out.
        margin_mm: between strip and edge, for printers that do not reach it.

    Raises:
        RejectedError: ``ofd.seal.riding-pages`` for fewer than two pages, ``ofd.seal.riding-group`` for groups of
            fewer than two, ``ofd.seal.page``.
    """
    chosen = tuple(range(len(boxes)) if pages is None else pages)
    if len(chosen) < _SMALLEST_GROUP:
        raise RejectedError("A riding seal needs two pages or more.", code="ofd.seal.riding-pages")
    if group is not None and group < _SMALLEST_GROUP:
        raise RejectedError("A group of a riding seal has two pages or more.", code="ofd.seal.riding-group")
    edge = _Edge(side, size_mm, offset_mm, margin_mm)
    return tuple(
        edge.strip(page, _box(boxes, page), index=index, count=len(members))
        for members in _groups(chosen, group or len(chosen))
        for index, page in enumerate(members)
    )


def opposite_pages(
    boxes: Sequence[Box],
    *,
    size_mm: tuple[float, float],
    pairs: Iterable[tuple[int, int]] | None = None,
    side: Side = Side.RIGHT,
    offset_mm: float | None = None,
    margin_mm: float = 0,
) -> tuple[StampAnnotation, ...]:
    """对开骑缝章: one half of the seal on each of two pages that face each other.

    Args:
        boxes: from :func:`page_boxes`.
        size_mm: width and height of the whole seal.
        pairs: indexes of facing pages; (0, 1), (2, 3) … when left out, a last page alone bears nothing.
        side: the edge of the first page of a pair that touches the second.
        offset_mm: from the top edge (right, left) or left edge (top, bottom); the middle when left out.
        margin_mm: between the halves and the edges.

    Raises:
        RejectedError: ``ofd.seal.riding-pages`` without a pair, ``ofd.seal.page``.
    """
    chosen = tuple(zip(range(0, len(boxes), 2), range(1, len(boxes), 2), strict=False)) if pairs is None else pairs
    facing = {Side.RIGHT: Side.LEFT, Side.LEFT: Side.RIGHT, Side.TOP: Side.BOTTOM, Side.BOTTOM: Side.TOP}[side]
    edges = tuple(_Edge(touching, size_mm, offset_mm, margin_mm) for touching in (side, facing))
    stamps = tuple(
        edge.half(page, _box(boxes, page)) for pair in chosen for page, edge in zip(pair, edges, strict=True)
    )
    if not stamps:
        raise RejectedError("A seal across facing pages needs two pages or more.", code="ofd.seal.riding-pages")
    return stamps


def stamp_records(
    stamps: Sequence[StampAnnotation], *, picture: Picture | None, page_ids: Sequence[str], number_before: int
) -> tuple[StampRecord, ...]:
    """The stamps as Signature.xml writes them.

    Args:
        stamps: where the seal is shown.
        picture: of the seal, for the size of stamps that have none of their own.
        page_ids: of all pages of the document, in order.
        number_before: their IDs start after this number.

    Raises:
        RejectedError: ``ofd.seal.page`` for a page that is not there, ``ofd.seal.stamp-size`` for a box without size
            or beyond all paper, ``ofd.seal.stamp-clip`` for a part that the seal does not have.
    """
    records: list[StampRecord] = []
    for index, stamp in enumerate(stamps, start=number_before + 1):
        if not 0 <= stamp.page < len(page_ids):
            raise _no_page(stamp.page, len(page_ids))
        width = stamp.width_mm or (picture.width_mm if picture else 0)
        height = stamp.height_mm or (picture.height_mm if picture else 0)
        box = (stamp.x_mm, stamp.y_mm, width, height)
        if not all(isfinite(value) and abs(value) < _MAX_MILLIMETRES for value in box) or min(width, height) <= 0:
            raise RejectedError("A stamp has a place and a size on paper.", code="ofd.seal.stamp-size")
        records.append(
            StampRecord(
                id=f"s{index:03d}",
                page_id=page_ids[stamp.page],
                boundary=" ".join(map(number, box)),
                clip=None if stamp.clip_mm is None else _clip(stamp.clip_mm, width, height),
            )
        )
    return tuple(records)


def _clip(clip: tuple[float, float, float, float], width: float, height: float) -> str:
    x, y, w, h = clip
    slack = 1e-6 * max(width, height)
    inside = -slack <= x and -slack <= y and x + w <= width + slack and y + h <= height + slack
    if not (all(map(isfinite, clip)) and inside and w > 0 and h > 0):
        raise RejectedError("The part shown is not a part of the seal.", code="ofd.seal.stamp-clip")
    return " ".join(map(number, clip))


class _Edge(NamedTuple):
    """How a seal lies across an edge."""

    side: Side
    size: tuple[float, float]
    offset: float | None
    margin: float

    def part(self, page: int, box: Box, *, start: float, thick: float) -> StampAnnotation:
        """The part of the seal that is ``thick`` and begins at ``start``, shown inside the edge of a page."""
        width, height = self.size
        length = box.width if self.side.is_upright else box.height
        outer = self.side in {Side.RIGHT, Side.BOTTOM}
        across = length - thick - start - self.margin if outer else self.margin - start
        if self.side.is_upright:
            along = (box.height - height) / 2 if self.offset is None else self.offset
            return _stamp(page, box, (across, along, width, height), clip=(start, 0.0, thick, height))
        along = (box.width - width) / 2 if self.offset is None else self.offset
        return _stamp(page, box, (along, across, width, height), clip=(0.0, start, width, thick))

    def strip(self, page: int, box: Box, *, index: int, count: int) -> StampAnnotation:
        """The strip of page ``index`` of ``count``; that of the first page lies outermost in the fan."""
        thick = (self.size[0] if self.side.is_upright else self.size[1]) / count
        place = index if self.side in {Side.RIGHT, Side.BOTTOM} else count - 1 - index
        return self.part(page, box, start=thick * place, thick=thick)

    def half(self, page: int, box: Box) -> StampAnnotation:
        """The half that meets the edge: the first at the right and lower edge, else the second."""
        half = (self.size[0] if self.side.is_upright else self.size[1]) / 2
        return self.part(page, box, start=0.0 if self.side in {Side.RIGHT, Side.BOTTOM} else half, thick=half)


def _stamp(
    page: int,
    box: Box,
    place: tuple[float, float, float, float],
    clip: tuple[float, float, float, float] | None = None,
) -> StampAnnotation:
    x, y, width, height = place
    return StampAnnotation(page=page, x_mm=box.x + x, y_mm=box.y + y, width_mm=width, height_mm=height, clip_mm=clip)


def _groups(pages: Sequence[int], size: int) -> list[Sequence[int]]:
    groups = [pages[start : start + size] for start in range(0, len(pages), size)]
    if len(groups) > 1 and len(groups[-1]) < _SMALLEST_GROUP:
        last = groups.pop()
        groups[-1] = (*groups[-1], *last)
    return groups


def _box(boxes: Sequence[Box], page: int) -> Box:
    if not 0 <= page < len(boxes):
        raise _no_page(page, len(boxes))
    return boxes[page]


def _no_page(page: int, count: int) -> RejectedError:
    return RejectedError(f"The document has {count} pages; there is none with index {page}.", code="ofd.seal.page")


def _physical_box(own: Element | None, document: Element | None) -> Box:
    """The page as :meth:`ofd.model.document.Document.physical_box` has it: from its origin, whatever the box says."""
    for area in (own, document):
        node = None if area is None else xmlio.child(area, "PhysicalBox")
        if node is None:
            continue
        try:
            values = tuple(map(float, xmlio.text(node).split()))
        except ValueError:
            values = ()
        if len(values) != 4 or not all(map(isfinite, values)) or min(values[2:]) <= 0:
            raise MalformedError("The size of a page cannot be read.", code="ofd.structure.page-box")
        return Box(0, 0, values[2], values[3])
    raise MalformedError("The size of a page is missing.", code="ofd.structure.page-box")
