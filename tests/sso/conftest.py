"""A provider on a database in a file. It is furnished once and copied for each test, because passwords are slow."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sso.applications import Registration
from sso.service import SsoService
from sso.settings import SsoSettings
from trustcore.crypto.software import SoftwareKeys
from trustcore.database import Database

from support.identity import EPOCH, GOODBYE, REDIRECT_URI, Browser, Clock, World

REGISTRATION = Registration(
    client_id="app",
    name="一网通办",
    redirect_uris=(REDIRECT_URI, "http://127.0.0.1:8123/callback?tenant=1"),
    post_logout_redirect_uris=(GOODBYE,),
    scopes=frozenset({"openid", "profile", "roles", "licence:issue", "seal:sign"}),
)


def _world(file: Path, keys: SoftwareKeys, secret: str) -> World:
    database, clock = Database(f"sqlite:///{file}"), Clock(EPOCH)
    service = SsoService(database, keys, clock, os.urandom, SsoSettings())
    return World(service=service, database=database, keys=keys, clock=clock, secret=secret, registration=REGISTRATION)


@pytest.fixture(scope="session")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, SoftwareKeys, str]:
    """The database's file, the keys, and the secret of the client."""
    file, keys = tmp_path_factory.mktemp("sso") / "furnished.db", SoftwareKeys()
    made = _world(file, keys, "")
    made.database.create_tables()
    secret = made.service.applications.register(REGISTRATION, actor="test")
    assert secret is not None
    made.add_person("alice")
    assert made.service.public_keys.jwks
    made.database.close()
    return file, keys, secret


@pytest.fixture
def world(furnished: tuple[Path, SoftwareKeys, str], tmp_path: Path) -> Iterator[World]:
    file, keys, secret = furnished
    made = _world(Path(shutil.copy(file, tmp_path / "sso.db")), keys, secret)
    yield made
    made.database.close()


@pytest.fixture
def browser(world: World) -> Browser:
    return Browser(world.service)


@pytest.fixture
def new_browser(world: World) -> Callable[[], Browser]:
    return lambda: Browser(world.service)
