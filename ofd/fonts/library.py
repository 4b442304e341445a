"""Finding the face for a font that a document names: embedded in it, installed, or the nearest one there is.

Safe to share between threads, and meant to be: faces are kept, so that a face is the same object each time it is
resolved and a writer embeds it once.
"""

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from hashlib import sha256
from pathlib import Path
from threading import RLock

import uharfbuzz as hb

from ofd.fonts.embedded import open_embedded
from ofd.fonts.faces import FONT_DIRECTORY, FontFace
from ofd.fonts.names import TypeKind, kind_of, plain_name, substitutes
from ofd.package.read_warning import ReadWarning
from trustcore.errors import NotFoundError, TrustError

__all__ = ["FontLibrary", "ResolvedFont", "installed_fonts"]

_SUFFIXES = frozenset({".ttf", ".otf", ".ttc", ".otc"})
_FAMILY_NAMES = frozenset({1, 4, 6, 16, 18, 21})
_KEPT_EMBEDDED = 256
"""How many embedded faces are kept for the next time they are asked for."""
_RARE = ("HanaMinA.ttf", "HanaMinB.ttf")
_BOLD_FROM = 600
_REGULAR, _BOLD = 400, 700


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedFont:
    """The face to draw a document's font with."""

    face: FontFace
    bold: bool = False
    """More weight is asked for than the face has."""
    italic: bool = False
    """A slant is asked for that the face has not."""
    embedded: bool = False
    """The face comes from the document."""
    warnings: tuple[ReadWarning, ...] = ()
    """Codes ``ofd.font.substituted`` and ``ofd.font.embedded-unreadable``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Installed:
    path: Path
    index: int
    names: frozenset[str]
    weight: int
    italic: bool

    @property
    def bold(self) -> bool:
        return self.weight >= _BOLD_FROM


@dataclass(slots=True)
class _State:
    files: tuple[_Installed, ...] | None = None
    opened: dict[tuple[Path, int], FontFace] = field(default_factory=dict)
    embedded: "OrderedDict[bytes, FontFace | None]" = field(default_factory=OrderedDict)
    fallbacks: dict[str, FontFace | None] = field(default_factory=dict)
    order: tuple[_Installed, ...] | None = None


class FontLibrary:
    """The installed fonts, and those that documents bring along."""

    def __init__(self, directories: Sequence[Path] = (FONT_DIRECTORY,)) -> None:
        """Take the folders to look for fonts in; they are read when the first font is asked for."""
        self._directories = tuple(directories)
        self._state = _State()
        self._lock = RLock()

    def resolve(
        self,
        name: str,
        family: str | None = None,
        data: bytes | None = None,
        *,
        bold: bool = False,
        italic: bool = False,
        serif: bool | None = None,
        fixed_width: bool = False,
    ) -> ResolvedFont:
        """The face for a font of a document (``Font``, GB/T 33190-2016 §11.1).

        Args:
            name: ``FontName``.
            family: ``FamilyName``.
            data: the octets of ``FontFile``, when the font is embedded.
            bold: more weight is asked for, by ``Bold`` or by a text's ``Weight``.
            italic: a slant is asked for.
            serif: ``Serif``, when the document says it.
            fixed_width: ``FixedWidth``.

        Raises:
            NotFoundError: ``ofd.font.not-installed``, the font is not embedded and no font at all is installed.
        """
        warnings: list[ReadWarning] = []
        if data:
            face = self._embedded(data)
            if face is not None:
                plain = plain_name(name)
                return ResolvedFont(
                    face=face, bold=bold and not plain.bold, italic=italic and not plain.italic, embedded=True
                )
            warnings.append(
                ReadWarning(
                    code="ofd.font.embedded-unreadable",
                    zh="内嵌字体无法读取，以其他字体代替。",
                    en="The embedded font cannot be read; another font takes its place.",
                    evidence={"font": name},
                )
            )
        with self._lock:
            found, exact = self._find(name, family, bold=bold, italic=italic, serif=serif, fixed_width=fixed_width)
        if not exact:
            warnings.append(
                ReadWarning(
                    code="ofd.font.substituted",
                    zh="文档所用字体未内嵌且未安装，以相近字体代替。",
                    en="The font is neither embedded nor installed; the nearest one takes its place.",
                    evidence={"font": name, "used": found.path.name},
                )
            )
        plain = plain_name(name)
        return ResolvedFont(
            face=self._open(found),
            bold=(bold or plain.bold) and not found.bold,
            italic=(italic or plain.italic) and not found.italic,
            warnings=tuple(warnings),
        )

    def fallback(self, char: str) -> FontFace | None:
        """A face for a character that the document's own face lacks; the same one each time."""
        with self._lock:
            if char not in self._state.fallbacks:
                self._state.fallbacks[char] = self._search(char)
            return self._state.fallbacks[char]

    def _search(self, char: str) -> FontFace | None:
        if self._state.order is None:
            wanted = substitutes(TypeKind.SONG)
            ranked = sorted(
                self._installed(),
                key=lambda font: (
                    font.italic,
                    abs(font.weight - _REGULAR),
                    min((wanted.index(name) for name in font.names if name in wanted), default=len(wanted)),
                    _RARE.index(font.path.name) if font.path.name in _RARE else -1,
                    str(font.path),
                ),
            )
            self._state.order = tuple(ranked)
        for font in self._state.order:
            face = self._open(font)
            if face.covers(char):
                return face
        return None

    def _embedded(self, data: bytes) -> FontFace | None:
        key = sha256(data).digest()
        with self._lock:
            kept = self._state.embedded
            if key in kept:
                kept.move_to_end(key)
                return kept[key]
        try:
            face: FontFace | None = open_embedded(data)
        except TrustError:
            face = None
        with self._lock:
            face = kept.setdefault(key, face)
            while len(kept) > _KEPT_EMBEDDED:
                kept.popitem(last=False)
        return face

    def _find(
        self,
        name: str,
        family: str | None,
        *,
        bold: bool,
        italic: bool,
        serif: bool | None,
        fixed_width: bool,
    ) -> tuple[_Installed, bool]:
        """The best installed font, and whether it is the one that was asked for."""
        plain = [plain_name(text) for text in (name, family or "") if text]
        style = (bold or any(item.bold for item in plain), italic or any(item.italic for item in plain))
        for item in plain:
            if found := self._named((item.key,), style):
                return found, True
        kinds = [kind_of(item.key, serif=serif, fixed_width=fixed_width) for item in plain] or [TypeKind.SONG]
        chosen = next((kind for kind in kinds if kind is not TypeKind.SANS), kinds[0])
        if found := self._named(substitutes(chosen), style):
            return found, False
        if installed := self._installed():
            return installed[0], False
        raise NotFoundError("No font is installed.", code="ofd.font.not-installed")

    def _named(self, keys: Iterable[str], style: tuple[bool, bool]) -> _Installed | None:
        for key in keys:
            matching = [font for font in self._installed() if key in font.names]
            if matching:
                weight = _BOLD if style[0] else _REGULAR
                return min(matching, key=lambda font: (font.italic != style[1], abs(font.weight - weight), font.path))
        return None

    def _open(self, font: _Installed) -> FontFace:
        with self._lock:
            key = (font.path, font.index)
            if key not in self._state.opened:
                self._state.opened[key] = FontFace.open(font.path, index=font.index)
            return self._state.opened[key]

    def _installed(self) -> tuple[_Installed, ...]:
        if self._state.files is None:
            paths = {
                path.resolve()
                for directory in self._directories
                for path in directory.rglob("*")
                if path.suffix.lower() in _SUFFIXES and path.is_file()
            }
            self._state.files = tuple(font for path in sorted(paths) for font in _read_names(path))
        return self._state.files


