"""SM2 and SM4 keys that move: AES key wrap, SM4-GCM, the SM2 envelope of GB/T 35276."""

import ctypes
import random
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import SM4
from cryptography.hazmat.primitives.ciphers.modes import ECB
from cryptography.hazmat.primitives.keywrap import aes_key_unwrap_with_padding

from trustcore.asn1 import encoder
from trustcore.crypto import sm2

from support.cryptoki import ULONG, A, CryptokiError, CryptokiSession, Mechanism, Rv, gcm, mechanism
from support.softgm_numbers import (
    AES_KEY_WRAP_PAD,
    CKK_AES,
    CKK_EC,
    CKK_SM2,
    CKO_PRIVATE_KEY,
    CKO_SECRET_KEY,
    SM2_ENVELOPE,
    SM2_RAW,
    SM4_CBC_PAD,
    SM4_ECB,
    SM4_GCM,
    SM4_TEMPLATE,
    import_sm2,
    import_sm4,
    make_aes,
    make_sm2,
    make_sm4,
    point_of,
)

pytestmark = pytest.mark.hsm

E = bytes(range(32))
BLOCK = bytes(16)
KEY_WRAP = mechanism(AES_KEY_WRAP_PAD)
ENVELOPE = mechanism(SM2_ENVELOPE)
WITH_GCM = mechanism(SM4_GCM, gcm(bytes(range(12)), b"key 7"))
NEW_SM2 = {A.CLASS: CKO_PRIVATE_KEY, A.KEY_TYPE: CKK_EC, A.TOKEN: False, A.SIGN: True}
NEW_SM4 = SM4_TEMPLATE


def sm4_ecb(key: bytes, data: bytes) -> bytes:
    encryptor = Cipher(SM4(key), ECB()).encryptor()  # noqa: S305 - as the standard has it
    return encryptor.update(data) + encryptor.finalize()


def signs_for(session: CryptokiSession, private: int, point: bytes) -> bool:
    signature = session.crypt("Sign", mechanism(SM2_RAW), private, E)
    return sm2.verify_digest(point, E, sm2.signature_to_der(signature))


# ---- AES key wrap ----------------------------------------------------------------------------------------------------


def test_an_sm4_key_moves_to_another_token(open_cryptoki: Callable[[str], CryptokiSession]) -> None:
    here, there = open_cryptoki("xinyin-1"), open_cryptoki("xinyin-2")
    value = bytes(range(32))
    aes = {A.CLASS: CKO_SECRET_KEY, A.KEY_TYPE: CKK_AES, A.VALUE: value, A.TOKEN: False, A.WRAP: True, A.UNWRAP: True}
    wrapping, unwrapping = here.create(aes), there.create(aes)
    key = make_sm4(here, EXTRACTABLE=True)
    wrapped = here.wrap(KEY_WRAP, wrapping, key)
    plain = aes_key_unwrap_with_padding(value, wrapped)
    moved = there.unwrap(KEY_WRAP, unwrapping, wrapped, NEW_SM4)
    expected = sm4_ecb(plain, BLOCK)
    assert here.crypt("Encrypt", mechanism(SM4_ECB), key, BLOCK) == expected
    assert there.crypt("Encrypt", mechanism(SM4_ECB), moved, BLOCK) == expected
    told = [there.number(moved, one) for one in (A.EXTRACTABLE, A.NEVER_EXTRACTABLE, A.ALWAYS_SENSITIVE, A.LOCAL)]
    assert told == [0, 0, 0, 0]
    assert not there.find({A.CLASS: CKO_SECRET_KEY, A.KEY_TYPE: 0x10}), "nothing is left behind"


def test_an_sm2_key_keeps_the_type_it_is_unwrapped_as(token: CryptokiSession) -> None:
    aes = make_aes(token)
    public, private = make_sm2(token, EXTRACTABLE=True)
    wrapped = token.wrap(KEY_WRAP, aes, private)
    for kind in (CKK_EC, CKK_SM2):
        moved = token.unwrap(KEY_WRAP, aes, wrapped, NEW_SM2 | {A.KEY_TYPE: kind})
        assert token.number(moved, A.KEY_TYPE) == kind
        assert signs_for(token, moved, point_of(token, public))


