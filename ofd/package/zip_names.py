"""Which entry names a package may have: names that every reader takes for the same file."""

import stat
import unicodedata
from collections.abc import Iterable

from ofd.package.zip_format import UTF8_FLAG
from trustcore.errors import MalformedError

__all__ = ["check_attributes", "check_distinct", "decode_name"]

_UNICODE_PATH_EXTRA = b"\x75\x70"
"""Info-ZIP Unicode Path: a second name that some readers prefer."""
_ZIP64_EXTRA = b"\x01\x00"
_MAX_NAME_BYTES = 1024
_MAX_FOLDERS = 32
_SHOWN = 200
"""How many characters of a refused name an error repeats."""


def decode_name(raw: bytes, flags: int) -> str:
    """The name of an entry.

    Raises:
        MalformedError: ``ofd.package.name-encoding`` when it is neither ASCII nor flagged UTF-8, ``ofd.package.name``
            when it is empty, absolute, too long or deep, leaves the root, or holds a backslash, control character,
            ``.`` or empty part.
    """
    try:
        name = raw.decode("utf-8" if flags & UTF8_FLAG else "ascii")
    except UnicodeDecodeError as error:
        shown = raw.decode("gb18030", "replace")
        raise MalformedError(
            f"The name of entry {shown!r} is not UTF-8.", code="ofd.package.name-encoding", entry=shown
        ) from error
    parts = name.removesuffix("/").split("/")
    bad_part = any(part in {"", ".", ".."} for part in parts)
    drive = len(parts[0]) > 1 and parts[0][1] == ":"
    too_long = len(raw) > _MAX_NAME_BYTES or len(parts) > _MAX_FOLDERS
    if bad_part or drive or too_long or _has_bad_character(name):
        shown = name[:_SHOWN]
        raise MalformedError(f"The entry name {shown!r} is not a plain path.", code="ofd.package.name", entry=shown)
    return name


def _has_bad_character(name: str) -> bool:
    if name.isascii() and name.isprintable():
        return "\\" in name
    return any(char == "\\" or unicodedata.category(char) in {"Cc", "Cf", "Cs"} for char in name)


def check_attributes(name: str, external_attributes: int, extra: bytes) -> None:
    """Refuse entries that are neither files nor directories, and extra fields that change name or size.

    Raises:
        MalformedError: ``ofd.package.special-file`` or ``ofd.package.extra-field``.
    """
    kind = stat.S_IFMT(external_attributes >> 16)
    if kind not in {0, stat.S_IFREG, stat.S_IFDIR}:
        raise MalformedError(
            f"Entry {name!r} is a link or device, not a file.", code="ofd.package.special-file", entry=name
        )
    position = 0
    while position + 4 <= len(extra):
        if extra[position : position + 2] in {_UNICODE_PATH_EXTRA, _ZIP64_EXTRA}:
            raise MalformedError(
                f"Entry {name!r} has a second name or size in an extra field.",
                code="ofd.package.extra-field",
                entry=name,
            )
        position += 4 + int.from_bytes(extra[position + 2 : position + 4], "little")


def check_distinct(names: Iterable[str]) -> None:
    """Refuse names that some readers take for the same file, and files that are also directories.

    Raises:
        MalformedError: ``ofd.package.duplicate`` with the entry in ``facts``.
    """
    seen: dict[str, str] = {}
    folders: dict[str, str] = {}
    for name in names:
        key = unicodedata.normalize("NFC", name.removesuffix("/")).casefold()
        if key in seen:
            raise MalformedError(
                f"Entries {seen[key]!r} and {name!r} are the same file for some readers.",
                code="ofd.package.duplicate",
                entry=name,
                other=seen[key],
            )
        seen[key] = name
        if name.endswith("/"):
            continue
        while "/" in key:
            key = key.rpartition("/")[0]
            folders[key] = name
    for key, name in folders.items():
        other = seen.get(key, "/")
        if not other.endswith("/"):
            raise MalformedError(
                f"Entry {other!r} is a file and the folder of {name!r}.",
                code="ofd.package.duplicate",
                entry=name,
                other=other,
            )
