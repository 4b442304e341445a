"""Reports of the server processes: each writes its own every few seconds, each can speak for all."""

import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from platform import node
from typing import Any

import structlog
from pydantic import TypeAdapter, ValidationError

from hsm.core.fleet import ErrorReport, KeyReport, MachineCounts, MachineReport, Overview, ProcessReport, overview
from hsm.core.meters import LATENCY_BOUNDS
from hsm.pool import Pool
from hsm.pool.snapshot import MachineNumbers, PoolSnapshot
from hsm.store import fleet as store
from trustcore.database import Database
from trustcore.errors import TrustError

__all__ = ["Fleet"]

_EVERY_SECONDS = 5.0
_LIVE = timedelta(seconds=20)
"""A process that has not reported for so long is gone, or as good as gone."""
_KEPT = timedelta(hours=1)
_REPORT = TypeAdapter(ProcessReport)
_log = structlog.get_logger(__name__)


class Fleet:
    """The processes that use the machines of an installation. Safe to share between threads.

    Args:
        database: where reports are.
        pool: the machines of this process.
        clock: aware UTC time.
        process: name of this process; its host and number where none is given.
    """

    def __init__(
        self, database: Database, pool: Pool, clock: Callable[[], datetime], *, process: str | None = None
    ) -> None:
        self._database = database
        self._pool = pool
        self._clock = clock
        self.process = process or f"{node()}/{os.getpid()}"

    def own_report(self) -> ProcessReport:
        """What this process says now."""
        return _report(self._pool.snapshot(), self.process, self._clock())

    def publish(self) -> None:
        """Write this process's report, and clear away those of processes that were killed long ago."""
        report = self.own_report()
        with self._database.transaction() as session:
            store.put(session, process=report.process, at=report.at, report=_REPORT.dump_python(report, mode="json"))
            store.forget_older(session, report.at - _KEPT)

    def withdraw(self) -> None:
        """Remove this process's report, because it ends."""
        with self._database.transaction() as session:
            store.forget(session, self.process)

    def reports(self) -> tuple[ProcessReport, ...]:
        """What every living process said last; this one says it now."""
        own = self.own_report()
        with self._database.transaction() as session:
            rows = store.reports_since(session, own.at - _LIVE)
        others = [report for report in map(_read, rows) if report is not None and report.process != own.process]
        return (own, *others)

    def overview(self) -> Overview:
        """All of them together."""
        return overview(self.reports())

    @contextmanager
    def reporting(self) -> Iterator[None]:
        """Publish every few seconds in a thread, for the time of the block."""
        stop = threading.Event()

        def loop() -> None:
            while True:
                try:
                    self.publish()
                except TrustError as error:
                    _log.warning("hsm.report-not-written", code=error.code)
                if stop.wait(_EVERY_SECONDS):
                    return

        thread = threading.Thread(target=loop, name="hsm-report", daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()
            try:
                self.withdraw()
            except TrustError as error:
                _log.warning("hsm.report-not-removed", code=error.code)


def _read(row: Mapping[str, Any]) -> ProcessReport | None:
    """A report; ``None`` for that of a process of another release, which may run beside this one for a while."""
    try:
        report = _REPORT.validate_python(row)
    except ValidationError:
        return None
    fits = all(len(machine.latency_counts) == len(LATENCY_BOUNDS) + 1 for machine in report.machines)
    return report if fits else None


def _report(snapshot: PoolSnapshot, process: str, now: datetime) -> ProcessReport:
    def moment(seconds: float) -> datetime:
        return now - timedelta(seconds=snapshot.at - seconds)

    return ProcessReport(
        process=process,
        at=now,
        machines=tuple(_machine(numbers, moment) for numbers in snapshot.machines),
        keys=tuple(
            KeyReport(machine=key.machine, label=key.label, signatures=key.signatures, per_second=key.per_second)
            for key in snapshot.keys
        ),
    )


def _machine(numbers: MachineNumbers, moment: Callable[[float], datetime]) -> MachineReport:
    error = numbers.last_error
    return MachineReport(
        name=numbers.name,
        state=numbers.state,
        reason=numbers.reason,
        counts=MachineCounts(
            sessions_open=numbers.sessions.open,
            sessions_in_use=numbers.sessions.in_use,
            sessions_limit=numbers.sessions.limit,
            waiting=numbers.waiting,
            queue_limit=numbers.queue_limit,
            in_flight=numbers.in_flight,
            stuck=numbers.stuck,
            served=numbers.served,
            failed=numbers.failed,
            refused=numbers.refused,
            late=numbers.late,
        ),
        errors=dict(numbers.errors),
        last_error=ErrorReport(at=moment(error.at), code=error.code, detail=error.detail) if error else None,
        latency_counts=numbers.latency.counts,
        latency_seconds=numbers.latency.total_seconds,
        tested_at=moment(numbers.tested_at) if numbers.tested_at is not None else None,
        tested_well=numbers.tested_well,
    )
