"""The time-stamping authority, asked by our own code and by OpenSSL."""

import subprocess
from datetime import timedelta
from pathlib import Path

import pytest

from trustcore.asn1 import encoder, reader
from trustcore.crypto.algorithms import DigestAlgorithm
from trustcore.crypto.digests import digest, sha256, sm3
from trustcore.errors import BusyError, NotFoundError, RejectedError
from trustcore.report import Status
from trustcore.x509.certificate import Certificate
from trustcore.x509.cms import SignedData
from trustcore.x509.tsp import FailureInfo, TstInfo, build_request, message_imprint, parse_response, verify_token

from support.authority import EPOCH, YEARS, Office
from support.threads import at_once

MESSAGE = b"the octets of a signature"
SM3 = DigestAlgorithm.SM3


def token_info(token: bytes) -> TstInfo:
    content = SignedData.from_der(token).content
    assert content is not None
    return TstInfo.from_der(content)


def failure(response: bytes) -> FailureInfo:
    status = reader.parse(response)[0]
    assert status[0].integer() == 2
    assert status[1][0].text()
    (bit,) = status[2].named_bits()
    return FailureInfo(bit)


@pytest.mark.parametrize("authority", ["sm2-issuing", "rsa-issuing"])
@pytest.mark.parametrize("algorithm", list(DigestAlgorithm))
def test_a_token_verifies_from_the_root(office: Office, authority: str, algorithm: DigestAlgorithm) -> None:
    token = office.service.timestamp_token(authority, algorithm, digest(algorithm, MESSAGE))
    root = Certificate.from_der(office.service.chain(authority)[-1])
    lists = [office.service.crl(authority), office.service.crl(authority.replace("issuing", "root"))]
    checked = verify_token(token, MESSAGE, roots=[root], crls=lists)
    assert {step.status for step in checked.steps} == {Status.PASSED}
    assert checked.gen_time == EPOCH
    assert verify_token(token, MESSAGE + b"?", roots=[root], crls=lists).gen_time is None


def test_a_request_is_answered_with_policy_nonce_and_imprint(office: Office) -> None:
    nonce = 2**127 + 12345
    response = office.service.timestamp(build_request(SM3, sm3(MESSAGE), nonce=nonce), "sm2-issuing")
    token = parse_response(response)
    info = token_info(token)
    assert info.policy == office.settings.timestamp_policy
    assert info.nonce_der == encoder.integer(nonce)
    assert info.imprint_der == message_imprint(SM3, sm3(MESSAGE))
    assert (info.gen_time, info.accuracy_seconds) == (EPOCH, 1)
    carried = SignedData.from_der(token).certificates
    assert [c.extended_key_usage for c in carried].count(("1.3.6.1.5.5.7.3.8",)) == 1


def test_certificates_are_only_sent_when_asked_for(office: Office) -> None:
    """RFC 3161 §2.4.1: without certReq "the certificates field … MUST not be present in the response"."""
    for wanted in (True, False):
        response = office.service.timestamp(build_request(SM3, sm3(MESSAGE), certificate=wanted), "sm2-issuing")
        assert bool(SignedData.from_der(parse_response(response)).certificates) is wanted


def _request(
    *, version: int = 1, algorithm: str = "1.2.156.10197.1.401", value: bytes = bytes(32), more: bytes = b""
) -> bytes:
    imprint = encoder.sequence(encoder.sequence(encoder.oid(algorithm), encoder.null()), encoder.octet_string(value))
    return encoder.sequence(encoder.integer(version), imprint, more)


