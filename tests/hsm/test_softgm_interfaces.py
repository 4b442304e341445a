"""What softgm offers: interfaces of PKCS#11 3.0, mechanisms, key types inside and outside."""

import ctypes
from pathlib import Path

import pytest

from hsm import software
from hsm.pkcs11.module import LoadedModule, vendor_source

from support.cryptoki import FUNCTIONS, FUNCTIONS_3_0, ULONG, A, CryptokiSession, Rv, attributes, mechanism
from support.softgm_numbers import (
    CKK_AES,
    CKK_EC,
    CKK_GENERIC_SECRET,
    CKK_SM2,
    CKK_SM4,
    CKO_PRIVATE_KEY,
    CKO_PUBLIC_KEY,
    CKO_SECRET_KEY,
    PRIVATE_TEMPLATE,
    PUBLIC_TEMPLATE,
    SM2_KEY_PAIR_GEN,
    SM2_PARAMETERS,
    SM2_RAW,
    import_sm2,
    make_aes,
    make_sm2,
    make_sm4,
    point_of,
)

pytestmark = pytest.mark.hsm


class Interface(ctypes.Structure):
    """CK_INTERFACE."""

    _fields_ = (("name", ctypes.c_char_p), ("functions", ctypes.POINTER(ctypes.c_void_p)), ("flags", ULONG))


class Version(ctypes.Structure):
    """CK_VERSION."""

    _fields_ = (("major", ctypes.c_ubyte), ("minor", ctypes.c_ubyte))


def version(interface: Interface) -> tuple[int, int]:
    found = ctypes.cast(interface.functions, ctypes.POINTER(Version)).contents
    return found.major, found.minor


def get(library: ctypes.CDLL, name: bytes | None, wanted: tuple[int, int] | None, flags: int = 0) -> Interface | Rv:
    found = ctypes.POINTER(Interface)()
    asked = ctypes.byref(Version(*wanted)) if wanted else None
    rv = Rv(library.C_GetInterface(name, asked, ctypes.byref(found), ULONG(flags)))
    return rv or found.contents


def test_two_interfaces_are_listed(token: CryptokiSession) -> None:
    library = token.module.library
    count = ULONG()
    assert library.C_GetInterfaceList(None, ctypes.byref(count)) == Rv.OK
    assert count.value == 2
    listed = (Interface * 2)()
    count = ULONG(1)
    assert library.C_GetInterfaceList(listed, ctypes.byref(count)) == Rv.BUFFER_TOO_SMALL
    assert count.value == 2
    assert library.C_GetInterfaceList(listed, ctypes.byref(count)) == Rv.OK
    assert [(one.name, version(one), one.flags) for one in listed] == [
        (b"PKCS 11", (2, 40), 0), (b"PKCS 11", (3, 0), 0),
    ]  # fmt: skip
    assert library.C_GetInterfaceList(None, None) == Rv.ARGUMENTS_BAD


def test_an_interface_is_found_by_name_and_version(token: CryptokiSession) -> None:
    library = token.module.library
    for name, wanted, expected in (
        (None, None, (2, 40)),
        (b"PKCS 11", None, (2, 40)),
        (b"PKCS 11", (2, 40), (2, 40)),
        (None, (3, 0), (3, 0)),
    ):
        found = get(library, name, wanted)
        assert isinstance(found, Interface)
        assert version(found) == expected
    for name, wanted, flags in (
        (b"Vendor X", None, 0),
        (b"PKCS 11", (3, 1), 0),
        (b"PKCS 11", (2, 20), 0),
        (None, None, 1),
    ):
        assert get(library, name, wanted, flags) == Rv(0x6)  # CKR_FUNCTION_FAILED
    assert library.C_GetInterface(None, None, None, ULONG(0)) == Rv.ARGUMENTS_BAD


def test_the_list_of_3_0_is_whole(token: CryptokiSession) -> None:
    interface = get(token.module.library, b"PKCS 11", (3, 0))
    assert isinstance(interface, Interface)
    prototype = ctypes.CFUNCTYPE(ULONG)
    addresses = interface.functions[1 : 1 + len(FUNCTIONS) + len(FUNCTIONS_3_0)]
    assert len(addresses) == 92
    assert all(addresses)
    named = dict(zip((*FUNCTIONS, *FUNCTIONS_3_0), addresses, strict=True))
    for name in FUNCTIONS_3_0[2:]:
        rv = prototype(named[name])(*(ULONG(0) for _ in range(9)))
        assert rv == Rv.FUNCTION_NOT_SUPPORTED, name
    info = ctypes.create_string_buffer(256)
    assert prototype(named["GetInfo"])(info) == Rv.OK
    assert info.raw[:2] == b"\x03\x00"
    count = ULONG()
    assert prototype(named["GetInterfaceList"])(None, ctypes.byref(count)) == Rv.OK
    block = ctypes.create_string_buffer(16)
    assert prototype(named["GenerateRandom"])(ULONG(token.handle), block, ULONG(16)) == Rv.OK


