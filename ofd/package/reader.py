"""OFD packages: reading one within limits, writing one, and changing one without touching the rest.

Names are paths without leading slash (``Doc_0/Document.xml``). Reading refuses whatever two ZIP readers could see
differently (:mod:`ofd.package.zip_read`). Writing is deterministic: the same files in the same order give the same
octets. A package is in memory or in a file; one in a file is read where it is asked for, and neither reading piece by
piece, nor hashing, nor writing a changed copy needs more memory than a few pieces. No temporary folders.
"""

import hashlib
from bisect import bisect
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import accumulate
from pathlib import Path
from types import TracebackType
from typing import Self

from ofd.package.inflate import inflate, inflate_chunks
from ofd.package.source import CHUNK_BYTES, FileSource, MemorySource, Source
from ofd.package.zip_format import STRICT, WILD, CentralRecord, Limits, Tolerance
from ofd.package.zip_names import check_distinct
from ofd.package.zip_read import read_directory
from ofd.package.zip_write import Content, PackageWriter, Packed, end_record, moved, pack
from ofd.progress import Progress, silent
from trustcore.crypto.algorithms import DigestAlgorithm
from trustcore.crypto.digests import digest
from trustcore.errors import NotFoundError

__all__ = ["STRICT", "WILD", "Content", "Limits", "Package", "PackageWriter", "Tolerance", "write_package"]

_KEPT_BYTES = 4 * 1024 * 1024
"""How much of what was unpacked is kept for the next time it is asked for."""
_LONGEST_KEPT = 1024 * 1024
"""Longer entries are hashed piece by piece and not kept."""

_Entry = CentralRecord | Packed
_Run = Packed | list[CentralRecord] | tuple[str, Content]
"""Something to write: a ready entry, untouched entries that follow each other in the source, or a new file."""


