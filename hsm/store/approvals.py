"""Queries about approvals."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from hsm.core.approvals import Approval, ApprovalAct, Consent, parameters_digest
from hsm.models import ApprovalRow, ApprovalVoteRow

__all__ = ["approval", "approvals", "execute", "find", "refuse", "request", "reserve", "vote"]


def _approvals(session: Session, rows: Sequence[ApprovalRow]) -> list[Approval]:
    votes: dict[str, list[Consent]] = {row.id: [] for row in rows}
    query = select(ApprovalVoteRow).where(ApprovalVoteRow.approval.in_(votes))
    for vote_row in session.scalars(query.order_by(ApprovalVoteRow.at, ApprovalVoteRow.person)):
        votes[vote_row.approval].append(Consent(person=vote_row.person, at=vote_row.at))
    return [
        Approval(
            id=row.id,
            act=ApprovalAct(row.act),
            subject=row.subject,
            parameters=row.parameters,
            requested_by=row.requested_by,
            requested_at=row.requested_at,
            expires_at=row.expires_at,
            consents=tuple(votes[row.id]),
            refused_by=row.refused_by,
            refused_at=row.refused_at,
            reserved_at=row.reserved_at,
            reserved_by=row.reserved_by,
            executed_at=row.executed_at,
        )
        for row in rows
    ]


def approval(session: Session, identifier: str) -> Approval | None:
    """One request, locked until the transaction ends."""
    row = session.get(ApprovalRow, identifier, with_for_update=True)
    return _approvals(session, [row])[0] if row else None


def find(session: Session, digest: bytes) -> list[Approval]:
    """Requests for exactly this that are neither refused nor used up, oldest first."""
    query = select(ApprovalRow).where(
        ApprovalRow.digest == digest, ApprovalRow.executed_at.is_(None), ApprovalRow.refused_at.is_(None)
    )
    return _approvals(session, list(session.scalars(query.order_by(ApprovalRow.requested_at, ApprovalRow.id))))


def approvals(session: Session, *, only_open: bool, now: datetime, limit: int) -> list[Approval]:
    """Requests, the newest first; only those that can still be decided or carried out, or all."""
    query = select(ApprovalRow).order_by(ApprovalRow.requested_at.desc(), ApprovalRow.id).limit(limit)
    if only_open:
        query = query.where(
            ApprovalRow.executed_at.is_(None),
            ApprovalRow.refused_at.is_(None),
            (ApprovalRow.expires_at > now) | ApprovalRow.reserved_at.is_not(None),
        )
    return _approvals(session, list(session.scalars(query)))


def request(session: Session, new: Approval) -> None:
    """Write a request."""
    row = ApprovalRow(
        id=new.id,
        act=new.act.value,
        subject=new.subject,
        parameters=dict(new.parameters),
        digest=parameters_digest(new.act, new.subject, new.parameters),
        requested_by=new.requested_by,
        requested_at=new.requested_at,
        expires_at=new.expires_at,
    )
    session.add(row)
    session.flush()


def vote(session: Session, identifier: str, person: str, *, at: datetime) -> None:
    """Write one person's consent."""
    session.add(ApprovalVoteRow(approval=identifier, person=person, at=at))
    session.flush()


def refuse(session: Session, identifier: str, person: str, *, at: datetime) -> None:
    """Write a refusal; one is enough."""
    row = session.get_one(ApprovalRow, identifier)
    row.refused_by, row.refused_at = person, at
    session.flush()


def reserve(session: Session, identifier: str, *, at: datetime, host: str) -> None:
    """Write that the act begins."""
    row = session.get_one(ApprovalRow, identifier)
    row.reserved_at, row.reserved_by = at, host
    session.flush()


def execute(session: Session, identifier: str, *, at: datetime) -> None:
    """Write that the act is done."""
    row = session.get_one(ApprovalRow, identifier)
    row.executed_at = at
    session.flush()
