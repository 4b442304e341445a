"""Flowing text: where lines end, what stays together on a page, and how tables break."""

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ofd.build.document import DocumentBuilder
from ofd.build.layout import LaidOut, PageSetup, lay_out, page_numbers
from ofd.build.layout_blocks import (
    Align,
    Block,
    Cell,
    ListBlock,
    Marker,
    PageBreak,
    Paragraph,
    Picture,
    Row,
    Rule,
    Spacer,
    Table,
    VerticalAlign,
    heading,
)
from ofd.build.layout_lines import NOT_FIRST, NOT_LAST, Line, Span, break_lines, characters
from ofd.draw.interpret import page_scene
from ofd.draw.scene import ImageItem, PathItem, Scene, TextItem
from ofd.fonts.faces import FontStack, find_fonts
from ofd.fonts.library import FontLibrary
from ofd.model.actions import UriAction
from ofd.model.document import Document
from ofd.package.zip_write import PackageWriter
from trustcore.errors import RejectedError

from support.ofd_samples import sample_png

BODY = "为了规范电子印章的管理，保障电子文件的真实、完整与可靠（以下简称“三性”），制定本办法。"
PAGE = PageSetup(size_mm=(100, 100), top_mm=10, right_mm=10, bottom_mm=10, left_mm=10)
"""80 mm wide and high inside its margins."""


@pytest.fixture(scope="module")
def fonts() -> FontStack:
    return find_fonts()


@pytest.fixture(scope="module")
def library() -> FontLibrary:
    return FontLibrary()


def lines_of(fonts: FontStack, text: str, *, width: float, size: float = 4, indent: float = 0) -> list[Line]:
    found = characters((Span(text=text),), size_mm=size, fonts=fonts)
    return break_lines(found, width=width, first_indent=indent)


def text_of(line: Line) -> str:
    return "".join(character.text for character in line.characters)


def laid(fonts: FontStack, blocks: Sequence[Block], setup: PageSetup = PAGE) -> tuple[Document, LaidOut]:
    builder = DocumentBuilder(doc_id="0" * 32, title="", created=datetime(2030, 1, 1, tzinfo=UTC), fonts=fonts)
    result = lay_out(builder, blocks, setup)
    return Document.open(builder.to_bytes()), result


def scenes(document: Document, library: FontLibrary) -> list[Scene]:
    found = [page_scene(document, index, fonts=library) for index in range(len(document.pages))]
    assert not any(scene.warnings for scene in found)
    return found


def texts(scene: Scene) -> str:
    return "".join(glyph.text for item in scene.items if isinstance(item, TextItem) for glyph in item.glyphs)


def glyph_places(scene: Scene) -> list[tuple[str, float, float]]:
    return [
        (glyph.text, *item.matrix.apply(glyph.x, glyph.y))
        for item in scene.items
        if isinstance(item, TextItem)
        for glyph in item.glyphs
    ]


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    text=st.text(st.sampled_from("信印管理办法，。、；（）《》“”…—！？ abcXYZ19-\n"), max_size=80),
    width=st.sampled_from([13.0, 24.0, 41.0]),
)
def test_lines_keep_the_text_the_width_and_the_rules_of_marks(fonts: FontStack, text: str, width: float) -> None:
    lines = lines_of(fonts, text, width=width)
    shown = "".join(text_of(line) for line in lines)
    assert "".join(shown.split()) == "".join(text.split())
    for line in lines:
        assert line.width <= width + 1e-6 or len(line.characters) == 1
    for line, after in pairwise(lines):
        last, first = text_of(line)[-1:], text_of(after)[:1]
        if line.last or not last or not first or _has_no_better_place(text_of(line)):
            continue
        assert first not in NOT_FIRST
        assert last not in NOT_LAST


def _has_no_better_place(line: str) -> bool:
    """Whether nowhere in the line a break was allowed."""
    return not any(
        (one > "\u2fff" or other > "\u2fff" or one == " ")
        and one not in NOT_LAST
        and other not in NOT_FIRST
        and not other.isspace()
        for one, other in pairwise(line)
    )


