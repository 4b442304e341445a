"""Flowing text on pages: blocks are set one after the other, pages are begun as needed (issue 4, part 2).

Example:
    >>> from datetime import UTC, datetime
    >>> from ofd.build.document import DocumentBuilder
    >>> from ofd.build.layout_blocks import Paragraph, Table, heading
    >>> from ofd.fonts.faces import find_fonts
    >>> builder = DocumentBuilder(
    ...     doc_id="0" * 32, title="报告", created=datetime(2026, 1, 31, tzinfo=UTC), fonts=find_fonts()
    ... )
    >>> text = Paragraph.of("正文从这里开始。" * 40, first_indent_em=2)
    >>> table = Table.of([["名称", "数量"], ["甲", "1"], ["乙", "2"]])
    >>> laid = lay_out(builder, [heading("一、总则"), text, table], PageSetup(footer=page_numbers()))
    >>> len(laid.pages), [item.title for item in builder.outlines]
    (1, ['一、总则'])
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from ofd.build.canvas import Canvas
from ofd.build.document import DocumentBuilder
from ofd.build.layout_blocks import Align, Block, Paragraph
from ofd.build.layout_fragments import Fragment, Measure, stack, stack_height
from ofd.build.layout_lines import Span
from ofd.build.layout_tables import measure_table
from ofd.build.parts import Placement, destination
from ofd.draw.scene import Item
from ofd.model.actions import Act, Action, GotoAction
from ofd.model.navigation import OutlineItem
from ofd.progress import Progress, silent
from trustcore.errors import RejectedError

__all__ = ["LaidOut", "PageSetup", "Running", "lay_out", "page_numbers"]

Running = Callable[[int, int], Sequence[Block]]
"""Header or footer: given the number of the page, from 1, and the number of pages."""

_LEAST_ROOM_MM = 20
"""At the foot of a page, for a part of what is taller than a page."""
_SLACK = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class PageSetup:
    """What pages look like. The margins are those of GB/T 9704-2012 (party and government documents)."""

    size_mm: tuple[float, float] = (210, 297)
    top_mm: float = 37
    right_mm: float = 26
    bottom_mm: float = 35
    left_mm: float = 28
    header: Running | None = None
    footer: Running | None = None
    header_mm: float = 15
    """From the upper edge of the page to the header."""
    footer_mm: float = 15
    """From the footer to the lower edge of the page."""
    columns: int = 1
    column_gap_mm: float = 8
    templates: tuple[tuple[Canvas, Placement], ...] = ()
    """Shown on every page."""

    @property
    def text_width(self) -> float:
        """Between the margins, millimetres."""
        return self.size_mm[0] - self.left_mm - self.right_mm

    @property
    def column_width(self) -> float:
        """Of one column, millimetres."""
        return (self.text_width - self.column_gap_mm * (self.columns - 1)) / self.columns

    @property
    def text_height(self) -> float:
        """Between the margins, millimetres."""
        return self.size_mm[1] - self.top_mm - self.bottom_mm


@dataclass(frozen=True, slots=True, kw_only=True)
class LaidOut:
    """What came of it."""

    pages: tuple[Canvas, ...]
    outlines: tuple[OutlineItem, ...]
    """The headings as a tree."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stop:
    """A fragment at its place on a page."""

    fragment: Fragment
    x: float
    y: float


def page_numbers(
    text: str = "第 {page} 页 共 {pages} 页", *, align: Align = Align.CENTER, size_mm: float = 3.2
) -> Running:
    """A footer with the number of the page.

    Args:
        text: ``{page}`` and ``{pages}`` stand for the numbers.
        align: where it stands.
        size_mm: font size.
    """

    def footer(page: int, pages: int) -> Sequence[Block]:
        shown = text.replace("{pages}", str(pages)).replace("{page}", str(page))
        return (Paragraph(spans=(Span(text=shown),), align=align, size_mm=size_mm, after_mm=0),)

    return footer


def lay_out(
    builder: DocumentBuilder, blocks: Sequence[Block], setup: PageSetup | None = None, *, progress: Progress = silent
) -> LaidOut:
    """Set blocks on new pages of a document.

    Headings are added to the document's outline. When the builder writes into a file, each page is written at once.

    Args:
        builder: the document.
        blocks: what is to be set, in order.
        setup: what the pages look like.
        progress: told pages.

    Raises:
        RejectedError: ``ofd.layout.width`` without space for text; ``ofd.layout.too-tall`` for a line that is taller
            than a page; ``ofd.layout.table-grid``; ``ofd.font.missing-glyph``; ``ofd.image.format``.
    """
    setup = setup or PageSetup()
    if builder.fonts is None:
        raise RejectedError("The document was begun without fonts.", code="ofd.font.none")
    measure = Measure(fonts=builder.fonts, page_height=setup.text_height, table=measure_table)
    plan = list(_plan(measure.blocks(blocks, setup.column_width), setup))
    headings: list[tuple[int, str, Action]] = []
    canvases: list[Canvas] = []
    for at, stops in enumerate(plan):
        canvas = builder.page(templates=setup.templates, size_mm=setup.size_mm)
        sheet = _Sheet(builder, canvas, headings)
        for stop in stops:
            stop.fragment.draw(sheet, stop.x, stop.y)
        _run(sheet, measure, setup, at + 1, len(plan))
        if builder.streams:
            builder.flush()
        canvases.append(canvas)
        progress(at + 1, len(plan))
    outlines = _tree(headings)
    builder.outlines = (*builder.outlines, *outlines)
    return LaidOut(pages=tuple(canvases), outlines=outlines)


