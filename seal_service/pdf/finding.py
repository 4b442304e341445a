"""One signature while it is verified, and the checks that every form shares."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from ofd.verify.policy import VerificationPolicy
from seal_service.pdf.document import PdfSignature
from trustcore.report import ReportBuilder, Status, Step
from trustcore.x509.certificate import Certificate
from trustcore.x509.cms_form import form_step
from trustcore.x509.crl import Crl
from trustcore.x509.material import material_step

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

    def take(self, step: Step) -> None:
        """Append a step made elsewhere."""
        self.note(step.status, step.code, (step.zh, step.en), step.clause, **step.evidence)

    def note(self, status: Status, code: str, texts: tuple[str, str], clause: str, **evidence: str) -> None:
        """Append a step with a status of its own."""
        self.report.add(
            status, code, zh=texts[0], en=texts[1], clause=clause,
            evidence={"field": self.signature.field_name, **evidence},
        )  # fmt: skip


def rfc3339(at: datetime) -> str:
    """The time in UTC with a Z."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def check_form(case: SignatureCase, cms_der: bytes) -> None:
    """Append the step on the parts of a CMS value that its signature does not cover."""
    case.take(form_step("pdf.signature.structure", cms_der, candidates=()))


def check_material(case: SignatureCase, certificates: Sequence[Certificate], crls: Sequence[Crl | bytes]) -> None:
    """Append the step on the certificates and CRLs that travel in the file: none is damaged."""
    issuers = (*case.policy.intermediates, *case.policy.roots)
    case.take(material_step("pdf.material", certificates, crls, issuers=issuers))
