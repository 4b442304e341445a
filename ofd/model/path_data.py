"""AbbreviatedData: figures as text (GB/T 33190-2016 §9.3)."""

import re
from math import atan2, ceil, cos, hypot, pi, radians, sin, sqrt, tan

from ofd.geometry import PathCommand

__all__ = ["arc", "parse_path"]

_TOKEN = re.compile(r"[A-Za-z]|[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
_OPERANDS = {"S": 2, "M": 2, "L": 2, "Q": 4, "B": 6, "A": 7, "C": 0}
_LARGEST = 1e9


def parse_path(data: str) -> tuple[tuple[PathCommand, ...], str]:
    """The commands of a figure, arcs as cubic curves, and what was wrong with the text (nothing: empty).

    Blanks may be missing or commas, an operator may be left out when it repeats, and a figure may start without ``M``
    (at 0, 0). What follows a fault that cannot be guessed is left out.
    """
    tokens = _TOKEN.findall(data)
    commands: list[PathCommand] = []
    position, start = (0.0, 0.0), (0.0, 0.0)
    operator, index, fault = "", 0, ""
    while index < len(tokens):
        token = tokens[index]
        if token.isalpha():
            operator = token.upper()
            index += 1
        elif operator == "C" or not operator:
            fault = f"number {token} without operator"
            break
        count = _OPERANDS.get(operator, -1)
        operands = tokens[index : index + count] if count >= 0 else []
        if count < 0 or len(operands) < count or any(item.isalpha() for item in operands):
            fault = f"operator {operator} without its numbers" if count >= 0 else f"unknown operator {operator}"
            break
        index += count
        values = tuple(map(float, operands))
        if any(abs(value) > _LARGEST for value in values):
            fault = "number out of range"
            break
        if operator in {"S", "M"}:
            commands.append(("M", values))
            start = position = (values[0], values[1])
            continue
        if operator == "C":
            if commands and commands[-1][0] != "Z":
                commands.append(("Z", ()))
            position = start
            continue
        if not commands or commands[-1][0] == "Z":
            commands.append(("M", position))
            start = position
        if operator == "A":
            commands += arc(position, values)
        else:
            commands.append(("C" if operator == "B" else operator, values))
        position = (values[-2], values[-1])
    return tuple(commands), fault


def arc(start: tuple[float, float], values: tuple[float, ...]) -> list[PathCommand]:
    """An elliptic arc as cubic curves.

    Args:
        start: where it begins.
        values: both radii, the ellipse's turn in degrees, whether the long way is meant, whether it goes clockwise,
            and the end.
    """
    rx, ry, turn, large, sweep, x, y = values
    rx, ry = abs(rx), abs(ry)
    if start == (x, y):
        return []
    if not rx or not ry:
        return [("L", (x, y))]
    c, s = cos(radians(turn)), sin(radians(turn))
    dx, dy = (start[0] - x) / 2, (start[1] - y) / 2
    x1, y1 = c * dx + s * dy, c * dy - s * dx
    # Radii that cannot reach are scaled up until they do.
    short = hypot(x1 / rx, y1 / ry)
    if short > 1:
        rx, ry = rx * short, ry * short
    across = (rx * y1) ** 2 + (ry * x1) ** 2
    k = sqrt(max((rx * ry) ** 2 / across - 1, 0)) * (-1 if bool(large) == bool(sweep) else 1)
    cx1, cy1 = k * rx * y1 / ry, -k * ry * x1 / rx
    cx, cy = c * cx1 - s * cy1 + (start[0] + x) / 2, s * cx1 + c * cy1 + (start[1] + y) / 2
    first = atan2((y1 - cy1) / ry, (x1 - cx1) / rx)
    span = atan2((-y1 - cy1) / ry, (-x1 - cx1) / rx) - first
    if sweep and span < 0:
        span += 2 * pi
    elif not sweep and span > 0:
        span -= 2 * pi
    pieces = max(ceil(abs(span) / (pi / 2) - 1e-9), 1)
    step = span / pieces
    reach = 4 / 3 * tan(step / 4)

    def place(u: float, v: float) -> tuple[float, float]:
        return (c * rx * u - s * ry * v + cx, s * rx * u + c * ry * v + cy)

    curves: list[PathCommand] = []
    for piece in range(pieces):
        a, b = first + piece * step, first + (piece + 1) * step
        end = (x, y) if piece == pieces - 1 else place(cos(b), sin(b))
        control_1 = place(cos(a) - reach * sin(a), sin(a) + reach * cos(a))
        control_2 = place(cos(b) + reach * sin(b), sin(b) - reach * cos(b))
        curves.append(("C", (*control_1, *control_2, *end)))
    return curves
