"""Fonts: which characters a face has, how wide they are, their outlines, and subsets to embed.

TrueType (``glyf``) and OpenType outlines (``CFF``) are taken, alone or in a collection. Text is set one code point to
one glyph, without shaping, as Chinese text needs it and as OFD's ``DeltaX`` assumes (GB/T 33190-2016 §11.3). A glyph is
asked for by its character or, as embedded subsets without a usable ``cmap`` need it, by its number. All measures are in
em: multiply by the font size.
"""

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from threading import Lock

import uharfbuzz as hb
from fontTools.agl import UV2AGL

from ofd.geometry import PathCommand
from trustcore.errors import MalformedError, NotFoundError, RejectedError

__all__ = ["FontFace", "FontStack", "OutlineKind", "PathCommand", "find_fonts"]

FONT_DIRECTORY = Path("/usr/share/fonts")
"""Where Debian and Ubuntu keep fonts."""

_DEFAULT_FONT = ("LXGWWenKai-Regular.ttf", "fonts-lxgw-wenkai")
_FALLBACK_FONTS = ("HanaMinA.ttf", "HanaMinB.ttf")
"""Rare characters of CJK extensions, from Debian's fonts-hanazono."""

_DROPPED_TABLES = (b"GSUB", b"GPOS", b"GDEF", b"BASE", b"vhea", b"vmtx", b"VORG", b"DSIG", b"meta")
"""Layout and vertical metrics: text is placed by the document."""

_NAME_FAMILY = 1
_NAME_POSTSCRIPT = 6


class OutlineKind(StrEnum):
    """In which form a face holds its outlines."""

    TRUETYPE = "truetype"
    CFF = "cff"


