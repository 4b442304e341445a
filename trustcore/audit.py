"""The audit trail: data, not logging.

Every row carries the SM3 of the row before it, so that a changed, removed or inserted row breaks the chain; it is
written in the same transaction as the act it tells of, and the act fails when it cannot be written. Facts hold
identifiers and digests, never secrets or personal data.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from sqlalchemy import JSON, BigInteger, Integer, LargeBinary, String, func, insert, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from trustcore.crypto.digests import sm3
from trustcore.database import Model, UtcDateTime
from trustcore.report import Report, ReportBuilder

__all__ = ["Act", "AuditRow", "record", "record_many", "rows", "verify_chain"]

_GENESIS = bytes(32)
_CHAIN_LOCK = 0x58494E59494E
"""Number of the advisory lock that whoever appends holds."""
_CLAUSE = "GB/T 22239-2019 §8.1.4.3"


class AuditRow(Model):
    """One act."""

    __tablename__ = "core_audit"

    number: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True)
    """1, 2, 3 … without a gap."""
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    actor: Mapped[str] = mapped_column(String(200))
    action: Mapped[str] = mapped_column(String(100), index=True)
    """Dotted, past tense: ``ca.certificate.issued``."""
    subject: Mapped[str] = mapped_column(String(200), index=True)
    """What was acted on: an identifier, a serial number."""
    facts: Mapped[dict[str, str]] = mapped_column(JSON)
    previous: Mapped[bytes] = mapped_column(LargeBinary(32))
    """The digest of the row before; zeros for the first."""
    digest: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    """SM3 over ``previous`` and the canonical JSON of this row."""


_TABLE = AuditRow.__table__
_HEAD = select(_TABLE.c.number, _TABLE.c.digest).order_by(_TABLE.c.number.desc()).limit(1)
_APPEND = insert(AuditRow.__table__)  # type: ignore[arg-type]
_LOCK = select(func.pg_advisory_xact_lock(_CHAIN_LOCK))
_canonical = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """One act to be recorded."""

    at: datetime
    actor: str
    action: str
    subject: str
    facts: Mapping[str, str] = field(default_factory=dict)


def _digest(number: int, act: Act | AuditRow, previous: bytes) -> bytes:
    content = [number, act.at.astimezone(UTC).isoformat(), act.actor, act.action, act.subject, dict(act.facts)]
    return sm3(previous + _canonical(content).encode())


def record(
    session: Session, *, at: datetime, actor: str, action: str, subject: str, facts: Mapping[str, str] | None = None
) -> None:
    """Append a row to the chain in the caller's transaction; see :func:`record_many`."""
    record_many(session, [Act(at=at, actor=actor, action=action, subject=subject, facts=facts or {})])


def record_many(session: Session, acts: Sequence[Act]) -> None:
    """Append rows to the chain, in this order, in the caller's transaction.

    Transactions append one after the other: on SQLite each already holds the write lock, on PostgreSQL an advisory
    lock is held until the transaction ends (a lock on the last row would show the waiting one a row that is no longer
    the last).
    """
    session.flush()
    if not acts:
        return
    connection = session.connection()
    if connection.dialect.name == "postgresql":
        connection.execute(_LOCK)
    last = connection.execute(_HEAD).one_or_none()
    number, digest = (last.number, last.digest) if last else (0, _GENESIS)
    added: list[dict[str, object]] = []
    for act in acts:
        number, previous = number + 1, digest
        digest = _digest(number, act, previous)
        added.append(
            {
                "number": number,
                "at": act.at,
                "actor": act.actor,
                "action": act.action,
                "subject": act.subject,
                "facts": dict(act.facts),
                "previous": previous,
                "digest": digest,
            }
        )
    connection.execute(_APPEND, added)


def rows(session: Session, *, before: int | None = None, limit: int = 50) -> list[AuditRow]:
    """The newest rows first; ``before`` is the number of the last row of the page before."""
    query = select(AuditRow).order_by(AuditRow.number.desc()).limit(limit)
    return list(session.scalars(query if before is None else query.where(AuditRow.number < before)))


def verify_chain(session: Session) -> Report:
    """Recompute the whole chain from the first row and name the first row that does not fit."""
    builder = ReportBuilder("audit")
    previous, number = _GENESIS, 0
    for row in session.scalars(select(AuditRow).order_by(AuditRow.number).execution_options(yield_per=500)):
        number += 1
        if row.number != number or row.previous != previous or row.digest != _digest(number, row, previous):
            builder.check(
                False, "audit.chain", clause=_CLAUSE, evidence={"row": str(row.number)},
                zh=f"审计链在第 {number} 行断开", en=f"The audit chain breaks at row {number}",
            )  # fmt: skip
            return builder.build()
        previous = row.digest
    builder.check(
        True, "audit.chain", clause=_CLAUSE, evidence={"rows": str(number), "head": previous.hex()},
        zh=f"审计链完整，共 {number} 行", en=f"The audit chain is whole: {number} rows",
    )  # fmt: skip
    return builder.build()
