"""Every way by which a private value might leave softgm, by name, for each kind of key."""

import ctypes
import threading
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from support.cryptoki import (
    ULONG,
    UNAVAILABLE,
    A,
    Attribute,
    CryptokiError,
    CryptokiSession,
    Rv,
    attributes,
    gcm,
    mechanism,
)
from support.softgm_numbers import (
    AES_KEY_WRAP_PAD,
    CKK_EC,
    CKK_GENERIC_SECRET,
    CKK_SM4,
    CKO_PRIVATE_KEY,
    CKO_SECRET_KEY,
    ECDH1_DERIVE,
    ECDSA,
    SHA256,
    SHA256_HMAC,
    SM2_ENVELOPE,
    SM3,
    SM4_ECB,
    SM4_GCM,
    import_sm2,
    import_sm4,
    make_aes,
    make_sm2,
    make_sm4,
    point_of,
)

pytestmark = pytest.mark.hsm

SM2_VALUE = bytes.fromhex("3945208f7b2144b13f36e38ac6d39f95889393692860b51a42fb81ef4df7c5b8")
SM4_VALUE = bytes.fromhex("0123456789abcdeffedcba9876543210")


@dataclass(frozen=True)
class Target:
    """A key whose value is known here, and must not be learned from the token."""

    session: CryptokiSession
    handle: int
    value: bytes
    kind: str

    @property
    def key_type(self) -> int:
        return CKK_EC if self.kind == "sm2" else CKK_SM4


@pytest.fixture(params=["sm2-session", "sm2-token", "sm4-session", "sm4-token"])
def target(request: pytest.FixtureRequest, token: CryptokiSession) -> Target:
    kind, _, place = request.param.partition("-")
    lasting = place == "token"
    if kind == "sm2":
        return Target(token, import_sm2(token, SM2_VALUE, TOKEN=lasting), SM2_VALUE, kind)
    return Target(token, import_sm4(token, SM4_VALUE, TOKEN=lasting), SM4_VALUE, kind)


@pytest.fixture(params=["sm2", "sm4"])
def make(request: pytest.FixtureRequest, token: CryptokiSession) -> Callable[..., int]:
    """Makes a key of the kind from a template's further attributes: imported with IMPORT=True, or generated."""

    def made(*, imported: bool, **more: bytes | bool | int | str) -> int:
        if imported:
            writer, value = (import_sm2, SM2_VALUE) if request.param == "sm2" else (import_sm4, SM4_VALUE)
            return writer(token, value, **more)
        return make_sm2(token, **more)[1] if request.param == "sm2" else make_sm4(token, **more)

    return made


def refused(session: CryptokiSession, function: str, *arguments: object) -> Rv:
    rv = session.call(function, *arguments)
    assert rv != Rv.OK, f"C_{function} did it"
    return rv


# ---- Reading ---------------------------------------------------------------------------------------------------------


def test_get_attribute_does_not_give_the_value(target: Target) -> None:
    buffer = ctypes.create_string_buffer(b"\xee" * 64, 64)
    asked = Attribute(A.VALUE, ctypes.addressof(buffer), 64)
    assert refused(target.session, "GetAttributeValue", target.handle, ctypes.byref(asked), 1) == Rv.ATTRIBUTE_SENSITIVE
    assert asked.length == UNAVAILABLE
    assert buffer.raw == b"\xee" * 64


def test_nor_among_other_attributes(target: Target) -> None:
    buffers = [ctypes.create_string_buffer(b"\xee" * 64, 64) for _ in range(3)]
    asked = (Attribute * 3)(
        *(
            Attribute(kind, ctypes.addressof(buffer), 64)
            for kind, buffer in zip((A.CLASS, A.VALUE, A.TOKEN), buffers, strict=True)
        )
    )
    assert refused(target.session, "GetAttributeValue", target.handle, asked, 3) == Rv.ATTRIBUTE_SENSITIVE
    assert [one.length for one in asked] == [8, UNAVAILABLE, 1], "and the others are answered"
    assert buffers[1].raw == b"\xee" * 64


def test_no_attribute_of_the_key_holds_the_value(target: Target) -> None:
    for kind in A:
        try:
            value = target.session.attribute(target.handle, kind)
        except CryptokiError:
            continue
        assert target.value not in value, kind.name
    for number in range(0x80000000, 0x80000020):
        with pytest.raises(CryptokiError):
            target.session.attribute(target.handle, number)


def test_find_by_value_does_not_tell_whether_a_guess_is_right(target: Target) -> None:
    assert target.session.find({A.VALUE: target.value}) == []
    assert target.session.find({A.CLASS: CKO_SECRET_KEY, A.VALUE: target.value}) == []
    assert target.session.find({A.VALUE: target.value[:8]}) == []


