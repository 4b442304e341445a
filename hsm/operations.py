"""Running the machines: who is up, maintenance, probes, events."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from hsm.core.events import Event, EventKind
from hsm.events import EventLog
from hsm.fleet import Fleet
from hsm.machine import MachineInfo
from hsm.pool import MachineNumbers, Pool
from hsm.store import machines as store
from trustcore import audit
from trustcore.database import Database
from trustcore.errors import ConflictError, NotFoundError, TrustError

__all__ = ["MachineCondition", "MachineOperations"]

_LOOK_SECONDS = 2.0
_DESCRIPTION_SECONDS = 5.0
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineCondition:
    """One machine, as this process sees it, with its maintenance."""

    numbers: MachineNumbers
    tested_at: datetime | None
    """When it was last probed or connected; ``None``: never."""
    last_error_at: datetime | None
    drain: store.Drain | None
    """Who has taken it out, and when."""


class MachineOperations:
    """What an operator does with the machines. Safe to share between threads.

    A drain is a row in the table: every process looks every two seconds, so what is asked for in one of them, or on the
    command line, reaches all, and those that start later.

    Args:
        database: where ``hsm_machine`` is.
        pool: the machines of this process.
        clock: aware UTC time.
        events: where happenings go.
    """

    def __init__(self, database: Database, pool: Pool, clock: Callable[[], datetime], events: EventLog) -> None:
        self._database = database
        self._pool = pool
        self._clock = clock
        self.event_log = events
        self.fleet = Fleet(database, pool, clock)

    def status(self) -> tuple[MachineCondition, ...]:
        """All machines, in the order of the settings."""
        with self._database.transaction() as session:
            drains = store.drains(session)
        snapshot, now = self._pool.snapshot(), self._clock()

        def at(moment: float | None) -> datetime | None:
            return None if moment is None else now - timedelta(seconds=snapshot.at - moment)

        return tuple(
            MachineCondition(
                numbers=numbers,
                tested_at=at(numbers.tested_at),
                last_error_at=at(numbers.last_error.at if numbers.last_error else None),
                drain=drains.get(numbers.name),
            )
            for numbers in snapshot.machines
        )

    def drain(self, name: str, actor: str, *, force: bool = False) -> None:
        """Take a machine out for maintenance: running calls end, new ones go elsewhere. Twice is no harm.

        Raises:
            NotFoundError: ``hsm.machine.not-found``.
            ConflictError: ``hsm.machine.last`` when no other machine serves, unless ``force``.
        """
        self._check_name(name)
        if not force and not any(state.up for state in self._pool.states() if state.name != name):
            raise ConflictError(
                f"No machine but {name} answers now, so nothing could be signed while it is drained; put another one "
                "right first, or insist.",
                code="hsm.machine.last",
                machine=name,
            )
        now = self._clock()
        with self._database.transaction() as session:
            news = store.start_drain(session, name, at=now, actor=actor)
            if news:
                audit.record(session, at=now, actor=actor, action="hsm.machine.drained", subject=name)
        if news:
            detail = f"The encryption machine {name} was taken out for maintenance by {actor}."
            self.event_log.of_machine(name, EventKind.DRAINED, detail)
            self.event_log.flush()
        self._pool.drain(name)

    def resume(self, name: str, actor: str) -> None:
        """Give a machine back after maintenance; it is proved before it is used. Twice is no harm.

        Raises ``NotFoundError`` (``hsm.machine.not-found``).
        """
        self._check_name(name)
        now = self._clock()
        with self._database.transaction() as session:
            news = store.end_drain(session, name)
            if news:
                audit.record(session, at=now, actor=actor, action="hsm.machine.resumed", subject=name)
        if news:
            detail = f"The encryption machine {name} was given back after maintenance by {actor}."
            self.event_log.of_machine(name, EventKind.RESUMED, detail)
            self.event_log.flush()
        self._pool.resume(name)

    def probe(self, name: str) -> None:
        """Prove a machine now: random octets, and a verified signature with a key that it signed with before.

        Raises ``NotFoundError`` (``hsm.machine.not-found``), ``MachineDownError`` when it fails.
        """
        self._check_name(name)
        self._pool.probe(name)

    def describe(self, name: str) -> MachineInfo:
        """What a machine says of itself, which vendor profile it has, and what it proved when it was connected.

        Raises ``NotFoundError`` (``hsm.machine.not-found``), ``MachineDownError`` when it does not say.
        """
        self._check_name(name)
        return self._pool.ask(name, lambda machine: machine.connect(), deadline_seconds=_DESCRIPTION_SECONDS)

    def events(
        self, *, machine: str | None = None, before: int | None = None, limit: int = 50
    ) -> list[tuple[int, Event]]:
        """What happened, with numbers, the newest first; ``before`` is the last number of the page before."""
        return self.event_log.newest(machine=machine, before=before, limit=limit)

    def adopt(self) -> tuple[str, ...]:
        """Drain and resume what the table says; the names of the machines that are to be drained."""
        with self._database.transaction() as session:
            drained = store.drains(session)
        for state in self._pool.states():
            if state.name in drained and not state.state.is_maintenance:
                self._pool.drain(state.name)
            elif state.name not in drained and state.state.is_maintenance:
                self._pool.resume(state.name)
        return tuple(name for name in self._pool.names if name in drained)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Look at the table and write events every two seconds in a thread, for the time of the block."""
        stop = threading.Event()
        thread = threading.Thread(target=self._look, args=(stop,), name="hsm-operations", daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()
            self.event_log.flush()

    def _look(self, stop: threading.Event) -> None:
        while not stop.wait(_LOOK_SECONDS):
            try:
                self.adopt()
                self.event_log.flush()
            except TrustError as error:
                _log.warning("hsm.operations.blind", code=error.code)
            except Exception:  # noqa: BLE001 - the thread has to go on, or drains would no longer reach this process
                _log.exception("hsm.operations.failed")

    def _check_name(self, name: str) -> None:
        if name not in self._pool.names:
            raise NotFoundError(
                f"There is no encryption machine {name}; there are {', '.join(self._pool.names)}.",
                code="hsm.machine.not-found",
                machine=name,
            )
