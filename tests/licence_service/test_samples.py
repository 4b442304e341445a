"""The sample rows are what samples/README.md says of them."""

import csv
from pathlib import Path

import pytest
from stdnum.cn import ric, uscc

from licence_service.core.layout import compose
from licence_service.core.licence_type import COMPANY_FAMILIES
from licence_service.core.rows import COLUMNS, Row, read_rows
from ofd.fonts.faces import FontStack

SAMPLES = Path(__file__).parents[2] / "samples" / "business-licences.csv"


@pytest.fixture(scope="module")
def rows() -> tuple[Row, ...]:
    file = read_rows(SAMPLES.read_bytes())
    assert file.bad == ()
    return file.rows


def test_there_are_enough_rows_and_all_are_good(rows: tuple[Row, ...]) -> None:
    assert len(rows) >= 60


def test_every_company_type_is_there(rows: tuple[Row, ...]) -> None:
    assert {row.record.company_type for row in rows} == set(COMPANY_FAMILIES)


def test_every_code_checks_under_another_implementation() -> None:
    with SAMPLES.open(encoding="utf-8", newline="") as file:
        for cells in csv.DictReader(file):
            assert uscc.is_valid(cells["统一社会信用代码"])
            assert ric.is_valid(cells["法定代表人身份证号"])


def test_names_are_obviously_invented(rows: tuple[Row, ...]) -> None:
    invented = ("示例", "样例", "范例", "例示", "样本", "试例")
    assert [r.record.name for r in rows if not any(word in r.record.name for word in invented)] == []
    assert {row.record.registration_authority for row in rows} == {"晴川市市场监督管理局"}


def test_there_are_long_names_and_characters_beyond_the_basic_plane(rows: tuple[Row, ...]) -> None:
    assert sum(len(row.record.name) >= 40 for row in rows) >= 2
    text = "".join(row.record.name + row.record.representative for row in rows)
    assert any(ord(c) > 0xFFFF for c in text)
    assert any(0x3400 <= ord(c) < 0x4DC0 for c in text)


def test_every_row_fits_the_page_in_a_font_that_has_its_characters(rows: tuple[Row, ...], fonts: FontStack) -> None:
    for row in rows:
        page = compose(row.record, identifier="1", issuer="晴川市市场监督管理局", advance=fonts.advance)
        assert min(text.size_mm for text in page.texts) >= 1.9


def test_the_header_is_documented() -> None:
    readme = (SAMPLES.parent / "README.md").read_text(encoding="utf-8")
    assert [column for column in COLUMNS if column not in readme] == []
