"""Vendor profiles: data that is checked, chosen by what a module says, and believed only when it was proved."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from hsm.core.profiles import CipherForm, CipherMode, SignatureForm, VendorProfile, match_profile, parse_profile
from hsm.errors import MachineUnfitError
from hsm.machine import KeyReference
from hsm.opening import pkcs11_machine
from hsm.pkcs11 import Pkcs11Machine
from hsm.settings import HsmSettings
from hsm.software import software_machines
from hsm.vendors import VendorBook, packaged_profiles
from trustcore.crypto import verify
from trustcore.crypto.algorithms import KeyAlgorithm
from trustcore.errors import MalformedError, NotFoundError

XIPKI = {
    "tass": {
        "CKK_VENDOR_SM2": 0x80000004,
        "CKK_VENDOR_SM4": 0x80000002,
        "CKM_VENDOR_SM2_KEY_PAIR_GEN": 0x80008001,
        "CKM_VENDOR_SM2": 0x80008000,
        "CKM_VENDOR_SM2_SM3": 0x80008100,
        "CKM_VENDOR_SM2_ENCRYPT": 0x80008200,
        "CKM_VENDOR_SM3": 0x80000005,
        "CKM_VENDOR_SM4_KEY_GEN": 0x80000107,
        "CKM_VENDOR_SM4_ECB": 0x80000108,
        "CKM_VENDOR_SM4_CBC": 0x80000109,
    },
    "sansec": {
        "CKK_VENDOR_SM2": 0x80000004,
        "CKK_VENDOR_SM4": 0x80000106,
        "CKM_VENDOR_SM2_KEY_PAIR_GEN": 0x80008001,
        "CKM_VENDOR_SM2_SM3": 0x80008100,
        "CKM_VENDOR_SM3": 0x80009001,
        "CKM_VENDOR_SM4_KEY_GEN": 0x80000107,
        "CKM_VENDOR_SM4_ECB": 0x80000108,
        "CKM_VENDOR_SM4_CBC": 0x80000109,
    },
    "luna": {
        "CKK_VENDOR_SM2": 0x80000016,
        "CKK_VENDOR_SM4": 0x80000015,
        "CKM_VENDOR_SM2_KEY_PAIR_GEN": 0x80000B20,
        "CKM_VENDOR_SM2": 0x80000B21,
        "CKM_VENDOR_SM2_SM3": 0x80000B22,
        "CKM_VENDOR_SM3": 0x80000B01,
        "CKM_SM3_HMAC": 0x80000B02,
        "CKM_VENDOR_SM4_KEY_GEN": 0x80000B10,
        "CKM_VENDOR_SM4_ECB": 0x80000B11,
        "CKM_VENDOR_SM4_CBC": 0x80000B12,
    },
    "ibm-ep11": {
        "CKK_VENDOR_SM2": 0x80050002,
        "CKK_VENDOR_SM4": 0x80050001,
        "CKM_VENDOR_SM2_KEY_PAIR_GEN": 0x8005000A,
        "CKM_VENDOR_SM2": 0x8005000B,
        "CKM_VENDOR_SM2_SM3": 0x8005000C,
        "CKM_VENDOR_SM2_ENCRYPT": 0x8005000D,
        "CKM_VENDOR_SM3": 0x8005000E,
        "CKM_VENDOR_SM4_ECB": 0x80050004,
        "CKM_VENDOR_SM4_CBC": 0x80050002,
    },
    "xipki": {
        "CKK_VENDOR_SM2": 0xFFFFF001,
        "CKK_VENDOR_SM4": 0xFFFFF002,
        "CKM_VENDOR_SM2_KEY_PAIR_GEN": 0xFFFFF001,
        "CKM_VENDOR_SM2": 0xFFFFF002,
        "CKM_VENDOR_SM2_SM3": 0xFFFFF003,
        "CKM_VENDOR_SM2_ENCRYPT": 0xFFFFF004,
        "CKM_VENDOR_SM3": 0xFFFFF005,
        "CKM_VENDOR_SM4_KEY_GEN": 0xFFFFF006,
        "CKM_VENDOR_SM4_ECB": 0xFFFFF007,
        "CKM_VENDOR_SM4_CBC": 0xFFFFF008,
    },
}
"""Published by XiPKI: vendor.conf and PKCS11Constants of xipki/ipkcs11wrapper, commit 3485b4cc. Those of IBM stand
there in the block of Sansec, as “to compatible with IBM HSM”, under CKM_IBM_…. Two of Sansec are not compared: its own
header has a second number for the same operation, which we use (0x80008105 beside CKM_VENDOR_SM2 0x80008104, in the
other form; 0x80008201 beside CKM_VENDOR_SM2_ENCRYPT 0x80008200, in DER)."""

XIPKI_SIGNATURES = {"tass": SignatureForm.DER, "sansec": SignatureForm.RAW, "luna": SignatureForm.RAW}
"""SM2_SIGNATURE_X962 among VENDOR_BEHAVIORS, or not."""

HEADERS = {
    "sansec": {
        "CKK_VENDOR_SM2": 0x80000004,
        "CKM_VENDOR_SM2_KEY_PAIR_GEN": 0x80008001,
        "CKM_VENDOR_SM2": 0x80008105,
        "CKM_VENDOR_SM2_SM3": 0x80008100,
        "CKM_VENDOR_SM2_ENCRYPT": 0x80008201,
        "CKM_VENDOR_SM3": 0x80009001,
        "CKM_VENDOR_SM4_CBC": 0x80000109,
    },
    "koal": {
        "CKK_VENDOR_SM2": 0x80000004,
        "CKK_VENDOR_SM4": 0x80000002,
        "CKM_VENDOR_SM2_KEY_PAIR_GEN": 0x80008001,
        "CKM_VENDOR_SM2": 0x80008104,
        "CKM_VENDOR_SM2_SM3": 0x80008100,
        "CKM_VENDOR_SM2_ENCRYPT": 0x80008200,
        "CKM_VENDOR_SM3": 0x80000005,
        "CKM_VENDOR_SM4_KEY_GEN": 0x80000107,
        "CKM_VENDOR_SM4_ECB": 0x80000108,
        "CKM_VENDOR_SM4_CBC": 0x80000109,
        "CKM_VENDOR_SM4_GCM": 0x8000010F,
    },
    "chainmaker": {
        "CKK_VENDOR_SM2": 0x80000004,
        "CKM_VENDOR_SM2_KEY_PAIR_GEN": 0x80008001,
        "CKM_VENDOR_SM2": 0x80008105,
        "CKM_VENDOR_SM2_SM3": 0x80008100,
        "CKM_VENDOR_SM2_ENCRYPT": 0x80008201,
        "CKM_VENDOR_SM3": 0x80009001,
    },
}
"""Published by the makers themselves or their users, in XiPKI's words: the header swpkcs11.h (public copy), the thrift
file of a Koal crypto service (格尔自定义机制), and the constants of chainmaker.org/…/common/v2/crypto/pkcs11."""

REFERENCE = KeyReference("key", b"0123456789abcdef")

OpenMachine = Callable[..., Pkcs11Machine]


def numbers(profile: VendorProfile) -> dict[str, set[int]]:
    """Our profile in XiPKI's words."""
    found = {
        "CKK_VENDOR_SM2": {profile.sm2_key_type},
        "CKK_VENDOR_SM4": {profile.sm4_key_type},
        "CKM_VENDOR_SM2_KEY_PAIR_GEN": {profile.sm2_generate},
        "CKM_VENDOR_SM2": {profile.sm2_sign_digest},
        "CKM_VENDOR_SM2_SM3": {message.number for message in profile.sm2_messages},
        "CKM_VENDOR_SM2_ENCRYPT": {profile.sm2_encrypt},
        "CKM_VENDOR_SM3": {profile.sm3_digest},
        "CKM_SM3_HMAC": {profile.sm3_hmac},
        "CKM_VENDOR_SM4_KEY_GEN": {profile.sm4_generate},
        "CKM_VENDOR_SM4_ECB": {profile.sm4_ecb},
        "CKM_VENDOR_SM4_CBC": {profile.sm4_cbc},
        "CKM_VENDOR_SM4_GCM": {profile.sm4_gcm},
    }
    return {name: {value for value in values if value is not None} for name, values in found.items()}


