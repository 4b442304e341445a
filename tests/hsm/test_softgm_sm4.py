"""SM4 and HMAC-SM3 of softgm against published examples and independent implementations."""

import ctypes
import hashlib
import hmac
import random

import pytest
from cryptography.hazmat.primitives import padding
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import SM4
from cryptography.hazmat.primitives.ciphers.modes import CBC, ECB, GCM

from support.cryptoki import ULONG, CryptokiError, CryptokiSession, Mechanism, Rv, gcm, mechanism
from support.softgm_numbers import (
    CKK_GENERIC_SECRET,
    CKO_SECRET_KEY,
    SM3_HMAC,
    SM4_CBC,
    SM4_CBC_PAD,
    SM4_ECB,
    SM4_GCM,
    A,
    import_sm4,
    make_sm4,
)

pytestmark = pytest.mark.hsm

KEY = bytes.fromhex("0123456789abcdeffedcba9876543210")
IV = bytes(range(16))
NONCE = bytes(range(12))


def mode(number: int, associated: bytes = b"", tag_bits: int = 128) -> Mechanism:
    if number == SM4_GCM:
        return mechanism(number, gcm(NONCE, associated, tag_bits))
    return mechanism(number, None if number == SM4_ECB else IV)


def independent(number: int, plaintext: bytes, associated: bytes = b"", tag_bytes: int = 16) -> bytes:
    """The same with the cryptography package."""
    if number == SM4_GCM:
        encryptor = Cipher(SM4(KEY), GCM(NONCE)).encryptor()
        encryptor.authenticate_additional_data(associated)
        body = encryptor.update(plaintext) + encryptor.finalize()
        return body + encryptor.tag[:tag_bytes]
    if number == SM4_CBC_PAD:
        padder = padding.PKCS7(128).padder()
        plaintext = padder.update(plaintext) + padder.finalize()
    encryptor = Cipher(SM4(KEY), ECB() if number == SM4_ECB else CBC(IV)).encryptor()  # noqa: S305 - as the mechanism
    return encryptor.update(plaintext) + encryptor.finalize()


def split(data: bytes, pieces: random.Random) -> list[bytes]:
    cuts = sorted(pieces.randrange(len(data) + 1) for _ in range(pieces.randrange(6)))
    return [data[start:end] for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True)]


def test_the_example_of_the_standard(token: CryptokiSession) -> None:
    """GB/T 32907-2016 §A.1."""
    key = import_sm4(token, KEY)
    expected = bytes.fromhex("681edf34d206965e86b3e94f536e4246")
    assert token.crypt("Encrypt", mechanism(SM4_ECB), key, KEY) == expected
    assert token.attribute(key, A.CHECK_VALUE) == independent(SM4_ECB, bytes(16))[:3]


def test_the_example_of_gcm(token: CryptokiSession) -> None:
    """RFC 8998 §A.1."""
    key = import_sm4(token, KEY)
    plaintext = bytes.fromhex("aaaaaaaaaaaaaaaabbbbbbbbbbbbbbbbccccccccccccccccdddddddddddddddd"
                              "eeeeeeeeeeeeeeeeffffffffffffffffeeeeeeeeeeeeeeeeaaaaaaaaaaaaaaaa")  # fmt: skip
    associated = bytes.fromhex("feedfacedeadbeeffeedfacedeadbeefabaddad2")
    how = mechanism(SM4_GCM, gcm(bytes.fromhex("00001234567800000000abcd"), associated))
    sealed = token.crypt("Encrypt", how, key, plaintext)
    assert sealed[-16:].hex() == "83de3541e4c2b58177e065a9bf7b62ec"
    assert token.crypt("Decrypt", how, key, sealed) == plaintext


