"""Issuing: profiles, idempotence, refusals, deaths in the middle, threads."""

from datetime import timedelta

import pytest
from cryptography import x509 as pyca
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from sqlalchemy import select

from ca.core.profiles import PROFILES
from ca.models import CertificateRow
from trustcore import audit
from trustcore.asn1 import encoder, reader
from trustcore.crypto.algorithms import KeyAlgorithm
from trustcore.crypto.software import SoftwareKeys
from trustcore.errors import ConflictError, InternalError, MalformedError, NotFoundError, RejectedError
from trustcore.report import Status, Verdict
from trustcore.x509 import extensions as ext
from trustcore.x509.build import signed
from trustcore.x509.certificate import Certificate, encode_pem
from trustcore.x509.chain import KeyPurpose, validate_chain
from trustcore.x509.crl import RevocationReason
from trustcore.x509.names import DistinguishedName
from trustcore.x509.purposes import purpose_problem
from trustcore.x509.requests import build_request

from support.authority import EPOCH, SUBJECT, YEARS, Died, Office, serial
from support.threads import at_once

_REASON = RevocationReason.CESSATION_OF_OPERATION
SIGNING = {"digital_signature", "content_commitment"}
WANTED = {
    "seal-maker": (SIGNING, set(), False),
    "seal-signer": (SIGNING, {"1.3.6.1.5.5.7.3.36"}, False),
    "document-signer": (SIGNING, {"1.3.6.1.5.5.7.3.36", "1.3.6.1.5.5.7.3.4"}, False),
    "time-stamping": ({"digital_signature"}, {"1.3.6.1.5.5.7.3.8"}, True),
    "ocsp-responder": ({"digital_signature"}, {"1.3.6.1.5.5.7.3.9"}, False),
}
BITS = (
    "digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
    "key_cert_sign", "crl_sign",
)  # fmt: skip


def rows(office: Office) -> list[CertificateRow]:
    with office.database.transaction() as session:
        return list(session.scalars(select(CertificateRow).order_by(CertificateRow.id)))


@pytest.mark.parametrize("authority", ["sm2-issuing", "rsa-issuing"])
@pytest.mark.parametrize("profile", sorted(WANTED))
def test_a_certificate_says_what_its_profile_says(office: Office, authority: str, profile: str) -> None:
    """As another parser reads it."""
    certificate = office.issue(authority, profile=profile)
    read = pyca.load_der_x509_certificate(certificate.der)
    usages, purposes, critical = WANTED[profile]
    usage = read.extensions.get_extension_for_class(pyca.KeyUsage)
    assert usage.critical
    assert {bit for bit in BITS if getattr(usage.value, bit)} == usages
    found = [e for e in read.extensions if isinstance(e.value, pyca.ExtendedKeyUsage)]
    assert {p.dotted_string for e in found for p in e.value} == purposes
    assert all(e.critical is critical for e in found)
    constraints = read.extensions.get_extension_for_class(pyca.BasicConstraints)
    assert (constraints.critical, constraints.value.ca) == (True, False)
    assert (pyca.OCSPNoCheck() in [e.value for e in read.extensions]) is (profile == "ocsp-responder")
    points = read.extensions.get_extension_for_class(pyca.CRLDistributionPoints).value
    assert [p.full_name[0].value for p in points if p.full_name] == [f"http://localhost:8000/ca/crl/{authority}.crl"]
    access = read.extensions.get_extension_for_class(pyca.AuthorityInformationAccess).value
    assert [a.access_location.value for a in access] == [
        "http://localhost:8000/ca/ocsp", f"http://localhost:8000/ca/certificates/{authority}.cer",
    ]  # fmt: skip
    issuer = office.authority(authority)
    assert certificate.is_issued_by(issuer)
    assert certificate.authority_key_identifier == issuer.subject_key_identifier
    assert read.not_valid_after_utc - read.not_valid_before_utc == PROFILES[profile].lifetime - timedelta(seconds=1)
    assert certificate.subject_der == SUBJECT.der


def test_what_is_issued_passes_validation_with_the_published_lists(office: Office) -> None:
    certificate = office.issue(profile="seal-signer")
    chain = [Certificate.from_der(der) for der in office.service.chain("sm2-issuing")]
    result = validate_chain(
        certificate,
        intermediates=chain[:1],
        roots=chain[1:],
        crls=[office.service.crl("sm2-issuing"), office.service.crl("sm2-root")],
        at=EPOCH,
        purpose=KeyPurpose.SEAL_SIGNING,
    )
    assert result.status is Status.PASSED


