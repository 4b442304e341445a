"""Numbers, lists of offsets and figures as OFD writes them (GB/T 33190-2016 §7.3, §9.3, §11.3)."""

from collections.abc import Sequence
from math import ceil, hypot, log10

from ofd.geometry import Box, Matrix, PathCommand

__all__ = ["box_text", "deltas", "matrix_text", "number", "path_text", "places_for", "precise"]

_PLACES = 4
"""Decimals of a millimetre: a tenth of a micrometre."""
_MOST_PLACES = 9
_OPERATORS = {"M": "M", "L": "L", "Q": "Q", "C": "B", "Z": "C"}
"""The scene's operators to those of AbbreviatedData."""
_DRIFT = 5
"""By how many units of the last decimal characters may stray before an offset makes up for it."""


def number(value: float, places: int = _PLACES) -> str:
    """A length as OFD writes it: millimetres with at most four decimals, no exponent, no trailing zeros."""
    shown = f"{value:.{places}f}"
    if places:
        shown = shown.rstrip("0").rstrip(".")
    return "0" if shown == "-0" else shown


def precise(value: float) -> str:
    """A factor with nine significant digits, no exponent."""
    shown = f"{value:.9g}"
    return number(value, 18) if "e" in shown else number(float(shown), 15)


def places_for(matrix: Matrix) -> int:
    """How many decimals coordinates need that ``matrix`` leads to millimetres."""
    grown = max(hypot(matrix.a, matrix.b), hypot(matrix.c, matrix.d))
    if grown <= 0:
        return _PLACES
    return min(max(_PLACES + ceil(log10(grown)), 0), _MOST_PLACES)


def box_text(box: Box) -> str:
    """ST_Box."""
    return " ".join(number(value) for value in box)


def matrix_text(matrix: Matrix) -> str:
    """CTM."""
    *factors, x, y = matrix
    return " ".join((*map(precise, factors), number(x, 6), number(y, 6)))


def path_text(path: Sequence[PathCommand], places: int = _PLACES) -> str:
    """AbbreviatedData."""
    parts: list[str] = []
    for operator, values in path:
        parts.append(_OPERATORS[operator])
        parts += [number(value, places) for value in values]
    return " ".join(parts)


def deltas(widths: Sequence[float], places: int = _PLACES) -> str:
    """DeltaX or DeltaY with runs of equal values written ``g count value``.

    Rounding does not add up: where it would, one offset makes up for it.
    """
    unit = 10.0**-places
    shown: list[str] = []
    strayed = 0.0
    for width in widths:
        wanted = width + strayed if abs(strayed) > _DRIFT * unit else width
        text = number(wanted, places)
        strayed += width - float(text)
        shown.append(text)
    return _shortened(shown)


def _shortened(shown: Sequence[str]) -> str:
    parts: list[str] = []
    position = 0
    while position < len(shown):
        count = 1
        while position + count < len(shown) and shown[position + count] == shown[position]:
            count += 1
        short = count <= 2
        parts += [shown[position]] * count if short else ["g", str(count), shown[position]]
        position += count
    return " ".join(parts)
