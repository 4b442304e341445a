from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import inspect

from trustapp import schema
from trustcore.database import Database

from support.postgres import postgres_server


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """An empty database of either engine."""
    if request.param == "sqlite":
        database = Database(f"sqlite:///{tmp_path / 'test.db'}")
        yield database
        database.close()
        return
    with postgres_server() as url:
        database = Database(url)
        yield database
        database.close()


def test_the_migrations_make_what_the_models_say(empty: Database) -> None:
    assert not schema.is_current(empty)
    schema.upgrade(empty)

    assert schema.is_current(empty)
    schema.check(empty)
    assert set(schema.METADATA.tables) <= set(inspect(empty.engine).get_table_names())


def test_an_upgrade_twice_changes_nothing(empty: Database) -> None:
    schema.upgrade(empty)
    schema.upgrade(empty)
    assert schema.is_current(empty)


def test_the_newest_migration_can_be_taken_back(empty: Database) -> None:
    schema.upgrade(empty)
    schema.downgrade(empty, "-1")
    assert not schema.is_current(empty)
    schema.upgrade(empty)
    schema.check(empty)
