"""Software machines made once and copied for each test."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from hsm import software
from hsm.libsdf import library_path as sdf_library_path
from hsm.pkcs11.module import software_source
from hsm.service import HsmService, open_hsm
from hsm.settings import HsmSettings
from hsm.softgm import library_path
from trustcore.database import Database

from support.cryptoki import Cryptoki, CryptokiSession
from support.sdf_devices import Workshop, sanitized_library

PRIMED_AT = datetime(2030, 1, 1, tzinfo=UTC)

OpenToken = Callable[[str], CryptokiSession]
OpenHsm = Callable[..., AbstractContextManager[HsmService]]


@pytest.fixture(scope="session")
def template_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with three fresh tokens, the compiled module and an empty database."""
    folder = tmp_path_factory.mktemp("hsm-template")
    software.prepare(folder)
    database = Database(f"sqlite:///{folder / 'test.db'}")
    database.create_tables()
    database.close()
    return folder


@pytest.fixture(scope="session")
def primed_dir(template_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with a wrapping key in all machines, whose RSA transport keys take their time."""
    folder = tmp_path_factory.mktemp("hsm-primed") / "var"
    shutil.copytree(template_dir, folder)
    database = Database(f"sqlite:///{folder / 'test.db'}")
    with open_hsm(HsmSettings(), data_dir=folder, database=database, clock=lambda: PRIMED_AT) as service:
        service._keymaker._wrapping.current()
    database.close()
    return folder


@pytest.fixture
def primed() -> bool:
    """Whether the machines have a wrapping key yet; tests of the first key parametrize it with ``False``."""
    return True


@pytest.fixture
def data_dir(request: pytest.FixtureRequest, primed: bool, tmp_path: Path) -> Path:
    folder = tmp_path / "var"
    shutil.copytree(request.getfixturevalue("primed_dir" if primed else "template_dir"), folder)
    software.prepare(folder)  # SoftHSM's configuration names its folder
    return folder


@pytest.fixture
def database(data_dir: Path) -> Iterator[Database]:
    opened = Database(f"sqlite:///{data_dir / 'test.db'}")
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def sdf_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with the compiled libsdf."""
    folder = tmp_path_factory.mktemp("sdf-cache")
    sdf_library_path(folder)
    return folder


@pytest.fixture
def workshop(tmp_path: Path, sdf_cache: Path) -> Iterator[Workshop]:
    """Makes software SDF devices, and drivers for them."""
    database = Database(f"sqlite:///{tmp_path / 'sdf.db'}")
    database.create_tables()
    library = sanitized_library(sdf_cache) if "LIBSDF_SANITIZED" in os.environ else sdf_library_path(sdf_cache)
    made = Workshop(folder=tmp_path, library=library, database=database, cache_dir=sdf_cache)
    yield made
    for machine in made.machines:
        machine.close()
    database.close()


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


@pytest.fixture(scope="session")
def inner_copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """SoftHSM as a library of its own: an open installation of another test uses the installed one in this process."""
    source = software_source(tmp_path_factory.mktemp("unused"), {})
    return Path(shutil.copy(source.inner, tmp_path_factory.mktemp("inner") / "libsofthsm2-of-tests.so"))


@pytest.fixture
def open_cryptoki(data_dir: Path, inner_copy: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[OpenToken]:
    """Opens bare PKCS#11 sessions, logged in, with the token of this label."""
    monkeypatch.setenv("SOFTGM_INNER", str(inner_copy))
    monkeypatch.setenv("SOFTHSM2_CONF", str(software.configuration_file(data_dir).absolute()))
    named = os.environ.get("SOFTGM_TEST_LIBRARY")
    module = Cryptoki(Path(named) if named else library_path(software.module_cache(data_dir)))
    module.demand("Initialize", None)
    pin = (data_dir / "secrets" / "hsm_pin").read_text().strip()
    yield lambda label: module.open(label, pin)
    module.demand("Finalize", None)


@pytest.fixture
def token(open_cryptoki: OpenToken) -> CryptokiSession:
    """A bare PKCS#11 session with the first machine."""
    return open_cryptoki("xinyin-1")
