"""The record of uses: reserved before a key signs, finished after; nothing that was signed is unknown."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from seal_service import store
from seal_service.core.seal import SealState, check_usable
from seal_service.models import SealRow, UseRow
from trustcore import audit
from trustcore.audit import Act
from trustcore.crypto.digests import sm3
from trustcore.database import Database
from trustcore.errors import BusyError, ConflictError, InternalError, TrustError

__all__ = ["Answer", "Reservation", "Use", "UseLog"]

_SIGNING_TAKES = timedelta(seconds=30)
"""After this time a reservation without a result is that of a process that died, and may be taken over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """What is about to be signed with which seal for whom."""

    seal_id: str
    kind: str
    content_digest: str
    """Hex."""
    actor: str
    request_id: str | None
    request_digest: str | None
    """SM3 of the whole request, hex."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reservation:
    """A use that was stored before it happens."""

    use_id: int
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a use gave."""

    octets: bytes
    at: datetime
    """When it was reserved."""


class UseLog:
    """Writes the record. Safe to share between threads."""

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock

    def earlier_answer(self, seal_id: str, request_id: str | None, request_digest: str | None) -> Answer | None:
        """The answer that this request got before.

        Raises:
            ConflictError: ``seal.request.other-body``.
        """
        if request_id is None:
            return None
        with self._database.transaction() as session:
            row = store.find_use(session, seal_id, request_id)
        if row is None:
            return None
        _check_same(row, request_digest)
        return None if row.answer is None else Answer(octets=row.answer, at=row.reserved_at)

    def reserve(self, use: Use) -> Reservation | Answer:
        """Store the intent, if the seal may be used now; or give the answer that another call was faster to make.

        Raises:
            RejectedError: ``seal.use.…``.
            ConflictError: ``seal.request.other-body``.
            BusyError: ``seal.request.in-progress`` while another call may still be signing.
        """
        now = self._clock()
        with self._database.transaction() as session:
            _check_in_force(store.load_seal(session, use.seal_id, lock=True), now)
            row = store.find_use(session, use.seal_id, use.request_id) if use.request_id is not None else None
            if row is not None:
                _check_same(row, use.request_digest)
                if row.answer is not None:
                    return Answer(octets=row.answer, at=row.reserved_at)
                if row.outcome == "reserved" and now < row.reserved_at + _SIGNING_TAKES:
                    raise BusyError("The same request is being answered.", code="seal.request.in-progress")
            else:
                row = UseRow(seal_id=use.seal_id, request_id=use.request_id, request_digest=use.request_digest)
                session.add(row)
            _intend(row, use, now)
            session.flush()
            audit.record_many(session, [_intent(row)])
            return Reservation(use_id=row.id, at=now)

    def reserve_many(self, seal_id: str, uses: Sequence[Use]) -> list[Reservation]:
        """Store the intents of uses without request ids, all of them or none, if the seal may be used now.

        Raises:
            RejectedError: ``seal.use.…``.
        """
        if not uses:
            return []
        now = self._clock()
        with self._database.transaction() as session:
            _check_in_force(store.load_seal(session, seal_id, lock=True), now)
            rows = [UseRow(seal_id=seal_id, request_id=None, request_digest=None) for _ in uses]
            for row, use in zip(rows, uses, strict=True):
                _intend(row, use, now)
            session.add_all(rows)
            session.flush()
            audit.record_many(session, [_intent(row) for row in rows])
            return [Reservation(use_id=row.id, at=now) for row in rows]

    def finish_many(self, results: Sequence[tuple[int, bytes | TrustError]]) -> None:
        """Store how uses without request ids ended, by their numbers."""
        if not results:
            return
        now = self._clock()
        with self._database.transaction() as session:
            rows = store.load_uses(session, [use_id for use_id, _ in results])
            acts = [
                _close_failed(rows[use_id], now, result.code)
                if isinstance(result, TrustError)
                else _close_done(rows[use_id], now, result)
                for use_id, result in results
            ]
            audit.record_many(session, acts)

    def finish(self, use_id: int, answer: bytes) -> None:
        """Store that the use is done; the answer itself is kept where the request may come again."""
        now = self._clock()
        with self._database.transaction() as session:
            audit.record_many(session, [_close_done(store.load_use(session, use_id), now, answer)])

    def fail(self, use_id: int, code: str) -> None:
        """Store that the use failed."""
        now = self._clock()
        with self._database.transaction() as session:
            audit.record_many(session, [_close_failed(store.load_use(session, use_id), now, code)])

    def close_unfinished(self, *, older_than: timedelta) -> int:
        """Record uses whose process died as failed; how many there were, at most 500 a call."""
        now = self._clock()
        with self._database.transaction() as session:
            rows = store.list_unfinished_uses(session, reserved_before=now - max(older_than, _SIGNING_TAKES), limit=500)
            for row in rows:
                row.outcome, row.finished_at, row.error_code = "failed", now, "seal.use.abandoned"
                audit.record(
                    session, at=now, actor="system", action="seal.use.abandoned", subject=row.seal_id,
                    facts={"use": str(row.id), "digest": row.content_digest},
                )  # fmt: skip
            return len(rows)


def _check_in_force(seal: SealRow, now: datetime) -> None:
    if seal.valid_from is None or seal.valid_until is None:
        check_usable(SealState.MAKING, valid_from=now, valid_until=now, at=now)
        raise InternalError("A finished seal has no period.", code="seal.period.missing")
    check_usable(SealState(seal.state), valid_from=seal.valid_from, valid_until=seal.valid_until, at=now)


def _intend(row: UseRow, use: Use, now: datetime) -> None:
    row.kind, row.content_digest, row.actor = use.kind, use.content_digest, use.actor
    row.reserved_at, row.outcome, row.error_code = now, "reserved", None


def _intent(row: UseRow) -> Act:
    return Act(
        at=row.reserved_at, actor=row.actor, action="seal.use.reserved", subject=row.seal_id,
        facts={"use": str(row.id), "kind": row.kind, "digest": row.content_digest},
    )  # fmt: skip


def _close_done(row: UseRow, now: datetime, answer: bytes) -> Act:
    row.outcome, row.finished_at = "done", now
    row.result_digest = sm3(answer).hex()
    if row.request_id is not None:
        row.answer = answer
    return Act(
        at=now, actor=row.actor, action="seal.use.done", subject=row.seal_id,
        facts={"use": str(row.id), "result_sm3": row.result_digest},
    )  # fmt: skip


def _close_failed(row: UseRow, now: datetime, code: str) -> Act:
    row.outcome, row.finished_at, row.error_code = "failed", now, code
    return Act(
        at=now, actor=row.actor, action="seal.use.failed", subject=row.seal_id,
        facts={"use": str(row.id), "error": code},
    )  # fmt: skip


def _check_same(row: UseRow, request_digest: str | None) -> None:
    if row.request_digest != request_digest:
        raise ConflictError("This request id was used with another request.", code="seal.request.other-body")
