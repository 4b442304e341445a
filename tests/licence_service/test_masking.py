"""What a stranger may read of a name."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from licence_service.core.masking import mask_company, mask_holder, mask_person


@pytest.mark.parametrize(
    ("name", "masked"),
    [
        ("张伟", "张*"),
        ("王小明", "王*明"),
        ("欧阳小明", "欧**明"),
        ("㛃𠮷", "㛃*"),
        ("买买提·依明", "买****明"),
        ("Anna Muster", "A*** M*****"),
        ("晴川市示例云图信息技术有限公司", "晴川市示*******有限公司"),
        ("晴川市示例小吃店", "晴川****吃店"),
        ("晴川市样例有限公司（委派代表：王小明）", "晴川*****公司（委派代表：王*明）"),
    ],
)
def test_names_are_masked_as_practice_has_it(name: str, masked: str) -> None:
    assert mask_holder(name) == masked


@given(st.text(st.characters(min_codepoint=0x4E00, max_codepoint=0x9FA5), min_size=1, max_size=60))
def test_something_of_every_name_is_hidden(name: str) -> None:
    for masked in (mask_person(name), mask_company(name)):
        assert "*" in masked
        assert len(masked.replace("*", "")) < len(name)
