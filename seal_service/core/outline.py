"""Outlines: closed curves that fill a shape by the non-zero winding rule."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from math import cos, pi, sin

__all__ = ["Contour", "Outline", "Point", "circle", "star"]

Point = tuple[float, float]
"""x to the right, y upwards; the unit belongs to the owner of the outline."""

Outline = tuple["Contour", ...]

_FLATTENING_STEPS = 8
"""Chords a curve is cut into for drawing by pixels: a curve of 3 mm is then less than 1/50 mm off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contour:
    """One closed curve."""

    start: Point
    curves: tuple[tuple[Point, ...], ...]
    """Each curve goes on from the last point: 1 point is a line, 2 a quadratic and 3 a cubic Bézier curve."""

    def map(self, place: Callable[[Point], Point]) -> "Contour":
        """The contour with every point moved by an affine map."""
        return Contour(start=place(self.start), curves=tuple(tuple(map(place, curve)) for curve in self.curves))

    def polygon(self) -> list[Point]:
        """The contour as chords."""
        points = [self.start]
        for curve in self.curves:
            if len(curve) == 1:
                points.append(curve[0])
            else:
                points.extend(_chords((points[-1], *curve)))
        return points


def _chords(control: tuple[Point, ...]) -> Iterator[Point]:
    for step in range(1, _FLATTENING_STEPS + 1):
        t = step / _FLATTENING_STEPS
        points = control
        while len(points) > 1:  # de Casteljau
            points = tuple(((1 - t) * a[0] + t * b[0], (1 - t) * a[1] + t * b[1]) for a, b in pairwise(points))
        yield points[0]


def circle(radius: float, *, clockwise: bool) -> Contour:
    """A circle about the origin as eight cubic curves (off by less than 1/100,000 of the radius)."""
    count, sign = 8, -1 if clockwise else 1
    step = sign * 2 * pi / count
    handle = 4 / 3 * (1 - cos(step / 2)) / sin(step / 2) * radius
    curves = []
    for index in range(count):
        a, b = index * step, (index + 1) * step
        curves.append(
            (
                (radius * cos(a) - handle * sin(a), radius * sin(a) + handle * cos(a)),
                (radius * cos(b) + handle * sin(b), radius * sin(b) - handle * cos(b)),
                (radius * cos(b), radius * sin(b)),
            )
        )
    return Contour(start=(radius, 0.0), curves=tuple(curves))


def star(radius: float) -> Contour:
    """A regular five-pointed star about the origin, one point up; ``radius`` reaches the points."""
    inner = radius * sin(pi / 10) / sin(3 * pi / 10)
    points = [(r * sin(index * pi / 5), r * cos(index * pi / 5)) for index, r in enumerate((radius, inner) * 5)]
    return Contour(start=points[0], curves=tuple((point,) for point in points[1:]))
