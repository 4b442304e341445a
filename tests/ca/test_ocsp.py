"""The OCSP responder, asked by our own client code and by OpenSSL."""

import hashlib
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509 as pyca
from cryptography.x509 import ocsp as pyca_ocsp

from trustcore.asn1 import encoder, reader
from trustcore.crypto.algorithms import DigestAlgorithm
from trustcore.errors import MalformedError
from trustcore.x509 import extensions as ext
from trustcore.x509 import oids
from trustcore.x509.certificate import Certificate
from trustcore.x509.crl import RevocationReason
from trustcore.x509.ocsp import CertificateId, CertificateStatus, OcspResponse, build_request

from support.authority import EPOCH, Died, Office, serial

REASON = RevocationReason.KEY_COMPROMISE
GOOD, REVOKED, UNKNOWN = CertificateStatus


def ask(office: Office, *ids: CertificateId, nonce: bytes | None = None) -> OcspResponse:
    return OcspResponse.from_der(office.service.ocsp(build_request(ids, nonce)))


@pytest.mark.parametrize("authority", ["sm2-issuing", "rsa-issuing"])
@pytest.mark.parametrize("algorithm", [None, DigestAlgorithm.SHA256, DigestAlgorithm.SM3])
def test_good_then_revoked(office: Office, authority: str, algorithm: DigestAlgorithm | None) -> None:
    """CertIDs by SHA-1, SHA-256 and SM3."""
    issuer, certificate = office.authority(authority), office.issue(authority)
    asked = CertificateId.of(certificate.serial_number, issuer, algorithm)
    first = ask(office, asked)
    assert [r.status for r in first.responses] == [GOOD]
    assert first.responses[0].certificate_id.der == asked.der
    assert first.is_signed_for(issuer)
    assert (first.produced_at, first.responses[0].next_update) == (EPOCH, EPOCH + timedelta(hours=1))
    office.clock.now += timedelta(minutes=1)
    office.service.revoke(authority, serial(certificate), reason=REASON)
    second = ask(office, asked).responses[0]
    assert (second.status, second.revoked_at, second.reason) == (REVOKED, EPOCH + timedelta(minutes=1), REASON)


def test_a_certificate_of_a_ca_and_a_root_are_answered_too(office: Office) -> None:
    root, issuing = office.authority("sm2-root"), office.authority("sm2-issuing")
    response = ask(office, CertificateId.of(issuing.serial_number, root), CertificateId.of(root.serial_number, root))
    assert [r.status for r in response.responses] == [GOOD, GOOD]
    assert response.is_signed_for(root)


@pytest.mark.parametrize("number", [1, 0, -1, 2**200])
def test_a_serial_number_that_was_never_issued_is_unknown(office: Office, number: int) -> None:
    issuer = office.authority("sm2-issuing")
    assert [r.status for r in ask(office, CertificateId.of(number, issuer)).responses] == [UNKNOWN]


def test_a_certificate_that_is_only_reserved_is_unknown(office: Office) -> None:
    """RFC 6960 §2.2: good is not said of what was not issued."""
    office.keys.weakness.dies_before = True
    with pytest.raises(Died):
        office.issue()
    office.restart()
    number = int(office.service.certificates(limit=1)[0].serial_number, 16)
    assert ask(office, CertificateId.of(number, office.authority("sm2-issuing"))).responses[0].status is UNKNOWN


def test_another_authoritys_certificate_is_not_answered_for(office: Office, empty_office: Office) -> None:
    foreign = empty_office.found("sm2-root")
    answer = office.service.ocsp(build_request([CertificateId.of(5, foreign)]))
    assert answer == bytes.fromhex("30030a0106")  # unauthorized (RFC 6960 §2.3)


def test_a_request_across_authorities_is_answered_by_the_first_one(office: Office) -> None:
    sm2, rsa = (office.issue(name, request_id=name) for name in ("sm2-issuing", "rsa-issuing"))
    response = ask(
        office,
        CertificateId.of(sm2.serial_number, office.authority("sm2-issuing")),
        CertificateId.of(rsa.serial_number, office.authority("rsa-issuing")),
    )
    assert [r.status for r in response.responses] == [GOOD, UNKNOWN]
    assert response.is_signed_for(office.authority("sm2-issuing"))
    assert not response.is_signed_for(office.authority("rsa-issuing"))


@pytest.mark.parametrize("nonce", [b"x", b"n" * 32, b"n" * 128])
def test_a_nonce_comes_back(office: Office, nonce: bytes) -> None:
    """RFC 9654 §2.1: 1 to 128 octets."""
    asked = CertificateId.of(1, office.authority("sm2-issuing"))
    assert ask(office, asked, nonce=nonce).nonce == encoder.octet_string(nonce)
    assert ask(office, asked).nonce is None


def _request(*extensions: ext.Extension, count: int = 1) -> bytes:
    certificate_id = encoder.sequence(
        encoder.sequence(encoder.oid("1.3.14.3.2.26"), encoder.null()),
        encoder.octet_string(bytes(20)),
        encoder.octet_string(bytes(20)),
        encoder.integer(1),
    )
    ids = encoder.sequence(*(encoder.sequence(certificate_id) for _ in range(count)))
    return encoder.sequence(encoder.sequence(ids, encoder.explicit(2, ext.encode_extensions(extensions))))


