"""Locations as readers repair them, in a fixed order, each repair with a warning.

1. exact: the strict meaning (:mod:`ofd.package.loc`), no warning;
2. normalised: backslashes, doubled slashes, blanks around it, ``..`` above the root, percent escapes;
3. case-folded: the same without regard to case and to the forms of a character;
4. root-relative: the location taken from the root of the package although it has no slash in front;
5. for files of resources, ``BaseLoc`` left out, or ``Res`` in its place.

Two files that only differ by case are refused when the package is read, so that no step has a choice.
"""

from collections.abc import Iterable, Iterator
from urllib.parse import unquote

from ofd.package.loc import resolve
from ofd.package.read_warning import WarningList
from ofd.package.zip_names import folded
from trustcore.errors import MalformedError

__all__ = ["Finder"]

_TEXTS = {
    "ofd.read.path-normalised": (
        "路径写法不规范，已规范化",
        "The location is irregular and was put in order",
    ),
    "ofd.read.path-case": ("路径大小写与文件名不一致", "The location differs from the name of the file by case"),
    "ofd.read.path-root": (
        "路径缺少开头的斜杠，按包根解析",
        "The location lacks its slash: taken from the root",
    ),
    "ofd.read.base-location": ("资源的 BaseLoc 不正确", "BaseLoc of the resources leads nowhere"),
}


class Finder:
    """Knows the names of a package and finds them by locations that are not quite right."""

    def __init__(self, names: Iterable[str], warnings: WarningList) -> None:
        """Index the names; guesses go to ``warnings``."""
        self._names = frozenset(names)
        self._folded: dict[str, str] | None = None
        self._warnings = warnings

    def find(self, location: str, *, holder: str, base: str = "") -> str | None:
        """The entry a location means, or ``None``; see the module for the order."""
        try:
            exact = resolve(location, holder=holder, base=base)
        except MalformedError:
            pass
        else:
            if exact in self._names:
                return exact
        for code, name in self._guesses(location, holder, base):
            if name:
                zh, en = _TEXTS[code]
                self._warnings.add(code, zh, en, location=location, entry=name, via=holder)
                return name
        return None

    def _guesses(self, location: str, holder: str, base: str) -> Iterator[tuple[str, str | None]]:
        """Code of the repair and the entry it finds, in order."""
        folder = holder.split("/")[:-1]
        variants = _variants(location)
        if not variants:
            return
        base_folder = _walk(_plain(base), folder) if base else folder
        yield from self._both("ofd.read.path-normalised", variants, base_folder)
        if not location.startswith(("/", "\\")):
            yield from self._both("ofd.read.path-root", variants, [], always=True)
        for other in _other_bases(base, base_folder, folder):
            yield from self._both("ofd.read.base-location", variants, other, always=True)

    def _both(
        self, code: str, variants: tuple[str, ...], folder: list[str], *, always: bool = False
    ) -> Iterator[tuple[str, str | None]]:
        """The variants by name, then by folded name; ``always`` keeps the code for names that differ by case."""
        names = ["/".join(_walk(variant, folder)) for variant in variants]
        for name in names:
            yield code, name if name in self._names else None
        for name in names:
            yield code if always else "ofd.read.path-case", self._without_case(name)

    def _without_case(self, name: str) -> str | None:
        if self._folded is None:
            self._folded = {folded(known): known for known in self._names}
        return self._folded.get(folded(name))


def _variants(location: str) -> tuple[str, ...]:
    """The location in order, as it is and with its percent escapes resolved; empty for one that names nothing."""
    plain = _plain(location)
    unescaped = _plain(unquote(plain, errors="replace"))
    return tuple(dict.fromkeys(item for item in (plain, unescaped) if item.strip("/")))


def _plain(location: str) -> str:
    """Slashes only, none doubled, nothing around it that does not belong to a path."""
    text = location.strip().replace("\\", "/").replace("\x00", "")
    start = "/" if text.startswith("/") else ""
    return start + "/".join(part for part in text.split("/") if part)


def _walk(location: str, folder: list[str]) -> list[str]:
    path = [] if location.startswith("/") else list(folder)
    for part in location.split("/"):
        if part == "..":
            del path[-1:]
        elif part not in {"", "."}:
            path.append(part)
    return path


def _other_bases(base: str, base_folder: list[str], folder: list[str]) -> Iterator[list[str]]:
    """Where files of resources are when BaseLoc does not say so."""
    seen = [base_folder]
    candidates = [folder, [*folder, "Res"], *([_walk(_plain(base), [])] if base else []), base_folder[:-1]]
    for candidate in candidates:
        if candidate not in seen:
            seen.append(candidate)
            yield candidate
