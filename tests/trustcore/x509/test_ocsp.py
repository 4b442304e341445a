from datetime import timedelta

import pytest
from cryptography import x509 as pyca
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509 import ocsp as pyca_ocsp

from trustcore.asn1 import encoder
from trustcore.crypto.algorithms import DigestAlgorithm, KeyAlgorithm
from trustcore.errors import MalformedError
from trustcore.report import Status
from trustcore.x509 import extensions as ext
from trustcore.x509 import ocsp, oids
from trustcore.x509.chain import KeyPurpose, validate_chain
from trustcore.x509.crl import RevocationReason
from trustcore.x509.ocsp import CertificateId, CertificateStatus, OcspRequest, OcspResponse, SingleResponse

from support.x509_workshop import EPOCH, Entity, Workshop, flipped


def responder_of(workshop: Workshop, root: Entity, *extensions: ext.Extension, **changes: object) -> Entity:
    purpose = extensions or (ext.extended_key_usage(oids.PURPOSE_OCSP_SIGNING), ext.ocsp_no_check())
    algorithm = KeyAlgorithm.SM2 if root.certificate.public_key.name == "SM2" else KeyAlgorithm.EC_P256
    return workshop.leaf("ocsp", root, *purpose, usage=("digitalSignature",), algorithm=algorithm, **changes)


def answer(leaf: Entity, root: Entity, responder: Entity, *, nonce: bytes | None = None, **changes: object) -> bytes:
    fields: dict[str, object] = {
        "certificate_id": CertificateId.of(leaf.certificate.serial_number, root.certificate),
        "status": CertificateStatus.GOOD,
        "this_update": EPOCH - timedelta(minutes=5),
        "next_update": EPOCH + timedelta(hours=1),
    }
    return ocsp.build_response(
        [SingleResponse(**(fields | changes))],
        responder=responder.certificate,
        signer=responder.signer,
        produced_at=EPOCH,
        nonce=nonce,
    )


def verdict(leaf: Entity, root: Entity, response: bytes) -> Status:
    return validate_chain(
        leaf.certificate,
        intermediates=[],
        roots=[root.certificate],
        crls=[],
        ocsp_responses=[response],
        at=EPOCH,
        purpose=KeyPurpose.SEAL_SIGNING,
    ).status


REVOKED = {"status": CertificateStatus.REVOKED, "reason": RevocationReason.KEY_COMPROMISE}


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({}, Status.PASSED),
        (REVOKED | {"revoked_at": EPOCH - timedelta(days=1)}, Status.FAILED),
        (REVOKED | {"revoked_at": EPOCH + timedelta(days=1)}, Status.PASSED),
        ({"status": CertificateStatus.UNKNOWN}, Status.INDETERMINATE),
        ({"next_update": EPOCH - timedelta(minutes=1)}, Status.INDETERMINATE),
    ],
)
def test_an_answer_decides_about_a_certificate(workshop: Workshop, changes: dict[str, object], status: Status) -> None:
    root = workshop.ca("root")
    leaf = workshop.leaf("leaf", root)
    assert verdict(leaf, root, answer(leaf, root, responder_of(workshop, root), **changes)) is status


@pytest.mark.parametrize("flaw", ["no purpose", "other issuer", "expired", "other certificate"])
def test_answers_that_do_not_count(workshop: Workshop, flaw: str) -> None:
    """RFC 6960 §4.2.2.2: a delegate has the OCSPSigning purpose and was issued by the CA asked about."""
    root, other = workshop.ca("root"), workshop.ca("other")
    leaf, neighbour = workshop.leaf("leaf", root), workshop.leaf("neighbour", root)
    responder = {
        "no purpose": lambda: responder_of(workshop, root, ext.ocsp_no_check()),
        "other issuer": lambda: responder_of(workshop, other),
        "expired": lambda: responder_of(workshop, root, not_after=EPOCH - timedelta(days=1)),
        "other certificate": lambda: responder_of(workshop, root),
    }[flaw]()
    asked = neighbour if flaw == "other certificate" else leaf
    assert verdict(leaf, root, answer(asked, root, responder)) is Status.INDETERMINATE


