"""Page objects are read as they are written, and what is not written stays unsaid."""

import pytest

from ofd.geometry import Box, Matrix, Point
from ofd.model.document import Document
from ofd.model.objects import (
    AxialShading,
    Block,
    CompositeObject,
    GouraudShading,
    ImageObject,
    LatticeShading,
    PathObject,
    Pattern,
    RadialShading,
    TextObject,
)

from support.ofd_pages import HandMade


def read(content: str, **more: object) -> tuple[object, ...]:
    document = Document.open(HandMade(pages=(content,), **more).to_bytes())  # type: ignore[arg-type]
    return document.page(0).layers[0].objects


def codes_of(document: Document) -> list[str]:
    return [warning.code for warning in document.warnings]


def test_defaults_of_the_schema_are_not_filled_in() -> None:
    (item,) = read('<PathObject ID="7" Boundary="1 2 3 4"><AbbreviatedData>M 0 0 L 1 1</AbbreviatedData></PathObject>')
    assert isinstance(item, PathObject)
    assert item.boundary == Box(1, 2, 3, 4)
    unsaid = (item.line_width, item.cap, item.join, item.miter_limit, item.dash_pattern, item.alpha, item.stroke)
    assert set(unsaid) == {None}
    assert (item.fill, item.rule, item.fill_color, item.stroke_color) == (None,) * 4


def test_all_attributes_of_a_graphic_unit_are_read() -> None:
    (item,) = read(
        '<ImageObject ID="7" Boundary="1 2 3 4" Name="n" Visible="false" CTM="1 2 3 4 5 6" DrawParam="9" LineWidth=".5"'
        ' Cap="Round" Join="Bevel" MiterLimit="2" DashOffset="1" DashPattern="1 2" Alpha="127" BlendMode="Multiply"'
        ' ResourceID="8" Substitution="10" ImageMask="11"><Border LineWidth="1" HorizonalCornerRadius="2"'
        ' VerticalCornerRadius="3" DashOffset="4" DashPattern="5 6"><BorderColor Value="1 2 3"/></Border></ImageObject>'
    )
    assert isinstance(item, ImageObject)
    assert (item.id, item.name, item.visible, item.ctm) == ("7", "n", False, Matrix(1, 2, 3, 4, 5, 6))
    assert (item.draw_param, item.line_width, item.cap, item.join) == ("9", 0.5, "Round", "Bevel")
    assert (item.miter_limit, item.dash_offset, item.dash_pattern, item.alpha) == (2, 1, (1, 2), 127)
    assert (item.blend_mode, item.resource, item.substitution, item.image_mask) == ("Multiply", "8", "10", "11")
    assert item.border is not None
    assert (item.border.line_width, item.border.horizontal_radius, item.border.vertical_radius) == (1, 2, 3)
    assert item.border.color is not None
    assert item.border.color.value == (1, 2, 3)


def test_a_text_keeps_blanks_and_expands_repeated_deltas() -> None:
    (item,) = read(
        '<TextObject ID="7" Boundary="0 0 9 9" Font="3" Size="3" HScale=".5" CharDirection="90" ReadDirection="90"'
        ' Weight="700" Italic="true" Stroke="true" Fill="false"><FillColor Value="1 2 3"/><StrokeColor Index="4"/>'
        '<TextCode X="1" Y="2" DeltaX="g 3 4.2 5 g 2 1" DeltaY="0 -1"> 一二三四五 </TextCode></TextObject>'
    )
    assert isinstance(item, TextObject)
    (code,) = item.codes
    assert code.text == " 一二三四五 "
    assert code.delta_x == (4.2, 4.2, 4.2, 5, 1, 1)
    assert code.delta_y == (0, -1)
    assert (item.h_scale, item.char_direction, item.read_direction, item.weight) == (0.5, 90, 90, 700)
    assert (item.italic, item.stroke, item.fill) == (True, True, False)
    assert item.stroke_color is not None
    assert item.stroke_color.index == 4


