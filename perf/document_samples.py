"""Documents of any number of pages, a seal and a certificate to seal them with, for the benchmark and its children."""

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from io import BytesIO

from reportlab.pdfgen.canvas import Canvas

from ofd.build.document import DocumentBuilder
from ofd.fonts.faces import find_fonts
from ofd.sign.seal import StampAnnotation, prepare
from ofd.verify.policy import VerificationPolicy
from seal_service.core.material import ValidationMaterial, validation_material
from seal_service.pdf.pades import prepare_pades
from trustcore.crypto.algorithms import KeyAlgorithm
from trustcore.signing import Signer
from trustcore.x509.certificate import Certificate
from trustcore.x509.names import DistinguishedName
from trustcore.x509.requests import build_request

from support import ofd_samples
from support.ofd_samples import Holder, Pki, sample_pki
from support.seal_suite import NOW, Clock, SmallCa

__all__ = ["AT", "Desk", "PdfDesk", "ofd_of", "pdf_of", "sample_pki"]

AT = datetime(2030, 1, 15, 9, 30, tzinfo=UTC)
_LINES = 40
"""Lines of text on a page, as on a licence."""


def ofd_of(pages: int) -> bytes:
    """A document of text with embedded subsets; no two are the same."""
    builder = DocumentBuilder(doc_id=secrets.token_hex(16), title="计量样本", created=AT, fonts=find_fonts())
    for number in range(pages):
        page = builder.page()
        for line in range(_LINES):
            text = f"第{number + 1}页第{line + 1}行 统一社会信用代码 {secrets.token_hex(8).upper()}"
            page.text(text, x_mm=20, y_mm=20 + 6 * line, size_mm=4)
    return builder.to_bytes()


def pdf_of(pages: int) -> bytes:
    """A PDF of as many pages and lines."""
    written = BytesIO()
    canvas = Canvas(written, pagesize=(595, 842))
    for number in range(pages):
        for line in range(_LINES):
            canvas.drawString(56, 785 - 17 * line, f"Page {number + 1} line {line + 1} {secrets.token_hex(8).upper()}")
        canvas.showPage()
    canvas.save()
    return written.getvalue()


@dataclass(frozen=True)
class Desk:
    """Who seals, with what, and who believes it."""

    pki: Pki

    @cached_property
    def seal(self) -> bytes:
        """The seal, with a picture of the size that deployed seals have."""
        return ofd_samples.make_seal(self.pki)

    @property
    def signer(self) -> Holder:
        """Whom the seal lists."""
        return self.pki.signer

    @cached_property
    def policy(self) -> VerificationPolicy:
        """Trust in the root alone."""
        roots: tuple[Certificate, ...] = (self.pki.root.certificate,)
        return VerificationPolicy(roots=roots, at=AT + timedelta(days=1))

    def seal_ofd(self, document: bytes) -> bytes:
        """The document sealed, with certificates and revocation lists inside."""
        prepared = prepare(
            document,
            seal_der=self.seal,
            stamps=(StampAnnotation(page=0, x_mm=150, y_mm=230),),
            at=AT,
            certificates=(self.pki.issuing.certificate.der,),
            crls=self.pki.crls,
        )
        return prepared.complete(self.signer.signer.sign(prepared.to_be_signed), self.signer.certificate.der)


@dataclass(frozen=True)
class PdfDesk:
    """Who signs PDFs with RSA, and who believes it."""

    signer: Signer
    certificate: Certificate
    material: ValidationMaterial
    policy: VerificationPolicy

    @classmethod
    def founded(cls) -> "PdfDesk":
        """A hierarchy of its own, with a document signer."""
        keys = ofd_samples.make_keys()
        authority = SmallCa(keys, Clock())
        signer = keys.signer(keys.generate("document-signer", KeyAlgorithm.RSA_2048))
        request = build_request(signer, DistinguishedName.from_text("CN=Department,C=CN"))
        certificate = authority.issue("rsa-issuing", request, profile="document-signer", request_id="1")
        crls = tuple(authority.crl(name) for name in ("rsa-issuing", "rsa-root"))
        roots = (authority.authorities["rsa-root"].certificate,)
        return cls(
            signer=signer,
            certificate=Certificate.from_der(certificate),
            material=validation_material(authority.chain("rsa-issuing"), crls),
            policy=VerificationPolicy(roots=roots, at=NOW + timedelta(hours=1)),
        )

    def seal(self, pdf: bytes) -> bytes:
        """The PDF with a PAdES B-B signature, certificates and revocation lists inside."""
        prepared = prepare_pades(
            pdf,
            certificate=self.certificate,
            algorithm=self.signer.algorithm,
            material=self.material,
            at=NOW,
            picture=None,
        )
        return prepared.complete(self.signer.sign(prepared.to_be_signed), timestamp_token=None)