class Package:
    """A package that is read strictly. Immutable; safe to share between threads.

    ``Package(data)`` reads octets in memory, ``Package.open(path)`` a file; :meth:`changed` is the package with other
    or further files, in which what is new is in memory and the rest is where it was.
    """

    def __init__(self, data: bytes | Source, *, limits: Limits | None = None, tolerance: Tolerance = STRICT) -> None:
        """Read the directory of a package; contents are read when asked for.

        Args:
            data: the octets of the file, kept as they are, or where they are.
            limits: what it may ask for at most.
            tolerance: what may be let pass; see :attr:`prefix_bytes` and :attr:`guessed_names` for what was.

        Raises:
            MalformedError: ``ofd.package.…`` (see :func:`ofd.package.zip_read.read_directory`).
        """
        self._source: Source = MemorySource(data) if isinstance(data, bytes) else data
        directory = read_directory(self._source, limits or Limits(), tolerance)
        self.prefix_bytes = directory.prefix_bytes
        """How many foreign octets precede the package."""
        self.guessed_names = directory.guessed_names
        """Names of entries whose encoding nobody states."""
        self._entries: dict[str, _Entry] = {record.name: record for record in directory.records}
        self._names: tuple[str, ...] | None = None
        self._digests: dict[tuple[str, DigestAlgorithm], bytes] = {}
        self._contents: dict[str, bytes] = {}
        self._room = _KEPT_BYTES

    @classmethod
    def open(cls, path: Path | str, *, limits: Limits | None = None, tolerance: Tolerance = STRICT) -> Self:
        """A package in a file, to be closed after use (it is a context manager).

        Raises:
            OSError: the file cannot be read.
            MalformedError: ``ofd.package.…``.
        """
        source = FileSource(path)
        try:
            return cls(source, limits=limits, tolerance=tolerance)
        except BaseException:
            source.close()
            raise

    def close(self) -> None:
        """Close the file; packages made from this one by :meth:`changed` can no longer be read either."""
        self._source.close()

    def __enter__(self) -> Self:
        """The package."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file."""
        self.close()

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all files, folders left out, in the order of the package."""
        if self._names is None:
            self._names = tuple([name for name in self._entries if name[-1] != "/"])
        return self._names

    @property
    def empty_folders(self) -> tuple[str, ...]:
        """Names, with the slash, of the folders that hold no file: nobody needs them."""
        folders = [name for name in self._entries if name[-1] == "/"]
        if not folders:
            return ()
        files = sorted(self.names)
        return tuple(name for name in folders if not _is_needed(name, files))

    def __contains__(self, name: object) -> bool:
        """Whether there is a file with exactly this name."""
        return isinstance(name, str) and name in self._entries and name[-1] != "/"

    def __iter__(self) -> Iterator[str]:
        """The names of all files."""
        return iter(self.names)

    def size(self, name: str) -> int:
        """How many octets a file has, as its entry states; reading refuses others.

        Raises:
            NotFoundError: ``ofd.package.entry-missing``.
        """
        entry = self._find(name)
        return len(entry.content) if isinstance(entry, Packed) else entry.size

    def read(self, name: str) -> bytes:
        """The content of a file.

        Raises:
            NotFoundError: ``ofd.package.entry-missing``.
            MalformedError: ``ofd.package.entry-damaged``.
        """
        content = self._contents.get(name)
        if content is None:
            entry = self._find(name)
            if isinstance(entry, Packed):
                return entry.content
            content = inflate(self._source, entry)
            if len(content) <= min(self._room, _LONGEST_KEPT):
                self._room -= len(content)
                self._contents[name] = content
        return content

    def chunks(self, name: str) -> Iterator[bytes]:
        """The content of a file piece by piece; it is right only when the last piece came without an error.

        Raises:
            NotFoundError: ``ofd.package.entry-missing``.
            MalformedError: ``ofd.package.entry-damaged``.
        """
        entry = self._find(name)
        if isinstance(entry, Packed):
            content = entry.content
            return (content[at : at + CHUNK_BYTES] for at in range(0, len(content), CHUNK_BYTES))
        return inflate_chunks(self._source, entry)

    def digest(self, name: str, algorithm: DigestAlgorithm) -> bytes:
        """The digest of the content of a file, computed once, piece by piece for long ones.

        Raises:
            NotFoundError: ``ofd.package.entry-missing``.
            MalformedError: ``ofd.package.entry-damaged``.
        """
        key = (name, algorithm)
        found = self._digests.get(key)
        if found is None:
            if self.size(name) <= _LONGEST_KEPT:
                found = digest(algorithm, self.read(name))
            else:
                state = hashlib.new(algorithm)
                for chunk in self.chunks(name):
                    state.update(chunk)
                found = state.digest()
            self._digests[key] = found
        return found

    def changed(self, files: Mapping[str, bytes], *, removed: Collection[str] = ()) -> "Package":
        """The package with these files added, or put in the place of those with the same name.

        Nothing is copied: the new package reads the untouched files where they are, so a package in a file must stay
        open. What was computed of them (digests) is known to the new one too.

        Args:
            files: name and content; new ones follow the old.
            removed: names that are left out.

        Raises:
            MalformedError: ``ofd.package.name`` or ``ofd.package.duplicate`` for names a package cannot have.
            NotFoundError: ``ofd.package.entry-missing`` for a name to be removed that is not there.
        """
        entries = dict(self._entries)
        for name in removed:
            self._find(name)
            del entries[name]
        is_new = any(name not in entries for name in files)
        for name, content in files.items():
            entries[name] = pack(name, content)
        if is_new:
            check_distinct(entries)
        result = object.__new__(type(self))
        result._source = self._source
        result._entries = entries
        result._take_over(self, {*files, *removed})
        return result

    def to_bytes(self) -> bytes:
        """The octets of the package: untouched entries are those of the source, byte for byte, in their order."""
        parts: list[bytes] = []
        directory: list[bytes] = []
        offset = 0
        for run in _runs(self._entries.values()):
            if isinstance(run, Packed):
                parts.append(run.local)
                directory.append(moved(run.record, offset))
            elif isinstance(run, list):
                start, end = run[0].offset, run[-1].end
                shift = offset - start
                parts.append(self._source.read(start, end - start))
                directory.extend([moved(record.raw, record.offset + shift) for record in run])
            offset += len(parts[-1])
        self._source.check_unchanged()
        end_of_all = end_record(len(directory), sum(map(len, directory)), offset)
        return b"".join((*parts, *directory, end_of_all))

    def write_to(
        self,
        path: Path | str,
        changes: Mapping[str, Content] | None = None,
        *,
        removed: Collection[str] = (),
        progress: Progress = silent,
    ) -> None:
        """Write the package, with changes, into a file, in bounded memory.

        The file is written beside and takes the place of ``path`` at the end, which may be the file that is read.

        Args:
            path: where to.
            changes: name and content of files that are added or replaced; long ones as an iterable of pieces.
            removed: names that are left out.
            progress: told octets, of those that are known beforehand.

        Raises:
            MalformedError: ``ofd.package.name`` or ``ofd.package.duplicate``.
            NotFoundError: ``ofd.package.entry-missing`` for a name to be removed that is not there.
            RejectedError: ``ofd.package.zip64``: it would be too large for a package.
            ConflictError: ``ofd.package.changed``: somebody wrote to the source meanwhile.
            OSError: the disk fails; the old file is as it was.
        """
        plan = self._plan(changes or {}, removed)
        total = sum(map(_octets, plan))
        done = 0
        progress(0, total)
        with PackageWriter(path) as writer:
            for run in plan:
                for octets in _write(writer, self._source, run):
                    done += octets
                    progress(done, total)
            self._source.check_unchanged()

    def with_files(self, files: Mapping[str, bytes]) -> bytes:
        """The octets of the package with these files added or replaced: ``changed(files).to_bytes()``.

        Raises:
            MalformedError: ``ofd.package.name`` or ``ofd.package.duplicate`` for names a package cannot have.
        """
        return self.changed(files).to_bytes()

    def _find(self, name: str) -> _Entry:
        entry = self._entries.get(name)
        if entry is None or name[-1] == "/":
            raise NotFoundError(f"The package has no entry {name!r}.", code="ofd.package.entry-missing", entry=name)
        return entry

    def _take_over(self, other: "Package", but: Collection[str]) -> None:
        """What is known of the files of ``other``, all but some."""
        self.prefix_bytes, self.guessed_names = other.prefix_bytes, other.guessed_names
        self._names = None
        self._digests = {key: value for key, value in list(other._digests.items()) if key[0] not in but}  # noqa: SLF001
        self._contents = {name: value for name, value in list(other._contents.items()) if name not in but}  # noqa: SLF001
        self._room = other._room  # noqa: SLF001

    def _plan(self, changes: Mapping[str, Content], removed: Collection[str]) -> list[_Run]:
        for name in removed:
            self._find(name)
        entries: dict[str, _Entry | tuple[str, Content]] = {
            name: (name, changes[name]) if name in changes else entry
            for name, entry in self._entries.items()
            if name not in removed
        }
        entries.update({name: (name, content) for name, content in changes.items() if name not in entries})
        return list(_runs(entries.values()))


def write_package(files: Mapping[str, bytes]) -> bytes:
    """A package with these files in this order; the same files give the same octets.

    Raises:
        MalformedError: ``ofd.package.name`` or ``ofd.package.duplicate`` for names a package cannot have.
        RejectedError: ``ofd.package.zip64``: it would be too large for a package.
    """
    check_distinct(files)
    packed = [pack(name, content) for name, content in files.items()]
    offsets = accumulate((len(entry.local) for entry in packed), initial=0)
    directory = [moved(entry.record, offset) for entry, offset in zip(packed, offsets, strict=False)]
    end = end_record(len(packed), sum(map(len, directory)), sum(len(entry.local) for entry in packed))
    return b"".join((*(entry.local for entry in packed), *directory, end))


def _is_needed(folder: str, files: Sequence[str]) -> bool:
    """Whether one of the files, which are sorted, is in the folder."""
    place = bisect(files, folder)
    return place < len(files) and files[place].startswith(folder)


def _runs(entries: Iterable[_Entry | tuple[str, Content]]) -> Iterator[_Run]:
    """The entries in order; untouched ones that follow each other in the source together."""
    run: list[CentralRecord] = []
    for entry in entries:
        if isinstance(entry, CentralRecord):
            if run and run[-1].end != entry.offset:
                yield run
                run = []
            run.append(entry)
            continue
        if run:
            yield run
            run = []
        yield entry
    if run:
        yield run


def _write(writer: PackageWriter, source: Source, run: _Run) -> Iterator[int]:
    """Write a run, saying after each piece how many octets of those foreseen are done."""
    if isinstance(run, list):
        yield from writer.copy(source, run)
        return
    if isinstance(run, Packed):
        writer.put(run)
    else:
        writer.add(*run)
    yield _octets(run)


def _octets(run: _Run) -> int:
    """How many octets are known to be written."""
    if isinstance(run, list):
        return run[-1].end - run[0].offset
    content = run.content if isinstance(run, Packed) else run[1]
    return len(content) if isinstance(content, bytes) else 0
