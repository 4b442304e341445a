"""Whatever a document says, drawing and reading it ends, and raises nothing but the product's errors."""

import re
from contextlib import suppress
from functools import cache

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ofd.draw.bounds import bounds_of_all
from ofd.draw.interpret import page_scene
from ofd.draw.scene import Scene
from ofd.fonts.faces import find_fonts
from ofd.fonts.library import installed_fonts
from ofd.model.document import Document
from ofd.text.extract import page_text
from ofd.text.search import find_in_page
from trustcore.errors import TrustError

from support.ofd_pages import HandMade, part

RESOURCES = (
    '<Fonts><Font ID="3" FontName="Test"><FontFile>f.ttf</FontFile></Font></Fonts>'
    '<ColorSpaces><ColorSpace ID="4" Type="CMYK" BitsPerComponent="8"><Palette><CV>1 2 3 4</CV></Palette></ColorSpace>'
    '</ColorSpaces><DrawParams><DrawParam ID="5" Relative="6" LineWidth="1" DashPattern="1 2" DashOffset="3"/>'
    '<DrawParam ID="6" Cap="Round"/></DrawParams><MultiMedias>'
    '<MultiMedia ID="8" Type="Image"><MediaFile>a.png</MediaFile></MultiMedia></MultiMedias>'
    '<CompositeGraphicUnits><CompositeGraphicUnit ID="9" Width="9" Height="9"><Content>'
    '<PathObject ID="10" Boundary="0 0 9 9"><AbbreviatedData>M 0 0 L 1 1</AbbreviatedData></PathObject></Content>'
    "</CompositeGraphicUnit></CompositeGraphicUnits>"
)
SEGMENTS = (
    '<Segment Position="0"><Color Value="1 2 3"/></Segment>'
    '<Segment Position="1"><Color Index="0" ColorSpace="4"/></Segment>'
)
POINTS = '<Point X="0" Y="1" EdgeFlag="0"><Color Value="255 0 0"/></Point>' * 4


def figure(color: str) -> str:
    return (
        '<PathObject ID="20" Boundary="1 2 30 40" CTM="1 0 0 1 0 0" DrawParam="5" Alpha="100" Fill="true" LineWidth="1"'
        ' MiterLimit="4" Cap="Round"><Clips TransFlag="true"><Clip><Area CTM="1 0 0 1 0 0"><Path Boundary="0 0 9 9">'
        f'<AbbreviatedData>M 0 0 L 9 9</AbbreviatedData></Path></Area></Clip></Clips><FillColor Alpha="9">{color}'
        "</FillColor><AbbreviatedData>M 0 0 A 5 6 7 0 1 8 9 B 1 2 3 4 5 6 Q 1 2 3 4 C</AbbreviatedData></PathObject>"
    )


CELL = (
    '<CellContent><PathObject ID="1" Boundary="0 0 1 1"><AbbreviatedData>M 0 0 L 1 1</AbbreviatedData></PathObject>'
    "</CellContent>"
)
COLORS = (
    f'<AxialShd StartPoint="0 0" EndPoint="5 5" MapType="Repeat" MapUnit="2" Extend="3">{SEGMENTS}</AxialShd>',
    f'<RadialShd StartPoint="0 0" EndPoint="5 5" StartRadius="1" EndRadius="2" Angle="30">{SEGMENTS}</RadialShd>',
    f"<GouraudShd>{POINTS}</GouraudShd>",
    f'<LaGourandShd VerticesPerRow="2">{POINTS}</LaGourandShd>',
    f'<Pattern Width="4" Height="5" XStep="6" YStep="7" ReflectMethod="Row" CTM="1 0 0 1 2 3">{CELL}</Pattern>',
)
CONTENT = (
    "".join(map(figure, COLORS))
    + '<TextObject ID="21" Boundary="1 2 30 40" Font="3" Size="4" HScale="0.5" CharDirection="90" ReadDirection="0"'
    ' Weight="700"><CGTransform CodePosition="0" CodeCount="2" GlyphCount="1"><Glyphs>3 4</Glyphs></CGTransform>'
    '<TextCode X="1" Y="2" DeltaX="g 2 1.5 3" DeltaY="0 1">中𠮷文AB</TextCode></TextObject><ImageObject ID="22"'
    ' Boundary="1 2 3 4" CTM="3 0 0 4 0 0" ResourceID="8" ImageMask="8"><Border HorizonalCornerRadius="1"/>'
    '</ImageObject><CompositeObject ID="23" Boundary="1 2 3 4" ResourceID="9"/>'
)


