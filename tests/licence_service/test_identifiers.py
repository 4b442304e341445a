"""GB/T 36904 identifiers, held to live ones of several provinces."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stdnum.iso7064 import mod_37_36

from licence_service.core.identifiers import ROOT_OID, Diagnosis, build_identifier, parse_identifier
from trustcore.errors import MalformedError

LIVE = (
    ("11100000000013338W011.11430000006122244L.20230000403.001.U", Diagnosis.STANDARD),
    ("11100000000013338W032.11220000013544541J.2430599.001.F", Diagnosis.STANDARD),
    ("11100000000013338W009.11330105002500287C.2025052201.002.0", Diagnosis.STANDARD),
    ("11100000MB03271699022.340100.000000016.001.9", Diagnosis.ISSUER_NOT_USCC),
    ("11100000000013661B006.113700000045046442.209FA4E88F9E4C878F3E9BED2CE7EA49.001.M", Diagnosis.LETTER_PLUS_ONE),
)


@pytest.mark.parametrize(("tail", "diagnosis"), LIVE)
def test_live_identifiers_are_diagnosed(tail: str, diagnosis: Diagnosis) -> None:
    parsed = parse_identifier(f"{ROOT_OID}.{tail}")
    assert parsed.diagnosis is diagnosis
    assert str(parsed.identifier) == f"{ROOT_OID}.{tail}"


@pytest.mark.parametrize("tail", [tail for tail, diagnosis in LIVE if diagnosis is Diagnosis.STANDARD])
def test_building_a_live_identifier_gives_it_back(tail: str) -> None:
    type_code, issuer_code, serial, version, _check = tail.split(".")
    built = build_identifier(type_code=type_code, issuer_code=issuer_code, serial=serial, version=version)
    assert str(built) == f"{ROOT_OID}.{tail}"


def test_the_standard_check_of_a_deviating_identifier_is_told() -> None:
    assert parse_identifier(f"{ROOT_OID}.{LIVE[4][0]}").expected_check == "D"


def test_the_older_root_with_the_root_inside_the_check_is_recognised() -> None:
    body = "1.2.156.3003.2.11100000MB0143028R001.201811151502091234.00"
    text = f"{body}.{mod_37_36.calc_check_digit(body.replace('.', ''))}"
    assert parse_identifier(text).diagnosis is Diagnosis.OID_3003
    assert parse_identifier(text[:-1] + ("0" if text[-1] != "0" else "1")).diagnosis is Diagnosis.BAD


def test_every_mistyped_character_of_a_standard_identifier_is_noticed() -> None:
    good = f"{ROOT_OID}.{LIVE[1][0]}"
    for position in range(len(ROOT_OID) + 1, len(good)):
        if good[position] != ".":
            other = "7" if good[position] != "7" else "3"
            bad = good[:position] + other + good[position + 1 :]
            assert parse_identifier(bad).diagnosis is not Diagnosis.STANDARD, bad


@given(st.text(max_size=250))
def test_parsing_never_raises(text: str) -> None:
    assert parse_identifier(text).diagnosis is Diagnosis.BAD


@given(st.text(alphabet="0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", min_size=1, max_size=64))
def test_what_is_built_parses_as_standard(serial: str) -> None:
    built = build_identifier(type_code="11100000MB0143028R001", issuer_code="11430000006122244L", serial=serial)
    assert parse_identifier(str(built)).diagnosis is Diagnosis.STANDARD
    assert parse_identifier(str(built)).identifier == built


@pytest.mark.parametrize(
    "change",
    [
        {"type_code": "11100000MB0143028R01"},
        {"type_code": "11100000MB0143028X001"},
        {"issuer_code": "340100"},
        {"issuer_code": "11430000006122244M"},
        {"serial": ""},
        {"serial": "a1"},
        {"serial": "0" * 65},
        {"version": "1"},
        {"version": "٠٠١"},
    ],
)
def test_a_part_that_breaks_its_form_is_refused(change: dict[str, str]) -> None:
    parts = {"type_code": "11100000MB0143028R001", "issuer_code": "11430000006122244L", "serial": "1", **change}
    with pytest.raises(MalformedError) as caught:
        build_identifier(**parts)
    assert caught.value.code == "licence.identifier.malformed"
