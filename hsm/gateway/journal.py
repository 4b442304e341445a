"""The gateway's book: each act is charged and written down durably before a machine is asked.

Requests that come at the same time share one transaction: the first one there writes for all that wait, and while it
writes the next group gathers. Each caller goes on only after the commit that holds its own row. When the book cannot
be written, nothing is signed.
"""

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from hsm.core import rights
from hsm.core.rights import Act, Grant, Usage
from hsm.store import gateway as store
from trustcore import audit
from trustcore.database import Database
from trustcore.errors import ForbiddenError, InternalError, LimitedError, TrustError

__all__ = ["Journal"]

_GROUP = 256
"""Most acts of one transaction."""


@dataclass(slots=True)
class _Entry:
    entered: Act | audit.Act
    done: bool = False
    error: TrustError | None = None


class Journal:
    """Charges acts to grants and writes the audit trail. Safe to share between threads and processes.

    Args:
        database: where grants and the audit trail are.
        clock: the present time.
    """

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock
        self._changed = threading.Condition()
        self._waiting: list[_Entry] = []
        self._writing = False

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
        with self._changed:
            self._waiting.append(entry)
        while (group := self._next_group(entry)) is not None:
            self._write_group(group)
        if entry.error is not None:
            raise entry.error

    def _next_group(self, entry: _Entry) -> Sequence[_Entry] | None:
        """Wait for ``entry`` to be written by another thread; when none writes, take the pen and the oldest group."""
        with self._changed:
            while not entry.done and self._writing:
                self._changed.wait()
            if entry.done:
                return None
            self._writing = True
            group, self._waiting = self._waiting[:_GROUP], self._waiting[_GROUP:]
            return group

    def _write_group(self, group: Sequence[_Entry]) -> None:
        failure: TrustError | None = InternalError("The acts could not be written.", code="hsm.journal.failed")
        try:
            failure = self._write(group)
        finally:
            with self._changed:
                for entry in group:
                    entry.error = failure or entry.error
                    entry.done = True
                self._writing = False
                self._changed.notify_all()

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
        acts, refused = Counter[int](), Counter[int]()
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
                    acts[grant.id] += 1
                rows.append(_row(act, grant, now))
            except ForbiddenError as error:
                entry.error = error
                rows.append(_refusal(act, now))
            except LimitedError as error:
                entry.error = error
                if grant is not None:
                    refused[grant.id] += 1
            except TrustError as error:
                entry.error = error
        changed: dict[int, Usage] = {number: usages[number] for number in {*acts, *refused}}
        store.save_usage(session, changed, day=day, acts=acts, refused=refused)
        audit.record_many(session, rows)


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
