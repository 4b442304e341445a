from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hsm.core.shamir import MAX_SHARES, SECRET_BYTES, Share, _checksum, _inverse, _multiply, combine, split
from trustcore.errors import MalformedError, RejectedError

SECRET = bytes(range(SECRET_BYTES))
SET_ID = b"\x01\x02\x03\x04"


def make(threshold: int, count: int, secret: bytes = SECRET, coefficients: bytes | None = None) -> tuple[Share, ...]:
    filler = bytes((7 * i + 1) % 256 for i in range((threshold - 1) * len(secret)))
    return split(secret, threshold=threshold, count=count, set_id=SET_ID, coefficients=coefficients or filler)


def slow_product(a: int, b: int) -> int:
    """Multiplication of polynomials over GF(2) as on paper, then the remainder by 0x11B."""
    product = 0
    for bit in range(8):
        if b >> bit & 1:
            product ^= a << bit
    for bit in range(14, 7, -1):
        if product >> bit & 1:
            product ^= 0x11B << (bit - 8)
    return product


def test_products_and_inverses_are_those_of_the_field() -> None:
    for a in range(256):
        assert all(_multiply(a, b) == slow_product(a, b) for b in range(256))
    assert all(slow_product(a, _inverse(a)) == 1 for a in range(1, 256))
    # FIPS 197 §4.2
    assert _multiply(0x57, 0x13) == 0xFE


@given(data=st.data(), threshold=st.integers(2, 6), extra=st.integers(0, 4), secret=st.binary(min_size=0, max_size=40))
def test_any_k_shares_in_any_order_give_the_secret(
    data: st.DataObject, threshold: int, extra: int, secret: bytes
) -> None:
    size = (threshold - 1) * len(secret)
    shares = split(
        secret,
        threshold=threshold,
        count=threshold + extra,
        set_id=data.draw(st.binary(min_size=4, max_size=4)),
        coefficients=data.draw(st.binary(min_size=size, max_size=size)),
    )
    chosen = data.draw(st.permutations(shares))[: data.draw(st.integers(threshold, threshold + extra))]
    assert combine(chosen) == secret


def test_every_octet_value_is_shared_rightly() -> None:
    secret = bytes(range(256))
    shares = split(secret, threshold=3, count=5, set_id=SET_ID, coefficients=bytes(reversed(range(256))) * 2)
    assert all(combine(chosen) == secret for chosen in combinations(shares, 3))


def test_fewer_than_k_shares_fit_every_secret_equally_well() -> None:
    """Of a 1-octet secret under 2 of n: for each value of one share, each secret has exactly one coefficient."""
    for x in range(1, 4):
        seen = {
            (secret, split(bytes([secret]), threshold=2, count=3, set_id=SET_ID, coefficients=bytes([a]))[x - 1].value)
            for secret in (0, 1, 0x80, 0xFF)
            for a in range(256)
        }
        assert len(seen) == 4 * 256


def test_two_of_three_shares_fit_every_secret_when_three_are_needed() -> None:
    for secret in (0, 77, 255):
        pairs = set()
        for a in range(0, 256, 5):
            for b in range(256):
                shares = split(bytes([secret]), threshold=3, count=3, set_id=SET_ID, coefficients=bytes([a, b]))
                pairs.add((shares[0].value, shares[1].value))
        assert len(pairs) == 52 * 256


def test_the_largest_set_works() -> None:
    shares = make(MAX_SHARES, MAX_SHARES)
    assert combine(shares) == SECRET


@given(st.binary(min_size=SECRET_BYTES, max_size=SECRET_BYTES), st.binary(min_size=4, max_size=4), st.integers(2, 32))
def test_a_share_is_read_as_it_was_written(value: bytes, set_id: bytes, threshold: int) -> None:
    share = Share(set_id=set_id, threshold=threshold, index=threshold, value=value)
    text = share.text()
    assert [len(group) for group in text.split("-")] == [5] * 11
    assert Share.from_text(text) == share
    assert Share.from_text(text.lower().replace("-", " ").replace("0", "o").replace("1", "l")) == share


