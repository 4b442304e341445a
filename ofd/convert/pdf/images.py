"""Pictures of a PDF (ISO 32000-2 §8.9) as JPEG or PNG.

JPEG in gray or RGB is passed through. Rare codings (JBIG2, JPEG 2000, CCITT and what else PDF allows) are decoded by
PDFium. What is see-through becomes a mask of a JPEG, or the alpha channel of a PNG.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO

import pikepdf
from PIL import Image as Picture
from PIL import ImageChops, ImageFilter, ImageOps

from ofd.convert.pdf.colors import ColorSpace, Rgb, grid, read_color_space
from ofd.convert.pdf.inks import LEVELS, ink_table
from ofd.convert.pdf.rendering import picture_by_pdfium
from ofd.convert.pdf.streams import Limits, array, filters_of, number, numbers, read_stream
from trustcore.errors import TrustError

__all__ = ["Decoded", "decode_image", "stream_name"]

_JPEG = {"/DCTDecode", "/DCT"}
_PLAIN = {"/FlateDecode", "/Fl", "/LZWDecode", "/LZW", "/RunLengthDecode", "/RL", "/ASCII85Decode", "/A85"}
_PLAIN |= {"/ASCIIHexDecode", "/AHx", "/Crypt"}
_MODES = {"gray": "L", "rgb": "RGB", "cmyk": "CMYK"}
_TINT_STEPS = 17
_LARGEST_BLENDED = 500_000
"""Pixels of a JPEG with a soft mask up to which it becomes PNG."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoded:
    """A picture as OFD takes it."""

    data: bytes
    mask: bytes | None = None
    """PNG in gray: where it is dark, the picture is see-through."""


def decode_image(
    source: pikepdf.Object, resources: pikepdf.Object | None, limits: Limits, *, color: Rgb = (0, 0, 0)
) -> Decoded | None:
    """An image of a PDF; None when it has no size, is too big, or cannot be decoded.

    Args:
        source: an image XObject, or an inline image made into a stream with full key names.
        resources: where its colour space may be named.
        limits: the most pixels.
        color: in which a stencil mask is painted.
    """
    width, height = int(number(source.get("/Width"))), int(number(source.get("/Height")))
    if width <= 0 or height <= 0 or width * height > limits.picture_pixels:
        return None
    if bool(source.get("/ImageMask", False)):
        stencil = _gray(source, resources, limits, (width, height), stencil=True)
        return None if stencil is None else Decoded(data=_stencil_png(stencil, color))
    alpha = _alpha(source, resources, limits)
    space = read_color_space(source.get("/ColorSpace"), resources, limits)
    if _passes_through(source, space):
        data = source.read_raw_bytes()
        if _is_plain_jpeg(data) and (alpha is None or _may_be_mask(alpha, (width, height))):
            return Decoded(data=data, mask=None if alpha is None else _mask_png(alpha, (width, height)))
    picture = _decode(source, resources, limits, space, (width, height))
    if picture is None:
        return None
    keyed = _color_key(source, space, limits, (width, height)) if alpha is None else None
    alpha = alpha if keyed is None else keyed
    if alpha is None:
        return Decoded(data=_png(picture))
    size = max(picture.size, alpha.size)
    if size[0] * size[1] > limits.picture_pixels:
        size = picture.size
    picture = picture.convert("RGB") if picture.mode == "P" else picture
    layers = [
        layer if layer.size == size else layer.resize(size, Picture.Resampling.BILINEAR) for layer in (picture, alpha)
    ]
    joined = Picture.merge("LA", layers) if picture.mode == "L" else _with_alpha(layers[0], layers[1])
    return Decoded(data=_png(joined))


def _may_be_mask(alpha: Picture.Image, size: tuple[int, int]) -> bool:
    """Whether an ImageMask serves: readers exist that know no half-tones in it, so small pictures rather become PNG."""
    return size[0] * size[1] > _LARGEST_BLENDED or not any(alpha.histogram()[1:255])


def _mask_png(alpha: Picture.Image, size: tuple[int, int]) -> bytes:
    """The mask in the size of its picture, as readers want it."""
    if not any(alpha.histogram()[1:255]):
        return _png(alpha.resize(size, Picture.Resampling.NEAREST).convert("1"))
    return _png(alpha.resize(size, Picture.Resampling.BILINEAR))


def _with_alpha(picture: Picture.Image, alpha: Picture.Image) -> Picture.Image:
    joined = picture.convert("RGB")
    joined.putalpha(alpha)
    return joined


def _passes_through(source: pikepdf.Object, space: ColorSpace | None) -> bool:
    filters = filters_of(source)
    if len(filters) != 1 or filters[0] not in _JPEG or (source.get("/Mask") is not None and array(source.get("/Mask"))):
        return False
    decode = numbers(source.get("/Decode"))
    plain = decode is None or all(value == index % 2 for index, value in enumerate(decode))
    return plain and (space is None or space.kind in {"gray", "rgb"})


