"""Reading the directory of a package so that no two ZIP readers can see different files in it.

Attackers hide content in the places where readers disagree: local headers against the central directory, bytes before,
between and behind the entries, two end records, two names. Everything that leaves such room is refused: entries must
follow each other without a gap from the first byte, the central directory must follow them, and the end record must be
the end of the file. A :class:`~ofd.package.zip_format.Tolerance` widens this in two named places only.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from ofd.package.source import MemorySource, Source
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
    REFUSED_FLAGS,
    STORED,
    STRICT,
    UTF8_FLAG,
    CentralRecord,
    Limits,
    Tolerance,
)
from ofd.package.zip_names import check_attributes, check_distinct, decode_name, decode_unflagged
from trustcore.errors import MalformedError

__all__ = ["Directory", "read_directory"]

_FF32 = 0xFFFFFFFF
_FF16 = 0xFFFF
_MAX_DIRECTORY_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Directory:
    """What a package says it holds."""

    records: tuple[CentralRecord, ...]
    """In the order of the central directory."""
    prefix_bytes: int = 0
    """How many foreign octets precede the first entry; they were tolerated."""
    guessed_names: tuple[str, ...] = ()
    """Names whose encoding nobody states; they were tolerated."""


@dataclass(slots=True, kw_only=True)
class _Reading:
    """The place of the directory in the file, and what was let pass."""

    source: Source
    limits: Limits
    tolerance: Tolerance
    start: int
    end: int
    count: int
    shift: int
    """What has to be added to stated offsets because of foreign octets in front."""
    prefix_bytes: int
    guessed: list[str] = field(default_factory=list)


def read_directory(source: Source | bytes, limits: Limits, tolerance: Tolerance = STRICT) -> Directory:
    """All entries, checked.

    Raises:
        MalformedError: ``ofd.package.…``: what is wrong, with the entry in ``facts`` where it is one entry's fault.
    """
    reading = _find_directory(MemorySource(source) if isinstance(source, bytes) else source, limits, tolerance)
    if reading.count > limits.entries:
        raise _malformed(f"The package has {reading.count} entries, more than {limits.entries}.", "too-many-entries")
    size = reading.end - reading.start
    if size > _MAX_DIRECTORY_BYTES:
        raise _malformed("The central directory is too large.", "too-many-entries")
    directory = reading.source.read(reading.start, size)
    records: list[CentralRecord] = []
    position = 0
    for _ in range(reading.count):
        record = _central_record(reading, directory, position)
        records.append(record)
        position += len(record.raw)
    if position != size:
        raise _malformed("The central directory holds more than its entries.", "directory")
    if sum([record.size for record in records]) > limits.total_bytes:
        raise _malformed(f"The package unpacks to more than {limits.total_bytes} bytes.", "too-large")
    check_distinct([record.name for record in records])
    _check_contiguous(records, reading.prefix_bytes, reading.start)
    return Directory(records=tuple(records), prefix_bytes=reading.prefix_bytes, guessed_names=tuple(reading.guessed))


def _find_directory(source: Source, limits: Limits, tolerance: Tolerance) -> _Reading:
    prefix = _prefix_length(source, tolerance)
    position = source.size - END.size
    tail = source.read(max(position, 0), END.size)
    if position < 0 or not tail.startswith(END_MAGIC):
        raise _malformed("Bytes follow the end of the ZIP package, or its end is missing.", "end")
    _, disk, directory_disk, here, count, size, start, comment = END.unpack(tail)
    if disk or directory_disk or here != count or comment:
        raise _malformed("The package is split over several files or has a comment.", "end")
    if count == _FF16 or _FF32 in {size, start}:
        raise _malformed("The package is in ZIP64 form.", "zip64")
    # Whoever put octets in front of a package may have corrected the offsets or not.
    shift = prefix if prefix and start + size + prefix == position else 0
    if start + size + shift != position:
        raise _malformed("The central directory does not end where the end record starts.", "directory")
    return _Reading(
        source=source,
        limits=limits,
        tolerance=tolerance,
        start=start + shift,
        end=position,
        count=count,
        shift=shift,
        prefix_bytes=prefix,
    )


def _prefix_length(source: Source, tolerance: Tolerance) -> int:
    """How many octets precede the first entry, if that many are tolerated."""
    head = source.read(0, tolerance.prefix_bytes + len(LOCAL_MAGIC))
    if head.startswith((LOCAL_MAGIC, END_MAGIC)):
        return 0
    found = head.find(LOCAL_MAGIC)
    if found < 0:
        raise _malformed("The file does not start as a ZIP package does.", "not-zip")
    return found


def _central_record(reading: _Reading, directory: bytes, position: int) -> CentralRecord:
    name_start = position + CENTRAL.size
    if name_start > len(directory):
        raise _malformed("The central directory is damaged.", "directory")
    fields = CENTRAL.unpack_from(directory, position)
    magic, _, _, flags, method, _, _, crc32, compressed_size, size, name_length, extra_length, *rest = fields
    comment_length, disk, internal, external, offset = rest
    name_end = name_start + name_length
    record_end = name_end + extra_length + comment_length
    if magic != CENTRAL_MAGIC or disk or record_end > len(directory):
        raise _malformed("The central directory is damaged.", "directory")
    raw_name = directory[name_start:name_end]
    name = _name(reading, raw_name) if not flags & UTF8_FLAG else decode_name(raw_name, UTF8_FLAG)
    if external or extra_length:
        check_attributes(name, external, directory[name_end : name_end + extra_length])
    is_directory = name[-1] == "/"
    _check_packing(reading.limits, name, fields)
    if internal not in {0, 1}:
        raise _malformed(f"Entry {name!r} has internal attributes that mean nothing.", "attributes", name)
    raw = directory[position:record_end]
    offset += reading.shift
    data_offset = _check_local(reading.source, offset, raw, raw_name, name)
    data_end = data_offset + compressed_size
    end = _skip_descriptor(reading.source, data_end, fields, name) if flags & DATA_DESCRIPTOR_FLAG else data_end
    return CentralRecord(name, flags, method, crc32, compressed_size, size, offset, data_offset, end, raw, is_directory)


def _name(reading: _Reading, raw: bytes) -> str:
    """A name that is not flagged UTF-8."""
    if reading.tolerance.unflagged_names and not raw.isascii():
        name = decode_unflagged(raw)
        reading.guessed.append(name)
        return name
    return decode_name(raw, 0)


def _check_packing(limits: Limits, name: str, fields: tuple[int, ...]) -> None:
    """Refuse what cannot be unpacked, or only to more than is accepted."""
    flags, method, compressed_size, size = fields[3], fields[4], fields[8], fields[9]
    if flags & REFUSED_FLAGS:
        raise _malformed(f"Entry {name!r} is encrypted or patched.", "encrypted", name)
    if method != DEFLATED and (method != STORED or size != compressed_size):
        raise _malformed(f"Entry {name!r} is packed in an unknown way.", "method", name)
    if method == STORED and flags & DATA_DESCRIPTOR_FLAG and size:
        # Readers of streams do not know where it ends, and take what looks like a header in it for the next entry.
        raise _malformed(f"The end of entry {name!r} can only be guessed.", "method", name)
    if size and name[-1] == "/":
        raise _malformed(f"The folder {name!r} has content.", "name", name)
    too_dense = size > limits.ratio_from_bytes and size > limits.ratio * compressed_size
    if size > limits.entry_bytes or too_dense:
        raise _malformed(f"Entry {name!r} unpacks to {size} bytes, more than is accepted.", "too-large", name)


def _check_local(source: Source, offset: int, raw: bytes, raw_name: bytes, name: str) -> int:
    """Compare the local header with the central record, and return where the data starts.

    Version needed, flags, method, time, date, CRC, sizes and name length stand in the same order in both; how a file
    was on its writer's disk stands in the central one only.
    """
    length = LOCAL.size + len(raw_name)
    header = source.read(offset, length)
    if len(header) < length or header[:4] != LOCAL_MAGIC or header[30:] != raw_name:
        raise _mismatch(name)
    if header[4:28] != raw[6:30] and not _is_deferred(header, raw):
        raise _mismatch(name)
    extra_length = header[28] | header[29] << 8
    if extra_length:
        extra = source.read(offset + length, extra_length)
        if len(extra) < extra_length:
            raise _mismatch(name)
        check_attributes(name, 0, extra)
    return offset + length + extra_length


def _is_deferred(header: bytes, raw: bytes) -> bool:
    """Whether all is the same but CRC and sizes, which follow the data (APPNOTE §4.4.4)."""
    flags = header[6] | header[7] << 8
    return (
        bool(flags & DATA_DESCRIPTOR_FLAG)
        and header[4:14] == raw[6:16]
        and header[14:26] == bytes(12)
        and header[26:28] == raw[28:30]
    )


def _skip_descriptor(source: Source, position: int, central: tuple[int, ...], name: str) -> int:
    """Check the data descriptor (APPNOTE §4.3.9), whose magic is optional, and return its end."""
    expected = DESCRIPTOR.pack(*central[7:10])
    found = source.read(position, len(DESCRIPTOR_MAGIC) + DESCRIPTOR.size)
    if found == DESCRIPTOR_MAGIC + expected:
        return position + len(found)
    if found.startswith(expected):
        return position + DESCRIPTOR.size
    raise _mismatch(name)


def _check_contiguous(records: Iterable[CentralRecord], start: int, directory_start: int) -> None:
    """Every byte before the central directory belongs to exactly one entry."""
    position = start
    for record in sorted(records, key=_offset):
        if record.offset != position:
            raise _malformed(f"Hidden bytes or overlapping data before entry {record.name!r}.", "gap", record.name)
        position = record.end
    if position != directory_start:
        raise _malformed("Hidden bytes before the central directory.", "gap")


def _offset(record: CentralRecord) -> int:
    return record.offset


def _malformed(detail: str, reason: str, entry: str | None = None) -> MalformedError:
    facts = {} if entry is None else {"entry": entry}
    return MalformedError(detail, code=f"ofd.package.{reason}", **facts)


def _mismatch(name: str) -> MalformedError:
    return _malformed(f"Entry {name!r} is described differently in two places.", "header-mismatch", name)
