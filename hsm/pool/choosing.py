"""Which machine a call goes to, and what a caller is told when none takes it. Call everything with the lock held."""

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from hsm.errors import KeyMissingError, MachineDownError
from hsm.machine import MachineKey
from hsm.pool.crew import Crew
from hsm.pool.repeatable import RepeatableMachine
from trustcore.errors import BusyError, TrustError

__all__ = ["Errand", "best", "closed", "refusal", "refuse_unless_free"]

_T = TypeVar("_T")
_LONGEST_WAIT_SECONDS = 60


@dataclass(slots=True)
class Errand(Generic[_T]):
    """A repeatable call, and which machines have failed it so far."""

    holders: Collection[str]
    act: Callable[[RepeatableMachine], _T]
    key: MachineKey | None
    signatures: int
    tried: set[str] = field(default_factory=set)
    missing: KeyMissingError | None = None
    """The answer of a machine that lacks the key."""
    last: TrustError | None = None
    """The last other error."""


def best(candidates: Sequence[Crew], now: float) -> Crew | None:
    """The least busy machine that may be called.

    When none may, because all rest after failures, the one whose pause ends first: the caller would get nothing
    otherwise.
    """
    best: Crew | None = None
    best_rank = (True, 0, 0)
    for crew in candidates:
        member = crew.member
        if member.serves and not member.is_full:
            rank = (member.is_overdue(now), member.load, crew.turn)
            if best is None or rank < best_rank:
                best, best_rank = crew, rank
    if best is not None:
        return best
    resting = [crew for crew in candidates if not crew.member.serves and crew.member.takes_last_resort]
    return min(resting, key=lambda crew: (bool(crew.member.stuck), crew.member.breaker.retry_at), default=None)


def refuse_unless_free(crew: Crew) -> None:
    """Raise when a call to this machine would only wait."""
    member = crew.member
    if member.draining:
        raise MachineDownError(crew.name, "it is drained for maintenance")
    if member.stuck and not member.breaker.is_up:
        raise MachineDownError(crew.name, "a call to it has not ended")
    if member.is_full:
        raise MachineDownError(crew.name, "too many calls wait for it")


def refusal(errand: Errand[_T], candidates: Sequence[Crew], next_probe_seconds: float) -> TrustError:
    """Why none of the machines that were not tried takes the errand.

    Args:
        errand: with what the machines that were tried said.
        candidates: those that were not tried.
        next_probe_seconds: when some machine may be back.
    """
    full = [crew for crew in candidates if crew.member.is_full and not crew.member.draining]
    if full:
        for crew in full:
            crew.meter.refused += 1
        return BusyError(
            "The encryption machines have more calls than they can take now; try again.",
            code="hsm.pool.full",
            retry_after=_bounded(min(_line_seconds(crew) for crew in full)),
        )
    last = errand.last
    if last is None and not candidates and errand.missing is not None:
        return errand.missing
    if last is not None and last.code in {"hsm.machine.cannot", "hsm.machine.refused"}:
        return last
    said = last or errand.missing
    why = f" The last answer was: {said.detail}" if said else ""
    return BusyError(
        f"No encryption machine that holds the key answers; look at them with “xinyin hsm machines”.{why}",
        code="hsm.machine.unavailable",
        retry_after=_bounded(next_probe_seconds),
    )


def closed() -> BusyError:
    """What a pool says that is closed."""
    return BusyError("The encryption machines are being let go; try again.", code="hsm.pool.closed")


def _line_seconds(crew: Crew) -> float:
    """How long the line of a machine takes, from what its calls took so far."""
    latency = crew.meter.latency
    return crew.member.waiting * latency.total_seconds / max(latency.count, 1) / crew.member.workers


def _bounded(seconds: float) -> int:
    return max(1, math.ceil(min(seconds, _LONGEST_WAIT_SECONDS)))
