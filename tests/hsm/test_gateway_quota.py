"""Quotas hold between threads and between processes."""

import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from hsm.core.rights import Act, KeyFacts, Operation
from hsm.gateway.grants import Grants, NewGrant
from hsm.gateway.journal import Journal
from hsm.models import GrantDayRow
from trustcore import audit
from trustcore.audit import AuditRow
from trustcore.database import Database
from trustcore.errors import ForbiddenError, LimitedError, TrustError
from trustcore.report import Verdict
from trustcore.signing import KeyPurpose

from support.postgres import PostgresMissingError, postgres_server
from support.threads import at_once

NOW = datetime(2030, 1, 15, 9, 30, tzinfo=UTC)
ACT = Act(
    application="office",
    operation=Operation.SIGN,
    key=KeyFacts(label="letters", purpose=KeyPurpose.SIGNING),
    count=1,
    digest=b"",
)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database(f"sqlite:///{tmp_path / 'quota.db'}")
    opened.create_tables()
    yield opened
    opened.close()


def give(database: Database, *, per_second: int | None = None, per_day: int | None = None) -> int:
    new = NewGrant(
        application="office",
        keys="letters",
        operations=frozenset({Operation.SIGN}),
        per_second=per_second,
        per_day=per_day,
        not_before=NOW - timedelta(days=1),
    )
    return Grants(database, lambda: NOW).grant(new, actor="test").grant.id


def attempt(journal: Journal, act: Act = ACT) -> str:
    try:
        journal.enter(act)
    except TrustError as error:
        return error.code
    return "passed"


def test_forty_threads_get_no_more_than_the_quota(database: Database) -> None:
    give(database, per_day=25)
    journal = Journal(database, lambda: NOW)
    assert Counter(at_once(40, lambda _: attempt(journal))) == {"passed": 25, "hsm.quota.day": 15}
    with database.transaction() as session:
        (row,) = session.scalars(select(GrantDayRow)).all()
        assert (row.acts, row.items, row.refused) == (25, 25, 15)
        assert len(session.scalars(select(AuditRow).where(AuditRow.action == "hsm.gateway.sign")).all()) == 25
        assert audit.verify_chain(session).verdict is Verdict.VALID


def test_the_next_second_gives_again(database: Database) -> None:
    give(database, per_second=2)
    clock = [NOW]
    journal = Journal(database, lambda: clock[0])
    assert [attempt(journal) for _ in range(3)] == ["passed", "passed", "hsm.quota.second"]
    clock[0] += timedelta(seconds=1)
    assert [attempt(journal) for _ in range(3)] == ["passed", "passed", "hsm.quota.second"]


def test_a_grant_that_is_revoked_ends_at_once(database: Database) -> None:
    number = give(database)
    journal = Journal(database, lambda: NOW)
    journal.enter(ACT)
    Grants(database, lambda: NOW).revoke(number, actor="test")
    with pytest.raises(ForbiddenError):
        journal.enter(ACT)


def test_a_batch_is_charged_as_a_whole_or_not_at_all(database: Database) -> None:
    give(database, per_day=10)
    journal = Journal(database, lambda: NOW)
    batch = Act(application="office", operation=Operation.SIGN, key=ACT.key, count=6, digest=b"")
    journal.enter(batch)
    with pytest.raises(LimitedError):
        journal.enter(batch)
    assert [attempt(journal) for _ in range(5)].count("passed") == 4


PROCESS = """
import sys
from datetime import UTC, datetime
from hsm.core.rights import Act, KeyFacts, Operation
from hsm.gateway.journal import Journal
from trustcore.database import Database
from trustcore.errors import LimitedError
from trustcore.signing import KeyPurpose
database = Database(sys.argv[1])
journal = Journal(database, lambda: datetime(2030, 1, 15, 9, 30, tzinfo=UTC))
key = KeyFacts(label="letters", purpose=KeyPurpose.SIGNING)
act = Act(application="office", operation=Operation.SIGN, key=key, count=1, digest=b"")
print("ready", flush=True)
sys.stdin.readline()
passed = 0
for _ in range(60):
    try:
        journal.enter(act)
        passed += 1
    except LimitedError:
        pass
print(passed)
"""


def race(database: Database) -> list[int]:
    """How many of 60 attempts pass in each of two processes that start together."""
    url = database.engine.url.render_as_string(hide_password=False)
    workers = [
        subprocess.Popen([sys.executable, "-c", PROCESS, url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    for worker in workers:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "ready\n"
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write("\n")
        worker.stdin.flush()
    return [int(worker.communicate(timeout=60)[0]) for worker in workers]


def assert_the_quota_held(database: Database) -> None:
    give(database, per_day=70)
    assert sum(race(database)) == 70
    with database.transaction() as session:
        assert len(session.scalars(select(AuditRow).where(AuditRow.action == "hsm.gateway.sign")).all()) == 70
        assert audit.verify_chain(session).verdict is Verdict.VALID


def test_two_processes_get_no_more_than_the_quota_together(database: Database) -> None:
    assert_the_quota_held(database)


@pytest.mark.postgres
def test_two_processes_get_no_more_than_the_quota_together_on_postgresql() -> None:
    try:
        with postgres_server() as address:
            opened = Database(address)
            opened.create_tables()
            assert_the_quota_held(opened)
            opened.close()
    except PostgresMissingError:
        pytest.skip("needs the package postgresql")
