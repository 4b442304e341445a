"""Paths, colours, patterns, shadings and pictures of a content stream as items (ISO 32000-2 §8.5 to §8.9)."""

from collections.abc import Sequence
from typing import Protocol

import pikepdf

from ofd.convert.pdf.reading import Reading
from ofd.convert.pdf.shadings import Shading, read_shading, transformed
from ofd.convert.pdf.state import Clipping, Ink, Sink, State
from ofd.convert.pdf.streams import dictionary, matrix_of, number, numbers
from ofd.draw.scene import (
    Clip,
    ClipArea,
    Color,
    Group,
    ImageItem,
    Item,
    Origin,
    Paint,
    PathItem,
    PatternPaint,
    RadialPaint,
    SolidPaint,
    Stroke,
)
from ofd.geometry import IDENTITY, Box, Matrix, PathCommand

__all__ = ["CellReader", "Painter", "mapped", "rectangle_of"]

_HAIRLINE_MM = 0.09
_EVEN = 1e-4
_LARGEST_MM = 1e7

Path = list[PathCommand]


class CellReader(Protocol):
    """Reads the content stream of a pattern's cell."""

    def __call__(self, stream: pikepdf.Object, matrix: Matrix, area: Box, ink: Ink | None) -> tuple[Item, ...]:
        """Items of a cell; ``ink`` is the colour of an uncoloured pattern."""


def mapped(path: Sequence[PathCommand], matrix: Matrix) -> tuple[PathCommand, ...]:
    """A path in another space."""
    a, b, c, d, e, f = matrix
    result: list[PathCommand] = []
    for operator, values in path:
        if len(values) == 2:
            x, y = values
            result.append((operator, (a * x + c * y + e, b * x + d * y + f)))
        else:
            points = [
                value
                for x, y in zip(values[::2], values[1::2], strict=True)
                for value in (a * x + c * y + e, b * x + d * y + f)
            ]
            result.append((operator, tuple(points)))
    return tuple(result)


def rectangle_of(path: Sequence[PathCommand]) -> Box | None:
    """The upright rectangle that a path is; None when it is anything else."""
    points = [values for operator, values in path if operator in "ML" and len(values) == 2]
    if any(operator not in "MLZ" for operator, _ in path) or sum(operator == "M" for operator, _ in path) != 1:
        return None
    if len(points) == 5 and points[0] == points[4]:
        points = points[:4]
    if len(points) != 4:
        return None
    (x0, y0), (x1, y1), (x2, y2), (x3, y3) = points
    tolerance = 1e-4

    def same(*pairs: tuple[float, float]) -> bool:
        return all(abs(p - q) < tolerance for p, q in pairs)

    if same((x0, x1), (y1, y2), (x2, x3), (y3, y0)) or same((y0, y1), (x1, x2), (y2, y3), (x3, x0)):
        return Box.around(points)
    return None


