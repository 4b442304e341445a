"""Checks of fonts: embedded or not, readable, and whether they have the glyphs that the texts ask for."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import uharfbuzz as hb

from ofd.lint import rules_content as rules
from ofd.lint import rules_readers
from ofd.lint.content import FontUse
from ofd.lint.finding import Finding
from ofd.lint.inspection import ElementCheck, Inspection, Place, line_of
from ofd.lint.walk import name_of
from trustcore.errors import TrustError

__all__ = ["COMMON_FONTS", "FontChecks"]

COMMON_FONTS = frozenset(
    {
        "宋体", "SimSun", "新宋体", "NSimSun", "黑体", "SimHei", "楷体", "KaiTi", "楷体_GB2312", "KaiTi_GB2312",
        "仿宋", "FangSong", "仿宋_GB2312", "FangSong_GB2312", "微软雅黑", "Microsoft YaHei", "Times New Roman",
        "Arial", "Courier New", "小标宋体", "Wingdings", "Symbol",
    }
)  # fmt: skip
"""Fonts that Chinese desktops have, and documents take for granted."""
_NEEDED_TABLES = ("OS/2", "cmap", "head", "hhea", "hmtx", "maxp", "name", "post")
"""What a TrueType font has (OpenType 1.9, “Required tables”)."""
_FORBIDDEN = 0x0002
"""``fsType``: restricted licence embedding."""
_NAMED = 30
"""Characters that a finding names at most."""
_WORTH_A_SUBSET = 1024 * 1024
"""Octets from which on a whole font is worth a note."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Font:
    entry: str
    line: int
    name: str
    file: str


class FontChecks:
    """Notes the fonts of a document and judges them at its end."""

    def __init__(self) -> None:
        """Begin with none."""
        self._fonts: dict[tuple[str, int], _Font] = {}

    def checks(self) -> Mapping[str, tuple[ElementCheck, ...]]:
        """What to call for which element type."""
        return {"Font": (self._note,)}

    def judge(self, inspection: Inspection, uses: Mapping[tuple[str, int], FontUse]) -> Iterator[Finding]:
        """What can be said of the fonts now that all texts were seen."""
        for key, font in self._fonts.items():
            use = uses.get(key, FontUse())
            file = _linked_file(inspection, key[0], font)
            if not font.file:
                rule = rules.FONT_STANDARD if font.name in COMMON_FONTS else rules.FONT_NOT_EMBEDDED
                yield rule.found(font.entry, line=font.line, object_id=str(key[1]), name=font.name)
            elif file is not None:
                yield from _judge_file(inspection, file, font, use)

    def _note(self, place: Place) -> None:
        number = place.node.get("ID", "")
        if place.scope is None or not (number.isascii() and number.isdigit()):
            return
        file = next((item for item in place.node.iterchildren("*") if name_of(item) == "FontFile"), None)
        self._fonts[place.scope.document, int(number)] = _Font(
            entry=place.entry,
            line=line_of(place.node),
            name=place.node.get("FontName", ""),
            file="" if file is None else (file.text or "").strip(),
        )


def _linked_file(inspection: Inspection, document: str, font: _Font) -> str | None:
    """Entry name of a font's file, when there is one."""
    for file in inspection.files:
        same_scope = file.scope is not None and file.scope.document == document
        near = font.line <= file.line and file.holder == font.entry
        if file.kind == "font" and same_scope and near and file.name.endswith(font.file.rsplit("/", 1)[-1]):
            return file.name
    return None


def _judge_file(inspection: Inspection, name: str, font: _Font, use: FontUse) -> Iterator[Finding]:
    try:
        data = inspection.source.read(name)
    except TrustError as error:
        yield rules.FONT_BROKEN.found(name, name=name, reason=error.detail)
        return
    face = hb.Face(data)
    tables = _table_tags(face)
    has_outlines = bool(tables & {"glyf", "CFF ", "CFF2"})
    if not face.glyph_count or not has_outlines:
        yield rules.FONT_BROKEN.found(name, name=name)
        return
    lacking = [table for table in _NEEDED_TABLES if table not in tables]
    if lacking:
        yield rules.FONT_TABLES.found(name, name=name, tables=", ".join(lacking))
    if "glyf" not in tables:
        yield rules_readers.SUWELL_OPENTYPE.found(name, name=font.name)
    if "cmap" not in tables or not face.unicodes:
        yield rules_readers.OFDJS_GLYPHS.found(name, name=font.name)
    yield from _judge_glyphs(name, font, face, use)
    used = len(use.characters) + len(use.glyphs)
    if len(data) > _WORTH_A_SUBSET and used * 4 < face.glyph_count:
        yield rules.FONT_WHOLE.found(name, name=font.name, count=face.glyph_count, used=used)


def _table_tags(face: hb.Face) -> set[str]:
    try:
        return set(face.table_tags)
    except UnicodeDecodeError:
        return set()  # A tag that is no text: the directory is not one.


def _judge_glyphs(name: str, font: _Font, face: hb.Face, use: FontUse) -> Iterator[Finding]:
    count = face.glyph_count
    wrong = [glyph for glyph in use.glyphs if glyph >= count]
    if wrong:
        yield rules.FONT_GLYPH.found(use.entry, name=font.name, count=count, glyph=max(wrong))
    shaper = hb.Font(face)
    lacking = sorted(char for char in use.characters if not char.isspace() and not shaper.get_nominal_glyph(ord(char)))
    if lacking:
        shown = "".join(lacking[:_NAMED]) + ("…" if len(lacking) > _NAMED else "")
        yield rules.FONT_CHARACTERS.found(use.entry, name=font.name, characters=shown)
    rights = bytes(face.reference_table("OS/2").data)[8:10]
    if int.from_bytes(rights) & 0x000F == _FORBIDDEN:
        yield rules.FONT_RIGHTS.found(name, name=font.name)
