import io
import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
import reportlab
from fontTools.agl import toUnicode
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.t2CharStringPen import T2CharStringPen
from fontTools.pens.ttGlyphPen import TTGlyphPen
from fontTools.ttLib import TTFont
from fontTools.ttLib.ttCollection import TTCollection

from ofd.fonts.embedded import open_embedded
from ofd.fonts.faces import FontFace, FontStack, OutlineKind, find_fonts
from ofd.fonts.library import FontLibrary, installed_fonts
from ofd.fonts.names import TypeKind, kind_of, plain_name
from trustcore.errors import MalformedError, NotFoundError, RejectedError


@pytest.fixture(scope="module")
def fonts() -> FontStack:
    return find_fonts()


@pytest.fixture(scope="module")
def face(fonts: FontStack) -> FontFace:
    return fonts.faces[0]


def test_the_default_font_sets_chinese_and_latin(face: FontFace) -> None:
    assert face.family == "LXGW WenKai"
    assert all(face.covers(char) for char in "营业执照ABC123()")
    assert face.covers("\U00020bb7"), "beyond the BMP"


def test_advances_are_in_em(face: FontFace) -> None:
    assert face.advance("信") == 1.0
    assert 0.2 < face.advance("i") < face.advance("W") < 1.0


def test_outlines_are_in_em_and_y_points_up(face: FontFace) -> None:
    commands = face.outline("一")
    assert commands[0][0] == "M"
    assert commands[-1] == ("Z", ())
    heights = [value for _, values in commands for value in values[1::2]]
    assert 0.2 < min(heights) < max(heights) < 0.6, "the stroke of 一 lies at mid-height"
    assert face.outline(" ") == ()


def test_a_subset_keeps_only_what_is_asked_for(face: FontFace) -> None:
    subset = FontFace(face.subset("信印𠮷"))
    assert [subset.covers(char) for char in "信印𠮷A业"] == [True, True, True, False, False]
    assert subset.advance("信") == face.advance("信")
    assert subset.outline("印") == face.outline("印")
    assert len(face.subset("信印")) < 10_000


def test_the_same_characters_give_the_same_subset(face: FontFace) -> None:
    assert face.subset("信印信") == face.subset(["印", "信"])


def test_a_missing_character_is_named(fonts: FontStack) -> None:
    for ask in (fonts.face_for, fonts.advance, fonts.runs, fonts.faces[0].advance, fonts.faces[0].outline):
        with pytest.raises(RejectedError) as caught:
            ask("\ue000")
        assert caught.value.code == "ofd.font.missing-glyph"
        assert caught.value.facts["code_point"] == "U+E000"


def test_characters_fall_back_to_the_next_face(face: FontFace) -> None:
    latin, chinese = FontFace(face.subset("ABC")), FontFace(face.subset("信印A"))
    stack = FontStack([latin, chinese])
    assert stack.runs("A信印B") == ((latin, "A"), (chinese, "信印"), (latin, "B"))
    assert stack.width("A信") == face.advance("A") + 1
    assert not stack.covers("业")


def test_a_stack_needs_a_face() -> None:
    with pytest.raises(RejectedError):
        FontStack([])


def test_a_missing_font_names_the_package_to_install(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="fonts-lxgw-wenkai"):
        find_fonts(tmp_path)


@pytest.mark.parametrize("data", [b"", b"garbage", b"\x00\x01\x00\x00" + bytes(60)])
def test_what_is_no_font_is_refused(data: bytes) -> None:
    with pytest.raises(MalformedError):
        FontFace(data)


def test_a_font_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match=r"none\.ttf"):
        FontFace.open(tmp_path / "none.ttf")