class Painter:
    """Paints into a sink."""

    def __init__(self, reading: Reading, sink: Sink, origin: Origin, *, base: Matrix, cell: CellReader) -> None:
        """Take what is shared, where items go and come from, the pattern space's matrix, and who reads cells."""
        self._reading = reading
        self._sink = sink
        self._origin = origin
        self._base = base
        self._cell = cell

    def path(self, path: Path, state: State, *, fill: bool, stroke: bool, even_odd: bool) -> None:
        """``f``, ``S``, ``B`` and their kin: a path in user space."""
        if not path or any(abs(value) > 1e8 for _, values in path for value in values):
            return
        if fill:
            filling, space = self.paint(state.fill, state.fill_alpha, state)
            line = self.line(state, IDENTITY, even=True) if stroke and _is_even(state.matrix) else None
            together = line is not None and space == IDENTITY
            if filling is not None:
                self._add_fill(path, state, filling, space, line if together else None, even_odd=even_odd)
            if filling is not None and (together or not stroke):
                return
        if stroke:
            self._add_stroke(path, state)

    def _add_fill(
        self, path: Path, state: State, paint: Paint, space: Matrix, line: Stroke | None, *, even_odd: bool
    ) -> None:
        onto = state.matrix
        if space != IDENTITY:
            inverse = space.inverse()
            if inverse is None:
                return
            onto = onto.then(inverse)
        closed = [*path] if path[-1][0] == "Z" or line is not None else [*path, ("Z", ())]
        self._sink.add(
            PathItem(
                path=mapped(closed, onto),
                matrix=space,
                fill=paint,
                stroke=line,
                even_odd=even_odd,
                origin=self._origin,
            ),
            state,
        )

    def _add_stroke(self, path: Path, state: State) -> None:
        if _is_even(state.matrix):
            line = self.line(state, IDENTITY, even=True)
            item = None if line is None else mapped(path, state.matrix)
            matrix = IDENTITY
        else:
            line = self.line(state, state.matrix, even=False)
            item, matrix = tuple(path), state.matrix
        if line is not None and item is not None and matrix.determinant:
            self._sink.add(PathItem(path=item, matrix=matrix, stroke=line, origin=self._origin), state)

    def line(self, state: State, matrix: Matrix, *, even: bool) -> Stroke | None:
        """The pen for items whose matrix is ``matrix``; ``even`` when lengths are in page space."""
        paint, space = self.paint(state.stroke, state.stroke_alpha, state)
        if paint is None:
            return None
        inverse = matrix.inverse()
        if inverse is None:
            return None
        onto = space.then(inverse)
        if onto != IDENTITY:
            paint = transformed(paint, onto)
        factor = state.matrix.scale if even else 1.0
        thinnest = _HAIRLINE_MM if even else _HAIRLINE_MM / (state.matrix.scale or 1)
        dash = tuple(abs(value) * factor for value in state.dash)
        return Stroke(
            paint=paint,
            width=max(state.line_width * factor, thinnest),
            cap=state.cap,
            join=state.join,
            miter_limit=state.miter_limit,
            dash=dash if sum(dash) > 0 else (),
            dash_offset=state.dash_offset * factor,
        )

    def paint(self, ink: Ink, alpha: float, state: State) -> tuple[Paint | None, Matrix]:
        """A paint, and the matrix from its space to the page's."""
        if ink.space.kind != "pattern":
            return SolidPaint(color=Color.of(*ink.space.rgb(ink.values), alpha)), IDENTITY
        pattern = ink.pattern
        if pattern is None:
            return None, IDENTITY
        matrix = matrix_of(pattern.get("/Matrix")).then(self._base)
        if int(number(pattern.get("/PatternType"))) == 2:
            return self._shading_paint(pattern, ink, alpha, matrix)
        return self._tiling(pattern, ink, matrix), IDENTITY

    def paint_in(self, ink: Ink, alpha: float, state: State, matrix: Matrix) -> Paint | None:
        """A paint for items whose matrix is ``matrix``."""
        paint, space = self.paint(ink, alpha, state)
        inverse = matrix.inverse()
        if paint is None or inverse is None:
            return None
        onto = space.then(inverse)
        return paint if onto == IDENTITY else transformed(paint, onto)

    def _shading_paint(
        self, pattern: pikepdf.Object, ink: Ink, alpha: float, matrix: Matrix
    ) -> tuple[Paint | None, Matrix]:
        source = dictionary(pattern.get("/Shading"))
        shading = None
        if source is not None:
            shading = read_shading(source, ink.resources, self._reading.limits, alpha=alpha)
        if shading is None:
            self._reading.warn("A shading cannot be understood and is left out.")
            return None, IDENTITY
        return _placed(shading, matrix)

    def _tiling(self, pattern: pikepdf.Object, ink: Ink, matrix: Matrix) -> Paint | None:
        bounds = numbers(pattern.get("/BBox"), 4)
        if bounds is None or not isinstance(pattern, pikepdf.Stream):
            return None
        box = Box.around([(bounds[0], bounds[1]), (bounds[2], bounds[3])])
        x_step = abs(number(pattern.get("/XStep"))) or box.width
        y_step = abs(number(pattern.get("/YStep"))) or box.height
        if min(box.width, box.height, x_step, y_step) <= 0:
            return None
        # Cells in millimetres with their origin at the top left: the length of the pattern's axes goes into the cell.
        unit = matrix.scale
        if not unit:
            return None
        into = Matrix(unit, 0, 0, -unit, -box.x * unit, box.bottom * unit)
        back = into.inverse()
        if back is None:
            return None
        uncoloured = int(number(pattern.get("/PaintType"), 1)) == 2
        base = Ink(space=ink.space.base, values=ink.values) if uncoloured and ink.space.base is not None else None
        area = Box(0, 0, box.width * unit, box.height * unit)
        items = self._cell(pattern, into, area, base)
        return PatternPaint(
            cell=items,
            width=area.width,
            height=area.height,
            x_step=x_step * unit,
            y_step=y_step * unit,
            matrix=back.then(matrix),
        )

    def shade(self, source: pikepdf.Object, resources: pikepdf.Object | None, state: State) -> None:
        """``sh``: paint all that is not clipped."""
        shading = read_shading(source, resources, self._reading.limits, alpha=state.fill_alpha)
        inverse = state.matrix.inverse()
        if shading is None or inverse is None:
            self._reading.warn("A shading cannot be understood and is left out.")
            return
        clipping = state.clipping
        if shading.box is not None:
            clipping = clipped(clipping, mapped(shading.box.path(), state.matrix), even_odd=False)
        if clipping.is_empty:
            return
        paint, space = _placed(Shading(paint=shading.paint), state.matrix)
        back = space.inverse()
        if paint is None or back is None:
            return
        outline = mapped(clipping.box.path(), back)
        inner = state.saved()
        inner.clipping = clipping
        self._sink.add(PathItem(path=outline, matrix=space, fill=paint, origin=self._origin), inner)

    def picture(self, source: pikepdf.Object, resources: pikepdf.Object | None, state: State) -> None:
        """An image XObject or an inline image, in the unit square of user space."""
        if not state.matrix.determinant or max(map(abs, state.matrix)) > _LARGEST_MM:
            return
        color = (0.0, 0.0, 0.0)
        if bool(source.get("/ImageMask", False)):
            paint, _ = self.paint(state.fill, state.fill_alpha, state)
            if paint is None:
                return
            if isinstance(paint, SolidPaint):
                color = paint.color[:3]
            else:
                self._reading.warn("A stencil painted with a pattern is shown in black.")
        found = self._reading.picture(source, resources, color)
        if found is None:
            return
        image, mask = found
        item: Item = ImageItem(
            image=image, mask=mask, matrix=Matrix(1, 0, 0, -1, 0, 1).then(state.matrix), origin=self._origin
        )
        self.add(item, state)

    def add(self, item: Item, state: State) -> None:
        """Add an item that has no colour of its own to take the opacity."""
        if state.fill_alpha < 1:
            item = Group(items=(item,), alpha=state.fill_alpha, origin=self._origin)
        self._sink.add(item, state)


def _placed(shading: Shading, matrix: Matrix) -> tuple[Paint | None, Matrix]:
    """A shading in page space; a radial one under an uneven stretch keeps its own."""
    if isinstance(shading.paint, RadialPaint) and not _is_even(matrix):
        return shading.paint, matrix
    return transformed(shading.paint, matrix), IDENTITY


def clipped(clipping: Clipping, path: tuple[PathCommand, ...], *, even_odd: bool) -> Clipping:
    """Clipped by a path in page space as well."""
    box = rectangle_of(path)
    if box is not None:
        return clipping.within(box)
    if not path:
        return clipping.within(Box(0, 0, 0, 0))
    area = ClipArea(path=path, matrix=IDENTITY, even_odd=even_odd)
    points = [pair for _, values in path for pair in zip(values[::2], values[1::2], strict=True)]
    return clipping.within(Box.around(points)).and_clip(Clip(areas=(area,)))


def _is_even(matrix: Matrix) -> bool:
    """Whether lengths grow alike in all directions."""
    a, b, c, d = matrix[:4]
    limit = _EVEN * (a * a + b * b + c * c + d * d)
    return abs(a * c + b * d) <= limit and abs(a * a + b * b - c * c - d * d) <= limit
