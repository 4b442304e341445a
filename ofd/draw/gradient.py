"""What the writers share about gradients: ``MapType`` unrolled, opacity told from colour, ellipses made circles."""

from collections.abc import Sequence
from math import ceil, cos, hypot, radians, sin, sqrt

from ofd.draw.scene import AxialPaint, Color, MapType, MeshPaint, Paint, PatternPaint, RadialPaint, SolidPaint, Stop
from ofd.geometry import IDENTITY, Matrix, Point

__all__ = ["opacity_of", "unrolled_stops", "without_eccentricity"]

_MOST_TURNS = 256
"""How often a gradient may start again; more cannot be told apart on a page."""


def unrolled_stops(paint: AxialPaint | RadialPaint) -> tuple[Stop, ...]:
    """The colours from 0 to 1 with every repetition of Repeat and Reflect written out."""
    length = hypot(paint.end.x - paint.start.x, paint.end.y - paint.start.y)
    if isinstance(paint, RadialPaint):
        length = max(length, abs(paint.end_radius - paint.start_radius))
    if paint.map_type is MapType.DIRECT or not paint.map_unit or paint.map_unit <= 0 or paint.map_unit >= length:
        return paint.stops
    turns = min(length / paint.map_unit, _MOST_TURNS)
    stops: list[Stop] = []
    for turn in range(ceil(turns)):
        mirrored = paint.map_type is MapType.REFLECT and turn % 2 == 1
        once = _mirrored(paint.stops) if mirrored else paint.stops
        stops += [Stop(position=(turn + stop.position) / turns, color=stop.color) for stop in once]
    return _cut_at_one(stops)


def _mirrored(stops: Sequence[Stop]) -> tuple[Stop, ...]:
    return tuple(Stop(position=1 - stop.position, color=stop.color) for stop in reversed(stops))


def _cut_at_one(stops: Sequence[Stop]) -> tuple[Stop, ...]:
    kept = [stop for stop in stops if stop.position <= 1]
    beyond = next((stop for stop in stops if stop.position > 1), None)
    if beyond and kept[-1].position < 1:
        last = kept[-1]
        part = (1 - last.position) / (beyond.position - last.position)
        mixed = (a + (b - a) * part for a, b in zip(last.color, beyond.color, strict=True))
        kept.append(Stop(position=1, color=Color.of(*mixed)))
    return tuple(kept)


def without_eccentricity(paint: RadialPaint) -> tuple[Matrix, Point, Point]:
    """From a space in which the gradient's ellipses are circles to the item's, and both centres in that space."""
    if not 0 < paint.eccentricity < 1:
        return IDENTITY, paint.start, paint.end
    turn = radians(paint.angle)
    matrix = Matrix.scaling(1, sqrt(1 - paint.eccentricity**2)).then(
        Matrix(cos(turn), sin(turn), -sin(turn), cos(turn))
    )
    inverse = matrix.inverse()
    assert inverse is not None
    return matrix, inverse.apply(*paint.start), inverse.apply(*paint.end)


def opacity_of(paint: Paint | None) -> float | None:
    """The opacity of a paint when the same everywhere, else ``None``; 1 for patterns, whose items have their own."""
    match paint:
        case SolidPaint():
            return paint.color[3]
        case AxialPaint() | RadialPaint():
            found = {stop.color[3] for stop in paint.stops}
        case MeshPaint():
            found = {color[3] for triangle in paint.triangles for color in triangle.colors}
            if paint.background:
                found.add(paint.background[3])
        case PatternPaint() | None:
            return 1.0
    return found.pop() if len(found) == 1 else None if found else 1.0
