"""From rows of tables to the values that use cases answer with."""

from collections.abc import Iterable

from sqlalchemy.orm import Session

from licence_service import store
from licence_service.core.licence import DocumentInfo, Form, Licence, report_from_json
from licence_service.core.record import LicenceRecord
from licence_service.core.states import LicenceState
from licence_service.models import DocumentRow, LicenceRow
from trustcore.errors import NotFoundError
from trustcore.protection import FieldCipher

__all__ = ["record_of", "stored_view", "view"]


def record_of(row: LicenceRow, cipher: FieldCipher) -> LicenceRecord:
    """The record, its ID number decrypted."""
    return LicenceRecord.from_json(row.record, representative_id=cipher.decrypt(row.representative_id))


def stored_view(session: Session, row: LicenceRow | None, cipher: FieldCipher) -> Licence:
    """The licence of a row, its files looked up. Raises ``NotFoundError`` (``licence.not-found``) for ``None``."""
    if row is None:
        raise NotFoundError("There is no such licence.", code="licence.not-found")
    return view(row, store.documents(session, [row.id])[row.id].values(), cipher)


def view(row: LicenceRow, documents: Iterable[DocumentRow], cipher: FieldCipher) -> Licence:
    """The licence of a row with its files."""
    return Licence(
        number=row.id,
        identifier=row.identifier,
        token=row.token,
        address=row.address,
        record=record_of(row, cipher),
        issuer=row.issuer_name,
        state=LicenceState(row.state),
        state_reason=row.state_reason,
        state_changed_at=row.state_changed_at,
        issued_at=row.issued_at,
        documents=tuple(map(_document_info, sorted(documents, key=lambda document: document.form))),
    )


def _document_info(row: DocumentRow) -> DocumentInfo:
    return DocumentInfo(
        form=Form(row.form),
        sha256=row.sha256,
        sm3=row.sm3,
        size_bytes=row.size_bytes,
        created_at=row.created_at,
        report=report_from_json(row.report) if row.report else None,
    )