def small_font(*, cff: bool, name: str = "Small", character: str = "A", glyph: str = "square") -> TTFont:
    """A font with one square glyph."""
    builder = FontBuilder(1000, isTTF=not cff)
    builder.setupGlyphOrder([".notdef", glyph])
    builder.setupCharacterMap({ord(character): glyph})
    pens = {one: T2CharStringPen(600, None) if cff else TTGlyphPen(None) for one in (".notdef", glyph)}
    pen = pens[glyph]
    pen.moveTo((100, 0))
    for corner in ((500, 0), (500, 400), (100, 400)):
        pen.lineTo(corner)
    pen.closePath()
    if cff:
        builder.setupCFF(name, {}, {one: pen.getCharString() for one, pen in pens.items()}, {})
    else:
        builder.setupGlyf({one: pen.glyph() for one, pen in pens.items()})
    builder.setupHorizontalMetrics({".notdef": (600, 0), glyph: (600, 100)})
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupNameTable({"familyName": name, "styleName": "Regular", "psName": name})
    builder.setupOS2()
    builder.setupPost()
    return builder.font


def octets(font: TTFont | TTCollection) -> bytes:
    written = io.BytesIO()
    font.save(written)
    return written.getvalue()


def corners(face: FontFace, glyph: str | int) -> list[float]:
    values = [value for _, part in face.outline(glyph) for value in part]
    return [min(values[::2]), min(values[1::2]), max(values[::2]), max(values[1::2])]


@pytest.mark.parametrize("cff", [False, True])
def test_both_kinds_of_outlines_are_read(cff: bool) -> None:
    face = FontFace(octets(small_font(cff=cff)))
    assert face.outlines is (OutlineKind.CFF if cff else OutlineKind.TRUETYPE)
    assert corners(face, "A") == corners(face, 1) == [0.1, 0, 0.5, 0.4]
    assert face.advance("A") == face.advance_of(1) == 0.6
    assert face.glyph_count == 2


@pytest.mark.parametrize("cff", [False, True])
def test_glyphs_keep_their_numbers_in_a_subset_that_is_told_to(cff: bool) -> None:
    face = FontFace(octets(small_font(cff=cff)))
    assert corners(FontFace(face.subset([1], retain=True)), 1) == [0.1, 0, 0.5, 0.4]


def test_retained_numbers_and_new_numbers(face: FontFace) -> None:
    wanted = [face.glyph(char) for char in "信印"]
    retained = FontFace(face.subset(wanted, retain=True))
    assert [retained.outline(index) for index in wanted] == [face.outline(index) for index in wanted]
    data, numbers = face.subset_with_numbers(wanted)
    packed = FontFace(data)
    assert packed.glyph_count == 3
    assert [packed.outline(numbers[index]) for index in wanted] == [face.outline(index) for index in wanted]


def test_glyph_numbers_that_do_not_exist_are_blank(face: FontFace) -> None:
    for index in (-1, face.glyph_count, 10**6):
        assert face.outline(index) == ()
    assert face.advance_of(10**6) == 0
    assert FontFace(face.subset([5, 10**6, -3])).glyph_count == 2


def test_each_face_of_a_collection_is_read() -> None:
    collection = TTCollection()
    collection.fonts = [small_font(cff=False, name="One"), small_font(cff=False, name="Two", character="B")]
    faces = [FontFace(octets(collection), index=index) for index in range(2)]
    assert [face.family for face in faces] == ["One", "Two"]
    assert [face.covers("B") for face in faces] == [False, True]


def test_without_a_cmap_glyphs_are_found_by_their_names() -> None:
    font = small_font(cff=False, glyph="A")
    del font["cmap"]
    face = FontFace(octets(font))
    assert (face.glyph("A"), face.glyph("B"), face.glyph("中")) == (1, 0, 0)


def test_a_font_without_outlines_is_refused() -> None:
    font = small_font(cff=False)
    for table in ("glyf", "loca"):
        del font[table]
    with pytest.raises(RejectedError, match="outlines"):
        FontFace(octets(font))


def test_an_installed_font_gives_its_octets(face: FontFace) -> None:
    assert FontFace(face.data).postscript_name == face.postscript_name


def bare_cff() -> bytes:
    return bytes(small_font(cff=True).getTableData("CFF "))


def woff() -> bytes:
    font = small_font(cff=False)
    font.flavor = "woff"
    return octets(font)


