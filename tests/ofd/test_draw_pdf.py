import io
from pathlib import Path

import pikepdf
import pypdfium2
import pytest
from PIL import Image as Pillow
from PIL import ImageStat

from ofd.draw.pdf import Attachment, Destination, DocumentInfo, Link, OutlineEntry, PdfWriter
from ofd.draw.pdf_content import path_operators
from ofd.draw.pdf_file import Name, number, serialise
from ofd.draw.pdfium import PDFIUM
from ofd.draw.png import to_picture, to_png
from ofd.draw.scene import (
    AxialPaint,
    ClipArea,
    Color,
    Extend,
    Glyph,
    Group,
    Image,
    ImageItem,
    Item,
    RadialPaint,
    Scene,
    Stop,
    TextItem,
)
from ofd.geometry import IDENTITY, Box, Matrix, Point
from trustcore.errors import RejectedError

from support.scenes import (
    BLACK,
    FADING,
    ORIGIN,
    clipped,
    difference,
    everything,
    face,
    gray_mask,
    jbig2_picture,
    picture,
    rectangle,
    scene,
    solid,
    text,
)

pytestmark = pytest.mark.filterwarnings("ignore:pikepdf is missing some specialized decoders")
REFERENCE = Path(__file__).parent / "reference"
TOLERANCE = 1.5
"""Of 255, on average: edges move by a fraction of a pixel between versions of PDFium, and fonts between versions."""


def written(*scenes: Scene) -> bytes:
    writer = PdfWriter()
    for one in scenes:
        writer.add_page(one)
    return writer.finish()


def opened(data: bytes) -> pikepdf.Pdf:
    document = pikepdf.open(io.BytesIO(data))
    assert not document.check_pdf_syntax()
    return document


def text_of(data: bytes, page: int = 0) -> str:
    with PDFIUM:
        document = pypdfium2.PdfDocument(data)
        try:
            return str(document[page].get_textpage().get_text_bounded()).replace("\r\n", "\n")
        finally:
            document.close()


def pixel(shown: Scene, x: float, y: float) -> tuple[int, ...]:
    """The colour at a place in millimetres."""
    dots = 4 / 25.4
    color = to_picture(shown, dpi=100).getpixel((round(x * dots * 25), round(y * dots * 25)))
    assert isinstance(color, tuple)
    return color


def near(color: tuple[int, ...], *expected: int, by: int = 12) -> bool:
    return all(abs(a - b) <= by for a, b in zip(color, expected, strict=False))


def test_a_page_of_everything_looks_as_it_was_reviewed() -> None:
    with Pillow.open(REFERENCE / "everything.png") as reviewed:
        assert difference(to_picture(everything(), dpi=60), reviewed) < TOLERANCE


def test_the_file_is_clean_and_the_same_each_time() -> None:
    data = written(everything())
    opened(data)
    assert data == written(everything())


def test_text_comes_out_as_it_stands() -> None:
    assert text_of(written(scene(text("名称 𠮷田 ABC", 10, 20, 5)))) == "名称 𠮷田 ABC"


def ink(dpi: float, *, bold: bool) -> float:
    """How dark a line of text is on average."""
    line = scene(text("粗体字 Bold 印章", 5, 50, 6, bold=bold))
    return 255 - ImageStat.Stat(to_picture(line, dpi=dpi).convert("L")).mean[0]


@pytest.mark.parametrize("dpi", [60, 100, 300])
def test_text_made_bold_is_a_quarter_darker_at_any_resolution(dpi: float) -> None:
    assert 1.15 < ink(dpi, bold=True) / ink(dpi, bold=False) < 1.4


def test_a_glyph_that_stands_for_two_characters_is_copied_as_each() -> None:
    glyph = face().glyph("中")
    glyphs = tuple(Glyph(index=glyph, x=10 + 5 * n, y=20, text=char) for n, char in enumerate("中⺤中"))
    item = TextItem(face=face(), size=5, glyphs=glyphs, matrix=IDENTITY, fill=BLACK, origin=ORIGIN)
    assert text_of(written(scene(item))) == "中⺤中"


