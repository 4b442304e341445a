"""PDFium, one caller at a time: the library must not be entered by two threads at once."""

from contextlib import suppress
from threading import RLock

import pypdfium2
from PIL import Image as Pillow

from trustcore.errors import MalformedError, RejectedError

__all__ = ["MOST_PIXELS", "PDFIUM", "raster"]

PDFIUM = RLock()
"""Hold it around every use of PDFium."""
_NO_PIXEL_MORE = 1 - 1e-5
"""PDFium's binding rounds sizes up; millimetres in points are never quite even."""
MOST_PIXELS = 120_000_000
"""Largest picture that a page is drawn into."""


def raster(
    pdf: bytes,
    *,
    index: int = 0,
    scale: float,
    crop: tuple[float, float, float, float] | None,
    background: tuple[int, int, int, int],
) -> Pillow.Image:
    """Draw a page of a PDF.

    Args:
        pdf: the whole file.
        index: the page, from 0.
        scale: pixels for one point.
        crop: points left away on the left, below, on the right and above.
        background: red, green, blue and opacity, 0 to 255; the picture has an opacity of its own when the last is
            below 255.

    Raises:
        MalformedError: ``ofd.draw.pdfium``, PDFium cannot read the file.
        RejectedError: ``ofd.draw.too-large``, the picture would have more than :data:`MOST_PIXELS`.
    """
    with PDFIUM:
        try:
            document = pypdfium2.PdfDocument(pdf)
        except pypdfium2.PdfiumError as error:
            raise MalformedError("The page cannot be drawn.", code="ofd.draw.pdfium") from error
        try:
            page = document[index]
            left, bottom, right, top = crop or (0.0, 0.0, 0.0, 0.0)
            width, height = page.get_size()
            pixels = (width - left - right) * (height - bottom - top) * scale**2
            if pixels > MOST_PIXELS:
                raise RejectedError("The picture would have too many pixels.", code="ofd.draw.too-large")
            bitmap = page.render(
                scale=scale * _NO_PIXEL_MORE,
                crop=(left, bottom, right, top),
                fill_color=background,
                rev_byteorder=True,
            )
            image: Pillow.Image = bitmap.to_pil().copy()
            with suppress(AttributeError):
                bitmap.close()
            page.close()
            return image
        finally:
            document.close()
