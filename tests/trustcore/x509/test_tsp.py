import subprocess
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trustcore.asn1 import encoder
from trustcore.crypto.algorithms import DigestAlgorithm, KeyAlgorithm
from trustcore.crypto.digests import digest
from trustcore.errors import MalformedError
from trustcore.report import Status
from trustcore.x509 import extensions as ext
from trustcore.x509 import oids, tsp

from support.x509_workshop import EPOCH, Entity, Workshop, crl_of, flipped

MESSAGE = b"a signature value"
POLICY = "1.3.6.1.4.1.99999.1"


def authority_of(workshop: Workshop, algorithm: KeyAlgorithm, **changes: object) -> tuple[Entity, Entity]:
    root = workshop.ca("root", algorithm=algorithm)
    purpose = ext.extended_key_usage(oids.PURPOSE_TIME_STAMPING, critical=True)
    return root, workshop.leaf("tsa", root, purpose, usage=("digitalSignature",), algorithm=algorithm, **changes)


def token_of(tsa: Entity, request_der: bytes | None = None, carried: Sequence[bytes] = ()) -> bytes:
    algorithm = DigestAlgorithm.SHA256
    request = tsp.TimeStampRequest.from_der(
        request_der or tsp.build_request(algorithm, digest(algorithm, MESSAGE), nonce=2**63 + 1)
    )
    info = tsp.TstInfo(
        policy=POLICY,
        imprint_der=request.imprint_der,
        serial_number=41,
        gen_time=EPOCH,
        accuracy_seconds=1,
        nonce_der=request.nonce_der,
    )
    return tsp.build_token(
        info, signer=tsa.signer, certificate=tsa.certificate, certificates=[tsa.certificate.der, *carried]
    )


def failed(verification: tsp.TokenVerification) -> set[str]:
    return {step.code for step in verification.steps if step.status is Status.FAILED}


@pytest.mark.parametrize("algorithm", [KeyAlgorithm.SM2, KeyAlgorithm.EC_P256])
def test_a_token_proves_its_time(workshop: Workshop, algorithm: KeyAlgorithm) -> None:
    root, tsa = authority_of(workshop, algorithm)
    roots, crls = [root.certificate], [crl_of(root)]
    verification = tsp.verify_token(token_of(tsa), MESSAGE, roots=roots, crls=crls)
    assert {step.status for step in verification.steps} == {Status.PASSED}
    assert verification.gen_time == EPOCH


def test_openssl_asks_and_verifies(workshop: Workshop, tmp_path: Path) -> None:
    """``openssl ts -query`` makes the request, ``openssl ts -verify`` judges the answer and a changed one."""
    root, tsa = authority_of(workshop, KeyAlgorithm.RSA_2048)
    (tmp_path / "root").write_bytes(root.certificate.pem)
    (tmp_path / "data").write_bytes(MESSAGE)
    query = ["openssl", "ts", "-query", "-data", tmp_path / "data", "-sha256", "-cert", "-out", tmp_path / "query"]
    subprocess.run(query, check=True, capture_output=True)
    answer = tsp.granted(token_of(tsa, (tmp_path / "query").read_bytes()))
    verdicts = []
    for reply in (answer, flipped(answer, len(answer) - 1)):
        (tmp_path / "reply").write_bytes(reply)
        done = subprocess.run(
            ["openssl", "ts", "-verify", "-queryfile", tmp_path / "query", "-in", tmp_path / "reply",
             "-CAfile", tmp_path / "root", "-attime", str(int(EPOCH.timestamp()))],
            check=False, capture_output=True, text=True,
        )  # fmt: skip
        verdicts.append("Verification: OK" in done.stdout)
    assert verdicts == [True, False]


def test_a_token_over_other_data_is_refused(workshop: Workshop) -> None:
    root, tsa = authority_of(workshop, KeyAlgorithm.SM2)
    verification = tsp.verify_token(token_of(tsa), b"other", roots=[root.certificate], crls=[crl_of(root)])
    assert failed(verification) == {"tsp.imprint"}
    assert verification.gen_time is None