@pytest.mark.parametrize("number", [SM4_ECB, SM4_CBC, SM4_CBC_PAD, SM4_GCM])
def test_every_length_in_every_split_agrees_with_another_implementation(token: CryptokiSession, number: int) -> None:
    pieces = random.Random(number)  # noqa: S311 - test data
    key = import_sm4(token, KEY)
    step = 16 if number in (SM4_ECB, SM4_CBC) else 1
    for length in [*range(0, 100, step), 4096, 70000 // 16 * 16]:
        plaintext = pieces.randbytes(length)
        associated = pieces.randbytes(length % 40) if number == SM4_GCM else b""
        how = mode(number, associated)
        expected = independent(number, plaintext, associated)
        assert token.crypt("Encrypt", how, key, plaintext) == expected
        assert token.crypt("Decrypt", how, key, expected) == plaintext
        assert b"".join(token.crypt_parts("Encrypt", how, key, split(plaintext, pieces))) == expected
        assert b"".join(token.crypt_parts("Decrypt", how, key, split(expected, pieces))) == plaintext


@pytest.mark.parametrize("tag_bits", [96, 104, 128])
def test_a_shorter_tag_is_the_beginning_of_the_long_one(token: CryptokiSession, tag_bits: int) -> None:
    key = import_sm4(token, KEY)
    sealed = token.crypt("Encrypt", mode(SM4_GCM, b"a", tag_bits), key, b"text")
    assert sealed == independent(SM4_GCM, b"text", b"a", tag_bits // 8)
    assert token.crypt("Decrypt", mode(SM4_GCM, b"a", tag_bits), key, sealed) == b"text"


def test_gcm_gives_nothing_out_before_the_tag_is_checked(token: CryptokiSession) -> None:
    key = import_sm4(token, KEY)
    sealed = independent(SM4_GCM, b"the plaintext that must not be seen")
    for position in range(len(sealed)):
        changed = bytearray(sealed)
        changed[position] ^= 0x10
        token.demand("DecryptInit", ctypes.byref(mode(SM4_GCM)), key)
        for at in range(0, len(changed), 7):
            part = bytes(changed[at : at + 7])
            assert token.output("DecryptUpdate", part, len(part)) == b""
        buffer, length = ctypes.create_string_buffer(b"\xaa" * 100, 100), ULONG(100)
        assert token.call("DecryptFinal", buffer, ctypes.byref(length)) == Rv.ENCRYPTED_DATA_INVALID
        assert buffer.raw == b"\xaa" * 100
        token.demand("DecryptInit", ctypes.byref(mode(SM4_GCM)), key)
        assert token.call("Decrypt", bytes(changed), len(changed), buffer, ctypes.byref(length)) == (
            Rv.ENCRYPTED_DATA_INVALID
        )
        assert buffer.raw == b"\xaa" * 100


def test_other_associated_data_or_another_key_does_not_open(token: CryptokiSession) -> None:
    key, other = import_sm4(token, KEY), make_sm4(token)
    sealed = token.crypt("Encrypt", mode(SM4_GCM, b"right"), key, b"text")
    for how, wrong in ((mode(SM4_GCM, b"wrong"), key), (mode(SM4_GCM), key), (mode(SM4_GCM, b"right"), other)):
        with pytest.raises(CryptokiError, match="ENCRYPTED_DATA_INVALID"):
            token.crypt("Decrypt", how, wrong, sealed)


@pytest.mark.parametrize("number", [SM4_ECB, SM4_CBC, SM4_CBC_PAD, SM4_GCM])
@pytest.mark.parametrize("verb", ["Encrypt", "Decrypt"])
def test_a_short_buffer_costs_nothing_but_the_answer(token: CryptokiSession, number: int, verb: str) -> None:
    key = import_sm4(token, KEY)
    data = b"sixteen bytes..." * 3
    expected = independent(number, data)
    if verb == "Decrypt":
        data, expected = expected, data
    length = ULONG()
    token.demand(f"{verb}Init", ctypes.byref(mode(number)), key)
    token.demand(verb, data, len(data), None, ctypes.byref(length))
    assert length.value >= len(expected)
    for room in (0, 1, len(expected) - 1):
        buffer, length = ctypes.create_string_buffer(200), ULONG(room)
        assert token.call(verb, data, len(data), buffer, ctypes.byref(length)) == Rv.BUFFER_TOO_SMALL
        assert length.value == len(expected)
        assert buffer.raw == bytes(200)
    assert token.output(verb, data, len(data), size=len(expected)) == expected


@pytest.mark.parametrize("number", [SM4_ECB, SM4_CBC, SM4_CBC_PAD, SM4_GCM])
@pytest.mark.parametrize("verb", ["Encrypt", "Decrypt"])
def test_short_buffers_of_parts_cost_nothing_either(token: CryptokiSession, number: int, verb: str) -> None:
    key = import_sm4(token, KEY)
    data = b"sixteen bytes..." * 3
    expected = independent(number, data)
    if verb == "Decrypt":
        data, expected = expected, data
    token.demand(f"{verb}Init", ctypes.byref(mode(number)), key)
    result = b""
    for function, arguments in [*((f"{verb}Update", (bytes([byte]), 1)) for byte in data), (f"{verb}Final", ())]:
        buffer, length = ctypes.create_string_buffer(200), ULONG(0)
        rv = token.call(function, *arguments, buffer, ctypes.byref(length))
        if rv == Rv.BUFFER_TOO_SMALL:
            token.demand(function, *arguments, buffer, ctypes.byref(length))
            result += buffer.raw[: length.value]
        else:
            assert (rv, length.value) == (Rv.OK, 0)
    assert result == expected
    assert token.call(f"{verb}Final", None, ctypes.byref(ULONG())) == Rv.OPERATION_NOT_INITIALIZED


@pytest.mark.parametrize("number", [SM4_ECB, SM4_CBC])
@pytest.mark.parametrize("length", [1, 15, 17, 31])
def test_modes_without_padding_take_whole_blocks(token: CryptokiSession, number: int, length: int) -> None:
    key = import_sm4(token, KEY)
    with pytest.raises(CryptokiError, match=r"\bC_Encrypt: DATA_LEN_RANGE"):
        token.crypt("Encrypt", mode(number), key, bytes(length))
    with pytest.raises(CryptokiError, match="C_Decrypt: ENCRYPTED_DATA_LEN_RANGE"):
        token.crypt("Decrypt", mode(number), key, bytes(length))
    with pytest.raises(CryptokiError, match="C_EncryptFinal: DATA_LEN_RANGE"):
        token.crypt_parts("Encrypt", mode(number), key, [bytes(length)])
    assert token.crypt("Encrypt", mode(number), key, KEY), "and the session goes on"


def test_damaged_padding_is_refused(token: CryptokiSession) -> None:
    key = import_sm4(token, KEY)
    wrong = independent(SM4_CBC, b"not padded at all, 32 bytes long")
    with pytest.raises(CryptokiError, match="ENCRYPTED_DATA_INVALID"):
        token.crypt("Decrypt", mode(SM4_CBC_PAD), key, wrong)
    with pytest.raises(CryptokiError, match="ENCRYPTED_DATA_LEN_RANGE"):
        token.crypt("Decrypt", mode(SM4_CBC_PAD), key, b"")
    with pytest.raises(CryptokiError, match="ENCRYPTED_DATA_LEN_RANGE"):
        token.crypt("Decrypt", mode(SM4_CBC_PAD), key, wrong[:-1])
    with pytest.raises(CryptokiError, match="ENCRYPTED_DATA_LEN_RANGE"):
        token.crypt("Decrypt", mode(SM4_GCM), key, bytes(15))


@pytest.mark.parametrize(
    "how",
    [
        mechanism(SM4_ECB, IV),
        mechanism(SM4_CBC),
        mechanism(SM4_CBC, IV[:-1]),
        mechanism(SM4_CBC_PAD, IV + b"\0"),
        mechanism(SM4_GCM),
        mechanism(SM4_GCM, IV),
        mechanism(SM4_GCM, gcm(NONCE[:-1])),
        mechanism(SM4_GCM, gcm(IV)),
        mechanism(SM4_GCM, gcm(NONCE, tag_bits=0)),
        mechanism(SM4_GCM, gcm(NONCE, tag_bits=88)),
        mechanism(SM4_GCM, gcm(NONCE, tag_bits=97)),
        mechanism(SM4_GCM, gcm(NONCE, tag_bits=136)),
    ],
)
def test_wrong_parameters_are_refused(token: CryptokiSession, how: Mechanism) -> None:
    key = make_sm4(token)
    for verb in ("Encrypt", "Decrypt"):
        assert token.call(f"{verb}Init", ctypes.byref(how), key) == Rv.MECHANISM_PARAM_INVALID


def test_one_part_cannot_end_an_operation_of_many(token: CryptokiSession) -> None:
    key = import_sm4(token, KEY)
    token.demand("EncryptInit", ctypes.byref(mode(SM4_CBC_PAD)), key)
    assert token.output("EncryptUpdate", bytes(15), 15) == b""
    buffer, length = ctypes.create_string_buffer(64), ULONG(64)
    assert token.call("Encrypt", bytes(15), 15, buffer, ctypes.byref(length)) == Rv.OPERATION_ACTIVE
    assert token.call("EncryptFinal", buffer, ctypes.byref(length)) == Rv.OPERATION_NOT_INITIALIZED


@pytest.mark.parametrize(
    ("use", "verb", "how"),
    [
        ("ENCRYPT", "Encrypt", mode(SM4_CBC)),
        ("DECRYPT", "Decrypt", mode(SM4_GCM)),
        ("SIGN", "Sign", mechanism(SM3_HMAC)),
        ("VERIFY", "Verify", mechanism(SM3_HMAC)),
    ],
)
def test_a_key_does_only_what_it_may(token: CryptokiSession, use: str, verb: str, how: Mechanism) -> None:
    key = make_sm4(token, **{use: False})
    assert token.call(f"{verb}Init", ctypes.byref(how), key) == Rv.KEY_FUNCTION_NOT_PERMITTED


@pytest.mark.parametrize("length", [0, 1, 55, 64, 1000])
def test_hmac_with_sm3_agrees_with_another_implementation(token: CryptokiSession, length: int) -> None:
    message = random.Random(length).randbytes(length)  # noqa: S311 - test data
    secret = bytes(range(40))
    generic = {A.CLASS: CKO_SECRET_KEY, A.KEY_TYPE: CKK_GENERIC_SECRET, A.SENSITIVE: False, A.EXTRACTABLE: True}
    long_key = token.create(generic | {A.VALUE: secret, A.SIGN: True, A.VERIFY: True})
    for key, value in ((import_sm4(token, KEY), KEY), (long_key, secret)):
        expected = hmac.new(value, message, lambda: hashlib.new("sm3")).digest()
        assert token.crypt("Sign", mechanism(SM3_HMAC), key, message) == expected
        assert token.verify(mechanism(SM3_HMAC), key, message, expected) == Rv.OK
        assert token.verify(mechanism(SM3_HMAC), key, message + b"x", expected) == Rv.SIGNATURE_INVALID
        assert token.verify(mechanism(SM3_HMAC), key, message, expected[:-1]) == Rv.SIGNATURE_LEN_RANGE
        token.demand("SignInit", ctypes.byref(mechanism(SM3_HMAC)), key)
        for byte in message:
            token.demand("SignUpdate", bytes([byte]), 1)
        assert token.output("SignFinal") == expected


def test_a_sensitive_generic_secret_makes_no_hmac(token: CryptokiSession) -> None:
    template = {A.CLASS: CKO_SECRET_KEY, A.KEY_TYPE: CKK_GENERIC_SECRET, A.VALUE: KEY, A.SENSITIVE: True, A.SIGN: True}
    key = token.create(template)
    assert token.call("SignInit", ctypes.byref(mechanism(SM3_HMAC)), key) == Rv.KEY_FUNCTION_NOT_PERMITTED


@pytest.mark.parametrize("length", [0, 15, 17, 32])
def test_a_value_of_another_length_is_no_sm4_key(token: CryptokiSession, length: int) -> None:
    with pytest.raises(CryptokiError, match="ATTRIBUTE_VALUE_INVALID"):
        import_sm4(token, bytes(length))
    with pytest.raises(CryptokiError, match="KEY_SIZE_RANGE"):
        make_sm4(token, VALUE_LEN=length)


def test_generated_keys_differ_and_stay_in_the_token(token: CryptokiSession) -> None:
    for number in (1, 2):
        make_sm4(token, TOKEN=True, LABEL=f"sm4-{number}")
    one, other = (token.find({A.LABEL: f"sm4-{number}"})[0] for number in (1, 2))
    block = bytes(16)
    assert token.crypt("Encrypt", mode(SM4_ECB), one, block) != token.crypt("Encrypt", mode(SM4_ECB), other, block)
    token.demand("DestroyObject", one)
    assert token.call("EncryptInit", ctypes.byref(mode(SM4_ECB)), one) == Rv.KEY_HANDLE_INVALID
