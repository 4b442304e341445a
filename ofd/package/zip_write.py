"""Writing entries: packed ones for packages in memory, and a writer for files of any length.

The same content gives the same octets whatever the machine and the time: entries carry no time of their own, and long
contents are packed in pieces of one size.
"""

import contextlib
import os
import tempfile
import zlib
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import IO, NamedTuple, Self

from ofd.package.source import CHUNK_BYTES, Source, pieces
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
)
from ofd.package.zip_names import NameSet, decode_name
from trustcore.errors import ConflictError, RejectedError

__all__ = ["Content", "PackageWriter", "Packed", "end_record", "moved", "pack"]

Content = bytes | Iterable[bytes]
"""The content of a new entry: all of it, or pieces of it in order, as large as it pleases their maker."""

_DOS_DATE = 0x21
"""1 January 1980: files of a package carry no time of their own."""
_VERSION_NEEDED = 20
_COMPRESSION = 1
"""Of zlib; 6 saves 4 % of a licence and takes three times as long."""
_LONGEST_REMEMBERED = 64 * 1024
_PACKED_ALREADY = (
    ".png",
    ".jpg",
    ".jpeg",
    ".gif",
    ".jb2",
    ".jp2",
    ".webp",
    ".mp3",
    ".mp4",
    ".zip",
    ".ofd",
    ".dat",
    ".esl",
)
"""Media and signatures: deflate would take longer than all else and save next to nothing."""
_WORTH_TRYING = 0.95
_MAX_OFFSET = 0xFFFFFFFE
_MAX_ENTRIES = 0xFFFE


class Packed(NamedTuple):
    """An entry that is ready to be written; a tuple, because thousands are made a second."""

    name: str
    content: bytes
    local: bytes
    """Local header, name and packed data."""
    record: bytes
    """Central record for an entry at offset 0."""


def pack(name: str, content: bytes) -> Packed:
    """An entry in the form in which it is written.

    Raises:
        MalformedError: ``ofd.package.name`` for a name a package cannot have.
        RejectedError: ``ofd.package.zip64`` for content that needs ZIP64.
    """
    flags, raw_name = _encoded(name)
    method, packed = STORED, content
    if content and not name.endswith(_PACKED_ALREADY):
        packed = (_deflate_once if len(content) <= _LONGEST_REMEMBERED else _deflate)(content)
        method = DEFLATED
        if len(packed) >= len(content):
            method, packed = STORED, content
    if len(content) > _MAX_OFFSET:
        raise _too_large()
    header, record = _headers(flags, raw_name, (method, zlib.crc32(content), len(packed), len(content)))
    return Packed(name, content, header + packed, record)


def moved(record: bytes, offset: int) -> bytes:
    """A central record for an entry whose local header is at ``offset``."""
    return record[:42] + offset.to_bytes(4, "little") + record[46:]


def end_record(count: int, size: int, offset: int) -> bytes:
    """The end of a package with ``count`` entries and a directory of ``size`` octets at ``offset``.

    Raises:
        RejectedError: ``ofd.package.zip64`` when a package of this form cannot be that large.
    """
    if count > _MAX_ENTRIES or offset + size > _MAX_OFFSET:
        raise _too_large()
    return END.pack(END_MAGIC, 0, 0, count, count, size, offset, 0)


