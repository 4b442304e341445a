"""How often each key is used, and never more often than it may.

An unlimited key is counted in memory; the counts are added to the database every few seconds and when the service is
closed, so a process that is killed loses the last seconds of them and nothing else.

A limited key is used on lease: a process takes a block of uses in the database before it makes them, and gives back
what it has not made when it stops or pauses. A block is a sixteenth of what is left and at most a thousand, so many
processes share the last uses fairly. One that is killed leaves its block counted as used: the limit may then be reached
a little early and is never exceeded.
"""

import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from hsm.core.events import EventKind
from hsm.core.lifecycle import Operation, check_use
from hsm.keys.register import KeyRegister
from hsm.store import usage as store
from trustcore.database import Database
from trustcore.errors import NotFoundError, RejectedError

__all__ = ["UsageMeter"]

_NEAR_PERCENT = 90


@dataclass(slots=True)
class _OnLease:
    lock: threading.Lock = field(default_factory=threading.Lock)
    rest: int = 0
    touched: bool = False
    """Used since the last look."""


class UsageMeter:
    """Counts uses and refuses what a key may not do. Safe to share between threads.

    Args:
        database: where the counts are.
        register: what is known of the keys.
        clock: aware UTC time.
        announce: told when nine tenths and when all uses of a limited key are taken, with one sentence.
        wake: called when there is something to be written later.
    """

    def __init__(
        self,
        database: Database,
        register: KeyRegister,
        *,
        clock: Callable[[], datetime],
        announce: Callable[[EventKind, str], None],
        wake: Callable[[], None],
    ) -> None:
        self._database = database
        self._register = register
        self._clock = clock
        self._announce = announce
        self._wake = wake
        self._counting = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._leases: dict[str, _OnLease] = {}

    def spend(self, label: str, count: int = 1, operation: Operation = Operation.SIGN) -> None:
        """Make way for ``count`` uses of a key, all of them or none.

        Raises:
            NotFoundError: ``hsm.key.not-found``.
            RejectedError: ``hsm.key.limit`` when fewer are left; what :func:`~hsm.core.lifecycle.check_use` refuses.
            BusyError: when the database, which a limited key needs, does not answer.
        """
        known = self._register.known(label)
        if known is None:
            raise NotFoundError(f"There is no key {label}.", code="hsm.key.not-found", label=label)
        if not known.signs_freely or operation is not Operation.SIGN:
            check_use(known.use, operation, self._clock())
        self._wake()
        if known.record.usage_limit is None:
            with self._counting:
                self._counts[label] += count
            return
        self._use_lease(label, count)

    def write(self) -> None:
        """Add the counts to the database, and give leases back that were not used since the last time."""
        self.write_counts()
        for label, lease in list(self._leases.items()):
            with lease.lock:
                if lease.touched:
                    lease.touched = False
                else:
                    self._give_back(label, lease)

    def give_all_back(self) -> None:
        """Give every lease back."""
        for label, lease in list(self._leases.items()):
            with lease.lock:
                self._give_back(label, lease)

    def unwritten(self, label: str) -> int:
        """Uses that this process has counted and not written; negative for what it holds on lease."""
        lease = self._leases.get(label)
        return self._counts[label] - (lease.rest if lease else 0)

    def _use_lease(self, label: str, count: int) -> None:
        lease = self._leases.setdefault(label, _OnLease())
        with lease.lock:
            if lease.rest < count:
                lease.rest += self._take(label, count - lease.rest)
            lease.rest -= count
            lease.touched = True

    def _take(self, label: str, need: int) -> int:
        with self._database.transaction() as session:
            lease = store.take(session, label, need)
        if lease.limit is not None:
            if lease.granted == 0:
                raise RejectedError(
                    f"The key {label} may be used {lease.limit} times in its life, and fewer uses are left than the "
                    f"{need} asked for; raise its limit, or retire it and make another.",
                    code="hsm.key.limit",
                    label=label,
                    limit=lease.limit,
                )
            self._tell(label, lease.used_before, lease.used_before + lease.granted, lease.limit)
        return lease.granted

    def _tell(self, label: str, before: int, after: int, limit: int) -> None:
        near = limit * _NEAR_PERCENT // 100
        if before < near <= after:
            self._announce(EventKind.KEY_LIMIT_NEAR, f"The key {label} has {after} of its {limit} uses behind it.")
        if before < limit <= after:
            self._announce(EventKind.KEY_LIMIT_REACHED, f"The last of the {limit} uses of the key {label} is taken.")

    def write_counts(self) -> None:
        """Add what this process has counted to the database."""
        with self._counting:
            counts, self._counts = self._counts, Counter()
        if not counts:
            return
        try:
            with self._database.transaction() as session:
                store.add_uses(session, counts)
        except BaseException:
            with self._counting:
                self._counts.update(counts)
            raise

    def _give_back(self, label: str, lease: _OnLease) -> None:
        if lease.rest:
            with self._database.transaction() as session:
                store.give_back(session, label, lease.rest)
            lease.rest = 0
