"""Verify the signatures of a PDF, from the file and the roots.

The whole procedure, in one place:

(1) the file can be read, is not encrypted, and holds at least one signature that a form field refers to;

and for each signature:

(2) /SubFilter is a form known here;
(3) the ByteRange begins with the file and leaves out exactly the hexadecimal string of /Contents, and only zeros follow
    the value (:mod:`seal_service.pdf.coverage`);
(4) the value: for CMS :mod:`seal_service.pdf.verify_cms`, for ``GM.sm2seal`` :mod:`seal_service.pdf.verify_gm`;
    digest, signature, signer's certificate with chain and revocation, time stamp, the seal where there is one;
(5) later updates of the file did nothing but sign again, and a signature covers the file to its end.

A changed octet is in the ByteRange and fails the digest of (4), or in the hole and fails (3), the signature or the
strict form of what no signature covers. Any input gives a report; nothing is raised.
"""

from collections.abc import Callable

from ofd.verify.policy import VerificationPolicy
from seal_service.pdf.coverage import check_changes, check_coverage, covered_octets
from seal_service.pdf.document import PdfDocument, PdfSignature, open_document
from seal_service.pdf.finding import SignatureCase
from seal_service.pdf.verify_cms import verify_cms
from seal_service.pdf.verify_gm import verify_gm
from trustcore.errors import Kind, TrustError
from trustcore.report import Report, ReportBuilder, Status

__all__ = ["verify_pdf"]

_FORMS: dict[str, Callable[[SignatureCase], None]] = {
    "/ETSI.CAdES.detached": verify_cms,
    "/adbe.pkcs7.detached": verify_cms,
    "/GM.sm2seal": verify_gm,
}
_CLAUSE = "ISO 32000-2 §12.8.1"


def verify_pdf(data: bytes, policy: VerificationPolicy) -> Report:
    """Verify a PDF; see the module for the steps.

    ``facts`` of the report hold, from under a signature whose value is right: ``signer``, ``signed_at`` (RFC 3339),
    ``signed_at_proven`` (``true`` with a valid time stamp), and for a seal ``seal_name``, ``seal_code``. Facts of a
    second signature start with ``2.``, and so on.
    """
    report = ReportBuilder("pdf")
    try:
        document = _open(report, data)
    except TrustError as error:
        refused = error.kind is Kind.REJECTED
        report.add(
            Status.INDETERMINATE if refused else Status.FAILED, "pdf.read", zh="文件不能读取", en=error.detail,
            clause="ISO 32000-2 §7.5", evidence={"error": error.code},
        )  # fmt: skip
        return report.build()
    if document is not None:
        sound = [
            signature
            for number, signature in enumerate(document.signatures, start=1)
            if _verify_one(report, document, signature, policy, facts="" if number == 1 else f"{number}.")
        ]
        covered = max((signature.end for signature in sound), default=0)
        for signature in document.signatures:
            check_changes(report, document, signature, covered=covered)
    return report.build()


def _open(report: ReportBuilder, data: bytes) -> PdfDocument | None:
    """Step (1)."""
    document = open_document(data)
    report.add(
        Status.PASSED if document.strict else Status.WARNING,
        "pdf.read",
        zh="文件可以读取" if document.strict else "文件有不合标准之处,但可以读取",
        en="The file can be read" if document.strict else "The file can be read, not by the letter of the standard",
        clause="ISO 32000-2 §7.5",
        evidence={"bytes": str(len(data))},
    )
    count = len(document.signatures)
    if not report.check(
        count > 0, "pdf.signatures", zh=f"文件含 {count} 个签名", en=f"The file holds {count} signatures",
        clause=_CLAUSE, evidence={"fields": " ".join(signature.field_name for signature in document.signatures)},
    ):  # fmt: skip
        return None
    if document.unreferenced:
        report.add(
            Status.INDETERMINATE, "pdf.signatures.unreferenced", zh="文件含有表单未引用的签名",
            en="The file holds signatures that no field of the form refers to", clause=_CLAUSE,
            evidence={"count": str(document.unreferenced)},
        )  # fmt: skip
    return document


def _verify_one(
    report: ReportBuilder, document: PdfDocument, signature: PdfSignature, policy: VerificationPolicy, *, facts: str
) -> bool:
    """Steps (2) to (4); whether this signature is right over what it covers."""
    verify = _FORMS.get(signature.sub_filter)
    place = {"field": signature.field_name, "sub_filter": signature.sub_filter, "filter": signature.filter}
    if verify is None:
        report.add(
            Status.INDETERMINATE, "pdf.signature.form", zh="签名的形式不受支持,无法判定",
            en="The form of the signature is not known here", clause="ISO 32000-2 §12.8.3", evidence=place,
        )  # fmt: skip
        return False
    report.add(
        Status.PASSED, "pdf.signature.form", zh=f"签名形式为 {signature.sub_filter}",
        en=f"The form of the signature is {signature.sub_filter}", clause="ISO 32000-2 §12.8.3", evidence=place,
    )  # fmt: skip
    value_der = check_coverage(report, document.data, signature)
    if value_der is None:
        return False
    found = SignatureCase(
        report=ReportBuilder("pdf"),
        policy=policy,
        signature=signature,
        covered=covered_octets(document.data, signature),
        value_der=value_der,
    )
    try:
        verify(found)
    except TrustError as error:
        found.report.add(
            Status.FAILED, "pdf.signature.value", zh="签名值不能读取", en=error.detail, clause=_CLAUSE,
            evidence=place | {"error": error.code},
        )  # fmt: skip
    steps = found.report.build().steps
    report.extend(steps)
    right = all(step.status is not Status.FAILED for step in steps)
    if right:
        report.facts.update({f"{facts}{name}": value for name, value in found.facts.items()})
    return right
