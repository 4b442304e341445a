"""Glyphs of Type 3 fonts (ISO 32000-2 §9.6.4) that are nothing but filled figures become outlines of a real font."""

from collections.abc import Callable
from dataclasses import replace

import pikepdf

from ofd.convert.pdf.bitmaps import bitmap_outline
from ofd.convert.pdf.font_programs import FontProgram
from ofd.convert.pdf.fonts import Metrics
from ofd.convert.pdf.interpreter import Interpreter
from ofd.convert.pdf.painting import mapped
from ofd.convert.pdf.reading import Reading
from ofd.convert.pdf.state import Sink
from ofd.convert.pdf.streams import content_stream, read_stream
from ofd.draw.scene import Group, ImageItem, Item, Origin, OriginKind, PathItem, SolidPaint
from ofd.fonts.type1 import Pen
from ofd.geometry import Box, Matrix, PathCommand
from trustcore.errors import TrustError

__all__ = ["traced"]

_UNITS = 1000.0
_ORIGIN = Origin(kind=OriginKind.PAGE, part="")
_EVERYWHERE = Box(-1e6, -1e6, 2e6, 2e6)
_MOST_GLYPHS = 256
_MOST_POINTS = 8000


def traced(reading: Reading, metrics: Metrics) -> Metrics:
    """A Type 3 font with outlines for the glyphs that can have one."""
    type3 = metrics.type3
    if type3 is None:
        return metrics
    outlines: dict[int, tuple[PathCommand, ...]] = {}
    for code, stream in list(type3.procedures.items())[:_MOST_GLYPHS]:
        outline = _outline(reading, metrics, stream)
        if outline is not None:
            outlines[code] = outline

    def draw(index: int, pen: Pen) -> None:
        _replay(outlines.get(index, ()), pen)

    if not outlines:
        return metrics
    program = FontProgram(units_per_em=_UNITS, glyph_count=256, draw=draw, advance=lambda _: 0.0)
    return replace(metrics, program=program, substituted=False, glyphs={code: code for code in outlines})


def _outline(reading: Reading, metrics: Metrics, stream: pikepdf.Object) -> tuple[PathCommand, ...] | None:
    """The figure that a glyph is, in thousandths of an em, y upward; None when it is more than that."""
    type3 = metrics.type3
    if type3 is None:
        return None
    matrix = type3.matrix.then(Matrix.scaling(_UNITS, _UNITS))
    sink = Sink(_EVERYWHERE, _ORIGIN)
    reader = Interpreter(reading, sink, _ORIGIN, base=matrix, depth=reading.limits.depth - 2)
    try:
        content = content_stream(reading.document, read_stream(stream, reading.limits), reading.limits)
        reader.run(content, type3.resources)
    except TrustError:
        return None
    items = sink.items()
    if not reader.is_uncoloured:
        return None if items else ()
    path: list[PathCommand] = []
    for item in items:
        part = _figure(item)
        if part is None:
            return None
        path.extend(part)
    return tuple(path) if len(path) <= _MOST_POINTS else None


def _figure(item: Item) -> tuple[PathCommand, ...] | None:
    if isinstance(item, PathItem):
        plain = isinstance(item.fill, SolidPaint) and item.stroke is None
        single = sum(operator == "M" for operator, _ in item.path) == 1
        return mapped(item.path, item.matrix) if plain and (single or not item.even_odd) else None
    if isinstance(item, ImageItem):
        outline = bitmap_outline(item.image.data)
        return None if outline is None else mapped(outline, item.matrix)
    if isinstance(item, Group) and not item.clips and item.alpha == 1 and len(item.items) == 1:
        return _figure(item.items[0])
    return None


def _replay(path: tuple[PathCommand, ...], pen: Pen) -> None:
    drawn: dict[str, Callable[..., None]] = {"L": pen.lineTo, "C": pen.curveTo, "Q": pen.qCurveTo}
    opened = False
    for operator, values in path:
        points = list(zip(values[::2], values[1::2], strict=True))
        if operator == "M":
            if opened:
                pen.closePath()
            pen.moveTo(points[0])
            opened = True
        elif operator == "Z":
            if opened:
                pen.closePath()
            opened = False
        elif opened:
            drawn[operator](*points)
    if opened:
        pen.closePath()
