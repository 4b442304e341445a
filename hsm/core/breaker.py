"""When to leave a failing machine alone, and when to try it again."""

from dataclasses import dataclass, replace

__all__ = ["Breaker"]

_FIRST_PAUSE_SECONDS = 0.5
_LONGEST_PAUSE_SECONDS = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Breaker:
    """State of one machine. Immutable; times are seconds of any clock that never goes back.

    A machine is up until it fails; then it rests, twice as long after each further failure. When the pause is over one
    call may try it (half open), and that call's outcome decides.
    """

    failures: int = 0
    """Failures in a row."""
    retry_at: float = 0.0
    """End of the pause, while ``failures`` is not 0."""
    probing: bool = False
    """A call is trying the machine after a pause."""
    reason: str = ""
    """One sentence: why it is down."""

    @property
    def is_up(self) -> bool:
        """Whether the last call succeeded, or none was made."""
        return self.failures == 0

    def admits(self, now: float) -> bool:
        """Whether a call may go to the machine at ``now``."""
        return self.is_up or (not self.probing and now >= self.retry_at)

    def tried(self) -> "Breaker":
        """A call was sent; a machine that is down is now being probed."""
        return self if self.is_up else replace(self, probing=True)

    def succeeded(self) -> "Breaker":
        """The call was answered."""
        return self if self.is_up else Breaker()

    def failed(self, now: float, reason: str) -> "Breaker":
        """The call failed for a reason that lies in the machine."""
        pause = min(_FIRST_PAUSE_SECONDS * 2.0**self.failures, _LONGEST_PAUSE_SECONDS)
        failures = min(self.failures + 1, 32)
        return Breaker(failures=failures, retry_at=now + pause, probing=False, reason=reason)
