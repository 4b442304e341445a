"""Tables measured for a width: one fragment for rows that belong together."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ofd.build.layout_blocks import Cell, Table, VerticalAlign
from ofd.build.layout_fragments import Fragment, Measure, Sheet, filled_item, outline_item, stack, stack_height
from ofd.geometry import Box
from trustcore.errors import RejectedError

__all__ = ["measure_table"]

_LEAST_SPLIT_MM = 8
"""No row is cut where less than this would be left of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Placed:
    """A cell in the grid, with its content measured."""

    cell: Cell
    row: int
    column: int
    content: tuple[Fragment, ...]

    @property
    def rows(self) -> range:
        """The rows it is in."""
        return range(self.row, self.row + self.cell.rows)

    @property
    def columns(self) -> range:
        """The columns it is in."""
        return range(self.column, self.column + self.cell.columns)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Grid:
    table: Table
    lefts: tuple[float, ...]
    """Left edges of the columns, and the right edge of the last."""


def measure_table(measure: Measure, table: Table, width: float) -> list[Fragment]:
    """The fragments of a table.

    Raises:
        RejectedError: ``ofd.layout.table-grid`` when cells reach out of the table or header rows into its body;
            ``ofd.layout.width``.
    """
    if not table.rows or not table.columns or min(table.columns) <= 0:
        raise RejectedError("A table has rows and columns with a width.", code="ofd.layout.table-grid")
    whole = min(table.width_mm or width, width)
    shares = [whole * share / sum(table.columns) for share in table.columns]
    grid = _Grid(table=table, lefts=tuple(sum(shares[:at]) for at in range(len(shares) + 1)))
    placed = [_measured(measure, grid, item) for item in _grid(table)]
    heights = _heights(table, placed)
    groups = _groups(table, placed)
    fragments = [_group(grid, [item for item in placed if item.row in rows], rows, heights) for rows in groups]
    heads = sum(rows.start < table.header_rows for rows in groups)
    header = tuple(replace(item, keep=True) for item in fragments[:heads])
    body = [replace(item, header=header) for item in fragments[heads:]]
    found = [*header, *body]
    found[0] = replace(found[0], before=table.before_mm)
    found[-1] = replace(found[-1], after=table.after_mm, keep=False)
    return found


def _grid(table: Table) -> list[_Placed]:
    """The cells at their places: each takes the first columns that no cell from above is in."""
    taken: set[tuple[int, int]] = set()
    placed: list[_Placed] = []
    for at, row in enumerate(table.rows):
        column = 0
        for cell in row.cells:
            while (at, column) in taken:
                column += 1
            item = _Placed(cell=cell, row=at, column=column, content=())
            area = {(r, c) for r in item.rows for c in item.columns}
            fits = item.rows.stop <= len(table.rows) and item.columns.stop <= len(table.columns)
            crosses_header = item.row < table.header_rows < item.rows.stop
            if not area or not fits or area & taken or crosses_header:
                raise RejectedError("The cells of a table do not fit its grid.", code="ofd.layout.table-grid", row=at)
            taken |= area
            placed.append(item)
            column = item.columns.stop
    return placed


def _measured(measure: Measure, grid: _Grid, item: _Placed) -> _Placed:
    width = grid.lefts[item.columns.stop] - grid.lefts[item.column] - 2 * grid.table.padding_mm
    return replace(item, content=tuple(measure.blocks(item.cell.blocks, width)))


def _heights(table: Table, placed: Sequence[_Placed]) -> list[float]:
    heights = [row.height_mm for row in table.rows]
    for item in sorted(placed, key=lambda item: item.cell.rows):
        needed = stack_height(item.content) + 2 * table.padding_mm
        missing = needed - sum(heights[at] for at in item.rows)
        if missing > 0:
            heights[item.rows.stop - 1] += missing
    return heights


def _groups(table: Table, placed: Sequence[_Placed]) -> list[range]:
    """Rows that cells tie together."""
    tied = {at for item in placed for at in item.rows[1:]}
    starts = [at for at in range(len(table.rows)) if at not in tied]
    return [range(start, end) for start, end in zip(starts, [*starts[1:], len(table.rows)], strict=True)]


def _group(grid: _Grid, cells: Sequence[_Placed], rows: range, heights: Sequence[float]) -> Fragment:
    tops = {at: sum(heights[rows.start : at]) for at in range(rows.start, rows.stop + 1)}

    def draw(sheet: Sheet, x: float, y: float) -> None:
        boxes: list[Box] = []
        for item in cells:
            left, right = grid.lefts[item.column], grid.lefts[item.columns.stop]
            top, bottom = tops[item.row], tops[item.rows.stop]
            boxes.append(Box(x + left, y + top, right - left, bottom - top))
            if item.cell.fill is not None:
                sheet.draw(filled_item(boxes[-1].path(), item.cell.fill))
        for item, box in zip(cells, boxes, strict=True):
            padding = grid.table.padding_mm
            spare = box.height - 2 * padding - stack_height(item.content)
            shift = {VerticalAlign.MIDDLE: spare / 2, VerticalAlign.BOTTOM: spare}.get(item.cell.vertical, 0.0)
            stack(sheet, item.content, box.x + padding, box.y + padding + shift)
        if grid.table.line_width_mm > 0:
            edges = tuple(command for box in boxes for command in box.path())
            sheet.draw(outline_item(edges, width=grid.table.line_width_mm, color=grid.table.line_color))

    def split(height: float) -> tuple[Fragment, Fragment] | None:
        return _split(grid, cells, rows.start, height) if len(rows) == 1 else None

    return Fragment(height=tops[rows.stop], draw=draw, split=split)


def _split(grid: _Grid, cells: Sequence[_Placed], row: int, height: float) -> tuple[Fragment, Fragment] | None:
    """A row cut where the space ends: each cell goes on with what did not fit."""
    room = height - 2 * grid.table.padding_mm
    if room < _LEAST_SPLIT_MM:
        return None
    counts = [_fitting(item.content, room) for item in cells]
    if not any(counts) or all(count == len(item.content) for count, item in zip(counts, cells, strict=True)):
        return None
    pieces: list[Fragment] = []
    for part in (0, 1):
        shown = [
            replace(
                item,
                cell=replace(item.cell, vertical=VerticalAlign.TOP),
                content=item.content[:count] if part == 0 else item.content[count:],
            )
            for count, item in zip(counts, cells, strict=True)
        ]
        tallest = max(stack_height(item.content) for item in shown) + 2 * grid.table.padding_mm
        pieces.append(_group(grid, shown, range(row, row + 1), [0.0] * row + [tallest]))
    return pieces[0], pieces[1]


def _fitting(content: Sequence[Fragment], room: float) -> int:
    """How many fragments fit below each other."""
    count = 0
    while count < len(content) and stack_height(content[: count + 1]) <= room:
        count += 1
    return count
