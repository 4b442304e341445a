"""Queries about how often keys are used."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import update
from sqlalchemy.orm import Session

from hsm.models import KeyRow

__all__ = ["Lease", "add_uses", "give_back", "set_limit", "take"]

_SHARE = 16
"""A lease is at most this part of what is left, so that leases shrink as the limit comes near."""
_LARGEST_LEASE = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """Uses of a limited key that a process may make."""

    granted: int
    """0 when too few are left."""
    used_before: int
    limit: int | None


def add_uses(session: Session, counts: Mapping[str, int]) -> None:
    """Add to the counts of unlimited keys."""
    for label, count in sorted(counts.items()):
        session.execute(update(KeyRow).where(KeyRow.label == label).values(used=KeyRow.used + count))


def take(session: Session, label: str, need: int) -> Lease:
    """Take at least ``need`` uses of a key out of what is left, more when much is left."""
    row = session.get_one(KeyRow, label, with_for_update=True)
    before, limit = row.used, row.usage_limit
    granted = need
    if limit is not None:
        left = limit - before
        granted = 0 if left < need else max(need, min(left // _SHARE, _LARGEST_LEASE))
    row.used = before + granted
    session.flush()
    return Lease(granted=granted, used_before=before, limit=limit)


def give_back(session: Session, label: str, count: int) -> None:
    """Return uses that were taken and not made."""
    session.execute(update(KeyRow).where(KeyRow.label == label).values(used=KeyRow.used - count))


def set_limit(session: Session, label: str, limit: int | None) -> int | None:
    """Set the limit; the uses so far when they exceed it already, and then nothing changes."""
    row = session.get_one(KeyRow, label, with_for_update=True)
    if limit is not None and limit < row.used:
        return row.used
    row.usage_limit = limit
    session.flush()
    return None
