from datetime import datetime

import pytest
from sqlalchemy import delete, update
from sqlalchemy.exc import StatementError

from trustcore import audit
from trustcore.audit import Act, AuditRow
from trustcore.database import Database
from trustcore.report import Verdict


@pytest.fixture
def filled(database: Database, now: datetime) -> Database:
    for number in range(5):
        with database.transaction() as session:
            audit.record(session, at=now, actor="tester", action="test.done", subject=str(number), facts={"步": "一"})
    return database


def test_an_untouched_chain_is_whole(filled: Database) -> None:
    with filled.transaction() as session:
        report = audit.verify_chain(session)
    assert report.verdict is Verdict.VALID
    assert report.steps[0].evidence["rows"] == "5"


@pytest.mark.parametrize(
    "change",
    [
        update(AuditRow).where(AuditRow.number == 3).values(actor="somebody else"),
        update(AuditRow).where(AuditRow.number == 3).values(facts={}),
        delete(AuditRow).where(AuditRow.number == 3),
        update(AuditRow).where(AuditRow.number == 3).values(digest=bytes(32)),
    ],
    ids=["actor", "facts", "removed", "digest"],
)
def test_a_touched_row_is_found(filled: Database, change: object) -> None:
    with filled.transaction() as session:
        session.execute(change)  # type: ignore[call-overload]
    with filled.transaction() as session:
        report = audit.verify_chain(session)
    assert report.verdict is Verdict.INVALID
    assert report.steps[0].evidence["row"] in {"3", "4"}


def test_the_act_fails_when_its_audit_row_cannot_be_written(filled: Database, now: datetime) -> None:
    with pytest.raises(StatementError, match="zone"), filled.transaction() as session:
        audit.record(session, at=now.replace(tzinfo=None), actor="tester", action="test.done", subject="x")
    with filled.transaction() as session:
        assert len(audit.rows(session)) == 5


def test_rows_are_paged_newest_first(filled: Database) -> None:
    with filled.transaction() as session:
        first = audit.rows(session, limit=2)
        second = audit.rows(session, before=first[-1].number, limit=2)
    assert [row.number for row in (*first, *second)] == [5, 4, 3, 2]


def test_acts_recorded_together_continue_the_chain_in_their_order(filled: Database, now: datetime) -> None:
    acts = [Act(at=now, actor="tester", action="test.done", subject=f"together {number}") for number in range(3)]
    with filled.transaction() as session:
        audit.record_many(session, acts)
        audit.record_many(session, [])
        audit.record(session, at=now, actor="tester", action="test.done", subject="after")
    with filled.transaction() as session:
        assert audit.verify_chain(session).steps[0].evidence["rows"] == "9"
        newest = [row.subject for row in audit.rows(session, limit=4)]
    assert newest == ["after", "together 2", "together 1", "together 0"]