@cache
def font() -> bytes:
    return find_fonts().faces[0].subset("中文AB")


def draw(content: bytes, resources: bytes) -> Scene:
    made = HandMade(
        files={
            "Doc_0/Pages/Page_0/Content.xml": content,
            "Doc_0/PublicRes.xml": resources,
            "Doc_0/Res/f.ttf": font(),
            "Doc_0/Res/a.png": b"no picture",
        }
    )
    scene = page_scene(Document.open(made.to_bytes()), 0, fonts=installed_fonts(), most_objects=3000)
    bounds_of_all(scene.items)
    text = page_text(scene)
    find_in_page(text, "中", page=0)
    assert isinstance(text.text, str)
    return scene


WHOLE = part("Page", f"<Content><Layer>{CONTENT}</Layer></Content>")
ALL_RESOURCES = part("Res", RESOURCES, 'BaseLoc="Res"')
VALUES = re.compile(rb'(?<==")[^"]*(?=")|(?<=>)[^<>]+(?=<)')
HOSTILE = (
    b"", b" ", b"-1", b"0", b"0 0 0 0 0 0", b"NaN", b"inf", b"1e308", b"-1e308", b"1e-320", b"99999999999999999999",
    b"1 2 3", b"g g g", b"g 9999999 1", b"g -5 1", b"#", b"#zz", b"true", b"\xe4\xb8\xad", b"1e6 1e6 1e6 1e6 1e6 1e6",
    b"M", b"A 1 1 1 1 1 1 1", b"M 0 0 A 1e8 1e-8 0 1 1 1e8 1", b"C C C C", b"9", b"10", b"1e7 1e7 1e7 1e7",
)  # fmt: skip
quick = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def spans(data: bytes) -> list[tuple[int, int]]:
    return [found.span() for found in VALUES.finditer(data)]


def replaced(data: bytes, choices: list[tuple[int, bytes]]) -> bytes:
    places = spans(data)
    by_place = {places[index % len(places)]: value for index, value in choices}
    for (start, end), value in sorted(by_place.items(), reverse=True):
        data = data[:start] + value + data[end:]
    return data


values = st.lists(st.tuples(st.integers(0, 500), st.sampled_from(HOSTILE)), min_size=1, max_size=6)


@quick
@given(page=values, resources=values)
def test_any_values_are_drawn_or_left_out(page: list[tuple[int, bytes]], resources: list[tuple[int, bytes]]) -> None:
    draw(replaced(WHOLE, page), replaced(ALL_RESOURCES, resources))


@quick
@given(data=st.data())
def test_any_octets_are_drawn_or_left_out(data: st.DataObject) -> None:
    parts = []
    for whole in (WHOLE, ALL_RESOURCES):
        start = data.draw(st.integers(0, len(whole) - 1))
        end = start + data.draw(st.integers(0, 40))
        parts.append(whole[:start] + data.draw(st.binary(max_size=20)) + whole[end:])
    with suppress(TrustError):
        draw(parts[0], parts[1])


def test_the_whole_is_drawn_before_anything_is_changed() -> None:
    scene = draw(WHOLE, ALL_RESOURCES)
    assert len(scene.items) == 8
    assert not scene.warnings


@pytest.mark.slow
@pytest.mark.parametrize("value", HOSTILE)
def test_each_value_in_each_place_is_drawn_or_left_out(value: bytes) -> None:
    for index in range(len(spans(WHOLE))):
        draw(replaced(WHOLE, [(index, value)]), ALL_RESOURCES)
    for index in range(len(spans(ALL_RESOURCES))):
        draw(WHOLE, replaced(ALL_RESOURCES, [(index, value)]))


def test_a_page_of_very_many_equal_characters_is_read_in_good_time() -> None:
    code = f'<TextCode DeltaX="g 9999 0">{"中" * 10000}</TextCode>'
    row = f'<TextObject Boundary="0 0 99 9" Font="3" Size="4">{code}</TextObject>'
    scene = draw(part("Page", f"<Content><Layer>{row * 2}</Layer></Content>"), ALL_RESOURCES)
    assert len(page_text(scene).characters) == 1
