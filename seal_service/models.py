"""Tables of the seal service."""

from datetime import datetime

from sqlalchemy import BigInteger, Integer, LargeBinary, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from trustcore.database import Model, UtcDateTime

__all__ = ["KeyRow", "SealRow", "UseRow"]


class KeyRow(Model):
    """A key of a seal or of the seal maker, and its certificate."""

    __tablename__ = "seal_key"

    label: Mapped[str] = mapped_column(String(80), primary_key=True)
    """Label in the machines."""
    key_uri: Mapped[str] = mapped_column(String(300))
    authority: Mapped[str] = mapped_column(String(100))
    profile: Mapped[str] = mapped_column(String(100))
    request_der: Mapped[bytes] = mapped_column(LargeBinary)
    """PKCS #10 request, kept so that asking again asks for the same."""
    certificate_der: Mapped[bytes | None] = mapped_column(LargeBinary)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class SealRow(Model):
    """A seal."""

    __tablename__ = "seal_seal"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    """esID."""
    request_id: Mapped[str] = mapped_column(String(200), unique=True)
    request_digest: Mapped[str] = mapped_column(String(64))
    """SM3 of what was asked for, hex."""
    code: Mapped[str] = mapped_column(String(13), index=True)
    name: Mapped[str] = mapped_column(String(200))
    organization_code: Mapped[str] = mapped_column(String(18), index=True)
    type: Mapped[int] = mapped_column(Integer)
    diameter_mm: Mapped[int] = mapped_column(Integer)
    state: Mapped[str] = mapped_column(String(20))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    valid_from: Mapped[datetime | None] = mapped_column(UtcDateTime)
    valid_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    lifetime_seconds: Mapped[int] = mapped_column(BigInteger)
    """As asked for."""
    svg: Mapped[bytes] = mapped_column(LargeBinary, deferred=True)
    png: Mapped[bytes] = mapped_column(LargeBinary, deferred=True)
    info_der: Mapped[bytes | None] = mapped_column(LargeBinary, deferred=True)
    """SES_SealInfo as it was given to the maker to sign."""
    seal_der: Mapped[bytes | None] = mapped_column(LargeBinary, deferred=True)
    """SESeal."""


class UseRow(Model):
    """One use of a seal: reserved before the signature, finished after it."""

    __tablename__ = "seal_use"
    __table_args__ = (UniqueConstraint("seal_id", "request_id"),)

    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True)
    seal_id: Mapped[str] = mapped_column(String(40), index=True)
    request_id: Mapped[str | None] = mapped_column(String(200))
    request_digest: Mapped[str | None] = mapped_column(String(64))
    """SM3 of the request, hex, where it has an id."""
    kind: Mapped[str] = mapped_column(String(20))
    """``ofd``, ``pdf-pades``, ``pdf-gm``, ``message`` or ``digest``."""
    content_digest: Mapped[str] = mapped_column(String(128))
    """Digest of the octets that the key signs, hex: SM3 of the message, or the digest itself."""
    actor: Mapped[str] = mapped_column(String(200))
    reserved_at: Mapped[datetime] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    outcome: Mapped[str] = mapped_column(String(20))
    """``reserved``, ``done`` or ``failed``."""
    error_code: Mapped[str | None] = mapped_column(String(100))
    result_digest: Mapped[str | None] = mapped_column(String(64))
    """SM3 of the answer, hex."""
    answer: Mapped[bytes | None] = mapped_column(LargeBinary, deferred=True)
    """The answer itself where the request has an id, to be given again."""