def test_find_sees_the_flags_as_they_look_from_outside(target: Target) -> None:
    everything = {A.KEY_TYPE: target.key_type}
    assert target.handle in target.session.find(everything | {A.SENSITIVE: True, A.EXTRACTABLE: False})
    assert target.handle not in target.session.find(everything | {A.SENSITIVE: False})
    assert target.handle not in target.session.find(everything | {A.EXTRACTABLE: True})
    assert target.handle not in target.session.find(everything | {A.COPYABLE: True})


def test_the_size_of_an_object_is_no_secret(target: Target) -> None:
    size = ULONG()
    target.session.demand("GetObjectSize", target.handle, ctypes.byref(size))
    other = import_sm4(target.session, bytes(16)) if target.kind == "sm4" else import_sm2(target.session, b"\1" * 32)
    other_size = ULONG()
    target.session.demand("GetObjectSize", other, ctypes.byref(other_size))
    assert size.value == other_size.value


# ---- Changing --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        {A.SENSITIVE: False},
        {A.EXTRACTABLE: True},
        {A.COPYABLE: True},
        {A.ALWAYS_SENSITIVE: True},
        {A.NEVER_EXTRACTABLE: True},
        {A.VALUE: bytes(16)},
        {A.KEY_TYPE: CKK_GENERIC_SECRET},
        {A.ALLOWED_MECHANISMS: bytes(ULONG(SHA256_HMAC))},
    ],
    ids=lambda change: next(iter(change)).name,
)
def test_set_attribute_does_not_open_a_key(target: Target, change: dict[int, bytes | bool | int]) -> None:
    assert refused(target.session, "SetAttributeValue", target.handle, *attributes(change)) == Rv.ATTRIBUTE_READ_ONLY
    label = {A.LABEL: "changed along"} | change
    assert refused(target.session, "SetAttributeValue", target.handle, *attributes(label)) == Rv.ATTRIBUTE_READ_ONLY


def test_the_attributes_where_the_flags_are_kept_cannot_be_set(target: Target) -> None:
    inner = A.DERIVE if target.kind == "sm4" else A.SIGN_RECOVER
    assert refused(target.session, "SetAttributeValue", target.handle, *attributes({inner: True})) == (
        Rv.ATTRIBUTE_READ_ONLY
    )
    assert target.session.number(target.handle, A.EXTRACTABLE) == 0


@pytest.mark.parametrize(
    "template", [{}, {A.LABEL: "copy"}, {A.SENSITIVE: False}, {A.TOKEN: False, A.EXTRACTABLE: True}]
)
def test_copy_is_refused(target: Target, template: dict[int, bytes | bool | int | str]) -> None:
    copy = ULONG()
    assert refused(target.session, "CopyObject", target.handle, *attributes(template), ctypes.byref(copy)) == (
        Rv.ACTION_PROHIBITED
    )


# ---- Making ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("imported", [True, False])
@pytest.mark.parametrize("promise", ["SENSITIVE", "PRIVATE"])
def test_a_template_that_asks_for_an_open_key_is_refused(
    make: Callable[..., int], promise: str, *, imported: bool
) -> None:
    with pytest.raises(CryptokiError, match="TEMPLATE_INCONSISTENT"):
        make(imported=imported, **{promise: False})


@pytest.mark.parametrize("imported", [True, False])
@pytest.mark.parametrize("promise", ["COPYABLE", "WRAP_WITH_TRUSTED"])
def test_a_template_that_asks_for_what_softgm_does_not_keep_is_refused(
    make: Callable[..., int], promise: str, *, imported: bool
) -> None:
    with pytest.raises(CryptokiError, match="TEMPLATE_INCONSISTENT"):
        make(imported=imported, **{promise: True})


@pytest.mark.parametrize("imported", [True, False])
@pytest.mark.parametrize("flag", ["ALWAYS_SENSITIVE", "NEVER_EXTRACTABLE", "LOCAL"])
def test_a_template_cannot_claim_the_past(make: Callable[..., int], flag: str, *, imported: bool) -> None:
    with pytest.raises(CryptokiError, match="ATTRIBUTE_READ_ONLY"):
        make(imported=imported, **{flag: True})


@pytest.mark.parametrize("imported", [True, False])
def test_a_template_cannot_bring_marks(make: Callable[..., int], *, imported: bool) -> None:
    with pytest.raises(CryptokiError, match="TEMPLATE_INCONSISTENT"):
        make(imported=imported, ALLOWED_MECHANISMS=bytes(ULONG(SHA256_HMAC)))


