"""Outlines to pixels: a small palette PNG with transparency."""

from collections.abc import Iterable
from io import BytesIO
from math import ceil, floor

from PIL import Image, ImageChops, ImageDraw

from seal_service.core.outline import Outline

__all__ = ["palette_png"]

_FINER = 4
"""Sub-pixels per pixel and direction: 16 levels of cover, as many as the palette has."""
_LEVELS = 16


def palette_png(outlines: Iterable[Outline], *, pixels: int, colour: tuple[int, int, int]) -> bytes:
    """Fill outlines with one colour.

    Args:
        outlines: in pixels, x to the right, y downwards from the upper left corner.
        pixels: width and height of the picture.
        colour: red, green, blue.

    Returns:
        A PNG of 4 bits a pixel; the palette holds the colour 16 times, its transparency goes from clear to full.
    """
    canvas = Image.new("L", (pixels * _FINER, pixels * _FINER))
    for outline in outlines:
        _fill(canvas, outline)
    cover = canvas.reduce(_FINER)
    step = 255 / (_LEVELS - 1)
    indexed = cover.point([round(value / step) for value in range(256)])
    picture = Image.frombytes("P", indexed.size, indexed.tobytes())
    picture.putpalette(bytes(colour) * _LEVELS)
    out = BytesIO()
    alphas = bytes(round(level * step) for level in range(_LEVELS))
    picture.save(out, "PNG", bits=4, transparency=alphas, optimize=True)
    return out.getvalue()


def _fill(canvas: Image.Image, outline: Outline) -> None:
    """Fill one outline by the non-zero winding rule: where turns left and turns right do not cancel."""
    polygons = [[(x * _FINER, y * _FINER) for x, y in contour.polygon()] for contour in outline]
    points = [point for polygon in polygons for point in polygon]
    if not points:
        return
    left, top = floor(min(x for x, _ in points)), floor(min(y for _, y in points))
    right, bottom = ceil(max(x for x, _ in points)) + 1, ceil(max(y for _, y in points)) + 1
    size = (right - left, bottom - top)
    turns = {True: Image.new("L", size), False: Image.new("L", size)}
    for polygon in polygons:
        shape = Image.new("L", size)
        ImageDraw.Draw(shape).polygon([(x - left, y - top) for x, y in polygon], fill=1)
        clockwise = _area(polygon) > 0
        turns[clockwise] = ImageChops.add(turns[clockwise], shape)
    inside = ImageChops.difference(turns[True], turns[False]).point([0] + [255] * 255)
    canvas.paste(255, (left, top), inside)


def _area(polygon: list[tuple[float, float]]) -> float:
    return sum(ax * by - bx * ay for (ax, ay), (bx, by) in zip(polygon, [*polygon[1:], polygon[0]], strict=True))
