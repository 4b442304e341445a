"""Each character of a text has its glyph and its place."""

from functools import cache

import pytest

from ofd.draw.interpret import page_scene
from ofd.draw.scene import Glyph, Group, Scene, SolidPaint, TextItem
from ofd.fonts.faces import FontFace, find_fonts
from ofd.fonts.library import installed_fonts
from ofd.geometry import Matrix
from ofd.model.document import Document
from ofd.text.extract import page_text

from support.ofd_pages import HandMade

FONT = '<Fonts><Font ID="3" FontName="Test"><FontFile>f.ttf</FontFile></Font><Font ID="4" FontName="宋体"/></Fonts>'


@cache
def embedded() -> bytes:
    """A subset of which the numbers of the glyphs are known."""
    return find_fonts().faces[0].subset("ABCDfi中文字 ")


@cache
def face() -> FontFace:
    return FontFace(embedded())


def draw(content: str) -> Scene:
    made = HandMade(pages=(content,), public=FONT, files={"Doc_0/Res/f.ttf": embedded()})
    return page_scene(Document.open(made.to_bytes()), 0, fonts=installed_fonts())


def text(codes: str, attributes: str = 'Font="3" Size="4"', boundary: str = "10 20 50 50") -> TextItem:
    (item,) = draw(f'<TextObject ID="7" Boundary="{boundary}" {attributes}>{codes}</TextObject>').items
    assert isinstance(item, TextItem)
    return item


def places(item: TextItem) -> list[tuple[float, float]]:
    return [(round(glyph.x, 4), round(glyph.y, 4)) for glyph in item.glyphs]


def shown(item: TextItem) -> list[str]:
    return [glyph.text for glyph in item.glyphs]


def test_the_further_glyphs_of_a_cluster_are_drawn_and_not_read() -> None:
    glyphs = [face().glyph(char) for char in "fi"]
    run = f'<CGTransform CodePosition="0" CodeCount="2" GlyphCount="2"><Glyphs>{glyphs[0]} {glyphs[1]}</Glyphs>'
    cluster = f'{run}</CGTransform><TextCode X="0" Y="4" DeltaX="2">ﬁ\u200b</TextCode>'
    scene = draw(f'<TextObject ID="7" Boundary="10 20 50 50" Font="3" Size="4">{cluster}</TextObject>')
    (item,) = scene.items
    assert isinstance(item, TextItem)
    assert [(glyph.index, glyph.text) for glyph in item.glyphs] == [(glyphs[0], "ﬁ"), (glyphs[1], "")]
    assert page_text(scene).text == "ﬁ"
    loose = draw(
        '<TextObject ID="7" Boundary="10 20 50 50" Font="4" Size="4"><TextCode X="0" Y="4" DeltaX="0 4">'
        "中\u200b文</TextCode></TextObject>"
    )
    assert page_text(loose).text == "中文"


def test_a_text_is_black_and_filled_where_nothing_is_written() -> None:
    item = text('<TextCode X="1" Y="2">A</TextCode>')
    assert item.fill == SolidPaint(color=(0, 0, 0, 1))  # type: ignore[arg-type]
    assert item.stroke is None
    assert item.matrix == Matrix.translation(10, 20)
    assert item.glyphs == (Glyph(index=face().glyph("A"), x=1, y=2, text="A"),)
    assert item.origin.used == ("Doc_0/PublicRes.xml", "Doc_0/Res/f.ttf")


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ('X="1" Y="2" DeltaX="3 4"', [(1, 2), (4, 2), (8, 2)]),
        ('X="1" Y="2" DeltaX="g 2 3"', [(1, 2), (4, 2), (7, 2)]),
        ('X="1" Y="2" DeltaX="3"', [(1, 2), (4, 2), (7, 2)]),
        ('X="1" Y="2" DeltaY="5 6"', [(1, 2), (1, 7), (1, 13)]),
        ('X="1" Y="2" DeltaX="3 3" DeltaY="1 -1"', [(1, 2), (4, 3), (7, 2)]),
        ('X="1" Y="2" DeltaX="3 4 5 6 7"', [(1, 2), (4, 2), (8, 2)]),
        ('DeltaX="3 4"', [(0, 0), (3, 0), (7, 0)]),
    ],
)
def test_deltas_lead_from_character_to_character(code: str, expected: list[tuple[float, float]]) -> None:
    assert places(text(f"<TextCode {code}>ABC</TextCode>")) == expected


def test_a_later_text_code_repeats_the_coordinate_it_lacks() -> None:
    item = text(
        '<TextCode X="1" Y="2">A</TextCode><TextCode X="5">B</TextCode><TextCode Y="9">C</TextCode>'
        "<TextCode>D</TextCode>"
    )
    assert places(item) == [(1, 2), (5, 2), (5, 9), (5, 9)]


def test_without_deltas_characters_follow_by_their_width() -> None:
    item = text('<TextCode X="1" Y="2">AB</TextCode>', 'Font="3" Size="4" HScale="0.5"')
    assert places(item)[1][0] == pytest.approx(1 + face().advance("A") * 4 * 0.5, abs=1e-4)
    down = text('<TextCode X="1" Y="2">中文</TextCode>', 'Font="3" Size="4" ReadDirection="90"')
    assert places(down) == [(1, 2), (1, 6)]


def test_glyph_numbers_replace_characters_of_an_embedded_font() -> None:
    wanted = face().glyph("中")
    runs = f'<CGTransform CodePosition="1" CodeCount="1" GlyphCount="1"><Glyphs>{wanted}</Glyphs></CGTransform>'
    item = text(f'{runs}<TextCode X="0" Y="0" DeltaX="1 1">ABC</TextCode>')
    assert [glyph.index for glyph in item.glyphs] == [face().glyph("A"), wanted, face().glyph("C")]
    assert shown(item) == ["A", "B", "C"]
    other = draw(f'<TextObject Font="4" Size="4">{runs}<TextCode DeltaX="1 1">ABC</TextCode></TextObject>').items[0]
    assert isinstance(other, TextItem)
    assert other.glyphs[1].index == other.face.glyph("B")


