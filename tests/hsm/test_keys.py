"""What administrators do to keys, on real software machines."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from hsm.core.lifecycle import KeyState
from hsm.core.profiles import CipherMode
from hsm.service import HsmService
from hsm.store.keys import KeyFilter, NewKey, key_record
from trustcore.audit import AuditRow
from trustcore.crypto import sm2
from trustcore.crypto.algorithms import KeyAlgorithm
from trustcore.crypto.software import SoftwareKeys, SoftwareKeyWarning
from trustcore.database import Database
from trustcore.errors import ConflictError, MalformedError, NotFoundError, RejectedError
from trustcore.signing import KeyPurpose, Signer
from trustcore.x509.build import certificate_tbs, signed

from support.x509_workshop import Workshop

pytestmark = pytest.mark.hsm

OpenHsm = Callable[..., AbstractContextManager[HsmService]]
ACTOR = "user:wang"
BLOCK = bytes(range(16))


def certificate_over(signer: Signer) -> bytes:
    """Self-signed, made in the machines."""
    with pytest.warns(SoftwareKeyWarning):
        template = Workshop(SoftwareKeys()).template("Somebody", signer, None)
    return signed(certificate_tbs(template), signer)


def test_a_key_lives_from_generated_to_destroyed(service: HsmService) -> None:
    made = service.make(NewKey(label="key", algorithm="sm2", activate=False), actor=ACTOR)
    assert (made.state, made.activated_at) == (KeyState.GENERATED, None)
    signer = service.signer(made.uri)
    with pytest.raises(RejectedError) as caught:
        signer.sign(b"message")
    assert caught.value.code == "hsm.key.inactive"
    assert service.activate("key", actor=ACTOR).activated_at is not None
    ciphertext = sm2.encrypt(sm2.public_point(signer.public_key_der), b"secret")
    assert signer.sign(b"message"), "a signer made before goes by the state now"
    assert service.decrypt(made.uri, ciphertext) == b"secret"
    service.suspend("key", actor=ACTOR)
    for refused in (lambda: signer.sign(b"message"), lambda: service.decrypt(made.uri, ciphertext)):
        with pytest.raises(RejectedError):
            refused()
    service.activate("key", actor=ACTOR)
    assert signer.sign_many([bytes(32)] * 3)
    assert service.retire("key", actor=ACTOR).retired_at is not None
    with pytest.raises(RejectedError):
        signer.sign_many([bytes(32)])
    assert service.decrypt(made.uri, ciphertext) == b"secret", "a retired key still decrypts"
    gone = service.destroy("key", actor=ACTOR)
    assert (gone.state, gone.machines, gone.missing) == (KeyState.DESTROYED, (), ())
    with pytest.raises(RejectedError):
        service.decrypt(made.uri, ciphertext)
    assert service.find("key") is None
    assert service.self_test() == ()


def test_the_life_of_a_key_is_audited_with_who_did_it(service: HsmService, database: Database) -> None:
    service.make(NewKey(label="key", algorithm="ec-p256", activate=False), actor=ACTOR)
    for act in (service.activate, service.suspend, service.retire, service.destroy):
        act("key", actor=ACTOR)
    with database.transaction() as session:
        rows = session.scalars(select(AuditRow).where(AuditRow.subject == "pkcs11:object=key;type=private"))
        told = [(row.action, row.actor) for row in rows]
    names = ("requested", "generated", "activated", "suspended", "retired", "destroyed")
    assert told == [(f"hsm.key.{name}", ACTOR) for name in names] + [("hsm.key.erased", "system")]


def test_a_key_in_use_is_not_destroyed(service: HsmService) -> None:
    service.generate("key", KeyAlgorithm.EC_P256)
    with pytest.raises(ConflictError) as caught:
        service.destroy("key", actor=ACTOR)
    assert caught.value.code == "hsm.key.state"
    assert all(result.ok for result in service.self_test())


def test_the_label_of_a_destroyed_key_is_never_used_again(service: HsmService) -> None:
    service.generate("key", KeyAlgorithm.EC_P256)
    service.retire("key", actor=ACTOR)
    service.destroy("key", actor=ACTOR)
    service.destroy("key", actor=ACTOR)
    with pytest.raises(ConflictError) as caught:
        service.generate("key", KeyAlgorithm.EC_P256)
    assert caught.value.code == "hsm.key.exists"
    for act in (service.activate, service.retire):
        with pytest.raises(ConflictError):
            act("key", actor=ACTOR)


def test_doing_it_again_is_no_error(service: HsmService) -> None:
    service.generate("key", KeyAlgorithm.EC_P256)
    first, again = (service.suspend("key", actor=ACTOR) for _ in range(2))
    assert first.state is again.state is KeyState.SUSPENDED


def test_a_machine_that_was_down_destroys_when_it_is_back_and_never_brings_the_key_back(
    open_machines: OpenHsm, faults: Path, database: Database
) -> None:
    with open_machines() as service:
        service.generate("key", KeyAlgorithm.SM2)
        with database.transaction() as session:
            record = key_record(session, "key")
        assert record is not None
        service.retire("key", actor=ACTOR)
        (faults / "xinyin-2").write_text("0x30")
        status = service.destroy("key", actor=ACTOR)
        assert (status.state, status.machines) == (KeyState.DESTROYED, ("machine-2",)), "one has not confirmed"
        assert service.reconcile() == ()
        assert service.key("key").machines == ("machine-2",)
    (faults / "xinyin-2").unlink()
    with open_machines() as service:
        assert service.key("key").machines == (), "opening completes it"
        assert service.reconcile() == ()
        for name in ("machine-1", "machine-2", "machine-3"):
            held = service._pool.ask(name, lambda machine: machine.find(record.reference, KeyAlgorithm.SM2))
            assert held is None


def test_another_process_stops_within_seconds(open_machines: OpenHsm) -> None:
    with open_machines() as one, open_machines() as other:
        signer = other.signer(one.generate("key", KeyAlgorithm.EC_P256))
        assert signer.sign(b"message")
        one.suspend("key", actor=ACTOR)
        other._register._monotonic = lambda: float("inf")  # the two seconds are over
        with pytest.raises(RejectedError) as caught:
            signer.sign(b"message")
        assert caught.value.code == "hsm.key.inactive"


def test_a_key_serves_its_purpose_alone(service: HsmService) -> None:
    authority = service.generate("ca", KeyAlgorithm.SM2, purpose=KeyPurpose.CA)
    signer = service.signer(authority)
    assert signer.sign(b"message")
    ciphertext = sm2.encrypt(sm2.public_point(signer.public_key_der), b"secret")
    with pytest.raises(RejectedError) as caught:
        service.decrypt(authority, ciphertext)
    assert caught.value.code == "hsm.key.purpose"
    data = service.generate("data", KeyAlgorithm.SM2, purpose=KeyPurpose.ENCRYPTION)
    with pytest.raises(RejectedError):
        service.signer(data).sign(b"message")


def test_an_old_key_can_be_given_its_purpose_once(service: HsmService) -> None:
    service.generate("key", KeyAlgorithm.SM2)
    assert service.assign("key", KeyPurpose.CA, actor=ACTOR).purpose is KeyPurpose.CA
    service.assign("key", KeyPurpose.CA, actor=ACTOR)
    with pytest.raises(ConflictError) as caught:
        service.assign("key", KeyPurpose.SEAL, actor=ACTOR)
    assert caught.value.code == "hsm.key.purpose-set"


def test_an_sm4_key_is_in_all_machines_and_every_one_encrypts_alike(service: HsmService) -> None:
    uri = service.generate_sm4("data")
    assert uri == service.find("data") == "pkcs11:object=data;type=secret-key"
    (status,) = service.keys()
    assert (status.algorithm.value, len(status.machines), status.sealed) == ("sm4", 3, True)
    assert [result.ok for result in service.self_test()] == [True] * 3
    iv = bytes(12)
    sealed = service.sm4_encrypt(uri, CipherMode.GCM, b"secret", iv=iv, associated=b"row 1")
    assert service.sm4_decrypt(uri, CipherMode.GCM, sealed, iv=iv, associated=b"row 1") == b"secret"
    answers = {
        service._pool.ask(name, lambda m: m.sm4_encrypt(service._register.record("data").reference, CipherMode.ECB,
                                                         BLOCK, iv=b""))
        for name in status.machines
    }  # fmt: skip
    assert len(answers) == 1, "it is the same key everywhere"
    with pytest.raises(MalformedError) as caught:
        service.sm4_decrypt(uri, CipherMode.GCM, sealed, iv=iv, associated=b"row 2")
    assert caught.value.code == "hsm.cipher.invalid"
    assert service.key("data").used == 3


def test_pairs_and_secret_keys_are_not_mistaken_for_each_other(service: HsmService) -> None:
    pair, secret = service.generate("pair", KeyAlgorithm.SM2), service.generate_sm4("secret")
    for wrong in (
        lambda: service.signer(secret),
        lambda: service.decrypt(secret, b""),
        lambda: service.sm4_encrypt(pair, CipherMode.ECB, BLOCK, iv=b""),
    ):
        with pytest.raises(RejectedError) as caught:
            wrong()
        assert caught.value.code == "hsm.key.kind"


def test_the_key_that_keys_travel_under_is_nobodys_to_use(service: HsmService) -> None:
    service.generate("key", KeyAlgorithm.EC_P256)
    with pytest.raises(NotFoundError):
        service.sm4_encrypt("pkcs11:object=xinyin-wrapping-key-1;type=secret-key", CipherMode.ECB, BLOCK, iv=b"")
    with pytest.raises(NotFoundError):
        service.retire("xinyin-wrapping-key-1", actor=ACTOR)
    (only,) = service.keys()
    assert only.label == "key"


def test_a_title_changes_and_the_label_does_not(service: HsmService) -> None:
    uri = service.generate("key", KeyAlgorithm.EC_P256)
    renamed = service.rename("key", "公章 一号", actor=ACTOR)
    assert (renamed.title, renamed.label, renamed.uri) == ("公章 一号", "key", uri)
    assert service.rename("key", None, actor=ACTOR).title is None
    for title in ("", "x" * 201, "line\nbreak"):
        with pytest.raises(MalformedError):
            service.rename("key", title, actor=ACTOR)


def test_the_period_of_use_ends_by_the_clock(open_machines: OpenHsm, now: datetime) -> None:
    with open_machines() as service:
        bounded = NewKey(label="key", algorithm="ec-p256", not_after=now + timedelta(days=1))
        signer = service.signer(service.make(bounded).uri)
        assert signer.sign(b"message")
    with open_machines(clock=lambda: now + timedelta(days=2)) as service:
        with pytest.raises(RejectedError) as caught:
            service.signer("pkcs11:object=key;type=private").sign(b"message")
        assert caught.value.code == "hsm.key.expired"


@pytest.mark.parametrize(
    "new",
    [
        NewKey(label="key", algorithm="sm2", usage_limit=0),
        NewKey(label="key", algorithm="des"),
        NewKey(label="key", algorithm="aes-256"),
        NewKey(label="xinyin-wrapping-key-2", algorithm="sm2"),
        NewKey(label="key", algorithm="sm4", exportable=True),
        NewKey(label="key", algorithm="sm4", purpose=KeyPurpose.CA),
    ],
)
def test_a_key_that_could_never_be_used_is_not_made(service: HsmService, new: NewKey) -> None:
    with pytest.raises(MalformedError):
        service.make(new)
    assert service.keys() == ()


def test_the_inventory_is_filtered(service: HsmService) -> None:
    service.generate("a", KeyAlgorithm.EC_P256, purpose=KeyPurpose.SEAL)
    service.generate("b", KeyAlgorithm.SM2)
    service.generate_sm4("c")
    service.retire("b", actor=ACTOR)

    def labels(wanted: KeyFilter) -> list[str]:
        return [key.label for key in service.keys(wanted=wanted)]

    assert labels(KeyFilter(state=KeyState.RETIRED)) == ["b"]
    assert labels(KeyFilter(purpose=KeyPurpose.SEAL)) == ["a"]
    assert labels(KeyFilter(algorithm="sm4")) == ["c"]
    assert labels(KeyFilter(machine="machine-2")) == ["a", "b", "c"]
    assert labels(KeyFilter(machine="machine")) == []
    assert labels(KeyFilter(machine="%")) == []
    assert labels(KeyFilter(state=KeyState.ACTIVE, algorithm="ec-p256")) == ["a"]


def test_certificates_are_linked_to_the_key_they_are_over(service: HsmService) -> None:
    uri = service.generate("key", KeyAlgorithm.SM2)
    own = certificate_over(service.signer(uri))
    other = certificate_over(service.signer(service.generate("other", KeyAlgorithm.SM2)))
    service.signer(uri, certificate=own)
    service.signer(uri, certificate=own)
    service.signer(uri, certificate=other)
    service.signer(uri, certificate=b"rubbish")
    assert service.certificates("key") == (own,)
    service.link_certificate("key", own)
    assert service.certificates("key") == (own,)
    with pytest.raises(RejectedError) as caught:
        service.link_certificate("key", other)
    assert caught.value.code == "hsm.certificate.other-key"
    with pytest.raises(MalformedError):
        service.link_certificate("key", b"rubbish")
