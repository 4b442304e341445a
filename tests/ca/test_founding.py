"""Authorities: founded once, whatever happens on the way."""

from datetime import timedelta

import pytest
from cryptography import x509 as pyca
from sqlalchemy import func, select

from ca.models import AuthorityRow, CertificateRow
from ca.service import CaService
from trustcore import audit
from trustcore.crypto.algorithms import DigestAlgorithm, KeyAlgorithm
from trustcore.errors import BusyError, ConflictError, NotFoundError, RejectedError
from trustcore.report import Verdict
from trustcore.signing import KeyPurpose
from trustcore.x509.certificate import Certificate
from trustcore.x509.cms import SignedData
from trustcore.x509.crl import Crl, RevocationReason
from trustcore.x509.names import DistinguishedName

from support.authority import EPOCH, YEARS, Died, Office, serial
from support.threads import at_once


def test_founding_again_changes_nothing(office: Office) -> None:
    before = office.authority("sm2-issuing")
    acts = _acts(office)
    office.restart()
    assert office.found("sm2-issuing", "sm2-root") == before
    assert office.found("sm2-issuing", "sm2-root", lifetime=YEARS) == before
    assert _acts(office) == acts


def _acts(office: Office) -> int:
    with office.database.transaction() as session:
        return session.scalar(select(func.count()).select_from(audit.AuditRow)) or 0


@pytest.mark.parametrize(
    "other",
    [
        {"subject": DistinguishedName.of({"C": "CN", "CN": "another"})},
        {"parent": None},
        {"parent": "rsa-root"},
        {"algorithm": KeyAlgorithm.RSA_2048},
    ],
)
def test_another_authority_of_the_same_name_is_refused(office: Office, other: dict[str, object]) -> None:
    wanted: dict[str, object] = {"parent": "sm2-root"} | other
    with pytest.raises(ConflictError) as refused:
        office.found("sm2-issuing", **wanted)  # type: ignore[arg-type]
    assert refused.value.code == "ca.authority.other"


def test_a_parent_that_is_not_there_is_named(empty_office: Office) -> None:
    with pytest.raises(NotFoundError) as refused:
        empty_office.found("sm2-issuing", "sm2-root")
    assert refused.value.code == "ca.authority.unknown"


def test_an_authority_comes_with_chain_responder_and_first_list(office: Office) -> None:
    root, issuing = office.authority("sm2-root"), office.authority("sm2-issuing")
    assert office.service.chain("sm2-issuing") == (issuing.der, root.der)
    assert (root.is_ca, root.path_length, root.is_issued_by(root)) == (True, None, True)
    assert (issuing.is_ca, issuing.path_length, issuing.is_issued_by(root)) == (True, 0, True)
    assert root.key_usage == issuing.key_usage == {"keyCertSign", "cRLSign"}
    assert root.crl_urls == ()
    assert issuing.crl_urls == ("http://localhost:8000/ca/crl/sm2-root.crl",)
    assert Crl.from_der(office.service.crl("sm2-issuing")).is_signed_by(issuing)
    profiles = {(v.authority, v.profile) for v in office.service.certificates(limit=500)}
    assert {(n, "ocsp-responder") for n in ("sm2-root", "sm2-issuing", "rsa-root", "rsa-issuing")} <= profiles
    assert {a for a, p in profiles if p == "time-stamping"} == {"sm2-issuing", "rsa-issuing"}
    assert [a.name for a in office.service.authorities()] == ["rsa-issuing", "rsa-root", "sm2-issuing", "sm2-root"]
    usage = pyca.load_der_x509_certificate(root.der).extensions.get_extension_for_class(pyca.KeyUsage)
    assert usage.critical


def test_a_root_cannot_found_below_an_issuing_authority(office: Office) -> None:
    """RFC 5280 §4.2.1.9: a path length of 0 lets no CA follow."""
    with pytest.raises(RejectedError) as refused:
        office.found("sm2-below", "sm2-issuing")
    assert refused.value.code == "ca.lint.basic-constraints"