@pytest.mark.parametrize(
    ("vendor", "published"),
    [*XIPKI.items(), *HEADERS.items()],
    ids=[*(f"xipki-{name}" for name in XIPKI), *(f"header-{name}" for name in HEADERS)],
)
def test_our_numbers_and_those_that_are_published_agree(vendor: str, published: dict[str, int]) -> None:
    ours = numbers(packaged_profiles()[vendor])
    wrong = {name: hex(number) for name, number in published.items() if number not in ours[name]}
    assert not wrong


@pytest.mark.parametrize("vendor", XIPKI_SIGNATURES)
def test_our_signature_forms_and_those_of_xipki_agree(vendor: str) -> None:
    assert packaged_profiles()[vendor].sm2_signature is XIPKI_SIGNATURES[vendor]


def test_the_known_vendors_are_there_and_say_where_their_numbers_are_from() -> None:
    known = {"sansec", "tass", "koal", "chainmaker", "luna", "ibm-ep11", "softhsm", "softgm", "pkcs11", "xipki"}
    assert set(packaged_profiles()) == known
    assert all(profile.source for profile in packaged_profiles().values())


def test_a_machine_is_only_loaded_bare_when_it_locks() -> None:
    assert not any(profile.module_locks for name, profile in packaged_profiles().items() if name != "softgm")


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        ({"file": "softgm", "manufacturer": "SoftHSM project", "description": "softgm: SM2"}, "softgm"),
        ({"file": "libsofthsm2.so", "manufacturer": "SoftHSM", "description": "Implementation of PKCS11"}, "softhsm"),
        ({"file": "libupkcs11.so", "manufacturer": "", "description": ""}, "sansec"),
        ({"file": "libTassPkcs11.so", "manufacturer": "", "description": ""}, "tass"),
        ({"file": "libCryptoki2_64.so", "manufacturer": "SafeNet", "description": "Chrystoki"}, "luna"),
        ({"file": "libCryptoki2_64.so", "manufacturer": "SafeNet", "description": "another"}, None),
        ({"file": "PKCS11_API.so", "manufacturer": "IBM", "description": "openCryptoki"}, None),
        ({"file": "libopencryptoki.so", "manufacturer": "IBM", "description": "openCryptoki"}, "ibm-ep11"),
        ({"file": "cryptoki.so", "manufacturer": "Nobody", "description": "nothing"}, None),
    ],
)
def test_a_profile_is_chosen_by_what_the_module_says(said: dict[str, str], wanted: str | None) -> None:
    found = match_profile(packaged_profiles().values(), **said)
    assert (found.name if found else None) == wanted


