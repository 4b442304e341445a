"""What a hostile PDF may cost: limits, and reading of numbers and streams that keeps to them."""

import re
import warnings
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import pikepdf

from ofd.geometry import Matrix
from trustcore.errors import RejectedError

__all__ = [
    "Limits",
    "array",
    "content_stream",
    "dictionary",
    "entries",
    "filters_of",
    "matrix_of",
    "name",
    "number",
    "numbers",
    "operators",
    "read_stream",
    "text_of",
    "too_complex",
]

_FLATE = {"/FlateDecode", "/Fl"}
_RATIOS = {
    "/ASCIIHexDecode": 1,
    "/AHx": 1,
    "/ASCII85Decode": 4,
    "/A85": 4,
    "/RunLengthDecode": 64,
    "/RL": 64,
    "/FlateDecode": 1032,
    "/Fl": 1032,
    "/LZWDecode": 1366,
    "/LZW": 1366,
    "/Crypt": 1,
}
"""How many octets one octet can become at most, by filter (ISO 32000-2 §7.4)."""
_CHUNK = 1 << 16
_ESCAPED = re.compile(rb"#([0-9A-Fa-f]{2})")
_WORD = re.compile(rb"[A-Za-z'\"][A-Za-z0-9*]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What converting one PDF may take."""

    pages: int = 20_000
    stream_octets: int = 256 << 20
    """Decoded size of one stream."""
    page_operators: int = 3_000_000
    """Operators run for one page, with all forms, patterns and Type3 glyphs in it."""
    depth: int = 24
    """Forms, patterns and glyphs inside each other."""
    picture_pixels: int = 120_000_000
    """Of one picture."""
    outline_entries: int = 20_000


def number(value: object, default: float = 0.0) -> float:
    """A number of a PDF; ``default`` when it is anything else or beyond what a page can need."""
    try:
        result = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return default
    return result if -1e9 < result < 1e9 else default


def numbers(value: object, count: int | None = None) -> tuple[float, ...] | None:
    """An array of numbers, of ``count`` items if given; None when it is anything else."""
    items = array(value)
    if items is None or (count is not None and len(items) != count):
        return None
    return tuple(number(item) for item in items)


def array(value: object) -> list[pikepdf.Object] | None:
    """The items of an array; None for anything else."""
    if isinstance(value, pikepdf.Array):
        return list(value)
    return None


def dictionary(value: object) -> pikepdf.Object | None:
    """A dictionary or a stream, whose keys can be asked for with ``get``; None for anything else."""
    if isinstance(value, pikepdf.Dictionary | pikepdf.Stream):
        return value
    return None


def name(value: object) -> str:
    """A name with its slash; empty for anything else. What is not UTF-8 is read as GBK, as Chinese fonts are named."""
    if not isinstance(value, pikepdf.Name):
        return ""
    try:
        return str(value)
    except UnicodeDecodeError:
        octets = _ESCAPED.sub(lambda match: bytes([int(match[1], 16)]), value.unparse())
        return octets.decode("gbk", errors="replace")


def entries(value: object) -> list[tuple[str, pikepdf.Object]]:
    """What stands in a dictionary; nothing for anything else, or when its keys cannot be read."""
    found = dictionary(value)
    try:
        return [] if found is None else list(found.items())
    except UnicodeDecodeError:
        return []


def text_of(value: object) -> str:
    """A text string; empty for anything else."""
    return str(value).strip("\x00") if isinstance(value, pikepdf.String) else ""


def matrix_of(value: object) -> Matrix:
    """A matrix of six numbers; the identity for anything else."""
    six = numbers(value, 6)
    return Matrix(*six) if six is not None else Matrix()


def filters_of(stream: pikepdf.Object) -> tuple[str, ...]:
    """Names of a stream's filters, in the order of decoding."""
    value = stream.get("/Filter", stream.get("/F"))
    if isinstance(value, pikepdf.Name):
        return (str(value),)
    return tuple(name(item) for item in array(value) or ())


def read_stream(stream: pikepdf.Object, limits: Limits) -> bytes:
    """The decoded octets of a stream.

    Raises:
        RejectedError: ``ofd.convert.pdf-too-big``, before that much memory is taken.
    """
    if not isinstance(stream, pikepdf.Stream):
        return b""
    filters = filters_of(stream)
    raw = stream.read_raw_bytes()
    ratio = 1
    for item in filters:
        ratio *= _RATIOS.get(item, 1)
    if len(raw) * ratio > limits.stream_octets and not _inflates_within(raw, filters, limits.stream_octets):
        raise RejectedError(
            f"A stream of the PDF can take more than {limits.stream_octets >> 20} MiB when it is decoded.",
            code="ofd.convert.pdf-too-big",
        )
    try:
        return stream.read_bytes()
    except pikepdf.PdfError:
        return b""


def _inflates_within(raw: bytes, filters: Sequence[str], limit: int) -> bool:
    """Whether a stream with a single Flate filter stays within a limit: tried without keeping what comes out."""
    if len(filters) != 1 or filters[0] not in _FLATE:
        return False
    decoder = zlib.decompressobj()
    total = 0
    pending = raw
    try:
        while pending and not decoder.eof:
            total += len(decoder.decompress(pending, _CHUNK))
            if total > limit:
                return False
            pending = decoder.unconsumed_tail
    except zlib.error:
        return True
    return True


def content_stream(document: pikepdf.Pdf, data: bytes, limits: Limits) -> pikepdf.Stream:
    """Octets of operators as a stream to be parsed.

    Raises:
        RejectedError: ``ofd.convert.pdf-too-complex``, before memory is taken for more operators than a page may have.
    """
    if len(data) > limits.page_operators and sum(1 for _ in _WORD.finditer(data)) > limits.page_operators:
        raise too_complex()
    return pikepdf.Stream(document, data)


def operators(content: pikepdf.Object, wanted: str = "") -> list[tuple[str, Sequence[object]]]:
    """The operators of a content stream, each after its operands, up to where it cannot be read any more.

    Args:
        content: a stream.
        wanted: names of the only operators to give, with blanks between them. An inline picture counts as ``BI``, and
            has itself as its only operand.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = pikepdf.parse_content_stream(content, wanted)
    except (pikepdf.PdfError, ValueError, TypeError):
        return [("damaged", ())]
    result: list[tuple[str, Sequence[object]]] = []
    for item in found:
        if isinstance(item, pikepdf.ContentStreamInlineImage):
            result.append(("BI", (item,)))
            continue
        try:
            result.append((str(item.operator), list(item.operands)))
        except UnicodeDecodeError:
            result.append(("damaged", ()))
    return result


def too_complex() -> RejectedError:
    """What is said of a page that needs too much work."""
    return RejectedError("A page of the PDF has too many operators.", code="ofd.convert.pdf-too-complex")
