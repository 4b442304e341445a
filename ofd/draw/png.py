"""Scenes as PNG pictures, drawn by PDFium."""

from dataclasses import replace

from PIL import Image as Pillow

from ofd.draw.images import to_png as encode_png
from ofd.draw.pdf import PdfWriter
from ofd.draw.pdfium import raster
from ofd.draw.scene import Color, Scene
from ofd.geometry import Box

__all__ = ["WHITE", "to_picture", "to_png"]

WHITE = Color.of(1, 1, 1)


def to_png(scene: Scene, *, dpi: float = 150, background: Color | None = WHITE, region: Box | None = None) -> bytes:
    """A page as PNG.

    Args:
        scene: the page.
        dpi: dots for an inch.
        background: what lies below the page; ``None`` leaves the picture see-through.
        region: the part to draw, in millimetres; the whole page by default.

    Raises:
        RejectedError: ``ofd.draw.too-large``, the picture would have too many pixels.
    """
    return encode_png(to_picture(scene, dpi=dpi, background=background, region=region))


def to_picture(
    scene: Scene, *, dpi: float = 150, background: Color | None = WHITE, region: Box | None = None
) -> Pillow.Image:
    """As :func:`to_png`, not packed."""
    writer = PdfWriter(dot_mm=25.4 / dpi)
    writer.add_page(replace(scene, area=region) if region else scene)
    filled = (0, 0, 0, 0) if background is None else tuple(round(part * 255) for part in background)
    red, green, blue, alpha = filled
    return raster(writer.finish(), scale=dpi / 72, crop=None, background=(red, green, blue, alpha))
