"""Text comes out in reading order with its boxes, and keywords are found wherever a reader would find them."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
import typer
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from ofd.build.document import DocumentBuilder
from ofd.cli import text as text_command
from ofd.fonts.faces import find_fonts
from ofd.geometry import Box
from ofd.model.document import Document
from ofd.text.page import PageText
from ofd.text.search import Hit, document_text, search
from trustcore.errors import NotFoundError, RejectedError

from support.ofd_pages import HandMade

STACK = find_fonts()
FONTS = '<Fonts><Font ID="3" FontName="宋体"/></Fonts>'


def line(
    text: str,
    x: float,
    y: float,
    *,
    step: float = 4,
    size: float = 4,
    down: bool = False,
    attributes: str = "",
    number: int = 7,
) -> str:
    """Characters on a baseline (or below one another), ``step`` apart."""
    delta = f'{"DeltaY" if down else "DeltaX"}="g {max(len(text) - 1, 1)} {step}"'
    length = step * len(text) + size
    box = f"{x} {y - size} {size * 2 if down else length} {length if down else size * 1.5}"
    return (
        f'<TextObject ID="{number}" Boundary="{box}" Font="3" Size="{size}" {attributes}>'
        f'<TextCode X="0" Y="{size}" {delta}>{text}</TextCode></TextObject>'
    )


def document(*pages: str, **more: object) -> Document:
    return Document.open(HandMade(pages=pages, public=FONTS, **more).to_bytes())  # type: ignore[arg-type]


def read(*lines: str) -> PageText:
    ((index, text),) = document_text(document("".join(lines)))
    assert index == 0
    return text


def find(keyword: str, *lines: str, ignore_case: bool = False) -> list[Hit]:
    return list(search(document("".join(lines)), keyword, ignore_case=ignore_case))


def rounded(box: Box) -> tuple[float, ...]:
    return tuple(round(value, 1) for value in box)


def test_lines_are_read_from_the_top_whatever_the_order_of_painting() -> None:
    assert read(line("第二行", 20, 36), line("第一行", 20, 30), line("第三行", 20, 42)).text == "第一行\n第二行\n第三行"


def test_blocks_are_told_apart_by_an_empty_line() -> None:
    text = read(line("标题", 20, 20), line("正文", 20, 60))
    assert text.text == "标题\n\n正文"
    assert [item.block for item in text.lines] == [0, 1]


def test_pieces_on_one_baseline_are_one_line() -> None:
    text = read(line("右", 60, 30), line("左", 20, 30.5))
    assert text.text == "左 右"
    assert [word.text for word in text.lines[0].words] == ["左", "右"]


def test_blanks_part_words_however_narrow_and_spaced_out_chinese_stays_a_word() -> None:
    assert read(line("OFD Reader", 20, 30, step=1.5)).text == "OFD Reader"
    assert read(line("名称", 20, 30, step=16)).text == "名称"


def test_columns_are_read_one_after_the_other_and_tables_by_row() -> None:
    left = [line("左栏文字左栏文字", 20, 30 + 6 * row) for row in range(4)]
    right = [line("右栏文字右栏文字", 80, 30 + 6 * row) for row in range(4)]
    text = read(*[item for pair in zip(left, right, strict=True) for item in pair]).text.replace("\n", "")
    assert text == "左栏文字左栏文字" * 4 + "右栏文字右栏文字" * 4
    names = [line(name, 20, 30 + 6 * row) for row, name in enumerate(("姓名", "性别", "住址"))]
    values = [line(value, 80, 30 + 6 * row) for row, value in enumerate(("张三", "男", "湖北省武汉市"))]
    assert read(*names, *values).text == "姓名 张三\n性别 男\n住址 湖北省武汉市"


def test_columns_of_vertical_text_are_read_from_the_right() -> None:
    text = read(line("左边一列", 40, 30, down=True), line("右边一列", 60, 30, down=True)).text
    assert text.replace("\n", "") == "右边一列左边一列"


def test_single_characters_below_one_another_are_a_column() -> None:
    text = read(*[line(char, 20, 30 + 5 * row) for row, char in enumerate("购买方")], line("名称", 40, 35))
    assert "购买方" in text.text
    assert "名称" in text.text


def test_single_characters_in_a_column_of_a_table_stay_in_their_rows() -> None:
    rows = [(("张三", 20), ("男", 50), ("汉族", 70)), (("李四", 20), ("女", 50), ("汉族", 70))]
    text = read(*[line(cell, x, 30 + 6 * row) for row, cells in enumerate(rows) for cell, x in cells])
    assert text.text == "张三 男 汉族\n李四 女 汉族"


def test_turned_text_is_read_in_its_own_direction() -> None:
    turned = line("转过来", 20, 30, attributes='CTM="0 1 -1 0 20 0"')
    text = read(line("平常", 100, 100), turned)
    assert text.text == "平常\n\n转过来"
    box = text.lines[1].box
    assert box.height > box.width


def test_boxes_are_where_the_characters_are() -> None:
    text = read(line("中文", 20, 30))
    first, second = text.characters
    assert rounded(first.box)[0] == 20
    assert round(second.box.x - first.box.x, 3) == 4
    assert first.box.y < 30 < first.box.bottom
    assert first.box.width == pytest.approx(4)
    assert (first.origin.x, first.origin.y) == (20, 30)
    assert first.object_id == "7"
    assert text.lines[0].box == text.lines[0].words[0].box


def test_text_painted_twice_to_look_bold_is_read_once() -> None:
    assert read(line("重", 20, 30), line("重", 20.2, 30), line("重", 24, 30)).text == "重重"


def test_narrow_letters_painted_twice_are_read_once() -> None:
    twice = [line("ill", x, 30, step=1.1) for x in (20, 20.1)]
    assert read(*twice).text == "ill"


def test_text_that_is_clipped_away_or_off_the_page_is_not_read() -> None:
    square = "<AbbreviatedData>M 0 0 L 7 0 L 7 9 L 0 9 C</AbbreviatedData>"
    clip = f"<Clips><Clip><Area><Path>{square}</Path></Area></Clip></Clips>"
    hidden = line("看不见的字", 20, 30).replace("<TextCode", clip + "<TextCode", 1)
    assert read(hidden).text == "看不"
    assert read(line("外", 500, 30)).text == ""


def test_text_without_ink_is_read() -> None:
    assert read(line("透明", 20, 30, attributes='Fill="false"')).text == "透明"


def test_a_keyword_is_found_within_an_object_with_its_box() -> None:
    (hit,) = find("公章", line("请加盖公章处", 20, 30))
    assert (hit.page, hit.text, len(hit.boxes)) == (0, "公章", 1)
    assert rounded(hit.box)[0] == 32
    assert hit.box.width == pytest.approx(8)
    assert hit.boxes == (hit.box,)


@pytest.mark.parametrize(
    "lines",
    [
        (line("甲", 20, 30), line("方", 24, 30)),
        (line("方", 24, 30), line("甲", 20, 30)),
        (line("甲", 20, 30), line("方", 40, 30)),
        (line("甲", 20, 30), line("方", 20, 36)),
        (line("甲方", 20, 30, down=True, step=5),),
        (line("甲方", 20, 30, step=20),),
        (line("甲 方", 20, 30),),
        (line("甲方", 20, 30, attributes='CTM="0 1 -1 0 20 0"'),),
        (line("甲方", 20, 30).replace("甲方", '甲</TextCode><TextCode X="4" Y="4">方'),),
    ],
)
def test_a_keyword_is_found_over_objects_directions_and_blanks(lines: Sequence[str]) -> None:
    (hit,) = find("甲方", *lines)
    assert hit.text == "甲方"


def test_characters_of_two_cells_are_no_keyword() -> None:
    assert find("甲方", line("甲", 20, 30), line("方", 100, 30)) == []


def test_all_places_are_found_and_those_that_overlap_too() -> None:
    assert len(find("章", line("章章章", 20, 30), line("盖章", 20, 100))) == 4
    assert len(find("章章", line("章章章", 20, 30))) == 2


def test_a_keyword_may_go_on_in_the_next_line_and_not_in_another_block() -> None:
    near = (line("合同专用", 20, 30), line("章在此", 20, 36))
    (hit,) = find("专用章", *near)
    assert len(hit.boxes) == 2
    assert hit.box.bottom > hit.box.y + 6
    assert find("专用章", line("合同专用", 20, 30), line("章在此", 20, 80)) == []


def test_forms_of_a_character_and_its_case_are_the_same_where_wished() -> None:
    assert len(find("(甲方)", line("（甲方）", 20, 30))) == 1
    assert len(find("ＡＢ", line("AB", 20, 30))) == 1
    assert find("ab", line("AB", 20, 30)) == []
    assert len(find("ab", line("AB", 20, 30), ignore_case=True)) == 1


@pytest.mark.parametrize("keyword", ["", " \u3000", "章" * 257])
def test_a_keyword_of_blanks_or_without_end_is_refused_at_once(keyword: str) -> None:
    with pytest.raises(RejectedError) as caught:
        search(document(""), keyword)
    assert caught.value.code == "ofd.text.keyword"


def test_pages_are_searched_one_after_the_other_and_progress_is_told() -> None:
    told: list[tuple[int, int]] = []
    pages = document(line("章", 20, 30), line("无", 20, 30), line("章", 20, 30))
    hits = search(pages, "章", progress=lambda done, total: told.append((done, total)))
    assert next(hits).page == 0
    assert told == [(0, 3)]
    assert [hit.page for hit in hits] == [2]
    assert told[-1] == (3, 3)
    assert [hit.page for hit in search(pages, "章", pages=[2])] == [2]
    with pytest.raises(NotFoundError):
        list(search(pages, "章", pages=[3]))


def test_text_of_templates_is_read() -> None:
    text = line("模板", 20, 30)
    made = document(
        '<Template TemplateID="21"/><Content/>',
        common='<TemplatePage ID="21" BaseLoc="T.xml"/>',
        files={"Doc_0/T.xml": _page(text)},
    )
    assert next(document_text(made))[1].text == "模板"


def _page(content: str) -> bytes:
    return (
        f'<Page xmlns="http://www.ofdspec.org/2016"><Content><Layer ID="1">{content}</Layer></Content></Page>'
    ).encode()


def test_pictures_are_not_read_for_text() -> None:
    made = document(
        '<ImageObject Boundary="0 0 9 9" ResourceID="8"/>' + line("字", 20, 30),
        document_resources='<MultiMedias><MultiMedia ID="8" Type="Image"><MediaFile>gone.png</MediaFile></MultiMedia>'
        "</MultiMedias>",
    )
    assert next(document_text(made))[1].text == "字"


@settings(max_examples=25, deadline=None)
@given(
    x=st.floats(5, 100),
    y=st.floats(20, 280),
    size=st.floats(1, 15),
    text=st.text("公章甲乙ABab12", min_size=1, max_size=6),
    spacing=st.floats(0, 2),
)
def test_what_was_written_is_found_where_it_was_written(
    x: float, y: float, size: float, text: str, spacing: float
) -> None:
    created = datetime(2030, 1, 1, tzinfo=UTC)
    builder = DocumentBuilder(doc_id="0" * 32, title="t", created=created, fonts=STACK)
    builder.page().text(text, x_mm=x, y_mm=y, size_mm=size, spacing_mm=spacing)
    (hit,) = search(Document.open(builder.to_bytes()), text)
    assert hit.text == text
    assert hit.box.x == pytest.approx(x, abs=1e-3)
    assert hit.box.y < y < hit.box.bottom
    width = STACK.width(text) * size + spacing * (len(text) - 1)
    assert hit.box.width == pytest.approx(width, abs=1e-2)


def test_cells_of_one_width_hold_words_together() -> None:
    narrow = line("illicit file", 20, 30, step=2)
    assert read(narrow).text == "illicit file"


@pytest.fixture
def command(tmp_path: Path) -> tuple[typer.Typer, Path]:
    app = typer.Typer()
    app.callback()(lambda: None)
    text_command.add_to(app, lambda: datetime(2030, 1, 1, tzinfo=UTC))
    file = tmp_path / "document.ofd"
    pages = (line("第一页盖章", 20, 30), line("Second", 20, 30, step=2), line("第三页盖章", 20, 30))
    file.write_bytes(HandMade(pages=pages, public=FONTS).to_bytes())
    return app, file


def test_the_command_prints_the_text_of_the_pages_asked_for(command: tuple[typer.Typer, Path]) -> None:
    app, file = command
    result = CliRunner().invoke(app, ["text", str(file), "--pages", "1,3-"])
    assert result.exit_code == 0
    assert result.stdout == "--- 1 ---\n第一页盖章\n--- 3 ---\n第三页盖章\n"
    result = CliRunner().invoke(app, ["text", str(file), "--json", "--pages", "2"])
    data = json.loads(result.stdout)
    assert data["page"] == 2
    assert data["lines"][0]["words"][0]["text"] == "Second"
    assert len(data["lines"][0]["box"]) == 4


def test_the_command_finds_keywords(command: tuple[typer.Typer, Path]) -> None:
    app, file = command
    result = CliRunner().invoke(app, ["text", str(file), "--search", "盖章"])
    assert result.exit_code == 0
    assert [row.split(":")[0] for row in result.stdout.splitlines()] == ["1", "3"]
    result = CliRunner().invoke(app, ["text", str(file), "--search", "SECOND", "--ignore-case", "--json"])
    assert json.loads(result.stdout)["page"] == 2
    assert CliRunner().invoke(app, ["text", str(file), "--search", "没有"]).exit_code == 1


@pytest.mark.parametrize("pages", ["0", "4", "2-1", "x", "1,,2", "1-9", "-1"])
def test_the_command_refuses_pages_that_are_none(command: tuple[typer.Typer, Path], pages: str) -> None:
    app, file = command
    result = CliRunner().invoke(app, ["text", str(file), f"--pages={pages}"])
    assert result.exit_code == 64


def test_the_command_says_what_is_wrong_with_a_file(command: tuple[typer.Typer, Path], tmp_path: Path) -> None:
    app, _ = command
    bad = tmp_path / "bad.ofd"
    bad.write_bytes(b"nothing")
    result = CliRunner().invoke(app, ["text", str(bad)])
    assert result.exit_code == 1
    assert "ofd.package" in result.stderr
    assert CliRunner().invoke(app, ["text", str(tmp_path / "gone.ofd")]).exit_code == 64