def _is_plain_jpeg(data: bytes) -> bool:
    """Whether every reader shows a JPEG alike: gray or YCbCr with three components."""
    try:
        with Picture.open(BytesIO(data), formats=["JPEG"]) as picture:
            return picture.mode in {"L", "RGB"} and picture.info.get("adobe_transform", 1) == 1
    except (OSError, ValueError, Picture.DecompressionBombError):
        return False


def _png(picture: Picture.Image) -> bytes:
    stream = BytesIO()
    picture.save(stream, "PNG", optimize=False, compress_level=9 if picture.mode == "1" else 6)
    return stream.getvalue()


def _stencil_png(stencil: Picture.Image, color: Rgb) -> bytes:
    """One bit per pixel: painted where the stencil is dark, see-through elsewhere."""
    palette = stencil.point(lambda value: 0 if value < 128 else 1, "L")
    palette = palette.convert("P")
    octets = [min(max(round(value * 255), 0), 255) for value in color]
    palette.putpalette([*octets, 255, 255, 255])
    stream = BytesIO()
    palette.save(stream, "PNG", bits=1, transparency=1, compress_level=9)
    return stream.getvalue()


def _alpha(source: pikepdf.Object, resources: pikepdf.Object | None, limits: Limits) -> Picture.Image | None:
    """Opacity by ``SMask`` or by a ``Mask`` that is a picture."""
    for key, stencil in (("/SMask", False), ("/Mask", True)):
        mask = source.get(key)
        if isinstance(mask, pikepdf.Stream):
            size = (int(number(mask.get("/Width"))), int(number(mask.get("/Height"))))
            if min(size) <= 0 or size[0] * size[1] > limits.picture_pixels:
                return None
            found = _gray(mask, resources, limits, size, stencil=stencil)
            return found if found is None or not stencil else ImageOps.invert(found)
    return None


