"""Outlines of small pictures in black and white: the glyphs of bitmap fonts, as old TeX documents have them."""

from io import BytesIO

from PIL import Image as Picture

from ofd.geometry import PathCommand

__all__ = ["bitmap_outline"]

_LARGEST = 400

_Corner = tuple[int, int]


def bitmap_outline(data: bytes) -> tuple[PathCommand, ...] | None:
    """The edges between painted and see-through pixels, in the unit square with the first row at the top.

    Args:
        data: PNG whose see-through pixels are not part of the figure.

    Returns:
        Closed figures, filled by the nonzero rule; None when the picture is too large to be a glyph.
    """
    with Picture.open(BytesIO(data), formats=["PNG"]) as picture:
        width, height = picture.size
        if max(width, height) > _LARGEST:
            return None
        opacity = picture.convert("RGBA").getchannel("A").tobytes()
    following = _edges(opacity, width, height)
    result: list[PathCommand] = []
    while following:
        corner = start = next(iter(following))
        before: _Corner | None = None
        corners: list[_Corner] = []
        while True:
            choices = following[corner]
            step = choices[0] if len(choices) == 1 or before is None else _right_turn(before, choices)
            choices.remove(step)
            if not choices:
                del following[corner]
            if step != before:
                corners.append(corner)
            corner = (corner[0] + step[0], corner[1] + step[1])
            before = step
            if corner == start:
                break
        points = [(x / width, y / height) for x, y in corners]
        result.append(("M", points[0]))
        result.extend(("L", point) for point in points[1:])
        result.append(("Z", ()))
    return tuple(result)


def _edges(opacity: bytes, width: int, height: int) -> dict[_Corner, list[_Corner]]:
    """Steps from corner to corner with painted pixels on the right."""

    def painted(x: int, y: int) -> bool:
        return 0 <= x < width and 0 <= y < height and opacity[y * width + x] > 127

    following: dict[_Corner, list[_Corner]] = {}
    for y in range(height + 1):
        for x in range(width + 1):
            here = painted(x, y)
            if here != painted(x, y - 1):
                begin, step = ((x, y), (1, 0)) if here else ((x + 1, y), (-1, 0))
                following.setdefault(begin, []).append(step)
            if here != painted(x - 1, y):
                begin, step = ((x, y + 1), (0, -1)) if here else ((x, y), (0, 1))
                following.setdefault(begin, []).append(step)
    return following


def _right_turn(before: _Corner, choices: list[_Corner]) -> _Corner:
    """Where four edges meet, keep to the pixel on the right."""
    right = (-before[1], before[0])
    return right if right in choices else choices[0]
