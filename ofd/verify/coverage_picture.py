"""A page with marks on what is not signed: red where nobody signs it, amber where only a later signature does.

The result is a scene, so it becomes SVG, PNG or PDF like any page.
"""

from dataclasses import replace

from ofd.draw.scene import Color, Origin, OriginKind, PathItem, Scene, SolidPaint, Stroke
from ofd.geometry import IDENTITY, Box
from ofd.verify.page_coverage import Cover, MarkedObject, PageCoverage

__all__ = ["marked_scene"]

_RED, _AMBER, _GREEN = (0.85, 0.05, 0.1), (0.95, 0.6, 0.0), (0.05, 0.55, 0.25)
_FILL_ALPHA, _LINE_ALPHA = 0.28, 0.95
_LINE_MM, _FRAME_MM, _MARGIN_MM = 0.35, 1.2, 0.4
_ORIGIN = Origin(kind=OriginKind.ANNOTATION, part="")
"""The marks belong to no part of the document."""


def marked_scene(coverage: PageCoverage) -> Scene:
    """The page with a mark on each object that is not signed, and a frame that tells the answer for the whole page."""
    area = coverage.scene.area
    marks = [_mark(item) for item in coverage.marked]
    if coverage.open_chain:
        marks.append(_figure(area, _RED, _LINE_MM, filled=True))
    worst = _worst(coverage)
    inner = Box(
        area.x + _FRAME_MM / 2, area.y + _FRAME_MM / 2, area.width - _FRAME_MM, area.height - _FRAME_MM
    )  # fmt: skip
    if inner.width > 0 and inner.height > 0:
        marks.append(_figure(inner, worst, _FRAME_MM, filled=False))
    return replace(coverage.scene, items=(*coverage.scene.items, *marks))


def _worst(coverage: PageCoverage) -> tuple[float, float, float]:
    covers = {item.cover for item in coverage.marked}
    if coverage.open_chain or Cover.UNSIGNED in covers:
        return _RED
    return _AMBER if covers else _GREEN


def _mark(item: MarkedObject) -> PathItem:
    box = item.box
    around = Box(
        box.x - _MARGIN_MM, box.y - _MARGIN_MM, box.width + 2 * _MARGIN_MM, box.height + 2 * _MARGIN_MM
    )  # fmt: skip
    return _figure(around, _RED if item.cover is Cover.UNSIGNED else _AMBER, _LINE_MM, filled=True)


def _figure(box: Box, color: tuple[float, float, float], width: float, *, filled: bool) -> PathItem:
    return PathItem(
        path=box.path(),
        matrix=IDENTITY,
        fill=SolidPaint(color=Color.of(*color, _FILL_ALPHA)) if filled else None,
        stroke=Stroke(paint=SolidPaint(color=Color.of(*color, _LINE_ALPHA)), width=width),
        origin=_ORIGIN,
    )