class FontFace:
    """One face, read once and then never changed. Safe to share between threads."""

    def __init__(self, data: bytes, *, index: int = 0) -> None:
        """Read a face from the octets of a TrueType or OpenType file or collection.

        Args:
            data: the whole font file.
            index: which face of a collection, from 0.

        Raises:
            MalformedError: ``ofd.font.malformed``, not a font.
            RejectedError: ``ofd.font.no-outlines``, the face has neither TrueType nor CFF outlines.
        """
        self._read(hb.Blob(data), index)
        self._data: bytes | None = data
        self._path: Path | None = None

    def _read(self, blob: hb.Blob, index: int) -> None:
        self._face = hb.Face(blob, index)
        if not self._face.glyph_count or not self._face.upem:
            raise MalformedError("The file is not a font.", code="ofd.font.malformed")
        if len(self._face.reference_table("glyf")):
            self.outlines = OutlineKind.TRUETYPE
        elif len(self._face.reference_table("CFF ")):
            self.outlines = OutlineKind.CFF
        else:
            raise RejectedError("The font has no TrueType or CFF outlines.", code="ofd.font.no-outlines")
        self.index = index
        """Which face of a collection this is."""
        self._font = hb.Font(self._face)
        self._prepared: hb.Face | None = None
        self._lock = Lock()
        self._glyphs: dict[str, int] = {}
        self._has_characters: bool | None = None
        self._advances: dict[str, float] = {}
        self._extents: dict[int, tuple[float, float, float, float]] = {}
        self._units_per_em = int(self._face.upem)
        extents = self._font.get_font_extents("ltr")
        self._ascent = float(extents.ascender) / self._units_per_em
        self._descent = -float(extents.descender) / self._units_per_em

    @classmethod
    def open(cls, path: Path | str, *, index: int = 0) -> "FontFace":
        """Read a face from a file, of which only what is used comes into memory.

        Raises:
            NotFoundError: ``ofd.font.not-found`` when there is none.
            MalformedError: ``ofd.font.malformed``, not a font.
            RejectedError: ``ofd.font.no-outlines``.
        """
        path = Path(path)
        try:
            blob = hb.Blob.from_file_path(str(path))
        except (OSError, hb.HarfBuzzError) as error:
            raise NotFoundError(f"The font {path.name} cannot be read.", code="ofd.font.not-found") from error
        face = cls.__new__(cls)
        face._read(blob, index)  # noqa: SLF001 - an instance of this class
        face._data, face._path = None, path  # noqa: SLF001 - an instance of this class
        return face

    @property
    def data(self) -> bytes:
        """The whole font file, a collection with all its faces."""
        if self._data is not None:
            return self._data
        assert self._path is not None
        try:
            return self._path.read_bytes()
        except OSError as error:
            raise NotFoundError(f"The font {self._path.name} cannot be read.", code="ofd.font.not-found") from error

    @property
    def family(self) -> str:
        """Family name, such as ``LXGW WenKai``."""
        return self._face.get_name(_NAME_FAMILY) or "Unnamed"

    @property
    def postscript_name(self) -> str:
        """PostScript name, such as ``LXGWWenKai-Regular``."""
        return self._face.get_name(_NAME_POSTSCRIPT) or self.family.replace(" ", "")

    @property
    def units_per_em(self) -> int:
        """Font units in one em."""
        return self._units_per_em

    @property
    def ascent(self) -> float:
        """Height above the baseline that lines should leave, in em."""
        return self._ascent

    @property
    def descent(self) -> float:
        """Depth below the baseline, in em, positive."""
        return self._descent

    @property
    def glyph_count(self) -> int:
        """How many glyphs there are; their numbers go from 0."""
        return int(self._face.glyph_count)

    @property
    def characters(self) -> frozenset[str]:
        """All characters that the ``cmap`` has glyphs for."""
        return frozenset(chr(code) for code in self._face.unicodes)

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """Left, bottom, right and top around all glyphs as ``head`` says, in em, y upward."""
        head = bytes(self._face.reference_table("head").data)
        if len(head) < 44:
            return (0, -self._descent, 1, self._ascent)
        left, bottom, right, top = (
            int.from_bytes(head[at : at + 2], signed=True) / self._units_per_em for at in (36, 38, 40, 42)
        )
        return (left, bottom, right, top)

    def glyph(self, char: str) -> int:
        """Glyph number of a character, 0 when the face has none; by the glyphs' names in a face without ``cmap``."""
        glyph = self._glyphs.get(char)
        if glyph is None:
            glyph = self._font.get_nominal_glyph(ord(char)) or self._glyph_by_name(char)
            self._glyphs[char] = glyph
        return glyph

    def _glyph_by_name(self, char: str) -> int:
        if self._has_characters is None:
            self._has_characters = bool(len(self._face.unicodes))
        name = UV2AGL.get(ord(char))
        if self._has_characters or name is None:
            return 0
        return self._font.get_glyph_from_name(name) or 0

    def covers(self, char: str) -> bool:
        """Whether the face has a glyph for this character (one code point)."""
        return self.glyph(char) != 0

    def advance(self, char: str) -> float:
        """Horizontal advance of a character in em.

        Raises:
            RejectedError: ``ofd.font.missing-glyph``.
        """
        advance = self._advances.get(char)
        if advance is None:
            advance = self._advances[char] = self.advance_of(self._require(char))
        return advance

    def advance_of(self, index: int) -> float:
        """Horizontal advance of a glyph in em; 0 of a number beyond the face's glyphs."""
        return float(self._font.get_glyph_h_advance(index)) / self._units_per_em if index < self.glyph_count else 0.0

    def outline(self, glyph: str | int) -> tuple[PathCommand, ...]:
        """Outline of a character or of a glyph by its number, in em, y upward; empty for a blank.

        Raises:
            RejectedError: ``ofd.font.missing-glyph`` for a character that the face lacks.
        """
        index = self._require(glyph) if isinstance(glyph, str) else glyph
        if not 0 <= index < self.glyph_count:
            return ()
        pen = _OutlinePen(self.units_per_em)
        self._font.draw_glyph_with_pen(index, pen)
        return tuple(pen.commands)

    def subset(self, wanted: Iterable[str | int], *, retain: bool = False) -> bytes:
        """A font with these characters or glyphs only, Unicode ``cmap`` kept, hints and layout dropped.

        The same wishes give the same octets. Characters and glyph numbers the face lacks are left out.

        Args:
            wanted: characters (a text), or glyph numbers, or both.
            retain: keep the numbers of the glyphs, with nothing at those left out.

        Raises:
            MalformedError: ``ofd.font.malformed`` when the font is damaged.
        """
        return self.subset_with_numbers(wanted, retain=retain)[0]

    def subset_with_numbers(
        self, wanted: Iterable[str | int], *, retain: bool = False
    ) -> tuple[bytes, Mapping[int, int]]:
        """As :meth:`subset`, and where each glyph has gone: the number in this face to the number in the subset.

        Raises:
            MalformedError: ``ofd.font.malformed`` when the font is damaged.
        """
        choice = hb.SubsetInput()
        for wish in wanted:
            if isinstance(wish, int):
                if 0 <= wish < self.glyph_count:
                    choice.glyph_set.add(wish)
            else:
                choice.unicode_set.update(map(ord, wish))
        choice.flags = hb.SubsetFlags.NO_HINTING | hb.SubsetFlags.NOTDEF_OUTLINE | hb.SubsetFlags.NO_LAYOUT_CLOSURE
        if retain:
            choice.flags |= hb.SubsetFlags.RETAIN_GIDS
        if self.outlines is OutlineKind.CFF:
            choice.flags |= hb.SubsetFlags.CFF_IDENTITY_CHARSET
        choice.drop_table_tag_set.update(int.from_bytes(tag) for tag in _DROPPED_TABLES)
        try:
            plan = hb.SubsetPlan(self._for_subsetting(), choice)
            return bytes(plan.execute().blob.data), dict(plan.old_to_new_glyph_mapping)
        except (RuntimeError, hb.HarfBuzzError) as error:
            raise MalformedError("The font is damaged and cannot be subset.", code="ofd.font.malformed") from error

    def extents(self, index: int) -> tuple[float, float, float, float]:
        """Left, top, right and bottom of a glyph's ink about its origin, in em, y upward; zeros for a blank."""
        found = self._extents.get(index)
        if found is None:
            box = self._font.get_glyph_extents(index)
            unit = self._units_per_em
            found = (0.0, 0.0, 0.0, 0.0)
            if box is not None and box.width:
                right, bottom = box.x_bearing + box.width, box.y_bearing + box.height
                found = (box.x_bearing / unit, box.y_bearing / unit, right / unit, bottom / unit)
            self._extents[index] = found
        return found

    def _for_subsetting(self) -> hb.Face:
        """The face with its tables preprocessed: subsetting is then twice as fast."""
        with self._lock:
            if self._prepared is None:
                self._prepared = hb.subset_preprocess(self._face)
            return self._prepared

    def _require(self, char: str) -> int:
        glyph = self.glyph(char)
        if not glyph:
            raise _missing_glyph(char)
        return glyph


