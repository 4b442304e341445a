"""Verify a document of any kind this service seals; the kind is seen from the content."""

from ofd.verify.document import verify as verify_ofd
from ofd.verify.policy import VerificationPolicy
from seal_service.pdf.verify import verify_pdf
from trustcore.report import Report, ReportBuilder, Status

__all__ = ["verify_document"]


def verify_document(data: bytes, policy: VerificationPolicy) -> Report:
    """The report on an OFD or a PDF; other files are reported as not understood.

    Signatures of PDF readers allow ``%PDF-`` within the first 1024 octets (ISO 32000-2 Annex I); a ZIP starts with PK.
    """
    if data.startswith(b"PK\x03\x04"):
        return verify_ofd(data, policy)
    if b"%PDF-" in data[:1024]:
        return verify_pdf(data, policy)
    report = ReportBuilder("document")
    report.add(
        Status.FAILED, "document.kind", zh="文件既不是 OFD 也不是 PDF", en="The file is neither an OFD nor a PDF",
        clause="GB/T 33190-2016 §5; ISO 32000-2 §7.5.2",
    )  # fmt: skip
    return report.build()
