"""The machines behind one door: choice by load, deadlines, failover, return, maintenance."""

import itertools
import math
import os
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from functools import partial
from typing import TypeVar

from hsm.core.events import EventKind
from hsm.core.member import Member, MemberState
from hsm.errors import KeyMissingError, MachineDownError
from hsm.machine import Machine, MachineInfo, MachineKey
from hsm.pool.choosing import Errand, best, closed, refusal, refuse_unless_free
from hsm.pool.crew import Call, CallKind, Crew, is_failure, is_local
from hsm.pool.proof import prove
from hsm.pool.repeatable import RepeatableMachine
from hsm.pool.snapshot import KeyNumbers, MachineState, PoolSnapshot, numbers_of, reason_of
from trustcore.errors import BusyError, TrustError

__all__ = ["Pool"]

_T = TypeVar("_T")
_ONCE_DEADLINE_SECONDS = 120.0
"""For calls that are made once: a machine may take a minute to make an RSA key."""
_CONNECTING_TIMES = 3
"""A connection takes longer than a call: loading, login, proof."""
_PROBE_DEADLINE_SECONDS = 10.0
_LONGEST_LOOK_SECONDS = 1.0
_FULL_PAUSE_SECONDS = 0.01

_pools: "weakref.WeakSet[Pool]" = weakref.WeakSet()
_fork_watched = threading.Event()