@pytest.mark.parametrize(
    "request_der",
    [
        b"",
        b"hello",
        b"\x30\x00",
        b"\x30\x80",
        _request(count=0),
        _request(count=65),
        _request(ext.Extension(oid="1.2.3", critical=True, value_der=b"")),
        _request(ext.Extension(oid=oids.OCSP_NONCE, value_der=encoder.octet_string(bytes(129)))),
        encoder.sequence(encoder.sequence(encoder.sequence(encoder.sequence(encoder.tlv(0x06, b"\xff" * 9000))))),
        encoder.tlv(0x30, encoder.tlv(0x30, encoder.sequence(encoder.sequence(encoder.sequence(
            encoder.sequence(encoder.tlv(0x06, b"\xff" * 9000 + b"\x01")),
            encoder.octet_string(b""), encoder.octet_string(b""), encoder.integer(1),
        ))))),
    ],
    ids=["empty", "text", "no-tbs", "endless", "none", "too-many", "critical", "long-nonce", "cut-oid", "huge-oid"],
)  # fmt: skip
def test_what_cannot_be_read_gets_malformed_request(office: Office, request_der: bytes) -> None:
    assert office.service.ocsp(request_der) == bytes.fromhex("30030a0101")


def test_an_unknown_hash_names_no_issuer_of_ours(office: Office) -> None:
    md5 = encoder.sequence(
        encoder.sequence(encoder.oid("1.2.840.113549.2.5")),
        encoder.octet_string(hashlib.md5(office.authority("sm2-issuing").subject_der, usedforsecurity=False).digest()),
        encoder.octet_string(bytes(16)),
        encoder.integer(1),
    )
    asked = CertificateId.from_node(reader.parse(md5))
    assert office.service.ocsp(build_request([asked])) == bytes.fromhex("30030a0106")


def test_while_no_machine_serves_the_client_is_told_to_come_back(office: Office) -> None:
    office.keys.weakness.down = True
    answer = office.service.ocsp(build_request([CertificateId.of(1, office.authority("sm2-issuing"))]))
    assert answer == bytes.fromhex("30030a0103")  # tryLater
    with pytest.raises(MalformedError):
        OcspResponse.from_der(answer)


def test_cryptography_reads_the_answer(office: Office) -> None:
    issuer, certificate = office.authority("rsa-issuing"), office.issue("rsa-issuing")
    office.service.revoke("rsa-issuing", serial(certificate), reason=REASON)
    answer = office.service.ocsp(build_request([CertificateId.of(certificate.serial_number, issuer)]))
    read = pyca_ocsp.load_der_ocsp_response(answer)
    assert read.response_status is pyca_ocsp.OCSPResponseStatus.SUCCESSFUL
    assert read.certificate_status is pyca_ocsp.OCSPCertStatus.REVOKED
    assert (read.revocation_time_utc, read.revocation_reason) == (EPOCH, pyca.ReasonFlags.key_compromise)
    assert read.serial_number == certificate.serial_number


def openssl(*arguments: str | Path) -> str:
    done = subprocess.run(["openssl", *map(str, arguments)], capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


@pytest.mark.parametrize("digest", ["sha1", "sha256"])
def test_openssl_asks_and_verifies(office: Office, tmp_path: Path, digest: str) -> None:
    """``-reqout`` makes the request, ``-respin`` checks signature, responder, nonce and status.

    ``-no_nonce`` keeps the second command from adding another nonce to the request it reads.
    """
    certificate = office.issue("rsa-issuing")
    chain = [Certificate.from_der(der) for der in office.service.chain("rsa-issuing")]
    for name, item in (("leaf", certificate), ("issuing", chain[0]), ("root", chain[1])):
        (tmp_path / name).write_bytes(item.pem)
    what = (f"-{digest}", "-issuer", tmp_path / "issuing", "-cert", tmp_path / "leaf")
    openssl("ocsp", *what, "-reqout", tmp_path / "request")
    (tmp_path / "response").write_bytes(office.service.ocsp((tmp_path / "request").read_bytes()))
    answer = openssl(
        "ocsp", "-no_nonce", "-reqin", tmp_path / "request", "-respin", tmp_path / "response",
        "-CAfile", tmp_path / "root", "-verify_other", tmp_path / "issuing", *what,
        "-attime", str(int(EPOCH.timestamp())), "-validity_period", str(200 * 366 * 86400),
    )  # fmt: skip
    assert "Response verify OK" in answer
    assert "leaf: good" in answer
    assert "WARNING: no nonce" not in answer
    flipped = bytearray((tmp_path / "response").read_bytes())
    flipped[-1] ^= 1
    (tmp_path / "response").write_bytes(flipped)
    assert "Response Verify Failure" in openssl(
        "ocsp", "-respin", tmp_path / "response", "-CAfile", tmp_path / "root", "-attime", str(int(EPOCH.timestamp())),
    )  # fmt: skip
