import subprocess
from pathlib import Path

import pytest
from cryptography import x509 as pyca
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import pkcs7

from trustcore.asn1 import encoder
from trustcore.crypto import sm2
from trustcore.crypto.algorithms import DigestAlgorithm, KeyAlgorithm
from trustcore.errors import MalformedError
from trustcore.report import Status
from trustcore.x509 import oids
from trustcore.x509.build import digest_identifier
from trustcore.x509.certificate import Certificate
from trustcore.x509.cms import SignedData, sign
from trustcore.x509.cms_verify import SignerVerification, verify_signer

from support.x509_workshop import EPOCH, Entity, Workshop, flipped

MESSAGE = "电子证照".encode() * 100
ALGORITHMS = [KeyAlgorithm.SM2, KeyAlgorithm.EC_P256, KeyAlgorithm.RSA_2048]


def check(cms_der: bytes, **options: object) -> SignerVerification:
    signed_data = SignedData.from_der(cms_der)
    return verify_signer(signed_data, signed_data.signers[0], **options)


def failed(verification: SignerVerification) -> set[str]:
    return {step.code for step in verification.steps if step.status is not Status.PASSED}


def signer_of(workshop: Workshop, algorithm: KeyAlgorithm = KeyAlgorithm.SM2) -> Entity:
    return workshop.leaf("signer", workshop.ca("root", algorithm=algorithm), algorithm=algorithm)


def make(entity: Entity, **options: object) -> bytes:
    return sign(
        MESSAGE,
        signer=entity.signer,
        certificate=entity.certificate,
        certificates=[entity.certificate.der],
        signing_time=EPOCH,
        **options,
    )


@pytest.mark.parametrize("detached", [False, True])
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_what_is_signed_is_verified(workshop: Workshop, algorithm: KeyAlgorithm, detached: bool) -> None:
    entity = signer_of(workshop, algorithm)
    cms_der = make(entity, detached=detached)
    verification = check(cms_der, content=MESSAGE if detached else None, require_signing_certificate=True)
    assert verification.passed
    assert verification.certificate == entity.certificate
    assert SignedData.from_der(cms_der).signers[0].signing_time == EPOCH


@pytest.mark.parametrize("algorithm", [KeyAlgorithm.EC_P256, KeyAlgorithm.RSA_2048])
def test_openssl_verifies_it(workshop: Workshop, tmp_path: Path, algorithm: KeyAlgorithm) -> None:
    root = workshop.ca("root", algorithm=algorithm)
    entity = workshop.leaf("signer", root, algorithm=algorithm)
    (tmp_path / "root").write_bytes(root.certificate.pem)
    for name, data in (("good", make(entity)), ("bad", make(entity).replace(MESSAGE, MESSAGE[:-1] + b"x"))):
        (tmp_path / name).write_bytes(data)
    verdicts = [
        subprocess.run(
            ["openssl", "cms", "-verify", "-binary", "-inform", "DER", "-in", tmp_path / name, "-CAfile",
             tmp_path / "root", "-attime", str(int(EPOCH.timestamp())), "-out", tmp_path / "content"],
            check=False, capture_output=True,
        ).returncode
        for name in ("good", "bad")
    ]  # fmt: skip
    assert verdicts[0] == 0
    assert verdicts[1] != 0


