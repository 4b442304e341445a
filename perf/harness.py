"""Measures contenders in interleaved rounds, beside the physical floor and a peer.

One round gives every contender one turn, one after the other, so that whatever else the machine does meets all of
them. Rates are medians over the rounds; ratios are taken *inside* a round and then the median, because absolute times
move by ±40 % on shared machines while such ratios move by a few per cent. Nothing here passes or fails on time.
"""

import gc
import json
import platform
import statistics
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.progress import Progress
from rich.table import Table


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """Something that can be done again and again."""

    name: str
    run: Callable[[int], object]
    """Does the thing ``n`` times; called in the thread that measures."""
    floor: str | None = None
    """Name of the contender that is the least this one can cost."""
    peer: str | None = None
    """Name of the contender that does the same job with somebody else's code."""


@dataclass(slots=True)
class _Turns:
    wall: list[float] = field(default_factory=list)
    """Seconds per operation, one entry a round."""
    thread: list[float] = field(default_factory=list)
    """CPU seconds of the measuring thread per operation."""
    process: list[float] = field(default_factory=list)
    """CPU seconds of all threads per operation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the result; the fields are those of the JSON."""

    name: str
    per_second: float
    floor: str | None
    floor_per_second: float | None
    times_floor: float | None
    """How many times the floor's time one operation takes."""
    peer: str | None
    peer_per_second: float | None
    times_peer: float | None
    """How many times as fast as the peer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """How far to trust a row."""

    name: str
    rounds: int
    operations_per_turn: int
    wall_ms: float
    """Median wall time of one operation."""
    wall_iqr_ms: float
    """Distance between the quartiles."""
    thread_cpu_ms: float
    process_cpu_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """What a process of its own needed at most to do one thing once."""

    name: str
    peak_mb: float
    """Resident, 10⁶ octets."""
    above_nothing_mb: float
    """Above a process that only starts."""


@dataclass(frozen=True, slots=True)
class Result:
    """All rows of one benchmark."""

    bench: str
    rows: tuple[Row, ...]
    spreads: tuple[Spread, ...]
    memory: tuple[Memory, ...] = ()


def measure(bench: str, contenders: Sequence[Contender], *, rounds: int, turn_seconds: float) -> Result:
    """Warm up and size every turn, then go round."""
    sizes: dict[str, int] = {}
    turns = {contender.name: _Turns() for contender in contenders}
    with Progress(transient=True) as progress:
        task = progress.add_task(bench, total=len(contenders) * (rounds + 1))
        for contender in contenders:
            sizes[contender.name] = _operations_in(contender, turn_seconds)
            progress.advance(task)
        for _ in range(rounds):
            for contender in contenders:
                _take_turn(contender, sizes[contender.name], turns[contender.name])
                progress.advance(task)
    return Result(
        bench,
        tuple(_row(contender, turns) for contender in contenders),
        tuple(_spread(contender.name, sizes[contender.name], turns[contender.name]) for contender in contenders),
    )


def _operations_in(contender: Contender, turn_seconds: float) -> int:
    """How many operations fill a turn; the first, cold ones are not counted."""
    contender.run(1)
    count = 1
    while True:
        started = time.perf_counter()
        contender.run(count)
        spent = time.perf_counter() - started
        if spent >= turn_seconds / 4:
            return max(1, round(count * turn_seconds / spent))
        count *= 4


def _take_turn(contender: Contender, count: int, turns: _Turns) -> None:
    gc.collect()
    wall, thread, process = time.perf_counter(), time.thread_time(), time.process_time()
    contender.run(count)
    turns.wall.append((time.perf_counter() - wall) / count)
    turns.thread.append((time.thread_time() - thread) / count)
    turns.process.append((time.process_time() - process) / count)


def _ratio(numerator: Sequence[float], denominator: Sequence[float]) -> float:
    return float(f"{statistics.median(a / b for a, b in zip(numerator, denominator, strict=True)):.3g}")


def _rate(turns: _Turns) -> float:
    return round(1 / statistics.median(turns.wall), 1)


def _row(contender: Contender, turns: dict[str, _Turns]) -> Row:
    own = turns[contender.name]
    floor = turns[contender.floor] if contender.floor else None
    peer = turns[contender.peer] if contender.peer else None
    return Row(
        name=contender.name,
        per_second=_rate(own),
        floor=contender.floor,
        floor_per_second=_rate(floor) if floor else None,
        times_floor=_ratio(own.wall, floor.wall) if floor else None,
        peer=contender.peer,
        peer_per_second=_rate(peer) if peer else None,
        times_peer=_ratio(peer.wall, own.wall) if peer else None,
    )


def _spread(name: str, size: int, turns: _Turns) -> Spread:
    quartiles = statistics.quantiles(turns.wall, n=4) if len(turns.wall) > 1 else [turns.wall[0]] * 3
    return Spread(
        name=name,
        rounds=len(turns.wall),
        operations_per_turn=size,
        wall_ms=round(statistics.median(turns.wall) * 1000, 3),
        wall_iqr_ms=round((quartiles[2] - quartiles[0]) * 1000, 3),
        thread_cpu_ms=round(statistics.median(turns.thread) * 1000, 3),
        process_cpu_ms=round(statistics.median(turns.process) * 1000, 3),
    )


def machine() -> dict[str, str]:
    """What the numbers were measured on."""
    info = Path("/proc/cpuinfo")
    names = [line for line in info.read_text().splitlines() if line.startswith("model name")] if info.is_file() else []
    return {
        "processor": names[0].partition(":")[2].strip() if names else platform.processor() or platform.machine(),
        "cores": str(len(names) or 1),
        "python": platform.python_version(),
        "system": platform.platform(),
    }


def save(result: Result, folder: Path) -> Path:
    """Write ``<bench>.json``: the rows, how far they spread, and the machine."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{result.bench}.json"
    document = {
        "rows": [{name: getattr(row, name) for name in Row.__slots__} for row in result.rows],
        "spread": [{name: getattr(spread, name) for name in Spread.__slots__} for spread in result.spreads],
        "memory": [{name: getattr(memory, name) for name in Memory.__slots__} for memory in result.memory],
        "machine": machine(),
    }
    path.write_text(json.dumps(document, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    return path


def show(result: Result, console: Console) -> None:
    """Print the rows as a table."""
    table = Table(title=f"{result.bench}: medians of {result.spreads[0].rounds} interleaved rounds")
    for heading in ("what", "per second", "± IQR", "CPU ms", "floor", "× floor", "peer", "× faster than peer"):
        table.add_column(heading, justify="left" if heading in {"what", "floor", "peer"} else "right")
    for row, spread in zip(result.rows, result.spreads, strict=True):
        table.add_row(
            row.name,
            f"{row.per_second:,.1f}",
            f"{100 * spread.wall_iqr_ms / spread.wall_ms:.0f} %" if spread.wall_ms else "",
            f"{spread.process_cpu_ms:.2f}",
            f"{row.floor} ({row.floor_per_second:,.0f}/s)" if row.floor else "",
            f"{row.times_floor:g}" if row.times_floor is not None else "",
            f"{row.peer} ({row.peer_per_second:,.1f}/s)" if row.peer else "",
            f"{row.times_peer:g}" if row.times_peer is not None else "",
        )
    console.print(table)
    if not result.memory:
        return
    table = Table(title=f"{result.bench}: memory of one process that does it once")
    for heading in ("what", "peak MB", "above a process that only starts, MB"):
        table.add_column(heading, justify="left" if heading == "what" else "right")
    for memory in result.memory:
        table.add_row(memory.name, f"{memory.peak_mb:.0f}", f"{memory.above_nothing_mb:.0f}")
    console.print(table)


def peak_of(command: Sequence[str], *, told: str = "\n") -> float:
    """The most memory that a program had resident, 10⁶ octets.

    Args:
        command: the program and its arguments; it answers what it is told with a line ``done``, and then waits.
        told: a line for its standard input.

    Raises:
        SystemExit: it failed.
    """
    with subprocess.Popen(list(command), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(told)
        process.stdin.flush()
        if process.stdout.readline() != "done\n":
            raise SystemExit(f"{' '.join(command)} did not do what it was told")
        status = Path(f"/proc/{process.pid}/status").read_text(encoding="ascii")
        process.stdin.close()
    kilobytes = next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))
    return int(kilobytes) * 1024 / 1e6