def test_nobody_elses_object_is_marked_as_ours(token: CryptokiSession) -> None:
    forged = {A.ALLOWED_MECHANISMS: bytes(ULONG(SHA256_HMAC)) + bytes(ULONG(0x80000107))}
    secret = {A.CLASS: CKO_SECRET_KEY, A.KEY_TYPE: CKK_GENERIC_SECRET, A.VALUE: SM4_VALUE}
    with pytest.raises(CryptokiError, match="TEMPLATE_INCONSISTENT"):
        token.create(secret | forged)
    with pytest.raises(CryptokiError, match="TEMPLATE_INCONSISTENT"):
        token.generate(mechanism(0x1080), {A.CLASS: CKO_SECRET_KEY, A.VALUE_LEN: 32} | forged)
    plain = token.create(secret)
    copy = ULONG()
    assert token.call("CopyObject", plain, *attributes(forged), ctypes.byref(copy)) == Rv.TEMPLATE_INCONSISTENT
    assert token.call("SetAttributeValue", plain, *attributes(forged)) == Rv.ATTRIBUTE_READ_ONLY


@pytest.mark.parametrize("imported", [True, False])
def test_the_history_of_a_key_is_told_as_it_was(
    make: Callable[..., int], token: CryptokiSession, *, imported: bool
) -> None:
    sealed, open_ = make(imported=imported), make(imported=imported, EXTRACTABLE=True)
    told = [A.SENSITIVE, A.ALWAYS_SENSITIVE, A.EXTRACTABLE, A.NEVER_EXTRACTABLE, A.LOCAL]
    generated = not imported
    assert [token.number(sealed, flag) for flag in told] == [1, generated, 0, generated, generated]
    assert [token.number(open_, flag) for flag in told] == [1, generated, 1, 0, generated]
    token.demand("SetAttributeValue", open_, *attributes({A.EXTRACTABLE: False}))
    assert [token.number(open_, flag) for flag in told] == [1, generated, 0, 0, generated]
    assert token.call("SetAttributeValue", open_, *attributes({A.EXTRACTABLE: True})) == Rv.ATTRIBUTE_READ_ONLY


# ---- Wrapping and deriving -------------------------------------------------------------------------------------------


def test_no_mechanism_wraps_a_key_that_is_not_extractable(target: Target) -> None:
    session = target.session
    aes, sm4, (public, _) = make_aes(session), make_sm4(session), make_sm2(session)
    for number in sorted(_mechanisms(session)):
        for how in (mechanism(number), mechanism(number, bytes(16)), mechanism(SM4_GCM, gcm(bytes(12)))):
            for wrapping in (aes, sm4, public):
                buffer, length = ctypes.create_string_buffer(4096), ULONG(4096)
                rv = refused(
                    session, "WrapKey", ctypes.byref(how), wrapping, target.handle, buffer, ctypes.byref(length)
                )
                assert rv == Rv.KEY_UNEXTRACTABLE
                assert buffer.raw == bytes(4096)


def _mechanisms(session: CryptokiSession) -> set[int]:
    slot = session.module.slot("xinyin-1")
    count = ULONG()
    session.module.demand("GetMechanismList", slot, None, ctypes.byref(count))
    numbers = (ULONG * count.value)()
    session.module.demand("GetMechanismList", slot, numbers, ctypes.byref(count))
    return set(numbers)


class EcdhParameters(ctypes.Structure):
    """CK_ECDH1_DERIVE_PARAMS."""

    _fields_ = (
        ("kdf", ULONG),
        ("shared_length", ULONG),
        ("shared", ctypes.c_char_p),
        ("public_length", ULONG),
        ("public", ctypes.c_char_p),
    )


def test_nothing_is_derived_from_a_key_but_by_its_own_mechanism(target: Target) -> None:
    session = target.session
    point = point_of(session, make_sm2(session)[0])
    open_secret = {
        A.CLASS: CKO_SECRET_KEY, A.KEY_TYPE: CKK_GENERIC_SECRET, A.SENSITIVE: False, A.EXTRACTABLE: True,
        A.VALUE_LEN: 32, A.TOKEN: False,
    }  # fmt: skip
    handle = ULONG()
    ecdh = mechanism(ECDH1_DERIVE, EcdhParameters(1, 0, None, len(point), point))
    for how in (ecdh, *(mechanism(number, bytes(16)) for number in sorted(_mechanisms(session)) if number < 1 << 31)):
        rv = refused(
            session, "DeriveKey", ctypes.byref(how), target.handle, *attributes(open_secret), ctypes.byref(handle)
        )
        assert rv == Rv.KEY_TYPE_INCONSISTENT


