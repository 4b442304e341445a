"""Packages as readers that only draw see them: what breaks the standard is guessed, and every guess is a warning.

The same file is read strictly for verifying (:class:`ofd.package.reader.Package`). Both answer the same way where the
file keeps to the standard. What endangers the reader stays refused here too: bombs, links, paths that leave the
package, names that stand twice, document types in XML.
"""

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from ofd.package.lenient_zip import LenientRecord, content_chunks, read_leniently
from ofd.package.locations import Finder
from ofd.package.read_warning import ReadWarning, WarningList
from ofd.package.reader import Limits, Package
from ofd.package.source import FileSource, MemorySource, Source
from trustcore.errors import NotFoundError, TrustError

__all__ = ["LenientPackage", "ReadWarning"]

_STAY_REFUSED = frozenset({"too-many-entries", "too-large", "special-file", "duplicate", "zip64"})
"""Reasons of strict reading that hold for lenient reading as well."""


class LenientPackage:
    """A package for drawing. Contents never change; the warnings grow while it is read.

    ``LenientPackage(data)`` reads octets in memory, ``LenientPackage.open(path)`` a file, ``LenientPackage(package)``
    shares a package that was read strictly.
    """

    def __init__(self, source: "bytes | Source | Package", *, limits: Limits | None = None) -> None:
        """Read the directory, strictly if that is possible.

        Raises:
            MalformedError: ``ofd.package.…`` for what is no package, or none that may be read.
        """
        self._warnings = WarningList()
        self.strict: Package | None = None
        """The same package read strictly; ``None`` when strict reading refuses it."""
        self.refusal: TrustError | None = None
        """Why strict reading refuses it."""
        self._records: dict[str, LenientRecord] = {}
        if isinstance(source, Package):
            self.strict = source
        else:
            self._source = MemorySource(source) if isinstance(source, bytes) else source
            self._read(limits or Limits())
        self._finder = Finder(self.names, self._warnings)

    @classmethod
    def open(cls, path: Path | str, *, limits: Limits | None = None) -> Self:
        """A package in a file, to be closed after use (it is a context manager).

        Raises:
            OSError: the file cannot be read.
            MalformedError: ``ofd.package.…``.
        """
        source = FileSource(path)
        try:
            return cls(source, limits=limits)
        except BaseException:
            source.close()
            raise

    def close(self) -> None:
        """Close the file."""
        if self.strict is not None:
            self.strict.close()
        else:
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
    def warnings(self) -> tuple[ReadWarning, ...]:
        """All guesses so far, in the order in which they were made."""
        return tuple(self._warnings)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all files, folders left out, in the order of the package."""
        return self.strict.names if self.strict is not None else tuple(self._records)

    def __contains__(self, name: object) -> bool:
        """Whether there is a file with exactly this name."""
        return name in self._records if self.strict is None else name in self.strict

    def __iter__(self) -> Iterator[str]:
        """The names of all files."""
        return iter(self.names)

    def size(self, name: str) -> int:
        """How many octets a file has, as its entry states.

        Raises:
            NotFoundError: ``ofd.package.entry-missing``.
        """
        return self.strict.size(name) if self.strict is not None else self._find(name).size

    def read(self, name: str) -> bytes:
        """The content of a file; a wrong checksum or length is a warning.

        Raises:
            NotFoundError: ``ofd.package.entry-missing``.
            MalformedError: ``ofd.package.entry-damaged`` when nothing can be unpacked, ``ofd.package.encrypted`` or
                ``ofd.package.method`` when it is packed in a way nobody reads.
        """
        if self.strict is not None:
            return self.strict.read(name)
        return b"".join(content_chunks(self._source, self._find(name), self._warnings))

    def chunks(self, name: str) -> Iterator[bytes]:
        """The content of a file piece by piece; errors as those of :meth:`read`."""
        if self.strict is not None:
            return self.strict.chunks(name)
        return content_chunks(self._source, self._find(name), self._warnings)

    def find(self, location: str, *, holder: str, base: str = "") -> str | None:
        """The entry that a location means to readers, or ``None`` when there is none.

        Fallbacks are tried in the order of :mod:`ofd.package.locations`, and warned of.

        Args:
            location: the text of an ST_Loc.
            holder: entry name of the file in which it stands.
            base: ``Res@BaseLoc``, for locations inside a resource file.
        """
        return self._finder.find(location, holder=holder, base=base)

    def resolve(self, location: str, *, holder: str, base: str = "") -> str:
        """As :meth:`find`; ``NotFoundError`` (``ofd.package.entry-missing``) when there is none."""
        found = self.find(location, holder=holder, base=base)
        if found is None:
            raise NotFoundError(
                f"The package has no entry for {location!r}.",
                code="ofd.package.entry-missing",
                entry=location,
                via=holder,
            )
        return found

    def _read(self, limits: Limits) -> None:
        try:
            self.strict = Package(self._source, limits=limits)
        except TrustError as error:
            if error.code.removeprefix("ofd.package.") in _STAY_REFUSED:
                raise
            self.refusal = error
            self._records = read_leniently(self._source, limits, self._warnings)

    def _find(self, name: str) -> LenientRecord:
        record = self._records.get(name)
        if record is None:
            raise NotFoundError(f"The package has no entry {name!r}.", code="ofd.package.entry-missing", entry=name)
        return record