def test_before_the_module_is_loaded_only_patterns_of_the_file_count() -> None:
    assert match_profile(packaged_profiles().values(), file="libCryptoki2_64.so") is None
    assert match_profile(packaged_profiles().values(), file="libupkcs11.so") is packaged_profiles()["sansec"]


def test_an_installation_brings_its_own_profile_and_replaces_a_packaged_one(tmp_path: Path) -> None:
    mine, theirs = tmp_path / "mine.toml", tmp_path / "tass.toml"
    mine.write_text('name = "city"\nsource = "pkcs11.h of the maker"\n[match]\nfiles = ["upkcs11"]\n')
    theirs.write_text('name = "tass"\nsource = "another firmware"\n[sm2]\nsign_digest = 0x80008105\n')
    book = VendorBook([mine, theirs])
    found = book.choose("auto", file="libupkcs11.so", manufacturer="", description="")
    assert found is not None
    assert found.name == "city", "its patterns count more than those of the program"
    assert book.named("tass").sm2_sign_digest == 0x80008105
    assert VendorBook().named("tass").sm2_sign_digest == 0x80008000


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("name = ", "my.toml"),
        ('name = "a"\n', "source"),
        ('name = "a"\nsource = "b"\ncolour = "red"\n', "colour"),
        ('name = "a"\nsource = "b"\n[sm2]\nsignatur = "raw"\n', "sm2.signatur"),
        ('name = "a"\nsource = "b"\n[sm2]\nsignature = "plain"\n', "sm2.signature"),
        ('name = "a"\nsource = "b"\n[sm2]\nsign_digest = "8105"\n', "sm2.sign_digest"),
        ('name = "a"\nsource = "b"\n[sm2]\nsign_digest = -1\n', "sm2.sign_digest"),
        ('name = "a"\nsource = "b"\n[sm2]\nsign_digest = 0x1_0000_0000_0000_0000\n', "sm2.sign_digest"),
        ('name = "auto"\nsource = "b"\n', "name"),
        ('name = "a"\nsource = "b"\n[match]\nfiles = [""]\n', "match.files"),
    ],
)
def test_what_is_wrong_in_a_profile_is_named(text: str, part: str) -> None:
    with pytest.raises(MalformedError) as caught:
        parse_profile(text, file="my.toml")
    assert caught.value.code == "hsm.profile.malformed"
    assert part in caught.value.detail


