"""Fonts in a PDF (ISO 32000-2 §9.7): composite fonts with Identity-H, a subset embedded, characters told by ToUnicode.

A code is the glyph's number in the face. Where one glyph stands for different characters in different places, a further
font of the same face takes the second meaning, so that text is copied out as it stands in the document.
"""

from hashlib import sha256

from ofd.draw.pdf_file import Name, PdfFile, Ref, Value
from ofd.fonts.faces import FontFace, OutlineKind
from trustcore.errors import MalformedError

__all__ = ["PdfFonts"]

_BLANKS_IN_FONT = 255
_SYMBOLIC = 4


class _EmbeddedFont:
    """A face under one reading of its glyphs."""

    def __init__(self, face: FontFace, ref: Ref) -> None:
        self.face = face
        self.ref = ref
        self.meanings: dict[int, str] = {}

    def takes(self, glyph: int, text: str) -> bool:
        return self.meanings.setdefault(glyph, text) == text


class _BlankFont:
    """Characters that no face has: nothing is drawn, but they can be copied out."""

    def __init__(self, ref: Ref) -> None:
        self.ref = ref
        self.texts: list[str] = []


class PdfFonts:
    """The fonts of a PDF under construction; written when all pages are."""

    def __init__(self, file: PdfFile) -> None:
        self._file = file
        self._fonts: dict[int, list[_EmbeddedFont]] = {}
        self._blanks: list[_BlankFont] = []
        self._blank_codes: dict[str, tuple[Ref, bytes]] = {}

    def code(self, face: FontFace, glyph: int, text: str) -> tuple[Ref, bytes]:
        """The font and the code for a glyph of a face that stands for a text."""
        fonts = self._fonts.setdefault(id(face), [])
        for font in fonts:
            if font.takes(glyph, text):
                return font.ref, glyph.to_bytes(2)
        font = _EmbeddedFont(face, self._file.reserve())
        fonts.append(font)
        font.takes(glyph, text)
        return font.ref, glyph.to_bytes(2)

    def blank(self, text: str) -> tuple[Ref, bytes]:
        """The font and the code for characters of which nothing can be drawn."""
        known = self._blank_codes.get(text)
        if known is None:
            if not self._blanks or len(self._blanks[-1].texts) == _BLANKS_IN_FONT:
                self._blanks.append(_BlankFont(self._file.reserve()))
            font = self._blanks[-1]
            font.texts.append(text)
            known = self._blank_codes[text] = (font.ref, bytes([len(font.texts)]))
        return known

    def write(self) -> None:
        """Write all fonts."""
        for fonts in self._fonts.values():
            for font in fonts:
                self._write_face(font)
        for blank in self._blanks:
            self._write_blank(blank)

    def _write_face(self, font: _EmbeddedFont) -> None:
        face, file = font.face, self._file
        name = _tagged_name(face, font.meanings)
        left, bottom, right, top = (round(value * 1000) for value in face.bounds)
        descriptor: dict[str, Value] = {
            "Type": Name("FontDescriptor"),
            "FontName": Name(name),
            "Flags": _SYMBOLIC,
            "FontBBox": [left, bottom, right, top],
            "ItalicAngle": 0,
            "Ascent": round(face.ascent * 1000),
            "Descent": -round(face.descent * 1000),
            "CapHeight": round(face.ascent * 1000),
            "StemV": 80,
        }
        is_cff = face.outlines is OutlineKind.CFF
        program = _program(face, sorted(font.meanings))
        if is_cff:
            subtype = Name("OpenType" if program[:4] == b"OTTO" else "CIDFontType0C")
            descriptor["FontFile3"] = file.stream({"Subtype": subtype}, program)
        else:
            descriptor["FontFile2"] = file.stream({"Length1": len(program)}, program)
        descendant: dict[str, Value] = {
            "Type": Name("Font"),
            "Subtype": Name("CIDFontType0" if is_cff else "CIDFontType2"),
            "BaseFont": Name(name),
            "CIDSystemInfo": {"Registry": b"Adobe", "Ordering": b"Identity", "Supplement": 0},
            "FontDescriptor": file.put(descriptor),
            "DW": 1000,
            "W": _widths(face, sorted(font.meanings)),
        }
        if not is_cff:
            descendant["CIDToGIDMap"] = Name("Identity")
        meanings = {glyph.to_bytes(2): text for glyph, text in font.meanings.items() if text}
        file.put(
            {
                "Type": Name("Font"),
                "Subtype": Name("Type0"),
                "BaseFont": Name(name),
                "Encoding": Name("Identity-H"),
                "DescendantFonts": [file.put(descendant)],
                "ToUnicode": file.stream({}, _to_unicode(meanings, width=2)),
            },
            font.ref,
        )

    def _write_blank(self, font: _BlankFont) -> None:
        count = len(font.texts)
        nothing = self._file.stream({}, b"1000 0 d0")
        meanings = {bytes([code]): text for code, text in enumerate(font.texts, 1)}
        self._file.put(
            {
                "Type": Name("Font"),
                "Subtype": Name("Type3"),
                "FontBBox": [0, 0, 1000, 1000],
                "FontMatrix": [0.001, 0, 0, 0.001, 0, 0],
                "CharProcs": {"blank": nothing},
                "Encoding": {"Type": Name("Encoding"), "Differences": [1, *[Name("blank")] * count]},
                "FirstChar": 1,
                "LastChar": count,
                "Widths": [1000] * count,
                "Resources": {},
                "ToUnicode": self._file.stream({}, _to_unicode(meanings, width=1)),
            },
            font.ref,
        )