@pytest.mark.parametrize(
    ("profile", "purposes"),
    [
        ("seal-maker", {"seal-making", "seal-signing", "document-signing"}),
        ("seal-signer", {"seal-signing", "document-signing"}),
        ("document-signer", {"seal-signing", "document-signing"}),
        ("time-stamping", {"time-stamping"}),
        ("ocsp-responder", {"ocsp-signing"}),
    ],
)
def test_a_profile_serves_its_purposes_only(office: Office, profile: str, purposes: set[str]) -> None:
    certificate = office.issue(profile=profile)
    assert {str(p) for p in KeyPurpose if not purpose_problem(certificate, p)} == purposes


def test_a_request_id_gives_one_certificate_and_refuses_another_body(office: Office) -> None:
    csr = office.request()
    first = office.issue(csr=csr)
    assert office.issue(csr=csr) == first
    assert office.issue(csr=encode_pem("CERTIFICATE REQUEST", csr)) == first
    office.restart()
    assert office.issue(csr=csr) == first
    for other in (
        {"csr": office.request()},
        {"csr": csr, "profile": "seal-signer"},
        {"csr": csr, "authority": "rsa-issuing"},
        {"csr": csr, "lifetime": timedelta(days=1)},
    ):
        with pytest.raises(ConflictError) as refused:
            office.issue(**other)  # type: ignore[arg-type]
        assert refused.value.code == "ca.request.other-body"
    assert office.issue(csr=csr, request_id="r2") != first


def test_a_request_over_a_key_its_sender_does_not_hold_is_refused(office: Office) -> None:
    """RFC 2986 §4.2: the signature shows that the sender holds the private key."""
    keys = SoftwareKeys()
    mine, other = (keys.signer(keys.generate(label, KeyAlgorithm.SM2)) for label in "ab")
    stolen = build_request(mine, SUBJECT).replace(mine.public_key_der, other.public_key_der)
    with pytest.raises(RejectedError) as refused:
        office.issue(csr=stolen)
    assert refused.value.code == "x509.request.signature"


def test_short_keys_are_refused(office: Office) -> None:
    """GM/T 0054-2018 §5.1: RSA of at least 2048 bits."""
    name = pyca.Name([pyca.NameAttribute(pyca.NameOID.COMMON_NAME, "short")])
    request = pyca.CertificateSigningRequestBuilder(name).sign(
        rsa.generate_private_key(65537, 1024),  # noqa: S505 - that is the point
        hashes.SHA256(),
    )
    with pytest.raises(RejectedError) as refused:
        office.issue(csr=request.public_bytes(serialization.Encoding.DER))
    assert refused.value.code == "x509.request.algorithm"


def test_extensions_a_request_asks_for_are_not_taken_over(office: Office) -> None:
    """A CSR may not make itself a CA, nor hide a name in subjectAltName."""
    keys = SoftwareKeys()
    signer = keys.signer(keys.generate("a", KeyAlgorithm.SM2))
    wish = (
        ext.basic_constraints(ca=True),
        ext.key_usage("keyCertSign"),
        ext.Extension(oid="2.5.29.17", value_der=encoder.sequence(encoder.tlv(0x82, b"evil.test"))),
        ext.Extension(oid="1.2.3.4", critical=True, value_der=b"x"),
    )
    certificate = office.issue(csr=build_request(signer, SUBJECT, wish))
    assert not certificate.is_ca
    assert "keyCertSign" not in certificate.key_usage
    assert {e.oid for e in certificate.extensions}.isdisjoint({"2.5.29.17", "1.2.3.4"})


@pytest.mark.parametrize("profile", ["root", "issuing", "", "../x"])
def test_no_request_gets_the_profile_of_a_ca(office: Office, profile: str) -> None:
    with pytest.raises(NotFoundError) as refused:
        office.issue(profile=profile)
    assert refused.value.code == "ca.profile.unknown"


def test_an_unknown_authority_and_an_unreadable_request_are_named(office: Office) -> None:
    with pytest.raises(NotFoundError):
        office.issue("nobody")
    for junk in (b"", b"\x30\x00", b"hello", encode_pem("CERTIFICATE REQUEST", b"\0\0")):
        with pytest.raises(MalformedError):
            office.service.issue("sm2-issuing", junk, profile="seal-maker", request_id="x")


