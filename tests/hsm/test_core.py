from contextlib import suppress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hsm.core import encoding
from hsm.core.breaker import Breaker
from hsm.core.profiles import CipherForm
from hsm.core.uri import key_uri, label_of
from trustcore.asn1 import encoder
from trustcore.crypto import sm2
from trustcore.crypto.algorithms import KeyAlgorithm
from trustcore.errors import MalformedError

LABELS = st.text(st.characters(exclude_categories=("C", "Z")), min_size=1, max_size=64)


@given(LABELS)
def test_a_label_comes_back_from_its_uri(label: str) -> None:
    assert label_of(key_uri(label)) == label


def test_attributes_of_a_uri_may_stand_in_any_order() -> None:
    assert label_of("pkcs11:type=private;object=a%3Bb") == "a;b"
    assert label_of("pkcs11:object=a") == "a"


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "file:key.pem",
        "pkcs11:",
        "pkcs11:object=",
        "pkcs11:object",
        "pkcs11:type=private",
        "pkcs11:object=a;type=cert",
        "pkcs11:object=a;object=b",
        "pkcs11:object=a;token=machine-1",
        "pkcs11:object=%ff",
    ],
)
def test_what_is_not_the_uri_of_a_private_key_is_refused(uri: str) -> None:
    with pytest.raises(MalformedError) as caught:
        label_of(uri)
    assert caught.value.code == "hsm.key.uri"


@given(st.text(max_size=80))
def test_no_text_breaks_the_reading_of_uris(text: str) -> None:
    with suppress(MalformedError):
        label = label_of("pkcs11:" + text)
        assert label_of(key_uri(label)) == label


def test_a_failing_machine_rests_twice_as_long_each_time() -> None:
    breaker = Breaker()
    pauses = []
    now = 0.0
    for _ in range(9):
        breaker = breaker.failed(now, "why")
        pauses.append(breaker.retry_at - now)
        assert not breaker.is_up
        assert not breaker.admits(now)
        now = breaker.retry_at
        assert breaker.admits(now)
        breaker = breaker.tried()
        assert not breaker.admits(now), "one call tries it"
    assert pauses == [0.5, 1, 2, 4, 8, 16, 30, 30, 30]
    assert breaker.succeeded() == Breaker()


def test_a_machine_that_is_up_takes_any_number_of_calls() -> None:
    breaker = Breaker().tried().tried()
    assert breaker.admits(0.0)
    assert breaker.succeeded() is breaker


def test_a_thousand_failures_do_not_overflow() -> None:
    breaker = Breaker()
    for _ in range(1000):
        breaker = breaker.failed(0.0, "why")
    assert breaker.retry_at == 30.0


def test_points_are_read_wrapped_and_bare() -> None:
    _, point = sm2.generate()
    assert encoding.public_point(b"\x04\x41" + point) == encoding.public_point(point) == point
    for wrong in (b"", point[:-1], b"\x02" + point[1:], b"\x04\x41" + point[:-1]):
        with pytest.raises(MalformedError):
            encoding.public_point(wrong)


def test_an_sm2_public_key_has_the_form_of_the_trust_core() -> None:
    _, point = sm2.generate()
    assert encoding.ec_public_key_der(KeyAlgorithm.SM2, point) == sm2.public_key_der(point)


@given(st.integers(2**2047, 2**2048 - 1), st.sampled_from([3, 65537]))
def test_rsa_numbers_come_back_from_their_public_key(modulus: int, exponent: int) -> None:
    numbers = (modulus.to_bytes(256, "big"), exponent.to_bytes(3, "big").lstrip(b"\0"))
    assert encoding.rsa_public_numbers(encoding.rsa_public_key_der(*numbers)) == numbers


@given(st.binary(min_size=32, max_size=32), st.binary(min_size=32, max_size=32))
def test_raw_signatures_become_der(r: bytes, s: bytes) -> None:
    wanted = encoder.sequence(*(encoder.integer(int.from_bytes(n, "big")) for n in (r, s)))
    assert encoding.ecdsa_signature_der(r + s) == wanted


@pytest.mark.parametrize("raw", [b"", b"x", bytes(63)])
def test_an_odd_raw_signature_is_refused(raw: bytes) -> None:
    with pytest.raises(MalformedError):
        encoding.ecdsa_signature_der(raw)


def test_a_ciphertext_gets_the_form_of_the_machine() -> None:
    _, point = sm2.generate()
    whole = sm2.encrypt(point, b"text")
    first = encoding.sm2_cipher(whole, CipherForm.C1C3C2)
    second = encoding.sm2_cipher(whole, CipherForm.C1C2C3)
    assert first[0] == 4
    assert len(first) == 97 + len(b"text")
    assert second == first[:65] + first[97:] + first[65:97]
    assert encoding.sm2_cipher(whole, CipherForm.DER) == whole


@given(st.binary(max_size=200))
@example(b"\x30\x00")
@example(b"\x30\x0c" + b"\x02\x01\x01" * 4)
@example(b"\x30\x0a\x02\x01\xff\x02\x01\x01\x04\x00\x04\x00")
def test_no_bytes_break_the_reading_of_ciphertexts(data: bytes) -> None:
    with pytest.raises(MalformedError):
        encoding.sm2_cipher(data, CipherForm.C1C3C2)