@pytest.mark.parametrize(
    ("text", "width", "expected"),
    [
        ("一二三四五，六", 20, ["一二三四", "五，六"]),
        ("一二三四（五六", 20, ["一二三四", "（五六"]),
        ("一二三——四五", 16, ["一二三", "——四五"]),
        ("hello world again", 22, ["hello world", "again"]),
        ("共 2,026 页", 12, ["共", "2,026", "页"]),
        ("well-known", 14, ["well-", "known"]),
        ("一二\n三", 40, ["一二", "三"]),
        ("\n", 40, ["", ""]),
        ("Pneumonoultramicroscopic", 20, None),
    ],
)
def test_lines_end_where_a_compositor_would_end_them(
    fonts: FontStack, text: str, width: float, expected: list[str] | None
) -> None:
    found = [text_of(line) for line in lines_of(fonts, text, width=width)]
    if expected is None:
        assert len(found) > 1
        assert "".join(found) == text
    else:
        assert found == expected


def test_lines_are_stretched_to_the_width_but_not_the_last(fonts: FontStack, library: FontLibrary) -> None:
    document, _ = laid(fonts, [Paragraph.of(BODY * 2, first_indent_em=2)])
    (scene,) = scenes(document, library)
    rows: dict[float, list[tuple[str, float]]] = {}
    for text, x, y in glyph_places(scene):
        rows.setdefault(round(y, 2), []).append((text, x))
    ends = [row[-1][1] + fonts.advance(row[-1][0]) * 4.2 for row in rows.values()]
    assert all(abs(end - 90) < 0.02 for end in ends[:-1])
    assert ends[-1] < 89
    starts = [row[0][1] for row in rows.values()]
    assert abs(starts[0] - 18.4) < 0.02
    assert all(abs(start - 10) < 0.02 for start in starts[1:])


@pytest.mark.parametrize(("align", "left"), [(Align.LEFT, 10), (Align.CENTER, 46), (Align.RIGHT, 82)])
def test_lines_are_aligned(fonts: FontStack, library: FontLibrary, align: Align, left: float) -> None:
    document, _ = laid(fonts, [Paragraph.of("信印", align=align, size_mm=4)])
    assert abs(glyph_places(scenes(document, library)[0])[0][1] - left) < 0.01


def test_all_text_is_on_the_pages_in_order_and_inside_the_margins(fonts: FontStack, library: FontLibrary) -> None:
    paragraphs = [Paragraph.of(f"{number}、{BODY}", first_indent_em=2) for number in range(25)]
    document, result = laid(fonts, paragraphs)
    found = scenes(document, library)
    assert len(found) == len(result.pages) > 3
    assert "".join(texts(scene) for scene in found) == "".join(paragraph.text for paragraph in paragraphs)
    for scene in found:
        for _, x, y in glyph_places(scene):
            assert 9.99 < x < 90
            assert 10 < y < 90


def test_no_line_of_a_paragraph_stands_alone(fonts: FontStack, library: FontLibrary) -> None:
    for filler in range(4, 14):
        blocks = [*[Paragraph.of("一", after_mm=0) for _ in range(filler)], Paragraph.of(BODY * 3, after_mm=0)]
        document, _ = laid(fonts, blocks)
        rows = [
            {round(y, 1) for text, _, y in glyph_places(scene) if text != "一"} for scene in scenes(document, library)
        ]
        assert all(len(row) != 1 for row in rows)


def test_a_heading_stays_with_what_follows(fonts: FontStack, library: FontLibrary) -> None:
    for filler in range(5, 14):
        blocks = [*[Paragraph.of("一", after_mm=0) for _ in range(filler)], heading("标题", 2), Paragraph.of("正文")]
        document, _ = laid(fonts, blocks)
        found = [texts(scene) for scene in scenes(document, library)]
        assert sum("标题正文" in text for text in found) == 1


def test_headings_become_the_outline(fonts: FontStack) -> None:
    document, _ = laid(
        fonts,
        [heading("一"), heading("一之一", 2), Paragraph.of("文"), PageBreak(), heading("一之二", 2), heading("二")],
    )
    first, second = document.outlines
    assert [item.title for item in first.children] == ["一之一", "一之二"]
    assert second.title == "二"
    place = first.children[1].destination
    assert place is not None
    assert document.page_index(place.page) == 1


def test_page_numbers_and_heads_know_the_number_of_pages(fonts: FontStack, library: FontLibrary) -> None:
    setup = PageSetup(
        size_mm=(100, 100),
        top_mm=20,
        bottom_mm=20,
        header=lambda page, _: (Paragraph.of("单" if page % 2 else "双", after_mm=0), Rule()),
        footer=page_numbers("{page}/{pages}"),
    )
    document, _ = laid(fonts, [Paragraph.of("文"), PageBreak(), Paragraph.of("字")], setup)
    assert [texts(scene) for scene in scenes(document, library)] == ["文单1/2", "字双2/2"]


