"""A command's workplace, and an installation behind its pages."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from trustapp.asgi import create_app
from trustapp.demo.founding import create_administrators, found_hierarchies, make_department_seal
from trustapp.settings import load_settings
from trustapp.wiring import Suite, open_suite

from support.workplace import SAMPLES, Workplace, sample_rows, write_rows


@pytest.fixture
def workplace(tmp_path: Path) -> Workplace:
    return Workplace(tmp_path)


@pytest.fixture
def export(tmp_path: Path) -> Callable[[int], Path]:
    """A CSV file with the first rows of the sample."""
    return lambda count: write_rows(tmp_path / "rows.csv", sample_rows(count))


@pytest.fixture(scope="session")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Suite]:
    """An installation with two licences, for tests of the group ``portal``, which one worker runs."""
    with open_suite(load_settings(data_dir=tmp_path_factory.mktemp("portal"))) as opened:
        found_hierarchies(opened, lambda _what: None)
        make_department_seal(opened)
        rows = b"\n".join(SAMPLES.read_bytes().splitlines()[:3])
        assert len(opened.licences.issue_batch(rows, name="rows.csv").licences) == 2
        yield opened


@pytest.fixture(scope="session")
def passwords(suite: Suite) -> dict[str, str]:
    return create_administrators(suite)


@pytest.fixture
def browser(suite: Suite) -> Iterator[TestClient]:
    with TestClient(create_app(suite), base_url=suite.settings.public_url, headers={"Accept": "text/html"}) as client:
        yield client
