from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trustcore.asn1 import encoder
from trustcore.asn1.reader import MAX_DEPTH, Node, parse, parse_prefix
from trustcore.errors import MalformedError

WHEN = datetime(2026, 7, 1, 12, 30, 5, tzinfo=UTC)


@given(st.integers(min_value=-(2**2100), max_value=2**2100))
def test_an_integer_survives(value: int) -> None:
    assert parse(encoder.integer(value)).integer() == value


@given(st.lists(st.integers(min_value=0, max_value=2**70), max_size=12), st.integers(0, 2), st.integers(0, 39))
def test_an_object_identifier_survives(rest: list[int], first: int, second: int) -> None:
    dotted = ".".join(str(arc) for arc in (first, second, *rest))
    assert parse(encoder.oid(dotted)).oid() == dotted


@given(st.binary(max_size=400))
def test_octets_survive_and_raw_is_what_came(data: bytes) -> None:
    encoded = encoder.sequence(encoder.octet_string(data), encoder.bit_string(data))
    node = parse(encoded)

    assert node[0].octets() == data
    assert node[1].bit_string() == data
    assert node.raw == encoded
    assert node[0].raw + node[1].raw == node.content


@given(st.text(max_size=60))
def test_text_survives(text: str) -> None:
    assert parse(encoder.utf8_string(text)).text() == text


@given(st.frozensets(st.integers(0, 30)))
def test_named_bits_survive(bits: frozenset[int]) -> None:
    assert parse(encoder.named_bits(bits)).named_bits() == bits


@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_read_without_a_gap_or_refused(data: bytes) -> None:
    def walk(node: Node) -> None:
        for child in node.children:
            walk(child)
        covered = b"".join(child.raw for child in node.children)
        assert not node.constructed or covered == node.content

    with suppress(MalformedError):
        walk(parse_prefix(data))


@pytest.mark.parametrize(
    ("tag", "text", "expected"),
    [
        (0x17, b"260701123005Z", WHEN),
        (0x17, b"2607011230Z", WHEN.replace(second=0)),
        (0x18, b"20260701123005Z", WHEN),
        (0x18, b"20260701123005.250Z", WHEN.replace(microsecond=250_000)),
        (0x18, b"20260701203005+0800", WHEN),
        (0x18, b"20260701123005", WHEN),
        (0x17, b"500101000000Z", datetime(1950, 1, 1, tzinfo=UTC)),
        (0x17, b"491231235959Z", datetime(2049, 12, 31, 23, 59, 59, tzinfo=UTC)),
    ],
)
def test_times_met_in_deployed_files_are_read(tag: int, text: bytes, expected: datetime) -> None:
    assert parse(encoder.tlv(tag, text)).time() == expected


@pytest.mark.parametrize("text", [b"", b"20261301000000Z", b"2026070112300", b"yesterday"])
def test_a_time_that_is_none_is_refused(text: bytes) -> None:
    with pytest.raises(MalformedError, match="time"):
        parse(encoder.tlv(0x18, text)).time()


def test_times_are_written_in_utc() -> None:
    beijing = WHEN.astimezone(timezone(timedelta(hours=8)))
    assert encoder.generalized_time(beijing) == encoder.tlv(0x18, b"20260701123005Z")
    assert encoder.utc_time(beijing) == encoder.tlv(0x17, b"260701123005Z")
    with pytest.raises(ValueError, match="2050"):
        encoder.utc_time(datetime(2050, 1, 1, tzinfo=UTC))


def test_indefinite_length_is_read_and_kept_as_received() -> None:
    data = b"\x30\x80" + encoder.integer(5) + b"\x24\x80\x04\x01a\x04\x01b\x00\x00" + b"\x00\x00"
    node = parse(data)

    assert node.raw == data
    assert node[0].integer() == 5
    assert node[1].octets() == b"ab"


def test_explicit_false_is_read() -> None:
    assert parse(b"\x01\x01\x00").boolean() is False


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"\x30\x05\x02", "asn1.truncated"),
        (b"\x02\x01\x05\x00", "asn1.trailing"),
        (b"\x04\x80", "asn1.length"),
        (b"\x30\x80\x02\x01\x05", "asn1.truncated"),
        (b"\x30\x85\x01\x01\x01\x01\x01", "asn1.length"),
        (b"\x1f\x81\x01\x00", "asn1.tag"),
    ],
)
def test_what_cannot_be_bounded_is_refused(data: bytes, code: str) -> None:
    with pytest.raises(MalformedError) as caught:
        parse(data)
    assert caught.value.code == code


def test_nesting_is_bounded() -> None:
    data = b""
    for _ in range(MAX_DEPTH + 2):
        data = encoder.sequence(data)
    node = parse(data)
    with pytest.raises(MalformedError) as caught:
        while node.children:
            node = node[0]
    assert caught.value.code == "asn1.depth"


def test_nesting_of_indefinite_lengths_is_bounded() -> None:
    with pytest.raises(MalformedError) as caught:
        parse(b"\x30\x80" * 5000)
    assert caught.value.code == "asn1.depth"
