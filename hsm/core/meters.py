"""Counting what machines do, in bounded memory. Times are seconds of a clock that never goes back."""

from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field

__all__ = ["LATENCY_BOUNDS", "Histogram", "LastError", "MachineMeter", "RateMeter"]

LATENCY_BOUNDS = tuple(1e-5 * 2 ** (step / 2) for step in range(47))
"""Upper bounds of the buckets of a latency, in seconds: from 10 µs to 84 s, each √2 times the one before."""

_WINDOW_SECONDS = 60
_MOST_CODES = 64


class Histogram:
    """How long calls took: counts in the buckets of :data:`LATENCY_BOUNDS`, with one more for what is above."""

    __slots__ = ("counts", "total_seconds")

    def __init__(self) -> None:
        self.counts = [0] * (len(LATENCY_BOUNDS) + 1)
        self.total_seconds = 0.0

    def add(self, seconds: float) -> None:
        """Count a call."""
        self.counts[bisect_left(LATENCY_BOUNDS, seconds)] += 1
        self.total_seconds += seconds

    @property
    def count(self) -> int:
        """Calls so far."""
        return sum(self.counts)

    def percentile(self, percent: float) -> float:
        """The time in which ``percent`` of all calls ended, interpolated inside its bucket; 0 without any call."""
        wanted = self.count * percent / 100
        passed = 0
        for number, count in enumerate(self.counts):
            if count and passed + count >= wanted:
                if number == len(LATENCY_BOUNDS):
                    return LATENCY_BOUNDS[-1]
                lower = LATENCY_BOUNDS[number - 1] if number else 0.0
                return lower + (LATENCY_BOUNDS[number] - lower) * (wanted - passed) / count
            passed += count
        return 0.0


class RateMeter:
    """How many things happened per second, over the last minute."""

    __slots__ = ("_counts", "_seconds", "_started", "total")

    def __init__(self, now: float) -> None:
        self.total = 0
        self._started = now
        self._counts = [0] * _WINDOW_SECONDS
        self._seconds = [-1] * _WINDOW_SECONDS

    def add(self, count: int, now: float) -> None:
        """Count so many."""
        second = int(now)
        slot = second % _WINDOW_SECONDS
        if self._seconds[slot] != second:
            self._seconds[slot] = second
            self._counts[slot] = 0
        self._counts[slot] += count
        self.total += count

    def per_second(self, now: float) -> float:
        """The mean over the last minute, or since the start when that is younger."""
        oldest = int(now) - _WINDOW_SECONDS
        recent = sum(count for count, second in zip(self._counts, self._seconds, strict=True) if second > oldest)
        return recent / min(max(now - self._started, 1.0), _WINDOW_SECONDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class LastError:
    """The last error of a machine."""

    at: float
    code: str
    detail: str
    """One sentence."""


@dataclass(slots=True, kw_only=True)
class MachineMeter:
    """What one machine did since the process started."""

    latency: Histogram = field(default_factory=Histogram)
    """Time inside the machine, of answered and failed calls alike."""
    served: int = 0
    """Calls that it answered, with an error of the request or without."""
    failed: int = 0
    """Calls that failed for a reason that lies in it, those that hung among them."""
    refused: int = 0
    """Calls that found its line full."""
    late: int = 0
    """Answers that came after their caller had left, and were dropped."""
    errors: Counter[str] = field(default_factory=Counter)
    """By code."""
    last_error: LastError | None = None

    def count_error(self, code: str, detail: str, now: float) -> None:
        """Count an error, whosever fault it is."""
        self.errors[code if code in self.errors or len(self.errors) < _MOST_CODES else "other"] += 1
        self.last_error = LastError(at=now, code=code, detail=detail)
