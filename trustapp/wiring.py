"""The composition root: the only place that names concrete classes, the clock and the disk."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import structlog

from ca.service import CaService
from hsm.gateway.service import GatewayService
from hsm.keys.ring import DataKeyRing
from hsm.service import HsmService, open_hsm
from licence_service.documents import FolderDocuments
from licence_service.service import LicenceService
from ofd.fonts.faces import find_fonts
from seal_service.service import SealService
from sso.service import SsoService
from trustapp import schema
from trustapp.adapters import InstallationJudge, LicenceSeals
from trustapp.settings import Settings
from trustcore.crypto import sm2
from trustcore.database import Database
from trustcore.errors import BusyError, InternalError, TrustError
from trustcore.protection import FIELD_KEY, FieldCipher, open_field_cipher

__all__ = ["DEPARTMENT_SEAL", "Suite", "now", "open_database", "open_machines", "open_suite", "wait_for_custodians"]

_log = structlog.get_logger(__name__)
_CUSTODIANS_SECONDS = 5.0

DEPARTMENT_SEAL = "department"
"""Request under which the department's seal is made; what ``[licence] seal_id`` says by default."""


def now() -> datetime:
    """The present, in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """All services of an installation, open."""

    settings: Settings
    database: Database
    hsm: HsmService
    gateway: GatewayService
    ca: CaService
    seals: SealService
    licences: LicenceService
    sso: SsoService
    cipher: FieldCipher

    @staticmethod
    def clock() -> datetime:
        """The present, in UTC."""
        return now()


@contextmanager
def open_database(settings: Settings) -> Iterator[Database]:
    """The installation's database, at its newest revision, for the time of the block.

    The embedded SQLite database is brought up to date here; another one is changed by ``xinyin migrate`` only.

    Raises:
        BusyError: ``data.unwritable`` when the data folder cannot be made, ``database.outdated``.
    """
    make_private_folder(settings.data_dir)
    database = Database(settings.database_url)
    try:
        if settings.database.url is None:
            schema.upgrade(database)
        elif not schema.is_current(database):
            raise BusyError(
                "the database is not at this version's revision; run xinyin migrate", code="database.outdated"
            )
        yield database
    finally:
        database.close()


def wait_for_custodians(error: TrustError) -> None:
    """Tell the log that machines are not activated, and wait a little: what a server does until they are."""
    _log.warning(error.code, detail=error.detail)
    time.sleep(_CUSTODIANS_SECONDS)


@contextmanager
def open_suite(settings: Settings, *, on_locked: Callable[[TrustError], None] | None = None) -> Iterator[Suite]:
    """Open everything; closed in reverse order when the block ends. ``on_locked`` as of :func:`open_hsm`."""
    with ExitStack() as stack:
        database = stack.enter_context(open_database(settings))
        hsm = stack.enter_context(_open_hsm(settings, database, on_locked=on_locked))
        ring = DataKeyRing(hsm.data_keys, FIELD_KEY, now)
        cipher = open_field_cipher(database, hsm, now, versions=ring)
        stack.enter_context(ring.following())
        yield _suite(settings, database, hsm, cipher)


@contextmanager
def open_machines(settings: Settings) -> Iterator[HsmService]:
    """The machines and nothing else, also when none of them answers or all are drained: for whoever puts them right."""
    with open_database(settings) as database, _open_hsm(settings, database, anyway=True) as hsm:
        yield hsm


def _open_hsm(
    settings: Settings,
    database: Database,
    *,
    on_locked: Callable[[TrustError], None] | None = None,
    anyway: bool = False,
) -> AbstractContextManager[HsmService]:
    if settings.crypto.sm2 == "native":
        _use_native_sm2(settings.data_dir / "cache")
    return open_hsm(
        settings.hsm, data_dir=settings.data_dir, database=database, clock=now, on_locked=on_locked, anyway=anyway
    )


def _use_native_sm2(cache_dir: Path) -> None:
    """Our own arithmetic, unless it cannot be compiled here: libcrypto gives the same answers."""
    try:
        sm2.use_native(cache_dir)
    except InternalError as error:
        _log.warning("sm2.native.unavailable", detail=error.detail, code=error.code, engine=sm2.engine_name())


def _suite(settings: Settings, database: Database, hsm: HsmService, cipher: FieldCipher) -> Suite:
    ca = CaService(database, hsm, now, settings.ca)
    seals = SealService(database, hsm, ca, ca, clock=now, settings=settings.seal)
    licences = LicenceService(
        database=database,
        seals=LicenceSeals(seals),
        documents=FolderDocuments(settings.data_dir / "documents"),
        cipher=cipher,
        fonts=find_fonts(),
        clock=now,
        random=hsm.random,
        settings=settings.licence,
    )
    sso = SsoService(database, hsm, now, hsm.random, settings.sso)
    gateway = GatewayService(
        database, hsm, now, settings.hsm.gateway, judge=InstallationJudge(ca, settings.hsm.gateway)
    )
    return Suite(
        settings=settings,
        database=database,
        hsm=hsm,
        gateway=gateway,
        ca=ca,
        seals=seals,
        licences=licences,
        sso=sso,
        cipher=cipher,
    )


def make_private_folder(path: Path) -> None:
    """Make a folder that only its owner enters. Raises ``BusyError`` (``data.unwritable``)."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise BusyError(
            f"the data folder {path} cannot be made: {error.strerror}; choose another with --data",
            code="data.unwritable",
        ) from error
