"""Tables of the certification authority."""

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Integer, LargeBinary, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from trustcore.database import Model, UtcDateTime

__all__ = ["AuthorityRow", "CertificateRow", "CounterRow", "CrlRow"]

_KEY = BigInteger().with_variant(Integer, "sqlite")
"""SQLite counts up in INTEGER PRIMARY KEY columns only."""


class AuthorityRow(Model):
    """A CA."""

    __tablename__ = "ca_authority"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    parent: Mapped[str | None] = mapped_column(ForeignKey("ca_authority.name"))
    """The CA above; ``None`` for a root."""
    key_uri: Mapped[str] = mapped_column(String(300))
    certificate_der: Mapped[bytes] = mapped_column(LargeBinary)
    founded_at: Mapped[datetime] = mapped_column(UtcDateTime)


class CertificateRow(Model):
    """A certificate: first what will be signed, then what was signed."""

    __tablename__ = "ca_certificate"
    __table_args__ = (UniqueConstraint("authority", "serial_number"),)

    id: Mapped[int] = mapped_column(_KEY, primary_key=True)
    request_id: Mapped[str] = mapped_column(String(200), unique=True)
    """The same request gives the same certificate."""
    request_digest: Mapped[str] = mapped_column(String(64))
    """SM3, hex, over all that was asked for."""
    authority: Mapped[str] = mapped_column(String(64))
    """Name of the issuing CA; a root's own name for its own certificate."""
    serial_number: Mapped[str] = mapped_column(String(40))
    """Hexadecimal, lower case."""
    profile: Mapped[str] = mapped_column(String(40))
    subject: Mapped[str] = mapped_column(String(1000))
    """RFC 4514 text."""
    tbs_der: Mapped[bytes] = mapped_column(LargeBinary)
    certificate_der: Mapped[bytes | None] = mapped_column(LargeBinary)
    """``None`` while it is reserved."""
    not_after: Mapped[datetime] = mapped_column(UtcDateTime)
    reserved_at: Mapped[datetime] = mapped_column(UtcDateTime)
    issued_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    closed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When a reservation that nobody completed was given up; its serial number stays used."""
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime, index=True)
    reason: Mapped[int | None]
    """CRLReason (RFC 5280 §5.3.1)."""


class CrlRow(Model):
    """A certificate revocation list: its number first, then the list."""

    __tablename__ = "ca_crl"

    authority: Mapped[str] = mapped_column(ForeignKey("ca_authority.name"), primary_key=True)
    number: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    this_update: Mapped[datetime] = mapped_column(UtcDateTime)
    next_update: Mapped[datetime] = mapped_column(UtcDateTime)
    crl_der: Mapped[bytes | None] = mapped_column(LargeBinary)


class CounterRow(Model):
    """A number that only grows."""

    __tablename__ = "ca_counter"

    name: Mapped[str] = mapped_column(String(80), primary_key=True)
    value: Mapped[int] = mapped_column(BigInteger)
    """The last number that was handed out."""
