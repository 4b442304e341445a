"""Counting uses, and limits that no number of processes exceeds."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy.exc import IntegrityError

from hsm.core.events import EventKind
from hsm.core.lifecycle import KeyState
from hsm.keys.bookkeeping import Bookkeeper
from hsm.keys.register import KeyRegister
from hsm.keys.usage import UsageMeter
from hsm.models import KeyRow
from hsm.service import HsmService
from hsm.store import keys as store
from hsm.store.keys import NewKey
from trustcore.crypto.algorithms import KeyAlgorithm
from trustcore.database import Database
from trustcore.errors import BusyError, MalformedError, RejectedError

OpenHsm = Callable[..., AbstractContextManager[HsmService]]
ROOT = Path(__file__).parents[2]
ACTOR = "user:wang"

SIGN_UNTIL_REFUSED = """
import os, sys
from datetime import UTC, datetime
from pathlib import Path
from hsm.service import open_hsm
from hsm.settings import HsmSettings
from trustcore.crypto import verify
from trustcore.database import Database
from trustcore.errors import RejectedError

folder, tally = Path(sys.argv[1]), os.open(sys.argv[2], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
database = Database(f"sqlite:///{folder / 'test.db'}")
with open_hsm(HsmSettings(), data_dir=folder, database=database, clock=lambda: datetime.now(UTC)) as service:
    signer = service.signer("pkcs11:object=key;type=private")
    digest = bytes(32)
    while True:
        try:
            signature = signer.sign_digest(digest)
        except RejectedError as error:
            assert error.code == "hsm.key.limit", error.code
            break
        assert verify.verify_digest(signer.public_key_der, signer.algorithm, digest, signature)
        os.write(tally, b"x")
"""


@pytest.mark.hsm
def test_a_limit_is_never_exceeded_by_processes_of_which_one_is_killed(
    open_machines: OpenHsm, data_dir: Path, tmp_path: Path, database: Database
) -> None:
    limit = 1000
    with open_machines() as service:
        service.make(NewKey(label="key", algorithm="sm2", usage_limit=limit))
    tally = tmp_path / "tally"
    tally.touch()

    def start() -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, "-c", SIGN_UNTIL_REFUSED, data_dir, tally], cwd=ROOT)

    first, second = start(), start()
    try:
        while tally.stat().st_size < limit // 4:
            assert first.poll() is None or second.poll() is None
            time.sleep(0.005)
        os.kill(first.pid, signal.SIGKILL)
        first.wait()
        assert second.wait(timeout=120) == 0
    finally:
        for process in (first, second):
            process.kill()
            process.wait()
    made = tally.stat().st_size
    assert limit - 64 <= made <= limit, "the one that was killed takes what it held on lease with it, and no more"
    with database.transaction() as session:
        record = store.key_record(session, "key")
    assert record is not None
    assert record.used == limit
    assert start().wait(timeout=120) == 0
    assert tally.stat().st_size == made, "nothing is left for a third one"


@pytest.mark.hsm
def test_the_last_uses_are_all_there_when_nobody_dies(open_machines: OpenHsm) -> None:
    with open_machines() as service:
        service.make(NewKey(label="key", algorithm="ec-p256", usage_limit=40))
    for _ in range(4):
        with open_machines() as service:
            signer = service.signer("pkcs11:object=key;type=private")
            for _ in range(10):
                signer.sign_digest(bytes(32))
    with open_machines() as service:
        with pytest.raises(RejectedError) as caught:
            service.signer("pkcs11:object=key;type=private").sign_digest(bytes(32))
        assert caught.value.code == "hsm.key.limit"
        assert (service.key("key").used, service.key("key").state) == (40, KeyState.ACTIVE)
        service.set_limit("key", 41, actor=ACTOR)
        assert service.signer("pkcs11:object=key;type=private").sign_digest(bytes(32))


@pytest.mark.hsm
def test_a_batch_is_signed_whole_or_not_at_all(service: HsmService) -> None:
    signer = service.signer(service.make(NewKey(label="key", algorithm="sm2", usage_limit=10)).uri)
    assert len(signer.sign_many([bytes(32)] * 7)) == 7
    with pytest.raises(RejectedError):
        signer.sign_many([bytes(32)] * 4)
    assert len(signer.sign_many([bytes(32)] * 3)) == 3
    with pytest.raises(RejectedError):
        signer.sign_digest(bytes(32))


@pytest.mark.hsm
def test_uses_of_an_unlimited_key_are_counted_over_processes(open_machines: OpenHsm) -> None:
    with open_machines() as service:
        signer = service.signer(service.generate("key", KeyAlgorithm.EC_P256))
        signer.sign_many([bytes(32)] * 5)
        assert service.key("key").used == 5
    with open_machines() as service:
        assert service.key("key").used == 5, "written at the end"
        with pytest.raises(RejectedError) as caught:
            service.set_limit("key", 4, actor=ACTOR)
        assert caught.value.code == "hsm.key.used"
        with pytest.raises(MalformedError):
            service.set_limit("key", 0, actor=ACTOR)
        assert service.set_limit("key", 5, actor=ACTOR).usage_limit == 5
        with pytest.raises(RejectedError):
            service.signer("pkcs11:object=key;type=private").sign_digest(bytes(32))
        service.set_limit("key", None, actor=ACTOR)
        signer = service.signer("pkcs11:object=key;type=private")
        assert signer.sign_digest(bytes(32))
        assert service.set_limit("key", 7, actor=ACTOR).used == 6, "what was counted and not written counts"
        signer.sign_digest(bytes(32))
        with pytest.raises(RejectedError):
            signer.sign_digest(bytes(32))


class Office:
    """A meter over a database without machines."""

    def __init__(self, database: Database, now: datetime) -> None:
        self.told: list[tuple[EventKind, str]] = []
        self.database = database
        self.register = KeyRegister(database)
        self.meter = UsageMeter(
            database,
            self.register,
            clock=lambda: now,
            announce=lambda *event: self.told.append(event),
            wake=lambda: None,
        )

    def used(self, label: str = "key") -> int:
        with self.database.transaction() as session:
            return session.get_one(KeyRow, label).used


@pytest.fixture
def office(database: Database, now: datetime) -> Callable[[int | None], Office]:
    def opened(limit: int | None) -> Office:
        with database.transaction() as session:
            new = NewKey(label="key", algorithm="sm2", usage_limit=limit)
            store.request(session, new, key_id=bytes(16), uri="pkcs11:object=key;type=private", at=now, host="here")
            store.finish(session, "key", public_key_der=b"key", machines=["machine-1"], at=now)
        return Office(database, now)

    return opened


@pytest.fixture
def database(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Database]:
    """The machines' database where there are machines, an empty one otherwise."""
    if "data_dir" in request.fixturenames:
        opened = Database(f"sqlite:///{request.getfixturevalue('data_dir') / 'test.db'}")
    else:
        opened = Database(f"sqlite:///{tmp_path / 'test.db'}")
        opened.create_tables()
    yield opened
    opened.close()


def test_a_limit_is_told_when_near_and_when_reached(office: Callable[[int | None], Office]) -> None:
    opened = office(100)
    for _ in range(100):
        opened.meter.spend("key")
    assert [kind for kind, _ in opened.told] == [EventKind.KEY_LIMIT_NEAR, EventKind.KEY_LIMIT_REACHED]
    assert all("key" in detail and "100" in detail for _, detail in opened.told)
    with pytest.raises(RejectedError):
        opened.meter.spend("key")


def test_leases_shrink_as_the_limit_comes_near(office: Callable[[int | None], Office]) -> None:
    opened = office(1600)
    opened.meter.spend("key")
    assert opened.used() == 100
    for _ in range(1498):
        opened.meter.spend("key")
    assert opened.used() <= 1512


def test_a_lease_that_lies_idle_is_given_back(office: Callable[[int | None], Office]) -> None:
    opened = office(1600)
    opened.meter.spend("key")
    opened.meter.write()
    assert opened.used() == 100, "it was used a moment ago"
    opened.meter.write()
    assert opened.used() == 1
    opened.meter.spend("key", 3)
    opened.meter.give_all_back()
    assert opened.used() == 4


def test_threads_together_never_exceed_a_limit(office: Callable[[int | None], Office]) -> None:
    opened = office(500)

    def spend(_: int) -> int:
        made = 0
        with pytest.raises(RejectedError):
            while True:
                opened.meter.spend("key")
                made += 1
        return made

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(spend, range(4))) == 500


