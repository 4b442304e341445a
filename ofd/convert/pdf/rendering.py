"""What only PDFium can decode or paint: a part of a PDF put on a page of its own and drawn there."""

from io import BytesIO

import pikepdf
import pypdfium2
from PIL import Image as Picture

from ofd.draw.pdfium import PDFIUM
from ofd.geometry import Box, Matrix

__all__ = ["draw_by_pdfium", "matrix_operator", "picture_by_pdfium"]

_MOST_POINTS = 14_400
_MOST_PIXELS = 40_000_000


def picture_by_pdfium(
    source: pikepdf.Object,
    size: tuple[int, int],
    *,
    resources: pikepdf.Object | None = None,
    as_stencil: bool = False,
) -> Picture.Image | None:
    """An image XObject pixel for pixel, without its masks; None when PDFium cannot decode it.

    Args:
        source: the image.
        size: its pixels.
        resources: where its colour space may be named.
        as_stencil: a stencil mask: what it paints comes out dark.
    """
    width, height = size
    if width * height > _MOST_PIXELS:
        return None
    unit = min(1.0, _MOST_POINTS / max(size))
    document = pikepdf.new()
    image = _copied(document, source)
    for key in ("/SMask", "/Mask", "/Interpolate", "/OC", "/Metadata"):
        if key in image:
            del image[key]
    spaces = resources.get("/ColorSpace") if resources is not None else None
    page = document.add_blank_page(page_size=(width * unit, height * unit))
    found: dict[str, pikepdf.Object] = {"/XObject": pikepdf.Dictionary({"/Im": image})}
    if isinstance(spaces, pikepdf.Dictionary):
        found["/ColorSpace"] = _foreign(document, spaces)
    page.obj["/Resources"] = pikepdf.Dictionary(found)
    page.obj["/Contents"] = document.make_stream(f"{width * unit} 0 0 {height * unit} 0 0 cm /Im Do".encode())
    picture = _rendered(document, scale=1 / unit, transparent=False)
    if picture is None:
        return None
    picture = picture.convert("L" if as_stencil else "RGB")
    return picture if picture.size == size else picture.resize(size)


def draw_by_pdfium(content: bytes, resources: pikepdf.Object, area: Box, *, scale: float) -> Picture.Image | None:
    """What a content stream paints inside an area, with its opacity.

    Args:
        content: operators in default user space.
        resources: resources for them.
        area: in default user space, of which x and y are the lower left corner.
        scale: pixels per unit.
    """
    if area.width * area.height * scale * scale > _MOST_PIXELS or min(area.width, area.height) <= 0:
        return None
    document = pikepdf.new()
    page = document.add_blank_page(page_size=(area.width, area.height))
    page.obj["/MediaBox"] = pikepdf.Array([area.x, area.y, area.right, area.bottom])
    page.obj["/Resources"] = _foreign(document, resources)
    page.obj["/Contents"] = document.make_stream(content)
    return _rendered(document, scale=scale, transparent=True)


def matrix_operator(matrix: Matrix) -> bytes:
    """A ``cm`` operator."""
    return (" ".join(f"{value:.8f}" for value in matrix) + " cm\n").encode()


def _copied(document: pikepdf.Pdf, source: pikepdf.Object) -> pikepdf.Object:
    if source.objgen[0]:
        return document.copy_foreign(source)
    holder = pikepdf.Stream(document, source.read_raw_bytes())
    for key, value in source.items():
        if key != "/Length":
            holder[key] = _foreign(document, value)
    return holder


def _foreign(document: pikepdf.Pdf, value: object) -> pikepdf.Object:
    """A copy of an object of another document, however its parts are stored."""
    if isinstance(value, pikepdf.Object) and value.objgen[0]:
        return document.copy_foreign(value)
    if isinstance(value, pikepdf.Dictionary):
        return pikepdf.Dictionary({key: _foreign(document, item) for key, item in value.items()})
    if isinstance(value, pikepdf.Array):
        return pikepdf.Array([_foreign(document, item) for item in value])
    return value  # type: ignore[return-value]


def _rendered(document: pikepdf.Pdf, *, scale: float, transparent: bool) -> Picture.Image | None:
    stream = BytesIO()
    try:
        document.save(stream)
        document.close()
        with PDFIUM:
            opened = pypdfium2.PdfDocument(stream.getvalue())
            try:
                fill = (255, 255, 255, 0) if transparent else (255, 255, 255, 255)
                bitmap = opened[0].render(scale=scale, fill_color=fill, may_draw_forms=False, rev_byteorder=True)
                picture: Picture.Image = bitmap.to_pil()
                return picture.copy()
            finally:
                opened.close()
    except (pypdfium2.PdfiumError, pikepdf.PdfError, ValueError, MemoryError):
        return None