def test_characters_that_no_font_has_can_be_copied() -> None:
    glyphs = tuple(Glyph(index=0, x=10 + 6 * n, y=20, text=chr(0xE000 + n)) for n in range(300))
    item = TextItem(face=face(), size=5, glyphs=glyphs, matrix=IDENTITY, fill=BLACK, origin=ORIGIN)
    data = written(scene(item, size=(2000, 50)))
    opened(data)
    assert set(map(chr, range(0xE000, 0xE000 + 300))) <= set(text_of(data))


def test_a_glyph_that_stands_for_several_characters_is_copied_whole() -> None:
    glyphs = (
        Glyph(index=face().glyph("f"), x=10, y=20, text="fi"),
        Glyph(index=face().glyph("x"), x=20, y=20, text=""),
    )
    item = TextItem(face=face(), size=5, glyphs=glyphs, matrix=IDENTITY, fill=BLACK, origin=ORIGIN)
    assert text_of(written(scene(item))) == "fi"


def test_text_without_paint_is_invisible_and_found() -> None:
    shown = scene(text("看不见", 10, 20, 8, fill=None))
    assert to_picture(shown).convert("L").getextrema() == (255, 255)
    assert text_of(written(shown)) == "看不见"


def test_a_font_is_embedded_once_as_a_subset() -> None:
    data = written(scene(text("第一页", 10, 20, 5)), scene(text("第二页", 10, 20, 5)))
    document = opened(data)
    fonts = [item for item in document.objects if isinstance(item, pikepdf.Dictionary) and "/FontFile2" in item]
    assert len(fonts) == 1
    assert str(fonts[0].FontName).endswith("+LXGWWenKai-Regular")
    assert len(fonts[0].FontFile2.read_raw_bytes()) < 20_000


def test_glyphs_stand_where_the_scene_puts_them() -> None:
    glyphs = tuple(Glyph(index=face().glyph("口"), x=x, y=50, text="口") for x in (5.0, 40.0, 41.0, 90.0))
    item = TextItem(face=face(), size=8, glyphs=glyphs, matrix=IDENTITY, fill=BLACK, origin=ORIGIN)
    apart = [
        TextItem(face=face(), size=8, glyphs=(glyph,), matrix=IDENTITY, fill=BLACK, origin=ORIGIN) for glyph in glyphs
    ]
    assert difference(to_picture(scene(item)), to_picture(scene(*apart))) < 0.05


@pytest.mark.parametrize(
    ("item", "place", "color"),
    [
        (rectangle((10, 10, 80, 80), solid(1, 0, 0, 0.5)), (50, 50), (255, 128, 128)),
        (
            rectangle(
                (10, 10, 80, 80),
                AxialPaint(start=Point(10, 0), end=Point(90, 0), stops=FADING),
            ),
            (50, 50),
            (191, 128, 191),
        ),
        (
            rectangle(
                (0, 0, 100, 100),
                AxialPaint(
                    start=Point(40, 0),
                    end=Point(60, 0),
                    stops=(
                        Stop(position=0, color=Color.of(1, 0, 0)),
                        Stop(position=1, color=Color.of(0, 0, 1)),
                    ),
                    extend=Extend.END,
                ),
            ),
            (80, 50),
            (0, 0, 255),
        ),
        (
            rectangle(
                (0, 0, 100, 100),
                RadialPaint(start=Point(50, 50), end=Point(50, 50), start_radius=0, end_radius=20, stops=FADING),
            ),
            (90, 50),
            (255, 255, 255),
        ),
        (Group(items=(rectangle((0, 0, 99, 99), BLACK),), alpha=0.25, origin=ORIGIN), (50, 50), (191, 191, 191)),
        (clipped(ClipArea(matrix=IDENTITY), rectangle((0, 0, 99, 99), BLACK)), (50, 50), (255, 255, 255)),
    ],
    ids=["opacity", "opacity of stops", "extended", "not extended", "group", "empty clip"],
)
def test_paints_give_their_colours(item: Item, place: tuple[float, float], color: tuple[int, ...]) -> None:
    assert near(pixel(scene(item), *place), *color)


