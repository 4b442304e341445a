"""OFD packages: reading one from octets within limits, writing one, and changing one without touching the rest.

Names are paths without leading slash (``Doc_0/Document.xml``). Reading refuses whatever two ZIP readers could see
differently (:mod:`ofd.package.zip_read`). Writing is deterministic: the same files in the same order give the same
octets. No temporary files.
"""

import zlib
from collections.abc import Iterator, Mapping
from functools import lru_cache

from ofd.package.zip_format import (
    CENTRAL,
    CENTRAL_MAGIC,
    DEFLATED,
    END,
    END_MAGIC,
    LOCAL,
    LOCAL_MAGIC,
    STORED,
    UTF8_FLAG,
    CentralRecord,
    Limits,
)
from ofd.package.zip_names import check_distinct, decode_name
from ofd.package.zip_read import inflate, read_directory
from trustcore.crypto.algorithms import DigestAlgorithm
from trustcore.crypto.digests import digest
from trustcore.errors import NotFoundError

__all__ = ["Limits", "Package", "write_package"]

_DOS_DATE = 0x21
"""1 January 1980: files of a package carry no time of their own."""
_LONGEST_REMEMBERED = 64 * 1024
_KEPT_BYTES = 4 * 1024 * 1024
"""How much of what was unpacked is kept for the next time it is asked for."""
_VERSION_NEEDED = 20
_COMPRESSION = 1
"""Of zlib; 6 saves 4 % of a licence and takes three times as long."""
_OFFSET_POSITION = 42
"""Of the local header's offset in a central record."""


class Package:
    """A package in memory. Immutable; safe to share between threads."""

    def __init__(self, data: bytes, *, limits: Limits | None = None) -> None:
        """Read the directory of a package; contents are read when asked for.

        Args:
            data: the octets of the file, kept as they are.
            limits: what it may ask for at most.

        Raises:
            MalformedError: ``ofd.package.reader.…`` (see :func:`ofd.package.zip_read.read_directory`).
        """
        self.data = data
        self._records = {record.name: record for record in read_directory(data, limits or Limits())}
        self._digests: dict[tuple[str, DigestAlgorithm], bytes] = {}
        self._contents: dict[str, bytes] = {}
        self._room = _KEPT_BYTES

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all files, folders left out, in the order of the package."""
        return tuple(record.name for record in self._records.values() if not record.is_directory)

    @property
    def empty_folders(self) -> tuple[str, ...]:
        """Names, with the slash, of the folders that hold no file: nobody needs them."""
        needed: set[str] = set()
        for name in self.names:
            parts = name.split("/")
            needed.update("/".join(parts[:end]) + "/" for end in range(1, len(parts)))
        return tuple(r.name for r in self._records.values() if r.is_directory and r.name not in needed)

    def __contains__(self, name: object) -> bool:
        """Whether there is a file with exactly this name."""
        record = self._records.get(name) if isinstance(name, str) else None
        return record is not None and not record.is_directory

    def __iter__(self) -> Iterator[str]:
        """The names of all files."""
        return iter(self.names)

    def read(self, name: str) -> bytes:
        """The content of a file.

        Raises:
            NotFoundError: ``ofd.package.entry-missing``.
            MalformedError: ``ofd.package.entry-damaged``.
        """
        if name not in self:
            raise NotFoundError(f"The package has no entry {name!r}.", code="ofd.package.entry-missing", entry=name)
        content = self._contents.get(name)
        if content is None:
            content = inflate(self.data, self._records[name])
            if len(content) <= self._room:
                self._room -= len(content)
                self._contents[name] = content
        return content

    def digest(self, name: str, algorithm: DigestAlgorithm) -> bytes:
        """The digest of the content of a file, computed once.

        Raises:
            NotFoundError: ``ofd.package.entry-missing``.
            MalformedError: ``ofd.package.entry-damaged``.
        """
        key = (name, algorithm)
        if key not in self._digests:
            self._digests[key] = digest(algorithm, self.read(name))
        return self._digests[key]

    def with_files(self, files: Mapping[str, bytes]) -> bytes:
        """The package with these files added, or put in the place of those with the same name.

        All other entries are copied byte for byte, compressed data and headers, in their order; new ones follow.

        Raises:
            MalformedError: ``ofd.package.name`` or ``ofd.package.duplicate`` for names a package cannot have.
        """
        writer = _Writer()
        for record in self._records.values():
            if record.name in files:
                writer.add(record.name, files[record.name])
            else:
                writer.copy(self.data, record)
        for name, content in files.items():
            if name not in self._records:
                writer.add(name, content)
        return writer.finish()


def write_package(files: Mapping[str, bytes]) -> bytes:
    """A package with these files in this order; the same files give the same octets.

    Raises:
        MalformedError: ``ofd.package.name`` or ``ofd.package.duplicate`` for names a package cannot have.
    """
    writer = _Writer()
    for name, content in files.items():
        writer.add(name, content)
    return writer.finish()


def _deflate(content: bytes) -> bytes:
    stream = zlib.compressobj(_COMPRESSION, zlib.DEFLATED, -zlib.MAX_WBITS)
    return stream.compress(content) + stream.flush()


_deflate_once = lru_cache(maxsize=64)(_deflate)
"""Templates and seals are the same in all documents of a kind."""


class _Writer:
    """Collects local entries and the central records that describe them."""

    def __init__(self) -> None:
        self._entries: list[bytes] = []
        self._directory: list[bytes] = []
        self._names: list[str] = []
        self._offset = 0

    def add(self, name: str, content: bytes) -> None:
        raw_name = name.encode()
        flags = 0 if name.isascii() else UTF8_FLAG
        decode_name(raw_name, flags)
        packed = (_deflate_once if len(content) <= _LONGEST_REMEMBERED else _deflate)(content)
        method = DEFLATED
        if len(packed) >= len(content):
            method, packed = STORED, content
        # What both headers say of the entry, from the version needed to the length of the (absent) extra field.
        shared = (_VERSION_NEEDED, flags, method, 0, _DOS_DATE, zlib.crc32(content), len(packed), len(content))
        header = LOCAL.pack(LOCAL_MAGIC, *shared, len(raw_name), 0)
        record = CENTRAL.pack(CENTRAL_MAGIC, _VERSION_NEEDED, *shared, len(raw_name), 0, 0, 0, 0, 0, self._offset)
        self._append(name, header + raw_name + packed, record + raw_name)

    def copy(self, data: bytes, record: CentralRecord) -> None:
        moved = bytearray(record.raw)
        moved[_OFFSET_POSITION : _OFFSET_POSITION + 4] = self._offset.to_bytes(4, "little")
        self._append(record.name, data[record.offset : record.end], bytes(moved))

    def finish(self) -> bytes:
        check_distinct(self._names)
        directory = b"".join(self._directory)
        count = len(self._names)
        end = END.pack(END_MAGIC, 0, 0, count, count, len(directory), self._offset, 0)
        return b"".join((*self._entries, directory, end))

    def _append(self, name: str, entry: bytes, record: bytes) -> None:
        self._names.append(name)
        self._entries.append(entry)
        self._directory.append(record)
        self._offset += len(entry)
