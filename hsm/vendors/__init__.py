"""The vendor profiles that come with the program, one file each, and those that an installation brings."""

from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from pathlib import Path
from types import MappingProxyType

from hsm.core.profiles import AUTO, VendorProfile, match_profile, parse_profile
from trustcore.errors import MalformedError, NotFoundError

__all__ = ["VendorBook", "packaged_profiles"]

_LARGEST_FILE_BYTES = 65536


@cache
def packaged_profiles() -> Mapping[str, VendorProfile]:
    """The profiles that come with the program, by name."""
    found = {}
    for entry in sorted(resources.files("hsm.vendors").iterdir(), key=lambda entry: entry.name):
        if entry.name.endswith(".toml"):
            profile = parse_profile(entry.read_text(encoding="utf-8"), file=entry.name)
            found[profile.name] = profile
    return MappingProxyType(found)


class VendorBook:
    """All profiles of an installation.

    Args:
        files: TOML files of its own. One with the name of a packaged profile takes its place.

    Raises:
        NotFoundError: ``hsm.profile.missing`` for a file that cannot be read.
        MalformedError: ``hsm.profile.malformed`` for one that is no profile.
    """

    def __init__(self, files: Sequence[Path] = ()) -> None:
        self._profiles = dict(packaged_profiles())
        for file in files:
            profile = _read(file)
            # Behind the packaged ones, so that its patterns count more.
            self._profiles.pop(profile.name, None)
            self._profiles[profile.name] = profile

    @property
    def profiles(self) -> tuple[VendorProfile, ...]:
        """All of them."""
        return tuple(self._profiles.values())

    def named(self, name: str) -> VendorProfile:
        """The profile of this name. Raises ``MalformedError`` (``hsm.profile.unknown``)."""
        try:
            return self._profiles[name]
        except KeyError:
            known = ", ".join((AUTO, *self._profiles))
            raise MalformedError(
                f"There is no vendor profile {name}; known are {known}.", code="hsm.profile.unknown", profile=name
            ) from None

    def choose(
        self, name: str, *, file: str, manufacturer: str | None = None, description: str | None = None
    ) -> VendorProfile | None:
        """The profile of this name, or for ``auto`` the one that fits what the module says of itself.

        Before the module is loaded only its file is known, and the answer may be ``None`` though one will fit.
        """
        if name != AUTO:
            return self.named(name)
        return match_profile(self.profiles, file=file, manufacturer=manufacturer, description=description)


def _read(file: Path) -> VendorProfile:
    try:
        with file.open("rb") as opened:
            text = opened.read(_LARGEST_FILE_BYTES).decode()
    except OSError as error:
        raise NotFoundError(
            f"The vendor profile {file.name} cannot be read: {error.strerror}; correct the setting hsm.profiles.",
            code="hsm.profile.missing",
            file=file.name,
        ) from error
    except UnicodeDecodeError as error:
        raise MalformedError(
            f"The vendor profile {file.name} cannot be read: it is no text in UTF-8.",
            code="hsm.profile.malformed",
            file=file.name,
        ) from error
    return parse_profile(text, file=file.name)
