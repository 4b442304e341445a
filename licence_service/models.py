"""Tables of the licence service."""

from datetime import datetime

from sqlalchemy import JSON, BigInteger, ForeignKey, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from trustcore.database import Model, UtcDateTime

__all__ = ["BatchRow", "CounterRow", "DocumentRow", "LicenceRow", "RowErrorRow"]

_KEY = BigInteger().with_variant(Integer, "sqlite")


class CounterRow(Model):
    """The last serial number an issuer gave to a licence of a type; only ever goes up."""

    __tablename__ = "licence_counter"

    type_code: Mapped[str] = mapped_column(String(21), primary_key=True)
    issuer_code: Mapped[str] = mapped_column(String(18), primary_key=True)
    last: Mapped[int] = mapped_column(BigInteger)


class BatchRow(Model):
    """One file of rows, recognised by its digest, so that running it again goes on with the same batch."""

    __tablename__ = "licence_batch"

    id: Mapped[int] = mapped_column(_KEY, primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    sha256: Mapped[str] = mapped_column(String(64), unique=True)
    started_at: Mapped[datetime] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    row_count: Mapped[int] = mapped_column(Integer)
    issued_count: Mapped[int] = mapped_column(Integer, default=0)


class LicenceRow(Model):
    """One licence, from the moment its number was reserved."""

    __tablename__ = "licence_licence"
    __table_args__ = (UniqueConstraint("type_code", "issuer_code", "serial"),)

    id: Mapped[int] = mapped_column(_KEY, primary_key=True)
    identifier: Mapped[str] = mapped_column(String(200), unique=True)
    token: Mapped[str] = mapped_column(String(26), unique=True)
    request_id: Mapped[str] = mapped_column(String(300), unique=True)
    request_lookup: Mapped[str] = mapped_column(String(64))
    """Keyed digest of what was asked for, to tell a repeated request from another one."""
    type_code: Mapped[str] = mapped_column(String(21))
    issuer_code: Mapped[str] = mapped_column(String(18))
    issuer_name: Mapped[str] = mapped_column(String(200))
    serial: Mapped[int] = mapped_column(BigInteger)
    address: Mapped[str] = mapped_column(String(300))
    """What the QR code says; kept, because the file must not change when the public address does."""
    holder_name: Mapped[str] = mapped_column(String(200))
    holder_code: Mapped[str] = mapped_column(String(18), index=True)
    record: Mapped[dict[str, str | None]] = mapped_column(JSON)
    """The record without the representative's ID number."""
    representative_id: Mapped[str] = mapped_column(String(200))
    """The ID number, encrypted."""
    representative_lookup: Mapped[str] = mapped_column(String(64), index=True)
    """Keyed HMAC of the ID number."""
    forms: Mapped[list[str]] = mapped_column(JSON)
    """The forms asked for."""
    state: Mapped[str] = mapped_column(String(20), index=True)
    state_reason: Mapped[str] = mapped_column(String(300), default="")
    state_changed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    reserved_at: Mapped[datetime] = mapped_column(UtcDateTime)
    issued_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    batch_id: Mapped[int | None] = mapped_column(ForeignKey("licence_batch.id"), index=True)
    row_number: Mapped[int | None] = mapped_column(Integer)


class DocumentRow(Model):
    """One sealed file of a licence; the octets lie in the document store under their SHA-256."""

    __tablename__ = "licence_document"
    __table_args__ = (UniqueConstraint("licence_id", "form"),)

    id: Mapped[int] = mapped_column(_KEY, primary_key=True)
    licence_id: Mapped[int] = mapped_column(ForeignKey("licence_licence.id"))
    form: Mapped[str] = mapped_column(String(10))
    sha256: Mapped[str] = mapped_column(String(64), index=True)
    sm3: Mapped[str] = mapped_column(String(64))
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    report: Mapped[dict[str, object] | None] = mapped_column(JSON)


class RowErrorRow(Model):
    """A row of a batch that became no licence, and why; without personal data."""

    __tablename__ = "licence_row_error"
    __table_args__ = (UniqueConstraint("batch_id", "row_number"),)

    id: Mapped[int] = mapped_column(_KEY, primary_key=True)
    batch_id: Mapped[int] = mapped_column(ForeignKey("licence_batch.id"))
    row_number: Mapped[int] = mapped_column(Integer)
    column_name: Mapped[str] = mapped_column(String(50))
    code: Mapped[str] = mapped_column(String(100))
    en: Mapped[str] = mapped_column(Text)
    zh: Mapped[str] = mapped_column(Text)
