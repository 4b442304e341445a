"""Where the octets of a package are: in memory, or in a file that is read piece by piece.

A file is read with ``pread`` at given places: threads may share a source, and what was read is not kept.
"""

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from trustcore.errors import ConflictError, MalformedError

__all__ = ["CHUNK_BYTES", "FileSource", "MemorySource", "Source", "pieces"]

CHUNK_BYTES = 256 * 1024
"""How much is read, unpacked or copied at a time."""


class Source(Protocol):
    """Octets at known places."""

    @property
    def size(self) -> int:
        """How many octets there are."""

    def read(self, offset: int, length: int) -> bytes:
        """The octets from ``offset``: ``length`` of them, fewer only behind the end."""

    def check_unchanged(self) -> None:
        """Refuse to go on when the octets are no longer those of the beginning.

        Raises:
            ConflictError: ``ofd.package.changed``.
        """

    def close(self) -> None:
        """Give back what the source holds; closing twice is no error."""


class MemorySource:
    """Octets in memory."""

    def __init__(self, data: bytes) -> None:
        """Hold ``data`` as it is."""
        self.data = data
        self.size = len(data)

    def read(self, offset: int, length: int) -> bytes:
        """The octets from ``offset``: ``length`` of them, fewer only behind the end."""
        return self.data[offset : offset + length]

    def check_unchanged(self) -> None:
        """Octets in memory do not change."""

    def close(self) -> None:
        """Nothing is held that had to be given back."""


class FileSource:
    """A regular file, read where it is asked for."""

    def __init__(self, path: Path | str) -> None:
        """Open a file.

        Raises:
            OSError: it cannot be opened.
            MalformedError: ``ofd.package.not-zip`` for a pipe, a device or a socket.
        """
        # A pipe without a writer would block for ever.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        self._file = os.fdopen(descriptor, "rb", buffering=0)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            self._file.close()
            raise MalformedError("A package is a file, not a pipe or device.", code="ofd.package.not-zip")
        self._state = self._look()
        self.size = self._state[0]

    def read(self, offset: int, length: int) -> bytes:
        """The octets from ``offset``: ``length`` of them, fewer only behind the end.

        Raises:
            OSError: the disk fails.
            ValueError: the source is closed.
        """
        data = os.pread(self._file.fileno(), length, offset)
        while len(data) < length:
            more = os.pread(self._file.fileno(), length - len(data), offset + len(data))
            if not more:
                break
            data += more
        return data

    def check_unchanged(self) -> None:
        """Compare length and time of change with those at the beginning.

        Raises:
            ConflictError: ``ofd.package.changed``.
        """
        if self._look() != self._state:
            raise ConflictError("The file was changed while it was read.", code="ofd.package.changed")

    def close(self) -> None:
        """Close the file; closing twice is no error."""
        self._file.close()

    def _look(self) -> tuple[int, int]:
        found = os.fstat(self._file.fileno())
        return found.st_size, found.st_mtime_ns


def pieces(source: Source, offset: int, length: int) -> Iterator[bytes]:
    """The octets from ``offset``, at most :data:`CHUNK_BYTES` at a time.

    Raises:
        ConflictError: ``ofd.package.changed`` when there are fewer than there were.
    """
    end = offset + length
    while offset < end:
        piece = source.read(offset, min(CHUNK_BYTES, end - offset))
        if not piece:
            raise ConflictError("The file was changed while it was read.", code="ofd.package.changed")
        offset += len(piece)
        yield piece
