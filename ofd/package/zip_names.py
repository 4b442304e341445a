"""Which entry names a package may have: names that every reader takes for the same file."""

import stat
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from itertools import pairwise

from ofd.package.zip_format import UTF8_FLAG
from trustcore.errors import MalformedError

__all__ = ["NameSet", "check_attributes", "check_distinct", "decode_name", "decode_unflagged", "folded", "guess_name"]

_UNICODE_PATH_EXTRA = b"\x75\x70"
"""Info-ZIP Unicode Path: a second name that some readers prefer."""
_ZIP64_EXTRA = b"\x01\x00"
_MAX_NAME_BYTES = 1024
_MAX_FOLDERS = 32
_SHOWN = 200
"""How many characters of a refused name an error repeats."""
_MAX_ASCII = "\x7f"
_FIRST_CJK = "\u2e80"
_REMEMBERED = 2048
"""Documents are full of the same few names."""


@lru_cache(maxsize=_REMEMBERED)
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
        shown = raw.decode("gb18030", "replace")[:_SHOWN]
        raise MalformedError(
            f"The name of entry {shown!r} is not UTF-8.", code="ofd.package.name-encoding", entry=shown
        ) from error
    _check_name(name, len(raw))
    return name


def decode_unflagged(raw: bytes) -> str:
    """A name without the UTF-8 flag, in the encoding it is most likely in (:func:`guess_name`).

    Raises:
        MalformedError: ``ofd.package.name-encoding`` or ``ofd.package.name``.
    """
    name = guess_name(raw)
    if name is None:
        shown = raw.decode("ascii", "replace")[:_SHOWN]
        raise MalformedError(
            f"The name of entry {shown!r} is in no known encoding.", code="ofd.package.name-encoding", entry=shown
        )
    _check_name(name, len(raw))
    return name


def guess_name(raw: bytes) -> str | None:
    """UTF-8 or GB 18030; ``None`` for octets that are neither.

    Many names in GB 18030 are well-formed UTF-8 by chance, of letters that nobody writes ("ͼƬ" is "图片"), so UTF-8
    has to make East Asian text to be believed.
    """
    text, other = _decoded(raw, "utf-8"), _decoded(raw, "gb18030")
    if text is None or (other is not None and any(_MAX_ASCII < char < _FIRST_CJK for char in text)):
        return other
    return text


def _decoded(raw: bytes, encoding: str) -> str | None:
    try:
        return raw.decode(encoding)
    except UnicodeDecodeError:
        return None


def _check_name(name: str, octets: int) -> None:
    parts = name.removesuffix("/").split("/")
    bad_part = any(part in {"", ".", ".."} for part in parts)
    drive = len(parts[0]) > 1 and parts[0][1] == ":"
    too_long = octets > _MAX_NAME_BYTES or len(parts) > _MAX_FOLDERS
    if bad_part or drive or too_long or _has_bad_character(name):
        shown = name[:_SHOWN]
        raise MalformedError(f"The entry name {shown!r} is not a plain path.", code="ofd.package.name", entry=shown)


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


def folded(name: str) -> str:
    """What a name is for readers that know neither case nor the forms of a character."""
    return unicodedata.normalize("NFC", name.removesuffix("/")).casefold()


@lru_cache(maxsize=_REMEMBERED)
def _key(name: str) -> str:
    """The folded name, in a form in which files of a folder are sorted directly behind the folder."""
    return folded(name).replace("/", "\x00")


class NameSet:
    """Names of one package, each another file for every reader."""

    def __init__(self) -> None:
        """Start without names."""
        self._seen: dict[str, str] = {}

    def add(self, name: str) -> None:
        """Take one more name; folders end with a slash.

        Raises:
            MalformedError: ``ofd.package.duplicate`` for a name that some readers take for an earlier one; both are in
                ``facts``.
        """
        key = _key(name)
        other = self._seen.get(key)
        if other is not None:
            raise MalformedError(
                f"Entries {other!r} and {name!r} are the same file for some readers.",
                code="ofd.package.duplicate",
                entry=name,
                other=other,
            )
        self._seen[key] = name

    def check_folders(self) -> None:
        """Refuse a file that is also a folder, when all names are there.

        Raises:
            MalformedError: ``ofd.package.duplicate``; both names are in ``facts``.
        """
        for key, following in pairwise(sorted(self._seen)):
            if following.startswith(key) and following[len(key)] == "\x00":
                name, inner = self._seen[key], self._seen[following]
                if name[-1] != "/":
                    raise MalformedError(
                        f"Entry {name!r} is a file and the folder of {inner!r}.",
                        code="ofd.package.duplicate",
                        entry=inner,
                        other=name,
                    )


def check_distinct(names: Iterable[str]) -> None:
    """Refuse names that some readers take for the same file, and files that are also directories.

    Raises:
        MalformedError: ``ofd.package.duplicate`` with the entry in ``facts``.
    """
    known = NameSet()
    for name in names:
        known.add(name)
    known.check_folders()
