"""Find the signatures of a PDF: every field of the form, every signature dictionary in the file."""

import hashlib
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from io import BytesIO
from itertools import islice
from typing import Any

from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.generic import parse_pdf_date
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.diff_analysis import DEFAULT_DIFF_POLICY, ModificationLevel, SuspiciousModification
from pyhanko.sign.fields import enumerate_sig_fields

from seal_service.pdf.embedding import LARGEST_PDF_BYTES, READ_ERRORS
from trustcore.errors import MalformedError, RejectedError

__all__ = ["Changes", "PdfDocument", "PdfSignature", "open_document"]

_BYTE_RANGE = re.compile(rb"/ByteRange\s*\[([\s\d]{1,120})\]")
_HOLE = re.compile(rb"<(?:[0-9A-Fa-f]{2})+>")
_SHORTEST_BLANKED = 256
"""In octets; below, there is nothing to win."""
_PLAIN_END = re.compile(rb"[\r\n]startxref\r?\n\d{1,12}\r?\n%%EOF[\r\n]{0,2}\Z")
_LONGEST_END = 64
_END_OF_REVISION = re.compile(rb"startxref\s+(\d{1,12})\s+%%EOF\s*\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class PdfSignature:
    """A signature dictionary that a field refers to (ISO 32000-2 §12.8.1, table 255)."""

    field_name: str
    type: str
    """``/Sig`` or ``/DocTimeStamp``."""
    filter: str
    sub_filter: str
    byte_range: tuple[int, ...]
    contents: bytes
    """/Contents decoded, with its padding."""
    claimed_at: str
    """RFC 3339 form of /M, empty when there is none or it cannot be read."""
    revision: int
    """Update of the file that wrote the dictionary, from 0."""

    @property
    def end(self) -> int:
        """Where the covered part of the file ends, exclusive; 0 when the ByteRange is not of two ranges."""
        return sum(self.byte_range[2:4]) if len(self.byte_range) == 4 else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What later updates did to a signed revision."""

    harmless: bool
    """Only what may follow a signature: further signature fields and their values."""
    validation_data_only: bool
    """Only certificates, CRLs and time stamps were added."""
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PdfDocument:
    """A file that could be read."""

    data: bytes = field(repr=False)
    strict: bool
    """Whether it could be read by the letter of ISO 32000-2, without repairs."""
    signatures: tuple[PdfSignature, ...]
    """In order of their ends."""
    unreferenced: int
    """Signature dictionaries in the octets of the file that no field refers to."""
    reader: PdfFileReader = field(repr=False)

    def ends_a_revision(self, signature: PdfSignature) -> bool:
        """Whether the covered part is a complete PDF: it ends with its own startxref, and holds all its tables."""
        tail = _END_OF_REVISION.search(self.data[max(0, signature.end - 64) : signature.end])
        if tail is None:
            return False
        xrefs = self.reader.xrefs
        try:
            if int(tail[1]) != xrefs.get_startxref_for_revision(signature.revision):
                return False
            ends = [xrefs.get_xref_container_info(number).end_location for number in range(signature.revision + 1)]
        except READ_ERRORS:
            return False
        return max(ends) <= signature.end

    def changes_after(self, signature: PdfSignature) -> Changes:
        """Compare the signed revision with all later ones."""
        try:
            found = DEFAULT_DIFF_POLICY.review_file(self.reader, signature.revision)
        except READ_ERRORS as error:
            return Changes(harmless=False, validation_data_only=False, detail=type(error).__name__)
        if isinstance(found, SuspiciousModification):
            return Changes(harmless=False, validation_data_only=False, detail=str(found)[:200])
        level = found.modification_level
        return Changes(
            harmless=level <= ModificationLevel.FORM_FILLING,
            validation_data_only=level == ModificationLevel.LTA_UPDATES
            and _END_OF_REVISION.search(self.data[-64:]) is not None,
            detail=level.name.lower(),
        )


def open_document(data: bytes) -> PdfDocument:
    """Read a PDF.

    Raises:
        RejectedError: ``seal.pdf.too-large`` or ``seal.pdf.encrypted``.
        MalformedError: ``seal.pdf.unreadable``.
    """
    if len(data) > LARGEST_PDF_BYTES:
        raise RejectedError("The document is larger than a PDF to be verified may be.", code="seal.pdf.too-large")
    strict = True
    try:
        quick = _read_with_blank_hole(data)
        if quick is not None:
            return quick
        try:
            reader = PdfFileReader(BytesIO(data), strict=True)
            signatures = tuple(_signatures(reader))
        except READ_ERRORS:
            strict = False
            reader = PdfFileReader(BytesIO(data), strict=False)
            signatures = tuple(_signatures(reader))
        encrypted = reader.encrypted
    except READ_ERRORS as error:
        raise MalformedError("The PDF cannot be read.", code="seal.pdf.unreadable") from error
    if encrypted:
        raise RejectedError("The PDF is encrypted; only plain documents are verified.", code="seal.pdf.encrypted")
    known = {signature.byte_range for signature in signatures}
    written = {tuple(map(int, match[1].split())) for match in _BYTE_RANGE.finditer(data)}
    return PdfDocument(
        data=data,
        strict=strict,
        signatures=tuple(sorted(signatures, key=lambda signature: signature.end)),
        unreferenced=len(written - known),
        reader=reader,
    )


def _read_with_blank_hole(data: bytes) -> PdfDocument | None:
    """The file, read without its one hole; ``None`` for every file that is not of the plainest form.

    A reader looks at the digits of a hexadecimal string one by one, and a signature value has tens of thousands. Where
    the file has one ByteRange, which leaves out nothing but such a string and covers the rest to the end of the file,
    the reader gets the digest of the string in its place and blanks after it. The signature it finds has to have that
    range and that digest for its value, or the file is read again as any other.
    """
    ranges = list(islice(_BYTE_RANGE.finditer(data), 2))
    numbers = tuple(map(int, ranges[0][1].split())) if len(ranges) == 1 else ()
    if len(numbers) != 4 or numbers[0] != 0 or sum(numbers[2:]) != len(data):
        return None
    begin, end = numbers[1], numbers[2]
    is_hole = end - begin >= _SHORTEST_BLANKED and _HOLE.fullmatch(data, begin, end)
    if not is_hole or not _PLAIN_END.search(data, max(end, len(data) - _LONGEST_END)):
        return None
    stand_in = hashlib.sha256(data[begin:end]).digest()
    short = b"<" + stand_in.hex().encode() + b">"
    blank = b"".join((data[:begin], short.ljust(end - begin), data[end:]))
    try:
        reader = PdfFileReader(_BlankedOctets(blank, begin + len(short), end), strict=True)
        signatures = tuple(_signatures(reader))
    except READ_ERRORS:
        return None
    if reader.encrypted or len(signatures) != 1 or signatures[0].byte_range != numbers:
        return None
    if signatures[0].contents != stand_in:
        return None
    whole = replace(signatures[0], contents=bytes.fromhex(data[begin + 1 : end - 1].decode("ascii")))
    return PdfDocument(data=data, strict=True, signatures=(whole,), unreferenced=0, reader=reader)


class _BlankedOctets(BytesIO):
    """A file whose blanks between two offsets are passed over, since readers look at blanks one by one, too.

    For reading forwards: a reader that goes backwards for the end of the file has to find it before the blanks, or it
    would not get out of them.
    """

    def __init__(self, octets: bytes, start: int, end: int) -> None:
        super().__init__(octets)
        self._start, self._end = start, end

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size)
        if self._start <= self.tell() < self._end:
            self.seek(self._end)
        return data


def _signatures(reader: PdfFileReader) -> Iterator[PdfSignature]:
    if reader.encrypted:
        return
    for name, value, field_reference in enumerate_sig_fields(reader, filled_status=True):
        dictionary = value.get_object()
        if not isinstance(dictionary, generic.DictionaryObject):
            raise MalformedError("A signature field has no dictionary.", code="seal.pdf.unreadable")
        raw = field_reference.get_object().raw_get("/V")
        reference = raw.reference if isinstance(raw, generic.IndirectObject) else field_reference.reference
        contents = dictionary.raw_get("/Contents")
        yield PdfSignature(
            field_name=str(name),
            type=str(dictionary.get("/Type", "/Sig")),
            filter=str(dictionary.get("/Filter", "")),
            sub_filter=str(dictionary.get("/SubFilter", "")),
            byte_range=tuple(int(number) for number in dictionary["/ByteRange"]),
            contents=_octets(contents),
            claimed_at=_claimed(dictionary.get("/M")),
            revision=reader.xrefs.get_last_change(reference),
        )


def _octets(value: Any) -> bytes:  # noqa: ANN401 - any PDF object
    if isinstance(value, generic.TextStringObject):
        return bytes(value.original_bytes)
    if isinstance(value, generic.ByteStringObject):
        return bytes(value)
    raise MalformedError("The value of a signature is not a string.", code="seal.pdf.unreadable")


def _claimed(value: Any) -> str:  # noqa: ANN401 - any PDF object
    with suppress(*READ_ERRORS):
        return parse_pdf_date(str(value)).isoformat() if value is not None else ""
    return ""
