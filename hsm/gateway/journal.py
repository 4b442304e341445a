"""The gateway's book: each act is charged and written down durably before a machine is asked.

Requests that come at the same time share one transaction: the first one there writes for all that wait, and while it
writes the next group gathers. Each caller goes on only after the commit that holds its own row. When the book cannot
be written, nothing is signed.
"""

import threading
from _thread import allocate_lock
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from hsm.core import rights
from hsm.core.rights import Act, Grant, Usage
from hsm.store import gateway as store
from hsm.store.gateway import Tally
from trustcore import audit
from trustcore.database import Database
from trustcore.errors import ForbiddenError, InternalError, LimitedError, TrustError

__all__ = ["Journal"]

_GROUP = 256
"""Most acts of one transaction."""


class _Entry:
    """Something to be written, and the thread that waits for it."""

    __slots__ = ("done", "entered", "error", "has_pen", "turn")

    def __init__(self, entered: Act | audit.Act) -> None:
        self.entered = entered
        self.done = False
        """It is written, or cannot be."""
        self.error: TrustError | None = None
        self.has_pen = False
        """Its thread is to write, and may not know it yet."""
        self.turn = allocate_lock()
        """Free when it is done, or when its thread is to write."""
        self.turn.acquire()


class Journal:
    """Charges acts to grants and writes the audit trail. Safe to share between threads and processes.

    Args:
        database: where grants and the audit trail are.
        clock: the present time.
    """

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock
        self._lock = threading.Lock()
        self._waiting: list[_Entry] = []
        self._writing = False
        """A thread has the pen, or was just handed it."""

    def enter(self, act: Act) -> None:
        """Let an act pass, charged to its grant and written down; returns after the commit.

        Raises:
            ForbiddenError: ``hsm.right.missing``; that is written down too.
            LimitedError: ``hsm.quota.…``.
            BusyError: ``database.…`` when it cannot be written; then it must not be done.
        """
        self._enter(act)

    def note(self, act: audit.Act) -> None:
        """Write down what became of an act. Raises ``BusyError`` (``database.…``)."""
        self._enter(act)

    def _enter(self, entered: Act | audit.Act) -> None:
        entry = _Entry(entered)
        with self._lock:
            self._waiting.append(entry)
            writes, self._writing = not self._writing, True
        if not writes:
            self._wait(entry)
        if not entry.done:
            self._write_group()
        if entry.error is not None:
            raise entry.error

    def _wait(self, entry: _Entry) -> None:
        """Return when another thread has written the entry, or when it is this thread's turn to write."""
        try:
            entry.turn.acquire()
        except BaseException:
            with self._lock:
                if entry in self._waiting:
                    self._waiting.remove(entry)
                has_pen = entry.has_pen
            if has_pen:
                self._hand_on()
            raise

    def _write_group(self) -> None:
        """Write the oldest entries, and hand the pen to the first of those that came meanwhile."""
        with self._lock:
            group, self._waiting = self._waiting[:_GROUP], self._waiting[_GROUP:]
        failure: TrustError | None = InternalError("The acts could not be written.", code="hsm.journal.failed")
        try:
            failure = self._write(group)
        finally:
            self._hand_on()
            for entry in group:
                entry.error = failure or entry.error
                entry.done = True
                entry.turn.release()

    def _hand_on(self) -> None:
        with self._lock:
            if not self._waiting:
                self._writing = False
                return
            heir = self._waiting[0]
            heir.has_pen = True
        heir.turn.release()

    def _write(self, group: Sequence[_Entry]) -> TrustError | None:
        try:
            with self._database.transaction() as session:
                self._decide(session, group)
        except TrustError as error:
            return error
        except SQLAlchemyError as error:
            failure = InternalError("The acts could not be written.", code="hsm.journal.failed")
            failure.__cause__ = error
            return failure
        return None

    def _decide(self, session: Session, group: Sequence[_Entry]) -> None:
        now = self._clock()
        day = now.astimezone(UTC).date()
        applications = {entry.entered.application for entry in group if isinstance(entry.entered, Act)}
        grants, usages = store.grants_in_use(session, applications, day) if applications else ({}, {})
        tallies: dict[int, Tally] = {}
        rows: list[audit.Act] = []
        for entry in group:
            act = entry.entered
            if isinstance(act, audit.Act):
                rows.append(act)
                continue
            grant: Grant | None = None
            try:
                grant = rights.choose(grants.get(act.application, ()), act, now)
                if grant is not None:
                    usages[grant.id] = rights.charge(grant, usages[grant.id], act.count, now)
                    _count(tallies.setdefault(grant.id, Tally()), grant, usages[grant.id], act.count)
                rows.append(_row(act, grant, now))
            except ForbiddenError as error:
                entry.error = error
                rows.append(_refusal(act, now))
            except LimitedError as error:
                entry.error = error
                if grant is not None:
                    tallies.setdefault(grant.id, Tally()).refused += 1
            except TrustError as error:
                entry.error = error
        store.save_usage(session, day, tallies)
        audit.record_many(session, rows)


def _count(tally: Tally, grant: Grant, usage: Usage, items: int) -> None:
    tally.acts += 1
    tally.items += items
    if grant.per_second is not None:
        tally.usage = usage


def _row(act: Act, grant: Grant | None, now: datetime) -> audit.Act:
    facts = {"items": str(act.count)}
    if act.digest:
        facts["sm3"] = act.digest.hex()
    if grant is not None:
        facts["grant"] = str(grant.id)
    return audit.Act(
        at=now,
        actor=f"client:{act.application}",
        action=f"hsm.gateway.{act.operation}",
        subject=act.key.label if act.key else "",
        facts=facts,
    )


def _refusal(act: Act, now: datetime) -> audit.Act:
    return audit.Act(
        at=now,
        actor=f"client:{act.application}",
        action="hsm.gateway.refused",
        subject=act.key.label if act.key else "",
        facts={"operation": act.operation.value},
    )
