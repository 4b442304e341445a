"""Keys that come in wrapped and go out wrapped: between two installations, and from plain OpenSSL."""

import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes, keywrap, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import SM4
from cryptography.hazmat.primitives.ciphers.modes import ECB

from hsm import software
from hsm.machine import KeyReference
from hsm.service import HsmService, open_hsm
from hsm.settings import HsmSettings
from hsm.store.key_imports import ImportForm
from hsm.store.keys import NewKey
from trustcore.asn1 import encoder
from trustcore.crypto import sm2, verify
from trustcore.crypto.algorithms import EC_PUBLIC_KEY, SM2_CURVE, SM4_ECB, KeyAlgorithm
from trustcore.database import Database
from trustcore.errors import ConflictError, MalformedError, NotFoundError, RejectedError, TrustError
from trustcore.signing import KeyPurpose

pytestmark = pytest.mark.hsm

OpenHsm = Callable[..., AbstractContextManager[HsmService]]
ACTOR = "user:wang"
KEK = bytes(range(32))
OAEP = padding.OAEP(padding.MGF1(hashes.SHA1()), hashes.SHA1(), None)  # noqa: S303 - what tokens do


def pkcs8(algorithm: KeyAlgorithm) -> tuple[bytes, bytes]:
    """A key pair made outside: PrivateKeyInfo and SubjectPublicKeyInfo."""
    if algorithm is KeyAlgorithm.SM2:
        private, point = sm2.generate()
        inner = encoder.sequence(
            encoder.integer(1), encoder.octet_string(private), encoder.explicit(1, encoder.bit_string(point))
        )
        kind = encoder.sequence(encoder.oid(EC_PUBLIC_KEY), encoder.oid(SM2_CURVE))
        return encoder.sequence(encoder.integer(0), kind, encoder.octet_string(inner)), sm2.public_key_der(point)
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
    if algorithm is KeyAlgorithm.EC_P256:
        key = ec.generate_private_key(ec.SECP256R1())
    else:
        key = rsa.generate_private_key(65537, 2048)
    encoding, plain = serialization.Encoding.DER, serialization.NoEncryption()
    return (
        key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, plain),
        key.public_key().public_bytes(encoding, serialization.PublicFormat.SubjectPublicKeyInfo),
    )


def wrap(transport_key_der: bytes | None, private_key_info: bytes) -> bytes:
    """What the other party does, with software that is not ours."""
    assert transport_key_der is not None
    transport = serialization.load_der_public_key(transport_key_der)
    assert isinstance(transport, rsa.RSAPublicKey)
    return transport.encrypt(KEK, OAEP) + keywrap.aes_key_wrap_with_padding(KEK, private_key_info)


@pytest.mark.parametrize("algorithm", [KeyAlgorithm.SM2, KeyAlgorithm.EC_P256, KeyAlgorithm.RSA_2048])
def test_a_key_made_elsewhere_comes_in_and_signs_in_every_machine(service: HsmService, algorithm: KeyAlgorithm) -> None:
    private, public_key_der = pkcs8(algorithm)
    offer = service.begin_import("key", actor=ACTOR)
    assert service.begin_import("key", actor=ACTOR) == offer, "asking again is no second transport key"
    status = service.finish_import(
        NewKey(label="key", algorithm=algorithm.value), public_key_der, wrap(offer.transport_key_der, private),
        actor=ACTOR,
    )  # fmt: skip
    assert (status.public_key_der, status.missing, status.sealed) == (public_key_der, (), True)
    signer = service.signer(status.uri)
    assert verify.verify(public_key_der, signer.algorithm, b"message", signer.sign(b"message"))
    assert [result.ok for result in service.self_test()] == [True] * 3
    with pytest.raises(ConflictError):
        service.begin_import("key", actor=ACTOR)


