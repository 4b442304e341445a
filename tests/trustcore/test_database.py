from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from sqlalchemy import text

from trustcore import audit
from trustcore.database import Database
from trustcore.errors import BusyError
from trustcore.report import Verdict

from support.postgres import postgres_server

WHEN = datetime(2030, 5, 1, 8, 0, 0, 123456, tzinfo=UTC)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def either(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """The same database tests on both engines."""
    if request.param == "sqlite":
        opened = Database(f"sqlite:///{tmp_path / 'test.db'}")
        opened.create_tables()
        yield opened
        opened.close()
        return
    with postgres_server() as url:
        opened = Database(url)
        opened.create_tables()
        yield opened
        opened.close()


def _record(database: Database, subject: str) -> None:
    with database.transaction() as session:
        audit.record(session, at=WHEN, actor="tester", action="test.done", subject=subject)


def test_a_failed_block_leaves_nothing(either: Database) -> None:
    with pytest.raises(RuntimeError), either.transaction() as session:
        audit.record(session, at=WHEN, actor="tester", action="test.done", subject="1")
        raise RuntimeError
    with either.transaction() as session:
        assert audit.rows(session) == []


def test_times_come_back_in_utc_with_their_microseconds(either: Database) -> None:
    with either.transaction() as session:
        at = WHEN.astimezone(timezone(timedelta(hours=8)))
        audit.record(session, at=at, actor="tester", action="test.done", subject="1")
    with either.transaction() as session:
        stored = audit.rows(session)[0].at
        report = audit.verify_chain(session)
    assert report.verdict is Verdict.VALID
    assert stored == WHEN
    assert stored.utcoffset() == timedelta(0)


def test_threads_that_record_at_once_make_one_chain(either: Database) -> None:
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda number: _record(either, str(number)), range(40)))
    with either.transaction() as session:
        report = audit.verify_chain(session)
    assert report.verdict is Verdict.VALID
    assert report.steps[0].evidence["rows"] == "40"


def test_a_database_that_cannot_be_opened_says_so(tmp_path: Path) -> None:
    missing = Database(f"sqlite:///{tmp_path / 'no such folder' / 'test.db'}")
    with closing(missing), pytest.raises(BusyError) as caught:
        missing.ping()
    assert caught.value.code == "database.unavailable"


def test_a_database_whose_disk_is_full_says_so(tmp_path: Path) -> None:
    full = Database(f"sqlite:///{tmp_path / 'test.db'}")
    full.create_tables()
    with closing(full), pytest.raises(BusyError) as caught, full.transaction() as session:
        session.execute(text("PRAGMA max_page_count = 1"))
        for number in range(2000):
            audit.record(session, at=WHEN, actor="x" * 200, action="test.done", subject=str(number))
    assert caught.value.code == "database.full"
