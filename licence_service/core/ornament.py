"""The frame and the rosette behind a licence: plain polylines, computed, so that both renderers draw the same."""

from math import cos, pi, sin

__all__ = ["FAINT", "GOLD", "frame", "rosette"]

GOLD = (166, 128, 62)
FAINT = (240, 230, 208)

_Polyline = tuple[tuple[float, float], ...]


def frame(width_mm: float, height_mm: float) -> tuple[tuple[_Polyline, float], ...]:
    """The border: a heavy line, two fine ones, and a meander (回纹) in each corner; with line widths in millimetres."""
    lines = [
        (_rectangle(inset, width_mm, height_mm), stroke) for inset, stroke in ((9.0, 1.3), (11.2, 0.3), (17.0, 0.3))
    ]
    for x, step_x in ((11.2, 1.0), (width_mm - 11.2, -1.0)):
        lines.extend((_meander(x, y, step_x, step_y), 0.55) for y, step_y in ((11.2, 1.0), (height_mm - 11.2, -1.0)))
    lines.extend((edge, 0.3) for edge in _edges(width_mm, height_mm))
    return tuple(lines)


def rosette(centre: tuple[float, float], radius_mm: float) -> tuple[_Polyline, ...]:
    """A guilloche of closed curves around ``centre``."""
    curves = []
    for phase in range(6):
        points = []
        for step in range(217):
            angle = 2 * pi * step / 216
            wave = radius_mm * (0.62 + 0.38 * sin(9 * angle + phase * pi / 3))
            points.append((round(centre[0] + wave * cos(angle), 2), round(centre[1] + wave * sin(angle), 2)))
        curves.append(tuple(points))
    return tuple(curves)


def _rectangle(inset: float, width_mm: float, height_mm: float) -> _Polyline:
    right, bottom = width_mm - inset, height_mm - inset
    return ((inset, inset), (right, inset), (right, bottom), (inset, bottom), (inset, inset))


def _meander(x: float, y: float, step_x: float, step_y: float) -> _Polyline:
    path = ((1, 17), (1, 1), (17, 1), (17, 13), (6, 13), (6, 6), (12, 6), (12, 9.5), (9, 9.5))
    return tuple((x + dx * step_x, y + dy * step_y) for dx, dy in path)


def _edges(width_mm: float, height_mm: float) -> tuple[_Polyline, ...]:
    """A chain of small waves between the corners, in the band of the border."""
    across = tuple((32 + i * (width_mm - 64) / 240, 1.1 * sin(i * pi / 3)) for i in range(241))
    down = tuple((32 + i * (height_mm - 64) / 150, 1.1 * sin(i * pi / 3)) for i in range(151))
    band = 14.1
    return (
        tuple((round(a, 2), round(band + b, 2)) for a, b in across),
        tuple((round(a, 2), round(height_mm - band + b, 2)) for a, b in across),
        tuple((round(band + b, 2), round(a, 2)) for a, b in down),
        tuple((round(width_mm - band + b, 2), round(a, 2)) for a, b in down),
    )