def test_a_profile_that_is_not_there_or_no_text_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError) as missing:
        VendorBook([tmp_path / "none.toml"])
    assert (missing.value.code, missing.value.facts["file"]) == ("hsm.profile.missing", "none.toml")
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(MalformedError):
        VendorBook([tmp_path / "bytes.toml"])


def test_an_unknown_profile_is_named_with_the_known_ones() -> None:
    with pytest.raises(MalformedError) as caught:
        VendorBook().named("nobody")
    assert caught.value.code == "hsm.profile.unknown"
    assert "sansec" in caught.value.detail


# The proof at the connection, in software machines whose profile is changed.


@pytest.fixture
def open_machine(data_dir: Path, tmp_path: Path) -> OpenMachine:
    """The first software machine under a profile of the name that is given, or with changes to that of softgm."""
    opened = []

    def open_with(profile: str = "softgm", text: str = "") -> Pkcs11Machine:
        files = ()
        if text:
            file = tmp_path / "profile.toml"
            file.write_text(text)
            files, profile = (file,), "changed"
        settings = software_machines(data_dir)[0].model_copy(update={"profile": profile})
        machine = pkcs11_machine(settings, HsmSettings(profiles=files), data_dir)
        opened.append(machine)
        return machine

    yield open_with
    for machine in opened:
        machine.close()


SOFTGM = """
name = "changed"
source = "tests"
[sm2]
generate = 0x1040
sign_digest = 0x80008105
signature = "raw"
encrypt = 0x80008201
cipher = "der"
[sm4]
key_type = 0x80000106
generate = 0x80000107
ecb = 0x80000108
cbc = 0x80000109
gcm = 0x8000010A
[moving]
wrap = 0x210A
transport = 0x9
"""


def changed(**values: str) -> str:
    text = SOFTGM
    for name, value in values.items():
        lines = [line for line in text.splitlines() if not line.startswith(f"{name} =")]
        place = next(number for number, line in enumerate(text.splitlines()) if line.startswith(f"{name} ="))
        text = "\n".join([*lines[:place], f"{name} = {value}", *lines[place:]])
    return text


