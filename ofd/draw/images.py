"""Pictures of documents: which kind they are, their size, and their pixels, within limits.

What a picture is, its octets say; ``Format`` and the file's name are often wrong. A picture whose pixels would fill the
memory is refused before it is unpacked.
"""

import io
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum

from PIL import Image as Pillow
from PIL import ImageFile

from ofd.draw.jbig2 import MAGIC as JBIG2_MAGIC
from ofd.draw.jbig2 import read_jbig2
from ofd.draw.pdf_file import Name, PdfFile, Value
from ofd.draw.pdfium import raster
from trustcore.errors import MalformedError, RejectedError

__all__ = [
    "MOST_PIXELS",
    "PictureKind",
    "decode",
    "open_picture",
    "picture_kind",
    "picture_size",
    "to_png",
    "web_picture",
]

MOST_PIXELS = 80_000_000
"""Larger pictures are refused; an A3 page at 600 dots per inch has 70 million."""
_DECODER_ERRORS = (OSError, ValueError, SyntaxError, EOFError, LookupError, TypeError, AttributeError, struct.error)
"""What Pillow's readers raise when they meet what they do not expect."""
_WEB_MODES = frozenset({"L", "RGB"})


class PictureKind(StrEnum):
    """Kinds of pictures, by their first octets."""

    PNG = "image/png"
    JPEG = "image/jpeg"
    GIF = "image/gif"
    BMP = "image/bmp"
    TIFF = "image/tiff"
    JBIG2 = "image/jbig2"
    SVG = "image/svg+xml"
    OFD = "application/ofd"


_PILLOW_FORMATS = ("PNG", "JPEG", "GIF", "BMP", "DIB", "TIFF")
_MAGIC = (
    (b"\x89PNG\r\n\x1a\n", PictureKind.PNG),
    (b"\xff\xd8\xff", PictureKind.JPEG),
    (b"GIF8", PictureKind.GIF),
    (b"BM", PictureKind.BMP),
    (b"II*\0", PictureKind.TIFF),
    (b"MM\0*", PictureKind.TIFF),
    (JBIG2_MAGIC, PictureKind.JBIG2),
    (b"PK\x03\x04", PictureKind.OFD),
)


def picture_kind(data: bytes) -> PictureKind | None:
    """What a picture is; ``None`` when it is none of the kinds."""
    for magic, kind in _MAGIC:
        if data.startswith(magic):
            return kind
    start = data[:1024].lstrip(b"\xef\xbb\xbf \t\r\n")
    return PictureKind.SVG if start.startswith(b"<") and b"<svg" in data[:65536] else None


@contextmanager
def open_picture(data: bytes) -> Iterator[Pillow.Image]:
    """A picture that Pillow reads, opened but not unpacked.

    Raises:
        MalformedError: ``ofd.image.malformed``.
        RejectedError: ``ofd.image.too-large``, more than :data:`MOST_PIXELS`.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image = Pillow.open(io.BytesIO(data), formats=_PILLOW_FORMATS)
    except Pillow.DecompressionBombError as error:
        raise _too_large() from error
    except _DECODER_ERRORS as error:
        raise _malformed() from error
    with image:
        if image.width * image.height > MOST_PIXELS:
            raise _too_large()
        yield image


def picture_size(data: bytes) -> tuple[int, int]:
    """Width and height in pixels.

    Raises:
        MalformedError: ``ofd.image.malformed``.
        RejectedError: ``ofd.image.too-large``.
    """
    if picture_kind(data) is PictureKind.JBIG2:
        jbig2 = read_jbig2(data)
        if jbig2.width * jbig2.height > MOST_PIXELS:
            raise _too_large()
        return jbig2.width, jbig2.height
    with open_picture(data) as image:
        return image.size


def decode(data: bytes) -> Pillow.Image:
    """The pixels of a picture, of the first one where there are several; a damaged end is left blank.

    Raises:
        MalformedError: ``ofd.image.malformed``.
        RejectedError: ``ofd.image.too-large``.
    """
    if picture_kind(data) is PictureKind.JBIG2:
        return _decode_jbig2(data)
    with open_picture(data) as image:
        assert isinstance(image, ImageFile.ImageFile)
        try:
            image.load()
        except _DECODER_ERRORS as error:
            # What was unpacked before the fault stays; without further tiles the picture counts as whole.
            image.tile = []
            try:
                return image.copy()
            except _DECODER_ERRORS:
                raise _malformed() from error
        return image.copy()


def to_png(image: Pillow.Image) -> bytes:
    """A picture as PNG."""
    written = io.BytesIO()
    image.save(written, "PNG")
    return written.getvalue()


def web_picture(data: bytes) -> tuple[str, bytes]:
    """A picture as browsers show it: its media type and octets; PNG, JPEG and GIF stay as they are.

    Raises:
        MalformedError: ``ofd.image.malformed``.
        RejectedError: ``ofd.image.too-large``.
    """
    kind = picture_kind(data)
    if kind in {PictureKind.PNG, PictureKind.GIF}:
        picture_size(data)
        return str(kind), data
    if kind is PictureKind.JPEG:
        with open_picture(data) as image:
            if image.mode in _WEB_MODES:
                return str(kind), data
    image = decode(data)
    return "image/png", to_png(image if image.mode in {"1", "L", "LA", "P", "RGB", "RGBA"} else image.convert("RGB"))


def _decode_jbig2(data: bytes) -> Pillow.Image:
    """PDFium unpacks it: the picture is the page of a PDF, a point for each pixel."""
    width, height = picture_size(data)
    out = io.BytesIO()
    file = PdfFile(out)
    picture = file.stream(
        {
            "Type": Name("XObject"),
            "Subtype": Name("Image"),
            "Width": width,
            "Height": height,
            "ColorSpace": Name("DeviceGray"),
            "BitsPerComponent": 1,
            "Filter": Name("JBIG2Decode"),
        },
        read_jbig2(data).stream,
        compress=False,
    )
    pages = file.reserve()
    page: Value = {
        "Type": Name("Page"),
        "Parent": pages,
        "MediaBox": [0, 0, width, height],
        "Contents": file.stream({}, b"%d 0 0 %d 0 0 cm /P Do" % (width, height)),
        "Resources": {"XObject": {"P": picture}},
    }
    file.put({"Type": Name("Pages"), "Kids": [file.put(page)], "Count": 1}, pages)
    file.finish(file.put({"Type": Name("Catalog"), "Pages": pages}))
    return raster(out.getvalue(), scale=1, crop=None, background=(255, 255, 255, 255)).convert("1")


def _malformed() -> MalformedError:
    return MalformedError("The picture cannot be read.", code="ofd.image.malformed")


def _too_large() -> RejectedError:
    return RejectedError("The picture has too many pixels.", code="ofd.image.too-large")