def test_one_glyph_may_stand_for_several_characters_and_several_for_one() -> None:
    a, b = face().glyph("A"), face().glyph("B")
    ligature = f'<CGTransform CodePosition="0" CodeCount="2" GlyphCount="1"><Glyphs>{a}</Glyphs></CGTransform>'
    item = text(f'{ligature}<TextCode X="0" Y="0" DeltaX="1 1">fiC</TextCode>')
    assert shown(item) == ["fi", "C"]
    assert places(item) == [(0, 0), (2, 0)]
    cluster = f'<CGTransform CodePosition="1" CodeCount="1" GlyphCount="2"><Glyphs>{a} {b}</Glyphs></CGTransform>'
    item = text(f'{cluster}<TextCode X="0" Y="0" DeltaX="1 9">ACD</TextCode>')
    assert shown(item) == ["A", "C", "", "D"]
    assert item.glyphs[2].x == pytest.approx(1 + face().advance_of(a) * 4)
    assert item.glyphs[3].x == 10


def test_positions_of_glyphs_may_count_through_the_whole_object() -> None:
    a, b = face().glyph("A"), face().glyph("B")
    runs = "".join(
        f'<CGTransform CodePosition="{at}"><Glyphs>{index}</Glyphs></CGTransform>' for at, index in ((0, a), (2, b))
    )
    item = text(f'{runs}<TextCode X="0" Y="0" DeltaX="1">中文</TextCode><TextCode X="0" Y="9">字</TextCode>')
    assert [glyph.index for glyph in item.glyphs] == [a, face().glyph("文"), b]
    local = text(
        f'<TextCode X="0" Y="0" DeltaX="1">中文</TextCode><CGTransform CodePosition="0"><Glyphs>{a}</Glyphs>'
        '</CGTransform><TextCode X="0" Y="9">字</TextCode>'
    )
    assert [glyph.index for glyph in local.glyphs][2] == a


@pytest.mark.parametrize(("deltas", "count"), [("1 2", 1), ("1 0 2", 2)])
def test_characters_beyond_the_first_plane_count_once_or_twice_as_the_writer_does(deltas: str, count: int) -> None:
    a = face().glyph("A")
    runs = f'<CGTransform CodePosition="1" CodeCount="{count}"><Glyphs>{a}</Glyphs></CGTransform>'
    item = text(f'{runs}<TextCode X="0" Y="0" DeltaX="{deltas}">中𠮷文</TextCode>')
    assert shown(item) == ["中", "𠮷", "文"]
    assert item.glyphs[1].index == a
    assert [x for x, _ in places(item)] == [0, 1, 3]


def test_glyph_numbers_that_are_none_draw_nothing() -> None:
    runs = '<CGTransform CodePosition="0"><Glyphs>60000</Glyphs></CGTransform>'
    assert text(f"{runs}<TextCode>A</TextCode>").glyphs[0].index == 0


def test_characters_that_the_font_lacks_come_from_another_one() -> None:
    glyph = text("<TextCode>国</TextCode>").glyphs[0]
    assert glyph.face is not None
    assert glyph.index == glyph.face.glyph("国")


def test_blanks_without_glyph_need_no_other_font() -> None:
    glyph = text('<TextCode DeltaX="1 1">A\u3000B</TextCode>').glyphs[1]
    assert (glyph.index, glyph.face, glyph.text) == (0, None, "\u3000")


def test_a_character_nobody_has_is_told() -> None:
    scene = draw('<TextObject Font="3" Size="4"><TextCode>\U000f0000A</TextCode></TextObject>')
    assert any("U+F0000" in warning for warning in scene.warnings)


def test_weight_slant_and_directions_are_passed_on() -> None:
    item = text("<TextCode>A</TextCode>", 'Font="3" Size="4" Weight="700" Italic="true" CharDirection="270"')
    assert (item.bold, item.italic, item.char_direction) == (True, True, 270)


def test_a_text_without_size_or_font_is_told() -> None:
    scene = draw('<TextObject ID="7" Font="3"><TextCode>A</TextCode></TextObject>')
    assert scene.items == ()
    assert scene.warnings
    scene = draw('<TextObject ID="7" Font="99" Size="4"><TextCode>A</TextCode></TextObject>')
    assert len(scene.items) == 1
    assert any("font 99 is missing" in warning for warning in scene.warnings)


def test_text_a_little_out_of_its_boundary_is_shown_and_text_far_out_is_clipped() -> None:
    near = draw('<TextObject Boundary="0 0 4 1" Font="3" Size="4"><TextCode X="0" Y="3.5">中</TextCode></TextObject>')
    assert isinstance(near.items[0], TextItem)
    far = draw('<TextObject Boundary="0 0 4 4" Font="3" Size="4"><TextCode X="99" Y="3.5">中</TextCode></TextObject>')
    assert isinstance(far.items[0], Group)


def test_stroked_text_is_drawn_with_its_pen() -> None:
    item = text(
        '<FillColor Value="255 0 0"/><StrokeColor Value="0 0 255"/><TextCode>A</TextCode>',
        'Font="3" Size="4" Stroke="true" LineWidth="0.2"',
    )
    assert item.stroke is not None
    assert item.stroke.width == 0.2
    assert item.fill == SolidPaint(color=(1, 0, 0, 1))  # type: ignore[arg-type]
