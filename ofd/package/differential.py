"""What two ZIP readers could see differently in the same file.

Strict reading refuses such files at the first difference. This module looks at a file as several readers do and says
all that differs, for a report: by the central directory (as most), from the front by local headers (as readers of
streams), by the first of several end records, with the last or the first of two entries of one name, with names in the
encodings that readers guess. Nothing is unpacked.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from ofd.package.source import CHUNK_BYTES, MemorySource, Source
from ofd.package.zip_format import (
    CENTRAL,
    CENTRAL_MAGIC,
    DATA_DESCRIPTOR_FLAG,
    DESCRIPTOR,
    DESCRIPTOR_MAGIC,
    END,
    END_MAGIC,
    LOCAL,
    LOCAL_MAGIC,
    UTF8_FLAG,
)
from ofd.package.zip_names import folded, guess_name

__all__ = ["Difference", "find_differences"]

_MOST_ENTRIES = 20_000
_MOST_DIFFERENCES = 200
_MOST_ENDS = 10_000
"""How many end records are looked at."""
_MAX_DIRECTORY_BYTES = 64 * 1024 * 1024
_END_SEARCH = 4 * 1024 * 1024
"""How far from the end further end records are looked for."""
_SECOND_NAME = b"\x75\x70"
"""Info-ZIP Unicode Path."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Something that readers disagree about."""

    code: str
    """Stable: ``ofd.package.differs.…``."""
    zh: str
    en: str
    evidence: Mapping[str, str]


class _Seen(NamedTuple):
    """An entry as one reader sees it."""

    raw_name: bytes
    flags: int
    method: int
    crc32: int
    compressed_size: int
    size: int
    offset: int
    """Of the local header."""
    extra: bytes


_TEXTS = {
    "prefix": ("压缩包之前有多余的字节", "Octets precede the package: some readers refuse it"),
    "trailing": ("压缩包之后有多余的字节", "Octets follow the package: some readers refuse it"),
    "no-end": ("没有结束记录", "There is no end record: readers rebuild the directory or refuse"),
    "second-end": ("有不止一个结束记录", "There are several end records: readers may take another directory"),
    "directory": ("中央目录损坏", "The central directory is damaged"),
    "count": ("结束记录中的条目数不符", "The end record states another number of entries"),
    "duplicate": ("同名条目出现多次", "A name stands several times: readers take the first or the last"),
    "same-name": ("条目名只差大小写或写法", "Names differ by case or form only: some readers take them for one"),
    "name": ("条目名在两处不一致", "An entry has another name in its own header"),
    "content": ("条目在两处的描述不一致", "An entry is described differently in its own header"),
    "hidden": ("条目未列入中央目录", "An entry is not in the central directory: readers of streams see it"),
    "overlap": ("条目的内容互相重叠", "Entries overlap: what one reader skips is an entry for another"),
    "absent": ("中央目录中的条目没有内容", "The directory lists an entry that is not there"),
    "encoding": ("条目名的编码未标明", "The encoding of a name is not stated: readers guess differently"),
    "second-name": ("条目有第二个名称", "An entry has a second name in an extra field"),
    "path": ("条目名不是普通路径", "A name is no plain path: readers repair it differently"),
}


def find_differences(source: Source | bytes) -> tuple[Difference, ...]:
    """All that readers could see differently, at most two hundred things; empty for a package everybody reads alike."""
    found: list[Difference] = []
    for reason, evidence in _look(MemorySource(source) if isinstance(source, bytes) else source):
        zh, en = _TEXTS[reason]
        found.append(Difference(code=f"ofd.package.differs.{reason}", zh=zh, en=en, evidence=evidence))
        if len(found) == _MOST_DIFFERENCES:
            break
    return tuple(found)


_Finding = tuple[str, Mapping[str, str]]


def _look(source: Source) -> Iterator[_Finding]:
    ends = _end_records(source)
    if not ends:
        yield "no-end", {}
        return
    position, count, start = ends[-1]
    if len(ends) > 1:
        yield "second-end", {"count": str(len(ends))}
    if position + END.size < source.size:
        yield "trailing", {"octets": str(source.size - position - END.size)}
    if not source.read(0, 4).startswith((LOCAL_MAGIC, END_MAGIC)):
        yield "prefix", {}
    listed = _listed(source, start, position)
    if listed is None:
        yield "directory", {}
        return
    if len(listed) & 0xFFFF != count:
        yield "count", {"stated": str(count), "found": str(len(listed))}
    yield from _names(listed)
    yield from _headers(source, listed, start)


def _names(listed: list[_Seen]) -> Iterator[_Finding]:
    """What readers make of the names in the directory."""
    exact: set[bytes] = set()
    forms: dict[str, str] = {}
    for entry in listed:
        shown = _shown(entry)
        if entry.raw_name in exact:
            yield "duplicate", {"entry": shown}
            continue
        exact.add(entry.raw_name)
        form = folded("/".join(part for part in shown.replace("\\", "/").split("/") if part not in {"", "."}))
        if form in forms:
            yield "same-name", {"entry": shown, "other": forms[form]}
        forms.setdefault(form, shown)
        if not entry.flags & UTF8_FLAG and not entry.raw_name.isascii():
            yield "encoding", {"entry": shown}
        parts = shown.removesuffix("/").split("/")
        if "\\" in shown or any(part in {"", ".", ".."} for part in parts):
            yield "path", {"entry": shown}
        if _SECOND_NAME in _field_kinds(entry.extra):
            yield "second-name", {"entry": shown}