def test_what_is_no_key_leaves_nothing_behind(service: HsmService, now: datetime) -> None:
    private, public_key_der = pkcs8(KeyAlgorithm.SM2)
    _, other = pkcs8(KeyAlgorithm.SM2)
    new = NewKey(label="key", algorithm="sm2")
    with pytest.raises(NotFoundError) as missing:
        service.finish_import(new, public_key_der, bytes(500), actor=ACTOR)
    assert missing.value.code == "hsm.import.not-begun"
    transport = service.begin_import("key", actor=ACTOR).transport_key_der
    right = wrap(transport, private)
    changed = right[:-1] + bytes([right[-1] ^ 1])
    wrong_block = bytes([right[0] ^ 1]) + right[1:]
    for wrapped, told, code in (
        (b"", public_key_der, "hsm.import.invalid"),
        (bytes(9000), public_key_der, "hsm.import.invalid"),
        (changed, public_key_der, "hsm.import.invalid"),
        (wrong_block, public_key_der, "hsm.import.invalid"),
        (right, other, "hsm.import.other-key"),
        (right, pkcs8(KeyAlgorithm.EC_P256)[1], "hsm.key.algorithm"),
    ):
        with pytest.raises(MalformedError) as caught:
            service.finish_import(new, told, wrapped, actor=ACTOR)
        assert caught.value.code == code
        assert service.keys() == ()
        assert all(machine.up for machine in service.machines()), "rubbish takes no machine down"
    assert service.finish_import(new, public_key_der, right, actor=ACTOR).machines
    for name in ("machine-1", "machine-2", "machine-3"):
        objects = service._pool.ask(name, lambda m: [m.holds_wrapping_key(r) for r in leftovers(service)])
        assert not any(objects)


def leftovers(service: HsmService) -> list[object]:
    return [KeyReference("xinyin-import-wrapping", bytes(16)), KeyReference("xinyin-export-wrapping", bytes(16))]


def test_a_transport_key_serves_for_a_day(open_machines: OpenHsm, now: datetime) -> None:
    time = [now]
    private, public_key_der = pkcs8(KeyAlgorithm.EC_P256)
    with open_machines(clock=lambda: time[0]) as service:
        old = service.begin_import("key", actor=ACTOR)
        time[0] += timedelta(days=1)
        new = NewKey(label="key", algorithm="ec-p256")
        with pytest.raises(NotFoundError):
            service.finish_import(new, public_key_der, wrap(old.transport_key_der, private), actor=ACTOR)
        fresh = service.begin_import("key", actor=ACTOR)
        assert fresh.transport_key_der != old.transport_key_der
        assert service.finish_import(new, public_key_der, wrap(fresh.transport_key_der, private), actor=ACTOR)


@pytest.fixture
def elsewhere(primed_dir: Path, tmp_path: Path, now: datetime) -> Callable[[], AbstractContextManager[HsmService]]:
    """Another installation."""

    @contextmanager
    def opened() -> object:
        folder = tmp_path / "elsewhere"
        shutil.copytree(primed_dir, folder)
        software.prepare(folder)
        database = Database(f"sqlite:///{folder / 'test.db'}")
        with open_hsm(HsmSettings(), data_dir=folder, database=database, clock=lambda: now) as service:
            yield service
        database.close()

    return opened


@pytest.mark.parametrize("algorithm", [KeyAlgorithm.SM2, KeyAlgorithm.RSA_2048])
def test_an_exportable_key_goes_to_another_installation(
    service: HsmService, elsewhere: Callable[[], AbstractContextManager[HsmService]], algorithm: KeyAlgorithm
) -> None:
    service.make(NewKey(label="key", algorithm=algorithm.value, exportable=True))
    assert not service.key("key").sealed
    with elsewhere() as other:
        offer = other.begin_import("key", actor=ACTOR)
        assert offer.transport_key_der is not None
        gone = service.export("key", offer.transport_key_der, actor=ACTOR)
        assert gone.wrapped.hex() not in repr(gone)
        new = NewKey(label="key", algorithm=gone.algorithm.value)
        there = other.finish_import(new, gone.public_key_der, gone.wrapped, actor=ACTOR)
        signature = other.signer(there.uri).sign(b"message")
    assert verify.verify(service.key("key").public_key_der, algorithm.signature, b"message", signature)