@pytest.mark.parametrize(("lifetime", "given"), [(timedelta(days=90), timedelta(days=90)), (40 * YEARS, 5 * YEARS)])
def test_a_lifetime_is_cut_to_the_profiles(office: Office, lifetime: timedelta, given: timedelta) -> None:
    certificate = office.issue(lifetime=lifetime)
    assert certificate.not_after - certificate.not_before == given - timedelta(seconds=1)


@pytest.mark.parametrize("lifetime", [timedelta(0), timedelta(days=-1)])
def test_a_certificate_that_would_be_over_at_once_is_refused(office: Office, lifetime: timedelta) -> None:
    with pytest.raises(RejectedError):
        office.issue(lifetime=lifetime)


def test_a_certificate_ends_with_its_authority_at_the_latest(office: Office) -> None:
    authority = office.authority("sm2-issuing")
    office.clock.now = authority.not_after - timedelta(days=1)
    certificate = office.issue()
    assert certificate.not_after == authority.not_after
    office.clock.now = authority.not_after + timedelta(seconds=1)
    with pytest.raises(RejectedError) as refused:
        office.issue(request_id="r2")
    assert refused.value.code == "ca.issue.issuer-expired"


def test_an_authority_whose_certificate_was_revoked_issues_no_more(office: Office) -> None:
    before = office.request()
    certificate = office.issue(csr=before)
    office.service.revoke("sm2-root", serial(office.authority("sm2-issuing")), reason=_REASON)
    with pytest.raises(RejectedError) as refused:
        office.issue(request_id="r2")
    assert refused.value.code == "ca.issue.issuer-revoked"
    assert office.issue(csr=before) == certificate
    assert office.issue("rsa-issuing", request_id="r3")


@pytest.mark.parametrize("death", ["dies_before", "dies_after"])
def test_a_request_goes_on_where_the_process_died(office: Office, death: str) -> None:
    """Reserve → sign → record: the serial number that was reserved is the one that is issued, and no other has it."""
    csr = office.request()
    setattr(office.keys.weakness, death, True)
    with pytest.raises(Died):
        office.issue(csr=csr)
    reserved = rows(office)[-1]
    assert reserved.certificate_der is None
    office.restart()
    office.clock.now += timedelta(hours=1)
    with pytest.raises(ConflictError):
        office.service.revoke("sm2-issuing", reserved.serial_number, reason=_REASON)
    with pytest.raises(NotFoundError):
        office.service.certificate("sm2-issuing", reserved.serial_number)
    other = office.issue(request_id="r2")
    certificate = office.issue(csr=csr)
    assert serial(certificate) == reserved.serial_number != serial(other)
    assert certificate.tbs_der == reserved.tbs_der
    assert office.service.certificate("sm2-issuing", serial(certificate)) == certificate.der


def test_a_reservation_that_nobody_completed_is_closed_and_its_number_stays_used(office: Office) -> None:
    csr = office.request()
    office.keys.weakness.dies_after = True
    with pytest.raises(Died):
        office.issue(csr=csr)
    reserved = rows(office)[-1].serial_number
    office.restart()
    assert office.service.close_reservations(older_than=timedelta(hours=1)) == 0
    office.clock.now += timedelta(hours=2)
    assert office.service.close_reservations(older_than=timedelta(hours=1)) == 1
    assert office.service.close_reservations(older_than=timedelta(hours=1)) == 0
    assert office.service.certificates(limit=1)[0].state == "closed"
    assert serial(office.issue(csr=csr)) != reserved
    assert reserved in {row.serial_number for row in rows(office)}


def test_a_wrong_signature_of_a_machine_is_not_handed_out(office: Office) -> None:
    office.keys.weakness.wrong = True
    with pytest.raises(InternalError) as refused:
        office.issue()
    assert refused.value.code == "ca.issue.wrong-signature"
    assert rows(office)[-1].certificate_der is None


def test_eight_threads_with_one_request_get_one_certificate(office: Office) -> None:
    csr = office.request()
    second = office.another_process()

    def ask(number: int) -> object:
        service = second if number % 2 else office.service
        return service.issue("sm2-issuing", csr, profile="seal-maker", request_id="same")

    before = len(rows(office))
    assert len(set(at_once(8, ask))) == 1
    assert len(rows(office)) == before + 1