def test_every_single_typing_error_is_noticed_and_its_group_named() -> None:
    text = make(3, 5)[0].text()
    for at, right in enumerate(text):
        if right == "-":
            continue
        for wrong in "0123456789ABCDEFGHJKMNPQRSTVWXYZ":
            if wrong != right:
                with pytest.raises(MalformedError) as caught:
                    Share.from_text(text[:at] + wrong + text[at + 1 :])
                assert (caught.value.code, caught.value.facts["group"]) == ("hsm.share.mistyped", at // 6 + 1)


def test_exchanged_characters_and_exchanged_groups_are_noticed() -> None:
    groups = make(3, 5)[1].text().split("-")
    for first, second in combinations(range(11), 2):
        exchanged = list(groups)
        exchanged[first], exchanged[second] = exchanged[second], exchanged[first]
        with pytest.raises(MalformedError):
            Share.from_text("-".join(exchanged))
    for place, group in enumerate(groups):
        for first, second in combinations(range(5), 2):
            letters = list(group)
            letters[first], letters[second] = letters[second], letters[first]
            if letters != list(group):
                with pytest.raises(MalformedError):
                    Share.from_text("-".join([*groups[:place], "".join(letters), *groups[place + 1 :]]))


def test_a_share_with_right_groups_and_a_changed_value_has_a_wrong_checksum() -> None:
    """Groups that each are right by themselves, put together from two shares."""
    one, two = (share.text().split("-") for share in make(2, 2)[:2])
    with pytest.raises(MalformedError) as caught:
        Share.from_text("-".join([*one[:6], *two[6:]]))
    assert caught.value.code == "hsm.share.checksum"


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ("", "hsm.share.length"),
        ("ABCDE", "hsm.share.length"),
        ("0" * 56, "hsm.share.length"),
        ("U" * 55, "hsm.share.character"),
        ("é" * 55, "hsm.share.character"),
        ("\x00" * 55, "hsm.share.character"),
    ],
)
def test_what_is_no_share_is_refused_without_repeating_it(typed: str, code: str) -> None:
    with pytest.raises(MalformedError) as caught:
        Share.from_text(typed)
    assert caught.value.code == code
    assert not typed or typed not in caught.value.detail


@given(st.text(max_size=80))
def test_nothing_typed_does_worse_than_be_refused(typed: str) -> None:
    with pytest.raises(MalformedError):
        Share.from_text(typed)


def test_a_share_of_another_version_says_so() -> None:
    class NewerShare(Share):
        def _octets(self) -> bytes:
            body = b"\x02" + super()._octets()[1:-4]
            return body + _checksum(body)

    with pytest.raises(MalformedError) as caught:
        Share.from_text(NewerShare(set_id=SET_ID, threshold=2, index=1, value=SECRET).text())
    assert caught.value.code == "hsm.share.version"


def test_too_few_twice_and_foreign_shares_are_refused() -> None:
    shares = make(3, 5)
    foreign = split(SECRET, threshold=3, count=5, set_id=b"\x09\x09\x09\x09", coefficients=bytes(32))
    for chosen, code in (
        ([], "hsm.share.too-few"),
        (shares[:2], "hsm.share.too-few"),
        ([shares[0], shares[1], shares[0]], "hsm.share.duplicate"),
        ([shares[0], shares[1], foreign[2]], "hsm.share.other-set"),
        ([shares[0], shares[1], Share(set_id=SET_ID, threshold=2, index=3, value=bytes(16))], "hsm.share.other-set"),
    ):
        with pytest.raises(RejectedError) as caught:
            combine(chosen)
        assert caught.value.code == code


@pytest.mark.parametrize(("threshold", "count"), [(1, 1), (0, 3), (1, 3), (4, 3), (2, 33), (-1, 2)])
def test_a_split_that_shares_nothing_is_refused(threshold: int, count: int) -> None:
    with pytest.raises(RejectedError) as caught:
        split(SECRET, threshold=threshold, count=count, set_id=SET_ID, coefficients=b"")
    assert caught.value.code == "hsm.share.threshold"


def test_too_little_randomness_is_refused() -> None:
    with pytest.raises(ValueError, match="random octets"):
        split(SECRET, threshold=3, count=3, set_id=SET_ID, coefficients=bytes(16))


def test_a_share_does_not_print_its_value() -> None:
    assert "value" not in repr(make(2, 2)[0])