def test_a_token_of_a_certificate_for_other_purposes_is_refused(workshop: Workshop) -> None:
    """RFC 3161 §2.3: "The corresponding certificate MUST contain only one instance of the extended key usage …"."""
    root = workshop.ca("root")
    verification = tsp.verify_token(
        token_of(workshop.leaf("signer", root)), MESSAGE, roots=[root.certificate], crls=[crl_of(root)]
    )
    assert failed(verification) == {"tsp.signer.key-usage"}


def test_a_token_from_before_its_certificate_is_refused(workshop: Workshop) -> None:
    root, tsa = authority_of(workshop, KeyAlgorithm.SM2, not_before=EPOCH + timedelta(days=1))
    verification = tsp.verify_token(token_of(tsa), MESSAGE, roots=[root.certificate], crls=[crl_of(root)])
    assert failed(verification) == {"tsp.signer.validity"}


def test_without_revocation_information_it_cannot_be_told(workshop: Workshop) -> None:
    root, tsa = authority_of(workshop, KeyAlgorithm.SM2)
    verification = tsp.verify_token(token_of(tsa), MESSAGE, roots=[root.certificate])
    assert failed(verification) == set()
    assert Status.INDETERMINATE in {step.status for step in verification.steps}


def test_one_flipped_bit_is_refused(workshop: Workshop) -> None:
    root, tsa = authority_of(workshop, KeyAlgorithm.EC_P256)
    token = token_of(tsa)
    roots, crls = [root.certificate], [crl_of(root)]
    accepted = [
        position
        for position in range(0, len(token), 2)
        if tsp.verify_token(flipped(token, position), MESSAGE, roots=roots, crls=crls).gen_time is not None
    ]
    assert accepted == []


def test_a_changed_certificate_beside_the_path_is_refused(workshop: Workshop) -> None:
    """The token carries a bad copy of the issuing CA's certificate, the verifier has the good one."""
    root = workshop.ca("root")
    issuing = workshop.ca("issuing", root)
    purpose = ext.extended_key_usage(oids.PURPOSE_TIME_STAMPING, critical=True)
    tsa = workshop.leaf("tsa", issuing, purpose, usage=("digitalSignature",))
    good = token_of(tsa, carried=[issuing.certificate.der])
    bad = token_of(tsa, carried=[flipped(issuing.certificate.der, len(issuing.certificate.der) - 1)])
    evidence = {"roots": [root.certificate], "intermediates": [issuing.certificate]}
    crls = [crl_of(root), crl_of(issuing)]
    assert failed(tsp.verify_token(good, MESSAGE, **evidence, crls=crls)) == set()
    assert failed(tsp.verify_token(bad, MESSAGE, **evidence, crls=crls)) == {"tsp.material"}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 255)), min_size=1, max_size=4))
def test_hostile_tokens_raise_nothing(workshop: Workshop, changes: list[tuple[int, int]]) -> None:
    root, tsa = authority_of(workshop, KeyAlgorithm.SM2)
    changed = bytearray(token_of(tsa))
    for position, octet in changes:
        changed[position % len(changed)] = octet
    tsp.verify_token(bytes(changed), MESSAGE, roots=[root.certificate], crls=[crl_of(root)])


def test_requests_that_cannot_be_understood() -> None:
    short = encoder.sequence(
        encoder.integer(1), tsp.message_imprint(DigestAlgorithm.SM3, b"too short"), encoder.boolean(True)
    )
    for request in (short, b"", b"\x30\x00", encoder.sequence(encoder.integer(2))):
        with pytest.raises(MalformedError):
            tsp.TimeStampRequest.from_der(request)


def test_a_rejection_says_so() -> None:
    refusal = tsp.rejection(tsp.FailureInfo.BAD_ALG, "The hash function is not accepted")
    with pytest.raises(MalformedError) as raised:
        tsp.parse_response(refusal)
    assert raised.value.code == "x509.tsp.rejected"