EXTENSION = encoder.implicit(0, encoder.sequence(encoder.sequence(encoder.oid("1.2.3"), encoder.octet_string(b""))))
REFUSALS = {
    "empty": (b"", FailureInfo.BAD_DATA_FORMAT),
    "text": (b"hello", FailureInfo.BAD_DATA_FORMAT),
    "version": (_request(version=2), FailureInfo.BAD_DATA_FORMAT),
    "short-digest": (_request(value=bytes(20)), FailureInfo.BAD_DATA_FORMAT),
    "long-nonce": (_request(more=encoder.integer(2**2000)), FailureInfo.BAD_DATA_FORMAT),
    "sha-1": (_request(algorithm="1.3.14.3.2.26", value=bytes(20)), FailureInfo.BAD_ALG),
    "policy": (_request(more=encoder.oid("1.2.3.4")), FailureInfo.UNACCEPTED_POLICY),
    "extension": (_request(more=EXTENSION), FailureInfo.UNACCEPTED_EXTENSION),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_a_refusal_is_an_answer(office: Office, case: str) -> None:
    request, expected = REFUSALS[case]
    assert failure(office.service.timestamp(request, "sm2-issuing")) is expected


def test_our_policy_may_be_named(office: Office) -> None:
    request = _request(more=encoder.oid(office.settings.timestamp_policy))
    assert token_info(parse_response(office.service.timestamp(request, "sm2-issuing")))


def test_while_no_machine_serves_the_client_is_told(office: Office) -> None:
    office.keys.weakness.down = True
    assert failure(office.service.timestamp(_request(), "sm2-issuing")) is FailureInfo.SYSTEM_FAILURE
    with pytest.raises(BusyError):
        office.service.timestamp_token("sm2-issuing", SM3, sm3(MESSAGE))


def test_a_digest_of_another_length_is_refused(office: Office) -> None:
    with pytest.raises(RejectedError) as refused:
        office.service.timestamp_token("sm2-issuing", DigestAlgorithm.SHA512, sha256(MESSAGE))
    assert refused.value.code == "ca.timestamp.digest"


@pytest.mark.parametrize(("authority", "code"), [("sm2-root", "ca.timestamp.none"), ("nobody", "ca.authority.unknown")])
def test_a_root_stamps_no_time(office: Office, authority: str, code: str) -> None:
    """Whoever asks a root anonymously shall not have its key certify a new time-stamping authority."""
    before = len(office.service.certificates(limit=500))
    with pytest.raises(NotFoundError) as refused:
        office.service.timestamp(_request(), authority)
    assert refused.value.code == code
    with pytest.raises(NotFoundError):
        office.service.timestamp_token(authority, SM3, sm3(MESSAGE))
    assert len(office.service.certificates(limit=500)) == before


def test_an_authority_that_has_expired_stamps_no_time(office: Office) -> None:
    end = office.authority("sm2-issuing").not_after
    office.clock.now = end - timedelta(days=10)
    assert token_info(parse_response(office.service.timestamp(_request(), "sm2-issuing"))).gen_time
    office.clock.now = end + timedelta(seconds=1)
    assert failure(office.service.timestamp(_request(), "sm2-issuing")) is FailureInfo.SYSTEM_FAILURE


def test_a_certificate_near_its_end_is_renewed(office: Office) -> None:
    def certificate() -> Certificate:
        token = office.service.timestamp_token("sm2-issuing", SM3, sm3(MESSAGE))
        return next(c for c in SignedData.from_der(token).certificates if not c.is_ca)

    first = certificate()
    office.clock.now = first.not_after - timedelta(days=31)
    assert certificate() == first
    office.clock.now = first.not_after - timedelta(days=29)
    second = certificate()
    assert second.not_after > first.not_after + 2 * YEARS
    assert second.public_key_der == first.public_key_der


def test_serial_numbers_differ_over_threads_and_processes(office: Office) -> None:
    """RFC 3161 §2.4.2: "It MUST be unique for each TimeStampToken issued by a given TSA"."""
    services = [office.service, office.another_process()]

    def stamp(number: int) -> list[int]:
        service = services[number % 2]
        tokens = [service.timestamp_token("sm2-issuing", SM3, sm3(bytes((number,)))) for _ in range(20)]
        return [token_info(token).serial_number for token in tokens]

    numbers = [n for found in at_once(16, stamp) for n in found]
    assert len(set(numbers)) == len(numbers) == 320


def test_openssl_asks_and_verifies(office: Office, tmp_path: Path) -> None:
    """``openssl ts`` as the client of the RSA hierarchy."""
    (tmp_path / "data").write_bytes(MESSAGE)
    for name, der in zip(("issuing", "root"), office.service.chain("rsa-issuing"), strict=True):
        (tmp_path / name).write_bytes(Certificate.from_der(der).pem)

    def openssl(*arguments: str) -> str:
        done = subprocess.run(["openssl", "ts", *arguments], cwd=tmp_path, capture_output=True, text=True, check=False)
        return done.stdout + done.stderr

    openssl("-query", "-data", "data", "-sha256", "-cert", "-out", "request")
    response = office.service.timestamp((tmp_path / "request").read_bytes(), "rsa-issuing")
    (tmp_path / "response").write_bytes(response)
    verify = ("-verify", "-in", "response", "-CAfile", "root", "-untrusted", "issuing", "-attime", f"{EPOCH:%s}")
    assert "Verification: OK" in openssl(*verify, "-queryfile", "request")
    assert "Verification: OK" in openssl(*verify, "-data", "data")
    assert "Policy OID: 2.25.227713237530843826371104541307426105861" in openssl("-reply", "-in", "response", "-text")
    (tmp_path / "data").write_bytes(MESSAGE + b"?")
    assert "Verification: FAILED" in openssl(*verify, "-data", "data")