@pytest.mark.hsm
def test_a_connection_says_what_was_proved(open_machine: OpenMachine) -> None:
    info = open_machine("auto").connect()
    assert info.profile == "softgm"
    assert set(info.algorithms) == {
        "random", "sm2-sign", "sm2-decrypt", "rsa-sign", "ecdsa-sign", "sm4-ecb", "sm4-cbc", "sm4-gcm",
    }  # fmt: skip


@pytest.mark.hsm
@pytest.mark.parametrize(
    ("values", "part"),
    [
        ({"signature": '"der"'}, "answers with r ‖ s where the profile says DER"),
        ({"sign_digest": "0x80008104"}, "answers with DER where the profile says r ‖ s"),
        ({"sign_digest": "0x80008102"}, "hashes the digest once more"),
        ({"sign_digest": "0x80009999"}, "has no mechanism 0x80009999 to sign SM2"),
        ({"sign_digest": "0x00000001"}, "does not sign with mechanism 0x00000001"),
        ({"generate": "0x80009999"}, "has no mechanism 0x80009999 to make SM2 keys"),
        ({"cipher": '"c1c3c2"'}, "refuses a ciphertext in the form that the profile says"),
        ({"encrypt": "0x80008200"}, "refuses a ciphertext in the form that the profile says"),
        ({"encrypt": "0x80008200", "cipher": '"c1c2c3"'}, "refuses a ciphertext in the form that the profile says"),
        ({"cbc": "0x80000108"}, "SM4-CBC"),
        ({"gcm": "0x80000109"}, "SM4-GCM"),
    ],
)
def test_a_profile_that_lies_is_refused_and_one_that_fits_is_named(
    open_machine: OpenMachine, values: dict[str, str], part: str
) -> None:
    machine = open_machine(text=changed(**values))
    with pytest.raises(MachineUnfitError) as caught:
        machine.connect()
    error = caught.value
    assert (error.code, error.facts["machine"]) == ("hsm.profile.unfit", "machine-1")
    assert "machine-1" in error.detail
    assert part in error.detail
    assert "the profile softgm fits" in error.detail
    with pytest.raises(MachineUnfitError):
        machine.random(8)
    assert machine.sessions.open == 0, "a refused machine keeps no session"


@pytest.mark.hsm
@pytest.mark.parametrize("encrypt", ["0x80008200", "0x80008201"])
def test_both_forms_of_ciphertexts_are_proved(open_machine: OpenMachine, encrypt: str) -> None:
    form = CipherForm.C1C3C2 if encrypt == "0x80008200" else CipherForm.DER
    machine = open_machine(text=changed(encrypt=encrypt, cipher=f'"{form}"'))
    assert "sm2-decrypt" in machine.connect().algorithms


@pytest.mark.hsm
def test_signatures_in_der_are_proved_and_used(open_machine: OpenMachine) -> None:
    machine = open_machine(text=changed(sign_digest="0x80008104", signature='"der"'))
    machine.destroy(REFERENCE)
    key = machine.generate(REFERENCE, KeyAlgorithm.SM2, extractable=False)
    signatures = machine.sign_digests(key, [bytes([n]) * 32 for n in range(5)])
    assert all(
        verify.verify_digest(key.public_key_der, key.algorithm.signature, bytes([n]) * 32, signature)
        for n, signature in enumerate(signatures)
    )


@pytest.mark.hsm
def test_a_vendors_key_type_is_proved_and_used(open_machine: OpenMachine) -> None:
    machine = open_machine(text=changed(generate="0x80008001").replace("[sm2]", "[sm2]\nkey_type = 0x80000004"))
    assert "sm2-sign" in machine.connect().algorithms
    machine.destroy(REFERENCE)
    key = machine.generate(REFERENCE, KeyAlgorithm.SM2, extractable=False)
    assert machine.find(REFERENCE, KeyAlgorithm.SM2) == key
    signature = machine.sign_digest(key, bytes(32))
    assert verify.verify_digest(key.public_key_der, key.algorithm.signature, bytes(32), signature)