def test_a_key_of_another_length_is_no_sm4_key(token: CryptokiSession) -> None:
    aes = make_aes(token)
    for length in (8, 15, 24, 32):
        template = {A.CLASS: CKO_SECRET_KEY, A.KEY_TYPE: 0x10, A.VALUE: bytes(length), A.EXTRACTABLE: True}
        wrapped = token.wrap(KEY_WRAP, aes, token.create(template))
        if length == 15:  # SoftHSM fills it with zeros to 16
            continue
        with pytest.raises(CryptokiError, match="WRAPPED_KEY_INVALID"):
            token.unwrap(KEY_WRAP, aes, wrapped, NEW_SM4)


# ---- SM4-GCM ---------------------------------------------------------------------------------------------------------


def test_keys_move_under_sm4_gcm(open_cryptoki: Callable[[str], CryptokiSession]) -> None:
    here, there = open_cryptoki("xinyin-1"), open_cryptoki("xinyin-3")
    value = bytes(range(16))
    wrapping, unwrapping = import_sm4(here, value), import_sm4(there, value)
    public, private = make_sm2(here, EXTRACTABLE=True)
    moved = there.unwrap(WITH_GCM, unwrapping, here.wrap(WITH_GCM, wrapping, private), NEW_SM2)
    assert signs_for(there, moved, point_of(here, public))
    key = make_sm4(here, EXTRACTABLE=True)
    moved = there.unwrap(WITH_GCM, unwrapping, here.wrap(WITH_GCM, wrapping, key), NEW_SM4)
    encrypted = here.crypt("Encrypt", mechanism(SM4_ECB), key, BLOCK)
    assert there.crypt("Encrypt", mechanism(SM4_ECB), moved, BLOCK) == encrypted


def test_a_changed_key_is_refused(token: CryptokiSession) -> None:
    wrapping = make_sm4(token)
    wrapped = token.wrap(WITH_GCM, wrapping, make_sm4(token, EXTRACTABLE=True))
    for position in range(len(wrapped)):
        changed = bytearray(wrapped)
        changed[position] ^= 1
        with pytest.raises(CryptokiError, match="C_UnwrapKey: WRAPPED_KEY_INVALID"):
            token.unwrap(WITH_GCM, wrapping, bytes(changed), NEW_SM4)
    for length in (0, 1, 15):
        with pytest.raises(CryptokiError, match="WRAPPED_KEY_LEN_RANGE"):
            token.unwrap(WITH_GCM, wrapping, wrapped[:length], NEW_SM4)
    with pytest.raises(CryptokiError, match="WRAPPED_KEY_LEN_RANGE"):
        token.unwrap(WITH_GCM, wrapping, bytes(2000), NEW_SM4)


def test_what_is_wrapped_decides_what_it_is(token: CryptokiSession) -> None:
    wrapping = make_sm4(token)
    sm4 = token.wrap(WITH_GCM, wrapping, make_sm4(token, EXTRACTABLE=True))
    private = token.wrap(WITH_GCM, wrapping, make_sm2(token, EXTRACTABLE=True)[1])
    for wrapped, template in ((sm4, NEW_SM2), (private, NEW_SM4)):
        with pytest.raises(CryptokiError, match="WRAPPED_KEY_INVALID"):
            token.unwrap(WITH_GCM, wrapping, wrapped, template)
    with pytest.raises(CryptokiError, match="TEMPLATE_INCONSISTENT"):
        token.unwrap(WITH_GCM, wrapping, sm4, {A.CLASS: CKO_SECRET_KEY, A.KEY_TYPE: 0x10})


