"""Put a signature value into a PDF: one incremental update with a field, a picture and a hole for the value.

ISO 32000-2 §12.8.1: the ByteRange covers the whole file except the hole, which is the hexadecimal string of /Contents.
The update is written by pyHanko's low-level embedder, which leaves the value itself to us; so every form of signature
goes the same way, and signing may be interrupted between :func:`prepare` and :meth:`PreparedPdf.complete`.
"""

import zlib
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from io import BytesIO
from typing import Any, cast

from PIL import Image
from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.generic import pdf_name
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.misc import PdfError
from pyhanko.sign.fields import MDPPerm, SigFieldSpec, SigSeedSubFilter
from pyhanko.sign.signers.cms_embedder import PdfCMSEmbedder, SigIOSetup, SigObjSetup
from pyhanko.sign.signers.pdf_byterange import PdfSignedData

from seal_service.core.placement import Placement
from trustcore.crypto.algorithms import DigestAlgorithm
from trustcore.errors import InternalError, MalformedError, RejectedError

__all__ = ["LARGEST_PDF_BYTES", "READ_ERRORS", "Form", "PreparedPdf", "StampPicture", "prepare"]

LARGEST_PDF_BYTES = 64 * 1024 * 1024
"""Larger documents are refused: the object graph of a PDF is held in memory."""

READ_ERRORS = (
    PdfError, ValueError, KeyError, IndexError, TypeError, AttributeError, AssertionError, RecursionError, OSError,
    NotImplementedError, ArithmeticError,
)  # fmt: skip
"""What a hostile file can make a PDF reader raise."""

_POINTS_PER_MM = 72 / 25.4


class Form(StrEnum):
    """Kinds of signature a seal makes on a PDF."""

    PADES = "pades"
    """CMS of EN 319 142-1 (/Adobe.PPKLite, /ETSI.CAdES.detached)."""
    GM = "gm"
    """SES_Signature of GB/T 38540-2020 (/Gomain.GMPkiLite, /GM.sm2seal), the deployed practice in China."""


