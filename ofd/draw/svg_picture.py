"""SVG pictures inside documents, such as seals: drawn into pixels by resvg, which opens no file and runs no script."""

from math import ceil

import resvg_py
from lxml import etree

from ofd import xmlio
from trustcore.errors import MalformedError

__all__ = ["svg_to_png"]

_DOTS_PER_MM = 600 / 25.4
_MOST_PIXELS_WIDE = 4000
_LARGEST = 8 << 20
_HREFS = ("href", "{http://www.w3.org/1999/xlink}href")


def svg_to_png(data: bytes, *, width_mm: float) -> bytes:
    """An SVG as a see-through PNG at 600 dots per inch.

    Args:
        data: the SVG; document types are refused, and pictures outside of it are left out.
        width_mm: how wide it will stand on the page.

    Raises:
        MalformedError: ``ofd.image.malformed``, or ``ofd.xml.…``.
    """
    if len(data) > _LARGEST:
        raise MalformedError("The SVG picture is too large.", code="ofd.image.malformed")
    root = xmlio.parse(data, part="the SVG picture")
    for node in list(root.iter("{*}image", "{*}feImage", "{*}use")):
        target = next((node.get(name) for name in _HREFS if node.get(name)), "") or ""
        if not target.startswith(("data:", "#")) and (parent := node.getparent()) is not None:
            parent.remove(node)
    width = min(max(ceil(width_mm * _DOTS_PER_MM), 16), _MOST_PIXELS_WIDE)
    try:
        return bytes(resvg_py.svg_to_bytes(svg_string=etree.tostring(root, encoding="unicode"), width=width, dpi=96))
    except (ValueError, RuntimeError) as error:
        raise MalformedError("The SVG picture cannot be drawn.", code="ofd.image.malformed") from error