def test_a_shim_speaks_for_2_40_alone(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOFTHSM2_CONF", str(software.configuration_file(data_dir).absolute()))
    inner = software.machine_source(data_dir).inner
    module = LoadedModule(vendor_source("vendor", inner, software.module_cache(data_dir), locks=False))
    library = ctypes.CDLL(module.library.so)
    library.C_GetInterface.restype = library.C_GetInterfaceList.restype = ULONG
    try:
        found = get(library, None, None)
        assert isinstance(found, Interface)
        assert version(found) == (2, 40)
        assert isinstance(get(library, None, (3, 0)), Rv)
    finally:
        module.close()


# ---- Key types -------------------------------------------------------------------------------------------------------


def make_vendor_sm2(session: CryptokiSession) -> tuple[int, int]:
    public = PUBLIC_TEMPLATE | {A.KEY_TYPE: CKK_SM2}
    return session.generate_pair(mechanism(SM2_KEY_PAIR_GEN), public, PRIVATE_TEMPLATE | {A.KEY_TYPE: CKK_SM2})


def test_a_key_reads_as_it_was_made_and_is_found_as_either(token: CryptokiSession) -> None:
    plain, vendor = make_sm2(token), make_vendor_sm2(token)
    assert {token.number(key, A.KEY_TYPE) for key in plain} == {CKK_EC}
    assert {token.number(key, A.KEY_TYPE) for key in vendor} == {CKK_SM2}
    assert {token.number(key, A.KEY_GEN_MECHANISM) for key in plain} == {0x1040}
    assert {token.number(key, A.KEY_GEN_MECHANISM) for key in vendor} == {SM2_KEY_PAIR_GEN}
    for wanted in (CKK_EC, CKK_SM2):
        assert {*plain, *vendor} <= set(token.find({A.KEY_TYPE: wanted}))
        found = token.find({A.KEY_TYPE: wanted, A.CLASS: CKO_PRIVATE_KEY})
        assert {plain[1], vendor[1]} == set(found) & {*plain, *vendor}
    e = bytes(range(32))
    for public, private in (plain, vendor):
        signature = token.crypt("Sign", mechanism(SM2_RAW), private, e)
        assert token.verify(mechanism(SM2_RAW), public, e, signature) == Rv.OK


def test_imported_keys_read_as_they_were_written(token: CryptokiSession) -> None:
    assert token.number(import_sm2(token, b"\1" * 32), A.KEY_TYPE) == CKK_EC
    vendor = import_sm2(token, b"\1" * 32, KEY_TYPE=CKK_SM2)
    assert token.number(vendor, A.KEY_TYPE) == CKK_SM2
    point = point_of(token, make_sm2(token)[0])
    template = {A.CLASS: CKO_PUBLIC_KEY, A.TOKEN: False, A.EC_POINT: b"\x04\x41" + point, A.VERIFY: True}
    named = {A.EC_PARAMS: SM2_PARAMETERS}
    for number, more in ((CKK_SM2, {}), (CKK_SM2, named), (CKK_EC, named)):
        key = token.create(template | {A.KEY_TYPE: number} | more)
        assert token.number(key, A.KEY_TYPE) == number
        assert token.attribute(key, A.EC_PARAMS) == SM2_PARAMETERS


def test_sm4_keys_are_no_generic_secrets_outside(token: CryptokiSession) -> None:
    sm4, aes = make_sm4(token), make_aes(token)
    generic = token.create({A.CLASS: CKO_SECRET_KEY, A.KEY_TYPE: CKK_GENERIC_SECRET, A.VALUE: bytes(16)})
    assert token.number(sm4, A.KEY_TYPE) == CKK_SM4
    assert token.number(sm4, A.VALUE_LEN) == 16
    assert token.number(sm4, A.KEY_GEN_MECHANISM) == 0x80000107
    found = {wanted: set(token.find({A.KEY_TYPE: wanted})) for wanted in (CKK_SM4, CKK_GENERIC_SECRET, CKK_AES)}
    assert sm4 in found[CKK_SM4]
    assert found[CKK_GENERIC_SECRET] & {sm4, generic, aes} == {generic}
    assert found[CKK_AES] & {sm4, generic, aes} == {aes}
    assert {generic, aes}.isdisjoint(found[CKK_SM4])


def test_sm2_of_another_curve_is_nothing(token: CryptokiSession) -> None:
    make_sm2(token)
    p256 = bytes.fromhex("06082a8648ce3d030107")
    assert token.find({A.KEY_TYPE: CKK_SM2, A.EC_PARAMS: p256}) == []
    assert token.find({A.KEY_TYPE: CKK_SM4, A.EC_PARAMS: SM2_PARAMETERS}) == []
    public = PUBLIC_TEMPLATE | {A.EC_PARAMS: p256}
    handles = ULONG(), ULONG()
    rv = token.call(
        "GenerateKeyPair", ctypes.byref(mechanism(SM2_KEY_PAIR_GEN)), *attributes(public),
        *attributes(PRIVATE_TEMPLATE), *(ctypes.byref(handle) for handle in handles),
    )  # fmt: skip
    assert rv == Rv.TEMPLATE_INCONSISTENT


def test_a_search_of_ours_is_a_search_like_any(token: CryptokiSession) -> None:
    make_sm4(token)
    array = attributes({A.KEY_TYPE: CKK_SM4})
    token.demand("FindObjectsInit", *array)
    assert token.call("FindObjectsInit", *array) == Rv.OPERATION_ACTIVE
    assert token.call("FindObjectsInit", None, 0) == Rv.OPERATION_ACTIVE
    count = ULONG()
    assert token.call("FindObjects", None, 1, ctypes.byref(count)) == Rv.ARGUMENTS_BAD
    token.demand("FindObjectsFinal")
    assert token.call("FindObjectsFinal") == Rv.OPERATION_NOT_INITIALIZED
    token.demand("FindObjectsInit", None, 0)
    assert token.call("FindObjectsInit", *array) == Rv.OPERATION_ACTIVE
    token.demand("FindObjectsFinal")


def test_keys_of_the_token_keep_their_type(token: CryptokiSession, data_dir: Path) -> None:
    make_sm4(token, TOKEN=True, LABEL="sm4")
    public = PUBLIC_TEMPLATE | {A.KEY_TYPE: CKK_SM2, A.TOKEN: True, A.LABEL: "sm2"}
    private = PRIVATE_TEMPLATE | {A.TOKEN: True, A.LABEL: "sm2"}
    token.generate_pair(mechanism(SM2_KEY_PAIR_GEN), public, private)
    slot = token.module.slot("xinyin-1")
    token.module.demand("CloseAllSessions", slot)
    other = token.module.open("xinyin-1")
    assert other.find({A.KEY_TYPE: CKK_SM4}) == [], "private objects want a login"
    pin = (data_dir / "secrets" / "hsm_pin").read_text().strip()
    other.demand("Login", 1, pin.encode(), len(pin))
    assert [other.number(key, A.KEY_TYPE) for key in other.find({A.LABEL: "sm4"})] == [CKK_SM4]
    assert {other.number(key, A.KEY_TYPE) for key in other.find({A.LABEL: "sm2"})} == {CKK_SM2}


def test_the_mechanisms_say_what_they_are_for(token: CryptokiSession) -> None:
    slot = token.module.slot("xinyin-1")
    flags = {
        0x80008001: 0x10000, 0x80008102: 0x2800, 0x80008105: 0x2800, 0x80008201: 0x300, 0x80008300: 0x80000,
        0x80008301: 0x60000, 0x80009001: 0x400, 0x80009002: 0x2800, 0x80000107: 0x8000, 0x80000108: 0x300,
        0x80000109: 0x300, 0x8000A102: 0x300, 0x8000010A: 0x60300,
    }  # fmt: skip
    for number, expected in flags.items():
        info = (ULONG * 3)()
        token.module.demand("GetMechanismInfo", slot, number, info)
        assert info[2] == expected, hex(number)
    assert token.module.call("GetMechanismInfo", 12345, 0x80008001, (ULONG * 3)()) == Rv(0x3)  # CKR_SLOT_ID_INVALID
