"""Unpacking the content of entries, so that every bit of the packed form matters.

An entry's length and CRC-32 are checked; nothing may follow the end of the deflate stream, and the bits that fill up
its last octet are zero. Otherwise octets could be changed that no digest of the content covers.
"""

import zlib
from collections.abc import Iterator

from ofd.package.source import CHUNK_BYTES, Source, pieces
from ofd.package.zip_format import DEFLATED, CentralRecord
from trustcore.errors import MalformedError

__all__ = ["inflate", "inflate_chunks"]


def inflate(source: Source, record: CentralRecord) -> bytes:
    """The content of one entry, its length and CRC-32 checked.

    Raises:
        MalformedError: ``ofd.package.entry-damaged``, naming the entry.
    """
    packed = source.read(record.data_offset, record.compressed_size)
    content = packed if record.method != DEFLATED else _inflate(packed, record.size)
    if content is None or len(content) != record.size or zlib.crc32(content) != record.crc32:
        raise _damaged(record.name)
    return content


def inflate_chunks(source: Source, record: CentralRecord) -> Iterator[bytes]:
    """The content of one entry piece by piece; only when the last one came it is known to be right.

    Raises:
        MalformedError: ``ofd.package.entry-damaged``, naming the entry.
        ConflictError: ``ofd.package.changed`` for a file that got shorter.
    """
    packed = pieces(source, record.data_offset, record.compressed_size)
    size = crc32 = 0
    try:
        for chunk in packed if record.method != DEFLATED else _inflated(packed):
            size += len(chunk)
            if size > record.size:
                raise _damaged(record.name)
            crc32 = zlib.crc32(chunk, crc32)
            yield chunk
    except (zlib.error, EOFError) as error:
        raise _damaged(record.name) from error
    if size != record.size or crc32 != record.crc32:
        raise _damaged(record.name)


def _inflated(packed: Iterator[bytes]) -> Iterator[bytes]:
    """What a deflate stream unpacks to; ``EOFError`` when it does not end exactly with its last bit."""
    stream = zlib.decompressobj(-zlib.MAX_WBITS)
    held = b""
    for piece in packed:
        waiting = held + piece
        # The last octet of all is for the check of its bits.
        waiting, held = waiting[:-1], waiting[-1:]
        while waiting:
            chunk = stream.decompress(waiting, CHUNK_BYTES)
            if chunk:
                yield chunk
            waiting = stream.unconsumed_tail
            if stream.eof:
                raise EOFError
    while True:
        # Output that did not fit into the last chunk.
        chunk = stream.decompress(b"", CHUNK_BYTES)
        if not chunk:
            break
        yield chunk
    other = stream.copy()
    end = _last(stream, held, CHUNK_BYTES)
    if end is None or _last(other, _without_highest_bit(held), CHUNK_BYTES) == end:
        raise EOFError
    if end:
        yield end


def _inflate(packed: bytes, size: int) -> bytes | None:
    """What ``packed`` unpacks to, if that is at most ``size`` octets, nothing is left over and no bit is without use.

    The bits that fill up the last octet (RFC 1951 §3.1.1) are protected by nothing. Where clearing the highest bit that
    is set in the last octet makes no difference, they were not all zero.
    """
    stream = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        start = stream.decompress(packed[:-1], size + 1)
        if stream.unconsumed_tail or stream.eof:
            return None
        other = stream.copy()
        end = _last(stream, packed[-1:], size + 1 - len(start))
        if end is None or _last(other, _without_highest_bit(packed[-1:]), size + 1 - len(start)) == end:
            return None
    except zlib.error:
        return None
    return start + end if end else start


def _last(stream: "zlib._Decompress", octet: bytes, room: int) -> bytes | None:
    """What the last octet adds, if the stream ends with it."""
    try:
        end = stream.decompress(octet, room) if room else b""
    except zlib.error:
        return None
    return end if stream.eof and not stream.unused_data and not stream.unconsumed_tail else None


def _without_highest_bit(octet: bytes) -> bytes:
    value = octet[0] if octet else 0
    return bytes((value ^ (1 << value.bit_length() >> 1),)) if value else octet[:0]


def _damaged(name: str) -> MalformedError:
    return MalformedError(f"Entry {name!r} is damaged.", code="ofd.package.entry-damaged", entry=name)
