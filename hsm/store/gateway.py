"""Queries of the gateway's tables."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Date, Row, bindparam, select, text, update
from sqlalchemy.orm import Session

from hsm.core.rights import Grant, Operation, Usage
from hsm.models import ClientCertificateRow, GrantDayRow, GrantRow

__all__ = [
    "ClientCertificate",
    "GrantDay",
    "StoredGrant",
    "Tally",
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


_GRANTS = GrantRow.__table__
_IN_USE = (
    select(_GRANTS)
    .where(_GRANTS.c.application.in_(bindparam("applications", expanding=True)), _GRANTS.c.revoked_at.is_(None))
    .order_by(_GRANTS.c.id)
    .with_for_update()
)
_DAYS = GrantDayRow.__table__
_USED_TODAY = select(_DAYS.c.grant_id, _DAYS.c["items"]).where(
    _DAYS.c.grant_id.in_(bindparam("grants", expanding=True)), _DAYS.c.day == bindparam("today")
)
_SAVE_SECOND = (
    update(GrantRow.__table__)  # type: ignore[arg-type]
    .where(_GRANTS.c.id == bindparam("number"))
    .values(second=bindparam("in_second"), used_in_second=bindparam("used"))
)
_ADD_TO_DAY = text(
    "INSERT INTO hsm_usage_day (grant_id, day, acts, items, refused)"
    " VALUES (:grant_id, :day, :acts, :items, :refused)"
    " ON CONFLICT (grant_id, day) DO UPDATE SET acts = hsm_usage_day.acts + excluded.acts,"
    " items = hsm_usage_day.items + excluded.items, refused = hsm_usage_day.refused + excluded.refused"
).bindparams(bindparam("day", type_=Date))
"""As both SQLite and PostgreSQL have it."""


@dataclass(slots=True)
class Tally:
    """What one transaction adds to the use of a grant."""

    acts: int = 0
    """Requests that were allowed."""
    items: int = 0
    refused: int = 0
    """Requests that were refused because a quota was used up."""
    usage: Usage | None = None
    """How much is used now, of a grant with a limit for a second."""


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


def _grant(row: GrantRow | Row[Any]) -> Grant:
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

    The rows are locked until the transaction ends, so that quotas hold between processes. What was used on the day is
    read for grants with a limit for a day only, and after the lock is held.
    """
    connection = session.connection()
    by_application: dict[str, list[Grant]] = {}
    usages: dict[int, Usage] = {}
    daily: list[int] = []
    for row in connection.execute(_IN_USE, {"applications": list(applications)}):
        by_application.setdefault(row.application, []).append(_grant(row))
        usages[row.id] = Usage(second=row.second, in_second=row.used_in_second, day=day)
        if row.per_day is not None:
            daily.append(row.id)
    if daily:
        for grant_id, items in connection.execute(_USED_TODAY, {"grants": daily, "today": day}):
            known = usages[grant_id]
            usages[grant_id] = Usage(second=known.second, in_second=known.in_second, day=day, in_day=items)
    return by_application, usages


def save_usage(session: Session, day: date, tallies: Mapping[int, Tally]) -> None:
    """Write how much of each grant is used now, by the transaction that read it.

    Args:
        session: the transaction.
        day: to which the tallies belong.
        tallies: what is to be added, by grant.
    """
    connection = session.connection()
    seconds = [
        {"number": grant_id, "in_second": tally.usage.second, "used": tally.usage.in_second}
        for grant_id, tally in tallies.items()
        if tally.usage is not None
    ]
    if seconds:
        connection.execute(_SAVE_SECOND, seconds)
    days = [
        {"grant_id": grant_id, "day": day, "acts": tally.acts, "items": tally.items, "refused": tally.refused}
        for grant_id, tally in tallies.items()
    ]
    if days:
        connection.execute(_ADD_TO_DAY, days)


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
