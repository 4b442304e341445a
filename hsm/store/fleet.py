"""Queries of what server processes report."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from hsm.models import ProcessRow

__all__ = ["forget", "forget_older", "put", "reports_since"]


def put(session: Session, *, process: str, at: datetime, report: Mapping[str, Any]) -> None:
    """Replace what a process reported before."""
    row = session.get(ProcessRow, process)
    if row is None:
        session.add(ProcessRow(process=process, reported_at=at, report=dict(report)))
    else:
        row.reported_at, row.report = at, dict(report)


def reports_since(session: Session, since: datetime) -> list[dict[str, Any]]:
    """What processes reported after ``since``, in the order of their names."""
    query = select(ProcessRow.report).where(ProcessRow.reported_at > since).order_by(ProcessRow.process)
    return list(session.scalars(query))


def forget(session: Session, process: str) -> None:
    """Remove the report of a process that has ended."""
    session.execute(delete(ProcessRow).where(ProcessRow.process == process))


def forget_older(session: Session, before: datetime) -> None:
    """Remove the reports of processes that were killed."""
    session.execute(delete(ProcessRow).where(ProcessRow.reported_at < before))