def test_cryptography_reads_the_answer(workshop: Workshop) -> None:
    root = workshop.ca("root", algorithm=KeyAlgorithm.EC_P256)
    leaf = workshop.leaf("leaf", root, algorithm=KeyAlgorithm.EC_P256)
    responder = responder_of(workshop, root)
    theirs = pyca_ocsp.load_der_ocsp_response(
        answer(leaf, root, responder, nonce=encoder.octet_string(b"n" * 16), **REVOKED, revoked_at=EPOCH)
    )
    assert theirs.response_status is pyca_ocsp.OCSPResponseStatus.SUCCESSFUL
    assert theirs.certificate_status is pyca_ocsp.OCSPCertStatus.REVOKED
    assert theirs.revocation_reason is pyca.ReasonFlags.key_compromise
    assert theirs.serial_number == leaf.certificate.serial_number
    assert theirs.extensions.get_extension_for_class(pyca.OCSPNonce).value.nonce == b"n" * 16
    assert theirs.certificates[0].public_bytes(serialization.Encoding.DER) == responder.certificate.der


def test_a_request_of_cryptography_is_read(workshop: Workshop) -> None:
    root = workshop.ca("root", algorithm=KeyAlgorithm.EC_P256)
    leaf = workshop.leaf("leaf", root, algorithm=KeyAlgorithm.EC_P256)
    certificates = (pyca.load_der_x509_certificate(item.certificate.der) for item in (leaf, root))
    builder = pyca_ocsp.OCSPRequestBuilder().add_certificate(*certificates, hashes.SHA1())  # noqa: S303 - CertID
    der = builder.add_extension(pyca.OCSPNonce(b"x" * 32), critical=False).build()
    request = OcspRequest.from_der(der.public_bytes(serialization.Encoding.DER))
    assert request.certificate_ids[0].names(root.certificate)
    assert request.certificate_ids[0] == CertificateId.of(leaf.certificate.serial_number, root.certificate)
    assert request.nonce == encoder.octet_string(b"x" * 32)


@pytest.mark.parametrize("algorithm", [None, DigestAlgorithm.SHA256, DigestAlgorithm.SM3])
def test_certificate_ids_of_every_accepted_hash(workshop: Workshop, algorithm: DigestAlgorithm | None) -> None:
    root, other = workshop.ca("root"), workshop.ca("other")
    request = OcspRequest.from_der(ocsp.build_request([CertificateId.of(7, root.certificate, algorithm)], b"n"))
    (asked,) = request.certificate_ids
    assert asked.names(root.certificate)
    assert not asked.names(other.certificate)


def test_requests_that_are_refused(workshop: Workshop) -> None:
    one = CertificateId.of(7, workshop.ca("root").certificate)
    for request in (
        ocsp.build_request([]),
        ocsp.build_request([one] * (ocsp.MAX_REQUESTS + 1)),
        ocsp.build_request([one], b"n" * 200),
        b"no request",
    ):
        with pytest.raises(MalformedError):
            OcspRequest.from_der(request)


def test_one_flipped_bit_in_what_is_signed_is_refused(workshop: Workshop) -> None:
    root = workshop.ca("root", algorithm=KeyAlgorithm.EC_P256)
    leaf = workshop.leaf("leaf", root, algorithm=KeyAlgorithm.EC_P256)
    response = answer(leaf, root, responder_of(workshop, root))
    data = OcspResponse.from_der(response).data_der
    start = response.index(data)
    accepted = []
    for position in range(start, start + len(data)):
        try:
            if OcspResponse.from_der(flipped(response, position)).is_signed_for(root.certificate):
                accepted.append(position)
        except MalformedError:
            continue
    assert accepted == []


def test_an_error_is_no_answer() -> None:
    with pytest.raises(MalformedError) as raised:
        OcspResponse.from_der(ocsp.error_response(ocsp.ResponseStatus.TRY_LATER))
    assert raised.value.code == "x509.ocsp.unsuccessful"
