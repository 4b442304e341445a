"""The threads that call one machine.

PKCS#11 and SDF know no time-outs, so no caller enters a machine itself: a worker thread does, and the caller waits for
it no longer than its deadline. A worker whose call hangs is lost until the machine answers; another one takes its place
while there are spare ones. Workers start with the first calls, so nothing here exists before a fork.

One hand-over costs two switches of thread (perf/README.md has the figure), which is why many small operations travel
together.
"""

import itertools
import threading
from _thread import allocate_lock
from collections import OrderedDict
from collections.abc import Callable
from enum import Enum
from queue import SimpleQueue
from typing import Any, Generic, TypeVar

from hsm.core.events import EventKind
from hsm.core.member import Member
from hsm.core.meters import MachineMeter, RateMeter
from hsm.errors import MachineDownError
from hsm.machine import Machine, MachineKey
from trustcore.errors import BusyError, TrustError

__all__ = ["Call", "CallKind", "Crew", "is_failure", "is_local"]

_T = TypeVar("_T")

_MACHINE_AT_FAULT = ("hsm.module.", "hsm.token.", "hsm.pin.", "hsm.softgm.", "hsm.profile.", "hsm.library.")
"""Codes of errors that another machine need not have."""
_PERSON_NEEDED = ("hsm.pin.", "hsm.profile.")
_TRY_ELSEWHERE = frozenset({"hsm.machine.busy", "hsm.machine.cannot", "hsm.machine.full", "hsm.machine.refused"})
"""Codes of errors that say nothing against the machine, and that another one need not have."""
_MOST_KEYS = 1000

_numbers = itertools.count(1)


def is_local(error: TrustError) -> bool:
    """Whether the error is this machine's and another one may do better."""
    return is_failure(error) or error.code in _TRY_ELSEWHERE


def is_failure(error: TrustError) -> bool:
    """Whether the machine itself failed."""
    return isinstance(error, MachineDownError) or error.code.startswith(_MACHINE_AT_FAULT)


class _Stage(Enum):
    WAITING = 1
    RUNNING = 2
    OVER = 3
    LEFT = 4


class CallKind(Enum):
    """What a call is to the books."""

    WORK = 1
    """Somebody's call: its time is counted, its end says whether the machine works."""
    PROOF = 2
    """A connection or a probe: its end says whether the machine works."""
    UPKEEP = 3
    """Its good end says nothing: sessions are closed in machines that are down, too."""


class Call(Generic[_T]):
    """One call on its way through a crew."""

    __slots__ = ("_done", "act", "began", "crew", "error", "key", "kind", "number", "result", "signatures", "stage")

    def __init__(
        self,
        crew: "Crew",
        act: Callable[[Machine], _T],
        key: MachineKey | None = None,
        signatures: int = 0,
        *,
        kind: CallKind = CallKind.WORK,
    ) -> None:
        self.crew = crew
        self.act = act
        self.key = key
        self.signatures = signatures
        self.kind = kind
        self.number = next(_numbers)
        self.stage = _Stage.WAITING
        self.began = 0.0
        self.result: Any = None
        self.error: BaseException | None = None
        self._done = allocate_lock()
        self._done.acquire()

    @property
    def is_over(self) -> bool:
        """Whether it ended or was left."""
        return self.stage in {_Stage.OVER, _Stage.LEFT}

    def finish(self) -> None:
        """Wake whoever waits."""
        self._done.release()

    def wait(self, seconds: float) -> bool:
        """Whether it ended in time."""
        return self._done.acquire(timeout=seconds)

    def answer(self, deadline_seconds: float) -> _T:
        """Wait for the end and return the result or raise the error.

        Raises:
            MachineDownError: when the machine has not answered by the deadline; the machine is hanging now.
            BusyError: ``hsm.machine.busy`` when the call has not even begun; it never will.
        """
        if not self.wait(deadline_seconds):
            self.crew.leave(self, deadline_seconds)
        error = self.error
        if error is None:
            result: _T = self.result
            return result
        self.error = None
        try:
            raise error
        finally:
            del error  # its traceback holds this frame


