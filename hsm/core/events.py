"""What happens to machines and keys, for whoever keeps watch."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

__all__ = ["Event", "EventKind"]


class EventKind(StrEnum):
    """What happened."""

    DOWN = "machine.down"
    """A machine failed and rests."""
    UP = "machine.up"
    """A machine was proved and is used again."""
    REFUSED = "machine.refused"
    """A machine gave wrong answers, or refuses its PIN: it needs a person."""
    HANGING = "machine.hanging"
    """A call to a machine did not end by its deadline."""
    DRAINED = "machine.drained"
    """Somebody took a machine out for maintenance."""
    RESUMED = "machine.resumed"
    """Somebody gave a machine back."""
    KEY_LIMIT_NEAR = "key.limit-near"
    """A key has made nearly as many signatures as it may."""
    KEY_LIMIT_REACHED = "key.limit-reached"
    """A key makes no more signatures."""

    @property
    def is_alarm(self) -> bool:
        """Whether somebody should look."""
        return self not in {EventKind.UP, EventKind.DRAINED, EventKind.RESUMED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One happening."""

    at: datetime
    """Aware UTC."""
    machine: str
    """Name of the machine; empty where the event is a key's."""
    kind: EventKind
    detail: str
    """One sentence, which names the key where the event is a key's."""
