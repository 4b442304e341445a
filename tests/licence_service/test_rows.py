"""CSV files as departments really send them: wrong, half, twice, in another encoding."""

import contextlib
import csv
import io
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from licence_service.core.record import LONG_TERM, LicenceRecord, RecordError, parse_date
from licence_service.core.rows import COLUMNS, read_rows
from trustcore.errors import MalformedError

SAMPLES = Path(__file__).parents[2] / "samples" / "business-licences.csv"
GOOD = {
    "统一社会信用代码": "91350100M000100Y43",
    "名称": "晴川市示例云图信息技术有限公司",
    "类型": "有限责任公司(自然人独资)",
    "法定代表人": "王小明",
    "法定代表人身份证号": "11010519491231002X",
    "注册资本": "500万元人民币",
    "成立日期": "2019-05-08",
    "营业期限自": "",
    "营业期限至": "长期",
    "住所": "晴川市云岭区示例大道1号",
    "经营范围": "软件开发。",
    "登记机关": "晴川市市场监督管理局",
    "核准日期": "2026-01-08",
}


def file_of(*rows: dict[str, str]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def test_a_good_row_becomes_a_record() -> None:
    (row,) = read_rows(file_of(GOOD)).rows
    assert row.number == 2
    assert row.record.valid_until is LONG_TERM
    assert row.record.valid_from == row.record.established_on


@pytest.mark.parametrize(
    ("column", "value", "code"),
    [
        ("统一社会信用代码", "", "credit-code"),
        ("统一社会信用代码", "91350100M000100Y44", "credit-code"),
        ("统一社会信用代码", "91350100M000100Y4", "credit-code"),
        ("统一社会信用代码", "91350100m000100y43", "credit-code"),
        ("统一社会信用代码", "９１350100M000100Y43", "credit-code"),
        ("统一社会信用代码", "11350100004500000X", "credit-code"),
        ("统一社会信用代码", "93350100M000100Y42", "credit-code"),
        ("法定代表人身份证号", "", "citizen-number"),
        ("法定代表人身份证号", "110105194912310021", "citizen-number"),
        ("法定代表人身份证号", "11010519491331002X", "citizen-number"),
        ("法定代表人身份证号", "11010519491231002x", "citizen-number"),
        ("法定代表人身份证号", "110105491231002", "citizen-number"),
        ("名称", "", "empty"),
        ("名称", "晴" * 201, "too-long"),
        ("名称", "晴川\u202e市", "invisible-character"),
        ("名称", "晴川\x07市", "invisible-character"),
        ("名称", "晴川\u200b市", "invisible-character"),
        ("名称", "晴川\ue000市", "invisible-character"),
        ("类型", "有限公司", "company-type"),
        ("注册资本", "", "empty"),
        ("注册资本", "很多钱", "capital"),
        ("成立日期", "2019-02-30", "date"),
        ("成立日期", "去年", "date"),
        ("成立日期", "", "empty"),
        ("营业期限至", "", "empty"),
        ("营业期限至", "2018-01-01", "dates"),
        ("核准日期", "2018-01-01", "dates"),
        ("核准日期", "08/01/2026", "date"),
        ("登记机关", "", "empty"),
        ("经营范围", "软" * 2401, "too-long"),
    ],
)
def test_a_bad_cell_is_named_by_row_column_and_reason(column: str, value: str, code: str) -> None:
    (bad,) = read_rows(file_of({**GOOD, column: value})).bad
    assert (bad.number, bad.column, bad.code) == (2, column, f"licence.record.{code}")
    assert bad.sentence.startswith(f"Row 2, {column}: ")
    assert bad.sentence_zh.startswith(f"第 2 行{column}：")
    assert bad.sentence.count(".") == 1


def test_a_credit_code_with_a_wrong_organisation_code_inside_is_refused() -> None:
    (bad,) = read_rows(file_of({**GOOD, "统一社会信用代码": "91350100M000100Y51"})).bad
    assert bad.code in {"licence.record.organisation-code", "licence.record.credit-code"}


def test_a_code_of_another_class_than_the_company_type_is_refused() -> None:
    (bad,) = read_rows(file_of({**GOOD, "类型": "个体工商户", "注册资本": ""})).bad
    assert bad.code == "licence.record.credit-code-class"


def test_capital_for_a_type_that_has_none_is_refused() -> None:
    row = {**GOOD, "类型": "有限责任公司分公司(自然人独资)"}
    (bad,) = read_rows(file_of(row)).bad
    assert bad.code == "licence.record.capital-superfluous"
    assert read_rows(file_of({**row, "注册资本": ""})).bad == ()


def test_white_space_of_any_kind_is_one_space() -> None:
    (row,) = read_rows(file_of({**GOOD, "住所": " 晴川市\u3000云岭区\t \xa01号\u3000"})).rows
    assert row.record.domicile == "晴川市 云岭区 1号"


@pytest.mark.parametrize("number", ["11010519491231002X", "110105194912310021"])
def test_no_sentence_repeats_an_id_number(number: str) -> None:
    rows = [{**GOOD, "法定代表人身份证号": number, column: "?"} for column in COLUMNS if "身份证" not in column]
    for bad in read_rows(file_of(*rows)).bad:
        assert number not in bad.sentence + bad.sentence_zh


def test_a_record_does_not_show_the_id_number(make_record: Callable[..., LicenceRecord]) -> None:
    record = make_record()
    assert record.representative_id not in repr(record)
    assert record.representative_id not in str(record.as_json())


def test_the_same_code_twice_is_refused_the_second_time() -> None:
    file = read_rows(file_of(GOOD, {**GOOD, "名称": "晴川市样例有限公司"}))
    assert len(file.rows) == 1
    assert file.bad[0].sentence == "Row 3, 统一社会信用代码: the same code already stands in row 2."


def test_an_unclosed_quotation_mark_spoils_one_line_only() -> None:
    lines = SAMPLES.read_bytes().splitlines()
    lines[5] = b'"' + lines[5]
    file = read_rows(b"\n".join(lines))
    assert [bad.number for bad in file.bad] == [6]
    assert file.bad[0].code == "licence.row.unreadable"
    assert len(file.rows) == len(lines) - 2


def test_a_line_cut_short_is_refused() -> None:
    data = file_of(GOOD)
    (bad,) = read_rows(data[: len(data) - 20]).bad
    assert bad.code in {"licence.row.columns", "licence.row.encoding"}


def test_a_line_of_broken_text_is_refused_and_the_others_are_read() -> None:
    lines = SAMPLES.read_bytes().splitlines()
    lines[2] = lines[2][:30] + b"\xff\xfe" + lines[2][30:]
    file = read_rows(b"\r\n".join(lines))
    assert [(bad.number, bad.code) for bad in file.bad] == [(3, "licence.row.encoding")]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_usual_encodings_are_recognised(encoding: str) -> None:
    data = SAMPLES.read_text(encoding="utf-8").encode(encoding)
    assert read_rows(data).rows == read_rows(SAMPLES.read_bytes()).rows


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "licence.csv.empty"),
        (b"\n\n", "licence.csv.empty"),
        (SAMPLES.read_text(encoding="utf-8").encode("utf-16"), "licence.csv.encoding"),
        (b"PK\x03\x04" + bytes(100), "licence.csv.header"),
        ("名称,类型\n甲,乙\n".encode(), "licence.csv.header"),
        (",".join(reversed(COLUMNS)).encode(), "licence.csv.header"),
    ],
)
def test_a_file_that_is_no_such_export_is_refused_as_a_whole(data: bytes, code: str) -> None:
    with pytest.raises(MalformedError) as caught:
        read_rows(data)
    assert caught.value.code == code


@given(st.binary(max_size=400))
def test_any_octets_end_in_rows_or_one_clear_error(data: bytes) -> None:
    header = ",".join(COLUMNS).encode()
    for content in (data, header + b"\n" + data):
        with contextlib.suppress(MalformedError):
            file = read_rows(content)
            assert all(row.number > 1 for row in (*file.rows, *file.bad))
            assert all(bad.sentence and bad.sentence_zh for bad in file.bad)


@pytest.mark.parametrize("text", ["2019-05-08", "2019/5/8", "20190508", "2019年5月8日", "2019年05月08日"])
def test_usual_spellings_of_a_date_are_read(text: str) -> None:
    assert parse_date("成立日期", text).isoformat() == "2019-05-08"


@pytest.mark.parametrize("text", ["2019-05-08日", "2019年05月08", "2019-0508", "1-2-3", "20190508日", "２０１９-05-08"])
def test_other_spellings_of_a_date_are_refused(text: str) -> None:
    with pytest.raises(RecordError):
        parse_date("成立日期", text)