class Crew:
    """The threads of one machine, its line of calls and its books.

    Args:
        machine: the machine.
        member: its state; only touched with ``lock`` held, like everything else here.
        lock: shared with the pool, and never held while a machine works.
        clock: seconds that never go back.
        report: told what happened to the machine; returns at once and raises nothing.
    """

    def __init__(
        self,
        machine: Machine,
        member: Member,
        *,
        lock: threading.Lock,
        clock: Callable[[], float],
        report: Callable[["Crew", EventKind, str], None],
    ) -> None:
        self.name = machine.name
        self.machine = machine
        self.member = member
        self.meter = MachineMeter()
        self.keys: OrderedDict[str, RateMeter] = OrderedDict()
        """Signatures by label of the key; those used last, where there are very many."""
        self.known_key: MachineKey | None = None
        """A key that it signed with, for probes."""
        self.turn = 0
        """Number of the last call; idle machines take turns."""
        self.probe: Call[None] | None = None
        """A probe under way."""
        self.probed_at = 0.0
        self.tested_at: float | None = None
        self.tested_well = False
        self.parked = False
        """Drained, and its sessions are closed or being closed."""
        self._lock = lock
        self._clock = clock
        self._report = report
        self._line: SimpleQueue[Call[Any] | None] = SimpleQueue()
        self._threads: set[threading.Thread] = set()

    def put(self, call: Call[Any]) -> None:
        """Put a call in line. Call it with the lock held."""
        self.member.queue()
        self._line.put(call)
        if self.member.may_start_worker(len(self._threads)):
            worker = threading.Thread(
                target=self._work, args=(self._line,), name=f"hsm-{self.name}-{next(_numbers)}", daemon=True
            )
            self._threads.add(worker)
            worker.start()

    def leave(self, call: Call[Any], deadline_seconds: float) -> None:
        """Stop waiting for a call; returns when it has just ended. Raises as :meth:`Call.answer` does."""
        reason = f"The encryption machine {self.name} has not answered a call within {deadline_seconds:g} seconds."
        with self._lock:
            if call.stage is _Stage.OVER:
                return
            was, call.stage = call.stage, _Stage.LEFT
            now = self._clock()
            if was is _Stage.WAITING:
                self.member.withdraw()
                news = None
            else:
                news = self.member.leave(call.number, now, reason)
                self.meter.failed += 1
                self.meter.count_error("hsm.machine.down", reason, now)
        if was is _Stage.WAITING:
            raise BusyError(
                f"The encryption machine {self.name} has not come to a call within {deadline_seconds:g} seconds; try "
                "again.",
                code="hsm.machine.busy",
                machine=self.name,
            )
        if news is not None:
            self._report(self, news, reason)
        raise MachineDownError(self.name, f"no answer within {deadline_seconds:g} seconds")

    def drop(self, call: Call[Any]) -> None:
        """Nobody wants a call's answer any more; it does not run if it has not begun."""
        with self._lock:
            if call.stage is _Stage.WAITING:
                call.stage = _Stage.LEFT
                self.member.withdraw()

    def forget_threads(self, lock: threading.Lock) -> None:
        """In the child of a fork: the threads are the parent's, and whoever held the lock may be one of them."""
        self._lock = lock
        self._line = SimpleQueue()
        self._threads = set()
        self.member.forget_calls()

    def dismiss(self, seconds: float) -> bool:
        """Let the threads end; whether all did in time. No calls may come after this."""
        with self._lock:
            threads = tuple(self._threads)
        for _ in threads:
            self._line.put(None)
        deadline = self._clock() + seconds
        for thread in threads:
            thread.join(max(0.0, deadline - self._clock()))
        return not any(thread.is_alive() for thread in threads)

    def _work(self, line: SimpleQueue[Call[Any] | None]) -> None:
        machine = self.machine
        while (call := line.get()) is not None:
            if self._begin(call):
                try:
                    call.result = call.act(machine)
                except BaseException as error:  # noqa: BLE001 - it is the caller's, who waits in another thread
                    call.error = error
                if self._end(call):
                    return
            del call
        with self._lock:
            self._threads.discard(threading.current_thread())

    def _begin(self, call: Call[Any]) -> bool:
        with self._lock:
            if call.stage is _Stage.LEFT:
                return False
            call.stage = _Stage.RUNNING
            call.began = now = self._clock()
            self.member.begin(call.number, now)
            return True

    def _end(self, call: Call[Any]) -> bool:
        """Keep the books of a call that ended; whether this thread should go."""
        error = call.error
        failure = error.detail if isinstance(error, TrustError) and is_failure(error) else None
        kind = EventKind.DOWN
        if failure is not None and isinstance(error, TrustError) and error.code.startswith(_PERSON_NEEDED):
            kind = EventKind.REFUSED
        with self._lock:
            now = self._clock()
            left = call.stage is _Stage.LEFT
            call.stage = _Stage.OVER
            news = self.member.end(call.number, now, failure, kind, proves=call.kind is not CallKind.UPKEEP)
            self._count(call, failure, now, late=left)
            surplus = self.member.has_surplus(len(self._threads))
            if surplus:
                self._threads.discard(threading.current_thread())
        if left:
            call.result = call.error = None
        try:
            if news is not None:
                self._report(self, news, failure or "It was proved and is used again.")
        finally:
            call.finish()
        return surplus

    def _count(self, call: Call[Any], failure: str | None, now: float, *, late: bool) -> None:
        meter = self.meter
        if call.kind is CallKind.WORK:
            meter.latency.add(now - call.began)
        if late:
            meter.late += 1
            return
        error = call.error
        if error is not None:
            meter.count_error(*((error.code, error.detail) if isinstance(error, TrustError) else ("bug", "")), now)
        if failure is not None:
            meter.failed += 1
            return
        meter.served += 1
        if call.signatures and error is None and call.key is not None:
            self._count_key(call.key, call.signatures, now)

    def _count_key(self, key: MachineKey, signatures: int, now: float) -> None:
        label = key.reference.label
        rate = self.keys.get(label)
        if rate is None:
            if len(self.keys) >= _MOST_KEYS:
                self.keys.popitem(last=False)
            rate = self.keys[label] = RateMeter(now)
        elif self.known_key is not key:
            self.keys.move_to_end(label)
        rate.add(signatures, now)
        self.known_key = key