_NAMES = {
    Form.PADES: ("/Adobe.PPKLite", "/ETSI.CAdES.detached"),
    Form.GM: ("/Gomain.GMPkiLite", "/GM.sm2seal"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class StampPicture:
    """What shows where."""

    png: bytes
    placement: Placement


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedPdf:
    """A document with an empty hole for its signature value."""

    document: bytes
    hole: tuple[int, int]
    """Offsets of the octets of ``<…>``, the second exclusive."""
    digest: bytes
    """Digest of everything outside the hole."""

    @property
    def byte_range(self) -> tuple[int, int, int, int]:
        """The ByteRange as it stands in the document (ISO 32000-2 §12.8.1)."""
        start, end = self.hole
        return (0, start, end, len(self.document) - end)

    def complete(self, value_der: bytes) -> bytes:
        """The signed document.

        Raises:
            InternalError: ``seal.pdf.hole-too-small``.
        """
        start, end = self.hole
        room = end - start - 2
        digits = value_der.hex().upper().encode()
        if len(digits) > room:
            raise InternalError(
                f"The signature takes {len(digits)} digits, {room} were reserved.", code="seal.pdf.hole-too-small"
            )
        return b"".join((self.document[: start + 1], digits.ljust(room, b"0"), self.document[end - 1 :]))


def prepare(
    pdf: bytes,
    form: Form,
    *,
    digest: DigestAlgorithm,
    reserved_bytes: int,
    signer_name: str,
    at: datetime,
    picture: StampPicture | None = None,
) -> PreparedPdf:
    """Append an update with an empty signature.

    Args:
        pdf: the document; its octets stay the beginning of the result.
        form: names /Filter and /SubFilter.
        digest: hash of the ByteRange's octets.
        reserved_bytes: largest length of the value, in octets (half the digits of the hole).
        signer_name: text of /Name.
        at: time of signing, claimed in /M.
        picture: visible seal; without it the field is invisible.

    Raises:
        MalformedError: ``seal.pdf.unreadable``.
        RejectedError: ``seal.pdf.too-large``, ``seal.pdf.encrypted``, ``seal.pdf.closed`` (certified against every
            change), ``seal.pdf.no-page`` or ``seal.pdf.outside-page``.
    """
    if len(pdf) > LARGEST_PDF_BYTES:
        raise RejectedError("The document is larger than a PDF to be sealed may be.", code="seal.pdf.too-large")
    try:
        return _prepare(pdf, _signature_dictionary(form, reserved_bytes, signer_name, at), digest, picture)
    except READ_ERRORS as error:
        raise MalformedError("The PDF cannot be read.", code="seal.pdf.unreadable") from error


def _signature_dictionary(form: Form, reserved_bytes: int, name: str, at: datetime) -> PdfSignedData:
    filter_name, sub_filter = _NAMES[form]
    placeholder = PdfSignedData(
        pdf_name("/Sig"), SigSeedSubFilter.PADES, timestamp=at, bytes_reserved=2 * reserved_bytes
    )
    placeholder[pdf_name("/Filter")] = pdf_name(filter_name)
    placeholder[pdf_name("/SubFilter")] = pdf_name(sub_filter)
    placeholder[pdf_name("/Name")] = generic.pdf_string(name)
    return placeholder


def _prepare(
    pdf: bytes, signature: PdfSignedData, digest: DigestAlgorithm, picture: StampPicture | None
) -> PreparedPdf:
    writer = IncrementalPdfFileWriter(BytesIO(pdf), strict=True)
    if writer.prev.encrypted:
        raise RejectedError("The PDF is encrypted; a seal needs the plain document.", code="seal.pdf.encrypted")
    if _allows_no_change(writer):
        raise RejectedError("The PDF is certified against every later change.", code="seal.pdf.closed")
    name = _free_name(writer)
    spec = SigFieldSpec(sig_field_name=name)
    rotation = 0
    if picture is not None:
        box, rotation = _box(writer, picture.placement)
        # pyHanko annotates whole points, and writes fractions as they are
        spec = SigFieldSpec(sig_field_name=name, on_page=picture.placement.page - 1, box=cast("Any", box))
    steps = PdfCMSEmbedder(new_field_spec=spec).write_cms(field_name=name, writer=writer)
    field_reference = next(steps)
    if picture is not None:
        field_reference.get_object()[pdf_name("/AP")] = _appearance(writer, picture, rotation)
    steps.send(SigObjSetup(sig_placeholder=signature))
    prepared, output = steps.send(SigIOSetup(md_algorithm=str(digest)))
    return PreparedPdf(
        document=output.getvalue(),
        hole=(prepared.reserved_region_start, prepared.reserved_region_end),
        digest=prepared.document_digest,
    )


def _allows_no_change(writer: IncrementalPdfFileWriter) -> bool:
    """Whether a certification signature forbids every change (ISO 32000-2 §12.8.2.2, /P 1)."""
    try:
        signature = writer.prev.root["/Perms"]["/DocMDP"]
        return any(
            reference["/TransformMethod"] == "/DocMDP"
            and reference.get("/TransformParams", {}).get("/P", MDPPerm.FILL_FORMS.value) == MDPPerm.NO_CHANGES.value
            for reference in (entry.get_object() for entry in signature["/Reference"])
        )
    except KeyError:
        return False


def _free_name(writer: IncrementalPdfFileWriter) -> str:
    try:
        fields = writer.prev.root["/AcroForm"]["/Fields"]
    except KeyError:
        return "Seal1"
    taken = {str(field.get_object().get("/T", "")) for field in fields}
    number = 1
    while f"Seal{number}" in taken:
        number += 1
    return f"Seal{number}"


def _box(writer: IncrementalPdfFileWriter, placement: Placement) -> tuple[tuple[float, float, float, float], int]:
    """The rectangle in default user space (ISO 32000-2 §8.3.2.3), and the clockwise rotation of the page."""
    pages = int(writer.prev.root["/Pages"]["/Count"])
    if not 1 <= placement.page <= pages:
        raise RejectedError(
            f"The document has {pages} pages, there is no page {placement.page}.", code="seal.pdf.no-page", pages=pages
        )
    page = _page(writer, placement.page - 1)
    frame = _inherited(page, "/CropBox") or _inherited(page, "/MediaBox")
    x1, x2 = sorted((float(frame[0]), float(frame[2])))
    y1, y2 = sorted((float(frame[1]), float(frame[3])))
    rotation = int(_inherited(page, "/Rotate") or 0) % 360
    unit = _POINTS_PER_MM / float(page.get("/UserUnit", 1))
    left, top = placement.x_mm * unit, placement.y_mm * unit
    width, height = placement.width_mm * unit, placement.height_mm * unit
    seen_width, seen_height = (y2 - y1, x2 - x1) if rotation in {90, 270} else (x2 - x1, y2 - y1)
    slack = 0.5
    inside = -slack <= left <= seen_width - width + slack and -slack <= top <= seen_height - height + slack
    if not inside or width <= 0 or height <= 0:
        raise RejectedError("The seal would not lie on the page.", code="seal.pdf.outside-page", page=placement.page)
    right, bottom = left + width, top + height
    corners = {
        0: (x1 + left, y2 - bottom, x1 + right, y2 - top),
        90: (x1 + top, y1 + left, x1 + bottom, y1 + right),
        180: (x2 - right, y1 + top, x2 - left, y1 + bottom),
        270: (x2 - bottom, y2 - right, x2 - top, y2 - left),
    }
    rounded = tuple(round(value, 3) for value in corners[rotation])
    return (rounded[0], rounded[1], rounded[2], rounded[3]), rotation


def _page(writer: IncrementalPdfFileWriter, index: int) -> generic.DictionaryObject:
    reference, _ = writer.find_page_for_modification(index)  # type: ignore[no-untyped-call]
    return cast("generic.DictionaryObject", reference.get_object())


def _inherited(page: generic.DictionaryObject, key: str) -> Any:  # noqa: ANN401 - any PDF object
    """An attribute of the page or of the nearest ancestor that has it (ISO 32000-2 §7.7.3.4)."""
    node: generic.DictionaryObject | None = page
    for _ in range(64):
        if node is None:
            return None
        if key in node:
            return node[key]
        parent = node.get("/Parent")
        node = None if parent is None else parent.get_object()
    return None


_UPRIGHT = {
    0: (1, 0, 0, 1, 0, 0),
    90: (0, 1, -1, 0, 0, 0),
    180: (-1, 0, 0, -1, 0, 0),
    270: (0, -1, 1, 0, 0, 0),
}
"""Matrices that stand a picture upright on a page turned clockwise (ISO 32000-2 §12.5.5, algorithm 8)."""


def _appearance(writer: IncrementalPdfFileWriter, picture: StampPicture, rotation: int) -> generic.DictionaryObject:
    width = picture.placement.width_mm * _POINTS_PER_MM
    height = picture.placement.height_mm * _POINTS_PER_MM
    form = generic.StreamObject(
        {
            pdf_name("/Type"): pdf_name("/XObject"),
            pdf_name("/Subtype"): pdf_name("/Form"),
            pdf_name("/BBox"): _numbers(0, 0, width, height),
            pdf_name("/Matrix"): _numbers(*_UPRIGHT[rotation]),
            pdf_name("/Resources"): _dictionary({"/XObject": _dictionary({"/Seal": _image(writer, picture.png)})}),
        },
        stream_data=f"q {width:.3f} 0 0 {height:.3f} 0 0 cm /Seal Do Q".encode(),
    )
    return _dictionary({"/N": writer.add_object(form)})


@dataclass(frozen=True, slots=True)
class _Pixels:
    """A picture as PDF keeps it: deflated samples, and the transparency apart (ISO 32000-2 §8.9.5, §11.6.5.2)."""

    width: int
    height: int
    colours: bytes
    opacity: bytes


@lru_cache(maxsize=16)
def _pixels(png: bytes) -> _Pixels:
    """A seal's picture is the same on all documents."""
    try:
        image = Image.open(BytesIO(png)).convert("RGBA")
    except (OSError, Image.DecompressionBombError) as error:
        raise RejectedError("The seal's picture cannot be read.", code="seal.picture.unreadable") from error
    return _Pixels(
        image.width,
        image.height,
        zlib.compress(image.convert("RGB").tobytes(), 9),
        zlib.compress(image.getchannel("A").tobytes(), 9),
    )


def _image(writer: IncrementalPdfFileWriter, png: bytes) -> generic.IndirectObject:
    pixels = _pixels(png)
    mask = writer.add_object(_samples(pixels, "/DeviceGray", pixels.opacity))
    image = _samples(pixels, "/DeviceRGB", pixels.colours)
    image[pdf_name("/SMask")] = mask
    return writer.add_object(image)


def _samples(pixels: _Pixels, colour_space: str, deflated: bytes) -> generic.StreamObject:
    return generic.StreamObject(
        {
            pdf_name("/Type"): pdf_name("/XObject"),
            pdf_name("/Subtype"): pdf_name("/Image"),
            pdf_name("/Width"): generic.NumberObject(pixels.width),  # type: ignore[no-untyped-call]
            pdf_name("/Height"): generic.NumberObject(pixels.height),  # type: ignore[no-untyped-call]
            pdf_name("/ColorSpace"): pdf_name(colour_space),
            pdf_name("/BitsPerComponent"): generic.NumberObject(8),  # type: ignore[no-untyped-call]
            pdf_name("/Filter"): pdf_name("/FlateDecode"),
        },
        encoded_data=deflated,
    )


def _numbers(*values: float) -> generic.ArrayObject:
    return generic.ArrayObject(generic.FloatObject(f"{value:.3f}") for value in values)  # type: ignore[no-untyped-call]


def _dictionary(entries: dict[str, generic.PdfObject]) -> generic.DictionaryObject:
    return generic.DictionaryObject(  # type: ignore[no-untyped-call]
        {pdf_name(key): value for key, value in entries.items()}
    )
