import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from sqlalchemy import select

from hsm import software
from hsm.service import HsmService
from hsm.settings import HsmSettings
from hsm.store.keys import key_record, wrapping_records
from trustcore.audit import AuditRow
from trustcore.crypto import sm2, verify
from trustcore.crypto.algorithms import KeyAlgorithm
from trustcore.database import Database
from trustcore.errors import ConflictError, MalformedError, NotFoundError, RejectedError
from trustcore.signing import Keys

pytestmark = pytest.mark.hsm

OpenHsm = Callable[..., AbstractContextManager[HsmService]]


def test_the_service_is_the_products_keys(service: HsmService) -> None:
    keys: Keys = service
    assert keys.find("nobody") is None


@pytest.mark.parametrize("algorithm", list(KeyAlgorithm))
def test_a_key_is_in_all_machines_and_every_one_signs_rightly(service: HsmService, algorithm: KeyAlgorithm) -> None:
    uri = service.generate("key", algorithm)
    assert uri == service.find("key") == "pkcs11:object=key;type=private"
    signer = service.signer(uri, certificate=b"certificate")
    assert (signer.algorithm, signer.certificate) == (algorithm.signature, b"certificate")
    assert verify.verify(signer.public_key_der, signer.algorithm, b"message", signer.sign(b"message"))
    (status,) = service.keys()
    assert set(status.machines) == {"machine-1", "machine-2", "machine-3"}
    assert (status.missing, status.sealed) == ((), True)
    results = service.self_test()
    assert len(results) == 3
    assert all(result.ok for result in results)


def test_many_digests_are_signed_in_order(service: HsmService) -> None:
    signer = service.signer(service.generate("key", KeyAlgorithm.SM2))
    digests = [bytes([i]) * 32 for i in range(5)]
    for digest, signature in zip(digests, signer.sign_many(digests), strict=True):
        assert verify.verify_digest(signer.public_key_der, signer.algorithm, digest, signature)


def test_a_taken_label_is_refused(service: HsmService) -> None:
    service.generate("key", KeyAlgorithm.SM2)
    with pytest.raises(ConflictError) as caught:
        service.generate("key", KeyAlgorithm.SM2)
    assert caught.value.code == "hsm.key.exists"


@pytest.mark.parametrize("label", ["", "x" * 65, "line\nbreak"])
def test_a_label_that_names_nothing_is_refused(service: HsmService, label: str) -> None:
    with pytest.raises(MalformedError) as caught:
        service.generate(label, KeyAlgorithm.SM2)
    assert caught.value.code == "hsm.key.label"


def test_a_chinese_label_is_quoted_in_the_uri_and_found_again(service: HsmService) -> None:
    uri = service.generate("公章; 一号", KeyAlgorithm.EC_P256)
    assert uri == "pkcs11:object=%E5%85%AC%E7%AB%A0%3B%20%E4%B8%80%E5%8F%B7;type=private"
    assert service.signer(uri).sign(b"message")


def test_an_unknown_key_is_named(service: HsmService) -> None:
    with pytest.raises(NotFoundError) as caught:
        service.signer("pkcs11:object=nobody;type=private")
    assert caught.value.code == "hsm.key.not-found"
    assert "nobody" in caught.value.detail


@pytest.mark.parametrize("length", [0, 31, 33])
def test_a_digest_of_another_length_is_refused(service: HsmService, length: int) -> None:
    signer = service.signer(service.generate("key", KeyAlgorithm.EC_P256))
    with pytest.raises(MalformedError) as caught:
        signer.sign_digest(bytes(length))
    assert caught.value.code == "hsm.digest.length"


def test_decryption_happens_in_the_machines(service: HsmService) -> None:
    uri = service.generate("key", KeyAlgorithm.SM2)
    point = sm2.public_point(service.signer(uri).public_key_der)
    ciphertext = sm2.encrypt(point, b"secret")
    assert service.decrypt(uri, ciphertext) == b"secret"
    with pytest.raises(MalformedError) as caught:
        service.decrypt(uri, ciphertext[:-1] + bytes([ciphertext[-1] ^ 1]))
    assert caught.value.code == "hsm.cipher.invalid"
    with pytest.raises(MalformedError):
        service.decrypt(uri, b"rubbish")
    assert all(machine.up for machine in service.machines()), "a bad ciphertext is not the machine's fault"


def test_a_signing_key_of_another_kind_decrypts_nothing(service: HsmService) -> None:
    uri = service.generate("key", KeyAlgorithm.RSA_2048)
    with pytest.raises(RejectedError) as caught:
        service.decrypt(uri, b"anything")
    assert caught.value.code == "hsm.key.no-decryption"


def test_random_octets_have_the_length_asked_for(service: HsmService) -> None:
    assert [len(service.random(length)) for length in (0, 1, 32, 4096)] == [0, 1, 32, 4096]
    assert service.random(32) != service.random(32)
    for length in (-1, 2**20 + 1):
        with pytest.raises(MalformedError):
            service.random(length)


@pytest.mark.parametrize("primed", [False])
def test_generation_is_audited_without_secrets(service: HsmService, database: Database) -> None:
    service.generate("key", KeyAlgorithm.SM2)
    with database.transaction() as session:
        actions = [row.action for row in session.scalars(select(AuditRow).order_by(AuditRow.number))]
    assert actions[0] == "hsm.key.requested"
    assert actions[-1] == "hsm.key.generated"
    assert actions.count("hsm.wrapping-key.replicated") == 2


