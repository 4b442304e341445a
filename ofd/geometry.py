"""Points, boxes and transformations (GB/T 33190-2016 §7.3, §8.4).

Lengths are millimetres, the origin is the top left corner, y goes downward. All values are plain tuples: cheap, equal
by value, never changed.
"""

from collections.abc import Sequence
from math import hypot
from typing import NamedTuple

__all__ = ["IDENTITY", "Box", "Matrix", "PathCommand", "Point"]

PathCommand = tuple[str, tuple[float, ...]]
"""Operator ``M``, ``L``, ``Q``, ``C`` (cubic) or ``Z``, and its absolute coordinates."""


class Point(NamedTuple):
    """A place."""

    x: float
    y: float


class Box(NamedTuple):
    """ST_Box: an upright rectangle."""

    x: float
    y: float
    width: float
    height: float

    @property
    def right(self) -> float:
        """X of the right edge."""
        return self.x + self.width

    @property
    def bottom(self) -> float:
        """Y of the lower edge."""
        return self.y + self.height

    @property
    def centre(self) -> Point:
        """The middle."""
        return Point(self.x + self.width / 2, self.y + self.height / 2)

    def corners(self) -> tuple[Point, Point, Point, Point]:
        """Clockwise from the top left."""
        return (
            Point(self.x, self.y),
            Point(self.right, self.y),
            Point(self.right, self.bottom),
            Point(self.x, self.bottom),
        )

    def union(self, other: "Box") -> "Box":
        """The smallest box around both."""
        return Box.around((*self.corners(), *other.corners()))

    def intersects(self, other: "Box") -> bool:
        """Whether the two have an area in common."""
        return self.x < other.right and other.x < self.right and self.y < other.bottom and other.y < self.bottom

    def path(self) -> tuple[PathCommand, ...]:
        """The outline."""
        first, *others = self.corners()
        return (("M", first), *(("L", corner) for corner in others), ("Z", ()))

    @classmethod
    def around(cls, points: Sequence[tuple[float, float]]) -> "Box":
        """The smallest box around points, of which there is at least one."""
        left, right = min(x for x, _ in points), max(x for x, _ in points)
        top, bottom = min(y for _, y in points), max(y for _, y in points)
        return cls(left, top, right - left, bottom - top)


class Matrix(NamedTuple):
    """CTM: ``x' = a·x + c·y + e``, ``y' = b·x + d·y + f``."""

    a: float = 1
    b: float = 0
    c: float = 0
    d: float = 1
    e: float = 0
    f: float = 0

    @classmethod
    def translation(cls, x: float, y: float) -> "Matrix":
        """Moves by x and y."""
        return cls(1, 0, 0, 1, x, y)

    @classmethod
    def scaling(cls, x: float, y: float) -> "Matrix":
        """Stretches about the origin."""
        return cls(x, 0, 0, y, 0, 0)

    def then(self, outer: "Matrix") -> "Matrix":
        """This transformation first, ``outer`` after it."""
        a, b, c, d, e, f = self
        return Matrix(
            a * outer.a + b * outer.c,
            a * outer.b + b * outer.d,
            c * outer.a + d * outer.c,
            c * outer.b + d * outer.d,
            e * outer.a + f * outer.c + outer.e,
            e * outer.b + f * outer.d + outer.f,
        )

    def apply(self, x: float, y: float) -> Point:
        """Where a point goes."""
        return Point(self.a * x + self.c * y + self.e, self.b * x + self.d * y + self.f)

    def box(self, box: Box) -> Box:
        """The upright box around a transformed box."""
        return Box.around([self.apply(x, y) for x, y in box.corners()])

    @property
    def determinant(self) -> float:
        """0 when the transformation flattens everything into a line."""
        return self.a * self.d - self.b * self.c

    @property
    def scale(self) -> float:
        """By how much lengths grow, on average of both directions."""
        return (hypot(self.a, self.b) + hypot(self.c, self.d)) / 2

    def inverse(self) -> "Matrix | None":
        """What undoes this transformation, if anything does."""
        if not self.determinant:
            return None
        a, b, c, d, e, f = self
        k = 1 / self.determinant
        return Matrix(d * k, -b * k, -c * k, a * k, (c * f - d * e) * k, (b * e - a * f) * k)


IDENTITY = Matrix()
"""Leaves everything where it is."""
