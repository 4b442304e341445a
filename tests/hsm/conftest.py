"""Software machines made once and copied for each test."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from pathlib import Path

import pytest

from hsm import software
from hsm.service import HsmService, open_hsm
from hsm.settings import HsmSettings
from trustcore.database import Database

OpenHsm = Callable[..., AbstractContextManager[HsmService]]


@pytest.fixture(scope="session")
def template_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with three fresh tokens and the compiled module."""
    folder = tmp_path_factory.mktemp("hsm-template")
    software.prepare(folder)
    return folder


@pytest.fixture
def data_dir(template_dir: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "var"
    shutil.copytree(template_dir, folder)
    return folder


@pytest.fixture
def faults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folder of fault files: ``(faults / "xinyin-2").write_text("0x30")`` takes the second machine down."""
    folder = tmp_path / "faults"
    folder.mkdir()
    monkeypatch.setenv("SOFTGM_FAULTS", str(folder))
    return folder


@pytest.fixture
def open_machines(data_dir: Path, database: Database, now: datetime) -> OpenHsm:
    """Opens the service over the machines of ``data_dir``."""

    @contextmanager
    def opened(
        settings: HsmSettings | None = None, clock: Callable[[], datetime] = lambda: now
    ) -> Iterator[HsmService]:
        with open_hsm(settings or HsmSettings(), data_dir=data_dir, database=database, clock=clock) as service:
            yield service

    return opened


@pytest.fixture
def service(open_machines: OpenHsm) -> Iterator[HsmService]:
    with open_machines() as opened:
        yield opened
