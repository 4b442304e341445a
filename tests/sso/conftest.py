"""A provider on a database in a file. It is furnished once and copied for each test, because passwords are slow."""

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from sso.applications import Registration
from sso.service import SsoService
from sso.settings import SsoSettings
from trustcore.crypto.software import SoftwareKeys
from trustcore.database import Database

from support.identity import EPOCH, GOODBYE, REDIRECT_URI, Browser, Clock, World
from support.postgres import postgres_server

REGISTRATION = Registration(
    client_id="app",
    name="一网通办",
    redirect_uris=(REDIRECT_URI, "http://127.0.0.1:8123/callback?tenant=1"),
    post_logout_redirect_uris=(GOODBYE,),
    scopes=frozenset({"openid", "profile", "roles", "licence:issue", "seal:sign"}),
)


def _world(url: str, keys: SoftwareKeys, secret: str, cookie: str) -> World:
    database, clock = Database(url), Clock(EPOCH)
    service = SsoService(database, keys, clock, os.urandom, SsoSettings())
    return World(
        service=service,
        database=database,
        keys=keys,
        clock=clock,
        secret=secret,
        registration=REGISTRATION,
        cookie=cookie,
    )


@pytest.fixture(scope="session")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, SoftwareKeys, str, str]:
    """The database's file, the keys, the secret of the client, and the cookie of a session."""
    file, keys = tmp_path_factory.mktemp("sso") / "furnished.db", SoftwareKeys()
    made = _furnish(_world(f"sqlite:///{file}", keys, "", ""))
    made.database.close()
    return file, keys, made.secret, made.cookie


def _furnish(empty: World) -> World:
    empty.database.create_tables()
    secret = empty.service.applications.register(REGISTRATION, actor="test")
    assert secret is not None
    empty.add_person("alice")
    assert empty.service.public_keys.jwks
    return replace(empty, secret=secret, cookie=empty.session())


@pytest.fixture
def world(furnished: tuple[Path, SoftwareKeys, str, str], tmp_path: Path) -> Iterator[World]:
    file, keys, secret, cookie = furnished
    copy = shutil.copy(file, tmp_path / "sso.db")
    made = _world(f"sqlite:///{copy}", keys, secret, cookie)
    yield made
    made.database.close()


@pytest.fixture
def world_on_postgres() -> Iterator[World]:
    with postgres_server() as url:
        made = _furnish(_world(url, SoftwareKeys(), "", ""))
        yield made
        made.database.close()


@pytest.fixture
def browser(world: World) -> Browser:
    return Browser(world.service)


@pytest.fixture
def new_browser(world: World) -> Callable[[], Browser]:
    return lambda: Browser(world.service)
