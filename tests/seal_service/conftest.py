"""Fixtures of the seal service."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.seal_suite import Suite, make_pdf, make_suite


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Suite]:
    """A suite that tests only read from and stamp with."""
    suite = make_suite(f"sqlite:///{tmp_path_factory.mktemp('seals') / 'seals.db'}")
    yield suite
    suite.database.close()


@pytest.fixture
def suite(tmp_path: Path) -> Iterator[Suite]:
    """A suite of one's own, to break things in."""
    made = make_suite(f"sqlite:///{tmp_path / 'seals.db'}")
    yield made
    made.database.close()


@pytest.fixture
def pdf() -> bytes:
    return make_pdf()
