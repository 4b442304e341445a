"""One signature while it is verified, and the checks that every form shares."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from ofd.policy import VerificationPolicy
from seal_service.pdf.cms_form import form_problems, has_exact_frame
from seal_service.pdf.document import PdfSignature
from trustcore.errors import MalformedError
from trustcore.report import ReportBuilder, Status
from trustcore.x509.certificate import Certificate
from trustcore.x509.cms import SignedData
from trustcore.x509.crl import Crl

__all__ = ["SignatureCase", "check_form", "check_material", "rfc3339"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SignatureCase:
    """What there is to verify, and where the findings go."""

    report: ReportBuilder
    policy: VerificationPolicy
    signature: PdfSignature
    covered: bytes = field(repr=False)
    """The octets of the ByteRange."""
    value_der: bytes = field(repr=False)
    """/Contents without padding, as received."""
    facts: dict[str, str] = field(default_factory=dict)

    def check(self, ok: bool, code: str, texts: tuple[str, str], clause: str, **evidence: str) -> bool:
        """Append a step that passed or failed, its texts Chinese then English."""
        return self.report.check(
            ok, code, zh=texts[0], en=texts[1], clause=clause, evidence={"field": self.signature.field_name, **evidence}
        )

    def note(self, status: Status, code: str, texts: tuple[str, str], clause: str, **evidence: str) -> None:
        """Append a step with a status of its own."""
        self.report.add(
            status, code, zh=texts[0], en=texts[1], clause=clause,
            evidence={"field": self.signature.field_name, **evidence},
        )  # fmt: skip


def rfc3339(at: datetime) -> str:
    """The time in UTC with a Z."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def check_form(case: SignatureCase, code: str, cms_der: bytes, *, candidates: Sequence[Certificate]) -> None:
    """Append the step on the parts of a CMS value that its signature does not cover."""
    signed_data = SignedData.from_der(cms_der)
    signers = signed_data.signers
    known = (*signed_data.certificates, *candidates)
    signer = next((item for item in known if signers and signers[0].is_made_by(item)), None)
    problems = form_problems(cms_der, signer)
    case.note(
        Status.INDETERMINATE if problems else Status.PASSED,
        code,
        ("签名结构中未受签名保护的部分不合规定" if problems else "签名结构中未受签名保护的部分符合规定",
         "Parts of the CMS that no signature covers are not as prescribed: " + "; ".join(problems) if problems
         else "The parts of the CMS that no signature covers are as prescribed"),
        "RFC 5652 §5.1, §5.3",
    )  # fmt: skip


def check_material(case: SignatureCase, certificates: Sequence[Certificate], crls: Sequence[bytes]) -> None:
    """Append the step on the certificates and CRLs that travel in the file: none is damaged.

    Paths use only some of them; one that is not used has to bear its issuer's signature all the same.
    """
    issuers = tuple(dict.fromkeys((*certificates, *case.policy.intermediates, *case.policy.roots)))
    damaged: list[str] = []
    unknown: list[str] = []
    for certificate in certificates:
        named = [issuer for issuer in issuers if certificate.issuer.matches(issuer.subject)]
        if not named:
            unknown.append(certificate.subject.text)
        elif not has_exact_frame(certificate.der) or not any(map(certificate.is_issued_by, named)):
            damaged.append(certificate.subject.text)
    for crl_der in crls:
        try:
            crl = Crl.from_der(crl_der)
        except MalformedError:
            damaged.append("CRL")
            continue
        named = [issuer for issuer in issuers if crl.issuer.matches(issuer.subject)]
        if not named:
            unknown.append(f"CRL {crl.issuer.text}")
        elif not has_exact_frame(crl.der) or not any(map(crl.is_signed_by, named)):
            damaged.append(f"CRL {crl.issuer.text}")
    evidence = {"damaged": "; ".join(damaged), "unknown_issuer": "; ".join(unknown)}
    if damaged:
        status, texts = Status.FAILED, ("随附的证书或 CRL 已损坏", "A certificate or CRL in the file is damaged")
    elif unknown:
        status, texts = (
            Status.INDETERMINATE,
            ("随附的证书或 CRL 中有签发者未知的", "The issuer of a certificate or CRL in the file is not known"),
        )
    else:
        status, texts = Status.PASSED, ("随附的证书与 CRL 均完好", "The certificates and CRLs in the file are intact")
    case.note(status, "pdf.material", texts, "RFC 5652 §5.1", **{k: v for k, v in evidence.items() if v})