@pytest.mark.parametrize("data", [bare_cff, woff])
def test_embedded_fonts_in_other_wrappings_are_read(data: Callable[[], bytes]) -> None:
    face = open_embedded(data())
    assert corners(face, 1) == [0.1, 0, 0.5, 0.4]
    assert face.advance_of(1) == 0.6


def test_bare_cff_finds_characters_by_the_names_of_glyphs() -> None:
    font = small_font(cff=True)
    font["CFF "].cff.topDictIndex[0].charset[1] = "A"
    font["CFF "].cff.topDictIndex[0].CharStrings.charStrings = {
        "A" if name == "square" else name: value
        for name, value in font["CFF "].cff.topDictIndex[0].CharStrings.charStrings.items()
    }
    face = open_embedded(bytes(font["CFF "].compile(font)))
    assert face.glyph("A") == 1


@pytest.mark.parametrize("start", [b"\x01\x00\x04\x01", b"wOFF", b"OTTO", b"ttcf", b"%!PS-AdobeFont-1.0", b""])
def test_damaged_embedded_fonts_are_refused(start: bytes) -> None:
    for rest in (b"", bytes(100), bytes(range(256))):
        with pytest.raises((MalformedError, RejectedError)):
            open_embedded(start + rest)


def type1(name: str) -> bytes:
    """A Type 1 font that reportlab brings along."""
    return (Path(reportlab.__file__).parent / "fonts" / name).read_bytes()


def test_type_1_fonts_have_their_outlines_advances_and_characters() -> None:
    face = open_embedded(type1("_er_____.pfb"))
    measures = re.findall(r"WX (\d+) ; N (\S+) ;", type1("_er_____.afm").decode("latin-1"))
    characters = [(toUnicode(name), int(width)) for width, name in measures]
    assert len(characters) == 229
    assert all(face.advance(char) * 1000 == pytest.approx(width) for char, width in characters if len(char) == 1)
    assert len(face.outline("Ä")) > len(face.outline("A")) > 10, "the accent is drawn too"
    assert face.glyph_count == len(face.characters) + 1
    assert corners(FontFace(face.subset("A")), 1) == corners(face, face.glyph("A"))
    plain = type1("_er_____.pfb")
    bare = b"".join(plain[at + 6 : at + 6 + int.from_bytes(plain[at + 2 : at + 6], "little")] for at in segments(plain))
    assert open_embedded(bare).data == face.data


def test_what_is_built_around_outlines_does_not_tell_the_time() -> None:
    font = TTFont(io.BytesIO(open_embedded(type1("_er_____.pfb")).data))
    assert font.reader["head"][20:36] == bytes(16), "created and modified"


def segments(pfb: bytes) -> list[int]:
    """Where the segments of a PFB file begin."""
    found, at = [], 0
    while pfb[at + 1] in {1, 2}:
        found.append(at)
        at += 6 + int.from_bytes(pfb[at + 2 : at + 6], "little")
    return found


def test_type_1_symbols_are_found_by_their_codes() -> None:
    face = open_embedded(type1("zd______.pfb"))
    assert face.outline("4"), "a20, the tick"


def test_a_font_of_blended_designs_is_refused() -> None:
    with pytest.raises(MalformedError):
        open_embedded(type1("zx______.pfb"))


