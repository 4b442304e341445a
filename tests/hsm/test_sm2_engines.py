"""softgm through PKCS#11 with each of its arithmetics."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pkcs11
import pytest
from pkcs11 import Attribute, KeyType, Mechanism, ObjectClass, Session

from hsm import software
from hsm.pkcs11.module import LoadedModule
from hsm.pkcs11.vendor_numbers import allow_vendor_numbers
from trustcore.crypto import sm2
from trustcore.errors import TrustError

pytestmark = pytest.mark.hsm

allow_vendor_numbers()
ENGINES = ["libcrypto", "native"]
SM2_PARAMETERS = bytes.fromhex("06082a811ccf5501822d")
E = bytes(range(32))


@contextmanager
def machine(data_dir: Path) -> Iterator[Session]:
    module = LoadedModule(software.machine_source(data_dir))
    pin = (data_dir / "secrets" / "hsm_pin").read_text().strip()
    try:
        yield module.library.get_token(token_label="xinyin-1").open(rw=True, user_pin=pin)
    finally:
        module.close()


def import_private(session: Session, private_value: bytes) -> pkcs11.PrivateKey:
    key = session.create_object(
        {
            Attribute.CLASS: ObjectClass.PRIVATE_KEY,
            Attribute.KEY_TYPE: KeyType.EC,
            Attribute.EC_PARAMS: SM2_PARAMETERS,
            Attribute.TOKEN: False,
            Attribute.VALUE: private_value,
            Attribute.SIGN: True,
            Attribute.DECRYPT: True,
        }
    )
    assert isinstance(key, pkcs11.PrivateKey)
    return key


@pytest.mark.parametrize("engine", ENGINES)
def test_each_arithmetic_signs_and_decrypts_with_the_same_key(
    data_dir: Path, engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOFTGM_ENGINE", engine)
    private_value, point = sm2.generate()
    ciphertext = sm2.encrypt(point, b"for this key")

    with machine(data_dir) as session:
        key = import_private(session, private_value)
        signatures = {key.sign(E, mechanism=Mechanism(0x80008104)) for _ in range(20)}
        plaintext = key.decrypt(ciphertext, mechanism=Mechanism(0x80008201))

    assert plaintext == b"for this key"
    assert len(signatures) == 20
    assert all(sm2.verify_digest(point, E, signature) for signature in signatures)


def test_a_machine_told_to_use_an_arithmetic_that_there_is_not_does_not_start(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOFTGM_ENGINE", "fastest")

    with pytest.raises((TrustError, pkcs11.PKCS11Error)), machine(data_dir):
        pass
