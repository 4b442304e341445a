"""softgm through PKCS#11: SM2 works, and the private value does not come out."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pkcs11
import pytest
from pkcs11 import Attribute, KeyType, Mechanism, MechanismFlag, ObjectClass, Session
from pkcs11.constants import DEFAULT

from hsm import software
from hsm.core.encoding import ec_public_key_der, public_point
from hsm.pkcs11.module import LoadedModule
from hsm.pkcs11.vendor_numbers import allow_vendor_numbers
from trustcore.crypto import sm2
from trustcore.crypto.algorithms import KeyAlgorithm
from trustcore.crypto.digests import sm3

pytestmark = pytest.mark.hsm

allow_vendor_numbers()
SM2_PARAMETERS = bytes.fromhex("06082a811ccf5501822d")
KEY_PAIR_GEN = Mechanism(0x80008001)
MESSAGE_RAW, MESSAGE_DER, E_DER, E_RAW = (Mechanism(0x80008102 + i) for i in range(4))
ENCRYPT_RAW, ENCRYPT_DER = Mechanism(0x80008200), Mechanism(0x80008201)
SM3 = Mechanism(0x80009001)
ALL = MechanismFlag.SIGN | MechanismFlag.VERIFY | MechanismFlag.ENCRYPT | MechanismFlag.DECRYPT
WRAPPING = MechanismFlag.WRAP | MechanismFlag.UNWRAP
E = bytes(range(32))
NOT_PRIVATE = {Attribute.ENCRYPT: DEFAULT, Attribute.VERIFY: DEFAULT, Attribute.WRAP: DEFAULT}

OpenToken = Callable[[str], Session]


@pytest.fixture
def open_token(data_dir: Path) -> Iterator[OpenToken]:
    module = LoadedModule(software.machine_source(data_dir))
    pin = (data_dir / "secrets" / "hsm_pin").read_text().strip()
    yield lambda label: module.library.get_token(token_label=label).open(rw=True, user_pin=pin)
    module.close()


@pytest.fixture
def session(open_token: OpenToken) -> Session:
    return open_token("xinyin-1")


def make_pair(session: Session, *, extractable: bool = False, **private: Any) -> tuple[Any, Any]:
    return session.generate_keypair(
        KeyType.EC,
        label="key",
        id=b"key",
        store=True,
        capabilities=ALL,
        mechanism=Mechanism.EC_KEY_PAIR_GEN,
        public_template={Attribute.EC_PARAMS: SM2_PARAMETERS},
        private_template={Attribute.EXTRACTABLE: extractable, **{Attribute[k]: v for k, v in private.items()}},
    )


def make_wrapping_key(session: Session) -> Any:
    return session.generate_key(KeyType.AES, 256, store=True, capabilities=WRAPPING)


def import_pair(session: Session, private_value: bytes, point: bytes) -> tuple[Any, Any]:
    common = {Attribute.KEY_TYPE: KeyType.EC, Attribute.EC_PARAMS: SM2_PARAMETERS, Attribute.TOKEN: False}
    public = session.create_object(
        common
        | {Attribute.CLASS: ObjectClass.PUBLIC_KEY, Attribute.EC_POINT: b"\x04\x41" + point, Attribute.VERIFY: True}
    )
    private = session.create_object(
        common | {Attribute.CLASS: ObjectClass.PRIVATE_KEY, Attribute.VALUE: private_value, Attribute.SIGN: True}
    )
    return public, private


@pytest.mark.parametrize("mechanism", [E_RAW, E_DER])
def test_a_signature_of_e_verifies_in_the_machine_and_in_software(session: Session, mechanism: Mechanism) -> None:
    public, private = make_pair(session)
    signature = private.sign(E, mechanism=mechanism)
    assert public.verify(E, signature, mechanism=mechanism)
    der = sm2.signature_to_der(signature) if mechanism is E_RAW else signature
    assert sm2.verify_digest(public_point(public[Attribute.EC_POINT]), E, der)


@pytest.mark.parametrize("mechanism", [MESSAGE_RAW, MESSAGE_DER])
@pytest.mark.parametrize("identifier", [None, b"ALICE123@YAHOO.COM"])
def test_a_signature_of_a_message_covers_z_of_the_identifier(
    session: Session, mechanism: Mechanism, identifier: bytes | None
) -> None:
    public, private = make_pair(session)
    signature = private.sign(b"message", mechanism=mechanism, mechanism_param=identifier)
    der = sm2.signature_to_der(signature) if mechanism is MESSAGE_RAW else signature
    point = public_point(public[Attribute.EC_POINT])
    assert sm2.verify(point, b"message", der, identifier or sm2.DEFAULT_ID)
    assert not sm2.verify(point, b"message", der, b"someone else")
    assert public.verify(b"message", signature, mechanism=mechanism, mechanism_param=identifier)
    assert not public.verify(b"messagf", signature, mechanism=mechanism, mechanism_param=identifier)


def test_openssl_accepts_a_signature_and_refuses_a_changed_message(session: Session, tmp_path: Path) -> None:
    public, private = make_pair(session)
    (tmp_path / "key.der").write_bytes(ec_public_key_der(KeyAlgorithm.SM2, public_point(public[Attribute.EC_POINT])))
    (tmp_path / "signature").write_bytes(private.sign(b"message", mechanism=MESSAGE_DER))

    def judge(message: bytes) -> str:
        command = ["openssl", "dgst", "-sm3", "-keyform", "DER", "-verify", "key.der", "-signature", "signature"]
        command += ["-sigopt", "distid:1234567812345678"]
        done = subprocess.run(command, input=message, capture_output=True, cwd=tmp_path, check=False)
        return done.stdout.decode().strip()

    assert judge(b"message") == "Verified OK"
    assert judge(b"messagf") == "Verification failure"


def test_a_message_in_parts_is_the_same_message(session: Session) -> None:
    public, private = make_pair(session)
    signature = private.sign([b"mess", b"", b"age"], mechanism=MESSAGE_DER)
    assert public.verify(b"message", signature, mechanism=MESSAGE_DER)
    assert public.verify([b"m", b"essage"], signature, mechanism=MESSAGE_DER)


@pytest.mark.parametrize("length", [0, 31, 33, 64])
def test_only_32_bytes_are_an_e(session: Session, length: int) -> None:
    _, private = make_pair(session)
    with pytest.raises(pkcs11.DataLenRange):
        private.sign(bytes(length), mechanism=E_RAW)
    assert len(private.sign(E, mechanism=E_RAW)) == 64, "and the session goes on"


@pytest.mark.parametrize("mechanism", [E_RAW, E_DER])
def test_a_signature_with_any_byte_changed_is_refused(session: Session, mechanism: Mechanism) -> None:
    public, private = make_pair(session)
    signature = bytearray(private.sign(E, mechanism=mechanism))
    for position in range(len(signature)):
        signature[position] ^= 0x01
        assert not public.verify(E, bytes(signature), mechanism=mechanism)
        signature[position] ^= 0x01
    assert not public.verify(E, bytes(signature[:-1]), mechanism=mechanism)
    assert not public.verify(E, bytes(signature) + b"\0", mechanism=mechanism)


def test_the_standards_key_can_be_imported_and_signs(session: Session) -> None:
    private_value = bytes.fromhex("3945208f7b2144b13f36e38ac6d39f95889393692860b51a42fb81ef4df7c5b8")
    point = bytes.fromhex(
        "0409f9df311e5421a150dd7d161e4bc5c672179fad1833fc076bb08ff356f35020"
        "ccea490ce26775a52dc6ea718cc1aa600aed05fbf35e084a6632f6072da9ad13"
    )
    public, private = import_pair(session, private_value, point)
    standard = bytes.fromhex(
        "f5a03b0648d2c4630eeac513e1bb81a15944da3827d5b74143ac7eaceee720b3"
        "b1b6aa29df212fd8763182bc0d421ca1bb9038fd1f7f42d4840b69c485bbc1aa"
    )
    assert public.verify(b"message digest", standard, mechanism=MESSAGE_RAW)
    assert public.verify(b"other", private.sign(b"other", mechanism=MESSAGE_RAW), mechanism=MESSAGE_RAW)
    assert not private[Attribute.NEVER_EXTRACTABLE]
    assert not private[Attribute.ALWAYS_SENSITIVE]


@pytest.mark.parametrize("value", [bytes(32), b"\xff" * 32, sm2.ORDER.to_bytes(32, "big")])
def test_a_private_value_out_of_range_is_no_key(session: Session, value: bytes) -> None:
    with pytest.raises(pkcs11.AttributeValueInvalid):
        import_pair(session, value, sm2.generate()[1])


@pytest.mark.parametrize("mechanism", [ENCRYPT_RAW, ENCRYPT_DER])
def test_encryption_and_decryption(session: Session, mechanism: Mechanism) -> None:
    public, private = make_pair(session)
    ciphertext = public.encrypt(b"secret", mechanism=mechanism)
    assert private.decrypt(ciphertext, mechanism=mechanism) == b"secret"
    for position in range(len(ciphertext)):
        changed = bytearray(ciphertext)
        changed[position] ^= 0x01
        with pytest.raises(pkcs11.PKCS11Error):
            private.decrypt(bytes(changed), mechanism=mechanism)


def test_software_and_machine_read_each_others_ciphertexts(session: Session) -> None:
    public, private = make_pair(session)
    point = public_point(public[Attribute.EC_POINT])
    assert private.decrypt(sm2.encrypt(point, b"to the machine"), mechanism=ENCRYPT_DER) == b"to the machine"


def test_the_digest_is_sm3(session: Session) -> None:
    assert session.digest(b"abc", mechanism=SM3) == sm3(b"abc")
    assert session.digest([b"a", b"bc"], mechanism=SM3) == sm3(b"abc")


def test_the_vendors_own_key_generation_makes_the_same_keys(session: Session) -> None:
    public, private = session.generate_keypair(
        KeyType(0x80000004), label="vendor", store=True, capabilities=ALL, mechanism=KEY_PAIR_GEN
    )
    assert public[Attribute.EC_PARAMS] == SM2_PARAMETERS
    assert public.verify(E, private.sign(E, mechanism=E_RAW), mechanism=E_RAW)
    found = list(session.get_objects({Attribute.KEY_TYPE: KeyType(0x80000004), Attribute.LABEL: "vendor"}))
    assert len(found) == 2


def test_a_generated_key_looks_like_one_that_never_leaves(session: Session) -> None:
    _, private = make_pair(session)
    flags = private.get_attributes([Attribute.SENSITIVE, Attribute.ALWAYS_SENSITIVE, Attribute.NEVER_EXTRACTABLE,
                                    Attribute.LOCAL, Attribute.PRIVATE])  # fmt: skip
    assert all(flags.values())
    for absent in (Attribute.EXTRACTABLE, Attribute.COPYABLE, Attribute.WRAP_WITH_TRUSTED):
        assert not private[absent]


def test_the_private_value_does_not_come_out(session: Session) -> None:
    _, private = make_pair(session)
    wrapping = make_wrapping_key(session)
    with pytest.raises(pkcs11.AttributeSensitive):
        private[Attribute.VALUE]
    with pytest.raises(pkcs11.KeyUnextractable):
        wrapping.wrap_key(private, mechanism=Mechanism.AES_KEY_WRAP_PAD)
    with pytest.raises(pkcs11.PKCS11Error, match="0x1b"):
        private.copy({Attribute.LABEL: "copy"})
    for attribute, value in ((Attribute.EXTRACTABLE, True), (Attribute.SENSITIVE, False), (Attribute.VALUE, E)):
        with pytest.raises(pkcs11.AttributeReadOnly):
            private[attribute] = value


@pytest.mark.parametrize("promise", [{"SENSITIVE": False}, {"PRIVATE": False}, {"COPYABLE": True}])
def test_a_key_that_shows_its_value_is_not_made(session: Session, promise: dict[str, bool]) -> None:
    with pytest.raises(pkcs11.TemplateInconsistent):
        make_pair(session, **promise)


def test_other_attributes_of_a_key_can_be_changed(session: Session) -> None:
    _, private = make_pair(session)
    private[Attribute.LABEL] = "another"
    assert private[Attribute.LABEL] == "another"


def test_an_extractable_key_moves_wrapped_to_another_token(open_token: OpenToken) -> None:
    here, there = open_token("xinyin-1"), open_token("xinyin-2")
    public, private = make_pair(here, extractable=True)
    wrapping = here.generate_key(KeyType.AES, 256, capabilities=WRAPPING, template={Attribute.EXTRACTABLE: True})
    transport, transport_private = there.generate_keypair(KeyType.RSA, 2048, capabilities=WRAPPING)
    transport_here = here.create_object(
        {
            Attribute.CLASS: ObjectClass.PUBLIC_KEY,
            Attribute.KEY_TYPE: KeyType.RSA,
            Attribute.MODULUS: transport[Attribute.MODULUS],
            Attribute.PUBLIC_EXPONENT: transport[Attribute.PUBLIC_EXPONENT],
            Attribute.WRAP: True,
        }
    )
    unwrapping = transport_private.unwrap_key(
        ObjectClass.SECRET_KEY,
        KeyType.AES,
        transport_here.wrap_key(wrapping, mechanism=Mechanism.RSA_PKCS_OAEP),
        mechanism=Mechanism.RSA_PKCS_OAEP,
        capabilities=WRAPPING,
    )
    wrapped = wrapping.wrap_key(private, mechanism=Mechanism.AES_KEY_WRAP_PAD)
    copy = unwrapping.unwrap_key(
        ObjectClass.PRIVATE_KEY,
        KeyType.EC,
        wrapped,
        mechanism=Mechanism.AES_KEY_WRAP_PAD,
        capabilities=MechanismFlag.SIGN,
        store=True,
        template=NOT_PRIVATE,
    )
    assert public.verify(E, copy.sign(E, mechanism=E_RAW), mechanism=E_RAW)
    assert not copy[Attribute.EXTRACTABLE]
    assert not copy[Attribute.NEVER_EXTRACTABLE], "it has been under way"
    private[Attribute.EXTRACTABLE] = False
    with pytest.raises(pkcs11.KeyUnextractable):
        wrapping.wrap_key(private, mechanism=Mechanism.AES_KEY_WRAP_PAD)
    damaged = wrapped[:-1] + bytes([wrapped[-1] ^ 1])
    with pytest.raises(pkcs11.PKCS11Error):
        unwrapping.unwrap_key(
            ObjectClass.PRIVATE_KEY, KeyType.EC, damaged, mechanism=Mechanism.AES_KEY_WRAP_PAD, template=NOT_PRIVATE,
            capabilities=MechanismFlag.SIGN,
        )  # fmt: skip
    assert not list(there.get_objects({Attribute.KEY_TYPE: KeyType.GENERIC_SECRET}))


def test_ecdsa_with_an_sm2_key_is_refused(session: Session) -> None:
    public, private = make_pair(session)
    with pytest.raises(pkcs11.KeyTypeInconsistent):
        private.sign(E, mechanism=Mechanism.ECDSA)
    with pytest.raises(pkcs11.KeyTypeInconsistent):
        public.verify(E, bytes(64), mechanism=Mechanism.ECDSA)


def test_sm2_with_another_curve_is_refused(session: Session) -> None:
    _, private = session.generate_keypair(
        KeyType.EC, capabilities=ALL, public_template={Attribute.EC_PARAMS: bytes.fromhex("06082a8648ce3d030107")}
    )
    with pytest.raises(pkcs11.KeyTypeInconsistent):
        private.sign(E, mechanism=E_RAW)


def test_a_key_that_may_not_sign_does_not(session: Session) -> None:
    _, private = make_pair(session)
    private[Attribute.SIGN] = False
    with pytest.raises(pkcs11.PKCS11Error, match="0x68"):  # CKR_KEY_FUNCTION_NOT_PERMITTED
        private.sign(E, mechanism=E_RAW)


def test_a_destroyed_key_signs_no_more(session: Session) -> None:
    _, private = make_pair(session)
    private.sign(E, mechanism=E_RAW)
    private.destroy()
    with pytest.raises((pkcs11.KeyHandleInvalid, pkcs11.ObjectHandleInvalid)):
        private.sign(E, mechanism=E_RAW)


def test_the_module_says_what_it_is(data_dir: Path) -> None:
    module = LoadedModule(software.machine_source(data_dir))
    assert "for tests only" in module.library.library_description
    mechanisms = module.library.get_token(token_label="xinyin-1").slot.get_mechanisms()
    assert {KEY_PAIR_GEN, MESSAGE_RAW, MESSAGE_DER, E_DER, E_RAW, ENCRYPT_RAW, ENCRYPT_DER, SM3} <= mechanisms
    assert Mechanism.RSA_PKCS in mechanisms
    module.close()
