"""Keeping what happens to machines and keys: in the log, in a table, and for whoever listens."""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime

import structlog

from hsm.core.events import Event, EventKind
from hsm.store import machines as store
from trustcore.database import Database
from trustcore.errors import TrustError

__all__ = ["EventLog"]

_MOST_UNWRITTEN = 1000
_KEPT = 10_000
_log = structlog.get_logger(__name__)


class EventLog:
    """The events of an installation. Safe to share between threads.

    Publishing costs a caller nothing but a line in the log: the table is written by :meth:`flush`, from another thread.
    Where the database does not answer for long, the oldest unwritten events are only in the log.

    Args:
        database: where ``hsm_event`` is; the newest 10,000 are kept.
        clock: aware UTC time.
    """

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock
        self._lock = threading.Lock()
        self._unwritten: deque[Event] = deque(maxlen=_MOST_UNWRITTEN)
        self._listeners: list[Callable[[Event], None]] = []

    def listen(self, listener: Callable[[Event], None]) -> None:
        """Call ``listener`` with every event that is published from now on, when the event is written.

        What it raises goes to the log; a slow one delays the others and no call to a machine.
        """
        with self._lock:
            self._listeners.append(listener)

    def of_machine(self, machine: str, kind: EventKind, detail: str) -> None:
        """Publish an event of a machine; returns at once and raises nothing."""
        self._publish(Event(at=self._clock(), machine=machine, kind=kind, detail=detail))

    def of_key(self, kind: EventKind, detail: str) -> None:
        """Publish an event of a key, which ``detail`` names; returns at once and raises nothing."""
        self._publish(Event(at=self._clock(), machine="", kind=kind, detail=detail))

    def flush(self) -> None:
        """Write what was published, and tell the listeners; what cannot be written is kept for the next time."""
        with self._lock:
            events = tuple(self._unwritten)
            self._unwritten.clear()
            listeners = tuple(self._listeners)
        if not events:
            return
        try:
            with self._database.transaction() as session:
                store.add_events(session, events, keep=_KEPT)
        except TrustError as error:
            _log.warning("hsm.events.unwritten", count=len(events), code=error.code)
            with self._lock:
                self._unwritten.extendleft(reversed(events[: _MOST_UNWRITTEN - len(self._unwritten)]))
            return
        for listener in listeners:
            _tell(listener, events)

    def newest(
        self, *, machine: str | None = None, before: int | None = None, limit: int = 50
    ) -> list[tuple[int, Event]]:
        """Events with their numbers, the newest first: those of ``machine`` where given, and older than ``before``."""
        with suppress(TrustError):
            self.flush()
        with self._database.transaction() as session:
            return store.events(session, machine=machine, before=before, limit=limit)

    def _publish(self, event: Event) -> None:
        with self._lock:
            self._unwritten.append(event)
        log = _log.warning if event.kind.is_alarm else _log.info
        with suppress(OSError, ValueError):  # of a log that is full or closed
            log(event.kind.value, machine=event.machine, detail=event.detail)


def _tell(listener: Callable[[Event], None], events: Sequence[Event]) -> None:
    for event in events:
        try:
            listener(event)
        except Exception:  # noqa: BLE001 - whatever a listener does wrong, machines are not to suffer from it
            _log.exception("hsm.events.listener-failed", kind=event.kind.value)