def _program(face: FontFace, glyphs: list[int]) -> bytes:
    try:
        subset = face.subset(glyphs, retain=True)
    except MalformedError:
        return face.data
    return _table(subset, b"CFF ") or subset if face.outlines is OutlineKind.CFF else subset


def _table(font: bytes, tag: bytes) -> bytes | None:
    for index in range(int.from_bytes(font[4:6])):
        row = font[12 + 16 * index : 28 + 16 * index]
        if row[:4] == tag:
            start = int.from_bytes(row[8:12])
            return font[start : start + int.from_bytes(row[12:16])]
    return None


def _tagged_name(face: FontFace, meanings: dict[int, str]) -> str:
    digest = sha256(repr((face.postscript_name, sorted(meanings.items()))).encode()).digest()
    tag = "".join(chr(65 + octet % 26) for octet in digest[:6])
    plain = "".join(char for char in face.postscript_name if char.isascii() and (char.isalnum() or char in "-_"))
    return f"{tag}+{plain[:63] or 'Font'}"


def _widths(face: FontFace, glyphs: list[int]) -> list[Value]:
    """The W array: runs of neighbouring glyphs, those of 1 em left out."""
    runs: list[Value] = []
    run: list[Value] = []
    after = -1
    for glyph in glyphs:
        width = face.advance_of(glyph) * 1000
        if width == 1000:
            continue
        if glyph != after:
            run = []
            runs += [glyph, run]
        run.append(round(width, 2))
        after = glyph + 1
    return runs


def _to_unicode(meanings: dict[bytes, str], *, width: int) -> bytes:
    """The CMap from codes to characters."""
    head = (
        "/CIDInit /ProcSet findresource begin\n12 dict begin\nbegincmap\n"
        "/CIDSystemInfo <</Registry (Adobe) /Ordering (UCS) /Supplement 0>> def\n"
        "/CMapName /Adobe-Identity-UCS def\n/CMapType 2 def\n"
        f"1 begincodespacerange\n<{'00' * width}> <{'FF' * width}>\nendcodespacerange\n"
    )
    lines = [
        f"<{code.hex().upper()}> <{text.encode('utf-16-be', 'replace').hex().upper()}>"
        for code, text in sorted(meanings.items())
    ]
    parts = [head]
    for start in range(0, len(lines), 100):
        block = lines[start : start + 100]
        parts.append(f"{len(block)} beginbfchar\n" + "\n".join(block) + "\nendbfchar\n")
    parts.append("endcmap\nCMapName currentdict /CMap defineresource pop\nend\nend\n")
    return "".join(parts).encode()
