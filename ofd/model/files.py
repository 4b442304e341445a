"""What the model reads from: a package, and the finding of entries by location."""

from typing import Protocol

from ofd.package import loc
from ofd.package.read_warning import ReadWarning
from ofd.package.reader import Package
from trustcore.errors import MalformedError

__all__ = ["Files", "StrictFiles"]


class Files(Protocol):
    """Entries of a package by location, with more or less leniency."""

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all files."""

    @property
    def warnings(self) -> tuple[ReadWarning, ...]:
        """What had to be guessed so far."""

    def read(self, name: str) -> bytes:
        """The content of an entry; raises ``TrustError`` when it cannot be read."""

    def find(self, location: str, *, holder: str, base: str = "") -> str | None:
        """The entry name that a location means, or nothing."""

    def close(self) -> None:
        """Close the file, if it is one."""


class StrictFiles:
    """A package read without any leniency."""

    def __init__(self, package: Package) -> None:
        """Read from this package."""
        self._package = package

    @property
    def warnings(self) -> tuple[ReadWarning, ...]:
        """Nothing is guessed."""
        return ()

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all files."""
        return self._package.names

    def read(self, name: str) -> bytes:
        """The content of an entry."""
        return self._package.read(name)

    def find(self, location: str, *, holder: str, base: str = "") -> str | None:
        """The entry name that a location means, if there is such an entry."""
        try:
            name = loc.resolve(location, holder=holder, base=base)
        except MalformedError:
            return None
        return name if name in self._package else None

    def close(self) -> None:
        """Close the package."""
        self._package.close()