@pytest.mark.hsm
@pytest.mark.parametrize("algorithm", list(KeyAlgorithm))
def test_where_no_trial_keys_are_allowed_the_first_real_key_is_the_trial(
    open_machine: OpenMachine, algorithm: KeyAlgorithm
) -> None:
    machine = open_machine(text=SOFTGM + "[proof]\nsession_keys = false\n")
    assert machine.connect().algorithms == ("random",)
    machine.destroy(REFERENCE)
    key = machine.generate(REFERENCE, algorithm, extractable=False)
    machine.sign_digest(key, bytes(32))
    assert len(machine.connect().algorithms) == 2


@pytest.mark.hsm
def test_a_first_real_key_with_a_wrong_signature_refuses_the_machine(open_machine: OpenMachine) -> None:
    right = open_machine()
    right.destroy(REFERENCE)
    key = right.generate(REFERENCE, KeyAlgorithm.SM2, extractable=False)
    machine = open_machine(text=changed(sign_digest="0x80008102") + "\n[proof]\nsession_keys = false\n")
    with pytest.raises(MachineUnfitError) as caught:
        machine.sign_digest(key, bytes(32))
    assert caught.value.code == "hsm.profile.unfit"
    assert "machine-1" in caught.value.detail
    other = replace(key, public_key_der=right.generate(
        KeyReference("other", b"another identifier"), KeyAlgorithm.SM2, extractable=False).public_key_der)  # fmt: skip
    another = open_machine(text=SOFTGM + "[proof]\nsession_keys = false\n")
    with pytest.raises(MachineUnfitError):
        another.sign_digest(other, bytes(32))


@pytest.mark.hsm
def test_sm4_keys_are_made_wrapped_and_used(open_machine: OpenMachine) -> None:
    machine = open_machine()
    wrapping, copy = KeyReference("wrapping", b"w" * 16), KeyReference("copy", b"c" * 16)
    for reference in (REFERENCE, wrapping, copy):
        machine.destroy(reference)
    machine.make_wrapping_key(wrapping)
    machine.make_sm4_key(REFERENCE, extractable=True)
    machine.make_sm4_key(REFERENCE, extractable=True)
    assert machine.holds_sm4_key(REFERENCE)
    assert not machine.holds_sm4_key(copy)
    machine.unwrap_sm4(copy, wrapping, machine.wrap(REFERENCE, wrapping))
    iv = {CipherMode.ECB: b"", CipherMode.CBC: bytes(16), CipherMode.GCM: bytes(12)}
    for mode in CipherMode:
        data = bytes(range(48)) if mode is not CipherMode.GCM else b"any length"
        ciphertext = machine.sm4_encrypt(REFERENCE, mode, data, iv=iv[mode])
        assert machine.sm4_decrypt(copy, mode, ciphertext, iv=iv[mode]) == data
    sealed = machine.sm4_encrypt(REFERENCE, CipherMode.GCM, b"text", iv=bytes(12), associated=b"of this record")
    assert machine.sm4_decrypt(copy, CipherMode.GCM, sealed, iv=bytes(12), associated=b"of this record") == b"text"
    for wrong in (sealed[:-1] + bytes([sealed[-1] ^ 1]), sealed[:-1], b""):
        with pytest.raises(MalformedError) as caught:
            machine.sm4_decrypt(copy, CipherMode.GCM, wrong, iv=bytes(12), associated=b"of this record")
        assert caught.value.code == "hsm.cipher.invalid"
    with pytest.raises(MalformedError):
        machine.sm4_decrypt(copy, CipherMode.GCM, sealed, iv=bytes(12), associated=b"of another")
    with pytest.raises(MalformedError) as length:
        machine.sm4_encrypt(REFERENCE, CipherMode.CBC, b"no block", iv=bytes(16))
    assert length.value.code == "hsm.cipher.length"
    with pytest.raises(MalformedError):
        machine.sm4_encrypt(REFERENCE, CipherMode.GCM, b"", iv=bytes(16))
