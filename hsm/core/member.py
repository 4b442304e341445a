"""What one machine of a pool may be asked, from what happened to it so far.

This module covers every rule about the state of a machine: when a call may go to it, when it rests after a failure,
when it hangs, how maintenance drains it, and when it is proved again before it comes back. It knows no thread, no clock
and no machine; :mod:`hsm.pool` does what it says. The rules:

* a machine is *up* until a call fails for a reason that lies in it; then it *rests*, longer after each further failure;
* a caller leaves a call that has not ended by its deadline: the machine *hangs*, and its late answer counts for
  nothing;
* a machine that rests or hangs gets no calls but a probe when its pause is over, or at once when the last call that
  hung has ended; the probe's outcome decides;
* a *draining* machine finishes what it has and gets nothing new; it is *drained* when nothing is left. It comes back by
  a probe, like after a failure;
* a call that began before the machine went down tells nothing of it afterwards: eight calls that fail together are one
  failure, and the last answer before it is no return.

>>> member = Member(workers=2, spare=1, queue_limit=8)
>>> member.queue(); member.begin(1, 0.0); member.leave(1, 10.0, "no answer")
<EventKind.HANGING: 'machine.hanging'>
>>> member.state, member.probe_due(10.4), member.probe_due(10.5)
(<MemberState.HANGING: 'hanging'>, False, True)
>>> member.end(1, 12.0, None), member.state, member.probe_due(12.0)
(None, <MemberState.RESTING: 'resting'>, True)
>>> member.probe_sent(); member.queue(); member.begin(2, 12.0); member.end(2, 12.1, None)
<EventKind.UP: 'machine.up'>
"""

from dataclasses import dataclass, field, replace
from enum import StrEnum

from hsm.core.breaker import Breaker
from hsm.core.events import EventKind

__all__ = ["Member", "MemberState"]

_OVERDUE_SECONDS = 1.0
"""A call that has run for longer makes the machine the last choice, long before anybody's deadline."""


class MemberState(StrEnum):
    """What a machine does."""

    UP = "up"
    RESTING = "resting"
    """It failed, and is probed after a pause."""
    HANGING = "hanging"
    """It failed, and some call to it has not ended."""
    DRAINING = "draining"
    """Maintenance was asked for, and calls are still running."""
    DRAINED = "drained"
    """Nothing runs in it until it is resumed."""

    @property
    def is_maintenance(self) -> bool:
        """Whether somebody has taken it out."""
        return self in {MemberState.DRAINING, MemberState.DRAINED}


