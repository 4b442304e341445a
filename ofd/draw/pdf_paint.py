"""Gradients, meshes and patterns in a PDF (ISO 32000-2 §8.7), for filling, drawing lines and setting text alike."""

from collections.abc import Callable, Sequence
from itertools import pairwise

from ofd.draw.gradient import unrolled_stops, without_eccentricity
from ofd.draw.pdf_file import Name, PdfFile, Ref, Value
from ofd.draw.scene import (
    AxialPaint,
    Color,
    Extend,
    MeshPaint,
    PatternPaint,
    RadialPaint,
    Reflect,
    Stop,
)
from ofd.geometry import IDENTITY, Box, Matrix

__all__ = ["Channel", "color_of", "matrix_value", "mirrored_cells", "opacity_channel", "shading_pattern"]

Channel = Callable[[Color], Sequence[float]]
"""What of a colour is painted: red, green and blue, or the opacity as a shade of grey."""

_COORDINATE_STEPS = (1 << 24) - 1


def color_of(color: Color) -> Sequence[float]:
    """Red, green and blue."""
    return color[:3]


def opacity_channel(color: Color) -> Sequence[float]:
    """The opacity as a shade of grey."""
    return color[3:]


def matrix_value(matrix: Matrix) -> list[Value]:
    """A matrix as PDF's array."""
    return list(matrix)


def shading_pattern(
    file: PdfFile, paint: AxialPaint | RadialPaint | MeshPaint, matrix: Matrix, channel: Channel = color_of
) -> Ref:
    """Write a gradient or mesh as a pattern.

    Args:
        file: the file to write to.
        paint: what to paint.
        matrix: from the paint's space to that of the content stream that uses the pattern.
        channel: colours, or their opacity for a soft mask.
    """
    space = Name("DeviceRGB" if channel is color_of else "DeviceGray")
    match paint:
        case MeshPaint():
            shading = _mesh(file, paint, space, channel)
        case AxialPaint():
            coords = [*paint.start, *paint.end]
            shading = file.put(_along(2, space, coords, _function(unrolled_stops(paint), channel), paint.extend))
        case RadialPaint():
            inner, start, end = without_eccentricity(paint)
            matrix = inner.then(matrix)
            coords = [*start, max(paint.start_radius, 0.0), *end, max(paint.end_radius, 0.0)]
            shading = file.put(_along(3, space, coords, _function(unrolled_stops(paint), channel), paint.extend))
    pattern: Value = {"Type": Name("Pattern"), "PatternType": 2, "Shading": shading, "Matrix": matrix_value(matrix)}
    return file.put(pattern)


def mirrored_cells(paint: PatternPaint) -> tuple[Box, float, float, tuple[Matrix, ...]]:
    """One period of a pattern: the box around its cells, both steps, and where the cell stands in it."""
    x_step = paint.x_step if abs(paint.x_step) > 1e-6 else paint.width
    y_step = paint.y_step if abs(paint.y_step) > 1e-6 else paint.height
    flip_x = Matrix(-1, 0, 0, 1, paint.width + x_step, 0)
    flip_y = Matrix(1, 0, 0, -1, 0, paint.height + y_step)
    cells: tuple[Matrix, ...] = (IDENTITY,)
    if paint.reflect in {Reflect.COLUMN, Reflect.BOTH}:
        cells += tuple(cell.then(flip_x) for cell in cells)
    if paint.reflect in {Reflect.ROW, Reflect.BOTH}:
        cells += tuple(cell.then(flip_y) for cell in cells)
    x_period = x_step * (2 if paint.reflect in {Reflect.COLUMN, Reflect.BOTH} else 1)
    y_period = y_step * (2 if paint.reflect in {Reflect.ROW, Reflect.BOTH} else 1)
    whole = Box.around(
        [corner for cell in cells for corner in cell.box(Box(0, 0, paint.width, paint.height)).corners()]
    )
    return whole, x_period, y_period, cells


def _along(kind: int, space: Name, coords: Sequence[float], function: Value, extend: Extend) -> Value:
    return {
        "ShadingType": kind,
        "ColorSpace": space,
        "Coords": list(coords),
        "Function": function,
        "Extend": [extend in {Extend.START, Extend.BOTH}, extend in {Extend.END, Extend.BOTH}],
    }


def _function(stops: Sequence[Stop], channel: Channel) -> Value:
    pieces: list[Value] = []
    bounds: list[float] = []
    for before, after in pairwise(stops):
        if after.position - before.position < 1e-6:
            continue
        if pieces:
            bounds.append(before.position)
        ends: tuple[Value, Value] = (list(channel(before.color)), list(channel(after.color)))
        pieces.append({"FunctionType": 2, "Domain": [0, 1], "N": 1, "C0": ends[0], "C1": ends[1]})
    if not pieces:
        color: Value = list(channel(stops[-1].color))
        return {"FunctionType": 2, "Domain": [0, 1], "N": 1, "C0": color, "C1": color}
    if len(pieces) == 1:
        return pieces[0]
    encode: Value = [0, 1] * len(pieces)
    return {"FunctionType": 3, "Domain": [0, 1], "Functions": pieces, "Bounds": bounds, "Encode": encode}


def _mesh(file: PdfFile, paint: MeshPaint, space: Name, channel: Channel) -> Ref:
    corners = [point for triangle in paint.triangles for point in triangle.points]
    around = Box.around(corners) if corners else Box(0, 0, 1, 1)
    width, height = max(around.width, 1e-6), max(around.height, 1e-6)
    rows = bytearray()
    for triangle in paint.triangles:
        for point, color in zip(triangle.points, triangle.colors, strict=True):
            rows.append(0)
            rows += round((point.x - around.x) / width * _COORDINATE_STEPS).to_bytes(3)
            rows += round((point.y - around.y) / height * _COORDINATE_STEPS).to_bytes(3)
            rows += bytes(round(part * 255) for part in channel(color))
    components = 3 if channel is color_of else 1
    entries: dict[str, Value] = {
        "ShadingType": 4,
        "ColorSpace": space,
        "BitsPerCoordinate": 24,
        "BitsPerComponent": 8,
        "BitsPerFlag": 8,
        "Decode": [around.x, around.x + width, around.y, around.y + height, *[0, 1] * components],
    }
    if paint.background:
        entries["Background"] = list(channel(paint.background))
    return file.stream(entries, bytes(rows))
