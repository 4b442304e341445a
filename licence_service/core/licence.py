"""An issued licence as use cases answer with it: no rows of tables, no ID numbers."""

import base64
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from licence_service.core.record import LicenceRecord
from licence_service.core.states import LicenceState, standing
from trustcore.errors import InternalError
from trustcore.report import Report, Status, Step

__all__ = ["DocumentInfo", "Form", "Licence", "Verification", "make_token", "report_from_json"]

_TOKEN_BYTES = 16


class Form(StrEnum):
    """The forms in which a licence is made."""

    OFD = "ofd"
    """GB/T 33190 with an SM2 e-seal over the whole package."""
    PDF = "pdf"
    """PAdES with the department's RSA certificate."""
    SM2_PDF = "sm2-pdf"
    """PDF with an SM2 e-seal (``GM.sm2seal``)."""

    @property
    def suffix(self) -> str:
        """What follows the identifier in a file name."""
        return {Form.OFD: ".ofd", Form.PDF: ".pdf", Form.SM2_PDF: "-sm2.pdf"}[self]

    @property
    def media_type(self) -> str:
        """Content-Type of the file."""
        return "application/ofd" if self is Form.OFD else "application/pdf"


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentInfo:
    """One stored file of a licence."""

    form: Form
    sha256: str
    """Lower-case hexadecimal, as is ``sm3``."""
    sm3: str
    size_bytes: int
    created_at: datetime
    report: Report | None
    """What the verifier said right after sealing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Licence:
    """One licence and where it stands in its life."""

    number: int
    """Its place in the register; only for paging."""
    identifier: str
    token: str
    """26 characters that lead to the verification page; they say nothing about the licence."""
    address: str
    """The verification address, which the QR code says."""
    record: LicenceRecord
    issuer: str
    state: LicenceState
    """The stored state; see :meth:`shown_state`."""
    state_reason: str
    state_changed_at: datetime
    issued_at: datetime | None
    documents: tuple[DocumentInfo, ...]

    def shown_state(self, now: datetime) -> LicenceState:
        """The state at ``now``: a valid licence may be over, or not begun, by the calendar."""
        record = self.record
        return standing(self.state, valid_from=record.valid_from, valid_until=record.valid_until, now=now)

    def document(self, form: Form) -> DocumentInfo | None:
        """The file of this form, if it was made."""
        return next((d for d in self.documents if d.form is form), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What is known of a file: is it what was sealed, is it ours, does the licence stand now."""

    report: Report
    """The checks of the file, then ``licence.register.known`` and ``licence.register.standing``."""
    licence: Licence | None
    """The licence of which this very file was issued."""
    state: LicenceState | None
    """Its state now."""


def make_token(random: bytes) -> str:
    """The token of 128 random bits: 26 characters of base32 (RFC 4648 §6)."""
    if len(random) != _TOKEN_BYTES:
        message = f"a token is made of {_TOKEN_BYTES} octets"
        raise ValueError(message)
    return base64.b32encode(random).decode("ascii").rstrip("=")


def report_from_json(data: dict[str, object]) -> Report:
    """A report from what ``Report.as_json`` gave."""
    steps, facts = data["steps"], data["facts"]
    if not isinstance(steps, list) or not isinstance(facts, dict):
        raise InternalError("A stored report cannot be read.", code="licence.report.malformed")
    return Report(
        subject=str(data["subject"]),
        facts=facts,
        steps=tuple(
            Step(
                number=s["number"],
                code=s["code"],
                status=Status(s["status"]),
                zh=s["zh"],
                en=s["en"],
                clause=s["clause"],
                evidence=s["evidence"],
            )
            for s in steps
        ),
    )