@dataclass(slots=True, kw_only=True)
class Member:
    """State of one machine. Not safe to share between threads; times are seconds of a clock that never goes back.

    A call is queued, begins, and ends; its caller may leave before it ends, and it may be withdrawn before it begins.
    """

    workers: int
    """Calls that it works on at once."""
    spare: int
    """Calls that may hang beside those without taking anybody's place."""
    queue_limit: int
    """Calls that may wait."""
    breaker: Breaker = field(default_factory=Breaker)
    waiting: int = 0
    """Calls that have not begun."""
    running: dict[int, tuple[float, bool]] = field(default_factory=dict)
    """Calls that somebody waits for, by number: when each began, and whether the machine was up then; oldest first."""
    stuck: set[int] = field(default_factory=set)
    """Calls whose callers have left."""
    draining: bool = False

    @property
    def state(self) -> MemberState:
        """What the machine does now."""
        if self.draining:
            return MemberState.DRAINING if self.waiting or self.running or self.stuck else MemberState.DRAINED
        if self.breaker.is_up:
            return MemberState.UP
        return MemberState.HANGING if self.stuck else MemberState.RESTING

    @property
    def serves(self) -> bool:
        """Whether callers' calls may go to it."""
        return self.breaker.is_up and not self.draining

    @property
    def takes_last_resort(self) -> bool:
        """Whether a caller whom no machine serves may try it all the same."""
        return not self.draining and not self.is_full and len(self.stuck) < self.workers

    @property
    def is_full(self) -> bool:
        """Whether no further call may wait."""
        return self.waiting >= self.queue_limit

    @property
    def load(self) -> int:
        """Calls that it has or that wait for it."""
        return self.waiting + len(self.running)

    def may_start_worker(self, threads: int) -> bool:
        """Whether a machine with ``threads`` workers may get one more for a call that waits."""
        working = threads - len(self.stuck)
        return working < min(self.workers, self.load) and threads < self.workers + self.spare

    def has_surplus(self, threads: int) -> bool:
        """Whether one of ``threads`` workers should go, because those that were stuck are back."""
        return threads - len(self.stuck) > self.workers

    def is_overdue(self, now: float) -> bool:
        """Whether its oldest call has run for suspiciously long."""
        for began, _ in self.running.values():
            return now - began > _OVERDUE_SECONDS
        return False

    def queue(self) -> None:
        """A call was put in line."""
        self.waiting += 1

    def withdraw(self) -> None:
        """A call that had not begun was taken back."""
        self.waiting -= 1

    def begin(self, number: int, now: float) -> None:
        """A call left the line for the machine."""
        self.waiting -= 1
        self.running[number] = (now, self.breaker.is_up)

    def leave(self, number: int, now: float, reason: str) -> EventKind | None:
        """The caller of a running call leaves it."""
        _, was_up = self.running.pop(number)
        self.stuck.add(number)
        return self._fail(now, reason, EventKind.HANGING, counts=not was_up or self.breaker.is_up)

    def end(
        self, number: int, now: float, failure: str | None, kind: EventKind = EventKind.DOWN, *, proves: bool = True
    ) -> EventKind | None:
        """A call ended, with a ``failure`` that lies in the machine (one sentence) or without.

        ``proves`` says that a good end shows that the machine works.
        """
        if number in self.stuck:
            self.stuck.remove(number)
            if not self.stuck and not self.breaker.is_up:
                self.breaker = replace(self.breaker, retry_at=now)
            return None
        _, was_up = self.running.pop(number)
        counts = not was_up or self.breaker.is_up
        if failure is not None:
            return self._fail(now, failure, kind, counts=counts)
        if counts and proves and not self.breaker.is_up:
            self.breaker = self.breaker.succeeded()
            return EventKind.UP
        return None

    def _fail(self, now: float, reason: str, kind: EventKind, *, counts: bool) -> EventKind | None:
        news = self.breaker.is_up or (kind is EventKind.REFUSED and reason != self.breaker.reason)
        if counts:
            self.breaker = self.breaker.failed(now, reason)
        return kind if news else None

    def drain(self) -> None:
        """Take nothing new."""
        self.draining = True

    def resume(self, now: float) -> None:
        """Go on after maintenance, by a probe."""
        if self.draining:
            self.draining = False
            self.breaker = replace(Breaker().failed(now, "It is being proved after maintenance."), retry_at=now)

    def probe_due(self, now: float) -> bool:
        """Whether a probe should go to it now: never while more calls hang than there is room for."""
        return (
            not self.draining
            and not self.breaker.is_up
            and self.breaker.admits(now)
            and len(self.stuck) < self.workers + self.spare
        )

    def next_probe(self) -> float | None:
        """When the next probe is due; ``None``: none is, until something else happens."""
        if self.draining or self.breaker.is_up or self.breaker.probing or len(self.stuck) >= self.workers + self.spare:
            return None
        return self.breaker.retry_at

    def probe_lost(self, now: float, reason: str) -> None:
        """A probe was withdrawn before it began: no worker was free for it."""
        self.breaker = self.breaker.failed(now, reason)

    def probe_sent(self) -> None:
        """A probe is under way; there is no second one meanwhile."""
        self.breaker = self.breaker.tried()

    def forget_calls(self) -> None:
        """All calls were another process's."""
        self.waiting = 0
        self.running.clear()
        self.stuck.clear()
