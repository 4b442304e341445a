"""What many processes do at once, on PostgreSQL, where transactions really run beside each other."""

import pytest
from sqlalchemy import func, select

from ca.models import CertificateRow
from trustcore import audit
from trustcore.crypto.algorithms import DigestAlgorithm, KeyAlgorithm
from trustcore.crypto.digests import sm3
from trustcore.report import Verdict
from trustcore.signing import KeyPurpose
from trustcore.x509.cms import SignedData
from trustcore.x509.crl import Crl, RevocationReason
from trustcore.x509.names import DistinguishedName
from trustcore.x509.tsp import TstInfo

from support.authority import YEARS, Office, serial
from support.threads import at_once

pytestmark = pytest.mark.postgres


@pytest.fixture
def office(office_on_postgres: Office) -> Office:
    return office_on_postgres


def test_lists_have_numbers_of_their_own_and_the_newest_has_everything(office: Office) -> None:
    certificates = [office.issue(request_id=f"list-{number}") for number in range(6)]
    services = [office.another_process() for _ in range(6)]
    before = Crl.from_der(office.service.crl("sm2-issuing")).number or 0

    def revoke(number: int) -> None:
        wanted = serial(certificates[number])
        services[number].revoke("sm2-issuing", wanted, reason=RevocationReason.SUPERSEDED)

    at_once(6, revoke)
    newest = Crl.from_der(office.service.crl("sm2-issuing"))
    assert newest.number == before + 6
    assert {c.serial_number for c in certificates} <= set(newest.entries)


def test_one_request_gives_one_certificate(office: Office) -> None:
    csr = office.request()
    services = [office.another_process() for _ in range(8)]

    def ask(number: int) -> bytes:
        return services[number].issue("sm2-issuing", csr, profile="seal-maker", request_id="same")

    assert len(set(at_once(8, ask))) == 1
    with office.database.transaction() as session:
        query = select(func.count()).select_from(CertificateRow).where(CertificateRow.request_id == "same")
        assert session.scalar(query) == 1


def test_time_stamps_have_numbers_of_their_own(office: Office) -> None:
    services = [office.another_process() for _ in range(8)]

    def stamp(number: int) -> list[int]:
        tokens = [
            services[number].timestamp_token("sm2-issuing", DigestAlgorithm.SM3, sm3(bytes((number,))))
            for _ in range(5)
        ]
        return [TstInfo.from_der(SignedData.from_der(token).content or b"").serial_number for token in tokens]

    numbers = [n for found in at_once(8, stamp) for n in found]
    assert len(set(numbers)) == 40


def test_an_authority_founded_by_many_is_one(office: Office) -> None:
    services = [office.another_process() for _ in range(4)]
    for label, purpose in (("ca-sm2-late", KeyPurpose.CA), ("ocsp-responder-sm2-late", KeyPurpose.SIGNING)):
        office.keys.generate(label, KeyAlgorithm.SM2, purpose=purpose)
    subject = DistinguishedName.of({"C": "CN", "CN": "late"})

    def found(number: int) -> bytes:
        made = services[number].found(
            "sm2-late", subject=subject, algorithm=KeyAlgorithm.SM2, parent=None, lifetime=YEARS
        )  # fmt: skip
        return made.certificate.der

    assert len(set(at_once(4, found))) == 1


def test_the_audit_chain_is_whole(office: Office) -> None:
    with office.database.transaction() as session:
        assert audit.verify_chain(session).verdict is Verdict.VALID
