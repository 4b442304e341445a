"""All queries of the licence service. Every function works in the caller's transaction."""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from licence_service.core.rows import BadRow
from licence_service.core.states import LicenceState
from licence_service.models import BatchRow, CounterRow, DocumentRow, LicenceRow, RowErrorRow

__all__ = [
    "by_document",
    "by_identifier",
    "by_ids",
    "by_requests",
    "by_token",
    "close_batch",
    "counter",
    "documents",
    "open_batch",
    "pending",
    "recent",
    "row_errors",
]


def counter(session: Session, *, type_code: str, issuer_code: str) -> CounterRow:
    """The counter of this issuer and type, locked: numbers taken from it are given to nobody else after the commit."""
    key = (type_code, issuer_code)
    found = session.get(CounterRow, key, with_for_update=True)
    if found is None:
        try:
            with session.begin_nested():
                session.add(CounterRow(type_code=type_code, issuer_code=issuer_code, last=0))
        except IntegrityError:
            session.expire_all()
        found = session.get_one(CounterRow, key, with_for_update=True)
    return found


def by_requests(session: Session, request_ids: Iterable[str]) -> dict[str, LicenceRow]:
    """The licences reserved for requests, by request."""
    found = session.scalars(select(LicenceRow).where(LicenceRow.request_id.in_(list(request_ids))))
    return {row.request_id: row for row in found}


def by_ids(session: Session, ids: Iterable[int]) -> dict[int, LicenceRow]:
    """Licences by their keys, which others do not change until the transaction ends."""
    query = select(LicenceRow).where(LicenceRow.id.in_(list(ids))).order_by(LicenceRow.id).with_for_update()
    return {row.id: row for row in session.scalars(query)}


def by_identifier(session: Session, identifier: str, *, lock: bool = False) -> LicenceRow | None:
    """The licence with this identifier; ``lock`` keeps others from changing it until the transaction ends."""
    query = select(LicenceRow).where(LicenceRow.identifier == identifier)
    return session.scalars(query.with_for_update() if lock else query).one_or_none()


def by_token(session: Session, token: str) -> LicenceRow | None:
    """The licence whose QR code leads here."""
    return session.scalars(select(LicenceRow).where(LicenceRow.token == token)).one_or_none()


def by_document(session: Session, sha256: str) -> LicenceRow | None:
    """The licence of which the file with this digest was issued."""
    query = select(LicenceRow).join(DocumentRow, DocumentRow.licence_id == LicenceRow.id)
    return session.scalars(query.where(DocumentRow.sha256 == sha256).limit(1)).one_or_none()


def pending(session: Session, *, before: datetime, limit: int = 100) -> list[LicenceRow]:
    """Licences reserved before a time whose documents are not all sealed, oldest first."""
    query = select(LicenceRow).where(LicenceRow.state == LicenceState.PENDING_SEAL, LicenceRow.reserved_at < before)
    return list(session.scalars(query.order_by(LicenceRow.id).limit(limit)))


def recent(session: Session, *, before: int | None = None, limit: int = 50) -> list[LicenceRow]:
    """The newest licences first; ``before`` is the ``id`` of the last row of the page before."""
    query = select(LicenceRow).order_by(LicenceRow.id.desc()).limit(limit)
    return list(session.scalars(query if before is None else query.where(LicenceRow.id < before)))


def documents(session: Session, licence_ids: Iterable[int]) -> dict[int, dict[str, DocumentRow]]:
    """The files of licences, by form, in the order of the forms; every licence asked for is there."""
    found: dict[int, dict[str, DocumentRow]] = {licence_id: {} for licence_id in licence_ids}
    query = select(DocumentRow).where(DocumentRow.licence_id.in_(list(found))).order_by(DocumentRow.form)
    for row in session.scalars(query):
        found[row.licence_id][row.form] = row
    return found


def open_batch(session: Session, *, name: str, sha256: str, row_count: int, now: datetime) -> BatchRow:
    """The batch of the file with this digest; made at the first run."""
    batch = session.scalars(select(BatchRow).where(BatchRow.sha256 == sha256)).one_or_none()
    if batch is None:
        batch = BatchRow(
            name=name, sha256=sha256, row_count=row_count, started_at=now, finished_at=None, issued_count=0
        )
        session.add(batch)
        session.flush()
    return batch


def close_batch(session: Session, batch_id: int, *, issued_count: int, bad: Iterable[BadRow], now: datetime) -> None:
    """Note how a run ended: what is issued, and exactly these row errors."""
    batch = session.get_one(BatchRow, batch_id)
    batch.issued_count, batch.finished_at = issued_count, now
    session.execute(delete(RowErrorRow).where(RowErrorRow.batch_id == batch_id))
    session.add_all(
        RowErrorRow(
            batch_id=batch_id, row_number=row.number, column_name=row.column, code=row.code, en=row.en, zh=row.zh
        )
        for row in bad
    )


def row_errors(session: Session, batch_id: int) -> list[RowErrorRow]:
    """The rows of a batch that became no licence, in the order of the file."""
    query = select(RowErrorRow).where(RowErrorRow.batch_id == batch_id).order_by(RowErrorRow.row_number)
    return list(session.scalars(query))
