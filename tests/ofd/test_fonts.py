from pathlib import Path

import pytest

from ofd.fonts.faces import FontFace, FontStack, find_fonts
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
