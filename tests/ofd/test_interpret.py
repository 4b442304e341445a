"""A scene has everything resolved: order, inheritance, resources, places, clips."""

import struct
import zlib
from concurrent.futures import ThreadPoolExecutor

import pytest
from PIL import ImageCms

from ofd.draw.interpret import page_scene
from ofd.draw.png import to_picture
from ofd.draw.scene import (
    AxialPaint,
    BlendMode,
    Cap,
    Extend,
    Group,
    ImageItem,
    Item,
    Join,
    MapType,
    MeshPaint,
    OriginKind,
    PathItem,
    PatternPaint,
    RadialPaint,
    Reflect,
    Scene,
    SolidPaint,
    Stroke,
)
from ofd.draw.svg import to_svg
from ofd.fonts.library import installed_fonts
from ofd.geometry import Box, Matrix, Point
from ofd.model.document import Document
from trustcore.errors import NotFoundError

from support.ofd_pages import HandMade, part

SQUARE = "<AbbreviatedData>M 1 1 L 5 1 L 5 5 L 1 5 C</AbbreviatedData>"


def png(width: int = 1, height: int = 1) -> bytes:
    """A grey picture."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = zlib.compress((b"\x00" + b"\x80" * width) * height)
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def scene_of(made: HandMade, **options: bool) -> Scene:
    return page_scene(Document.open(made.to_bytes()), 0, fonts=installed_fonts(), **options)


def draw(content: str, **more: object) -> Scene:
    return scene_of(HandMade(pages=(content,), **more))  # type: ignore[arg-type]


def figure(attributes: str = "", inside: str = "", boundary: str = "10 20 6 6", number: int = 7) -> str:
    return f'<PathObject ID="{number}" Boundary="{boundary}" {attributes}>{inside}{SQUARE}</PathObject>'


def only(scene: Scene) -> PathItem:
    (item,) = scene.items
    assert isinstance(item, PathItem)
    return item


def stroke_of(scene: Scene) -> Stroke:
    stroke = only(scene).stroke
    assert stroke is not None
    return stroke


def origins(items: tuple[Item, ...]) -> list[str]:
    return [item.origin.object_id for item in items]


def test_a_plain_figure_has_the_defaults_of_the_standard() -> None:
    scene = draw(figure())
    item = only(scene)
    assert scene.area == Box(0, 0, 210, 297)
    assert item.matrix == Matrix.translation(10, 20)
    assert item.fill is None
    assert item.stroke == Stroke(paint=SolidPaint(color=(0, 0, 0, 1)))  # type: ignore[arg-type]
    assert (item.origin.kind, item.origin.part) == (OriginKind.PAGE, "Doc_0/Pages/Page_0/Content.xml")
    assert not scene.warnings


def test_a_figure_that_is_filled_without_colour_is_not_painted() -> None:
    assert draw(figure('Stroke="false" Fill="true"')).items == ()


def test_layers_templates_and_annotations_are_painted_in_their_order() -> None:
    layers = "".join(
        f'<Layer ID="{number}" Type="{kind}">{figure(number=number)}</Layer>'
        for number, kind in ((13, "Foreground"), (12, "Body"), (11, "Background"))
    )
    uses = '<Template TemplateID="21" ZOrder="Foreground"/><Template TemplateID="22"/>'
    template = part("Page", f'<Content><Layer ID="1">{figure(number=30)}</Layer></Content>')
    scene = scene_of(
        HandMade(
            pages=(f"{uses}<Content>{layers}</Content>",),
            common='<TemplatePage ID="21" BaseLoc="T1.xml"/><TemplatePage ID="22" BaseLoc="T2.xml"/>',
            document="<Annotations>A.xml</Annotations>",
            files={
                "Doc_0/T1.xml": template,
                "Doc_0/T2.xml": template.replace(b'ID="30"', b'ID="29"'),
                "Doc_0/A.xml": part("Annotations", '<Page PageID="1000"><FileLoc>P.xml</FileLoc></Page>'),
                "Doc_0/P.xml": part(
                    "PageAnnot",
                    f'<Annot ID="50" Type="Path"><Appearance Boundary="100 100 9 9">{figure()}</Appearance></Annot>'
                    f'<Annot ID="51" Type="Path" Visible="false"><Appearance>{figure()}</Appearance></Annot>'
                    f'<Annot ID="52" Type="Path" Print="false"><Appearance>{figure()}</Appearance></Annot>',
                ),
            },
        )
    )
    assert origins(scene.items) == ["29", "11", "12", "13", "30", "50", "52"]
    kinds = [item.origin.kind for item in scene.items]
    assert kinds[0] is kinds[4] is OriginKind.TEMPLATE
    assert scene.items[0].origin.part == "Doc_0/T2.xml"
    assert scene.items[5].origin.part == "Doc_0/P.xml"
    assert isinstance(scene.items[5], PathItem)
    assert scene.items[5].matrix == Matrix.translation(110, 120)


def test_annotations_can_be_left_out_and_printing_has_its_own_ones() -> None:
    made = HandMade(
        document="<Annotations>A.xml</Annotations>",
        files={
            "Doc_0/A.xml": part("Annotations", '<Page PageID="1000"><FileLoc>P.xml</FileLoc></Page>'),
            "Doc_0/P.xml": part(
                "PageAnnot", f'<Annot ID="5" Type="Path" Print="false"><Appearance>{figure()}</Appearance></Annot>'
            ),
        },
    )
    assert len(scene_of(made).items) == 1
    assert scene_of(made, annotations=False).items == ()
    assert scene_of(made, for_print=True).items == ()


def test_the_order_of_a_template_may_stand_where_it_is_declared() -> None:
    scene = scene_of(
        HandMade(
            pages=(f'<Template TemplateID="21"/><Content><Layer>{figure(number=5)}</Layer></Content>',),
            common='<TemplatePage ID="21" BaseLoc="T.xml" ZOrder="Foreground"/>',
            files={"Doc_0/T.xml": part("Page", f"<Content><Layer>{figure(number=6)}</Layer></Content>")},
        )
    )
    assert origins(scene.items) == ["5", "6"]


def test_invisible_objects_are_not_painted() -> None:
    assert draw(figure('Visible="false"')).items == ()


def test_draw_parameters_come_from_the_object_its_parameter_and_the_layer_in_this_order() -> None:
    public = (
        '<DrawParams><DrawParam ID="1" Relative="2" LineWidth="1" Cap="Round"><StrokeColor Value="255 0 0"/>'
        '</DrawParam><DrawParam ID="2" LineWidth="2" Join="Bevel" MiterLimit="9"/>'
        '<DrawParam ID="3" LineWidth="3" DashPattern="1 2" DashOffset="4">'
        '<StrokeColor Value="0 0 255"/><FillColor Value="0 255 0"/></DrawParam></DrawParams>'
    )
    layer = '<Content><Layer DrawParam="3">{}</Layer></Content>'
    stroke = stroke_of(draw(layer.format(figure('DrawParam="1" LineWidth="0.5"')), public=public))
    assert (stroke.width, stroke.cap, stroke.join, stroke.miter_limit) == (0.5, Cap.ROUND, Join.BEVEL, 9)
    assert (stroke.dash, stroke.dash_offset) == ((1, 2), 4)
    assert stroke.paint == SolidPaint(color=(1, 0, 0, 1))  # type: ignore[arg-type]
    assert stroke_of(draw(layer.format(figure('DrawParam="1"')), public=public)).width == 1
    assert stroke_of(draw(layer.format(figure('DrawParam="2"')), public=public)).width == 2
    item = only(draw(layer.format(figure('Fill="true"')), public=public))
    assert item.stroke is not None
    assert item.stroke.width == 3
    assert item.fill == SolidPaint(color=(0, 1, 0, 1))  # type: ignore[arg-type]
    assert item.origin.used == ("Doc_0/PublicRes.xml",)


@pytest.mark.parametrize(
    ("attributes", "dash"),
    [('DashPattern="0 0"', ()), ('DashPattern="-1 2"', ()), ('DashPattern="2"', (2,)), ("", ())],
)
def test_dashes_that_cannot_be_drawn_are_none(attributes: str, dash: tuple[float, ...]) -> None:
    assert stroke_of(draw(figure(attributes))).dash == dash


def test_a_line_of_width_nothing_is_a_hairline() -> None:
    stroke = stroke_of(draw(figure('LineWidth="0"')))
    assert stroke.width == 0


def test_a_hairline_is_one_dot_wide_however_its_object_is_stretched() -> None:
    drawn = draw(
        '<PathObject ID="1" Boundary="0 0 50 50" CTM="50 0 0 50 0 0" LineWidth="0">'
        "<AbbreviatedData>M 0 0.5 L 1 0.5</AbbreviatedData></PathObject>"
    )
    column = to_picture(drawn, dpi=101.6, region=Box(0, 0, 50, 50)).convert("L").crop((100, 0, 101, 200))
    ink = [row for row in range(200) if column.getpixel((0, row)) != 255]
    assert 1 <= len(ink) <= 2
    assert 'vector-effect="non-scaling-stroke"' in to_svg(drawn)


@pytest.mark.parametrize(
    ("color", "expected"),
    [
        ('Value="255 0 51"', (1, 0, 0.2, 1)),
        ('Value="255 0 0" Alpha="51"', (1, 0, 0, 0.2)),
        ('Value="51" ColorSpace="1"', (0.2, 0.2, 0.2, 1)),
        ('Value="0 255 255 0" ColorSpace="2"', (1, 0, 0, 1)),
        ('Value="0 0 0 255" ColorSpace="2"', (0, 0, 0, 1)),
        ('Value="15 0 0" ColorSpace="3"', (1, 0, 0, 1)),
        ('Index="1" ColorSpace="4"', (0, 1, 0, 1)),
        ('Index="9" ColorSpace="4"', (0, 0, 0, 1)),
        ('Value="255" ColorSpace="99"', (1, 1, 1, 1)),
        ('Value="0 255 255 0" ColorSpace="99"', (1, 0, 0, 1)),
        ('Value="999 -5 0"', (1, 0, 0, 1)),
        ("", (0, 0, 0, 1)),
    ],
)
def test_colours_of_all_spaces_become_rgb(color: str, expected: tuple[float, ...]) -> None:
    public = (
        '<ColorSpaces><ColorSpace ID="1" Type="GRAY"/><ColorSpace ID="2" Type="CMYK"/><ColorSpace ID="3" Type="RGB"'
        ' BitsPerComponent="4"/><ColorSpace ID="4" Type="RGB"><Palette><CV>255 0 0</CV><CV>0 255 0</CV></Palette>'
        "</ColorSpace></ColorSpaces>"
    )
    item = only(draw(figure('Stroke="false" Fill="true"', f"<FillColor {color}/>"), public=public))
    assert isinstance(item.fill, SolidPaint)
    assert item.fill.color == pytest.approx(expected)


def test_the_documents_own_colour_space_is_used_where_none_is_named() -> None:
    scene = draw(
        figure('Stroke="false" Fill="true"', '<FillColor Value="255"/>'),
        public='<ColorSpaces><ColorSpace ID="1" Type="GRAY"/></ColorSpaces>',
        common="<DefaultCS>1</DefaultCS>",
    )
    assert only(scene).fill == SolidPaint(color=(1, 1, 1, 1))  # type: ignore[arg-type]
    assert not scene.warnings


def test_a_colour_space_with_a_profile_is_taken_by_it() -> None:
    def color(profile: bytes) -> tuple[SolidPaint, Scene]:
        scene = draw(
            figure('Stroke="false" Fill="true"', '<FillColor ColorSpace="1" Value="200 100 50"/>'),
            public='<ColorSpaces><ColorSpace ID="1" Type="RGB" Profile="p.icc"/></ColorSpaces>',
            files={"Doc_0/Res/p.icc": profile},
        )
        paint = only(scene).fill
        assert isinstance(paint, SolidPaint)
        return paint, scene

    same, scene = color(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    assert same.color == pytest.approx((200 / 255, 100 / 255, 50 / 255, 1), abs=0.01)
    assert scene.items[0].origin.used == ("Doc_0/PublicRes.xml", "Doc_0/Res/p.icc")
    assert not scene.warnings
    broken, scene = color(b"no profile")
    assert broken.color == pytest.approx((200 / 255, 100 / 255, 50 / 255, 1))
    assert scene.warnings


def fill(inside: str, attributes: str = "") -> object:
    scene = draw(figure(f'Stroke="false" Fill="true" {attributes}', f"<FillColor>{inside}</FillColor>"))
    return only(scene).fill


def test_gradients_have_sorted_stops_from_end_to_end() -> None:
    segments = "".join(
        f'<Segment Position="{place}"><Color Value="{value} 0 0"/></Segment>' for place, value in ((0.8, 255), (0.2, 0))
    )
    paint = fill(
        f'<AxialShd StartPoint="0 0" EndPoint="5 0" MapType="reflect" MapUnit="2" Extend="3">{segments}</AxialShd>',
        'Alpha="51"',
    )
    assert isinstance(paint, AxialPaint)
    assert (paint.map_type, paint.map_unit, paint.extend, paint.end) == (MapType.REFLECT, 2, Extend.BOTH, Point(5, 0))
    assert [stop.position for stop in paint.stops] == [0, 0.2, 0.8, 1]
    assert [stop.color[0] for stop in paint.stops] == [0, 0, 1, 1]
    assert {round(stop.color[3], 3) for stop in paint.stops} == {0.2}
    radial = fill(
        '<RadialShd StartPoint="0 0" EndPoint="5 0" StartRadius="-1" EndRadius="4" Eccentricity="2" Angle="30">'
        '<Segment><Color Value="1 2 3"/></Segment><Segment><Color Value="4 5 6"/></Segment></RadialShd>'
    )
    assert isinstance(radial, RadialPaint)
    assert (radial.start_radius, radial.end_radius, radial.angle, radial.extend) == (0, 4, 30, Extend.NONE)
    assert radial.eccentricity < 1
    assert [stop.position for stop in radial.stops] == [0, 1]


def test_a_gradient_without_length_is_its_last_colour() -> None:
    segments = '<Segment><Color Value="0 0 0"/></Segment><Segment><Color Value="255 0 0"/></Segment>'
    paint = fill(f'<AxialShd StartPoint="1 1" EndPoint="1 1">{segments}</AxialShd>')
    assert paint == SolidPaint(color=(1, 0, 0, 1))  # type: ignore[arg-type]
    assert draw(figure('Stroke="false" Fill="true"', "<FillColor><AxialShd/></FillColor>")).items == ()


def test_meshes_are_triangles() -> None:
    def point(x: int, y: int, flag: int = 0) -> str:
        return f'<Point X="{x}" Y="{y}" EdgeFlag="{flag}"><Color Value="{x * 50} 0 0"/></Point>'

    free = fill(f"<GouraudShd>{point(0, 0)}{point(1, 0)}{point(0, 1)}{point(1, 1, 1)}{point(2, 2, 2)}</GouraudShd>")
    assert isinstance(free, MeshPaint)
    assert [tuple(map(tuple, triangle.points)) for triangle in free.triangles] == [
        ((0, 0), (1, 0), (0, 1)),
        ((1, 0), (0, 1), (1, 1)),
        ((1, 0), (1, 1), (2, 2)),
    ]
    grid = "".join(point(x, y) for y in range(3) for x in range(3))
    lattice = fill(f'<LaGourandShd VerticesPerRow="3">{grid}<BackColor Value="255 255 255"/></LaGourandShd>')
    assert isinstance(lattice, MeshPaint)
    assert len(lattice.triangles) == 8
    assert lattice.background == (1, 1, 1, 1)
    broken = fill(f'<LaGourandShd VerticesPerRow="1">{grid}<BackColor Value="255 255 255"/></LaGourandShd>')
    assert broken == SolidPaint(color=(1, 1, 1, 1))  # type: ignore[arg-type]


def test_a_pattern_has_its_cell_drawn_in_its_own_space() -> None:
    paint = fill(
        '<Pattern Width="4" Height="5" YStep="7" ReflectMethod="RowAndColumn" RelativeTo="Page" CTM="1 0 0 1 2 3">'
        f"<CellContent>{figure(boundary='1 1 6 6')}</CellContent></Pattern>"
    )
    assert isinstance(paint, PatternPaint)
    assert (paint.width, paint.height, paint.x_step, paint.y_step) == (4, 5, 4, 7)
    assert (paint.reflect, paint.relative_to_page, paint.matrix) == (Reflect.BOTH, True, Matrix.translation(2, 3))
    assert isinstance(paint.cell[0], PathItem)
    assert paint.cell[0].matrix == Matrix.translation(1, 1)


def test_see_through_objects_fade_their_paint_or_become_a_group() -> None:
    one = only(draw(figure('Stroke="false" Fill="true" Alpha="51"', '<FillColor Value="255 0 0" Alpha="127.5"/>')))
    assert isinstance(one.fill, SolidPaint)
    assert one.fill.color == pytest.approx((1, 0, 0, 0.1))
    (both,) = draw(figure('Fill="true" Alpha="51"', '<FillColor Value="255 0 0"/>')).items
    assert isinstance(both, Group)
    assert both.alpha == pytest.approx(0.2)
    assert not both.clips


@pytest.mark.parametrize("mode", ["Multiply", "multiply", "ColorDodge", "color-dodge", "unknown"])
def test_blend_modes_are_known_by_all_their_spellings(mode: str) -> None:
    (item,) = draw(figure(f'BlendMode="{mode}"')).items
    if mode == "unknown":
        assert isinstance(item, PathItem)
    else:
        assert isinstance(item, Group)
        assert item.blend in {BlendMode.MULTIPLY, BlendMode.COLOR_DODGE}


def test_what_stands_out_of_the_boundary_is_clipped() -> None:
    (item,) = draw(figure(boundary="10 20 3 3")).items
    assert isinstance(item, Group)
    (area,) = item.clips[0].areas
    assert area.matrix == Matrix.translation(10, 20)
    box = Box.around([(v[0], v[1]) for _, v in area.path if v])
    assert (box.x, box.right) == pytest.approx((-0.353, 3.353))


def test_a_horizontal_line_in_a_flat_boundary_is_not_lost() -> None:
    scene = draw(
        '<PathObject ID="1" Boundary="10 20 100 0"><AbbreviatedData>M 0 0 L 100 0</AbbreviatedData></PathObject>'
    )
    assert isinstance(scene.items[0], PathItem)


def test_clips_are_placed_by_the_area_and_the_object() -> None:
    def clip(attributes: str) -> Matrix:
        (item,) = draw(
            figure(
                'CTM="2 0 0 2 0 0" ',
                f'<Clips {attributes}><Clip><Area CTM="1 0 0 1 3 0"><Path Boundary="1 0 9 9" Rule="Even-Odd" CTM="1 0 0'
                f' 1 0 5">{SQUARE}</Path></Area><Area><Path>{SQUARE}</Path></Area></Clip><Clip/></Clips>',
                boundary="10 20 99 99",
            )
        ).items
        assert isinstance(item, Group)
        (only_clip,) = item.clips
        assert len(only_clip.areas) == 2
        assert only_clip.areas[0].even_odd
        return only_clip.areas[0].matrix

    assert clip("") == Matrix(2, 0, 0, 2, 18, 30)
    assert clip('TransFlag="false"') == Matrix(1, 0, 0, 1, 14, 25)


def test_a_text_can_be_a_clip() -> None:
    text = '<Text Boundary="0 0 9 9" Font="3" Size="5"><TextCode X="0" Y="5">中</TextCode></Text>'
    (item,) = draw(
        figure("", f"<Clips><Clip><Area>{text}</Area></Clip></Clips>"),
        public='<Fonts><Font ID="3" FontName="宋体"/></Fonts>',
    ).items
    assert isinstance(item, Group)
    area = item.clips[0].areas[0].text
    assert area is not None
    assert [glyph.text for glyph in area.glyphs] == ["中"]


IMAGES = (
    '<MultiMedias><MultiMedia ID="8" Type="Image"><MediaFile>a.png</MediaFile></MultiMedia><MultiMedia ID="9"'
    ' Type="Image"><MediaFile>b.png</MediaFile></MultiMedia><MultiMedia ID="10" Type="Image"/></MultiMedias>'
)
FILES = {"Doc_0/Res/a.png": png(), "Doc_0/Res/b.png": png(2)}


def pictures(content: str) -> Scene:
    return draw(content, document_resources=IMAGES, files=FILES)


def test_a_picture_is_the_unit_square_stretched() -> None:
    scene = pictures(
        '<ImageObject ID="1" Boundary="10 20 30 40" CTM="30 0 0 40 0 0" ResourceID="8" ImageMask="9"/>'
        '<ImageObject ID="2" Boundary="10 20 30 40" ResourceID="008"/>'
    )
    first, second = scene.items
    assert isinstance(first, ImageItem)
    assert isinstance(second, ImageItem)
    assert first.matrix == second.matrix == Matrix(30, 0, 0, 40, 10, 20)
    assert first.image is second.image
    assert first.image.data == FILES["Doc_0/Res/a.png"]
    assert first.mask is not None
    assert first.mask.name == "Doc_0/Res/b.png"
    assert first.origin.used == ("Doc_0/DocumentRes.xml", "Doc_0/Res/a.png", "Doc_0/Res/b.png")


def test_a_missing_picture_is_substituted_or_told() -> None:
    scene = pictures('<ImageObject ID="1" Boundary="0 0 9 9" ResourceID="10" Substitution="9"/>')
    (item,) = scene.items
    assert isinstance(item, ImageItem)
    assert item.image.name == "Doc_0/Res/b.png"
    scene = pictures('<ImageObject ID="1" Boundary="0 0 9 9" ResourceID="77"/>')
    assert scene.items == ()
    assert scene.warnings


def test_a_picture_has_a_border_and_may_be_see_through() -> None:
    scene = pictures(
        '<ImageObject ID="1" Boundary="10 20 30 40" ResourceID="8" Alpha="51"><Border LineWidth="2"'
        ' HorizonalCornerRadius="5" VerticalCornerRadius="5"><BorderColor Value="255 0 0"/></Border></ImageObject>'
    )
    (group,) = scene.items
    assert isinstance(group, Group)
    assert group.alpha == pytest.approx(0.2)
    _, border = group.items
    assert isinstance(border, PathItem)
    assert border.stroke is not None
    assert border.stroke.width == 2
    assert sum(operator == "C" for operator, _ in border.path) == 4


def test_a_composite_is_drawn_where_it_is_placed_and_gives_its_parameters() -> None:
    scene = draw(
        '<CompositeObject ID="5" Boundary="10 20 50 50" CTM="2 0 0 2 0 0" ResourceID="6" DrawParam="1"/>',
        public='<DrawParams><DrawParam ID="1" LineWidth="1"/></DrawParams>',
        document_resources='<CompositeGraphicUnits><CompositeGraphicUnit ID="6" Width="9" Height="9"><Content>'
        f"{figure(boundary='1 1 6 6', number=66)}</Content></CompositeGraphicUnit></CompositeGraphicUnits>",
    )
    item = only(scene)
    assert item.matrix == Matrix(2, 0, 0, 2, 12, 22)
    assert item.stroke is not None
    assert item.stroke.width == 1
    assert item.origin.object_id == "5"
    assert item.origin.used == ("Doc_0/PublicRes.xml", "Doc_0/DocumentRes.xml")


def test_a_composite_that_holds_itself_ends() -> None:
    unit = '<CompositeGraphicUnit ID="{}"><Content><CompositeObject ID="1" ResourceID="{}"/>{}</Content>'
    scene = draw(
        '<CompositeObject ID="5" ResourceID="6"/>',
        public="<CompositeGraphicUnits>"
        + unit.format(6, 7, figure())
        + "</CompositeGraphicUnit>"
        + unit.format(7, 6, "")
        + "</CompositeGraphicUnit></CompositeGraphicUnits>",
    )
    assert len(scene.items) == 1
    assert any("holds itself" in warning for warning in scene.warnings)


def test_composites_that_multiply_end() -> None:
    units = "".join(
        f'<CompositeGraphicUnit ID="{number}"><Content>'
        + f'<CompositeObject ID="1" ResourceID="{number + 1}"/>' * 10
        + figure()
        + "</Content></CompositeGraphicUnit>"
        for number in range(10, 30)
    )
    made = HandMade(
        pages=('<CompositeObject ID="5" ResourceID="10"/>',),
        public=f"<CompositeGraphicUnits>{units}</CompositeGraphicUnits>",
    )
    scene = page_scene(Document.open(made.to_bytes()), 0, fonts=installed_fonts(), most_objects=2000)
    assert any("too many objects" in warning for warning in scene.warnings)


def test_a_pattern_within_a_pattern_within_a_pattern_ends() -> None:
    inside = figure()
    for _ in range(40):
        inside = figure(
            'Fill="true"',
            f'<FillColor><Pattern Width="1" Height="1"><CellContent>{inside}</CellContent></Pattern></FillColor>',
        )
    assert draw(inside).items


def test_missing_resources_are_told_and_the_rest_is_drawn() -> None:
    scene = draw(
        '<Content><Layer DrawParam="77">'
        + figure('DrawParam="78"')
        + '<CompositeObject ID="1" ResourceID="79"/></Layer></Content>'
    )
    assert len(scene.items) == 1
    assert len(scene.warnings) == 3


def test_there_is_no_scene_of_a_page_that_is_not_there() -> None:
    document = Document.open(HandMade().to_bytes())
    with pytest.raises(NotFoundError):
        page_scene(document, 1, fonts=installed_fonts())


def test_a_blank_page_that_cannot_be_read_says_so() -> None:
    scene = scene_of(HandMade(files={"Doc_0/Pages/Page_0/Content.xml": b"?"}))
    assert scene.items == ()
    assert scene.warnings


def test_threads_share_a_document() -> None:
    pages = tuple(f"<Content><Layer>{figure(number=number)}</Layer></Content>" for number in range(12))
    document = Document.open(HandMade(pages=pages, public=IMAGES).to_bytes())
    fonts = installed_fonts()

    def draw_page(index: int) -> str:
        return page_scene(document, index, fonts=fonts).items[0].origin.object_id

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(draw_page, [*range(12)] * 3)) == [str(index) for index in range(12)] * 3