# ---- Using what it is inside -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("digest", [SM3, SHA256])
def test_digest_key_does_not_tell_a_guess(target: Target, digest: int) -> None:
    target.session.demand("DigestInit", ctypes.byref(mechanism(digest)))
    assert refused(target.session, "DigestKey", target.handle) == Rv.KEY_INDIGESTIBLE


@pytest.mark.parametrize("function", ["SignInit", "VerifyInit", "EncryptInit", "DecryptInit", "SignRecoverInit"])
def test_no_foreign_mechanism_works_with_a_key(target: Target, function: str) -> None:
    for number in sorted(_mechanisms(target.session)):
        if number < 1 << 31:
            for how in (mechanism(number), mechanism(number, bytes(16))):
                refused(target.session, function, ctypes.byref(how), target.handle)


def test_mechanisms_of_one_kind_do_not_work_with_another(token: CryptokiSession) -> None:
    public, private = make_sm2(token)
    sm4 = make_sm4(token)
    for key in (private, public):
        assert token.call("EncryptInit", ctypes.byref(mechanism(SM4_ECB)), key) == Rv.KEY_TYPE_INCONSISTENT
    for number in (0x80008102, 0x80008105, ECDSA, SHA256_HMAC):
        assert token.call("SignInit", ctypes.byref(mechanism(number)), sm4) == Rv.KEY_TYPE_INCONSISTENT


@pytest.mark.parametrize("number", [0x80008105, 0x80009002])
def test_a_running_operation_is_not_saved(token: CryptokiSession, number: int) -> None:
    key = make_sm4(token) if number == 0x80009002 else make_sm2(token)[1]
    token.demand("SignInit", ctypes.byref(mechanism(number)), key)
    length = ULONG(4096)
    buffer = ctypes.create_string_buffer(4096)
    assert refused(token, "GetOperationState", buffer, ctypes.byref(length)) == Rv.STATE_UNSAVEABLE
    assert buffer.raw == bytes(4096)


def test_a_running_operation_is_not_replaced_by_a_foreign_one(token: CryptokiSession) -> None:
    """Or else C_Sign would sign with the key of the first C_SignInit what was meant for the second."""
    _, private = make_sm2(token)
    rsa = {A.TOKEN: False, A.MODULUS_BITS: 2048, A.VERIFY: True}
    _, foreign = token.generate_pair(mechanism(0x0), rsa, {A.TOKEN: False, A.SIGN: True})
    token.demand("SignInit", ctypes.byref(mechanism(0x80008105)), private)
    assert token.call("SignInit", ctypes.byref(mechanism(0x40)), foreign) == Rv.OPERATION_ACTIVE


# ---- Moving ----------------------------------------------------------------------------------------------------------


def test_what_passes_through_the_token_while_a_key_moves_is_masked(token: CryptokiSession) -> None:
    """A second thread that lists all objects and reads every value, while keys are wrapped and unwrapped."""
    aes = make_aes(token)
    key = import_sm2(token, SM2_VALUE, EXTRACTABLE=True)
    how = mechanism(AES_KEY_WRAP_PAD)
    wrapped = token.wrap(how, aes, key)
    template = {A.CLASS: CKO_PRIVATE_KEY, A.KEY_TYPE: CKK_EC, A.TOKEN: False, A.SIGN: True}
    spy = token.module.open("xinyin-1")
    done = threading.Event()
    seen: list[bytes] = []
    looked = 0

    def look() -> None:
        nonlocal looked
        while not done.is_set() or looked == 0:
            for handle in spy.find({A.CLASS: CKO_SECRET_KEY}):
                looked += 1
                try:
                    seen.append(spy.attribute(handle, A.VALUE))
                except CryptokiError:
                    continue

    thread = threading.Thread(target=look)
    thread.start()
    try:
        for _ in range(100):
            token.demand("DestroyObject", token.unwrap(how, aes, wrapped, template))
            assert token.wrap(how, aes, key)
    finally:
        done.set()
        thread.join()
    assert not seen
    assert looked


def test_the_public_key_alone_opens_nothing(token: CryptokiSession) -> None:
    public, _ = make_sm2(token)
    envelope = token.wrap(mechanism(SM2_ENVELOPE), public, import_sm2(token, SM2_VALUE, EXTRACTABLE=True))
    assert SM2_VALUE not in envelope
    _, other = make_sm2(token)
    template = {A.CLASS: CKO_PRIVATE_KEY, A.KEY_TYPE: CKK_EC, A.TOKEN: False}
    with pytest.raises(CryptokiError, match="C_UnwrapKey: WRAPPED_KEY_INVALID"):
        token.unwrap(mechanism(SM2_ENVELOPE), other, envelope, template)