@cache
def installed_fonts() -> FontLibrary:
    """The library of this machine's fonts, one for the whole process."""
    return FontLibrary()


def _read_names(path: Path) -> list[_Installed]:
    """The faces of one font file; none when it is no font with outlines."""
    try:
        blob = hb.Blob.from_file_path(str(path))
        count = max(int(hb.Face(blob, 0).count), 1)
    except (OSError, hb.HarfBuzzError):
        return []
    found = []
    for index in range(min(count, 64)):
        face = hb.Face(blob, index)
        try:
            drawable = bool(face.glyph_count and {"glyf", "CFF "} & set(face.table_tags))
        except UnicodeDecodeError:
            continue
        if not drawable:
            continue
        named = [name for name in face.list_names() if name.name_id in _FAMILY_NAMES]
        texts = {face.get_name(name.name_id, name.language) for name in named}
        plain = [plain_name(text) for text in texts if text]
        os2 = bytes(face.reference_table("OS/2").data)
        mac_style = bytes(face.reference_table("head").data)[44:46]
        flags = int.from_bytes(mac_style or b"\0\0")
        weight = int.from_bytes(os2[4:6]) if len(os2) >= 6 else _BOLD if flags & 1 else _REGULAR
        italic = bool(flags & 2) or (len(os2) >= 64 and bool(os2[63] & 1))
        names = frozenset(item.key for item in plain)
        found.append(_Installed(path=path, index=index, names=names, weight=weight, italic=italic))
    return found
