"""Queries about keys for data at rest."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from hsm.models import DataKeyRow

__all__ = ["DataKeyRecord", "add", "newest", "of_version", "records", "rewrap"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DataKeyRecord:
    """A row of ``hsm_data_key``, out of its session."""

    name: str
    version: int
    form: str
    key_uri: str
    wrapped: bytes
    created_at: datetime
    rewrapped_at: datetime | None = None


def _record(row: DataKeyRow) -> DataKeyRecord:
    return DataKeyRecord(
        name=row.name,
        version=row.version,
        form=row.form,
        key_uri=row.key_uri,
        wrapped=row.wrapped,
        created_at=row.created_at,
        rewrapped_at=row.rewrapped_at,
    )


def newest(session: Session, name: str) -> int:
    """The highest version; 0 without any."""
    return session.scalar(select(func.max(DataKeyRow.version)).where(DataKeyRow.name == name)) or 0


def of_version(session: Session, name: str, version: int) -> DataKeyRecord | None:
    """One version."""
    row = session.get(DataKeyRow, (name, version))
    return _record(row) if row else None


def records(session: Session, name: str | None = None) -> list[DataKeyRecord]:
    """All versions, of one name or of all, in order."""
    query = select(DataKeyRow).order_by(DataKeyRow.name, DataKeyRow.version)
    return [_record(row) for row in session.scalars(query if name is None else query.where(DataKeyRow.name == name))]


def add(session: Session, record: DataKeyRecord) -> None:
    """Write a new version."""
    session.add(
        DataKeyRow(
            name=record.name, version=record.version, form=record.form, key_uri=record.key_uri, wrapped=record.wrapped,
            created_at=record.created_at,
        )
    )  # fmt: skip
    session.flush()


def rewrap(session: Session, name: str, version: int, *, form: str, key_uri: str, wrapped: bytes, at: datetime) -> None:
    """Write the same key under another one."""
    row = session.get_one(DataKeyRow, (name, version))
    row.form, row.key_uri, row.wrapped, row.rewrapped_at = form, key_uri, wrapped, at
    session.flush()
