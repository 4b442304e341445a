"""What all server processes of an installation say of the machines, put together.

Each process counts for itself; a page or a scrape that one of them answers has to speak for all. Times are aware UTC,
because the processes' monotonic clocks have nothing to do with each other.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from functools import reduce
from operator import add

from hsm.core.member import MemberState
from hsm.core.meters import Histogram

__all__ = [
    "ErrorReport",
    "KeyOverview",
    "KeyReport",
    "MachineCounts",
    "MachineOverview",
    "MachineReport",
    "Overview",
    "ProcessReport",
    "overview",
]

_FROM_WORST = (
    MemberState.HANGING,
    MemberState.RESTING,
    MemberState.DRAINING,
    MemberState.DRAINED,
    MemberState.UP,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorReport:
    """An error of a machine."""

    at: datetime
    code: str
    detail: str
    """One sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineCounts:
    """Numbers of one machine that are added over processes; those of calls are since the process started."""

    sessions_open: int
    sessions_in_use: int
    sessions_limit: int
    waiting: int
    """Calls in line."""
    queue_limit: int
    in_flight: int
    stuck: int
    """Calls that have not ended, and whose callers have left."""
    served: int
    failed: int
    refused: int
    """Calls that found its line full."""
    late: int
    """Answers that came after their caller had left."""

    def __add__(self, other: "MachineCounts") -> "MachineCounts":
        """Both together."""
        names = [field.name for field in fields(self)]
        return MachineCounts(**{name: getattr(self, name) + getattr(other, name) for name in names})


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineReport:
    """One machine in one process."""

    name: str
    state: MemberState
    reason: str
    """One sentence: why it is not up; empty while it is."""
    counts: MachineCounts
    errors: dict[str, int]
    """By code."""
    last_error: ErrorReport | None
    latency_counts: tuple[int, ...]
    """Calls in each bucket of ``hsm.core.meters.LATENCY_BOUNDS``, and those above."""
    latency_seconds: float
    """All of them together."""
    tested_at: datetime | None
    """When it was last proved; ``None``: never."""
    tested_well: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyReport:
    """What one process signed with one key in one machine."""

    machine: str
    label: str
    signatures: int
    per_second: float
    """Over the last minute."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessReport:
    """What one process says."""

    process: str
    """Host and process number."""
    at: datetime
    machines: tuple[MachineReport, ...]
    keys: tuple[KeyReport, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineOverview:
    """One machine, as all processes see it together."""

    name: str
    state: MemberState
    """The worst that any process sees: a machine that hangs for one of them needs a look."""
    reason: str
    processes: int
    """Processes that use it."""
    processes_up: int
    """Those for which it is up."""
    counts: MachineCounts
    errors: tuple[tuple[str, int], ...]
    """The most frequent first."""
    last_error: ErrorReport | None
    p50_seconds: float
    p95_seconds: float
    p99_seconds: float
    tested_at: datetime | None
    """The last proof by any process."""
    tested_well: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyOverview:
    """What all processes signed with one key, in all machines."""

    label: str
    signatures: int
    per_second: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """All processes, machines and keys."""

    processes: tuple[str, ...]
    machines: tuple[MachineOverview, ...]
    """In the order in which the first process names them."""
    keys: tuple[KeyOverview, ...]
    """The busiest first."""


def overview(reports: Sequence[ProcessReport]) -> Overview:
    """Put the reports of all processes together."""
    by_machine: dict[str, list[MachineReport]] = {}
    by_key: dict[str, list[KeyReport]] = {}
    for report in reports:
        for machine in report.machines:
            by_machine.setdefault(machine.name, []).append(machine)
        for key in report.keys:
            by_key.setdefault(key.label, []).append(key)
    keys = (
        KeyOverview(
            label=label, signatures=sum(key.signatures for key in same), per_second=sum(key.per_second for key in same)
        )
        for label, same in by_key.items()
    )
    return Overview(
        processes=tuple(report.process for report in reports),
        machines=tuple(_machine(same) for same in by_machine.values()),
        keys=tuple(sorted(keys, key=lambda key: (-key.per_second, -key.signatures, key.label))),
    )


def _machine(reports: Sequence[MachineReport]) -> MachineOverview:
    worst = min(reports, key=lambda report: _FROM_WORST.index(report.state))
    latency = _together(reports)
    tests = [(report.tested_at, report.tested_well) for report in reports if report.tested_at is not None]
    tested_at, tested_well = max(tests, default=(None, False))
    errors: Counter[str] = Counter()
    for report in reports:
        errors.update(report.errors)
    return MachineOverview(
        name=worst.name,
        state=worst.state,
        reason=worst.reason,
        processes=len(reports),
        processes_up=sum(report.state is MemberState.UP for report in reports),
        counts=reduce(add, (report.counts for report in reports)),
        errors=tuple(errors.most_common()),
        last_error=_latest(report.last_error for report in reports),
        p50_seconds=latency.percentile(50),
        p95_seconds=latency.percentile(95),
        p99_seconds=latency.percentile(99),
        tested_at=tested_at,
        tested_well=tested_well,
    )


def _together(reports: Iterable[MachineReport]) -> Histogram:
    latency = Histogram()
    for report in reports:
        latency.counts = [a + b for a, b in zip(latency.counts, report.latency_counts, strict=True)]
        latency.total_seconds += report.latency_seconds
    return latency


def _latest(errors: Iterable[ErrorReport | None]) -> ErrorReport | None:
    return max((error for error in errors if error is not None), key=lambda error: error.at, default=None)
