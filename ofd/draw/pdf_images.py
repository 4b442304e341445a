"""Pictures in a PDF (ISO 32000-2 §8.9): handed on as they are where PDF has the same coding, else packed again."""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from PIL import Image as Pillow
from PIL import ImageChops

from ofd.draw.images import PictureKind, decode, open_picture, picture_kind, picture_size
from ofd.draw.jbig2 import read_jbig2
from ofd.draw.pdf_file import Name, PdfFile, Ref, Value

__all__ = ["PdfPicture", "pdf_picture", "write_picture"]

_PNG_COLORS = {0: 1, 2: 3, 3: 1}
"""Components by the colour types that PDF's predictors know too."""
_JPEG_SPACES = {"L": "DeviceGray", "RGB": "DeviceRGB", "CMYK": "DeviceCMYK"}


@dataclass(frozen=True, slots=True, kw_only=True)
class PdfPicture:
    """A picture made ready for a PDF."""

    entries: Mapping[str, Value]
    data: bytes
    """With the filter that ``entries`` names."""
    alpha: bytes | None = None
    """Opacity of each pixel, an octet each, not packed."""
    size: tuple[int, int] = field(default=(0, 0))


def write_picture(file: PdfFile, data: bytes, mask: bytes | None) -> Ref:
    """Write a picture with what makes it see-through.

    Raises:
        MalformedError: ``ofd.image.malformed``.
        RejectedError: ``ofd.image.too-large``.
    """
    picture = pdf_picture(data)
    entries = dict(picture.entries)
    alpha = None if picture.alpha is None else Pillow.frombytes("L", picture.size, picture.alpha)
    if mask is not None:
        shown = decode(mask).convert("L")
        alpha = shown if alpha is None else ImageChops.multiply(alpha.resize(shown.size), shown)
    if alpha is not None:
        entries["SMask"] = file.stream(_entries(alpha.size, "DeviceGray", 8), alpha.tobytes())
    return file.stream(entries, picture.data, compress=False)


def pdf_picture(data: bytes) -> PdfPicture:
    """Make a picture ready for a PDF.

    Raises:
        MalformedError: ``ofd.image.malformed``.
        RejectedError: ``ofd.image.too-large``.
    """
    kind = picture_kind(data)
    size = picture_size(data)
    if kind is PictureKind.JBIG2:
        entries = {**_entries(size, "DeviceGray", 1), "Filter": Name("JBIG2Decode")}
        return PdfPicture(entries=entries, data=read_jbig2(data).stream, size=size)
    if kind is PictureKind.JPEG and (ready := _jpeg(data, size)):
        return ready
    if kind is PictureKind.PNG and (ready := _png(data, size)):
        return ready
    return _pixels(decode(data))


def _entries(size: tuple[int, int], space: Value, bits: int) -> dict[str, Value]:
    named = Name(space) if isinstance(space, str) else space
    return {
        "Type": Name("XObject"),
        "Subtype": Name("Image"),
        "Width": size[0],
        "Height": size[1],
        "ColorSpace": named,
        "BitsPerComponent": bits,
    }


def _jpeg(data: bytes, size: tuple[int, int]) -> PdfPicture | None:
    with open_picture(data) as image:
        space = _JPEG_SPACES.get(image.mode)
        inverted = image.mode == "CMYK" and "adobe" in image.info
    if space is None:
        return None
    entries = {**_entries(size, space, 8), "Filter": Name("DCTDecode")}
    if inverted:
        entries["Decode"] = [1, 0] * 4
    return PdfPicture(entries=entries, data=data, size=size)


def _png(data: bytes, size: tuple[int, int]) -> PdfPicture | None:
    """The packed rows of a PNG as they are; ``None`` when it is interlaced, see-through or damaged."""
    header, palette, rows, at = b"", b"", [], 8
    while at + 12 <= len(data):
        length = int.from_bytes(data[at : at + 4])
        kind, body = data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        if len(body) < length or kind == b"tRNS":
            return None
        if kind == b"IHDR":
            header = body
        elif kind == b"PLTE":
            palette = body
        elif kind == b"IDAT":
            rows.append(body)
        elif kind == b"IEND":
            break
        at += 12 + length
    else:
        return None
    if len(header) != 13 or header[10:13] != b"\0\0\0" or header[9] not in _PNG_COLORS or not rows:
        return None
    bits, color = header[8], header[9]
    components = _PNG_COLORS[color]
    space: Value = Name("DeviceRGB" if components == 3 else "DeviceGray")
    if color == 3:
        if not palette or len(palette) % 3:
            return None
        space = [Name("Indexed"), Name("DeviceRGB"), len(palette) // 3 - 1, palette]
    predictor = {"Predictor": 15, "Colors": components, "BitsPerComponent": bits, "Columns": size[0]}
    entries = {**_entries(size, space, bits), "Filter": Name("FlateDecode"), "DecodeParms": predictor}
    return PdfPicture(entries=entries, data=b"".join(rows), size=size)


def _pixels(image: Pillow.Image) -> PdfPicture:
    alpha = None
    if image.mode in {"RGBA", "LA", "PA", "RGBa", "La"} or "transparency" in image.info:
        image = image.convert("RGBA")
        alpha = image.getchannel("A").tobytes()
        image = image.convert("RGB")
    elif image.mode.startswith("I"):
        image = _sixteen_to_eight(image)
    elif image.mode not in {"1", "L", "RGB", "CMYK"}:
        image = image.convert("RGB")
    space = {"1": "DeviceGray", "L": "DeviceGray", "RGB": "DeviceRGB", "CMYK": "DeviceCMYK"}[image.mode]
    entries = {**_entries(image.size, space, 1 if image.mode == "1" else 8), "Filter": Name("FlateDecode")}
    return PdfPicture(entries=entries, data=zlib.compress(image.tobytes()), alpha=alpha, size=image.size)


def _sixteen_to_eight(image: Pillow.Image) -> Pillow.Image:
    wide = image.convert("I")
    return wide.point(lambda value: value * (1 / 256)).convert("L")
