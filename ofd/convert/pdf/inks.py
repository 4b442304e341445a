"""What printing inks look like in sRGB: PDFium is asked once for a grid of cyan, magenta, yellow and black."""

from functools import cache
from io import BytesIO
from itertools import product

import pikepdf
import pypdfium2

from ofd.draw.pdfium import PDFIUM

__all__ = ["LEVELS", "ink_color", "ink_table"]

LEVELS = 5
"""Amounts of each ink in the grid, evenly from none to full."""
_CELL = 4
_PER_ROW = 25

_Rgb = tuple[float, float, float]


@cache
def ink_table() -> dict[tuple[int, int, int, int], _Rgb]:
    """The grid: levels of cyan, magenta, yellow and black to sRGB, each 0 to 1."""
    document = pikepdf.new()
    inks = list(product(range(LEVELS), repeat=4))
    side = _PER_ROW * _CELL
    page = document.add_blank_page(page_size=(side, side))
    content = []
    for index, levels in enumerate(inks):
        amounts = " ".join(f"{level / (LEVELS - 1)}" for level in levels)
        x, y = index % _PER_ROW * _CELL, side - (index // _PER_ROW + 1) * _CELL
        content.append(f"{amounts} k {x} {y} {_CELL} {_CELL} re f")
    page.obj["/Contents"] = document.make_stream("\n".join(content).encode())
    stream = BytesIO()
    document.save(stream)
    with PDFIUM:
        opened = pypdfium2.PdfDocument(stream.getvalue())
        try:
            picture = opened[0].render(scale=1).to_pil().convert("RGB")
        finally:
            opened.close()
    table = {}
    for index, levels in enumerate(inks):
        place = (index % _PER_ROW * _CELL + _CELL // 2, index // _PER_ROW * _CELL + _CELL // 2)
        red, green, blue = picture.getpixel(place)
        table[levels[0], levels[1], levels[2], levels[3]] = (red / 255, green / 255, blue / 255)
    return table


def ink_color(cyan: float, magenta: float, yellow: float, black: float) -> _Rgb:
    """The colour of inks, each 0 to 1, between the colours of the grid."""
    table = ink_table()
    axes = []
    for amount in (cyan, magenta, yellow, black):
        place = min(max(amount, 0.0), 1.0) * (LEVELS - 1)
        low = min(int(place), LEVELS - 2)
        axes.append(((low, 1 - place + low), (low + 1, place - low)))
    red = green = blue = 0.0
    for (c, wc), (m, wm), (y, wy), (k, wk) in product(*axes):
        weight = wc * wm * wy * wk
        if weight:
            r, g, b = table[c, m, y, k]
            red, green, blue = red + weight * r, green + weight * g, blue + weight * b
    return red, green, blue
