"""A command's workplace, and an installation behind its pages."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from hsm.softgm import library_path
from hsm.software import module_cache
from trustapp.asgi import create_app
from trustapp.demo.founding import create_administrators, found_hierarchies, make_department_seal
from trustapp.settings import load_settings
from trustapp.wiring import Suite, open_suite
from trustcore.crypto.native.library import NativeSm2

from support.workplace import SAMPLES, Workplace, sample_rows, write_rows


@pytest.fixture(scope="session")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the libraries that an installation compiles when it is first used."""
    folder = tmp_path_factory.mktemp("compiled")
    library_path(folder)
    NativeSm2(folder)
    return folder


@pytest.fixture
def workplace(tmp_path: Path, compiled: Path) -> Workplace:
    """A new installation that need not compile, which takes longer than all the rest of its beginning."""
    made = Workplace(tmp_path)
    made.data.mkdir(mode=0o700)
    shutil.copytree(compiled, module_cache(made.data))
    return made


@pytest.fixture
def export(tmp_path: Path) -> Callable[[int], Path]:
    """A CSV file with the first rows of the sample."""
    return lambda count: write_rows(tmp_path / "rows.csv", sample_rows(count))


@pytest.fixture(scope="session")
def suite(tmp_path_factory: pytest.TempPathFactory, compiled: Path) -> Iterator[Suite]:
    """An installation with two licences, for tests of the group ``portal``, which one worker runs."""
    data_dir = tmp_path_factory.mktemp("portal")
    shutil.copytree(compiled, module_cache(data_dir))
    with open_suite(load_settings(data_dir=data_dir)) as opened:
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