def test_what_cryptography_signs_is_verified() -> None:
    """Another writer, which leaves signingCertificateV2 out and adds sMIMECapabilities."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = pyca.Name([pyca.NameAttribute(pyca.NameOID.COMMON_NAME, "writer")])
    certificate = (
        pyca.CertificateBuilder(name, name, key.public_key(), 99, EPOCH, EPOCH.replace(year=2040))
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    options = [pkcs7.PKCS7Options.Binary]
    builder = pkcs7.PKCS7SignatureBuilder().set_data(MESSAGE).add_signer(certificate, key, hashes.SHA256())
    cms_der = builder.sign(serialization.Encoding.DER, options)
    assert check(cms_der).passed
    assert failed(check(cms_der, require_signing_certificate=True)) == {"cms.signing-certificate"}


def test_other_content_is_found(workshop: Workshop) -> None:
    cms_der = make(signer_of(workshop), detached=True)
    assert failed(check(cms_der, content=MESSAGE + b"x")) == {"cms.digest"}
    assert failed(check(cms_der)) == {"cms.digest"}


def test_carried_content_does_not_stand_in_for_other_content(workshop: Workshop) -> None:
    """A signature with content of its own, put beside another document, proves nothing about that document."""
    assert failed(check(make(signer_of(workshop)), content=b"another document")) == {"cms.digest"}


def test_a_certificate_of_the_same_name_and_number_is_found(workshop: Workshop) -> None:
    """RFC 5035 §5.4: the certificate is named by its hash, so that it cannot be exchanged."""
    root = workshop.ca("root")
    entity = workshop.leaf("signer", root)
    twin = workshop.leaf(
        "signer", root, serial_number=entity.certificate.serial_number, public_key_der=entity.signer.public_key_der
    )
    cms_der = sign(MESSAGE, signer=entity.signer, certificate=entity.certificate, certificates=[twin.certificate.der])
    assert failed(check(cms_der)) == {"cms.signing-certificate"}


def test_missing_certificate(workshop: Workshop) -> None:
    entity = signer_of(workshop)
    cms_der = sign(MESSAGE, signer=entity.signer, certificate=entity.certificate)
    assert failed(check(cms_der)) == {"cms.certificate"}
    assert check(cms_der, certificates=[entity.certificate]).passed


def test_content_other_than_data_needs_signed_attributes(workshop: Workshop) -> None:
    """RFC 5652 §5.3: "signedAttrs … MUST be present if the content type … is not id-data"."""
    entity = signer_of(workshop)
    assert check(_without_attributes(entity, oids.CMS_DATA, entity.signer.sign(MESSAGE))).passed
    bare = check(_without_attributes(entity, oids.TST_INFO, entity.signer.sign(MESSAGE)))
    assert failed(bare) == {"cms.attributes", "cms.digest"}


def test_gm_content_types_and_raw_signatures_are_read(workshop: Workshop) -> None:
    """GB/T 35275-2017: content types of its own, SM2 named by 1.2.156.10197.1.301.1, r and s as 64 octets."""
    entity = signer_of(workshop)
    raw = sm2.signature_to_raw(entity.signer.sign(MESSAGE))
    cms_der = _without_attributes(entity, oids.GM_DATA, raw, outer=oids.GM_SIGNED_DATA)
    assert check(cms_der).passed
    assert failed(check(_without_attributes(entity, oids.GM_DATA, raw[::-1]))) == {"cms.signature"}


def test_one_flipped_bit_is_never_verified(workshop: Workshop) -> None:
    """Every bit but those of carried certificates: those are judged by their chain and by signingCertificateV2."""
    entity = signer_of(workshop, KeyAlgorithm.EC_P256)
    cms_der = make(entity, detached=True)
    accepted = []
    for position in range(len(cms_der)):
        try:
            changed = SignedData.from_der(flipped(cms_der, position))
            verified = [verify_signer(changed, signer, content=MESSAGE).passed for signer in changed.signers]
        except MalformedError:
            continue
        if verified and all(verified):
            accepted.append(position)
    covered = cms_der.index(entity.certificate.issuer_der, cms_der.rindex(entity.certificate.signature))
    assert [position for position in accepted if position > covered + len(entity.certificate.issuer_der)] == []


def _without_attributes(
    entity: Entity, content_type: str, signature: bytes, *, outer: str = oids.CMS_SIGNED_DATA
) -> bytes:
    certificate: Certificate = entity.certificate
    algorithm = digest_identifier(DigestAlgorithm.SM3)
    signer_info = encoder.sequence(
        encoder.integer(1),
        encoder.sequence(certificate.issuer_der, encoder.integer(certificate.serial_number)),
        algorithm,
        encoder.sequence(encoder.oid(oids.SM2_SIGNATURE)),
        encoder.octet_string(signature),
    )
    content = encoder.explicit(0, encoder.octet_string(MESSAGE))
    signed_data = encoder.sequence(
        encoder.integer(3 if content_type == oids.TST_INFO else 1),
        encoder.set_of(algorithm),
        encoder.sequence(encoder.oid(content_type), content),
        encoder.implicit(0, encoder.set_of(certificate.der)),
        encoder.set_of(signer_info),
    )
    return encoder.sequence(encoder.oid(outer), encoder.explicit(0, signed_data))
