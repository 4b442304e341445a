"""Envelope keys: versions, rotation, re-wrapping, what is kept in memory, and the key from before versions."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select
from typer.testing import CliRunner

from hsm.cli import build_cli
from hsm.core.profiles import CipherMode
from hsm.keys.envelope import DataKeys
from hsm.keys.ring import DataKeyRing
from hsm.models import DataKeyRow
from hsm.service import HsmService
from trustcore.audit import AuditRow
from trustcore.crypto.algorithms import KeyAlgorithm
from trustcore.database import Database
from trustcore.errors import MalformedError, NotFoundError, RejectedError, TrustError
from trustcore.protection import FIELD_KEY, DataKey, open_field_cipher
from trustcore.signing import KeyPurpose

pytestmark = pytest.mark.hsm

OpenHsm = Callable[..., AbstractContextManager[HsmService]]
NAME = "archive"


class Ticker:
    """Seconds that go on when told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class WithoutSm4:
    """The machines of an installation that have no SM4."""

    def __init__(self, service: HsmService) -> None:
        self._service = service

    def __getattr__(self, name: str) -> Any:
        return getattr(self._service, name)

    def generate_sm4(self, label: str, *, purpose: KeyPurpose = KeyPurpose.ENCRYPTION) -> str:
        raise RejectedError("The machine makes no SM4 keys.", code="hsm.machine.cannot")


class Counting:
    """Counts what the machines are asked to unwrap."""

    def __init__(self, service: HsmService) -> None:
        self._service = service
        self.unwrapped = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._service, name)

    def sm4_decrypt(self, key_uri: str, mode: CipherMode, data: bytes, *, iv: bytes, associated: bytes = b"") -> bytes:
        self.unwrapped += 1
        return self._service.sm4_decrypt(key_uri, mode, data, iv=iv, associated=associated)


@pytest.fixture
def ticker() -> Ticker:
    return Ticker()


