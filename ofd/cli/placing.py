"""Where the command line wants a seal: the options of ``xinyin ofd sign seal``, and the stamps they mean."""

from dataclasses import dataclass
from pathlib import Path

from ofd.cli.terminal import shown_progress, usage_error
from ofd.cli.text import page_indexes
from ofd.model.document import Document
from ofd.package.reader import Package
from ofd.sign.stamps import (
    Anchor,
    Side,
    StampAnnotation,
    at_keyword,
    on_pages,
    opposite_pages,
    page_boxes,
    riding,
)
from ofd.text.search import search

__all__ = ["Placing", "stamps_for"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Placing:
    """The options."""

    at: str | None = None
    """``X,Y`` in millimetres."""
    anchor: Anchor | None = None
    margin_mm: float = 20
    keyword: str | None = None
    hit: int | None = None
    """Which of the places of the keyword, from 1, negative from the end."""
    riding: Side | None = None
    group: int | None = None
    facing: bool = False
    pages: str | None = None
    size: str | None = None
    """``W,H`` in millimetres."""

    @property
    def is_given(self) -> bool:
        """Whether the options say where."""
        places = (self.at, self.anchor, self.keyword, self.riding)
        return self.facing or any(place is not None for place in places)


def stamps_for(
    placing: Placing, package: Package, file: Path, *, picture_mm: tuple[float, float] | None
) -> tuple[StampAnnotation, ...]:
    """The stamps that the options mean, all that are given together.

    Args:
        placing: the options.
        package: the document, open.
        file: the document's file, searched for the keyword.
        picture_mm: size of the seal's picture, for stamps without a size of their own.

    Raises:
        typer.Exit: with status 64 and a sentence on standard error, when an option is wrong.
        RejectedError: ``ofd.seal.…``: the document has no such page or keyword.
    """
    size = picture_mm if placing.size is None else _pair(placing.size)
    if size is None:
        raise usage_error("请用 --size 指定大小 / give the size with --size")
    boxes = page_boxes(package)
    pages = page_indexes(placing.pages, len(boxes))
    stamps: list[StampAnnotation] = []
    if placing.at is not None:
        x, y = _pair(placing.at)
        stamps += (
            StampAnnotation(page=page, x_mm=x, y_mm=y, width_mm=size[0], height_mm=size[1])
            for page in (pages if placing.pages else pages[:1])
        )
    if placing.anchor is not None:
        chosen = pages if placing.pages else pages[-1:]
        stamps += on_pages(boxes, chosen, size_mm=size, anchor=placing.anchor, margin_mm=placing.margin_mm)
    if placing.keyword is not None:
        with Document.open(file) as document, shown_progress("查找 / searching") as progress:
            hits = tuple(search(document, placing.keyword, pages=pages, progress=progress))
        stamps += at_keyword(hits, size_mm=size, only=_index(placing.hit))
    if placing.riding is not None:
        stamps += riding(boxes, size_mm=size, side=placing.riding, pages=pages, group=placing.group)
    if placing.facing:
        pairs = tuple(zip(pages[::2], pages[1::2], strict=False))
        stamps += opposite_pages(boxes, size_mm=size, pairs=pairs)
    return tuple(stamps)


def _index(hit: int | None) -> int | None:
    if hit == 0:
        raise usage_error("--hit 从 1 开始,负数从末尾数 / --hit counts from 1, negative from the end")
    return hit if hit is None or hit < 0 else hit - 1


def _pair(text: str) -> tuple[float, float]:
    try:
        first, second = (float(part) for part in text.split(","))
    except ValueError as error:
        raise usage_error(f"应为两个毫米数 / two numbers of millimetres, not: {text}") from error
    return first, second