def test_of_two_processes_that_complete_one_reservation_the_first_stands(office: Office) -> None:
    """SM2 signatures differ each time, and nobody may hold a certificate that the database does not."""
    csr = office.request()
    elsewhere: list[Certificate] = []
    office.keys.weakness.meanwhile = lambda: elsewhere.append(
        Certificate.from_der(
            office.another_process().issue("sm2-issuing", csr, profile="document-signer", request_id="r1")
        )
    )
    assert [office.issue(csr=csr)] == elsewhere
    assert rows(office)[-1].certificate_der == elsewhere[0].der


def test_a_reservation_that_is_closed_while_its_certificate_is_signed_is_not_completed(office: Office) -> None:
    def close() -> None:
        office.clock.now += timedelta(hours=2)
        assert office.service.close_reservations(older_than=timedelta(hours=1)) == 1

    office.keys.weakness.meanwhile = close
    with pytest.raises(ConflictError) as refused:
        office.issue()
    assert refused.value.code == "ca.request.closed"
    assert office.service.certificates(limit=1)[0].state == "closed"


def test_serial_numbers_differ_and_cannot_be_guessed(office: Office) -> None:
    """RFC 5280 §4.1.2.2; CA/Browser Forum BR §7.1: at least 64 random bits."""
    csr = office.request()
    numbers = [int(serial(office.issue(csr=csr, request_id=f"r{i}")), 16) for i in range(5)]
    assert len(set(numbers)) == 5
    assert all(126 <= number.bit_length() <= 127 for number in numbers)


def test_each_act_is_in_the_audit_chain(office: Office) -> None:
    certificate = office.issue(actor="app:gov")
    office.service.revoke("sm2-issuing", serial(certificate), reason=_REASON, actor="app:gov")
    with office.database.transaction() as session:
        assert audit.verify_chain(session).verdict is Verdict.VALID
        acts = [(row.action, row.actor) for row in reversed(audit.rows(session, limit=4))]
    assert acts == [
        ("ca.certificate.reserved", "app:gov"),
        ("ca.certificate.issued", "app:gov"),
        ("ca.certificate.revoked", "app:gov"),
        ("ca.crl.published", "system"),
    ]


def test_a_subject_that_is_not_der_is_refused(office: Office) -> None:
    """RFC 5280 §4.1: a certificate is DER throughout, also where it copies a request."""
    keys = SoftwareKeys()
    signer = keys.signer(keys.generate("a", KeyAlgorithm.SM2))
    content = reader.parse(SUBJECT.der).content
    long_form = b"\x30\x82" + len(content).to_bytes(2, "big") + content
    information = encoder.sequence(
        encoder.integer(0), long_form, signer.public_key_der, encoder.implicit(0, encoder.set_of())
    )
    with pytest.raises((RejectedError, MalformedError)):
        office.issue(csr=signed(information, signer))


def test_names_the_tables_or_readers_could_not_hold_are_refused(office: Office) -> None:
    huge = DistinguishedName.of([("O", "长" * 1000), ("OU", "x" * 500), ("CN", "y")])
    attribute = encoder.sequence(encoder.oid("2.5.4.3"), encoder.utf8_string("a\0b\n"))
    control = DistinguishedName.from_der(encoder.sequence(encoder.set_of(attribute)))
    nameless = DistinguishedName.of({"O": "x"})
    own = DistinguishedName.from_der(office.authority("sm2-issuing").subject_der)
    codes = []
    for subject in (huge, control, nameless, own):
        with pytest.raises(RejectedError) as refused:
            office.issue(csr=office.request(subject))
        codes.append(refused.value.code)
    assert codes == [
        "ca.lint.subject-printable", "ca.lint.subject-printable", "ca.lint.subject-present", "ca.lint.subject-differs",
    ]  # fmt: skip


@pytest.mark.parametrize("algorithm", [KeyAlgorithm.SM2, KeyAlgorithm.EC_P256, KeyAlgorithm.RSA_2048])
def test_every_kind_of_key_can_be_certified(office: Office, algorithm: KeyAlgorithm) -> None:
    assert office.issue(csr=office.request(algorithm=algorithm)).public_key.serves(algorithm.signature)