def test_a_key_that_was_not_made_to_leave_stays(service: HsmService) -> None:
    service.generate("key", KeyAlgorithm.SM2)
    recipient = service.begin_import("other", actor=ACTOR).transport_key_der
    assert recipient is not None
    with pytest.raises(RejectedError) as caught:
        service.export("key", recipient, actor=ACTOR)
    assert caught.value.code == "hsm.key.sealed"
    assert "vendor" in caught.value.detail
    service.make(NewKey(label="exportable", algorithm="sm2", exportable=True))
    for bad in (b"", b"rubbish", service.key("key").public_key_der, pkcs8(KeyAlgorithm.RSA_2048)[1]):
        with pytest.raises(MalformedError):
            service.export("exportable", bad, actor=ACTOR)
    service.suspend("exportable", actor=ACTOR)
    with pytest.raises(RejectedError) as caught:
        service.export("exportable", recipient, actor=ACTOR)
    assert caught.value.code == "hsm.key.inactive"


def test_a_ca_key_comes_and_goes_only_when_two_persons_agree(open_machines: OpenHsm) -> None:
    private, public_key_der = pkcs8(KeyAlgorithm.SM2)
    new = NewKey(label="ca", algorithm="sm2", purpose=KeyPurpose.CA, exportable=True)
    with open_machines(HsmSettings(four_eyes=True)) as service:
        recipient = service.begin_import("recipient", actor=ACTOR).transport_key_der
        assert recipient is not None
        wrapped = wrap(service.begin_import("ca", actor=ACTOR).transport_key_der, private)

        def once_approved(act: Callable[[], object]) -> object:
            with pytest.raises(RejectedError) as caught:
                act()
            assert caught.value.code == "hsm.approval.needed"
            for person in ("user:wang", "user:li"):
                service.approve(str(caught.value.facts["request"]), person)
            return act()

        once_approved(lambda: service.finish_import(new, public_key_der, wrapped, actor=ACTOR))
        assert once_approved(lambda: service.export("ca", recipient, actor=ACTOR))
        with pytest.raises(TrustError, match="Two persons"):
            service.export("ca", recipient, actor=ACTOR)


def sm2_envelope(transport_key_der: bytes | None, private: bytes, point: bytes) -> bytes:
    """SM2EnvelopedKey as another program writes it (GB/T 35276-2017 §7.4)."""
    assert transport_key_der is not None
    sealing = bytes(range(16))
    encryptor = Cipher(SM4(sealing), ECB()).encryptor()  # noqa: S305 - as the standard has it
    return encoder.sequence(
        encoder.sequence(encoder.oid(SM4_ECB)),
        sm2.encrypt(sm2.public_point(transport_key_der), sealing),
        encoder.bit_string(point),
        encoder.bit_string(encryptor.update(bytes(32) + private) + encryptor.finalize()),
    )


def test_an_sm2_key_comes_in_an_envelope_of_the_standard(service: HsmService) -> None:
    private, point = sm2.generate()
    _, other = sm2.generate()
    new, public_key_der = NewKey(label="key", algorithm="sm2"), sm2.public_key_der(point)
    assert service.begin_import("key", actor=ACTOR).form is ImportForm.RSA_AES
    offer = service.begin_import("key", form=ImportForm.SM2_ENVELOPE, actor=ACTOR)
    envelope = sm2_envelope(offer.transport_key_der, private, point)
    for wrong, told in (
        (sm2_envelope(sm2.public_key_der(other), private, point), public_key_der),
        (sm2_envelope(offer.transport_key_der, private, other), public_key_der),
        (envelope[:-1] + bytes([envelope[-1] ^ 1]), public_key_der),
        (envelope, sm2.public_key_der(other)),
        (b"", public_key_der),
    ):
        with pytest.raises(MalformedError) as caught:
            service.finish_import(new, told, wrong, actor=ACTOR)
        assert caught.value.code in {"hsm.import.invalid", "hsm.import.other-key"}
        assert service.keys() == ()
    status = service.finish_import(new, public_key_der, envelope, actor=ACTOR)
    assert (status.public_key_der, status.missing, status.sealed) == (public_key_der, (), True)
    assert [result.ok for result in service.self_test()] == [True] * 3
    assert all(machine.up for machine in service.machines())