@pytest.mark.parametrize(
    "how", [mechanism(SM4_ECB), mechanism(SM4_CBC_PAD, bytes(16)), mechanism(SM2_RAW)], ids=range(3)
)
def test_modes_that_notice_no_change_wrap_nothing(token: CryptokiSession, how: Mechanism) -> None:
    wrapping = make_sm4(token)
    for key in (make_sm4(token, EXTRACTABLE=True), make_sm2(token, EXTRACTABLE=True)[1]):
        with pytest.raises(CryptokiError):
            token.wrap(how, wrapping, key)


def test_only_a_wrapping_key_wraps(token: CryptokiSession) -> None:
    key = make_sm4(token, EXTRACTABLE=True)
    for how, wrapping, rv in (
        (WITH_GCM, make_sm4(token, WRAP=False), "KEY_FUNCTION_NOT_PERMITTED"),
        (WITH_GCM, make_aes(token), "CKR_0x115"),  # CKR_WRAPPING_KEY_TYPE_INCONSISTENT
        (WITH_GCM, 99999, "CKR_0x113"),  # CKR_WRAPPING_KEY_HANDLE_INVALID
    ):
        with pytest.raises(CryptokiError, match=rv):
            token.wrap(how, wrapping, key)
    wrapped = token.wrap(WITH_GCM, make_sm4(token), key)
    for unwrapping, rv in (
        (make_sm4(token, UNWRAP=False), "KEY_FUNCTION_NOT_PERMITTED"),
        (make_aes(token), "CKR_0xF2"),  # CKR_UNWRAPPING_KEY_TYPE_INCONSISTENT
        (99999, "CKR_0xF0"),  # CKR_UNWRAPPING_KEY_HANDLE_INVALID
    ):
        with pytest.raises(CryptokiError, match=rv):
            token.unwrap(WITH_GCM, unwrapping, wrapped, NEW_SM4)


def test_a_foreign_key_does_not_go_under_sm4(token: CryptokiSession) -> None:
    with pytest.raises(CryptokiError, match="KEY_NOT_WRAPPABLE"):
        token.wrap(WITH_GCM, make_sm4(token), make_aes(token, EXTRACTABLE=True))


def test_a_short_buffer_is_told_the_length(token: CryptokiSession) -> None:
    wrapping, key = make_sm4(token), make_sm4(token, EXTRACTABLE=True)
    length = ULONG()
    token.demand("WrapKey", ctypes.byref(WITH_GCM), wrapping, key, None, ctypes.byref(length))
    assert length.value == 32
    for room in (0, 31):
        buffer, length = ctypes.create_string_buffer(64), ULONG(room)
        rv = token.call("WrapKey", ctypes.byref(WITH_GCM), wrapping, key, buffer, ctypes.byref(length))
        assert (rv, length.value, buffer.raw) == (Rv.BUFFER_TOO_SMALL, 32, bytes(64))


# ---- The envelope ----------------------------------------------------------------------------------------------------


def seal(
    recipient: bytes,
    private: bytes,
    point: bytes,
    *,
    oid: str = "1.2.156.10197.1.104.1",
    parameters: bytes = b"",
    sm4_key: bytes = b"K" * 16,
) -> bytes:
    """SM2EnvelopedKey as another program writes it."""
    return encoder.sequence(
        encoder.sequence(encoder.oid(oid), parameters),
        sm2.encrypt(recipient, sm4_key),
        encoder.bit_string(point),
        encoder.bit_string(sm4_ecb(sm4_key, private)),
    )


@pytest.mark.parametrize("oid", ["1.2.156.10197.1.104.1", "1.2.156.10197.1.104"])
@pytest.mark.parametrize("parameters", [b"", encoder.null()], ids=["absent", "null"])
@pytest.mark.parametrize("filling", [0, 32])
def test_an_envelope_of_another_program_opens(
    token: CryptokiSession, oid: str, parameters: bytes, filling: int
) -> None:
    public, private = make_sm2(token)
    scalar, point = sm2.generate()
    envelope = seal(point_of(token, public), bytes(filling) + scalar, point, oid=oid, parameters=parameters)
    for kind in (CKK_EC, CKK_SM2):
        opened = token.unwrap(ENVELOPE, private, envelope, NEW_SM2 | {A.KEY_TYPE: kind})
        assert signs_for(token, opened, point)
        assert token.number(opened, A.KEY_TYPE) == kind
        assert not token.number(opened, A.EXTRACTABLE)


