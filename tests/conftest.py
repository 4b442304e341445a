"""What every test may use."""

import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import structlog

from trustcore.crypto.software import SoftwareKeys, SoftwareKeyWarning
from trustcore.database import Database

EPOCH = datetime(2030, 1, 15, 9, 30, tzinfo=UTC)
"""The time that tests call now; none depends on today."""


@pytest.fixture(autouse=True, scope="session")
def _logs_beside_the_output() -> None:
    """As in a process that configured its logs: not among what a command prints."""
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(file=sys.__stderr__))


@pytest.fixture
def now() -> datetime:
    return EPOCH


@pytest.fixture
def software_keys() -> SoftwareKeys:
    with pytest.warns(SoftwareKeyWarning):
        return SoftwareKeys()


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database(f"sqlite:///{tmp_path / 'test.db'}")
    opened.create_tables()
    yield opened
    opened.close()
