"""Queries about key ceremonies."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from hsm.core.ceremony_transcript import Review
from hsm.models import CeremonyReviewRow, CeremonyRow, CeremonyStepRow, KeyRow
from trustcore.audit import AuditRow

__all__ = [
    "CeremonyRecord",
    "StepRecord",
    "act",
    "add",
    "add_review",
    "begin_step",
    "by_digest",
    "by_id",
    "confirm",
    "finish",
    "has_key",
    "hold",
    "lock",
    "newest",
    "requester",
    "reviews",
    "sign",
    "steps",
    "titled_digest",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class CeremonyRecord:
    """A row of ``hsm_ceremony``, out of its session."""

    id: str
    file: bytes
    file_digest: bytes
    title: str
    rehearsal: bool
    software: bool
    started_at: datetime
    finished_at: datetime | None
    transcript: bytes | None
    public_key_der: bytes | None
    signature: bytes | None
    cms: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRecord:
    """A row of ``hsm_ceremony_step``, out of its session."""

    number: int
    begun_at: datetime
    actual: Mapping[str, str] | None
    acted_at: datetime | None
    confirmed_at: datetime | None
    confirmed_by: str | None


def _record(row: CeremonyRow) -> CeremonyRecord:
    return CeremonyRecord(
        id=row.id,
        file=row.file,
        file_digest=row.file_digest,
        title=row.title,
        rehearsal=row.rehearsal,
        software=row.software,
        started_at=row.started_at,
        finished_at=row.finished_at,
        transcript=row.transcript,
        public_key_der=row.public_key_der,
        signature=row.signature,
        cms=row.cms,
    )


def hold(session: Session, digest: bytes) -> None:
    """Let nobody else review this file or begin its ceremony until the transaction ends; SQLite has one at a time."""
    connection = session.connection()
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(int.from_bytes(digest[:8], "big", signed=True))))


def add_review(session: Session, digest: bytes, reviewer: str, *, title: str, login: str, at: datetime) -> bool:
    """Write an approval; whether it is new."""
    if session.get(CeremonyReviewRow, (digest, reviewer)) is not None:
        return False
    session.add(CeremonyReviewRow(file_digest=digest, reviewer=reviewer, title=title, login=login, at=at))
    session.flush()
    return True


def reviews(session: Session, digest: bytes) -> list[Review]:
    """Who approved a file, in the order of time."""
    query = select(CeremonyReviewRow).where(CeremonyReviewRow.file_digest == digest)
    rows = session.scalars(query.order_by(CeremonyReviewRow.at, CeremonyReviewRow.reviewer))
    return [Review(reviewer=row.reviewer, login=row.login, at=row.at) for row in rows]


def titled_digest(session: Session, title: str) -> bytes | None:
    """Digest of the file of this title that was approved last."""
    query = select(CeremonyReviewRow.file_digest).where(CeremonyReviewRow.title == title)
    return session.scalars(query.order_by(CeremonyReviewRow.at.desc()).limit(1)).one_or_none()


def add(session: Session, record: CeremonyRecord) -> None:
    """Write that a ceremony begins."""
    session.add(
        CeremonyRow(
            id=record.id, file=record.file, file_digest=record.file_digest, title=record.title,
            rehearsal=record.rehearsal, software=record.software, started_at=record.started_at,
        )
    )  # fmt: skip
    session.flush()


def by_digest(session: Session, digest: bytes) -> CeremonyRecord | None:
    """The ceremony of this file."""
    row = session.scalars(select(CeremonyRow).where(CeremonyRow.file_digest == digest)).one_or_none()
    return _record(row) if row else None


def by_id(session: Session, identifier: str) -> CeremonyRecord | None:
    """The ceremony of this number."""
    row = session.get(CeremonyRow, identifier)
    return _record(row) if row else None


def lock(session: Session, identifier: str) -> None:
    """Let other terminals at the same ceremony wait until this transaction ends."""
    session.get(CeremonyRow, identifier, with_for_update=True)


def newest(session: Session, *, limit: int) -> list[CeremonyRecord]:
    """Ceremonies, the newest first."""
    query = select(CeremonyRow).order_by(CeremonyRow.started_at.desc(), CeremonyRow.id).limit(limit)
    return [_record(row) for row in session.scalars(query)]


def steps(session: Session, identifier: str) -> dict[int, StepRecord]:
    """Steps that were begun, by number."""
    query = select(CeremonyStepRow).where(CeremonyStepRow.ceremony == identifier).order_by(CeremonyStepRow.number)
    return {
        row.number: StepRecord(
            number=row.number,
            begun_at=row.begun_at,
            actual=row.actual,
            acted_at=row.acted_at,
            confirmed_at=row.confirmed_at,
            confirmed_by=row.confirmed_by,
        )
        for row in session.scalars(query)
    }


def begin_step(session: Session, identifier: str, number: int, *, at: datetime) -> None:
    """Reserve a step."""
    session.add(CeremonyStepRow(ceremony=identifier, number=number, begun_at=at))
    session.flush()


def act(session: Session, identifier: str, number: int, *, actual: Mapping[str, str], at: datetime) -> None:
    """Record what was found."""
    row = session.get_one(CeremonyStepRow, (identifier, number))
    row.actual, row.acted_at = dict(actual), at
    session.flush()


def confirm(session: Session, identifier: str, number: int, *, person: str, at: datetime) -> None:
    """Record who confirmed a step."""
    row = session.get_one(CeremonyStepRow, (identifier, number))
    row.confirmed_by, row.confirmed_at = person, at
    session.flush()


def finish(session: Session, identifier: str, *, transcript: bytes, at: datetime) -> None:
    """Record what is to be signed."""
    row = session.get_one(CeremonyRow, identifier)
    row.transcript, row.finished_at = transcript, at
    session.flush()


def sign(session: Session, identifier: str, *, public_key_der: bytes, signature: bytes, cms: bytes | None) -> None:
    """Record the signature."""
    row = session.get_one(CeremonyRow, identifier)
    row.public_key_der, row.signature, row.cms = public_key_der, signature, cms
    session.flush()


def has_key(session: Session, label: str) -> bool:
    """Whether any key has this label: made, only requested, or destroyed."""
    return session.get(KeyRow, label) is not None


def requester(session: Session, key_uri: str) -> str | None:
    """Who asked for the making of a key, by the audit trail."""
    query = select(AuditRow.actor).where(AuditRow.action == "hsm.key.requested", AuditRow.subject == key_uri)
    return session.scalars(query.order_by(AuditRow.number.desc()).limit(1)).one_or_none()
