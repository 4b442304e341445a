"""What a flowing document is made of: paragraphs, lists, tables, pictures, lines and breaks."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from ofd.build.colors import BLACK, Color
from ofd.build.layout_lines import Span

__all__ = [
    "Align",
    "Block",
    "Cell",
    "ListBlock",
    "Marker",
    "PageBreak",
    "Paragraph",
    "Picture",
    "Row",
    "Rule",
    "Spacer",
    "Table",
    "VerticalAlign",
    "heading",
]


class Align(StrEnum):
    """Where lines stand in the width there is."""

    LEFT = "left"
    CENTER = "center"
    RIGHT = "right"
    JUSTIFY = "justify"


class VerticalAlign(StrEnum):
    """Where the content of a cell stands in its height."""

    TOP = "top"
    MIDDLE = "middle"
    BOTTOM = "bottom"


class Marker(StrEnum):
    """What stands before the items of a list."""

    BULLET = "bullet"
    DECIMAL = "decimal"
    CHINESE = "chinese"
    """一、二、三、"""
    PARENTHESISED = "parenthesised"
    """（一）（二）"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Paragraph:
    """Text that is broken into lines."""

    spans: tuple[Span, ...]
    size_mm: float = 4.2
    """12 points."""
    line_height: float = 1.5
    """Of the largest font size in a line."""
    align: Align = Align.JUSTIFY
    first_indent_em: float = 0
    """2 as Chinese texts have it."""
    left_mm: float = 0
    right_mm: float = 0
    before_mm: float = 0
    """Space above, which is not left at the top of a page."""
    after_mm: float = 2
    keep_with_next: bool = False
    """Stand on the page of what follows."""
    page_break_before: bool = False
    outline_level: int = 0
    """1 and up: an entry of the document's outline."""

    @classmethod
    def of(cls, text: str, **look: object) -> "Paragraph":
        """A paragraph of one look."""
        return cls(spans=(Span(text=text),), **look)  # type: ignore[arg-type] # named as the fields are

    @property
    def text(self) -> str:
        """All of it, without looks."""
        return "".join(span.text for span in self.spans)


_HEADING_SIZES_MM = (7.76, 5.64, 4.94, 4.23)
"""二号, 三号, 四号 and 小四 are 22, 16, 14 and 12 points."""


def heading(text: str, level: int = 1) -> Paragraph:
    """A heading, which stands in the outline and stays with what follows."""
    return Paragraph(
        spans=(Span(text=text, bold=True),),
        size_mm=_HEADING_SIZES_MM[min(max(level, 1), len(_HEADING_SIZES_MM)) - 1],
        align=Align.CENTER if level <= 1 else Align.LEFT,
        before_mm=4,
        after_mm=3,
        keep_with_next=True,
        outline_level=level,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ListBlock:
    """Items, each with a marker; items may hold lists."""

    items: "tuple[tuple[Block, ...], ...]"
    marker: Marker = Marker.BULLET
    start: int = 1
    indent_mm: float = 8
    """Between the marker's and the text's left edge."""
    size_mm: float = 4.2
    """Of the markers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A picture on a line of its own."""

    data: bytes
    width_mm: float | None = None
    """As its pixels are at 96 per inch, at most the width there is, if left out."""
    height_mm: float | None = None
    """In proportion if left out."""
    align: Align = Align.CENTER
    before_mm: float = 1
    after_mm: float = 3
    keep_with_next: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A cell of a table."""

    blocks: "tuple[Block, ...]"
    columns: int = 1
    """How many columns it spans."""
    rows: int = 1
    """How many rows it spans."""
    vertical: VerticalAlign = VerticalAlign.MIDDLE
    fill: Color | None = None

    @classmethod
    def of(cls, text: str, *, size_mm: float = 3.7, align: Align = Align.LEFT, bold: bool = False) -> "Cell":
        """A cell with a text."""
        span = Span(text=text, bold=bold)
        return cls(blocks=(Paragraph(spans=(span,), size_mm=size_mm, align=align, after_mm=0, line_height=1.35),))


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A row of a table: the cells that begin in it, from left to right."""

    cells: tuple[Cell, ...]
    height_mm: float = 0
    """At least."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows of cells. It is broken between rows, and within a row that is taller than a page."""

    columns: tuple[float, ...]
    """Shares of the width."""
    rows: tuple[Row, ...]
    header_rows: int = 0
    """How many rows are repeated on every page."""
    width_mm: float | None = None
    """All there is if left out."""
    padding_mm: float = 1.2
    line_width_mm: float = 0.25
    """0 for a table without lines."""
    line_color: Color = BLACK
    before_mm: float = 1
    after_mm: float = 3

    @classmethod
    def of(cls, rows: Sequence[Sequence[str]], *, columns: Sequence[float] = (), header_rows: int = 1) -> "Table":
        """A table of texts, its header bold."""
        count = max((len(row) for row in rows), default=0)
        made = tuple(
            Row(cells=tuple(Cell.of(text, bold=at < header_rows) for text in row)) for at, row in enumerate(rows)
        )
        return cls(columns=tuple(columns) or (1.0,) * count, rows=made, header_rows=header_rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A line across."""

    line_width_mm: float = 0.25
    color: Color = BLACK
    before_mm: float = 1
    after_mm: float = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Spacer:
    """Empty space, which is not left at the top of a page."""

    height_mm: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PageBreak:
    """What follows stands on a new page."""


Block = Paragraph | ListBlock | Table | Picture | Rule | Spacer | PageBreak