class _Sheet:
    """A page of a builder."""

    def __init__(self, builder: DocumentBuilder, canvas: Canvas, headings: list[tuple[int, str, Action]]) -> None:
        self._builder = builder
        self._canvas = canvas
        self._headings = headings

    def draw(self, item: Item) -> None:
        self._canvas.draw(item)

    def image(self, data: bytes, box_mm: tuple[float, float, float, float]) -> None:
        self._canvas.image(data, box_mm=box_mm)

    def link(self, act: Act, box_mm: tuple[float, float, float, float]) -> None:
        self._builder.link(self._canvas, act, box_mm=box_mm)

    def outline(self, level: int, title: str, y_mm: float) -> None:
        place = destination(self._canvas, box_mm=(0, y_mm, 0, 0))
        self._headings.append((level, title, Action(event="CLICK", act=GotoAction(destination=place))))


def _run(sheet: _Sheet, measure: Measure, setup: PageSetup, page: int, pages: int) -> None:
    if setup.header is not None:
        blocks = measure.blocks(setup.header(page, pages), setup.text_width)
        stack(sheet, blocks, setup.left_mm, setup.header_mm)
    if setup.footer is not None:
        blocks = measure.blocks(setup.footer(page, pages), setup.text_width)
        stack(sheet, blocks, setup.left_mm, setup.size_mm[1] - setup.footer_mm - stack_height(blocks))


def _plan(fragments: Sequence[Fragment], setup: PageSetup) -> Iterator[list[_Stop]]:
    """The pages, one after the other."""
    flow = _Flow(height=setup.text_height)
    waiting = list(reversed(fragments))
    while waiting:
        flow.take(waiting)
    frames = flow.frames
    lefts = [setup.left_mm + at * (setup.column_width + setup.column_gap_mm) for at in range(setup.columns)]
    page: list[_Stop] = []
    column = 0
    for at, (stops, new_page) in enumerate(frames):
        if at and (column == setup.columns or new_page):
            yield page
            page, column = [], 0
        page += [_Stop(fragment=item, x=lefts[column], y=setup.top_mm + y) for item, y in stops]
        column += 1
    yield page


@dataclass(slots=True, kw_only=True)
class _Flow:
    """Fills frames (columns of pages) from top to bottom."""

    height: float
    frames: list[tuple[list[tuple[Fragment, float]], bool]] = field(default_factory=lambda: [([], False)])
    """What stands in each and at which height; whether it has to begin a page."""
    used: float = 0
    after: float = 0

    @property
    def _empty(self) -> bool:
        return not self.frames[-1][0]

    def take(self, waiting: list[Fragment]) -> None:
        """Place the next fragment, which is the last of ``waiting``."""
        fragment = waiting.pop()
        if fragment.new_page and not self._empty:
            self._begin(new_page=True)
        if not fragment.height and self._empty:
            return
        if not self._empty and not self._fits(fragment, waiting):
            if fragment.height > self.height and self._split(fragment, waiting):
                return
            self._begin(new_page=False)
        if self._empty and fragment.header:
            for item in fragment.header:
                self._place(item)
        if fragment.height > self.height - self.used + _SLACK:
            if self._split(fragment, waiting):
                return
            raise RejectedError("Something is taller than a page.", code="ofd.layout.too-tall")
        self._place(fragment)

    def _fits(self, fragment: Fragment, waiting: Sequence[Fragment]) -> bool:
        """Whether it fits here, with those that have to stay with it where they fit one frame at all."""
        alone = self._gap(fragment) + fragment.height
        chain, together, last = alone, fragment.height, fragment
        for item in reversed(waiting):
            if not last.keep or item.new_page:
                break
            chain += last.after + item.before + item.height
            together += last.after + item.before + item.height
            last = item
        needed = chain if together <= self.height else alone
        return self.used + needed <= self.height + _SLACK

    def _gap(self, fragment: Fragment) -> float:
        return 0.0 if self._empty else self.after + fragment.before

    def _split(self, fragment: Fragment, waiting: list[Fragment]) -> bool:
        room = self.height - self.used - self._gap(fragment)
        if fragment.split is None or room < _LEAST_ROOM_MM:
            return False
        pieces = fragment.split(room)
        if pieces is None:
            return False
        head, rest = pieces
        self._place(head)
        waiting.append(
            Fragment(height=rest.height, draw=rest.draw, after=fragment.after, header=fragment.header, split=rest.split)
        )
        return True

    def _place(self, fragment: Fragment) -> None:
        self.used += self._gap(fragment)
        self.frames[-1][0].append((fragment, self.used))
        self.used += fragment.height
        self.after = fragment.after

    def _begin(self, *, new_page: bool) -> None:
        self.frames.append(([], new_page))
        self.used = self.after = 0.0


def _tree(headings: Sequence[tuple[int, str, Action]]) -> tuple[OutlineItem, ...]:
    """Headings below those of a higher level that stand before them."""
    items: list[OutlineItem] = []
    at = 0
    while at < len(headings):
        level, title, action = headings[at]
        end = at + 1
        while end < len(headings) and headings[end][0] > level:
            end += 1
        items.append(OutlineItem(title=title, actions=(action,), children=_tree(headings[at + 1 : end])))
        at = end
    return tuple(items)
