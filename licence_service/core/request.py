"""A request to issue one licence."""

import json
from dataclasses import dataclass

from licence_service.core.licence import Form
from licence_service.core.record import LicenceRecord

__all__ = ["DEFAULT_FORMS", "IssueRequest"]

DEFAULT_FORMS = (Form.OFD, Form.PDF)


@dataclass(frozen=True, slots=True, kw_only=True)
class IssueRequest:
    """What is asked for, by whom."""

    record: LicenceRecord
    request_id: str
    """Chosen by the caller; the same one always means the same licence."""
    forms: tuple[Form, ...] = DEFAULT_FORMS
    may_add_forms: bool = False
    """Whether a repeated request may ask for further forms; otherwise other forms are another request."""
    actor: str = "system"
    """Who asks, for the audit trail."""
    batch_id: int | None = None
    row_number: int | None = None

    def canonical(self) -> str:
        """The record as one text, with the ID number; only ever stored as its keyed digest."""
        facts = {**self.record.as_json(), "representative_id": self.record.representative_id}
        return json.dumps(facts, ensure_ascii=False, sort_keys=True)
