"""Shadings of a PDF (ISO 32000-2 §8.7.4.5) as paints of a scene."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import hypot

import pikepdf

from ofd.convert.pdf.colors import ColorSpace, Rgb, read_color_space
from ofd.convert.pdf.functions import Function, read_functions
from ofd.convert.pdf.meshes import Vertex, lattice_mesh, patch_mesh, triangle_mesh
from ofd.convert.pdf.streams import Limits, array, matrix_of, number, numbers
from ofd.draw.scene import (
    AxialPaint,
    Color,
    Extend,
    MeshPaint,
    Paint,
    PatternPaint,
    RadialPaint,
    SolidPaint,
    Stop,
    Triangle,
)
from ofd.geometry import Box, Matrix, Point

__all__ = ["Shading", "read_shading", "transformed"]

_SAMPLES = 64
_CLOSE = 0.004
_GRID = 24

_ToColor = Callable[[Sequence[float]], Rgb]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shading:
    """A shading in its own space."""

    paint: Paint
    background: Color | None = None
    """What a pattern shows beyond the shading."""
    box: Box | None = None
    """Beyond which it does not paint."""


def read_shading(
    source: pikepdf.Object, resources: pikepdf.Object | None, limits: Limits, *, alpha: float
) -> Shading | None:
    """A shading dictionary or stream; None when it cannot be understood or paints nothing."""
    space = read_color_space(source.get("/ColorSpace"), resources, limits)
    if space is None or space.kind == "pattern":
        return None
    function = read_functions(source.get("/Function"), limits)
    paint = _paint(source, space, function, limits, alpha)
    if paint is None:
        return None
    back = numbers(source.get("/Background"))
    bounds = numbers(source.get("/BBox"), 4)
    return Shading(
        paint=paint,
        background=None if back is None else Color.of(*space.rgb(back), alpha),
        box=None if bounds is None else Box.around([(bounds[0], bounds[1]), (bounds[2], bounds[3])]),
    )


def _paint(
    source: pikepdf.Object, space: ColorSpace, function: Function | None, limits: Limits, alpha: float
) -> Paint | None:
    def to_color(values: Sequence[float]) -> Color:
        return Color.of(*space.rgb(values if function is None else function(values)), alpha)

    kind = int(number(source.get("/ShadingType")))
    if kind in {2, 3} and function is not None:
        return _gradient(source, to_color, radial=kind == 3)
    if kind == 1 and function is not None:
        return _by_function(source, to_color)
    components = 1 if function is not None else space.components
    if kind == 4:
        return _mesh(triangle_mesh(source, components, limits), to_color)
    if kind == 5:
        return _mesh(lattice_mesh(source, components, limits), to_color)
    if kind in {6, 7}:
        return _mesh(patch_mesh(source, components, limits, tensor=kind == 7), to_color)
    return None


def _gradient(source: pikepdf.Object, to_color: Callable[[Sequence[float]], Color], *, radial: bool) -> Paint | None:
    coordinates = numbers(source.get("/Coords"), 6 if radial else 4)
    domain = numbers(source.get("/Domain"), 2) or (0.0, 1.0)
    sides = [bool(item) for item in array(source.get("/Extend")) or []]
    if coordinates is None:
        return None
    before, after = sides if len(sides) == 2 else (False, False)
    extend = {(False, False): Extend.NONE, (True, False): Extend.START, (False, True): Extend.END}.get(
        (before, after), Extend.BOTH
    )
    stops = tuple(_stops(lambda t: to_color([domain[0] + t * (domain[1] - domain[0])])))
    if radial:
        x0, y0, r0, x1, y1, r1 = coordinates
        if min(r0, r1) < 0 or (r0 == r1 and (x0, y0) == (x1, y1)):
            return None
        return RadialPaint(
            start=Point(x0, y0), end=Point(x1, y1), start_radius=r0, end_radius=r1, stops=stops, extend=extend
        )
    start, end = Point(*coordinates[:2]), Point(*coordinates[2:])
    return None if start == end else AxialPaint(start=start, end=end, stops=stops, extend=extend)


def _stops(color_at: Callable[[float], Color]) -> Iterator[Stop]:
    """As few stops as show the function well."""
    colors = [color_at(index / _SAMPLES) for index in range(_SAMPLES + 1)]
    kept = 0
    yield Stop(position=0, color=colors[0])
    for index in range(2, _SAMPLES + 1):
        if not _straight(colors[kept : index + 1]):
            kept = index - 1
            yield Stop(position=kept / _SAMPLES, color=colors[kept])
    yield Stop(position=1, color=colors[-1])


def _straight(colors: Sequence[Color]) -> bool:
    first, last, count = colors[0], colors[-1], len(colors) - 1
    return all(
        abs(a + (b - a) * index / count - c) < _CLOSE
        for index, color in enumerate(colors)
        for a, b, c in zip(first, last, color, strict=True)
    )


def _by_function(source: pikepdf.Object, to_color: Callable[[Sequence[float]], Color]) -> Paint:
    x0, x1, y0, y1 = numbers(source.get("/Domain"), 4) or (0.0, 1.0, 0.0, 1.0)
    matrix = matrix_of(source.get("/Matrix"))
    rows = [
        [
            (matrix.apply(x, y), to_color((x, y)))
            for x in (x0 + (x1 - x0) * column / _GRID for column in range(_GRID + 1))
        ]
        for y in (y0 + (y1 - y0) * row / _GRID for row in range(_GRID + 1))
    ]
    triangles = []
    for upper, lower in pairwise(rows):
        for index in range(_GRID):
            a, b, c, d = upper[index], upper[index + 1], lower[index], lower[index + 1]
            triangles += [_triangle(a, b, c), _triangle(b, d, c)]
    return MeshPaint(triangles=tuple(triangles))


def _triangle(*corners: tuple[Point, Color]) -> Triangle:
    (p, a), (q, b), (r, c) = corners
    return Triangle(points=(p, q, r), colors=(a, b, c))


def _mesh(
    triangles: Sequence[tuple[Vertex, Vertex, Vertex]], to_color: Callable[[Sequence[float]], Color]
) -> Paint | None:
    if not triangles:
        return None
    return MeshPaint(
        triangles=tuple(_triangle(*((vertex.point, to_color(vertex.values)) for vertex in item)) for item in triangles)
    )


def transformed(paint: Paint, matrix: Matrix) -> Paint:
    """A paint in the space that a matrix leads to; exact but for radial gradients under an uneven stretch."""
    if isinstance(paint, SolidPaint):
        return paint
    if isinstance(paint, AxialPaint):
        start, end = matrix.apply(*paint.start), matrix.apply(*paint.end)
        along_x, along_y = paint.end.x - paint.start.x, paint.end.y - paint.start.y
        across_x = matrix.a * -along_y + matrix.c * along_x
        across_y = matrix.b * -along_y + matrix.d * along_x
        length = hypot(across_x, across_y)
        if length:
            normal_x, normal_y = across_y / length, -across_x / length
            distance = (end.x - start.x) * normal_x + (end.y - start.y) * normal_y
            end = Point(start.x + distance * normal_x, start.y + distance * normal_y)
        return replace(paint, start=start, end=end)
    if isinstance(paint, RadialPaint):
        return replace(
            paint,
            start=matrix.apply(*paint.start),
            end=matrix.apply(*paint.end),
            start_radius=paint.start_radius * matrix.scale,
            end_radius=paint.end_radius * matrix.scale,
        )
    if isinstance(paint, PatternPaint):
        return replace(paint, matrix=paint.matrix.then(matrix))
    return replace(
        paint,
        triangles=tuple(
            Triangle(points=tuple(matrix.apply(*point) for point in item.points), colors=item.colors)  # type: ignore[arg-type]
            for item in paint.triangles
        ),
    )
