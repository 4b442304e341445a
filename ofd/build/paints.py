"""Colours, gradients and patterns as CT_Color (GB/T 33190-2016 §8.3)."""

from collections.abc import Callable

from ofd.build.numbers import matrix_text, number
from ofd.draw.scene import (
    AxialPaint,
    Color,
    Extend,
    Item,
    MapType,
    MeshPaint,
    Paint,
    PatternPaint,
    RadialPaint,
    Reflect,
    SolidPaint,
    Stop,
)
from ofd.geometry import IDENTITY, Point
from ofd.xmlio import Element, element

__all__ = ["CellWriter", "color_attributes", "write_paint"]

CellWriter = Callable[[Element, tuple[Item, ...]], None]
"""Draws the items of a pattern's cell into its CellContent."""


def color_attributes(color: Color) -> dict[str, str]:
    """Value and Alpha of an sRGB colour."""
    *parts, alpha = (round(part * 255) for part in color)
    attributes = {"Value": " ".join(map(str, parts))}
    if alpha != 255:
        attributes["Alpha"] = str(alpha)
    return attributes


def write_paint(parent: Element, name: str, paint: Paint, *, places: int, draw_cell: CellWriter) -> Element:
    """A colour element, appended to ``parent``.

    Args:
        parent: the object or draw parameter.
        name: ``FillColor`` or ``StrokeColor``.
        paint: in the object's space.
        places: decimals of its coordinates.
        draw_cell: what draws the cell of a pattern.
    """
    match paint:
        case SolidPaint(color=color):
            return element(parent, name, attributes=color_attributes(color))
        case AxialPaint():
            return _axial(element(parent, name), paint, places)
        case RadialPaint():
            return _radial(element(parent, name), paint, places)
        case MeshPaint():
            return _mesh(element(parent, name), paint, places)
        case PatternPaint():
            return _pattern(element(parent, name), paint, places, draw_cell)


def _axial(node: Element, paint: AxialPaint, places: int) -> Element:
    attributes = _mapping(paint.map_type, paint.map_unit, paint.extend, places)
    attributes |= {"StartPoint": _point(paint.start, places), "EndPoint": _point(paint.end, places)}
    _segments(element(node, "AxialShd", attributes=attributes), paint.stops)
    return node


def _radial(node: Element, paint: RadialPaint, places: int) -> Element:
    attributes = _mapping(paint.map_type, paint.map_unit, paint.extend, places)
    if paint.eccentricity:
        attributes["Eccentricity"] = number(paint.eccentricity, 6)
    if paint.angle:
        attributes["Angle"] = number(paint.angle)
    attributes["StartPoint"] = _point(paint.start, places)
    if paint.start_radius:
        attributes["StartRadius"] = number(paint.start_radius, places)
    attributes |= {"EndPoint": _point(paint.end, places), "EndRadius": number(paint.end_radius, places)}
    _segments(element(node, "RadialShd", attributes=attributes), paint.stops)
    return node


def _mesh(node: Element, paint: MeshPaint, places: int) -> Element:
    mesh = element(node, "GouraudShd")
    for triangle in paint.triangles:
        for point, color in zip(triangle.points, triangle.colors, strict=True):
            attributes = {"X": number(point.x, places), "Y": number(point.y, places), "EdgeFlag": "0"}
            element(element(mesh, "Point", attributes=attributes), "Color", attributes=color_attributes(color))
    if paint.background is not None:
        element(mesh, "BackColor", attributes=color_attributes(paint.background))
    return node


def _pattern(node: Element, paint: PatternPaint, places: int, draw_cell: CellWriter) -> Element:
    attributes = {
        "Width": number(paint.width, places),
        "Height": number(paint.height, places),
        "XStep": number(paint.x_step, places),
        "YStep": number(paint.y_step, places),
    }
    if paint.reflect is not Reflect.NORMAL:
        attributes["ReflectMethod"] = paint.reflect
    if paint.relative_to_page:
        attributes["RelativeTo"] = "Page"
    if paint.matrix != IDENTITY:
        attributes["CTM"] = matrix_text(paint.matrix)
    draw_cell(element(element(node, "Pattern", attributes=attributes), "CellContent"), paint.cell)
    return node


def _mapping(map_type: MapType, map_unit: float | None, extend: Extend, places: int) -> dict[str, str]:
    attributes: dict[str, str] = {}
    if map_type is not MapType.DIRECT:
        attributes["MapType"] = map_type
    if map_unit is not None:
        attributes["MapUnit"] = number(map_unit, places)
    if extend is not Extend.NONE:
        attributes["Extend"] = extend
    return attributes


def _segments(node: Element, stops: tuple[Stop, ...]) -> None:
    for stop in stops:
        segment = element(node, "Segment", attributes={"Position": number(stop.position, 6)})
        element(segment, "Color", attributes=color_attributes(stop.color))


def _point(point: Point, places: int) -> str:
    return f"{number(point.x, places)} {number(point.y, places)}"
