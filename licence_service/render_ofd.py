"""A licence as OFD (GB/T 33190-2016): the page, the metadata in DocInfo and as an attachment, and the data index.

All of it is in the package before the seal is put on, so the seal's references cover the metadata too and a copy cannot
be relabelled (GB/T 36905-2018, as deployed).
"""

import hashlib
from functools import lru_cache

from licence_service.core.layout import PAGE_HEIGHT_MM, PAGE_WIDTH_MM, Curve
from licence_service.core.metadata import NameForm, metadata_xml
from licence_service.core.states import CHINA_TIME
from licence_service.rendering import LicenceDocument, qr_boxes
from ofd.build.document import Canvas, DocumentBuilder, ObjectRef, Placement

__all__ = ["DATA_INDEX_NAMESPACE", "render_ofd"]

DATA_INDEX_NAMESPACE = "urn:xinyin:licence:gbt36903"
"""Namespace of the data index: element names are the pinyin names of GB/T 36903."""


def render_ofd(document: LicenceDocument) -> bytes:
    """The licence as an OFD package without seal; the same licence gives the same octets.

    Raises:
        RejectedError: ``licence.layout.too-long`` or ``ofd.font.missing-glyph``.
    """
    page = document.page
    builder = DocumentBuilder(
        doc_id=hashlib.sha256(str(document.identifier).encode()).hexdigest()[:32],
        title=document.title,
        created=document.created_at.astimezone(CHINA_TIME),
        fonts=document.fonts,
        page_size_mm=(PAGE_WIDTH_MM, PAGE_HEIGHT_MM),
        metadata={value.name(NameForm.PINYIN): value.value for value in document.metadata},
        author=document.issuer,
        subject=str(document.identifier),
    )
    background = builder.template()
    _draw_curves(background, page.curves)
    canvas = builder.page(templates=[(background, Placement.BACKGROUND)])
    index: list[tuple[str, ObjectRef]] = []
    for text in page.texts:
        refs = canvas.text(
            text.text,
            x_mm=text.x_mm,
            y_mm=text.y_mm,
            size_mm=text.size_mm,
            color=text.colour,
            spacing_mm=text.spacing_mm,
        )
        if text.element:
            index.extend((text.element, ref) for ref in refs)
    canvas.rectangles([(b.x_mm, b.y_mm, b.width_mm, b.height_mm) for b in qr_boxes(page.qr, document.address)])
    builder.tag(DATA_INDEX_NAMESPACE, index)
    builder.attach("metadata.xml", metadata_xml(document.metadata), format="xml", usage="licence-metadata")
    return builder.to_bytes()


def _draw_curves(canvas: Canvas, curves: tuple[Curve, ...]) -> None:
    for width_mm, colour, data in _paths(curves):
        canvas.path(data, box_mm=(0, 0, PAGE_WIDTH_MM, PAGE_HEIGHT_MM), stroke=colour, line_width_mm=width_mm)


@lru_cache(maxsize=4)
def _paths(curves: tuple[Curve, ...]) -> tuple[tuple[float, tuple[int, int, int], str], ...]:
    """Curves of one look as one path over the whole page; they are the same on all pages of a form."""
    looks: dict[tuple[float, tuple[int, int, int]], list[str]] = {}
    for curve in curves:
        start, *others = (f"{x:g} {y:g}" for x, y in curve.points)
        looks.setdefault((curve.width_mm, curve.colour), []).append(
            " ".join((f"M {start}", *(f"L {point}" for point in others)))
        )
    return tuple((width_mm, colour, " ".join(parts)) for (width_mm, colour), parts in looks.items())