def test_an_envelope_goes_from_token_to_token(open_cryptoki: Callable[[str], CryptokiSession]) -> None:
    here, there = open_cryptoki("xinyin-1"), open_cryptoki("xinyin-2")
    public, private = make_sm2(there)
    recipient = here.create({
        A.CLASS: 2, A.KEY_TYPE: CKK_SM2, A.TOKEN: False, A.WRAP: True,
        A.EC_POINT: b"\x04\x41" + point_of(there, public),
    })  # fmt: skip
    sent_public, sent = make_sm2(here, EXTRACTABLE=True)
    for _ in range(20):
        envelope = here.wrap(ENVELOPE, recipient, sent)
        opened = there.unwrap(ENVELOPE, private, envelope, NEW_SM2)
    assert signs_for(there, opened, point_of(here, sent_public))


def test_a_private_key_that_is_not_the_public_keys_is_refused(token: CryptokiSession) -> None:
    public, private = make_sm2(token)
    recipient = point_of(token, public)
    scalar, point = sm2.generate()
    other_scalar, _ = sm2.generate()
    for wrong in (
        seal(recipient, other_scalar, point),
        seal(recipient, b"\1" * 32 + scalar, point),
        seal(recipient, bytes(32), point),
        seal(recipient, scalar + bytes(32), point),
        seal(recipient, scalar, point, oid="1.2.156.10197.1.104.2"),
        seal(recipient, scalar, point, parameters=encoder.integer(1)),
        seal(recipient, scalar + bytes(16), point),
        seal(recipient, scalar, point[:-1]),
        seal(sm2.generate()[1], scalar, point),
        seal(recipient, scalar, point) + b"\0",
        b"",
    ):
        with pytest.raises(CryptokiError, match="WRAPPED_KEY_INVALID"):
            token.unwrap(ENVELOPE, private, wrong, NEW_SM2)


def test_an_envelope_with_any_byte_changed_is_refused(token: CryptokiSession) -> None:
    public, private = make_sm2(token)
    scalar, point = sm2.generate()
    envelope = seal(point_of(token, public), scalar, point)
    pick = random.Random(7)  # noqa: S311 - test data
    for position in range(len(envelope)):
        changed = bytearray(envelope)
        changed[position] ^= 1 << pick.randrange(8)
        with pytest.raises(CryptokiError, match="WRAPPED_KEY_INVALID"):
            token.unwrap(ENVELOPE, private, bytes(changed), NEW_SM2)
        with pytest.raises(CryptokiError, match="WRAPPED_KEY_INVALID"):
            token.unwrap(ENVELOPE, private, envelope[:position], NEW_SM2)


def test_an_envelope_holds_sm2_keys_alone(token: CryptokiSession) -> None:
    public, private = make_sm2(token)
    with pytest.raises(CryptokiError, match="KEY_NOT_WRAPPABLE"):
        token.wrap(ENVELOPE, public, make_sm4(token, EXTRACTABLE=True))
    scalar, point = sm2.generate()
    envelope = seal(point_of(token, public), scalar, point)
    with pytest.raises(CryptokiError, match="TEMPLATE_INCONSISTENT"):
        token.unwrap(ENVELOPE, private, envelope, NEW_SM4)
    with pytest.raises(CryptokiError, match="CKR_0xF2"):  # CKR_UNWRAPPING_KEY_TYPE_INCONSISTENT
        token.unwrap(ENVELOPE, make_aes(token), envelope, NEW_SM2)
    with pytest.raises(CryptokiError, match="KEY_FUNCTION_NOT_PERMITTED"):
        token.unwrap(ENVELOPE, import_sm2(token, scalar, UNWRAP=False), envelope, NEW_SM2)
