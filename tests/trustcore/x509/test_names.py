import pytest
from hypothesis import given
from hypothesis import strategies as st

from trustcore.asn1 import encoder
from trustcore.errors import MalformedError
from trustcore.x509.names import DistinguishedName

PLAIN = st.text(st.characters(exclude_categories=("Cc", "Cs", "Cn", "Co")), min_size=1, max_size=40).filter(
    lambda text: not text.startswith("#")
)


def test_country_is_printable_and_the_rest_utf8() -> None:
    """GB/T 20518-2018 §5.2.3.4: C is PrintableString, other attributes UTF8String."""
    name = DistinguishedName.of({"C": "CN", "O": "某机构", "CN": "根证书"})
    assert encoder.printable_string("CN") in name.der
    assert encoder.utf8_string("某机构") in name.der
    assert name.text == "CN=根证书,O=某机构,C=CN"
    assert name.common_name == "根证书"


@given(st.lists(st.tuples(st.sampled_from(["O", "OU", "CN", "L"]), PLAIN), min_size=1, max_size=4))
def test_text_reads_back_as_the_same_name(pairs: list[tuple[str, str]]) -> None:
    """RFC 4514 §2 and §3 are each other's inverse."""
    name = DistinguishedName.of(pairs)
    assert DistinguishedName.from_text(name.text).der == name.der


def test_rfc_4514_examples() -> None:
    """RFC 4514 §4."""
    two = DistinguishedName.from_text("OU=Sales+CN=J.  Smith,DC=example,DC=net")
    assert [len(rdn) for rdn in two.rdns] == [1, 1, 2]
    assert (
        DistinguishedName.from_text(r"CN=James \"Jim\" Smith\, III,DC=example").common_name == 'James "Jim" Smith, III'
    )
    assert DistinguishedName.from_text(r"CN=Lu\C4\8Di\C4\87").common_name == "Lučić"
    assert (
        DistinguishedName.from_text(r"CN=Before\0DAfter,DC=example".replace(r"\0D", " ")).common_name == "Before After"
    )


def test_names_match_whatever_the_case_spaces_and_string_type() -> None:
    """RFC 5280 §7.1: attributes compare by the prepared strings of RFC 4518."""
    name = DistinguishedName.of({"O": "Some  Office", "CN": "Root"})
    attribute = encoder.sequence(encoder.oid("2.5.4.3"), encoder.printable_string("ROOT"))
    office = encoder.sequence(encoder.oid("2.5.4.10"), encoder.printable_string("some office"))
    other = DistinguishedName.from_der(encoder.sequence(encoder.set_of(office), encoder.set_of(attribute)))
    assert name.matches(other)
    assert not name.matches(DistinguishedName.of({"O": "Some Office", "CN": "Root 2"}))


@pytest.mark.parametrize(
    "attributes",
    [{"C": "China"}, {"C": "中国"}, {"X": "y"}, {"CN": ""}, {"CN": "a\nb"}, {"CN": "x" * 2000}, {"serialNumber": "号"}],
)
def test_values_that_no_name_may_have(attributes: dict[str, str]) -> None:
    with pytest.raises(MalformedError):
        DistinguishedName.of(attributes)


@pytest.mark.parametrize("text", ["CN", "CN=a,,O=b", "CN=a\\", "CN=#0401", "CN=\\ff"])
def test_text_that_is_no_name(text: str) -> None:
    with pytest.raises(MalformedError):
        DistinguishedName.from_text(text)


def test_a_received_name_keeps_its_bytes() -> None:
    odd = encoder.sequence(
        encoder.set_of(encoder.sequence(encoder.oid("2.5.4.3"), encoder.tlv(0x14, "机构".encode("gb18030"))))
    )
    name = DistinguishedName.from_der(odd)
    assert name.der == odd
    assert name.common_name == "机构"
