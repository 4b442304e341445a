"""All queries of the certification authority."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert as insert_postgresql
from sqlalchemy.dialects.sqlite import insert as insert_sqlite
from sqlalchemy.orm import Session

from ca.models import AuthorityRow, CertificateRow, CounterRow, CrlRow

__all__ = [
    "authorities", "authority", "by_request", "by_serial", "certificates", "current_crl", "is_revoked_after",
    "next_crl_number", "reserve_numbers", "reserved_before", "revoked",
]  # fmt: skip


def authority(session: Session, name: str) -> AuthorityRow | None:
    """The CA of this name."""
    return session.get(AuthorityRow, name)


def authorities(session: Session) -> Sequence[AuthorityRow]:
    """All CAs, in the order they were founded."""
    return session.scalars(select(AuthorityRow).order_by(AuthorityRow.founded_at, AuthorityRow.name)).all()


def by_request(session: Session, request_id: str, *, lock: bool = False) -> CertificateRow | None:
    """The certificate of a request."""
    query = select(CertificateRow).where(CertificateRow.request_id == request_id)
    return session.scalars(query.with_for_update() if lock else query).one_or_none()


def by_serial(session: Session, authority: str, serial_number: str, *, lock: bool = False) -> CertificateRow | None:
    """The certificate with this serial number."""
    query = select(CertificateRow).where(
        CertificateRow.authority == authority, CertificateRow.serial_number == serial_number
    )
    return session.scalars(query.with_for_update() if lock else query).one_or_none()


def certificates(session: Session, *, before: int | None, limit: int) -> Sequence[CertificateRow]:
    """Certificates and reservations, newest first."""
    query = select(CertificateRow).order_by(CertificateRow.id.desc()).limit(limit)
    return session.scalars(query if before is None else query.where(CertificateRow.id < before)).all()


def reserved_before(session: Session, moment: datetime) -> Sequence[CertificateRow]:
    """Reservations older than ``moment`` that were neither completed nor closed."""
    return session.scalars(
        select(CertificateRow).where(
            CertificateRow.certificate_der.is_(None),
            CertificateRow.closed_at.is_(None),
            CertificateRow.reserved_at < moment,
        )
    ).all()


def revoked(session: Session, authority: str, *, not_expired_at: datetime) -> Sequence[CertificateRow]:
    """Revoked certificates of a CA that had not expired at a moment."""
    return session.scalars(
        select(CertificateRow)
        .where(
            CertificateRow.authority == authority,
            CertificateRow.revoked_at.is_not(None),
            CertificateRow.not_after >= not_expired_at,
        )
        .order_by(CertificateRow.revoked_at, CertificateRow.id)
    ).all()


def is_revoked_after(session: Session, authority: str, moment: datetime) -> bool:
    """Whether a certificate of a CA was revoked later than ``moment``."""
    query = select(CertificateRow.id).where(CertificateRow.authority == authority, CertificateRow.revoked_at > moment)
    return session.scalar(query.limit(1)) is not None


def current_crl(session: Session, authority: str) -> CrlRow | None:
    """The newest published list of a CA."""
    query = select(CrlRow).where(CrlRow.authority == authority, CrlRow.crl_der.is_not(None))
    return session.scalars(query.order_by(CrlRow.number.desc()).limit(1)).one_or_none()


def next_crl_number(session: Session, authority: str) -> int:
    """One above the highest number of a CA's lists, published or not; whoever asks next waits for the commit."""
    session.execute(select(AuthorityRow.name).where(AuthorityRow.name == authority).with_for_update())
    last = session.scalar(select(func.max(CrlRow.number)).where(CrlRow.authority == authority))
    return (last or 0) + 1


def reserve_numbers(session: Session, name: str, count: int) -> range:
    """Hand out the next ``count`` numbers of a counter; they are never handed out again."""
    insert = insert_postgresql if session.get_bind().dialect.name == "postgresql" else insert_sqlite
    session.execute(insert(CounterRow).values(name=name, value=0).on_conflict_do_nothing())
    counter = session.scalars(select(CounterRow).where(CounterRow.name == name).with_for_update()).one()
    first = counter.value + 1
    counter.value += count
    return range(first, first + count)
