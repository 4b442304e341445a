"""The pool at one moment, as numbers."""

from dataclasses import dataclass

from hsm.core.member import MemberState
from hsm.core.meters import LastError
from hsm.machine import SessionCounts
from hsm.pool.crew import Crew

__all__ = ["KeyNumbers", "Latency", "MachineNumbers", "MachineState", "PoolSnapshot", "numbers_of", "reason_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineState:
    """One machine as the pool sees it."""

    name: str
    state: MemberState
    up: bool
    in_flight: int
    """Calls it works on now."""
    served: int
    """Calls it answered since this process started."""
    reason: str
    """One sentence: why it is down; empty while it is up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """How long a machine took for its calls."""

    counts: tuple[int, ...]
    """Calls in each bucket of ``hsm.core.meters.LATENCY_BOUNDS``, and those above."""
    total_seconds: float
    p50_seconds: float
    p95_seconds: float
    p99_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyNumbers:
    """What was signed with one key since this process started."""

    machine: str
    label: str
    signatures: int
    per_second: float
    """Over the last minute."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineNumbers:
    """What one machine does and did since this process started; times are of the pool's clock."""

    name: str
    state: MemberState
    reason: str
    """One sentence: why it is not up; empty while it is."""
    sessions: SessionCounts
    waiting: int
    """Calls in line."""
    queue_limit: int
    in_flight: int
    """Calls that it works on and somebody waits for."""
    stuck: int
    """Calls that have not ended, and whose callers have left."""
    served: int
    failed: int
    """Calls that failed for a reason that lies in the machine."""
    refused: int
    """Calls that found its line full."""
    late: int
    """Answers that came after their caller had left, and were dropped."""
    errors: tuple[tuple[str, int], ...]
    """Codes of errors, whosever fault, and how many; the most frequent first."""
    last_error: LastError | None
    latency: Latency
    tested_at: float | None
    """When it was last probed or connected; ``None``: never."""
    tested_well: bool
    """How that ended."""
    next_probe_at: float | None
    """When it will be probed; ``None`` while it is up or drained."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolSnapshot:
    """All machines, in the order of the settings, and all keys that were used."""

    at: float
    """Of the pool's clock, which never goes back; ages are differences from it."""
    machines: tuple[MachineNumbers, ...]
    keys: tuple[KeyNumbers, ...]


def reason_of(crew: Crew) -> str:
    """Why it is not up, in one sentence; empty while it is. Call it with the lock held."""
    if crew.member.draining:
        return f"The encryption machine {crew.name} is drained for maintenance."
    return crew.member.breaker.reason


def numbers_of(crew: Crew, sessions: SessionCounts) -> MachineNumbers:
    """The numbers of a machine, but for ``sessions``, which it counts itself. Call it with the lock held."""
    member, meter = crew.member, crew.meter
    latency = meter.latency
    return MachineNumbers(
        name=crew.name,
        state=member.state,
        reason=reason_of(crew),
        sessions=sessions,
        waiting=member.waiting,
        queue_limit=member.queue_limit,
        in_flight=len(member.running),
        stuck=len(member.stuck),
        served=meter.served,
        failed=meter.failed,
        refused=meter.refused,
        late=meter.late,
        errors=tuple(meter.errors.most_common()),
        last_error=meter.last_error,
        latency=Latency(
            counts=tuple(latency.counts),
            total_seconds=latency.total_seconds,
            p50_seconds=latency.percentile(50),
            p95_seconds=latency.percentile(95),
            p99_seconds=latency.percentile(99),
        ),
        tested_at=crew.tested_at,
        tested_well=crew.tested_well,
        next_probe_at=member.next_probe(),
    )