@pytest.fixture(params=["sm4-gcm", "sm2"])
def form(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def keys(service: HsmService, database: Database, now: datetime, ticker: Ticker, form: str) -> Iterator[DataKeys]:
    machines: Any = service if form == "sm4-gcm" else WithoutSm4(service)
    opened = DataKeys(database, machines, clock=lambda: now, monotonic=ticker)
    yield opened
    opened.close()


def test_data_of_every_version_is_opened_for_as_long_as_there_is_any(keys: DataKeys, form: str) -> None:
    sealed = [keys.seal(NAME, b"one", b"row 1")]
    for _ in range(2):
        keys.rotate(NAME, actor="tester")
        sealed.append(keys.seal(NAME, b"one", b"row 1"))
    assert [int.from_bytes(item[:4]) for item in sealed] == [1, 2, 3]
    assert {keys.open(NAME, item, b"row 1") for item in sealed} == {b"one"}
    assert [(v.version, v.current, v.form) for v in keys.versions()] == [
        (1, False, form), (2, False, form), (3, True, form)
    ]  # fmt: skip


def test_what_was_changed_or_belongs_elsewhere_is_refused(keys: DataKeys) -> None:
    sealed = keys.seal(NAME, b"text", b"row 1")
    keys.rotate(NAME, actor="tester")
    for data, associated in (
        (sealed, b"row 2"),
        (sealed[:-1] + bytes([sealed[-1] ^ 1]), b"row 1"),
        (b"\0\0\0\2" + sealed[4:], b"row 1"),
        (sealed[:3], b"row 1"),
        (b"", b""),
    ):
        with pytest.raises(MalformedError) as caught:
            keys.open(NAME, data, associated)
        assert caught.value.code == "crypto.sm4.tag"
    with pytest.raises(NotFoundError) as missing:
        keys.open(NAME, b"\0\0\0\x09" + sealed[4:], b"row 1")
    assert missing.value.code == "hsm.data-key.not-found"
    with pytest.raises(TrustError):
        keys.open("other", sealed, b"row 1")


def test_rewrapping_changes_the_outer_key_and_no_data(keys: DataKeys, form: str) -> None:
    sealed = keys.seal(NAME, b"one")
    keys.rotate(NAME, actor="tester")
    before = {v.key_uri for v in keys.versions()}
    assert keys.rewrap(NAME, actor="tester") == 2
    after = {v.key_uri for v in keys.versions()}
    assert len(after) == 1
    assert not before & after
    keys.close()
    assert keys.open(NAME, sealed) == b"one"
    assert keys.rotate(NAME, actor="tester") == 3
    assert {v.key_uri for v in keys.versions()} == after, "new versions go under the newest outer key"


@pytest.mark.parametrize("form", ["sm4-gcm"], indirect=True)
def test_a_rewrapping_that_was_cut_off_is_finished_with_the_same_outer_key(
    keys: DataKeys, database: Database, now: datetime, service: HsmService
) -> None:
    for _ in range(2):
        keys.rotate(NAME, actor="tester")

    class Stops:
        """Stops after the first row."""

        left = 1

        def __getattr__(self, name: str) -> Any:
            return getattr(service, name)

        def sm4_encrypt(self, *args: Any, **options: Any) -> bytes:
            self.left -= 1
            if self.left < 0:
                raise KeyboardInterrupt
            return service.sm4_encrypt(*args, **options)

    stops: Any = Stops()
    with pytest.raises(KeyboardInterrupt):
        DataKeys(database, stops, clock=lambda: now).rewrap(NAME, actor="tester")
    assert len({v.key_uri for v in keys.versions()}) == 2
    keys.rewrap(NAME, actor="tester")
    (uri,) = {v.key_uri for v in keys.versions()}
    assert "archive-kek-2" in uri


@pytest.mark.parametrize("form", ["sm4-gcm"], indirect=True)
def test_wrapped_keys_cannot_be_exchanged_in_the_table(keys: DataKeys, database: Database) -> None:
    keys.rotate(NAME, actor="tester")
    with database.transaction() as session:
        first, second = session.scalars(select(DataKeyRow).order_by(DataKeyRow.version))
        first.wrapped, second.wrapped = second.wrapped, first.wrapped
    keys.close()
    with pytest.raises(MalformedError) as caught:
        keys.key(NAME, 1)
    assert caught.value.code == "hsm.cipher.invalid"


def test_open_keys_expire_are_few_and_are_overwritten(
    service: HsmService, database: Database, now: datetime, ticker: Ticker
) -> None:
    counting: Any = Counting(service)
    keys = DataKeys(database, counting, clock=lambda: now, monotonic=ticker)
    sealed = keys.seal(NAME, b"one")
    for _ in range(5):
        assert keys.open(NAME, sealed) == b"one"
    assert counting.unwrapped == 1
    (entry,) = keys._open.values()
    ticker.now += 300
    assert keys.open(NAME, sealed) == b"one"
    assert counting.unwrapped == 2
    assert entry.key == bytes(16), "what expired is overwritten"
    for _ in range(2):
        keys.rotate(NAME, actor="tester")
    keys._open.clear()
    for number in range(70):
        keys._open[NAME, 1000 + number] = type(entry)(bytearray(b"k" * 16), ticker.now + 100)
    keys.key(NAME, 1)
    assert len(keys._open) == 64


def test_other_processes_see_a_rotation_in_half_a_minute(
    service: HsmService, database: Database, now: datetime, ticker: Ticker
) -> None:
    here, there = (DataKeys(database, service, clock=lambda: now, monotonic=ticker) for _ in range(2))
    assert here.current(NAME)[0] == there.current(NAME)[0] == 1
    here.rotate(NAME, actor="tester")
    assert (here.current(NAME)[0], there.current(NAME)[0]) == (2, 1)
    assert there.open(NAME, here.seal(NAME, b"new")) == b"new"
    ticker.now += 30
    assert there.current(NAME)[0] == 2


def test_of_processes_that_begin_at_once_all_use_the_same_key(
    service: HsmService, database: Database, now: datetime
) -> None:
    found: list[tuple[int, bytes]] = []
    threads = [
        threading.Thread(target=lambda: found.append(DataKeys(database, service, clock=lambda: now).current(NAME)))
        for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 6
    assert len(set(found)) == 1


def test_no_key_stands_in_the_table_or_the_trail(keys: DataKeys, database: Database) -> None:
    _, key = keys.current(NAME)
    keys.rewrap(NAME, actor="tester")
    with database.transaction() as session:
        assert all(key not in row.wrapped for row in session.scalars(select(DataKeyRow)))
        facts = str([row.facts for row in session.scalars(select(AuditRow))])
    assert key.hex() not in facts


# The key from before versions


@pytest.fixture
def old(service: HsmService, database: Database, now: datetime) -> tuple[str, str]:
    """What an installation wrote before keys had versions: an encrypted number and its look-up value."""
    cipher = open_field_cipher(database, service, lambda: now)
    return cipher.encrypt("11010519491231002X"), cipher.lookup("11010519491231002X")


def test_an_installation_goes_on_with_its_key_and_rotates_it(
    service: HsmService, database: Database, now: datetime, old: tuple[str, str]
) -> None:
    sealed, lookup = old
    times = [now]
    ring = DataKeyRing(service.data_keys, FIELD_KEY, lambda: times[-1])
    cipher = open_field_cipher(database, service, lambda: now, versions=ring)
    assert "." not in cipher.encrypt("x"), "nothing changes before a rotation"
    assert service.data_keys.rotate(FIELD_KEY, actor="tester") == 2
    ring.refresh()
    assert "." not in cipher.encrypt("x"), "other processes may not have seen the new version yet"
    times.append(now + timedelta(seconds=30))
    ring.refresh()
    newer = cipher.encrypt("11010519491231002X")
    assert newer.startswith("2.")
    assert cipher.decrypt(sealed) == cipher.decrypt(newer) == "11010519491231002X"
    assert cipher.lookup("11010519491231002X") == lookup
    assert [(v.version, v.form) for v in service.data_keys.versions()] == [(1, "sm2"), (2, "sm4-gcm")]
    for damaged in (newer.replace("2.", "1."), newer.replace("2.", "3."), newer[:-4] + "AAA=", "x." + newer[2:], "2.é"):
        with pytest.raises((MalformedError, NotFoundError)):
            cipher.decrypt(damaged)


def test_fields_are_encrypted_inside_a_transaction(
    service: HsmService, database: Database, now: datetime, old: tuple[str, str]
) -> None:
    ring = DataKeyRing(service.data_keys, FIELD_KEY, lambda: now + timedelta(minutes=1))
    cipher = open_field_cipher(database, service, lambda: now, versions=ring)
    service.data_keys.rotate(FIELD_KEY, actor="tester")
    with ring.following():
        service.data_keys.close()
        with database.transaction():
            assert cipher.decrypt(cipher.encrypt("text")) == "text"
            assert cipher.decrypt(old[0]) == "11010519491231002X"


def test_after_rewrapping_the_first_outer_key_is_not_needed(
    open_machines: OpenHsm, database: Database, now: datetime, service: HsmService, old: tuple[str, str]
) -> None:
    ring = DataKeyRing(service.data_keys, FIELD_KEY, lambda: now)
    open_field_cipher(database, service, lambda: now, versions=ring)
    service.data_keys.rotate(FIELD_KEY, actor="tester")
    service.data_keys.rewrap(FIELD_KEY, actor="tester")
    with database.transaction() as session:
        assert session.get_one(DataKey, FIELD_KEY).key_uri != f"pkcs11:object={FIELD_KEY};type=private"
    service.suspend(FIELD_KEY, actor="tester")
    service.data_keys.close()
    cipher = open_field_cipher(database, service, lambda: now, versions=ring)
    assert cipher.decrypt(old[0]) == "11010519491231002X"
    assert cipher.lookup("11010519491231002X") == old[1]
    assert open_field_cipher(database, service, lambda: now).decrypt(old[0]) == "11010519491231002X"


def test_the_installations_key_is_not_made_behind_its_back(service: HsmService) -> None:
    with pytest.raises(NotFoundError) as caught:
        service.data_keys.current(FIELD_KEY)
    assert caught.value.code == "hsm.data-key.not-found"


def test_without_versions_a_later_one_is_refused(service: HsmService, database: Database, now: datetime) -> None:
    cipher = open_field_cipher(database, service, lambda: now)
    with pytest.raises(MalformedError):
        cipher.decrypt("2." + cipher.encrypt("x"))
    assert service.find(FIELD_KEY)
    assert service.key(FIELD_KEY).algorithm in {KeyAlgorithm.SM2, "sm2"}


def test_commands_list_rotate_and_rewrap(open_machines: OpenHsm, service: HsmService, database: Database) -> None:
    open_field_cipher(database, service, service.now)
    app = build_cli(open_machines)

    def done(*words: str) -> str:
        result = CliRunner().invoke(app, ["data-keys", *words])
        assert result.exit_code == 0, result.exception
        return result.output

    (first,) = json.loads(done("list", "--json"))
    assert (first["name"], first["version"], first["current"]) == (FIELD_KEY, 1, True)
    assert done("rotate").strip() == f"{FIELD_KEY}: 2"
    assert done("rewrap").strip() == f"{FIELD_KEY}: 2"
    rows = json.loads(done("list", "--json"))
    assert [(row["version"], row["current"]) for row in rows] == [(1, False), (2, True)]
    assert {row["key_uri"] for row in rows}.isdisjoint({first["key_uri"]})
    assert FIELD_KEY[:12] in done("list")
    for command in ("rotate", "rewrap"):
        assert isinstance(CliRunner().invoke(app, ["data-keys", command, "slip"]).exception, NotFoundError)
    assert "slip" not in done("list", "--json")
