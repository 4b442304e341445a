"""Signatures that another program made are judged by the same rules."""

from datetime import datetime
from io import BytesIO
from typing import Any

import pytest
from asn1crypto import keys as asn1_keys
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign import PdfSigner, signers
from pyhanko.sign.fields import SigSeedSubFilter
from pyhanko_certvalidator.registry import SimpleCertificateStore

from seal_service.pdf.verify import verify_pdf
from trustcore.report import Verdict

from support.seal_suite import NOW, Suite, make_pdf


class SignerAt(PdfSigner):
    """pyHanko's signer with a clock of ours."""

    moment: datetime = NOW

    def init_signing_session(self, *arguments: Any, **options: Any) -> Any:
        session = super().init_signing_session(*arguments, **options)
        session.system_time = self.moment
        return session


@pytest.fixture(scope="module")
def signer(shared: Suite) -> signers.SimpleSigner:
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Another program")])
    request = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())
    certificate = shared.ca.issue(
        "rsa-issuing", request.public_bytes(Encoding.DER), profile="document-signer", request_id="foreign"
    )
    known = SimpleCertificateStore()
    known.register_multiple([asn1_x509.Certificate.load(der) for der in shared.ca.chain("rsa-issuing")])
    secret = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    return signers.SimpleSigner(
        signing_cert=asn1_x509.Certificate.load(certificate),
        signing_key=asn1_keys.PrivateKeyInfo.load(secret),
        cert_registry=known,
    )


@pytest.mark.parametrize("form", [SigSeedSubFilter.PADES, SigSeedSubFilter.ADOBE_PKCS7_DETACHED])
def test_a_signature_of_pyhanko_is_valid_here_and_not_when_changed(
    form: SigSeedSubFilter, signer: signers.SimpleSigner, shared: Suite
) -> None:
    metadata = signers.PdfSignatureMetadata(field_name="Foreign", md_algorithm="sha256", subfilter=form)
    out = BytesIO()
    SignerAt(metadata, signer=signer).sign_pdf(IncrementalPdfFileWriter(BytesIO(make_pdf())), output=out)
    policy = shared.policy(shared.ca.crl("rsa-issuing"), shared.ca.crl("rsa-root"))
    report = verify_pdf(out.getvalue(), policy)
    assert report.verdict is Verdict.VALID, [(step.code, step.en) for step in report.problems]
    assert report.facts["signer"] == "Another program"
    assert report.facts["signed_at_proven"] == "false"
    without_crls = verify_pdf(out.getvalue(), shared.policy())
    assert without_crls.verdict is Verdict.INDETERMINATE
    changed = bytearray(out.getvalue())
    changed[200] ^= 1
    assert verify_pdf(bytes(changed), policy).verdict is Verdict.INVALID
