"""JBIG2 pictures (ISO/IEC 14492 annex D): from a file to the stream that a PDF holds (ISO 32000-2 §7.4.7)."""

from dataclasses import dataclass

from trustcore.errors import MalformedError

__all__ = ["MAGIC", "Jbig2", "read_jbig2"]

MAGIC = b"\x97JB2\r\n\x1a\n"

_PAGE_INFORMATION, _END_OF_PAGE, _END_OF_FILE = 48, 49, 51
_GENERIC_REGION = 38
_UNKNOWN = 0xFFFFFFFF
_MOST_SEGMENTS = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Jbig2:
    """The first page of a JBIG2 file."""

    width: int
    height: int
    stream: bytes
    """Its segments as a PDF's JBIG2Decode takes them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Header:
    octets: bytes
    kind: int
    page: int
    length: int
    end: int


def read_jbig2(data: bytes) -> Jbig2:
    """Take the first page out of a JBIG2 file.

    Raises:
        MalformedError: ``ofd.image.malformed``.
    """
    try:
        return _read(data)
    except IndexError as error:
        raise _malformed() from error


def _read(data: bytes) -> Jbig2:
    flags = data[8]
    at = 9 if flags & 2 else 13
    sequential = bool(flags & 1)
    headers: list[tuple[_Header, int]] = []
    while at < len(data) and len(headers) < _MOST_SEGMENTS:
        header = _header(data, at)
        at = header.end
        headers.append((header, at))
        if sequential:
            at += _length(data, header, at)
        if header.kind == _END_OF_FILE:
            break
    parts: list[bytes] = []
    size: tuple[int, int] | None = None
    for header, place in headers:
        start = place if sequential else at
        length = _length(data, header, start)
        if not sequential:
            at += length
        if header.kind in {_END_OF_PAGE, _END_OF_FILE} or header.page > 1:
            continue
        body = data[start : start + length]
        if len(body) < length:
            raise _malformed()
        if header.kind == _PAGE_INFORMATION:
            size = (int.from_bytes(body[:4]), int.from_bytes(body[4:8]))
        parts += [header.octets, body]
    if size is None or _UNKNOWN in size or 0 in size:
        raise _malformed()
    return Jbig2(width=size[0], height=size[1], stream=b"".join(parts))


def _header(data: bytes, at: int) -> _Header:
    start = at
    number = int.from_bytes(data[at : at + 4])
    flags = data[at + 4]
    at += 5
    count = data[at] >> 5
    if count == 7:
        count = int.from_bytes(data[at : at + 4]) & 0x1FFFFFFF
        at += 4 + (count + 8) // 8
    else:
        at += 1
    at += count * (1 if number <= 256 else 2 if number <= 65536 else 4)
    wide = 4 if flags & 0x40 else 1
    page = int.from_bytes(data[at : at + wide])
    at += wide
    length = int.from_bytes(data[at : at + 4])
    at += 4
    if at > len(data):
        raise _malformed()
    return _Header(octets=data[start:at], kind=flags & 0x3F, page=page, length=length, end=at)


def _length(data: bytes, header: _Header, start: int) -> int:
    """How long a segment's data is; a generic region may leave it open and end with a mark and its row count."""
    if header.length != _UNKNOWN:
        return header.length
    if header.kind != _GENERIC_REGION:
        raise _malformed()
    arithmetic = not data[start + 17] & 1
    end = data.find(b"\xff\xac" if arithmetic else b"\0\0", start + 18)
    if end < 0:
        raise _malformed()
    return end + 6 - start


def _malformed() -> MalformedError:
    return MalformedError("The JBIG2 picture is damaged.", code="ofd.image.malformed")