class FontStack:
    """Faces in order of preference: each character is set in the first face that has it."""

    def __init__(self, faces: Sequence[FontFace]) -> None:
        """Take the faces, preferred first; at least one.

        Raises:
            RejectedError: ``ofd.font.none``, no face was given.
        """
        if not faces:
            raise RejectedError("At least one font is needed.", code="ofd.font.none")
        self.faces = tuple(faces)
        self._chosen: dict[str, FontFace] = {}
        self._advances: dict[str, float] = {}

    def face_for(self, char: str) -> FontFace:
        """The first face that has the character.

        Raises:
            RejectedError: ``ofd.font.missing-glyph``, with the character and its code point in ``facts``.
        """
        chosen = self._chosen.get(char)
        if chosen is None:
            chosen = next((face for face in self.faces if face.covers(char)), None)
            if chosen is None:
                raise _missing_glyph(char)
            self._chosen[char] = chosen
        return chosen

    def covers(self, char: str) -> bool:
        """Whether any face has the character."""
        return any(face.covers(char) for face in self.faces)

    def advance(self, char: str) -> float:
        """Horizontal advance in em, in the face that sets the character."""
        advance = self._advances.get(char)
        if advance is None:
            advance = self._advances[char] = self.face_for(char).advance(char)
        return advance

    def width(self, text: str) -> float:
        """Sum of the advances of a text in em."""
        return sum(self.advance(char) for char in text)

    def runs(self, text: str) -> tuple[tuple[FontFace, str], ...]:
        """The text cut where the face changes.

        Raises:
            RejectedError: ``ofd.font.missing-glyph``.
        """
        runs: list[tuple[FontFace, str]] = []
        for char in text:
            face = self.face_for(char)
            if runs and runs[-1][0] is face:
                runs[-1] = (face, runs[-1][1] + char)
            else:
                runs.append((face, char))
        return tuple(runs)


def find_fonts(directory: Path = FONT_DIRECTORY) -> FontStack:
    """The installed fonts to set licences in: LXGW WenKai, then HanaMin A and B for rare characters where installed.

    Raises:
        NotFoundError: ``ofd.font.not-installed``, naming the Debian package to install.
    """
    found = {path.name: path for path in directory.rglob("*.ttf")}
    name, package = _DEFAULT_FONT
    if name not in found:
        raise NotFoundError(
            f"The font {name} is not installed: install the Debian package {package}.",
            code="ofd.font.not-installed",
            package=package,
        )
    return FontStack([FontFace.open(found[n]) for n in (name, *_FALLBACK_FONTS) if n in found])


def _missing_glyph(char: str) -> RejectedError:
    return RejectedError(
        f"No font has the character {char!r} (U+{ord(char):04X}); Debian's fonts-hanazono has many rare ones.",
        code="ofd.font.missing-glyph",
        character=char,
        code_point=f"U+{ord(char):04X}",
    )


class _OutlinePen:
    """Collects what HarfBuzz draws; method names are the pen protocol's."""

    def __init__(self, units_per_em: int) -> None:
        self._units_per_em = units_per_em
        self.commands: list[PathCommand] = []

    def _add(self, operator: str, *points: tuple[float, float]) -> None:
        self.commands.append((operator, tuple(value / self._units_per_em for point in points for value in point)))

    def moveTo(self, point: tuple[float, float]) -> None:  # noqa: N802 - the pen protocol's name
        self._add("M", point)

    def lineTo(self, point: tuple[float, float]) -> None:  # noqa: N802 - the pen protocol's name
        self._add("L", point)

    def qCurveTo(self, *points: tuple[float, float]) -> None:  # noqa: N802 - the pen protocol's name
        self._add("Q", *points)

    def curveTo(self, *points: tuple[float, float]) -> None:  # noqa: N802 - the pen protocol's name
        self._add("C", *points)

    def closePath(self) -> None:  # noqa: N802 - the pen protocol's name
        self._add("Z")
