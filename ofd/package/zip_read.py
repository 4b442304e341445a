"""Reading the directory of a package so that no two ZIP readers can see different files in it.

Attackers hide content in the places where readers disagree: local headers against the central directory, bytes before,
between and behind the entries, two end records, two names. Everything that leaves such room is refused: entries must
follow each other without a gap from the first byte, the central directory must follow them, and the end record must be
the end of the file.
"""

import zlib

from ofd.package.zip_format import (
    CENTRAL,
    CENTRAL_MAGIC,
    DATA_DESCRIPTOR_FLAG,
    DEFLATED,
    DESCRIPTOR,
    DESCRIPTOR_MAGIC,
    END,
    END_MAGIC,
    LOCAL,
    LOCAL_MAGIC,
    STORED,
    CentralRecord,
    Limits,
)
from ofd.package.zip_names import check_attributes, check_distinct, decode_name
from trustcore.errors import MalformedError

__all__ = ["inflate", "read_directory"]

_REFUSED_FLAGS = 0x0001 | 0x0020 | 0x0040 | 0x2000
"""Encrypted, patched, strongly encrypted, masked headers."""
_FF32 = 0xFFFFFFFF
_FF16 = 0xFFFF


def read_directory(data: bytes, limits: Limits) -> tuple[CentralRecord, ...]:
    """All entries in the order of the central directory.

    Raises:
        MalformedError: ``ofd.package.…``: what is wrong, with the entry in ``facts`` where it is one entry's fault.
    """
    start, end, count = _end_record(data)
    if count > limits.entries:
        raise _malformed(f"The package has {count} entries, more than {limits.entries}.", "too-many-entries")
    records: list[CentralRecord] = []
    position = start
    for _ in range(count):
        record = _central_record(data, position, end, limits)
        records.append(record)
        position += len(record.raw)
    if position != end:
        raise _malformed("The central directory holds more than its entries.", "directory")
    if sum(record.size for record in records) > limits.total_bytes:
        raise _malformed(f"The package unpacks to more than {limits.total_bytes} bytes.", "too-large")
    check_distinct(record.name for record in records)
    _check_contiguous(records, start)
    return tuple(records)


def inflate(data: bytes, record: CentralRecord) -> bytes:
    """The content of one entry, its length and CRC-32 checked.

    Raises:
        MalformedError: ``ofd.package.entry-damaged``, naming the entry.
    """
    packed = data[record.data_offset : record.data_offset + record.compressed_size]
    content = packed if record.method != DEFLATED else _inflate(packed, record.size)
    if content is None or len(content) != record.size or zlib.crc32(content) != record.crc32:
        raise _damaged(record.name)
    return content


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
    return start + end


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


def _end_record(data: bytes) -> tuple[int, int, int]:
    """Offset and end of the central directory and the number of its entries."""
    if not data.startswith((LOCAL_MAGIC, END_MAGIC)):
        raise _malformed("The file does not start as a ZIP package does.", "not-zip")
    position = len(data) - END.size
    if position < 0 or data[position : position + 4] != END_MAGIC:
        raise _malformed("Bytes follow the end of the ZIP package, or its end is missing.", "end")
    _, disk, directory_disk, here, count, size, start, comment = END.unpack_from(data, position)
    if disk or directory_disk or here != count or comment:
        raise _malformed("The package is split over several files or has a comment.", "end")
    if count == _FF16 or _FF32 in {size, start}:
        raise _malformed("The package is in ZIP64 form.", "zip64")
    if start + size != position:
        raise _malformed("The central directory does not end where the end record starts.", "directory")
    return start, position, count