def test_a_pattern_inside_a_group_lies_where_it_lies_outside() -> None:
    items = everything().items
    boxed = Group(items=items, alpha=0.999, origin=ORIGIN)
    area = everything().area
    assert (
        difference(
            to_picture(Scene(area=area, items=items), dpi=60), to_picture(Scene(area=area, items=(boxed,)), dpi=60)
        )
        < 1
    )


def test_the_page_may_begin_anywhere() -> None:
    moved = Scene(area=Box(50, 60, 20, 10), items=(rectangle((50, 60, 10, 5), BLACK),))
    shown = to_picture(moved, dpi=254)
    assert shown.size == (200, 100)
    assert shown.getpixel((50, 25)) == (0, 0, 0)
    assert shown.getpixel((150, 75)) == (255, 255, 255)


def test_a_region_is_drawn_alone() -> None:
    shown = scene(rectangle((0, 0, 50, 50), solid(1, 0, 0)), rectangle((50, 50, 50, 50), solid(0, 0, 1)))
    with Pillow.open(io.BytesIO(to_png(shown, dpi=25.4, region=Box(60, 60, 20, 10)))) as part:
        assert part.size == (20, 10)
        assert part.convert("RGB").getcolors() == [(200, (0, 0, 255))]


def test_the_background_may_be_nothing() -> None:
    shown = to_picture(scene(rectangle((0, 0, 50, 100), solid(1, 0, 0))), dpi=25.4, background=None)
    assert shown.getpixel((25, 50)) == (255, 0, 0, 255)
    assert shown.getpixel((75, 50))[3] == 0  # type: ignore[index] # a colour with opacity


def test_a_picture_of_a_page_has_a_limit() -> None:
    with pytest.raises(RejectedError) as caught:
        to_png(scene(), dpi=20_000)
    assert caught.value.code == "ofd.draw.too-large"


@pytest.mark.parametrize(
    ("data", "codec"),
    [
        (picture("PNG"), "/FlateDecode"),
        (picture("PNG", "P"), "/FlateDecode"),
        (picture("JPEG"), "/DCTDecode"),
        (jbig2_picture(), "/JBIG2Decode"),
    ],
)
def test_pictures_that_pdf_knows_are_handed_on_as_they_are(data: bytes, codec: str) -> None:
    shown = ImageItem(image=Image(name="one", data=data), matrix=Matrix(90, 0, 0, 90, 5, 5), origin=ORIGIN)
    document = opened(written(scene(shown, shown)))
    images = list(document.pages[0].get_images().values())
    assert [str(image.Filter) for image in images] == [codec]
    assert images[0].read_raw_bytes()[64:128] in data


def test_jbig2_is_black_on_white() -> None:
    shown = scene(
        ImageItem(image=Image(name="one", data=jbig2_picture()), matrix=Matrix(100, 0, 0, 100, 0, 0), origin=ORIGIN)
    )
    assert pixel(shown, 25, 50) == (0, 0, 0)
    assert pixel(shown, 75, 50) == (255, 255, 255)


def test_a_mask_lets_the_page_through_where_it_is_dark() -> None:
    item = ImageItem(
        image=Image(name="one", data=picture("BMP", "RGB", (40, 40))),
        mask=Image(name="mask", data=gray_mask()),
        matrix=Matrix(100, 0, 0, 100, 0, 0),
        origin=ORIGIN,
    )
    above, below = (pixel(scene(rectangle((0, 0, 100, 100), solid(0, 0, 1)), item), 90, y) for y in (3, 97))
    assert near(above, 0, 0, 255, by=20)
    assert near(below, 255, 255, 255, by=20)


def test_a_picture_that_cannot_be_read_is_left_out_with_a_warning() -> None:
    writer = PdfWriter()
    broken = Image(name="broken", data=picture("PNG")[:40])
    items = (
        ImageItem(image=broken, matrix=Matrix(50, 0, 0, 50, 0, 0), origin=ORIGIN),
        rectangle((0, 0, 9, 9), BLACK),
    )
    writer.add_page(scene(*items, *items))
    opened(writer.finish())
    assert writer.warnings == ["The picture cannot be read."]


