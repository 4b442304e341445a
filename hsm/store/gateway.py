"""Queries of the gateway's tables."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from hsm.core.rights import Grant, Operation, Usage
from hsm.models import ClientCertificateRow, GrantDayRow, GrantRow

__all__ = [
    "ClientCertificate",
    "GrantDay",
    "StoredGrant",
    "add_certificate",
    "add_grant",
    "certificate",
    "certificates",
    "grant",
    "grant_by_request",
    "grants",
    "grants_in_use",
    "revoke_certificate",
    "revoke_grant",
    "save_usage",
    "usage_days",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredGrant:
    """A grant and how it came to be."""

    grant: Grant
    created_at: datetime
    created_by: str
    revoked_at: datetime | None
    revoked_by: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantDay:
    """How much of a grant was used on one day."""

    grant_id: int
    application: str
    keys: str
    day: date
    acts: int
    items: int
    refused: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientCertificate:
    """A certificate that stands for an application."""

    fingerprint: str
    """SHA-256 of the DER, hexadecimal."""
    application: str
    scopes: frozenset[str]
    subject: str
    not_after: datetime
    created_at: datetime
    revoked_at: datetime | None


def _grant(row: GrantRow) -> Grant:
    return Grant(
        id=row.id,
        application=row.application,
        keys=row.keys,
        operations=frozenset(Operation(name) for name in row.operations),
        per_second=row.per_second,
        per_day=row.per_day,
        not_before=row.not_before,
        not_after=row.not_after,
        revoked=row.revoked_at is not None,
    )


def _stored(row: GrantRow) -> StoredGrant:
    return StoredGrant(
        grant=_grant(row),
        created_at=row.created_at,
        created_by=row.created_by,
        revoked_at=row.revoked_at,
        revoked_by=row.revoked_by,
    )


def add_grant(  # noqa: PLR0913 - one argument per column
    session: Session, *, application: str, keys: str, operations: Collection[Operation], per_second: int | None,
    per_day: int | None, not_before: datetime, not_after: datetime | None, at: datetime, actor: str,
    request_id: str | None,
) -> StoredGrant:  # fmt: skip
    """Write a grant."""
    row = GrantRow(
        application=application,
        keys=keys,
        operations=sorted(operations),
        per_second=per_second,
        per_day=per_day,
        not_before=not_before,
        not_after=not_after,
        created_at=at,
        created_by=actor,
        request_id=request_id,
    )
    session.add(row)
    session.flush()
    return _stored(row)


def grant(session: Session, grant_id: int) -> StoredGrant | None:
    """The grant with this number."""
    row = session.get(GrantRow, grant_id)
    return _stored(row) if row else None


def grant_by_request(session: Session, request_id: str) -> StoredGrant | None:
    """The grant that was asked for under this identifier."""
    row = session.scalar(select(GrantRow).where(GrantRow.request_id == request_id))
    return _stored(row) if row else None


def grants(
    session: Session, *, application: str | None = None, after: int = 0, limit: int = 100
) -> tuple[StoredGrant, ...]:
    """Grants by number, revoked ones too, the page after the number ``after``."""
    query = select(GrantRow).where(GrantRow.id > after).order_by(GrantRow.id).limit(limit)
    if application is not None:
        query = query.where(GrantRow.application == application)
    return tuple(_stored(row) for row in session.scalars(query))


def revoke_grant(session: Session, grant_id: int, *, at: datetime, actor: str) -> StoredGrant | None:
    """Take a grant back; the first time counts."""
    row = session.get(GrantRow, grant_id)
    if row is None:
        return None
    if row.revoked_at is None:
        row.revoked_at, row.revoked_by = at, actor
        session.flush()
    return _stored(row)


def grants_in_use(
    session: Session, applications: Collection[str], day: date
) -> tuple[dict[str, list[Grant]], dict[int, Usage]]:
    """Grants of these applications that are not revoked, and how much of each is used.

    The rows are locked until the transaction ends, so that quotas hold between processes.
    """
    query = (
        select(GrantRow)
        .where(GrantRow.application.in_(applications), GrantRow.revoked_at.is_(None))
        .order_by(GrantRow.id)
        .with_for_update()
    )
    by_application: dict[str, list[Grant]] = {}
    usages: dict[int, Usage] = {}
    for row in session.scalars(query):
        by_application.setdefault(row.application, []).append(_grant(row))
        usages[row.id] = Usage(second=row.second, in_second=row.used_in_second, day=day)
    days = select(GrantDayRow.grant_id, GrantDayRow.items).where(
        GrantDayRow.grant_id.in_(usages), GrantDayRow.day == day
    )
    for grant_id, items in session.execute(days):
        known = usages[grant_id]
        usages[grant_id] = Usage(second=known.second, in_second=known.in_second, day=day, in_day=items)
    return by_application, usages


def save_usage(
    session: Session, usages: Mapping[int, Usage], *, day: date, acts: Mapping[int, int], refused: Mapping[int, int]
) -> None:
    """Write how much of each grant is used now.

    Args:
        session: the transaction that read them.
        usages: of the grants that were used.
        day: what ``in_day`` of each is about.
        acts: requests that were allowed in this transaction, by grant.
        refused: requests that were refused, by grant.
    """
    for grant_id, usage in usages.items():
        row = session.get_one(GrantRow, grant_id)
        row.second, row.used_in_second = usage.second, usage.in_second
        today = session.get(GrantDayRow, (grant_id, day))
        if today is None:
            today = GrantDayRow(grant_id=grant_id, day=day, acts=0, items=0, refused=0)
            session.add(today)
        today.items = usage.in_day
        today.acts += acts.get(grant_id, 0)
        today.refused += refused.get(grant_id, 0)


def usage_days(session: Session, *, application: str | None = None, first: date, last: date) -> tuple[GrantDay, ...]:
    """Use of grants by day, newest first; both days inclusive."""
    query = (
        select(GrantDayRow, GrantRow.application, GrantRow.keys)
        .join(GrantRow, GrantRow.id == GrantDayRow.grant_id)
        .where(GrantDayRow.day.between(first, last))
        .order_by(GrantDayRow.day.desc(), GrantDayRow.grant_id)
    )
    if application is not None:
        query = query.where(GrantRow.application == application)
    return tuple(
        GrantDay(
            grant_id=row.grant_id,
            application=owner,
            keys=keys,
            day=row.day,
            acts=row.acts,
            items=row.items,
            refused=row.refused,
        )
        for row, owner, keys in session.execute(query)
    )


def _certificate(row: ClientCertificateRow) -> ClientCertificate:
    return ClientCertificate(
        fingerprint=row.fingerprint,
        application=row.application,
        scopes=frozenset(row.scopes),
        subject=row.subject,
        not_after=row.not_after,
        created_at=row.created_at,
        revoked_at=row.revoked_at,
    )


def add_certificate(
    session: Session, *, fingerprint: str, application: str, scopes: Collection[str], subject: str,
    not_after: datetime, at: datetime, actor: str,
) -> ClientCertificate:  # fmt: skip
    """Write that a certificate stands for an application."""
    row = ClientCertificateRow(
        fingerprint=fingerprint,
        application=application,
        scopes=sorted(scopes),
        subject=subject,
        not_after=not_after,
        created_at=at,
        created_by=actor,
    )
    session.add(row)
    session.flush()
    return _certificate(row)


def certificate(session: Session, fingerprint: str) -> ClientCertificate | None:
    """The certificate with this fingerprint."""
    row = session.get(ClientCertificateRow, fingerprint)
    return _certificate(row) if row else None


def certificates(session: Session, *, after: str = "", limit: int = 100) -> tuple[ClientCertificate, ...]:
    """Certificates by fingerprint, the page after ``after``."""
    query = select(ClientCertificateRow).where(ClientCertificateRow.fingerprint > after)
    return tuple(
        _certificate(row) for row in session.scalars(query.order_by(ClientCertificateRow.fingerprint).limit(limit))
    )


def revoke_certificate(session: Session, fingerprint: str, *, at: datetime) -> ClientCertificate | None:
    """Let a certificate stand for nobody any more; the first time counts."""
    row = session.get(ClientCertificateRow, fingerprint)
    if row is None:
        return None
    row.revoked_at = row.revoked_at or at
    session.flush()
    return _certificate(row)
