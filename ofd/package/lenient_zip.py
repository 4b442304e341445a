"""Reading a ZIP file as readers do that repair it.

The central directory is looked for from the end; where it is damaged or cut off, the entries are collected from their
local headers. What limits protect from stays refused, and so do links and names that stand twice.
"""

import struct
import zlib
from collections.abc import Iterator
from typing import NamedTuple

from ofd.package.read_warning import WarningList
from ofd.package.source import CHUNK_BYTES, Source, pieces
from ofd.package.zip_format import (
    CENTRAL,
    CENTRAL_MAGIC,
    DATA_DESCRIPTOR_FLAG,
    DEFLATED,
    END,
    END_MAGIC,
    LOCAL,
    LOCAL_MAGIC,
    REFUSED_FLAGS,
    STORED,
    UTF8_FLAG,
    Limits,
)
from ofd.package.zip_names import NameSet, check_attributes, decode_name, guess_name
from trustcore.errors import MalformedError, TrustError

__all__ = ["LenientRecord", "content_chunks", "read_leniently"]

_FF32 = 0xFFFFFFFF
_FF16 = 0xFFFF
_END_SEARCH = END.size + 0xFFFF
_MAX_DIRECTORY_BYTES = 64 * 1024 * 1024
_UNICODE_PATH = 0x7075


class LenientRecord(NamedTuple):
    """One file, where its content is thought to be."""

    name: str
    flags: int
    method: int
    crc32: int
    compressed_size: int
    size: int
    data_offset: int


def read_leniently(source: Source, limits: Limits, warnings: WarningList) -> dict[str, LenientRecord]:
    """The files of a package by name, repaired where need be.

    Raises:
        MalformedError: ``ofd.package.…``: it is no package, or one that is refused whatever reads it.
    """
    found = _by_directory(source, limits, warnings)
    if found is None:
        warnings.add(
            "ofd.read.directory", "压缩包目录损坏，已按文件头重建", "The ZIP directory is damaged and was rebuilt"
        )
        found = _by_headers(source, limits, warnings)
    if not found:
        raise MalformedError("The file is not a ZIP package.", code="ofd.package.not-zip")
    files: dict[str, LenientRecord] = {}
    names = NameSet()
    for record in found:
        names.add(record.name)
        if not record.name.endswith("/"):
            files[record.name] = record
    names.check_folders()
    if sum(record.size for record in found) > limits.total_bytes:
        raise MalformedError(
            f"The package unpacks to more than {limits.total_bytes} bytes.", code="ofd.package.too-large"
        )
    return files


def content_chunks(source: Source, record: LenientRecord, warnings: WarningList) -> Iterator[bytes]:
    """The content of a file piece by piece, as much as can be unpacked; wrong checksums and lengths are warnings.

    Raises:
        MalformedError: ``ofd.package.encrypted``, ``ofd.package.method``, or ``ofd.package.entry-damaged`` when
            nothing can be unpacked, or more than its entry states.
    """
    if record.flags & REFUSED_FLAGS:
        raise MalformedError(f"Entry {record.name!r} is encrypted.", code="ofd.package.encrypted", entry=record.name)
    if record.method not in {STORED, DEFLATED}:
        raise MalformedError(
            f"Entry {record.name!r} is packed in an unknown way.", code="ofd.package.method", entry=record.name
        )
    packed = pieces(source, record.data_offset, min(record.compressed_size, source.size - record.data_offset))
    size = crc32 = 0
    for chunk in packed if record.method == STORED else _inflated(packed):
        size += len(chunk)
        if size > record.size:
            raise _damaged(record)
        crc32 = zlib.crc32(chunk, crc32)
        yield chunk
    if record.size and not size:
        raise _damaged(record)
    if (size, crc32) != (record.size, record.crc32):
        zh, en = "文件内容与长度或校验和不符", "The content of a file does not match its length or checksum"
        warnings.add("ofd.read.entry-damaged", zh, en, entry=record.name)


def _inflated(packed: Iterator[bytes]) -> Iterator[bytes]:
    """What can be unpacked."""
    stream = zlib.decompressobj(-zlib.MAX_WBITS)
    for piece in packed:
        waiting = piece
        while not stream.eof:
            try:
                chunk = stream.decompress(waiting, CHUNK_BYTES)
            except zlib.error:
                return
            if chunk:
                yield chunk
            waiting = stream.unconsumed_tail
            if not waiting and not chunk:
                break


def _damaged(record: LenientRecord) -> MalformedError:
    return MalformedError(f"Entry {record.name!r} is damaged.", code="ofd.package.entry-damaged", entry=record.name)


