"""The page of a licence."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from licence_service.core.layout import PAGE_HEIGHT_MM, PAGE_WIDTH_MM, Page, compose, wrap
from licence_service.core.record import LicenceRecord
from ofd.fonts.faces import FontStack
from trustcore.errors import RejectedError


def _em(_character: str) -> float:
    return 1.0


def _compose(record: LicenceRecord, fonts: FontStack) -> Page:
    return compose(record, identifier="1.2.156.3005.2.x", issuer=record.registration_authority, advance=fonts.advance)


def test_everything_lies_inside_the_frame(make_record: Callable[..., LicenceRecord], fonts: FontStack) -> None:
    page = _compose(make_record(name="晴" * 200, domicile="川" * 240, scope="软件、" * 400), fonts)
    for text in page.texts:
        end = text.x_mm + fonts.width(text.text) * text.size_mm + text.spacing_mm * (len(text.text) - 1)
        assert 18 < text.x_mm < end < PAGE_WIDTH_MM - 18, text
        assert 18 < text.y_mm < PAGE_HEIGHT_MM - 18, text


def test_each_element_shows_its_whole_value(make_record: Callable[..., LicenceRecord], fonts: FontStack) -> None:
    record = make_record(scope="许可项目：食品生产；" * 60)
    texts = _compose(record, fonts).texts
    shown = {t.element: "".join(o.text for o in texts if o.element == t.element) for t in texts if t.element}
    assert shown["KZ_MC"] == record.name
    assert shown["KZ_JYFW"] == record.scope
    assert shown["KZ_TYSHXYDM"] == record.credit_code
    assert shown["KZ_YYQXZHI"] == "长期"
    assert shown["ZZBFRQ"] == "2026年01月08日"


def test_the_id_number_is_not_on_the_page(make_record: Callable[..., LicenceRecord], fonts: FontStack) -> None:
    record = make_record()
    assert all(record.representative_id not in text.text for text in _compose(record, fonts).texts)


def test_labels_follow_the_company_type(make_record: Callable[..., LicenceRecord], fonts: FontStack) -> None:
    record = make_record(company_type="有限合伙企业")
    labels = {text.text for text in _compose(record, fonts).texts}
    assert {"执行事务合伙人", "出资额", "主要经营场所", "合伙期限"} <= labels


def test_a_text_that_cannot_fit_is_refused_by_name(make_record: Callable[..., LicenceRecord], fonts: FontStack) -> None:
    with pytest.raises(RejectedError) as caught:
        _compose(make_record(scope="软" * 2400), fonts)
    assert caught.value.code == "licence.layout.too-long"
    assert caught.value.facts["field"] == "经营范围"


def test_a_character_without_a_glyph_is_refused_by_name(
    make_record: Callable[..., LicenceRecord], fonts: FontStack
) -> None:
    with pytest.raises(RejectedError) as caught:
        _compose(make_record(name="晴川市示例\U0003134a有限公司"), fonts)
    assert caught.value.code == "ofd.font.missing-glyph"


def test_no_line_begins_with_closing_punctuation() -> None:
    assert wrap("软件开发；信息技术（咨询）。", 4, _em) == ("软件开发；", "信息技术", "（咨询）。")


def test_numbers_and_words_stay_whole_unless_longer_than_a_line() -> None:
    assert wrap("共1288.5元", 6, _em) == ("共", "1288.5", "元")
    assert wrap("ABCDEFGH", 3, _em) == ("ABC", "DEF", "GH")


@given(st.text(st.sampled_from("软件，。；（）《》ab1.-/"), max_size=80), st.integers(3, 20))
def test_wrapping_keeps_every_character_and_the_width(text: str, width: int) -> None:
    lines = wrap(text, width, _em)
    assert "".join(lines) == text
    assert all(len(line) <= width + 1 for line in lines)
