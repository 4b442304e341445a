"""The machines behind one door: choice by load, failover, return."""

import itertools
import threading
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from hsm.core.breaker import Breaker
from hsm.errors import KeyMissingError, MachineDownError
from hsm.machine import Machine, MachineInfo
from trustcore.errors import BusyError, TrustError

__all__ = ["MachineState", "Pool"]

_T = TypeVar("_T")
_MACHINE_AT_FAULT = ("hsm.module.", "hsm.token.", "hsm.pin.", "hsm.softgm.")
"""Codes of errors that another machine need not have."""
_HANGING_AFTER_SECONDS = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineState:
    """One machine as the pool sees it."""

    name: str
    up: bool
    in_flight: int
    """Calls it works on now."""
    served: int
    """Calls it answered since this process started."""
    reason: str
    """One sentence: why it is down; empty while it is up."""


@dataclass(slots=True)
class _Member:
    machine: Machine
    breaker: Breaker
    running: dict[int, float] = field(default_factory=dict)
    """Calls in flight, by number, and when each began."""
    served: int = 0
    turn: int = 0

    @property
    def in_flight(self) -> int:
        return len(self.running)

    def hangs(self, now: float) -> bool:
        """Whether a call has been in flight for longer than any should: PKCS#11 itself knows no time-out."""
        return bool(self.running) and now - min(self.running.values()) > _HANGING_AFTER_SECONDS

    def admits(self, now: float) -> bool:
        return self.breaker.admits(now) and not self.hangs(now)


class Pool:
    """Sends each call to the machine with the fewest calls in flight. Safe to share between threads.

    A machine that fails is left alone for a while; the first call after the pause tries it, and when it answers it is
    back. A call that met a failing machine goes on to the next, so callers notice a failure only when no machine is
    left. A machine with a call that never seems to end gets no others meanwhile. Only calls that may be repeated belong
    here: a key is generated with :meth:`ask`, once.

    Args:
        machines: at least one.
        clock: seconds that never go back.
    """

    def __init__(self, machines: Sequence[Machine], *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._members = {machine.name: _Member(machine, Breaker()) for machine in machines}
        self._turns = itertools.count(1)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all machines, in the order of the settings."""
        return tuple(self._members)

    def machine(self, name: str) -> Machine:
        """The machine of this name; ``KeyError`` when there is none."""
        return self._members[name].machine

    def connect(self) -> list[tuple[str, MachineInfo | TrustError]]:
        """Connect to every machine, and say what each answered. Never raises."""
        answers: list[tuple[str, MachineInfo | TrustError]] = []
        for name in self.names:
            try:
                answers.append((name, self._attempt(name, lambda machine: machine.connect())))
            except TrustError as error:
                answers.append((name, error))
        return answers

    def run(self, holders: Collection[str], call: Callable[[Machine], _T]) -> _T:
        """Make a repeatable call on one of ``holders``.

        Raises:
            BusyError: ``hsm.machine.unavailable`` when every holder failed.
            KeyMissingError: when every holder that answered lacks the key.
        """
        tried: set[str] = set()
        last: TrustError | None = None
        missing: KeyMissingError | None = None
        while (name := self._choose(holders, tried)) is not None:
            tried.add(name)
            try:
                return self._attempt(name, call)
            except KeyMissingError as error:
                missing = error
            except TrustError as error:
                if not _is_local(error):
                    raise
                last = error
        if missing is not None and last is None:
            raise missing
        raise _unavailable(last) from last

    def ask(self, name: str, call: Callable[[Machine], _T]) -> _T:
        """Make a call on this machine and no other; ``MachineDownError`` for all its own troubles."""
        try:
            return self._attempt(name, call)
        except TrustError as error:
            if _is_local(error) and not isinstance(error, MachineDownError):
                raise MachineDownError(name, error.detail.rstrip(".")) from error
            raise

    def _attempt(self, name: str, call: Callable[[Machine], _T]) -> _T:
        """Make a call on this machine, whatever its state, and keep the books."""
        member = self._members[name]
        with self._lock:
            number = next(self._turns)
            member.running[number] = self._clock()
            was_up = member.breaker.is_up
            member.breaker = member.breaker.tried()
        failure: TrustError | None = None
        try:
            return call(member.machine)
        except TrustError as error:
            if _is_local(error) and error.code != "hsm.machine.busy":
                failure = error
            raise
        finally:
            with self._lock:
                del member.running[number]
                member.served += failure is None
                # A call that began before the machine went down tells nothing of it now: eight calls that fail together
                # are one failure, and the last answer before it is no return.
                if not was_up or member.breaker.is_up:
                    member.breaker = (
                        member.breaker.succeeded()
                        if failure is None
                        else member.breaker.failed(self._clock(), failure.detail)
                    )

    def states(self) -> tuple[MachineState, ...]:
        """All machines, in the order of the settings."""
        now = self._clock()
        with self._lock:
            return tuple(
                MachineState(
                    name=name,
                    up=member.breaker.is_up and not member.hangs(now),
                    in_flight=member.in_flight,
                    served=member.served,
                    reason=_hanging(name) if member.hangs(now) else member.breaker.reason,
                )
                for name, member in self._members.items()
            )

    def is_hanging(self, name: str) -> bool:
        """Whether a call to this machine never seems to end, so that another one would only wait with it."""
        now = self._clock()
        with self._lock:
            return self._members[name].hangs(now)

    def by_readiness(self) -> tuple[str, ...]:
        """Names of the machines that a call could go to now, the least busy first; all, where none could."""
        now = self._clock()
        with self._lock:
            admitted = [member for member in self._members.values() if member.admits(now)]
            members = admitted or list(self._members.values())
            return tuple(m.machine.name for m in sorted(members, key=lambda m: (m.in_flight, m.turn)))

    def close(self) -> None:
        """Let all machines go. No call may be in flight."""
        for member in self._members.values():
            member.machine.close()

    def _choose(self, holders: Collection[str], tried: Collection[str]) -> str | None:
        """The least busy machine that may be called.

        When none may, because all rest after failures, the one whose pause ends first: the caller would get nothing
        otherwise.
        """
        now = self._clock()
        with self._lock:
            candidates = [member for name, member in self._members.items() if name in holders and name not in tried]
            if not candidates:
                return None
            admitted = [member for member in candidates if member.admits(now)]
            if admitted:
                chosen = min(admitted, key=lambda member: (member.in_flight, member.turn))
            else:
                chosen = min(candidates, key=lambda member: (member.hangs(now), member.breaker.retry_at))
            chosen.turn = next(self._turns)
            return chosen.machine.name


def _hanging(name: str) -> str:
    return f"The encryption machine {name} has not answered a call for more than {_HANGING_AFTER_SECONDS:.0f} seconds."


def _is_local(error: TrustError) -> bool:
    """Whether the error is this machine's and another one may do better."""
    if isinstance(error, MachineDownError) or error.code == "hsm.machine.busy":
        return True
    return error.code.startswith(_MACHINE_AT_FAULT)


def _unavailable(last: TrustError | None) -> BusyError:
    why = f" The last answer was: {last.detail}" if last else ""
    return BusyError(
        f"No encryption machine that holds the key answers; look at them with “xinyin hsm machines”.{why}",
        code="hsm.machine.unavailable",
    )