def _central_record(data: bytes, position: int, end: int, limits: Limits) -> CentralRecord:
    if position + CENTRAL.size > end or data[position : position + 4] != CENTRAL_MAGIC:
        raise _malformed("The central directory is damaged.", "directory")
    fields = CENTRAL.unpack_from(data, position)
    flags, method, crc32, compressed_size, size = fields[3], fields[4], *fields[7:10]
    name_length, extra_length, comment_length, disk = fields[10:14]
    name_end = position + CENTRAL.size + name_length
    record_end = name_end + extra_length + comment_length
    if record_end > end or disk:
        raise _malformed("The central directory is damaged.", "directory")
    raw_name = data[position + CENTRAL.size : name_end]
    name = decode_name(raw_name, flags)
    check_attributes(name, fields[15], data[name_end : name_end + extra_length])
    if flags & _REFUSED_FLAGS:
        raise _malformed(f"Entry {name!r} is encrypted or patched.", "encrypted", name)
    if fields[14] not in {0, 1}:
        raise _malformed(f"Entry {name!r} has internal attributes that mean nothing.", "attributes", name)
    if method not in {STORED, DEFLATED} or (method == STORED and size != compressed_size):
        raise _malformed(f"Entry {name!r} is packed in an unknown way.", "method", name)
    if name.endswith("/") and size:
        raise _malformed(f"The folder {name!r} has content.", "name", name)
    too_dense = size > limits.ratio_from_bytes and size > limits.ratio * compressed_size
    if size > limits.entry_bytes or too_dense:
        raise _malformed(f"Entry {name!r} unpacks to {size} bytes, more than is accepted.", "too-large", name)
    offset = fields[16]
    data_offset = _check_local(data, offset, fields, raw_name, name)
    data_end = data_offset + compressed_size
    return CentralRecord(
        name=name,
        flags=flags,
        method=method,
        crc32=crc32,
        compressed_size=compressed_size,
        size=size,
        offset=offset,
        data_offset=data_offset,
        end=_skip_descriptor(data, data_end, fields, name) if flags & DATA_DESCRIPTOR_FLAG else data_end,
        raw=data[position:record_end],
        is_directory=name.endswith("/"),
    )


def _check_local(data: bytes, offset: int, central: tuple[int, ...], raw_name: bytes, name: str) -> int:
    """Compare the local header with the central one, and return where the data starts."""
    if offset + LOCAL.size > len(data) or data[offset : offset + 4] != LOCAL_MAGIC:
        raise _mismatch(name)
    fields = LOCAL.unpack_from(data, offset)
    sizes, central_sizes = fields[6:9], central[7:10]
    name_start = offset + LOCAL.size
    data_offset = int(name_start + fields[9] + fields[10])
    deferred = bool(fields[2] & DATA_DESCRIPTOR_FLAG) and sizes == (0, 0, 0)
    # Version needed, flags, method, time and date; how a file was on its writer's disk stands in one place only.
    same = fields[1:6] == central[2:7] and (deferred or sizes == central_sizes)
    if not same or data[name_start : name_start + fields[9]] != raw_name or data_offset > len(data):
        raise _mismatch(name)
    check_attributes(name, 0, data[name_start + fields[9] : data_offset])
    return data_offset


def _skip_descriptor(data: bytes, position: int, central: tuple[int, ...], name: str) -> int:
    """Check the data descriptor (APPNOTE §4.3.9), whose magic is optional, and return its end."""
    expected = DESCRIPTOR.pack(*central[7:10])
    if data[position : position + 4] == DESCRIPTOR_MAGIC and data.startswith(expected, position + 4):
        return position + 4 + DESCRIPTOR.size
    if data.startswith(expected, position):
        return position + DESCRIPTOR.size
    raise _mismatch(name)


def _check_contiguous(records: list[CentralRecord], directory_start: int) -> None:
    """Every byte before the central directory belongs to exactly one entry."""
    position = 0
    for record in sorted(records, key=lambda r: r.offset):
        if record.offset != position:
            raise _malformed(f"Hidden bytes or overlapping data before entry {record.name!r}.", "gap", record.name)
        position = record.end
    if position != directory_start:
        raise _malformed("Hidden bytes before the central directory.", "gap")


def _malformed(detail: str, reason: str, entry: str | None = None) -> MalformedError:
    facts = {} if entry is None else {"entry": entry}
    return MalformedError(detail, code=f"ofd.package.{reason}", **facts)


def _mismatch(name: str) -> MalformedError:
    return _malformed(f"Entry {name!r} is described differently in two places.", "header-mismatch", name)


def _damaged(name: str) -> MalformedError:
    return _malformed(f"Entry {name!r} is damaged.", "entry-damaged", name)
