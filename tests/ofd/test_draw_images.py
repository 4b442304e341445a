import io
import struct
import zlib

import pytest
from PIL import Image as Pillow

from ofd.draw.images import PictureKind, decode, picture_kind, picture_size, web_picture
from ofd.draw.jbig2 import read_jbig2
from ofd.draw.pdf_images import pdf_picture
from ofd.draw.svg_picture import svg_to_png
from trustcore.errors import MalformedError, RejectedError, TrustError

from support.scenes import jbig2_picture, picture

SVG = b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 10 10">%s</svg>'


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (picture("PNG"), PictureKind.PNG),
        (picture("JPEG"), PictureKind.JPEG),
        (picture("GIF", "P"), PictureKind.GIF),
        (picture("BMP"), PictureKind.BMP),
        (picture("TIFF"), PictureKind.TIFF),
        (jbig2_picture(), PictureKind.JBIG2),
        (SVG % b"", PictureKind.SVG),
        (b'\xef\xbb\xbf<?xml version="1.0"?>' + SVG % b"", PictureKind.SVG),
        (b"PK\x03\x04", PictureKind.OFD),
        (b"", None),
        (b"<html>", None),
    ],
)
def test_a_picture_is_known_by_its_octets(data: bytes, kind: PictureKind | None) -> None:
    assert picture_kind(data) is kind


@pytest.mark.parametrize("form", ["PNG", "JPEG", "BMP", "TIFF"])
def test_pictures_are_unpacked(form: str) -> None:
    assert decode(picture(form)).size == picture_size(picture(form)) == (60, 40)


def test_jbig2_is_unpacked() -> None:
    image = decode(jbig2_picture())
    assert image.size == (64, 32)
    assert (image.getpixel((5, 5)), image.getpixel((60, 5))) == (0, 255)


@pytest.mark.parametrize("cut", [9, 14, 20, 40, 60])
def test_damaged_jbig2_is_refused(cut: int) -> None:
    with pytest.raises(MalformedError):
        read_jbig2(jbig2_picture()[:cut])


def test_browsers_get_what_they_can_show() -> None:
    assert web_picture(picture("PNG")) == ("image/png", picture("PNG"))
    assert web_picture(picture("JPEG")) == ("image/jpeg", picture("JPEG"))
    for data in (picture("BMP"), picture("TIFF"), picture("JPEG", "CMYK"), jbig2_picture()):
        media_type, shown = web_picture(data)
        assert media_type == "image/png"
        assert Pillow.open(io.BytesIO(shown)).size == picture_size(data)


def huge_png(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">L", len(data)) + kind + data + struct.pack(">L", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">2L5B", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")


@pytest.mark.parametrize("size", [(10_000, 10_000), (60_000, 60_000), (2**31 - 1, 2**31 - 1)])
@pytest.mark.parametrize("read", [decode, pdf_picture, web_picture])
def test_picture_bombs_are_refused_before_they_are_unpacked(size: tuple[int, int], read: object) -> None:
    assert callable(read)
    with pytest.raises(RejectedError) as caught:
        read(huge_png(*size))
    assert caught.value.code == "ofd.image.too-large"


@pytest.mark.parametrize("form", ["PNG", "JPEG", "BMP", "TIFF", "GIF"])
def test_mutilated_pictures_are_read_or_refused(form: str) -> None:
    data = bytearray(picture(form, "P" if form == "GIF" else "RGB"))
    for place in range(0, len(data), max(len(data) // 60, 1)):
        changed = bytes(data[:place]) + bytes([data[place] ^ 0xFF]) + bytes(data[place + 1 :])
        for one in (changed, bytes(data[:place])):
            for read in (decode, pdf_picture, web_picture):
                try:
                    read(one)
                except TrustError as error:
                    assert error.code.startswith("ofd.image.")  # noqa: PT017 - most are read


def test_a_picture_that_was_cut_off_is_shown_as_far_as_it_goes() -> None:
    whole = picture("PNG", "RGB", (300, 300))
    assert decode(whole[: len(whole) * 2 // 3]).size == (300, 300)


def test_an_interlaced_png_is_packed_again() -> None:
    assert pdf_picture(picture("PNG")).entries.get("DecodeParms")
    data = bytearray(picture("PNG"))
    data[28] = 1
    data[29:33] = struct.pack(">L", zlib.crc32(bytes(data[12:29])))
    try:
        assert not pdf_picture(bytes(data)).entries.get("DecodeParms")
    except MalformedError as error:
        assert error.code == "ofd.image.malformed"  # noqa: PT017 - its rows are not really interlaced


def test_svg_pictures_are_drawn_as_wide_as_they_will_stand() -> None:
    drawn = Pillow.open(io.BytesIO(svg_to_png(SVG % b'<circle r="5" cx="5" cy="5" fill="red"/>', width_mm=25.4)))
    assert drawn.size == (600, 600)
    assert drawn.getpixel((300, 300)) == (255, 0, 0, 255)
    assert drawn.getpixel((0, 0)) == (0, 0, 0, 0)


@pytest.mark.parametrize("tag", [b"image", b"feImage", b"use"])
def test_svg_pictures_open_no_files(tag: bytes, tmp_path: object) -> None:
    outside = f"{tmp_path}/secret.png"
    with open(outside, "wb") as out:  # noqa: PTH123 - the path goes into the picture
        out.write(picture("PNG"))
    inside = b'<%s href="%s" width="10" height="10"/>' % (tag, outside.encode())
    drawn = Pillow.open(io.BytesIO(svg_to_png(SVG % inside, width_mm=5)))
    assert drawn.getextrema() == ((0, 0),) * 4


@pytest.mark.parametrize(
    "data",
    [b"", b"<svg", SVG % b"<x", b'<!DOCTYPE svg [<!ENTITY a "b">]><svg xmlns="http://www.w3.org/2000/svg">&a;</svg>'],
)
def test_svg_that_cannot_be_trusted_is_refused(data: bytes) -> None:
    with pytest.raises(MalformedError):
        svg_to_png(data, width_mm=10)