def _by_directory(source: Source, limits: Limits, warnings: WarningList) -> list[LenientRecord] | None:
    """The entries that the central directory lists; ``None`` when there is none or it is damaged."""
    place = _find_end(source, warnings)
    if place is None:
        return None
    start, end, shift, count = place
    if end - start > _MAX_DIRECTORY_BYTES:
        raise MalformedError("The central directory is too large.", code="ofd.package.too-many-entries")
    directory = source.read(start, end - start)
    records: list[LenientRecord] = []
    position = 0
    while directory.startswith(CENTRAL_MAGIC, position):
        if position + CENTRAL.size > len(directory):
            return None
        fields = CENTRAL.unpack_from(directory, position)
        name_length, extra_length, comment_length = fields[10:13]
        name_start = position + CENTRAL.size
        position = name_start + name_length + extra_length + comment_length
        raw_name = directory[name_start : name_start + name_length]
        extra = directory[name_start + name_length : name_start + name_length + extra_length]
        name = _name(raw_name, fields[3], extra, warnings)
        if fields[15]:
            check_attributes(name, fields[15], b"")
        data_offset = _data_offset(source, fields[16] + shift, raw_name, warnings)
        if data_offset is None:
            return None
        crc32, packed, size = fields[7:10]
        record = LenientRecord(name, fields[3], fields[4], crc32, packed, size, data_offset)
        records.append(_limited(record, len(records), limits))
    return records if len(records) == count else None


def _find_end(source: Source, warnings: WarningList) -> tuple[int, int, int, int] | None:
    """Of the last end record: start and end of the directory, what has to be added to offsets, number of entries."""
    start = max(source.size - _END_SEARCH, 0)
    tail = source.read(start, _END_SEARCH)
    found = len(tail)
    while (found := tail.rfind(END_MAGIC, 0, found)) >= 0:
        if found + END.size > len(tail):
            continue
        position = start + found
        _, _, _, _, count, size, offset, _ = END.unpack_from(tail, found)
        if count == _FF16 or _FF32 in {size, offset}:
            raise MalformedError("The package is in ZIP64 form.", code="ofd.package.zip64")
        for directory, shift in ((offset, 0), (position - size, position - size - offset)):
            if 0 <= directory <= position - len(CENTRAL_MAGIC) and source.read(directory, 4) == CENTRAL_MAGIC:
                _warn_of_surroundings(source, position + END.size, warnings)
                return directory, position, shift, count
    return None


def _warn_of_surroundings(source: Source, end: int, warnings: WarningList) -> None:
    if not source.read(0, 4).startswith(LOCAL_MAGIC):
        warnings.add("ofd.read.prefix", "压缩包之前有多余的字节", "Foreign octets precede the package")
    if end < source.size:
        warnings.add("ofd.read.trailing", "压缩包之后有多余的字节或注释", "Octets or a comment follow the package")


def _data_offset(source: Source, offset: int, raw_name: bytes, warnings: WarningList) -> int | None:
    """Where the data of an entry starts by its local header; ``None`` when there is none."""
    header = source.read(offset, LOCAL.size)
    if len(header) < LOCAL.size or not header.startswith(LOCAL_MAGIC):
        return None
    fields = LOCAL.unpack(header)
    name_length, extra_length = fields[9:11]
    if source.read(offset + LOCAL.size, name_length) != raw_name:
        warnings.add(
            "ofd.read.header-mismatch",
            "文件名在压缩包目录与文件头中不一致",
            "A name in the directory differs from that in the header",
            entry=raw_name.decode("utf-8", "replace"),
        )
    return int(offset + LOCAL.size + name_length + extra_length)


def _by_headers(source: Source, limits: Limits, warnings: WarningList) -> list[LenientRecord]:
    """The entries whose local headers can be found, one behind the other, and whose data is whole."""
    records: list[LenientRecord] = []
    room = limits.total_bytes
    position = _next_header(source, 0)
    if position:
        warnings.add("ofd.read.prefix", "压缩包之前有多余的字节", "Foreign octets precede the package")
    while position is not None:
        fields = LOCAL.unpack(source.read(position, LOCAL.size))
        flags, method, crc32, packed, size, name_length, extra_length = *fields[2:4], *fields[6:11]
        name_start = position + LOCAL.size
        text = source.read(name_start, name_length + extra_length)
        data_offset = name_start + name_length + extra_length
        deferred = flags & DATA_DESCRIPTOR_FLAG and not packed
        if deferred:
            measured, octets = _measure(source, data_offset, method, min(room, limits.entry_bytes))
            room -= octets
            if room < 0:
                raise MalformedError("The package unpacks to more than is accepted.", code="ofd.package.too-large")
            if measured is None:
                position = _next_header(source, data_offset)
                continue
            packed, size, crc32 = measured
        name = _name(text[:name_length], flags, text[name_length:], warnings)
        if data_offset + packed > source.size:
            warnings.add("ofd.read.cut-off", "文件内容被截断", "The file ends in the middle of an entry", entry=name)
            break
        records.append(
            _limited(LenientRecord(name, flags, method, crc32, packed, size, data_offset), len(records), limits)
        )
        position = _next_header(source, data_offset + packed)
    return records