def test_groups_nested_without_end_are_cut_off() -> None:
    item: Item = rectangle((0, 0, 9, 9), BLACK)
    for _ in range(300):
        item = Group(items=(item,), alpha=0.5, origin=ORIGIN)
    writer = PdfWriter()
    writer.add_page(scene(item))
    opened(writer.finish())
    assert writer.warnings


def test_flat_and_odd_matrices_draw_nothing_and_break_nothing() -> None:
    flat = Matrix(0, 0, 0, 0, 5, 5)
    odd = Matrix(float("nan"), 0, 0, 1e300, 0, 0)
    items = [rectangle((0, 0, 9, 9), BLACK, matrix=matrix) for matrix in (flat, odd)]
    items_of_text = [text("字", 5, 5, 5, matrix=matrix) for matrix in (flat, odd)]
    opened(written(scene(*items, *items_of_text)))


def test_links_outlines_bookmarks_attachments_and_metadata_are_there() -> None:
    writer = PdfWriter(info=DocumentInfo(title="营业执照", author="某局", keywords=("a", "b")))
    there = Destination(page=1, left=10, top=20, zoom=2)
    writer.add_page(
        scene(),
        links=[Link(box=Box(10, 10, 30, 5), target=there), Link(box=Box(1, 1, 2, 2), target="https://example.org/")],
    )
    writer.add_page(scene())
    writer.attach(Attachment(name="清单.xml", data=b"<a/>", media_type="application/xml"))
    chapters = (
        OutlineEntry(title="第一节", target=there),
        OutlineEntry(title="第二节", target=Destination(page=0, fit="Fit")),
    )
    data = writer.finish(
        outline=[OutlineEntry(title="目录", children=chapters, expanded=False)],
        bookmarks={"甲": there},
        page_labels=["i", "1"],
        page_mode="UseOutlines",
        hidden=["HideToolbar"],
    )
    document = opened(data)
    assert str(document.docinfo.Title) == "营业执照"
    first, second = document.pages[0].Annots
    assert [round(float(value), 1) for value in first.Rect] == [28.3, 240.9, 113.4, 255.1]
    assert first.Dest[0].objgen == document.pages[1].obj.objgen
    assert str(second.A.URI) == "https://example.org/"
    with document.open_outline() as outline:
        assert [item.title for item in outline.root[0].children] == ["第一节", "第二节"]
    assert document.attachments["清单.xml"].get_file().read_bytes() == b"<a/>"
    assert str(document.Root.Names.Dests.Names[0]) == "甲"
    assert str(document.Root.PageLabels.Nums[1].P) == "i"
    assert document.Root.PageMode == "/UseOutlines"


def test_links_that_lead_nowhere_do_no_harm() -> None:
    writer = PdfWriter()
    writer.add_page(scene(), links=[Link(box=Box(0, 0, 1, 1), target=Destination(page=7))])
    opened(writer.finish(outline=[OutlineEntry(title="x", target=Destination(page=-1))]))


def test_a_file_grows_as_pages_are_added(tmp_path: Path) -> None:
    with (tmp_path / "out.pdf").open("wb") as out:
        writer = PdfWriter(out)
        sizes = []
        for number_ in range(3):
            writer.add_page(scene(text(f"第{number_}页", 10, 20, 5)))
            out.flush()
            sizes.append(out.tell())
        assert writer.finish() == b""
    assert sizes == sorted(set(sizes))
    assert len(opened((tmp_path / "out.pdf").read_bytes()).pages) == 3


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.0, "0"),
        (-0.000001, "0"),
        (1e-7, "0"),
        (12.5, "12.5"),
        (float("inf"), "0"),
        (float("nan"), "0"),
        (-1e300, "-10000000"),
    ],
)
def test_numbers_are_written_plainly(value: float, expected: str) -> None:
    assert number(value) == expected


def test_names_and_strings_cannot_break_out() -> None:
    assert serialise(Name("a b/#(营")) == b"/a#20b#2F#23#28#E8#90#A5"
    assert serialise(b"a)b") == b"<612962>"


def test_paths_without_a_start_begin_at_the_origin() -> None:
    assert path_operators((("L", (1, 2)), ("Z", ()), ("Z", ()))) == "0 0 m 1 2 l h h"
    assert path_operators((("Z", ()),)) == ""