def _headers(source: Source, listed: list[_Seen], directory_start: int) -> Iterator[_Finding]:
    """What differs between the directory and the headers in front of the data."""
    known: set[int] = set()
    ends: dict[int, int] = {}
    for entry in listed:
        local = _local(source, entry.offset)
        if local is None:
            yield "absent", {"entry": _shown(entry)}
            continue
        known.add(entry.offset)
        deferred = local.flags & DATA_DESCRIPTOR_FLAG and not (local.compressed_size or local.size or local.crc32)
        if local.raw_name != entry.raw_name or (local.flags ^ entry.flags) & UTF8_FLAG:
            yield "name", {"entry": _shown(entry), "other": _shown(local)}
        if local.method != entry.method or (not deferred and local[3:6] != entry[3:6]):
            yield "content", {"entry": _shown(entry)}
        data = entry.offset + LOCAL.size + len(local.raw_name) + len(local.extra)
        ends[entry.offset] = data + entry.compressed_size + (_descriptor(source, data, entry) if deferred else 0)
    yield from _hidden(source, known, ends, directory_start)


def _hidden(source: Source, known: set[int], ends: Mapping[int, int], directory_start: int) -> Iterator[_Finding]:
    """Headers between the entries that the directory does not list."""
    position = 0
    for offset in (*sorted(known), directory_start):
        if offset < position:
            yield "overlap", {"offset": str(offset)}
        at = position
        while at < offset:
            gap = source.read(at, min(offset - at, CHUNK_BYTES))
            found = gap.find(LOCAL_MAGIC)
            if found < 0:
                at += max(len(gap) - len(LOCAL_MAGIC) + 1, 1)
                continue
            local = _local(source, at + found)
            if local is not None:
                yield "hidden", {"entry": _shown(local)}
            at += found + len(LOCAL_MAGIC)
        position = max(position, ends.get(offset, offset))


def _end_records(source: Source) -> list[tuple[int, int, int]]:
    """Place, number of entries and start of the directory of each end record that leads to a directory."""
    base = max(source.size - _END_SEARCH, 0)
    tail = source.read(base, _END_SEARCH)
    found: list[tuple[int, int, int]] = []
    at = tail.rfind(END_MAGIC)
    tried = 0
    while at >= 0 and tried < _MOST_ENDS:
        tried += 1
        if at + END.size <= len(tail):
            _, _, _, _, count, size, offset, _ = END.unpack_from(tail, at)
            position = base + at
            for start in (offset, position - size):
                is_directory = start == position if not count else source.read(start, 4) == CENTRAL_MAGIC
                if 0 <= start <= position and is_directory:
                    found.append((position, count, start))
                    break
        at = tail.rfind(END_MAGIC, 0, at)
    return found[::-1]


def _listed(source: Source, start: int, end: int) -> list[_Seen] | None:
    """The central directory; ``None`` when it is damaged."""
    if end - start > _MAX_DIRECTORY_BYTES:
        return None
    data = source.read(start, end - start)
    entries: list[_Seen] = []
    position = 0
    while data.startswith(CENTRAL_MAGIC, position) and len(entries) < _MOST_ENTRIES:
        if position + CENTRAL.size > len(data):
            return None
        fields = CENTRAL.unpack_from(data, position)
        name_start = position + CENTRAL.size
        name_end = name_start + fields[10]
        extra = data[name_end : name_end + fields[11]]
        crc32, compressed_size, size = fields[7:10]
        name = data[name_start:name_end]
        entries.append(_Seen(name, fields[3], fields[4], crc32, compressed_size, size, fields[16], extra))
        position = name_end + fields[11] + fields[12]
    if entries and _local(source, entries[0].offset) is None:
        # Octets were put in front of the package and the offsets were not corrected.
        prefix = max(source.read(0, CHUNK_BYTES).find(LOCAL_MAGIC), 0)
        entries = [entry._replace(offset=entry.offset + prefix) for entry in entries]
    return entries if position == len(data) else None


def _local(source: Source, offset: int) -> _Seen | None:
    header = source.read(offset, LOCAL.size)
    if len(header) < LOCAL.size or not header.startswith(LOCAL_MAGIC):
        return None
    fields = LOCAL.unpack(header)
    text = source.read(offset + LOCAL.size, fields[9] + fields[10])
    crc32, compressed_size, size = fields[6:9]
    return _Seen(text[: fields[9]], fields[2], fields[3], crc32, compressed_size, size, offset, text[fields[9] :])


def _descriptor(source: Source, data: int, entry: _Seen) -> int:
    """Length of the data descriptor behind an entry."""
    start = source.read(data + entry.compressed_size, len(DESCRIPTOR_MAGIC))
    return DESCRIPTOR.size + (len(start) if start == DESCRIPTOR_MAGIC else 0)


def _shown(entry: _Seen) -> str:
    if entry.flags & UTF8_FLAG:
        return entry.raw_name.decode("utf-8", "replace")
    return guess_name(entry.raw_name) or entry.raw_name.decode("cp437")


def _field_kinds(extra: bytes) -> Iterator[bytes]:
    position = 0
    while position + 4 <= len(extra):
        yield extra[position : position + 2]
        position += 4 + int.from_bytes(extra[position + 2 : position + 4], "little")