def _next_header(source: Source, position: int) -> int | None:
    """The next local header from ``position`` that is there whole."""
    if position + LOCAL.size <= source.size and source.read(position, len(LOCAL_MAGIC)) == LOCAL_MAGIC:
        return position
    held = b""
    while position < source.size:
        data = held + source.read(position + len(held), CHUNK_BYTES)
        found = data.find(LOCAL_MAGIC)
        if found >= 0:
            position += found
            return position if position + LOCAL.size <= source.size else None
        kept = len(LOCAL_MAGIC) - 1
        if len(data) <= len(held):
            return None
        position += max(len(data) - kept, 0)
        held = data[-kept:]
    return None


def _measure(source: Source, offset: int, method: int, room: int) -> tuple[tuple[int, int, int] | None, int]:
    """Packed size, size and CRC of a deflated entry that does not state them, ``None`` when it does not end.

    Also how many octets were looked at for it: whoever plants a million such entries would have the whole file unpacked
    a million times.
    """
    if method != DEFLATED:
        return None, 0
    stream = zlib.decompressobj(-zlib.MAX_WBITS)
    size = crc32 = packed = looked_at = 0
    for piece in pieces(source, offset, source.size - offset):
        waiting = piece
        looked_at += len(piece)
        while waiting and not stream.eof:
            try:
                chunk = stream.decompress(waiting, CHUNK_BYTES)
            except zlib.error:
                return None, looked_at + size
            size += len(chunk)
            crc32 = zlib.crc32(chunk, crc32)
            waiting = stream.unconsumed_tail
            if size > room:
                raise MalformedError("An entry unpacks to more than is accepted.", code="ofd.package.too-large")
        packed += len(piece) - len(stream.unused_data)
        if stream.eof:
            return (packed, size, crc32), looked_at + size
    return None, looked_at + size


def _limited(record: LenientRecord, count: int, limits: Limits) -> LenientRecord:
    """The record, if it keeps the limits."""
    if count >= limits.entries:
        raise MalformedError(
            f"The package has more than {limits.entries} entries.", code="ofd.package.too-many-entries"
        )
    too_dense = record.size > limits.ratio_from_bytes and record.size > limits.ratio * record.compressed_size
    if record.size > limits.entry_bytes or too_dense:
        raise MalformedError(
            f"Entry {record.name!r} unpacks to {record.size} bytes, more than is accepted.",
            code="ofd.package.too-large",
            entry=record.name,
        )
    return record


def _name(raw: bytes, flags: int, extra: bytes, warnings: WarningList) -> str:
    """The name of an entry as a plain path, in the encoding it most likely is in."""
    if raw.isascii() or flags & UTF8_FLAG:
        try:
            return decode_name(raw, flags & UTF8_FLAG)
        except TrustError:
            text = guess_name(raw) or raw.decode("cp437")
    else:
        text = _unicode_path(raw, extra) or guess_name(raw) or raw.decode("cp437")
        warnings.add(
            "ofd.read.name-encoding",
            "文件名未标明编码，按 UTF-8 或 GB 18030 读取",
            "The encoding of a name is not stated; UTF-8 or GB 18030 was guessed",
            entry=text,
        )
    plain = "/".join(part for part in text.replace("\\", "/").split("/") if part not in {"", "."})
    if text.endswith(("/", "\\")):
        plain += "/"
    if plain != text:
        warnings.add("ofd.read.name", "文件名写法不规范，已规范化", "The name of an entry was tidied", entry=plain)
    return decode_name(plain.encode("utf-8", "replace"), UTF8_FLAG)


def _unicode_path(raw: bytes, extra: bytes) -> str | None:
    """The name in an Info-ZIP Unicode Path field that belongs to this name."""
    for kind, data in _extra_fields(extra):
        if kind == _UNICODE_PATH and len(data) > 5 and struct.unpack_from("<L", data, 1)[0] == zlib.crc32(raw):
            return data[5:].decode("utf-8", "replace")
    return None


def _extra_fields(extra: bytes) -> Iterator[tuple[int, bytes]]:
    position = 0
    while position + 4 <= len(extra):
        kind, length = struct.unpack_from("<HH", extra, position)
        yield kind, extra[position + 4 : position + 4 + length]
        position += 4 + length
