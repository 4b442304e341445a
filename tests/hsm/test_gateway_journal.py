"""The gateway's book: threads that write for one another, and what happens when writing fails."""

import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, text

from hsm.core.rights import Act, KeyFacts, Operation
from hsm.gateway.grants import Grants, NewGrant
from hsm.gateway.journal import Journal
from hsm.models import GrantDayRow, GrantRow
from trustcore import audit
from trustcore.audit import AuditRow
from trustcore.database import Database
from trustcore.errors import TrustError
from trustcore.report import Verdict
from trustcore.signing import KeyPurpose

from support.threads import at_once

NOW = datetime(2030, 1, 15, 9, 30, tzinfo=UTC)
ACT = Act(
    application="office",
    operation=Operation.SIGN,
    key=KeyFacts(label="letters", purpose=KeyPurpose.SIGNING),
    count=3,
    digest=b"",
)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database(f"sqlite:///{tmp_path / 'journal.db'}")
    opened.create_tables()
    yield opened
    opened.close()


def give(database: Database, *, per_second: int | None = None) -> None:
    new = NewGrant(
        application="office",
        keys="letters",
        operations=frozenset({Operation.SIGN}),
        per_second=per_second,
        not_before=NOW - timedelta(days=1),
    )
    Grants(database, lambda: NOW).grant(new, actor="test")


def attempt(journal: Journal) -> str:
    try:
        journal.enter(ACT)
    except TrustError as error:
        return error.code
    return "passed"


def written(database: Database) -> int:
    """How many signatures' rows a whole chain has."""
    with database.transaction() as session:
        assert audit.verify_chain(session).verdict is Verdict.VALID
        return len(session.scalars(select(AuditRow).where(AuditRow.action == "hsm.gateway.sign")).all())


def test_more_threads_than_a_group_holds_are_all_written(database: Database) -> None:
    give(database)
    journal = Journal(database, lambda: NOW)
    assert Counter(at_once(300, lambda _: attempt(journal))) == {"passed": 300}
    assert written(database) == 300


def test_when_the_trail_cannot_be_written_nobody_passes_and_nothing_is_charged(database: Database) -> None:
    give(database, per_second=1000)
    journal = Journal(database, lambda: NOW)
    with database.transaction() as session:
        session.execute(text("ALTER TABLE core_audit RENAME TO away"))
    assert Counter(at_once(20, lambda _: attempt(journal))) == {"database.unavailable": 20}
    with database.transaction() as session:
        session.execute(text("ALTER TABLE away RENAME TO core_audit"))
        assert session.scalars(select(GrantDayRow)).all() == []
        assert session.scalars(select(GrantRow.used_in_second)).all() == [0]
    assert attempt(journal) == "passed"
    assert written(database) == 1


def test_two_books_add_to_the_same_day(database: Database) -> None:
    give(database)
    books = [Journal(database, lambda: NOW) for _ in range(2)]
    assert [attempt(book) for book in books * 2] == ["passed"] * 4
    with database.transaction() as session:
        (row,) = session.scalars(select(GrantDayRow)).all()
        assert (row.acts, row.items, row.refused) == (4, 12, 0)


def test_a_limit_for_a_second_holds_in_a_book_opened_later(database: Database) -> None:
    give(database, per_second=7)
    assert [attempt(Journal(database, lambda: NOW)) for _ in range(3)] == ["passed", "passed", "hsm.quota.second"]
    with database.transaction() as session:
        (row,) = session.scalars(select(GrantDayRow)).all()
        assert (row.acts, row.items, row.refused) == (2, 6, 1)


INTERRUPTED = """
import signal, sqlite3, sys, threading, time
from test_gateway_journal import ACT, NOW
from hsm.gateway.journal import Journal
from trustcore.database import Database

def interrupt(*_):
    raise KeyboardInterrupt

file = sys.argv[1]
journal = Journal(Database(f"sqlite:///{file}"), lambda: NOW)
signal.signal(signal.SIGALRM, interrupt)
busy = sqlite3.connect(file, isolation_level=None)
busy.execute("BEGIN IMMEDIATE")
passed = []
def enter():
    journal.enter(ACT)
    passed.append(1)
writer, other = threading.Thread(target=enter), threading.Thread(target=enter)
writer.start()
time.sleep(0.3)
signal.setitimer(signal.ITIMER_REAL, 0.6)
threading.Timer(0.3, other.start).start()
try:
    journal.enter(ACT)
except KeyboardInterrupt:
    print("interrupted", flush=True)
busy.execute("ROLLBACK")
writer.join(30)
other.join(30)
journal.enter(ACT)
print(len(passed), flush=True)
"""


@pytest.mark.slow
def test_a_thread_that_stops_waiting_keeps_nobody_else_from_writing(database: Database, tmp_path: Path) -> None:
    give(database)
    here = Path(__file__).resolve()
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED, str(tmp_path / "journal.db")],
        capture_output=True, text=True, timeout=100, check=False, cwd=here.parents[2],
        env={"PYTHONPATH": f"{here.parent}:{here.parents[1]}:{here.parents[2]}"},
    )  # fmt: skip
    assert (done.stdout.split(), done.stderr) == (["interrupted", "2"], "")
    assert written(database) == 3