def _gray(
    source: pikepdf.Object,
    resources: pikepdf.Object | None,
    limits: Limits,
    size: tuple[int, int],
    *,
    stencil: bool,
) -> Picture.Image | None:
    """A mask as a gray picture."""
    if set(filters_of(source)) <= _PLAIN:
        bits = 1 if stencil else int(number(source.get("/BitsPerComponent"), 8))
        samples = _samples(read_stream(source, limits), size, 1, bits)
        picture = None if samples is None else Picture.frombytes("L", size, samples)
        if picture is not None and bits < 8:
            picture = picture.point([value * 255 // ((1 << bits) - 1) & 255 for value in range(256)])
        decode = numbers(source.get("/Decode"), 2)
        return ImageOps.invert(picture) if picture is not None and decode and decode[0] > decode[1] else picture
    if stencil:
        return picture_by_pdfium(source, size, as_stencil=True)
    picture = _decode(source, resources, limits, read_color_space(source.get("/ColorSpace"), resources, limits), size)
    return None if picture is None else picture.convert("L")


def _decode(
    source: pikepdf.Object,
    resources: pikepdf.Object | None,
    limits: Limits,
    space: ColorSpace | None,
    size: tuple[int, int],
) -> Picture.Image | None:
    """The picture in gray, RGB or with a palette, without its masks."""
    filters = filters_of(source)
    bits = int(number(source.get("/BitsPerComponent"), 8))
    try:
        if space is not None and set(filters) <= _PLAIN and space.kind != "pattern":
            samples = _samples(read_stream(source, limits), size, space.components, bits)
            if samples is not None:
                return _colored(samples, size, space, bits, numbers(source.get("/Decode")))
        if filters[-1:] and filters[-1] in _JPEG and space is not None and space.kind == "cmyk":
            return _cmyk_jpeg(source, numbers(source.get("/Decode")))
    except (OSError, ValueError, TrustError, pikepdf.PdfError, Picture.DecompressionBombError):
        return None
    found = picture_by_pdfium(source, size, resources=resources)
    if found is not None and space is not None and space.kind == "gray":
        return found.convert("L")
    return found


def _samples(data: bytes, size: tuple[int, int], components: int, bits: int) -> bytes | None:
    """One octet per sample, rows without padding; samples of less than eight bits keep their value."""
    width, height = size
    row = (width * components * bits + 7) // 8
    data = data[: row * height].ljust(row * height, b"\x00")
    if bits == 8:
        return data
    if bits == 16:
        return data[::2]
    if bits not in {1, 2, 4}:
        return None
    per = 8 // bits
    top = (1 << bits) - 1
    table = [bytes((octet >> shift) & top for shift in range(8 - bits, -1, -bits)) for octet in range(256)]
    rows = []
    for index in range(height):
        expanded = b"".join([table[octet] for octet in data[index * row : (index + 1) * row]])
        rows.append(expanded[: width * components])
    return b"".join(rows) if per else None


def _colored(
    samples: bytes, size: tuple[int, int], space: ColorSpace, bits: int, decode: tuple[float, ...] | None
) -> Picture.Image:
    if space.kind == "indexed":
        picture = Picture.frombytes("P", size, samples)
        palette = [round(value * 255) for entry in space.table for value in entry]
        picture.putpalette(palette)
        return picture
    top = 255 if bits >= 8 else (1 << bits) - 1
    pairs = list(zip(decode[::2], decode[1::2], strict=False)) if decode else []
    if len(pairs) != space.components or space.kind == "lab":
        pairs = [(0.0, 1.0)] * space.components
    bands = [Picture.frombytes("L", size, samples[index :: space.components]) for index in range(space.components)]
    if top != 255 or any(pair != (0.0, 1.0) for pair in pairs):
        bands = [band.point(_decoding(top, pair)) for band, pair in zip(bands, pairs, strict=True)]
    if space.kind == "gray":
        return bands[0]
    if space.kind == "rgb":
        return Picture.merge("RGB", bands)
    if space.kind == "cmyk":
        return _inked(bands)
    return _through_grid(bands, space)


def _decoding(top: int, pair: tuple[float, float]) -> list[int]:
    low, high = pair
    return [min(max(round((low + min(value, top) / top * (high - low)) * 255), 0), 255) for value in range(256)]


def _through_grid(bands: Sequence[Picture.Image], space: ColorSpace) -> Picture.Image:
    """Colours of a space that only a function knows: a table for one component, a cube for three."""
    if space.components == 1:
        colors = [space.rgb((value / 255,)) for value in range(256)]
        return Picture.merge("RGB", [bands[0].point([round(c[i] * 255) for c in colors]) for i in range(3)])
    if space.components == 3:
        scaled = space
        if space.kind == "lab":

            def to_rgb(v: Sequence[float]) -> Rgb:
                return space.rgb((v[0] * 100, v[1] * 200 - 100, v[2] * 200 - 100))

            scaled = ColorSpace(kind="lab", components=3, initial=space.initial, to_rgb=to_rgb)
        cube = ImageFilter.Color3DLUT(_TINT_STEPS, grid(scaled, _TINT_STEPS))
        return Picture.merge("RGB", list(bands)).filter(cube)
    seen: dict[tuple[int, ...], bytes] = {}
    pixels = bytearray()
    for values in zip(*(band.tobytes() for band in bands), strict=True):
        color = seen.get(values)
        if color is None:
            shown = space.rgb([value / 255 for value in values])
            color = seen[values] = bytes(round(value * 255) for value in shown)
        pixels += color
    return Picture.frombytes("RGB", bands[0].size, bytes(pixels))


def _inked(bands: Sequence[Picture.Image]) -> Picture.Image:
    """CMYK to RGB: a cube for each level of black, mixed by how much black there is."""
    colored = Picture.merge("RGB", list(bands[:3]))
    table = ink_table()
    shown: Picture.Image | None = None
    for black in range(LEVELS):
        cube = [table[c, m, y, black] for y in range(LEVELS) for m in range(LEVELS) for c in range(LEVELS)]
        layer = colored.filter(ImageFilter.Color3DLUT(LEVELS, cube))
        if shown is None:
            shown = layer
            continue
        first, step = 255 * (black - 1) / (LEVELS - 1), 255 / (LEVELS - 1)
        share = [min(max(round((value - first) / step * 255), 0), 255) for value in range(256)]
        shown = Picture.composite(layer, shown, bands[3].point(share))
    assert shown is not None
    return shown


def _cmyk_jpeg(source: pikepdf.Object, decode: tuple[float, ...] | None) -> Picture.Image:
    data = (
        source.read_raw_bytes()
        if len(filters_of(source)) == 1
        else source.read_bytes(pikepdf.StreamDecodeLevel.specialized)
    )
    with Picture.open(BytesIO(data), formats=["JPEG"]) as picture:
        if picture.mode != "CMYK":
            return picture.convert("RGB")
        bands = list(picture.split())
        inverted = decode is not None and len(decode) > 1 and decode[0] > decode[1]
        # Pillow turns the values of Adobe's JPEG round; a PDF says by Decode whether they are stored that way.
        if ("adobe" in picture.info) != inverted:
            bands = [ImageOps.invert(band) for band in bands]
        return _inked(bands)


def _color_key(
    source: pikepdf.Object, space: ColorSpace | None, limits: Limits, size: tuple[int, int]
) -> Picture.Image | None:
    """Opacity by a range of colours (§8.9.6.4)."""
    ranges = numbers(source.get("/Mask"))
    if not ranges or space is None or not set(filters_of(source)) <= _PLAIN or len(ranges) != 2 * space.components:
        return None
    bits = int(number(source.get("/BitsPerComponent"), 8))
    samples = _samples(read_stream(source, limits), size, space.components, bits)
    if samples is None:
        return None
    outside: Picture.Image | None = None
    for index in range(space.components):
        low, high = ranges[2 * index], ranges[2 * index + 1]
        band = Picture.frombytes("L", size, samples[index :: space.components])
        band = band.point([0 if low <= value <= high else 255 for value in range(256)])
        outside = band if outside is None else _lighter(outside, band)
    return outside


def _lighter(first: Picture.Image, second: Picture.Image) -> Picture.Image:
    return ImageChops.lighter(first, second)


def stream_name(source: pikepdf.Object) -> str:
    """A name for a picture that is unique in its document; empty for one that stands in a content stream."""
    first, second = source.objgen
    return f"pdf-{first}-{second}" if first else ""