def test_keys_are_paged_by_label(service: HsmService) -> None:
    for label in ("b", "a", "c"):
        service.generate(label, KeyAlgorithm.EC_P256)
    assert [key.label for key in service.keys(limit=2)] == ["a", "b"]
    assert [key.label for key in service.keys(after="b")] == ["c"]


def test_a_signer_does_not_go_stale_when_the_machines_are_reopened(open_machines: OpenHsm) -> None:
    with open_machines() as service:
        public = service.signer(service.generate("key", KeyAlgorithm.SM2)).public_key_der
    with open_machines() as service:
        signer = service.signer("pkcs11:object=key;type=private")
        assert signer.public_key_der == public
        assert verify.verify(public, signer.algorithm, b"message", signer.sign(b"message"))
        assert all(result.ok for result in service.self_test())


def test_eight_threads_mix_operations_without_a_failure(service: HsmService) -> None:
    uris = {algorithm: service.generate(algorithm.value, algorithm) for algorithm in KeyAlgorithm}
    signers = {algorithm: service.signer(uri) for algorithm, uri in uris.items()}
    point = sm2.public_point(signers[KeyAlgorithm.SM2].public_key_der)
    together = threading.Barrier(8)

    def work(thread: int) -> int:
        together.wait()
        for turn in range(12):
            message = f"{thread}/{turn}".encode()
            for signer in signers.values():
                assert verify.verify(signer.public_key_der, signer.algorithm, message, signer.sign(message))
            assert service.decrypt(uris[KeyAlgorithm.SM2], sm2.encrypt(point, message)) == message
            assert len(service.random(16)) == 16
        return 12 * 6

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(work, range(8))) == 8 * 12 * 6
    assert all(machine.up and not machine.in_flight for machine in service.machines())
    assert min(machine.served for machine in service.machines()) > 8 * 12, "the load was shared"


def test_what_an_abandoned_attempt_left_is_never_taken_for_the_key(service: HsmService, database: Database) -> None:
    service.generate("key", KeyAlgorithm.SM2)
    with database.transaction() as session:
        record = key_record(session, "key")
    assert record is not None
    # Another pair under the same label and another identifier, in every machine.
    for name in service._pool.names:
        reference = type(record.reference)("key", os.urandom(16))
        service._pool.ask(name, lambda m, r=reference: m.generate(r, KeyAlgorithm.SM2, extractable=False))
    assert all(result.ok for result in service.self_test())


def test_no_pin_is_in_any_text_of_the_service(service: HsmService, data_dir: Path) -> None:
    pin = (data_dir / "secrets" / "hsm_pin").read_text().strip()
    service.generate("key", KeyAlgorithm.SM2)
    texts = [repr(service), repr(service.machines()), repr(service.keys()), repr(service._settings)]
    texts += [repr(service._pool.machine(name)) for name in service._pool.names]
    texts.append(repr(service.signer("pkcs11:object=key;type=private")))
    assert not [text for text in texts if pin in text]


def test_two_services_of_one_process_share_the_machines(open_machines: OpenHsm) -> None:
    with open_machines() as one:
        uri = one.generate("key", KeyAlgorithm.SM2)
        with open_machines() as other:
            assert other.signer(uri).public_key_der == one.signer(uri).public_key_der
            assert all(result.ok for result in other.self_test())
        assert one.signer(uri).sign(b"message"), "closing one does not log the other out"


def test_the_numbers_of_a_vendors_profile_are_used(data_dir: Path, open_machines: OpenHsm) -> None:
    """softgm speaks the numbers of the Sansec family, also for key types and key generation."""
    machines = tuple(
        machine.model_copy(update={"profile": "sansec"}) for machine in software.software_machines(data_dir)[:2]
    )
    with open_machines(HsmSettings(machines=machines)) as service:
        uri = service.generate("key", KeyAlgorithm.SM2)
        (status,) = service.keys()
        assert len(status.machines) == 1, "such machines are cloned by the vendor's own means"
        assert [result.ok for result in service.self_test()] == [True]
        point = sm2.public_point(service.signer(uri).public_key_der)
        assert service.decrypt(uri, sm2.encrypt(point, b"secret")) == b"secret"


def test_one_machine_alone_makes_keys_that_never_could_leave(data_dir: Path, open_machines: OpenHsm) -> None:
    settings = HsmSettings(machines=software.software_machines(data_dir)[:1], sessions_per_machine=1)
    with open_machines(settings) as service:
        service.generate("key", KeyAlgorithm.SM2)
        (status,) = service.keys()
        assert (status.machines, status.sealed) == (("machine-1",), True)
    with open_machines() as service:
        assert service.reconcile() == ()
        (status,) = service.keys()
        assert status.missing == ("machine-2", "machine-3"), "and do not follow when machines join"
        uri = service.generate("later", KeyAlgorithm.SM2)
        assert service.signer(uri).sign(b"message")
        assert all(result.ok for result in service.self_test())


@pytest.mark.parametrize("primed", [False])
def test_when_a_machine_joins_new_keys_reach_it_under_a_new_wrapping_key(
    data_dir: Path, open_machines: OpenHsm, database: Database
) -> None:
    with open_machines(HsmSettings(machines=software.software_machines(data_dir)[:2])) as service:
        service.generate("first", KeyAlgorithm.SM2)
    with open_machines() as service:
        service.generate("second", KeyAlgorithm.SM2)
        first, second = service.keys()
        assert (first.missing, second.missing) == (("machine-3",), ())
        assert all(result.ok for result in service.self_test())
    with database.transaction() as session:
        assert [len(record.machines) for record in wrapping_records(session)] == [2, 3]