@pytest.mark.parametrize("death", ["dies_before", "dies_after"])
def test_founding_goes_on_where_the_process_died(empty_office: Office, death: str) -> None:
    office = empty_office
    setattr(office.keys.weakness, death, True)
    with pytest.raises(Died):
        office.found("sm2-root")
    key = office.keys.signer("pkcs11:object=ca-sm2-root;type=private").public_key_der
    office.restart()
    certificate = office.found("sm2-root")
    assert certificate.public_key_der == key
    with office.database.transaction() as session:
        row = session.scalars(select(CertificateRow).order_by(CertificateRow.id)).first()
        assert row is not None
        assert row.certificate_der == certificate.der
        assert session.scalar(select(func.count()).select_from(AuthorityRow)) == 1


def test_founding_while_no_machine_serves_can_be_repeated(empty_office: Office) -> None:
    empty_office.keys.weakness.down = True
    with pytest.raises(BusyError):
        empty_office.found("sm2-root")
    empty_office.keys.weakness.down = False
    assert empty_office.found("sm2-root").common_name == "sm2-root"


def test_processes_that_found_at_once_agree(empty_office: Office) -> None:
    office = empty_office
    office.keys.generate("ca-sm2-root", KeyAlgorithm.SM2, purpose=KeyPurpose.CA)
    office.keys.generate("ocsp-responder-sm2-root", KeyAlgorithm.SM2)
    services = [office.another_process() for _ in range(4)]
    subject = DistinguishedName.of({"C": "CN", "CN": "根"})

    def found(number: int) -> object:
        authority = services[number].found(
            "sm2-root", subject=subject, algorithm=KeyAlgorithm.SM2, parent=None, lifetime=YEARS
        )
        return authority.certificate.der

    assert len(set(at_once(4, found))) == 1
    with office.database.transaction() as session:
        assert audit.verify_chain(session).verdict is Verdict.VALID


def test_an_authority_is_not_founded_on_a_key_that_was_made_for_something_else(empty_office: Office) -> None:
    empty_office.keys.generate("ca-sm2-root", KeyAlgorithm.SM2)
    with pytest.raises(RejectedError) as caught:
        empty_office.found("sm2-root")
    assert caught.value.code == "hsm.key.purpose"
    assert empty_office.service.authorities() == ()


def test_a_delegate_gets_a_new_certificate_when_its_end_is_near(office: Office) -> None:
    def responders() -> list[str]:
        views = office.service.certificates(limit=500)
        return [v.serial_number for v in views if (v.authority, v.profile) == ("sm2-issuing", "ocsp-responder")]

    first = responders()
    office.clock.now = EPOCH + timedelta(days=330)
    office.found("sm2-issuing", "sm2-root")
    assert responders() == first
    office.clock.now = EPOCH + timedelta(days=340)
    office.found("sm2-issuing", "sm2-root")
    second = responders()
    assert len(second) == 2
    office.restart()
    office.found("sm2-issuing", "sm2-root")
    assert responders() == second
    certificate = Certificate.from_der(office.service.certificate("sm2-issuing", second[0]))
    assert certificate.not_after > EPOCH + timedelta(days=700)


def test_a_revoked_delegate_is_replaced_and_its_key_too(office: Office) -> None:
    def stamping() -> list[Certificate]:
        views = [v for v in office.service.certificates(limit=500) if v.profile == "time-stamping"]
        found = [v.serial_number for v in views if v.authority == "sm2-issuing"]
        return [Certificate.from_der(office.service.certificate("sm2-issuing", number)) for number in found]

    office.found("sm2-issuing", "sm2-root")
    elsewhere = office.another_process()
    old = stamping()[0]
    assert old in _carried(elsewhere)
    office.service.revoke("sm2-issuing", serial(old), reason=RevocationReason.KEY_COMPROMISE)
    office.found("sm2-issuing", "sm2-root")
    new = stamping()
    assert len(new) == 2
    assert new[0].public_key_der != old.public_key_der
    assert new[0] in _carried(office.service)
    office.clock.now += timedelta(minutes=5)
    assert new[0] in _carried(elsewhere)
    office.restart()
    office.found("sm2-issuing", "sm2-root")
    assert stamping() == new


def _carried(service: CaService) -> tuple[Certificate, ...]:
    """What a time stamp carries."""
    return SignedData.from_der(service.timestamp_token("sm2-issuing", DigestAlgorithm.SM3, bytes(32))).certificates