def test_a_repeat_count_of_deltas_cannot_blow_up() -> None:
    (item,) = read('<TextObject Font="3" Size="3"><TextCode DeltaX="g 9999999 1">ab</TextCode></TextObject>')
    assert isinstance(item, TextObject)
    assert item.codes[0].delta_x == (1,)


def test_glyph_runs_belong_to_the_text_code_behind_them() -> None:
    (item,) = read(
        '<TextObject Font="3" Size="3"><CGTransform CodePosition="0" CodeCount="2" GlyphCount="1"><Glyphs>17</Glyphs>'
        '</CGTransform><TextCode>fi</TextCode><CGTransform CodePosition="0"><Glyphs>18</Glyphs></CGTransform>'
        "<TextCode>x</TextCode></TextObject>"
    )
    assert isinstance(item, TextObject)
    assert [run.glyphs for code in item.codes for run in code.glyph_runs] == [(17,), (18,)]
    assert item.codes[0].glyph_runs[0].code_count == 2


@pytest.mark.parametrize(
    ("text", "deltas", "expected"),
    [
        (r"a\0001b", "1 1", "a\x01b"),
        (r"\4e2d\6587", "1", "中文"),
        (r"C:\dead", "g 6 1", r"C:\dead"),
        (r"C:\beef", "1", r"C:\beef"),
    ],
)
def test_escapes_stand_for_characters_only_where_they_must(text: str, deltas: str, expected: str) -> None:
    (item,) = read(f'<TextObject Font="3" Size="3"><TextCode DeltaX="{deltas}">{text}</TextCode></TextObject>')
    assert isinstance(item, TextObject)
    assert item.text == expected


def test_blocks_composites_and_clips_nest() -> None:
    (block,) = read(
        '<PageBlock ID="1"><PageBlock ID="2"><CompositeObject ID="3" Boundary="0 0 1 1" ResourceID="4"><Clips'
        ' TransFlag="false"><Clip><Area DrawParam="5" CTM="2 0 0 2 0 0"><Path Boundary="0 0 1 1"><AbbreviatedData>M 0 0'
        "</AbbreviatedData></Path></Area></Clip></Clips></CompositeObject></PageBlock></PageBlock>"
    )
    assert isinstance(block, Block)
    inner = block.objects[0]
    assert isinstance(inner, Block)
    composite = inner.objects[0]
    assert isinstance(composite, CompositeObject)
    assert not composite.clips_follow
    (area,) = composite.clips[0].areas
    assert (area.draw_param, area.ctm) == ("5", Matrix(2, 0, 0, 2, 0, 0))


def test_blocks_nested_without_end_are_cut_off_with_a_warning() -> None:
    deep = "<PageBlock>" * 100 + "</PageBlock>" * 100
    document = Document.open(HandMade(pages=(deep,)).to_bytes())
    assert document.page(0).layers[0].objects
    assert "ofd.model.nesting" in codes_of(document)


