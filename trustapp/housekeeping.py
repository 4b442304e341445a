"""What an installation does by itself from time to time; every task may run in several processes at once."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import structlog

from trustapp.wiring import Suite
from trustcore.errors import TrustError

__all__ = ["TASKS", "Task", "run_once", "running"]

_EVERY = timedelta(minutes=15)
_ABANDONED = timedelta(hours=1)
_PENDING = timedelta(minutes=10)
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One thing to do."""

    name: str
    run: Callable[[Suite], object]


def _refresh_crls(suite: Suite) -> int:
    authorities = suite.ca.authorities()
    for authority in authorities:
        suite.ca.crl(authority.name)
    return len(authorities)


TASKS = (
    Task(name="crl-refresh", run=_refresh_crls),
    Task(name="licences-resume", run=lambda suite: len(suite.licences.resume_pending(older_than=_PENDING))),
    Task(name="certificate-reservations-close", run=lambda suite: suite.ca.close_reservations(older_than=_ABANDONED)),
    Task(name="seal-uses-close", run=lambda suite: suite.seals.close_reservations(older_than=_ABANDONED)),
    Task(name="keys-replicate", run=lambda suite: suite.hsm.reconcile()),
    Task(name="sessions-purge", run=lambda suite: suite.sso.purge_expired()),
)
"""Everything, in order."""


def run_once(suite: Suite) -> dict[str, str]:
    """Run every task; what each said, or why it could not be done. One that fails does not keep others from running."""
    results = {}
    for task in TASKS:
        try:
            results[task.name] = str(task.run(suite))
        except TrustError as error:
            results[task.name] = f"{error.code}: {error.detail}"
            _log.warning("housekeeping.failed", task=task.name, code=error.code)
    return results


@contextmanager
def running(suite: Suite) -> Iterator[None]:
    """Run the tasks every quarter of an hour in a thread, for the time of the block."""
    stop = threading.Event()

    def loop() -> None:
        while not stop.wait(_EVERY.total_seconds()):
            run_once(suite)

    thread = threading.Thread(target=loop, name="housekeeping", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
