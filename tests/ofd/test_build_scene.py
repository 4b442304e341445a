"""What is drawn on a page is what is read from it: scene → OFD → scene changes nothing that shows."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from ofd.build import resources
from ofd.build.bounds import item_box, transformed
from ofd.build.document import DocumentBuilder
from ofd.draw import scene
from ofd.draw.interpret import page_scene
from ofd.draw.scene import (
    AxialPaint,
    BlendMode,
    Cap,
    Clip,
    ClipArea,
    Color,
    Extend,
    Glyph,
    Group,
    Image,
    ImageItem,
    Item,
    Join,
    MapType,
    MeshPaint,
    Origin,
    OriginKind,
    Paint,
    PathItem,
    PatternPaint,
    RadialPaint,
    Reflect,
    SolidPaint,
    Stop,
    Stroke,
    TextItem,
    Triangle,
)
from ofd.fonts.faces import FontFace, FontStack, find_fonts
from ofd.fonts.library import FontLibrary
from ofd.geometry import IDENTITY, Box, Matrix, Point
from ofd.model.document import Document
from trustcore.errors import RejectedError

from support.ofd_samples import sample_png, unpack

ORIGIN = Origin(kind=OriginKind.PAGE, part="drawn")
BLACK = SolidPaint(color=Color.of(0, 0, 0))
RED = SolidPaint(color=Color.of(1, 0, 0, 0.4))
NEAR_MM = 0.004
SQUARE = Box(0, 0, 10, 10).path()
TRIANGLE = (("M", (0.0, 0.0)), ("L", (30.0, 0.0)), ("L", (0.0, 30.0)), ("Z", ()))


@pytest.fixture(scope="module")
def fonts() -> FontStack:
    return find_fonts()


@pytest.fixture(scope="module")
def library() -> FontLibrary:
    return FontLibrary()


def package_of(fonts: FontStack, *items: Item) -> bytes:
    builder = DocumentBuilder(doc_id="0" * 32, title="", created=datetime(2030, 1, 1, tzinfo=UTC), fonts=fonts)
    page = builder.page()
    for item in items:
        page.draw(item)
    return builder.to_bytes()


def drawn(fonts: FontStack, library: FontLibrary, *items: Item) -> tuple[Item, ...]:
    found = page_scene(Document.open(package_of(fonts, *items)), 0, fonts=library)
    assert not found.warnings
    return found.items


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """One item with all that lies on it from the groups around."""

    item: PathItem | TextItem | ImageItem
    clips: tuple[Clip, ...]
    alpha: float
    blends: tuple[BlendMode, ...]


def leaves(
    items: tuple[Item, ...], around: tuple[Clip, ...] = (), alpha: float = 1, *blends: BlendMode
) -> Iterator[Leaf]:
    for item in items:
        if isinstance(item, Group):
            own = () if item.blend is BlendMode.NORMAL else (item.blend,)
            yield from leaves(item.items, (*around, *item.clips), alpha * item.alpha, *blends, *own)
            continue
        box = item_box(item)
        cutting = tuple(clip for clip in around if box is not None and not holds(clip, box))
        yield Leaf(item=item, clips=cutting, alpha=alpha, blends=blends)


def holds(clip: Clip, box: Box) -> bool:
    """Whether a clip is an upright rectangle around all of a box."""
    corners = {(round(x, 2), round(y, 2)) for x, y in clip_points(clip)}
    if len(clip.areas) != 1 or len(corners) != 4:
        return False
    outer = Box.around(list(corners))
    slack = 0.05
    return (
        set(corners) == {(round(x, 2), round(y, 2)) for x, y in outer.corners()}
        and outer.x <= box.x + slack
        and outer.y <= box.y + slack
        and outer.right >= box.right - slack
        and outer.bottom >= box.bottom - slack
    )


def clip_points(clip: Clip) -> list[tuple[float, float]]:
    return [
        (values[at], values[at + 1])
        for area in clip.areas
        for _, values in transformed(area.path, area.matrix)
        for at in range(0, len(values), 2)
    ]


def same_numbers(one: object, other: object, near: float = NEAR_MM) -> bool:
    """Equal up to what is rounded, whatever it is made of."""
    if isinstance(one, float | int) and isinstance(other, float | int):
        return abs(one - other) <= near
    if isinstance(one, tuple) and isinstance(other, tuple):
        return len(one) == len(other) and all(same_numbers(a, b, near) for a, b in zip(one, other, strict=True))
    if hasattr(one, "__dataclass_fields__") and type(one) is type(other):
        return all(same_numbers(getattr(one, name), getattr(other, name), near) for name in one.__dataclass_fields__)
    return one == other


def same_path(one: PathItem, other: PathItem) -> bool:
    placed = [transformed(item.path, item.matrix) for item in (one, other)]
    if not same_numbers(*placed) or one.even_odd != other.even_odd:
        return False
    if (one.fill is None) != (other.fill is None) or (one.stroke is None) != (other.stroke is None):
        return False
    return same_paint(one.fill, other.fill, one, other) and same_stroke(one, other)


def same_paint(one: Paint | None, other: Paint | None, of: PathItem, and_of: PathItem) -> bool:
    if one is None or other is None or isinstance(one, SolidPaint | PatternPaint):
        return comparable_paint(one) == comparable_paint(other)
    return same_numbers(of.matrix, and_of.matrix) and same_numbers(one, other)


def comparable_paint(paint: Paint | None) -> object:
    if isinstance(paint, SolidPaint):
        return [round(part * 255) for part in paint.color]
    if isinstance(paint, PatternPaint):
        return len(paint.cell), round(paint.width, 3), round(paint.x_step, 3), paint.reflect, paint.relative_to_page
    return paint


def same_stroke(one: PathItem, other: PathItem) -> bool:
    if one.stroke is None or other.stroke is None:
        return one.stroke is other.stroke
    pens = [
        (
            item.stroke.width * item.matrix.scale,
            tuple(length * item.matrix.scale for length in item.stroke.dash * (1 + len(item.stroke.dash) % 2)),
            item.stroke.dash_offset * item.matrix.scale if item.stroke.dash else 0.0,
            item.stroke.cap,
            item.stroke.join,
        )
        for item in (one, other)
        if item.stroke is not None
    ]
    return same_numbers(*pens) and comparable_paint(one.stroke.paint) == comparable_paint(other.stroke.paint)


def glyphs_of(found: list[Leaf]) -> list[tuple[str, Point, object]]:
    """Every glyph that shows: its characters, its place on the page, its outline there."""
    result = []
    for leaf in found:
        item = leaf.item
        assert isinstance(item, TextItem)
        for glyph in item.glyphs:
            face = glyph.face or item.face
            size = Matrix.scaling(item.size * item.horizontal_scale, -item.size)
            turn = Matrix(*item.matrix[:4])
            outline = transformed(face.outline(glyph.index), size.then(turn))
            text = glyph.text.replace("\N{ZERO WIDTH SPACE}", "")
            result.append((text, item.matrix.apply(glyph.x, glyph.y), outline))
    return result


def assert_same(before: tuple[Item, ...], after: tuple[Item, ...]) -> None:
    one, other = list(leaves(before)), list(leaves(after))
    texts = [[leaf for leaf in found if isinstance(leaf.item, TextItem)] for found in (one, other)]
    glyphs = [glyphs_of(found) for found in texts]
    assert [text for text, _, _ in glyphs[0]] == [text for text, _, _ in glyphs[1]]
    for (_, place, outline), (_, place_again, outline_again) in zip(*glyphs, strict=True):
        assert same_numbers(place, place_again, 0.01)
        assert same_numbers(outline, outline_again, 0.01)
    others = [[leaf for leaf in found if not isinstance(leaf.item, TextItem)] for found in (one, other)]
    assert len(others[0]) == len(others[1])
    for leaf, again in zip(*others, strict=True):
        assert type(leaf.item) is type(again.item)
        if isinstance(leaf.item, PathItem) and isinstance(again.item, PathItem):
            assert same_path(leaf.item, again.item)
        if isinstance(leaf.item, ImageItem) and isinstance(again.item, ImageItem):
            assert same_numbers(leaf.item.matrix, again.item.matrix)
            assert leaf.item.image.data == again.item.image.data
            assert (leaf.item.mask is None) == (again.item.mask is None)
        assert abs(leaf.alpha - again.alpha) < 0.01
        assert leaf.blends == again.blends
        assert len(leaf.clips) <= len(again.clips) + 1
        for clip in again.clips:
            assert any(same_clip(clip, known) for known in leaf.clips) or len(clip_points(clip)) in {4, 5}


def same_clip(one: Clip, other: Clip) -> bool:
    return same_numbers(tuple(clip_points(one)), tuple(clip_points(other)))


def path_of(**given: object) -> PathItem:
    return PathItem(**({"path": SQUARE, "matrix": IDENTITY, "origin": ORIGIN} | given))  # type: ignore[arg-type]


def text_of(face: FontFace, content: str, *, size: float = 5, matrix: Matrix = IDENTITY, **given: object) -> TextItem:
    x = 0.0
    glyphs = []
    for char in content:
        glyphs.append(Glyph(index=face.glyph(char), x=x, y=0, text=char))
        x += face.advance(char) * size
    shown = {"face": face, "size": size, "glyphs": tuple(glyphs), "matrix": matrix, "fill": BLACK, "origin": ORIGIN}
    return TextItem(**(shown | given))  # type: ignore[arg-type]


lengths = st.floats(-80, 80, allow_nan=False).map(lambda value: round(value, 3))
colors = st.builds(Color.of, *[st.integers(0, 255).map(lambda value: value / 255)] * 4)
points = st.builds(Point, lengths, lengths)
matrices = st.builds(
    lambda angle_cos, angle_sin, stretch, x, y: Matrix(
        angle_cos * stretch, angle_sin * stretch, -angle_sin, angle_cos, 105 + x, 148 + y
    ),
    st.sampled_from([1.0, 0.5, -2.0]),
    st.sampled_from([0.0, 0.25, 3.0]),
    st.sampled_from([1.0, 1.0, 0.3528, 12.0]),
    lengths,
    lengths,
)
segments = st.one_of(
    st.tuples(st.just("L"), st.tuples(lengths, lengths)),
    st.tuples(st.just("Q"), st.tuples(*[lengths] * 4)),
    st.tuples(st.just("C"), st.tuples(*[lengths] * 6)),
    st.just(("Z", ())),
)
paths = st.builds(
    lambda start, others: (
        ("M", tuple(start)),
        *(part for at in others for part in ([at] if at[1] else [at, ("M", tuple(start))])),
        ("L", (1.0, 2.0)),
    ),
    points,
    st.lists(segments, min_size=1, max_size=6),
)
stops = st.lists(colors, min_size=2, max_size=4).map(
    lambda found: tuple(Stop(position=index / (len(found) - 1), color=color) for index, color in enumerate(found))
)
solids = st.builds(SolidPaint, color=colors)
paints: st.SearchStrategy[Paint] = st.one_of(
    solids,
    st.builds(
        AxialPaint,
        start=points,
        end=points.map(lambda point: Point(point.x + 200, point.y)),
        stops=stops,
        map_type=st.sampled_from(MapType),
        map_unit=st.none() | st.floats(1, 9).map(lambda value: round(value, 2)),
        extend=st.sampled_from(Extend),
    ),
    st.builds(
        RadialPaint,
        start=points,
        end=points,
        start_radius=st.integers(0, 9).map(float),
        end_radius=st.integers(1, 90).map(float),
        eccentricity=st.sampled_from([0.0, 0.5]),
        angle=st.sampled_from([0.0, 30.0]),
        stops=stops,
        extend=st.sampled_from(Extend),
    ),
    st.builds(
        MeshPaint,
        triangles=st.lists(
            st.builds(Triangle, points=st.tuples(*[points] * 3), colors=st.tuples(*[colors] * 3)),
            min_size=1,
            max_size=3,
        ).map(tuple),
        background=st.none() | colors,
    ),
    st.builds(
        PatternPaint,
        cell=st.just((path_of(fill=RED),)),
        width=st.just(12.0),
        height=st.just(11.0),
        x_step=st.just(13.0),
        y_step=st.just(14.0),
        reflect=st.sampled_from(Reflect),
        relative_to_page=st.booleans(),
    ),
)
strokes = st.builds(
    Stroke,
    paint=solids,
    width=st.sampled_from([0.1, 0.353, 2.5]),
    cap=st.sampled_from(Cap),
    join=st.sampled_from(Join),
    miter_limit=st.sampled_from([4.234, 10.0]),
    dash=st.sampled_from([(), (1.0, 2.0), (0.5, 0.25, 3.0)]),
    dash_offset=st.sampled_from([0.0, 0.75]),
)
figures = st.builds(
    PathItem,
    path=paths,
    matrix=matrices,
    fill=paints,
    stroke=st.none() | strokes,
    even_odd=st.booleans(),
    origin=st.just(ORIGIN),
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(item=figures)
def test_any_figure_is_read_as_it_was_drawn(fonts: FontStack, library: FontLibrary, item: PathItem) -> None:
    assert_same((item,), drawn(fonts, library, item))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    content=st.text(st.sampled_from("信印 Ab7，。𠮷\\0041"), min_size=1, max_size=12),
    matrix=matrices,
    look=st.tuples(st.sampled_from([3.0, 5.0, 0.75]), st.sampled_from([1.0, 0.8]), st.sampled_from([0, 90, 180, 270])),
)
def test_any_text_is_read_as_it_was_drawn(
    fonts: FontStack, library: FontLibrary, content: str, matrix: Matrix, look: tuple[float, float, int]
) -> None:
    size, scale, turn = look
    x = 0.0
    glyphs = []
    for index, char in enumerate(content):
        face = fonts.face_for(char)
        glyphs.append(Glyph(index=face.glyph(char), x=x, y=0.3 * index, text=char, face=face))
        x += face.advance(char) * size
    item = TextItem(
        face=fonts.faces[0],
        size=size,
        glyphs=tuple(glyphs),
        matrix=matrix,
        horizontal_scale=scale,
        char_direction=turn,
        fill=BLACK,
        origin=ORIGIN,
    )
    assert_same((item,), drawn(fonts, library, item))


def test_glyphs_that_the_characters_do_not_give_are_named(fonts: FontStack, library: FontLibrary) -> None:
    face = fonts.faces[0]
    glyphs = (
        Glyph(index=face.glyph("印"), x=0, y=0, text="信"),
        Glyph(index=face.glyph("a"), x=5, y=0, text="fi"),
        Glyph(index=face.glyph("b"), x=8, y=0, text="é"),
        Glyph(index=face.glyph("c"), x=8, y=1, text=""),
        Glyph(index=face.glyph("A"), x=12, y=0, text="A"),
    )
    item = text_of(face, "").__class__(
        face=face, size=5, glyphs=glyphs, matrix=Matrix.translation(20, 20), fill=BLACK, origin=ORIGIN
    )
    assert_same((item,), drawn(fonts, library, item))


def test_text_without_fill_and_stroke_stays_to_be_found(fonts: FontStack, library: FontLibrary) -> None:
    item = text_of(fonts.faces[0], "隐形", matrix=Matrix.translation(20, 20), fill=None)
    found = drawn(fonts, library, item)
    assert isinstance(found[0], TextItem)
    assert found[0].fill is None
    assert found[0].stroke is None
    assert "".join(glyph.text for glyph in found[0].glyphs) == "隐形"


def test_characters_xml_cannot_hold_are_replaced(fonts: FontStack, library: FontLibrary) -> None:
    face = fonts.faces[0]
    glyphs = tuple(
        Glyph(index=face.glyph("a"), x=4.0 * at, y=0, text=char) for at, char in enumerate("\x00\ud800\n\ufffe")
    )
    item = TextItem(face=face, size=4, glyphs=glyphs, matrix=Matrix.translation(9, 9), fill=BLACK, origin=ORIGIN)
    found = drawn(fonts, library, item)
    assert isinstance(found[0], TextItem)
    assert "".join(glyph.text for glyph in found[0].glyphs) == "\ufffd\ufffd \ufffd"
    assert all(glyph.index for glyph in found[0].glyphs)


def test_pictures_keep_their_place_and_mask(fonts: FontStack, library: FontLibrary) -> None:
    picture, mask = Image(name="p", data=sample_png()), Image(name="m", data=sample_png(9))
    items = (
        ImageItem(image=picture, mask=mask, matrix=Matrix(30, 0, 0, 20, 10, 10), origin=ORIGIN),
        ImageItem(image=picture, matrix=Matrix(0, 30, -20, 0, 90, 90), origin=ORIGIN),
        ImageItem(image=picture, matrix=Matrix(30, 5, 8, -20, 90, 190), origin=ORIGIN),
    )
    assert_same(items, drawn(fonts, library, *items))
    assert sum(name.endswith(".png") for name in unpack(package_of(fonts, *items))) == 2


def test_clips_that_cut_are_kept_and_others_are_not_written(fonts: FontStack, library: FontLibrary) -> None:
    inner = (
        path_of(fill=RED, matrix=Matrix.translation(5, 5)),
        text_of(fonts.faces[0], "信印", matrix=Matrix(0.9, 0.3, -0.3, 0.9, 4, 9)),
        ImageItem(image=Image(name="a", data=sample_png()), matrix=Matrix(20, 0, 0, 20, 1, 1), origin=ORIGIN),
    )
    cut = Group(
        items=inner, clips=(Clip(areas=(ClipArea(path=TRIANGLE, matrix=Matrix.translation(1, 2)),)),), origin=ORIGIN
    )
    assert_same((cut,), drawn(fonts, library, cut))
    found = list(leaves(drawn(fonts, library, cut)))
    assert all(sum(len(clip_points(clip)) == 3 for clip in leaf.clips) == 1 for leaf in found)
    whole = Group(
        items=inner, clips=(Clip(areas=(ClipArea(path=Box(0, 0, 99, 99).path(), matrix=IDENTITY),)),), origin=ORIGIN
    )
    assert b"Clips" not in unpack(package_of(fonts, whole))["Doc_0/Pages/Page_0/Content.xml"]


def test_what_is_clipped_away_is_not_written(fonts: FontStack) -> None:
    clip = Clip(areas=(ClipArea(path=Box(100, 100, 5, 5).path(), matrix=IDENTITY),))
    group = Group(items=(path_of(fill=RED),), clips=(clip,), origin=ORIGIN)
    assert b"PathObject" not in unpack(package_of(fonts, group))["Doc_0/Pages/Page_0/Content.xml"]


def test_text_clips_and_areas_that_unite(fonts: FontStack, library: FontLibrary) -> None:
    letters = text_of(fonts.faces[0], "印", size=40, matrix=Matrix.translation(10, 50))
    areas = (ClipArea(text=letters, matrix=IDENTITY), ClipArea(path=TRIANGLE, matrix=IDENTITY, even_odd=True))
    group = Group(items=(path_of(path=Box(0, 0, 90, 90).path(), fill=RED),), clips=(Clip(areas=areas),), origin=ORIGIN)
    (leaf,) = leaves(drawn(fonts, library, group))
    kept = next(clip.areas for clip in leaf.clips if len(clip.areas) == 2)
    assert kept[0].text is not None
    again = item_box(kept[0].text)
    assert again is not None
    assert same_numbers(again, item_box(letters), 0.05)
    assert kept[1].even_odd


@pytest.mark.parametrize("blend", [BlendMode.NORMAL, BlendMode.MULTIPLY, BlendMode.COLOR_DODGE])
def test_groups_are_see_through_and_blended_as_a_whole(
    fonts: FontStack, library: FontLibrary, blend: BlendMode
) -> None:
    inner = (path_of(fill=RED, matrix=Matrix.translation(5, 5)), path_of(fill=BLACK, matrix=Matrix.translation(9, 9)))
    clip = Clip(areas=(ClipArea(path=TRIANGLE, matrix=IDENTITY),))
    group = Group(items=inner, alpha=0.5, blend=blend, clips=(clip,), origin=ORIGIN)
    found = drawn(fonts, library, group)
    assert_same((group,), found)
    parts = unpack(package_of(fonts, group))
    assert b"CompositeGraphicUnit" in parts["Doc_0/DocumentRes.xml"]


def test_a_large_clipped_group_repeats_no_clip(fonts: FontStack, library: FontLibrary) -> None:
    star = tuple(("L" if at else "M", (at * 1.0, (at % 2) * 40.0)) for at in range(60))
    inner = tuple(path_of(fill=RED, matrix=Matrix.translation(at, at)) for at in range(40))
    group = Group(items=inner, clips=(Clip(areas=(ClipArea(path=star, matrix=IDENTITY),)),), origin=ORIGIN)
    content = unpack(package_of(fonts, group))["Doc_0/Pages/Page_0/Content.xml"]
    assert content.count(b"<ofd:Clips>") == 1
    assert_same((group,), drawn(fonts, library, group))


def test_composites_of_many_pages_are_spread_over_resource_files(
    fonts: FontStack, library: FontLibrary, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resources, "_MOST_OCTETS", 1000)
    groups = [
        Group(
            items=(path_of(fill=RED), path_of(fill=BLACK, matrix=Matrix.translation(at, at))), alpha=0.5, origin=ORIGIN
        )
        for at in range(5)
    ]
    assert_same(tuple(groups), drawn(fonts, library, *groups))
    assert sum("DocumentRes" in name for name in unpack(package_of(fonts, *groups))) > 2


def test_groups_nested_without_end_are_refused(fonts: FontStack) -> None:
    item: Item = path_of(fill=RED)
    for _ in range(200):
        item = Group(items=(item,), origin=ORIGIN)
    with pytest.raises(RejectedError, match="nested"):
        package_of(fonts, item)


def test_items_without_extent_or_ink_are_left_out(fonts: FontStack) -> None:
    items = (
        path_of(),
        path_of(path=(), fill=RED),
        path_of(fill=RED, matrix=Matrix(0, 0, 0, 0, 1, 1)),
        text_of(fonts.faces[0], "a", matrix=Matrix(1, 1, 1, 1, 0, 0)),
        TextItem(face=fonts.faces[0], size=4, glyphs=(), matrix=IDENTITY, fill=BLACK, origin=ORIGIN),
        ImageItem(image=Image(name="a", data=sample_png()), matrix=Matrix(0, 0, 0, 9, 1, 1), origin=ORIGIN),
    )
    layer = etree.fromstring(unpack(package_of(fonts, *items))["Doc_0/Pages/Page_0/Content.xml"])
    assert not layer.xpath("//*[@Boundary]")


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf"), 1e300])
def test_items_without_a_place_are_left_out(fonts: FontStack, bad: float) -> None:
    stops = (Stop(position=0, color=Color.of(0, 0, 0)), Stop(position=1, color=Color.of(1, 1, 1)))
    axial = AxialPaint(start=Point(0, 0), end=Point(bad, 1), stops=stops)
    mesh = MeshPaint(
        triangles=(Triangle(points=(Point(0, 0), Point(bad, 0), Point(1, 1)), colors=(Color.of(0, 0, 0),) * 3),)
    )
    good = text_of(fonts.faces[0], "a")
    glyph = Glyph(index=1, x=bad, y=0, text="a")
    items = (
        path_of(fill=RED, path=(("M", (0.0, 0.0)), ("L", (bad, 1.0)))),
        path_of(fill=RED, matrix=Matrix(1, 0, 0, 1, bad, 0)),
        path_of(fill=axial),
        path_of(fill=mesh),
        path_of(stroke=Stroke(paint=BLACK, width=bad)),
        path_of(stroke=Stroke(paint=BLACK, dash=(1.0, bad))),
        TextItem(face=good.face, size=bad, glyphs=good.glyphs, matrix=IDENTITY, fill=BLACK, origin=ORIGIN),
        TextItem(face=good.face, size=1, glyphs=(glyph,), matrix=IDENTITY, fill=BLACK, origin=ORIGIN),
        ImageItem(image=Image(name="a", data=sample_png()), matrix=Matrix(bad, 0, 0, 1, 0, 0), origin=ORIGIN),
    )
    clip = Clip(areas=(ClipArea(path=(("M", (bad, 0.0)), ("L", (1.0, 1.0))), matrix=IDENTITY),))
    groups = (
        Group(items=items, alpha=0.5, origin=ORIGIN),
        Group(items=(path_of(fill=RED),), clips=(clip,), origin=ORIGIN),
    )
    parts = unpack(package_of(fonts, *items, *groups))
    assert b"Boundary" not in parts["Doc_0/Pages/Page_0/Content.xml"]


def test_every_kind_of_item_is_drawn() -> None:
    assert set(scene.Item.__args__) == {PathItem, TextItem, ImageItem, Group}
