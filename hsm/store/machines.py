"""All queries of machines and events."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, insert, select
from sqlalchemy.orm import Session

from hsm.core.events import Event, EventKind
from hsm.models import EventRow, MachineRow

__all__ = ["Drain", "add_events", "drains", "end_drain", "events", "start_drain"]

_LONGEST_DETAIL = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Drain:
    """A machine that somebody has taken out."""

    machine: str
    since: datetime
    actor: str


def drains(session: Session) -> dict[str, Drain]:
    """The machines that are to be drained, by name."""
    rows = session.scalars(select(MachineRow).where(MachineRow.drained_at.is_not(None)))
    return {
        row.name: Drain(machine=row.name, since=row.drained_at, actor=row.drained_by or "")
        for row in rows
        if row.drained_at is not None
    }


def start_drain(session: Session, machine: str, *, at: datetime, actor: str) -> bool:
    """Record that a machine is to be drained; whether it was not before."""
    row = session.get(MachineRow, machine)
    if row is None:
        row = MachineRow(name=machine)
        session.add(row)
    if row.drained_at is not None:
        return False
    row.drained_at, row.drained_by = at, actor
    session.flush()
    return True


def end_drain(session: Session, machine: str) -> bool:
    """Record that a machine is to be used again; whether it was not before."""
    row = session.get(MachineRow, machine)
    if row is None or row.drained_at is None:
        return False
    row.drained_at = row.drained_by = None
    session.flush()
    return True


def add_events(session: Session, added: Sequence[Event], *, keep: int) -> None:
    """Append events, and remove all but the newest ``keep``."""
    session.execute(
        insert(EventRow),
        [
            {
                "at": event.at,
                "machine": event.machine,
                "kind": event.kind.value,
                "detail": event.detail[:_LONGEST_DETAIL],
            }
            for event in added
        ],
    )
    oldest = session.scalar(select(EventRow.id).order_by(EventRow.id.desc()).offset(keep - 1).limit(1))
    if oldest is not None:
        session.execute(delete(EventRow).where(EventRow.id < oldest))


def events(session: Session, *, machine: str | None, before: int | None, limit: int) -> list[tuple[int, Event]]:
    """Events with their numbers, the newest first."""
    query = select(EventRow).order_by(EventRow.id.desc()).limit(limit)
    if machine is not None:
        query = query.where(EventRow.machine == machine)
    if before is not None:
        query = query.where(EventRow.id < before)
    return [
        (row.id, Event(at=row.at, machine=row.machine, kind=EventKind(row.kind), detail=row.detail))
        for row in session.scalars(query)
    ]
