"""An authority on a database in a file, founded once, an hour ago, and copied for each test: RSA keys are slow."""

import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from trustcore.database import Database

from support.authority import EPOCH, Clock, FrailKeys, Office
from support.postgres import postgres_server


@pytest.fixture(scope="session")
def founded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, FrailKeys]:
    file, keys = tmp_path_factory.mktemp("ca") / "founded.db", FrailKeys()
    database = Database(f"sqlite:///{file}")
    database.create_tables()
    Office(database, keys, Clock(EPOCH - timedelta(hours=1))).found_all()
    database.close()
    return file, keys


@pytest.fixture
def office(founded: tuple[Path, FrailKeys], tmp_path: Path) -> Iterator[Office]:
    file, keys = founded
    database = Database(f"sqlite:///{shutil.copy(file, tmp_path / 'ca.db')}")
    yield Office(database, keys.copy())
    database.close()


@pytest.fixture
def empty_office(database: Database) -> Office:
    """Nothing is founded yet."""
    return Office(database, FrailKeys())


@pytest.fixture(scope="module")
def office_on_postgres(founded: tuple[Path, FrailKeys]) -> Iterator[Office]:
    with postgres_server() as url:
        database = Database(url)
        database.create_tables()
        office = Office(database, founded[1].copy())
        office.found_all()
        yield office
        database.close()