def test_all_shadings_are_read_and_the_misspelt_one_too() -> None:
    def color(inside: str) -> object:
        (item,) = read(f'<PathObject Boundary="0 0 9 9"><FillColor Alpha="9">{inside}</FillColor></PathObject>')
        assert isinstance(item, PathObject)
        assert item.fill_color is not None
        assert item.fill_color.alpha == 9
        return item.fill_color.shading

    segments = '<Segment Position="0"><Color Value="1 1 1"/></Segment><Segment><Color Value="2 2 2"/></Segment>'
    axial = color(
        f'<AxialShd StartPoint="0 0" EndPoint="5 5" MapType="Repeat" MapUnit="2" Extend="3">{segments}</AxialShd>'
    )
    assert isinstance(axial, AxialShading)
    assert (axial.end, axial.map_type, axial.map_unit, axial.extend) == (Point(5, 5), "Repeat", 2, "3")
    assert [item.position for item in axial.segments] == [0, None]
    radial = color(
        '<RadialShd StartPoint="0 0" EndPoint="5 5" StartRadius="1" EndRadius="2" Eccentricity=".5" Angle="30"/>'
    )
    assert isinstance(radial, RadialShading)
    assert (radial.start_radius, radial.end_radius, radial.eccentricity, radial.angle) == (1, 2, 0.5, 30)
    points = '<Point X="1" Y="2" EdgeFlag="1"><Color Value="3 3 3"/></Point>' * 4
    gouraud = color(f'<GouraudShd>{points}<BackColor Value="0 0 0"/></GouraudShd>')
    assert isinstance(gouraud, GouraudShading)
    assert (gouraud.points[0].x, gouraud.points[0].edge_flag, gouraud.back_color is None) == (1, 1, False)
    for name in ("LaGourandShd", "LaGouraudShd"):
        lattice = color(f'<{name} VerticesPerRow="2">{points}</{name}>')
        assert isinstance(lattice, LatticeShading)
        assert (lattice.vertices_per_row, len(lattice.points)) == (2, 4)
    pattern = color(
        '<Pattern Width="4" Height="5" XStep="6" YStep="7" ReflectMethod="Row" RelativeTo="Page" CTM="1 0 0 1 2 3">'
        '<CellContent><PathObject ID="1" Boundary="0 0 1 1"/></CellContent></Pattern>'
    )
    assert isinstance(pattern, Pattern)
    assert (pattern.width, pattern.height, pattern.x_step, pattern.y_step) == (4, 5, 6, 7)
    assert (pattern.reflect_method, pattern.relative_to, len(pattern.cell)) == ("Row", "Page", 1)


@pytest.mark.parametrize(
    ("value", "expected"),
    [("#ff #80 #00", (255, 128, 0)), ("#ff8000", (255, 128, 0)), ("255,128,0", (255, 128, 0)), ("7", (7,))],
)
def test_components_are_decimal_or_hexadecimal(value: str, expected: tuple[float, ...]) -> None:
    (item,) = read(f'<PathObject><FillColor Value="{value}"/></PathObject>')
    assert isinstance(item, PathObject)
    assert item.fill_color is not None
    assert item.fill_color.value == expected


@pytest.mark.parametrize(
    ("attribute", "box"),
    [("1 2 3 4mm", Box(1, 2, 3, 4)), ("1,2,3,4", Box(1, 2, 3, 4)), ("5 5 -2 -3", Box(3, 2, 2, 3)), ("1 2 3", None)],
)
def test_values_that_break_the_rules_are_guessed_with_a_warning(attribute: str, box: Box | None) -> None:
    document = Document.open(HandMade(pages=(f'<PathObject Boundary="{attribute}"/>',)).to_bytes())
    item = document.page(0).layers[0].objects[0]
    assert isinstance(item, PathObject)
    assert item.boundary == box
    assert ("ofd.model.value" in codes_of(document)) == ("," not in attribute)


@pytest.mark.parametrize("value", ["NaN", "1e999", "-1e12", "x", "inf"])
def test_numbers_that_are_none_are_absent(value: str) -> None:
    (item,) = read(f'<PathObject LineWidth="{value}"/>')
    assert isinstance(item, PathObject)
    assert item.line_width is None


@pytest.mark.parametrize(
    ("text", "deltas", "expected"),
    [("\n    ab\n  ", "1", "ab"), ("a\nb", "1 1", "a\nb"), ("a\n  b", "1", "ab"), (" a b ", "", " a b ")],
)
def test_line_breaks_of_indented_xml_are_no_characters(text: str, deltas: str, expected: str) -> None:
    (item,) = read(f'<TextObject Font="3" Size="3"><TextCode DeltaX="{deltas}">{text}</TextCode></TextObject>')
    assert isinstance(item, TextObject)
    assert item.text == expected


def test_objects_outside_of_layers_are_read_with_a_warning() -> None:
    document = Document.open(HandMade(pages=('<Content><PathObject ID="7"/><Layer ID="1"/></Content>',)).to_bytes())
    assert [len(layer.objects) for layer in document.page(0).layers] == [1, 0]
    assert "ofd.model.no-layer" in codes_of(document)