def test_counts_wait_for_a_database_that_does_not_answer(office: Callable[[int | None], Office]) -> None:
    opened = office(None)
    opened.meter.spend("key", 7)
    with away(opened.database), pytest.raises(BusyError):
        opened.meter.write()
    opened.meter.spend("key", 1)
    opened.meter.write()
    opened.meter.write()
    assert opened.used() == 8


def test_signing_goes_on_for_a_while_without_the_database_and_not_for_ever(
    office: Callable[[int | None], Office],
) -> None:
    opened = office(None)
    time_now = [0.0]
    opened.register._monotonic = lambda: time_now[0]
    opened.meter.spend("key")
    with away(opened.database):
        for seconds in (1.0, 3.0, 3.5, 30.0, 59.0):
            time_now[0] = seconds
            opened.meter.spend("key")
        time_now[0] = 61.0
        with pytest.raises(BusyError):
            opened.meter.spend("key")
    opened.meter.spend("key")


def test_the_bookkeeper_writes_by_itself_and_at_the_end() -> None:
    written, ended = threading.Event(), []
    keeper = Bookkeeper((written.set,), at_end=lambda: ended.append(True), every_seconds=0.01)
    assert keeper._thread is None, "nothing runs before there is something to write"
    keeper.wake()
    keeper.wake()
    assert written.wait(5)
    keeper.close()
    assert ended == [True]
    assert not keeper._thread.is_alive()


@contextmanager
def away(database: Database) -> Iterator[None]:
    """The tables are gone for the time of the block."""
    with database.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE hsm_key RENAME TO hsm_key_away")
    yield
    with database.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE hsm_key_away RENAME TO hsm_key")


def test_a_book_that_the_database_refuses_does_not_end_the_others() -> None:
    written = threading.Event()

    def refused() -> None:
        raise IntegrityError("INSERT", None, ValueError("twice"))

    keeper = Bookkeeper((refused, written.set), at_end=lambda: None, every_seconds=0.01)
    keeper.wake()
    for _ in range(2):
        assert written.wait(10)
        written.clear()
    keeper.close()