class Pool:
    """Sends each call to the machine with the fewest calls in flight. Safe to share between threads.

    A machine that fails or hangs gets no calls until a probe has shown that it works: random octets, and a signature
    that is verified in software where it signed before. The pool sends the probes by itself, from a thread that runs
    only while there is something to watch. A call that met a failing machine goes on to the next, so callers notice a
    failure only when no machine is left.

    :meth:`run` and :meth:`run_all` take only calls that may be repeated, which their types say; whatever makes or moves
    keys is made with :meth:`ask`, once.

    Args:
        machines: at least one.
        clock: seconds that never go back.
        workers: calls that one machine works on at once.
        spare: calls to one machine that may hang without taking anybody's place. It needs ``workers + spare`` sessions.
        queue_limit: calls that may wait for one machine.
        deadline_seconds: how long a repeatable call may wait for one machine.
        listener: told of a machine by name what happened and why, in one sentence; has to return at once;
            what it raises is dropped.
        tends: whether it sends probes by itself; without, somebody calls :meth:`tend`.
    """

    def __init__(
        self,
        machines: Sequence[Machine],
        *,
        clock: Callable[[], float] = time.monotonic,
        workers: int = 6,
        spare: int = 2,
        queue_limit: int = 256,
        deadline_seconds: float = 10.0,
        listener: Callable[[str, EventKind, str], None] | None = None,
        tends: bool = True,
    ) -> None:
        self._clock = clock
        self._deadline_seconds = deadline_seconds
        self._listener = listener
        self._tends = tends
        self._lock = threading.Lock()
        self._closed = False
        self._tender: threading.Thread | None = None
        self._wake = threading.Event()
        self._turns = itertools.count(1)
        self._crews = {
            machine.name: Crew(
                machine,
                Member(workers=workers, spare=spare, queue_limit=queue_limit),
                lock=self._lock,
                clock=clock,
                report=self._report,
            )
            for machine in machines
        }
        _watch_forks(self)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all machines, in the order of the settings."""
        return tuple(self._crews)

    def machine(self, name: str) -> Machine:
        """The machine of this name; ``KeyError`` when there is none."""
        return self._crews[name].machine

    def connect(self) -> list[tuple[str, MachineInfo | TrustError]]:
        """Connect to every machine, all at once, and say what each answered. Never raises."""
        started: list[tuple[str, Call[MachineInfo] | TrustError]] = []
        for name in self.names:
            try:
                started.append((name, self._send_once(name, lambda machine: machine.connect(), CallKind.PROOF)))
            except TrustError as error:
                started.append((name, error))
        answers: list[tuple[str, MachineInfo | TrustError]] = []
        seconds = self._deadline_seconds * _CONNECTING_TIMES
        for name, call in started:
            answer: MachineInfo | TrustError
            try:
                answer = call if isinstance(call, TrustError) else call.answer(seconds)
            except TrustError as error:
                answer = error
            answers.append((name, answer))
            self._tested(name, well=isinstance(answer, MachineInfo))
        return answers

    def run(
        self,
        holders: Collection[str],
        call: Callable[[RepeatableMachine], _T],
        *,
        deadline_seconds: float | None = None,
        key: MachineKey | None = None,
        signatures: int = 0,
    ) -> _T:
        """Make a repeatable call on one of ``holders``, and on another one where that fails or does not answer in time.

        Args:
            holders: names of machines; those that the pool does not know count for nothing.
            call: what to do with the machine.
            deadline_seconds: how long to wait for each machine that is tried, waiting in line included.
            key: the key it signs with, for the numbers of :meth:`snapshot`.
            signatures: how many it makes.

        Raises:
            BusyError: ``hsm.machine.unavailable`` when every holder failed; ``hsm.pool.full`` when none of them takes
                more calls. The fact ``retry_after`` says for how many seconds.
            KeyMissingError: when every holder that answered lacks the key.
        """
        errand = Errand(holders, call, key, signatures)
        return self._settle(errand, self._send(errand), deadline_seconds or self._deadline_seconds)

    def run_all(
        self,
        holders: Collection[str],
        calls: Sequence[tuple[Callable[[RepeatableMachine], _T], int]],
        *,
        deadline_seconds: float | None = None,
        key: MachineKey | None = None,
    ) -> list[_T]:
        """Make many repeatable calls, each with its number of signatures, on all ``holders`` side by side.

        Answers in order; a call that one machine fails goes on to another. Raises like :meth:`run`, and then withdraws
        the calls that have not begun.
        """
        seconds = deadline_seconds or self._deadline_seconds
        answers: list[_T] = []
        sent: deque[tuple[Errand[_T], Call[_T]]] = deque()
        try:
            for call, signatures in calls:
                errand = Errand(holders, call, key, signatures)
                while not self._sends(errand, sent):
                    answers.append(self._settle(*sent.popleft(), seconds))
            while sent:
                answers.append(self._settle(*sent.popleft(), seconds))
        finally:
            for _, left in sent:
                left.crew.drop(left)
        return answers

    def ask(self, name: str, call: Callable[[Machine], _T], *, deadline_seconds: float = _ONCE_DEADLINE_SECONDS) -> _T:
        """Make a call on this machine and no other, once.

        ``MachineDownError`` for all its own troubles; after one the call may have been done all the same, unless the
        machine was drained or hanging before.
        """
        try:
            return self._send_once(name, call).answer(deadline_seconds)
        except TrustError as error:
            at_fault = is_failure(error) or error.code == "hsm.machine.busy"
            if at_fault and not isinstance(error, MachineDownError):
                raise MachineDownError(name, error.detail.rstrip(".")) from error
            raise

    def drain(self, name: str) -> None:
        """Send this machine nothing new, and close its sessions when its running calls have ended.

        Draining twice is no harm.
        """
        with self._lock:
            self._crews[name].member.drain()
        self._start_tender()

    def resume(self, name: str) -> None:
        """Use this machine again, when a probe has shown that it works."""
        crew = self._crews[name]
        with self._lock:
            crew.member.resume(self._clock())
            crew.parked = False
        self._start_tender()

    def probe(self, name: str) -> None:
        """Prove a machine now: random octets, and a verified signature where it signed before.

        ``MachineDownError`` when it fails; after a success it is up.
        """
        crew = self._crews[name]
        with self._lock:
            refuse_unless_free(crew)
            call = self._send_probe(crew)
        try:
            call.answer(_PROBE_DEADLINE_SECONDS)
        except TrustError as error:
            self._probe_failed(crew, call, error)
            if isinstance(error, MachineDownError):
                raise
            raise MachineDownError(name, error.detail.rstrip(".")) from error

    def tend(self) -> float | None:
        """Send the probes that are due and close what was drained; never waits.

        Returns when to do it again, in seconds; ``None`` when there is nothing to watch.
        """
        overdue: list[tuple[Crew, Call[None]]] = []
        watching = False
        pause = _LONGEST_LOOK_SECONDS
        with self._lock:
            now = self._clock()
            for crew in self._crews.values():
                if crew.probe is not None:
                    if crew.probe.is_over:
                        crew.probe = None
                    elif now - crew.probed_at >= _PROBE_DEADLINE_SECONDS:
                        overdue.append((crew, crew.probe))
                        crew.probe = None
                if crew.member.probe_due(now):
                    self._send_probe(crew)
                if crew.member.state is MemberState.DRAINED and not crew.parked:
                    crew.parked = True
                    crew.put(Call(crew, _close_sessions, kind=CallKind.UPKEEP))
                watching = watching or not crew.member.serves
                due = crew.member.next_probe()
                if due is not None:
                    pause = min(pause, max(due - now, 0.0))
        for crew, probe in overdue:
            try:
                crew.leave(probe, _PROBE_DEADLINE_SECONDS)
            except TrustError as error:
                self._probe_failed(crew, probe, error)
        return pause if watching else None

    def states(self) -> tuple[MachineState, ...]:
        """All machines, in the order of the settings."""
        with self._lock:
            return tuple(
                MachineState(
                    name=name,
                    state=crew.member.state,
                    up=crew.member.serves,
                    in_flight=len(crew.member.running),
                    served=crew.meter.served,
                    reason=reason_of(crew),
                )
                for name, crew in self._crews.items()
            )

    def snapshot(self) -> PoolSnapshot:
        """All numbers of this process."""
        sessions = {name: crew.machine.sessions for name, crew in self._crews.items()}
        with self._lock:
            now = self._clock()
            return PoolSnapshot(
                at=now,
                machines=tuple(numbers_of(crew, sessions[name]) for name, crew in self._crews.items()),
                keys=tuple(
                    KeyNumbers(machine=name, label=label, signatures=rate.total, per_second=rate.per_second(now))
                    for name, crew in self._crews.items()
                    for label, rate in crew.keys.items()
                ),
            )

    def is_hanging(self, name: str) -> bool:
        """Whether a call to this machine never seems to end, so that another one would only wait with it."""
        with self._lock:
            member = self._crews[name].member
            return bool(member.stuck) and not member.breaker.is_up

    def by_readiness(self) -> tuple[str, ...]:
        """Names of the machines that a call could go to now, the least busy first.

        Where none could, all that are not drained.
        """
        with self._lock:
            crews = [crew for crew in self._crews.values() if crew.member.serves]
            crews = crews or [crew for crew in self._crews.values() if not crew.member.draining]
            return tuple(crew.name for crew in sorted(crews, key=lambda crew: (crew.member.load, crew.turn)))

    def close(self) -> None:
        """Let all machines go. No call may be in flight.

        The module of a machine whose call hangs stays loaded, because ending it under a call ends the process.
        """
        with self._lock:
            self._closed = True
            tender, self._tender = self._tender, None
        self._wake.set()
        if tender is not None:
            tender.join()
        for crew in self._crews.values():
            if crew.dismiss(0.2 if crew.member.stuck else self._deadline_seconds):
                crew.machine.close()

    # Sending

    def _send(self, errand: Errand[_T]) -> Call[_T]:
        """Put a call in line at the best machine."""
        with self._lock:
            candidates = [
                crew for name, crew in self._crews.items() if name in errand.holders and name not in errand.tried
            ]
            if self._closed:
                raise closed()
            now = self._clock()
            crew = best(candidates, now)
            if crew is None:
                raise refusal(errand, candidates, self._next_probe() - now) from errand.last
            call: Call[_T] = Call(crew, errand.act, errand.key, errand.signatures)
            crew.turn = next(self._turns)
            crew.put(call)
            return call

    def _sends(self, errand: Errand[_T], sent: deque[tuple[Errand[_T], Call[_T]]]) -> bool:
        """Put one of many calls in line; not, when the lines are full and some of the others will make room."""
        try:
            sent.append((errand, self._send(errand)))
        except BusyError as error:
            if error.code != "hsm.pool.full" or not sent:
                raise
            return False
        return True

    def _settle(self, errand: Errand[_T], call: Call[_T], seconds: float) -> _T:
        """Wait for a call, and send it elsewhere while that can help."""
        while True:
            errand.tried.add(call.crew.name)
            try:
                return call.answer(seconds)
            except KeyMissingError as error:
                errand.missing = error
            except TrustError as error:
                if not is_local(error):
                    raise
                errand.last = error
            call = self._send_again(errand, seconds)

    def _send_again(self, errand: Errand[_T], seconds: float) -> Call[_T]:
        """Put a call in line that a machine has failed; this one was taken once, so it waits where lines are full."""
        for _ in range(int(seconds / _FULL_PAUSE_SECONDS)):
            try:
                return self._send(errand)
            except BusyError as error:
                if error.code != "hsm.pool.full":
                    raise
            time.sleep(_FULL_PAUSE_SECONDS)
        return self._send(errand)

    def _next_probe(self) -> float:
        probes = [due for crew in self._crews.values() if (due := crew.member.next_probe()) is not None]
        return min(probes, default=math.inf)

    def _send_once(self, name: str, act: Callable[[Machine], _T], kind: CallKind = CallKind.WORK) -> Call[_T]:
        crew = self._crews[name]
        with self._lock:
            if self._closed:
                raise closed()
            refuse_unless_free(crew)
            call = Call(crew, act, kind=kind)
            crew.turn = next(self._turns)
            crew.put(call)
            return call

    def _send_probe(self, crew: Crew) -> Call[None]:
        """Call it with the lock held."""
        crew.member.probe_sent()
        act = partial(prove, key=crew.known_key, done=partial(self._tested, crew.name))
        crew.probe = Call(crew, act, kind=CallKind.PROOF)
        crew.probed_at = self._clock()
        crew.put(crew.probe)
        return crew.probe

    def _probe_failed(self, crew: Crew, probe: Call[None], error: TrustError) -> None:
        with self._lock:
            if crew.probe is probe:
                crew.probe = None
            if error.code == "hsm.machine.busy":
                crew.member.probe_lost(self._clock(), error.detail)
        self._tested(crew.name, well=False)

    def _tested(self, name: str, *, well: bool) -> None:
        crew = self._crews[name]
        crew.tested_at, crew.tested_well = self._clock(), well

    # Watching

    def _report(self, crew: Crew, kind: EventKind, detail: str) -> None:
        if self._listener is not None:
            # A thread of a machine must not end because whoever keeps watch has trouble.
            with suppress(Exception):
                self._listener(crew.name, kind, detail)
        if kind is not EventKind.UP:
            self._start_tender()

    def _start_tender(self) -> None:
        self._wake.set()
        with self._lock:
            if not self._tends or self._closed or self._tender is not None:
                return
            self._tender = threading.Thread(target=self._tend_on, name="hsm-pool", daemon=True)
            self._tender.start()

    def _tend_on(self) -> None:
        while True:
            pause = self.tend()
            with self._lock:
                if self._closed or (pause is None and all(crew.member.serves for crew in self._crews.values())):
                    if self._tender is threading.current_thread():
                        self._tender = None
                    return
            self._wake.wait(_LONGEST_LOOK_SECONDS if pause is None else pause)
            self._wake.clear()

    def _begin_anew(self) -> None:
        """In the child of a fork: no thread came along, and the lock may be held by one that did not."""
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._tender = None
        for crew in self._crews.values():
            crew.forget_threads(self._lock)


def _watch_forks(pool: Pool) -> None:
    _pools.add(pool)
    if not _fork_watched.is_set():
        _fork_watched.set()
        os.register_at_fork(after_in_child=_forked)


def _forked() -> None:
    for pool in tuple(_pools):
        pool._begin_anew()  # noqa: SLF001 - a fork is no business of callers


def _close_sessions(machine: Machine) -> None:
    machine.close_sessions()