def test_spans_have_their_own_looks(fonts: FontStack, library: FontLibrary) -> None:
    spans = (
        Span(text="红", color=(200, 0, 0)),
        Span(text="粗", bold=True),
        Span(text="大", size_mm=8),
        Span(text="链", underline=True, link=UriAction(uri="urn:x")),
    )
    document, _ = laid(fonts, [Paragraph(spans=spans)])
    (scene,) = scenes(document, library)
    items = [item for item in scene.items if isinstance(item, TextItem)]
    assert [item.bold for item in items] == [False, True, False, False]
    assert [item.size for item in items] == [4.2, 4.2, 8, 4.2]
    assert len({glyph[2] for glyph in glyph_places(scene)}) == 1
    assert any(isinstance(item, PathItem) for item in scene.items)
    (link,) = document.annotations(0)
    assert link.objects[0].actions[0].act == UriAction(uri="urn:x")  # type: ignore[union-attr] # a figure


def test_lists_are_marked_and_nested(fonts: FontStack, library: FontLibrary) -> None:
    inner = ListBlock(items=((Paragraph.of("甲"),), (Paragraph.of("乙"),)))
    outer = ListBlock(
        items=((Paragraph.of("第一"),), (Paragraph.of("第二"), inner), (Paragraph.of("第三"),)),
        marker=Marker.CHINESE,
        start=10,
        indent_mm=16,
    )
    document, _ = laid(fonts, [outer])
    (scene,) = scenes(document, library)
    assert texts(scene) == "十、第一十一、第二•甲•乙十二、第三"
    place = {text: x for text, x, _ in glyph_places(scene)}
    assert place["甲"] == place["乙"] == place["第"] + 8


@pytest.mark.parametrize(("number", "label"), [(1, "一、"), (20, "二十、"), (99, "九十九、"), (100, "100、")])
def test_chinese_numbers(fonts: FontStack, library: FontLibrary, number: int, label: str) -> None:
    block = ListBlock(items=((Paragraph.of("文"),),), marker=Marker.CHINESE, start=number, indent_mm=30)
    assert texts(scenes(laid(fonts, [block])[0], library)[0]) == f"{label}文"


def test_a_table_repeats_its_head_on_every_page(fonts: FontStack, library: FontLibrary) -> None:
    rows = [["序号", "名称"], *([str(number), f"名{number}"] for number in range(40))]
    document, _ = laid(fonts, [Paragraph.of("前"), Table.of(rows, columns=(1, 3))])
    found = scenes(document, library)
    assert len(found) > 2
    assert all("序号名称" in texts(scene) for scene in found)
    body = "".join(texts(scene).replace("序号名称", "") for scene in found)
    assert body == "前" + "".join(f"{number}名{number}" for number in range(40))


def test_cells_span_columns_and_rows(fonts: FontStack, library: FontLibrary) -> None:
    tall = Cell(blocks=(Paragraph.of("高"),), rows=2, vertical=VerticalAlign.BOTTOM, fill=(200, 220, 255))
    wide = Cell(blocks=(Paragraph.of("宽"),), columns=2)
    table = Table(
        columns=(1, 1, 2),
        rows=(
            Row(cells=(tall, wide)),
            Row(cells=(Cell.of("a"), Cell.of("b")), height_mm=20),
            Row(cells=(Cell.of("c"),)),
        ),
    )
    document, _ = laid(fonts, [table])
    (scene,) = scenes(document, library)
    place = {text: (x, y) for text, x, y in glyph_places(scene)}
    assert place["宽"][0] == place["a"][0]
    assert abs(place["b"][0] - place["a"][0] - 20) < 0.01
    assert place["c"][0] == place["高"][0]
    assert place["a"][1] < place["高"][1]
    assert place["宽"][1] < place["a"][1]
    filled = [item for item in scene.items if isinstance(item, PathItem) and item.fill is not None]
    assert len(filled) == 1


