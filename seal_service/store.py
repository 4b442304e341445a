"""Queries of the seal service; every function takes the session of the caller's transaction."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session, undefer

from seal_service.models import KeyRow, SealRow, UseRow
from trustcore.errors import NotFoundError

__all__ = [
    "find_key",
    "find_seal_by_request",
    "find_use",
    "list_seals",
    "list_unfinished_uses",
    "list_uses",
    "load_seal",
    "load_use",
    "load_uses",
]


def find_key(session: Session, label: str) -> KeyRow | None:
    """The key with this label."""
    return session.get(KeyRow, label)


def find_seal_by_request(session: Session, request_id: str) -> SealRow | None:
    """The seal that was asked for with this request."""
    return session.scalars(select(SealRow).where(SealRow.request_id == request_id)).one_or_none()


def load_seal(session: Session, seal_id: str, *, lock: bool = False) -> SealRow:
    """The seal with its pictures and data; ``lock`` keeps its state until the transaction ends.

    Raises:
        NotFoundError: ``seal.not-found``.
    """
    query = select(SealRow).where(SealRow.id == seal_id)
    if lock:
        query = query.with_for_update()
    else:
        query = query.options(
            undefer(SealRow.svg), undefer(SealRow.png), undefer(SealRow.info_der), undefer(SealRow.seal_der)
        )
    row = session.scalars(query).one_or_none()
    if row is None:
        raise NotFoundError("There is no such seal.", code="seal.not-found")
    return row


def list_seals(session: Session, *, after: str | None, limit: int) -> Sequence[SealRow]:
    """Seals in the order of their identifiers, at most ``limit`` after ``after``."""
    query = select(SealRow).order_by(SealRow.id).limit(limit)
    return session.scalars(query if after is None else query.where(SealRow.id > after)).all()


def find_use(session: Session, seal_id: str, request_id: str) -> UseRow | None:
    """The use with this request, with its answer."""
    query = select(UseRow).where(UseRow.seal_id == seal_id, UseRow.request_id == request_id)
    return session.scalars(query.options(undefer(UseRow.answer))).one_or_none()


def load_use(session: Session, use_id: int) -> UseRow:
    """The use with this number, which was reserved before."""
    return session.get_one(UseRow, use_id)


def load_uses(session: Session, use_ids: Sequence[int]) -> dict[int, UseRow]:
    """The uses with these numbers, which were reserved before."""
    return {row.id: row for row in session.scalars(select(UseRow).where(UseRow.id.in_(use_ids)))}


def list_unfinished_uses(session: Session, *, reserved_before: datetime, limit: int) -> Sequence[UseRow]:
    """Uses that were reserved before a moment and have no result, oldest first, locked."""
    query = select(UseRow).where(UseRow.outcome == "reserved", UseRow.reserved_at < reserved_before)
    return session.scalars(query.order_by(UseRow.id).limit(limit).with_for_update(skip_locked=True)).all()


def list_uses(session: Session, seal_id: str, *, before: int | None, limit: int) -> Sequence[UseRow]:
    """Uses of a seal, newest first, at most ``limit`` before ``before``."""
    query = select(UseRow).where(UseRow.seal_id == seal_id).order_by(UseRow.id.desc()).limit(limit)
    return session.scalars(query if before is None else query.where(UseRow.id < before)).all()