class PackageWriter:
    """Writes a package into a file, entry by entry, in bounded memory.

    What is written stands beside the file and takes its place when all is done and on the disk: a program that dies,
    a full disk or an exception leave the old file as it was. Use it as a context manager, whose end raises
    ``ConflictError`` (``ofd.package.unfinished``) when an entry was given up half way, and ``MalformedError``
    (``ofd.package.duplicate``) when a file is also a folder.

    Example:
        >>> import tempfile
        >>> target = Path(tempfile.mkdtemp()) / "new.ofd"
        >>> with PackageWriter(target) as writer:
        ...     writer.add("OFD.xml", b"<OFD/>")
        ...     writer.add("Doc_0/Res/long.bin", (bytes(1000) for _ in range(1000)))
        >>> target.stat().st_size < 5000
        True
    """

    def __init__(self, path: Path | str) -> None:
        """Start to write; nothing is at ``path`` before the end.

        Raises:
            OSError: the folder cannot be written to.
        """
        self._target = Path(os.path.realpath(path))
        self._names = NameSet()
        self._directory: list[bytes] = []
        self._offset = 0
        self._is_whole = True
        prefix = f".{self._target.name[:60]}."
        descriptor, name = tempfile.mkstemp(prefix=prefix, suffix=".part", dir=self._target.parent)
        self._file: IO[bytes] = os.fdopen(descriptor, "wb", buffering=CHUNK_BYTES)
        self._beside = Path(name)

    @property
    def octets(self) -> int:
        """How much has been written."""
        return self._offset

    def add(self, name: str, content: Content) -> None:
        """Write one entry.

        Args:
            name: path without leading slash.
            content: octets, or an iterable of pieces, of which one is in memory at a time.

        Raises:
            MalformedError: ``ofd.package.name`` or ``ofd.package.duplicate`` for names a package cannot have.
            RejectedError: ``ofd.package.zip64``: this would be too large for a package.
        """
        if isinstance(content, bytes):
            self.put(pack(name, content))
        else:
            self._names.add(name)
            self._stream(name, iter(content))

    def put(self, entry: Packed) -> None:
        """Write an entry that is ready.

        Raises:
            MalformedError: ``ofd.package.duplicate`` for a name a package cannot have.
            RejectedError: ``ofd.package.zip64``: this would be too large for a package.
        """
        self._names.add(entry.name)
        self._directory.append(moved(entry.record, self._offset))
        self._write(entry.local)

    def copy(self, source: Source, records: Iterable[CentralRecord]) -> Iterator[int]:
        """Copy entries that follow each other in ``source``, byte for byte.

        Yields:
            After each piece, how many octets it had.
        """
        records = tuple(records)
        start, end = records[0].offset, records[-1].end
        for record in records:
            self._names.add(record.name)
            self._directory.append(moved(record.raw, self._offset + record.offset - start))
        self._is_whole = False
        for piece in pieces(source, start, end - start):
            self._write(piece)
            yield len(piece)
        self._is_whole = True

    def __enter__(self) -> Self:
        """The writer."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Finish the package, or throw away what was written when something went wrong."""
        try:
            if kind is None:
                self._finish()
        finally:
            try:
                self._file.close()
            finally:
                self._beside.unlink(missing_ok=True)

    def _finish(self) -> None:
        if not self._is_whole:
            raise ConflictError("An entry was not written to its end.", code="ofd.package.unfinished")
        self._names.check_folders()
        directory = b"".join(self._directory)
        end = end_record(len(self._directory), len(directory), self._offset)
        self._file.write(directory)
        self._file.write(end)
        self._file.flush()
        os.fchmod(self._file.fileno(), _mode(self._target))
        os.fsync(self._file.fileno())
        self._beside.replace(self._target)
        _sync_folder(self._target.parent)

    def _write(self, data: bytes) -> None:
        if self._offset + len(data) > _MAX_OFFSET:
            raise _too_large()
        self._file.write(data)
        self._offset += len(data)

    def _stream(self, name: str, content: Iterator[bytes]) -> None:
        """Write content of unknown length: its header is put right when all of it has come."""
        flags, raw_name = _encoded(name)
        self._is_whole = False
        start = self._offset
        self._write(bytes(LOCAL.size) + raw_name)
        method, crc32, size = STORED, 0, 0
        stream: zlib._Compress | None = None
        data_start = self._offset
        for piece in _regular(content):
            if size == 0 and not name.endswith(_PACKED_ALREADY) and _shrinks(piece):
                method, stream = DEFLATED, zlib.compressobj(_COMPRESSION, DEFLATED, -zlib.MAX_WBITS)
            size += len(piece)
            crc32 = zlib.crc32(piece, crc32)
            self._write(piece if stream is None else stream.compress(piece))
        if stream is not None:
            self._write(stream.flush())
        header, record = _headers(flags, raw_name, (method, crc32, self._offset - data_start, size))
        self._file.seek(start)
        self._file.write(header)
        self._file.seek(self._offset)
        self._directory.append(moved(record, start))
        self._is_whole = True


def _encoded(name: str) -> tuple[int, bytes]:
    try:
        raw_name = name.encode()
    except UnicodeEncodeError as error:
        raise RejectedError("The name of an entry is not text.", code="ofd.package.name") from error
    flags = 0 if name.isascii() else UTF8_FLAG
    decode_name(raw_name, flags)
    return flags, raw_name


def _headers(flags: int, raw_name: bytes, facts: tuple[int, int, int, int]) -> tuple[bytes, bytes]:
    """Local header with name, and central record, from method, CRC-32, packed and unpacked size."""
    # What both headers say of the entry, from the version needed to the length of the (absent) extra field.
    method, *sizes = facts
    shared = (_VERSION_NEEDED, flags, method, 0, _DOS_DATE, *sizes, len(raw_name), 0)
    record = CENTRAL.pack(CENTRAL_MAGIC, _VERSION_NEEDED, *shared, 0, 0, 0, 0, 0)
    return LOCAL.pack(LOCAL_MAGIC, *shared) + raw_name, record + raw_name


def _deflate(content: bytes) -> bytes:
    return zlib.compress(content, _COMPRESSION, -zlib.MAX_WBITS)


_deflate_once = lru_cache(maxsize=64)(_deflate)
"""Templates and seals are the same in all documents of a kind."""


def _regular(content: Iterator[bytes]) -> Iterator[bytes]:
    """The same octets in pieces of one size: what deflate makes of them depends on it."""
    held = bytearray()
    for piece in content:
        held += piece
        while len(held) >= CHUNK_BYTES:
            yield bytes(held[:CHUNK_BYTES])
            del held[:CHUNK_BYTES]
    if held:
        yield bytes(held)


def _shrinks(piece: bytes) -> bool:
    return len(_deflate(piece)) < len(piece) * _WORTH_TRYING


def _mode(target: Path) -> int:
    """The permissions of the file that is replaced, or those of any new file."""
    try:
        return target.stat().st_mode & 0o777
    except FileNotFoundError:
        return 0o666 & ~_umask()


def _umask() -> int:
    """The process's mask for new files, read without setting it (Linux), else the usual one."""
    with contextlib.suppress(OSError, StopIteration, ValueError):
        lines = Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines()
        return int(next(line for line in lines if line.startswith("Umask:")).split()[1], 8)
    return 0o022


def _sync_folder(folder: Path) -> None:
    """Put the new name on the disk too."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _too_large() -> RejectedError:
    return RejectedError("A package of this form cannot be that large: it would need ZIP64.", code="ofd.package.zip64")