def test_a_row_taller_than_a_page_goes_on_on_the_next(fonts: FontStack, library: FontLibrary) -> None:
    long = Cell(blocks=tuple(Paragraph.of(f"{number}{BODY}") for number in range(9)))
    table = Table(
        columns=(1, 3),
        rows=(Row(cells=(Cell.of("题"), Cell.of("文"))), Row(cells=(Cell.of("左"), long))),
        header_rows=1,
    )
    document, _ = laid(fonts, [Paragraph.of("前"), table, Paragraph.of("后")])
    found = scenes(document, library)
    assert len(found) > 2
    assert (
        "".join(texts(scene).replace("题文", "") for scene in found)
        == "前左" + "".join(f"{number}{BODY}" for number in range(9)) + "后"
    )
    for scene in found:
        assert all(10 < y < 90 for _, _, y in glyph_places(scene))


def test_pictures_are_no_larger_than_there_is_space(fonts: FontStack, library: FontLibrary) -> None:
    pictures = [
        Picture(data=sample_png(), width_mm=40),
        Picture(data=sample_png(), height_mm=20, align=Align.RIGHT),
        Picture(data=sample_png(), width_mm=500, height_mm=700),
        Picture(data=sample_png()),
    ]
    document, _ = laid(fonts, pictures)
    found = [item for scene in scenes(document, library) for item in scene.items if isinstance(item, ImageItem)]
    assert [round(item.matrix.a, 3) for item in found][:2] == [40, 20]
    assert found[0].matrix.e == 30
    assert found[1].matrix.e == 70
    assert all(item.matrix.a <= 80.001 and item.matrix.d <= 80.001 for item in found)


def test_text_runs_in_columns(fonts: FontStack, library: FontLibrary) -> None:
    setup = PageSetup(size_mm=(100, 100), top_mm=10, right_mm=10, bottom_mm=10, left_mm=10, columns=2)
    document, _ = laid(fonts, [Paragraph.of(BODY * 4)], setup)
    (scene,) = scenes(document, library)
    assert texts(scene) == BODY * 4
    lefts = {round(x, 1) for _, x, _ in glyph_places(scene)}
    assert any(10 <= x < 46 for x in lefts)
    assert any(x >= 54 for x in lefts)
    assert not any(46 < x < 53.9 for x in lefts)


def test_space_is_left_between_blocks_but_not_at_the_top(fonts: FontStack, library: FontLibrary) -> None:
    document, _ = laid(
        fonts, [Spacer(height_mm=30), Paragraph.of("一", after_mm=0), Spacer(height_mm=20), Paragraph.of("二")]
    )
    (first, second) = glyph_places(scenes(document, library)[0])
    assert first[2] < 17
    assert abs(second[2] - first[2] - 20 - 6.3) < 0.01


def test_a_long_document_is_written_page_by_page(fonts: FontStack, library: FontLibrary, tmp_path: Path) -> None:
    path = tmp_path / "long.ofd"
    told: list[tuple[int, int]] = []
    with PackageWriter(path) as writer:
        builder = DocumentBuilder(
            doc_id="0" * 32, title="", created=datetime(2030, 1, 1, tzinfo=UTC), fonts=fonts, writer=writer
        )
        lay_out(builder, [Paragraph.of(BODY * 60)], PAGE, progress=lambda done, total: told.append((done, total)))
        builder.finish()
    document = Document.open(path.read_bytes())
    assert "".join(texts(scene) for scene in scenes(document, library)) == BODY * 60
    assert told[-1] == (len(document.pages), len(document.pages))


def test_what_cannot_be_laid_out_is_refused(fonts: FontStack) -> None:
    cases: list[tuple[str, Block]] = [
        ("no width", Paragraph.of("文", left_mm=50, right_mm=40)),
        ("taller than a page", Paragraph.of("文", size_mm=70)),
        ("rows and columns", Table(columns=(), rows=())),
        ("do not fit", Table(columns=(1,), rows=(Row(cells=(Cell.of("a"), Cell.of("b"))),))),
        ("do not fit", Table(columns=(1, 1), rows=(Row(cells=(Cell(blocks=(), rows=2),)),))),
        ("do not fit", Table(columns=(1,), header_rows=1, rows=(Row(cells=(Cell(blocks=(), rows=2),)), Row(cells=())))),
        ("do not fit", Table(columns=(1, 1), rows=(Row(cells=(Cell(blocks=(), columns=0),)),))),
        ("No font", Paragraph.of("\ue123")),
    ]
    for reason, block in cases:
        with pytest.raises(RejectedError, match=reason):
            laid(fonts, [block])
    builder = DocumentBuilder(doc_id="0" * 32, title="", created=datetime(2030, 1, 1, tzinfo=UTC))
    with pytest.raises(RejectedError, match="without fonts"):
        lay_out(builder, [Paragraph.of("文")])