def test_mutilated_type_1_fonts_are_read_or_refused() -> None:
    data = type1("callig15.pfb")
    for place in range(0, len(data), len(data) // 2):
        for changed in (data[:place], data[:place] + bytes([data[place] ^ 0x55]) + data[place + 1 :]):
            with suppress(MalformedError, RejectedError):
                open_embedded(changed).outline("A")


def test_mutilated_embedded_fonts_are_read_or_refused() -> None:
    for data in (bare_cff(), woff(), octets(small_font(cff=True)), octets(small_font(cff=False))):
        for place in range(0, len(data), 7):
            changed = data[:place] + bytes([data[place] ^ 0x55]) + data[place + 1 :]
            try:
                face = open_embedded(changed)
                face.outline(1)
                face.subset([1], retain=True)
            except (MalformedError, RejectedError) as error:
                assert error.code.startswith("ofd.font.")  # noqa: PT017 - many are read


@pytest.mark.parametrize(
    ("name", "key", "bold", "italic"),
    [
        ("SimSun", "simsun", False, False),
        ("@宋体", "宋体", False, False),
        ("ABCDEF+TimesNewRomanPS-BoldItalicMT", "timesnew", True, True),
        ("Arial,Bold", "arial", True, False),
        ("仿宋_GB2312", "仿宋gb2312", False, False),
        ("Bold", "bold", False, False),
    ],
)
def test_names_are_brought_into_one_form(name: str, key: str, bold: bool, italic: bool) -> None:
    plain = plain_name(name)
    assert (plain.key.removesuffix("roman"), plain.bold, plain.italic) == (key, bold, italic)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("宋体", TypeKind.SONG),
        ("方正小标宋简体", TypeKind.SONG),
        ("FZXBSJW--GB1-0", TypeKind.SONG),
        ("仿宋_GB2312", TypeKind.FANGSONG),
        ("华文楷体", TypeKind.KAI),
        ("Microsoft YaHei", TypeKind.HEI),
        ("Times New Roman", TypeKind.SERIF),
        ("Courier New", TypeKind.MONO),
        ("Calibri", TypeKind.SANS),
        ("没见过的字体", TypeKind.SONG),
        ("Wingdings 2", TypeKind.SYMBOL),
    ],
)
def test_names_tell_the_kind_of_type(name: str, kind: TypeKind) -> None:
    assert kind_of(plain_name(name).key) is kind


def test_an_installed_font_is_found_by_any_of_its_names() -> None:
    for name in ("LXGW WenKai", "霞鹜文楷", "LXGWWenKai-Regular"):
        found = installed_fonts().resolve(name)
        assert found.face.postscript_name == "LXGWWenKai-Regular"
        assert not found.warnings


def test_a_font_that_is_missing_is_replaced_with_a_warning() -> None:
    found = installed_fonts().resolve("宋体", bold=True)
    assert found.face.covers("宋")
    assert [warning.code for warning in found.warnings] == ["ofd.font.substituted"]
    assert found.warnings[0].evidence["font"] == "宋体"


def test_the_family_helps_when_the_name_says_nothing() -> None:
    assert installed_fonts().resolve("F1", "宋体").face.covers("宋")


def test_an_embedded_font_is_the_same_object_each_time() -> None:
    library, data = FontLibrary(), octets(small_font(cff=True))
    first, second = library.resolve("宋体", data=data), library.resolve("黑体", data=bytes(data))
    assert first.face is second.face
    assert first.embedded
    assert not first.warnings


def test_an_embedded_font_that_cannot_be_read_is_replaced_with_a_warning() -> None:
    found = FontLibrary().resolve("宋体", data=b"garbage")
    assert [warning.code for warning in found.warnings] == ["ofd.font.embedded-unreadable", "ofd.font.substituted"]
    assert not found.embedded


def test_rare_characters_fall_back_to_a_font_that_has_them() -> None:
    fallback = installed_fonts().fallback("\U00020000")
    assert fallback is not None
    assert fallback.covers("\U00020000")
    assert installed_fonts().fallback("\U00020000") is fallback
    assert installed_fonts().fallback("\ue123") is None


def test_without_any_font_the_package_is_not_guessed(tmp_path: Path) -> None:
    (tmp_path / "broken.ttf").write_bytes(b"no font")
    with pytest.raises(NotFoundError) as caught:
        FontLibrary([tmp_path]).resolve("宋体")
    assert caught.value.code == "ofd.font.not-installed"


def test_the_weight_nearest_to_the_one_asked_for_is_taken() -> None:
    plain, bold = (installed_fonts().resolve("LXGW WenKai", bold=wish) for wish in (False, True))
    assert plain.face.postscript_name == "LXGWWenKai-Regular"
    assert bold.bold != bold.face.postscript_name.endswith(("Bold", "Medium"))
