"""Limits, approvals and the inventory on PostgreSQL, where transactions really run beside each other."""

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, suppress
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from hsm.core.approvals import ApprovalAct, ApprovalState
from hsm.core.lifecycle import KeyState
from hsm.keys.approvals import Approvals
from hsm.keys.certificates import KeyCertificates
from hsm.keys.envelope import DataKeys
from hsm.keys.register import KeyRegister
from hsm.keys.usage import UsageMeter
from hsm.models import KeyRow
from hsm.service import HsmService
from hsm.settings import HsmSettings
from hsm.store import keys as store
from hsm.store.keys import KeyFilter, NewKey
from trustapp import schema
from trustcore.audit import AuditRow
from trustcore.crypto.software import SoftwareKeys
from trustcore.database import Database
from trustcore.errors import ConflictError, MalformedError, RejectedError
from trustcore.protection import DataKey
from trustcore.signing import KeyPurpose

from support.postgres import PostgresMissingError, postgres_server
from support.threads import at_once
from support.x509_workshop import Workshop

pytestmark = pytest.mark.postgres

CEREMONY = (Path(__file__).parents[2] / "samples" / "ceremony" / "root-ca.toml").read_bytes()
NAMES = ("赵明", "李华")


@pytest.fixture
def database() -> Iterator[Database]:
    """Brought to the newest revision as an installation is."""
    try:
        with postgres_server() as url:
            opened = Database(url)
            schema.upgrade(opened)
            yield opened
            opened.close()
    except PostgresMissingError:
        pytest.skip("PostgreSQL is not installed")


def make(database: Database, now: datetime, *keys: NewKey) -> None:
    with database.transaction() as session:
        for new in keys:
            uri = f"pkcs11:object={new.label};type=private"
            store.request(session, new, key_id=os.urandom(16), uri=uri, at=now, host="here")
            store.finish(session, new.label, public_key_der=b"key", machines=["machine-1", "machine-2"], at=now)


def test_meters_of_many_processes_together_never_exceed_a_limit(database: Database, now: datetime) -> None:
    make(database, now, NewKey(label="key", algorithm="sm2", usage_limit=300))

    def spend(_: int) -> int:
        register = KeyRegister(database)
        meter = UsageMeter(database, register, clock=lambda: now, announce=lambda *_: None, wake=lambda: None)
        made = 0
        with suppress(RejectedError):
            while made < 200:
                meter.spend("key", 1 + made % 3)
                made += 1 + made % 3
        meter.give_all_back()
        return made

    total = sum(at_once(6, spend))
    with database.transaction() as session:
        assert session.get_one(KeyRow, "key").used == total <= 300


def test_of_two_who_agree_at_once_each_counts_once(database: Database, now: datetime) -> None:
    approvals = Approvals(database, clock=lambda: now, random=os.urandom, four_eyes=True, three_persons=False)
    request = approvals.request(ApprovalAct.DESTROY, "key", {"key-id": "00"}, actor="user:wang")

    def agree(number: int) -> bool:
        try:
            approvals.approve(request.id, f"user:{number % 2}")
        except ConflictError:
            return False
        return True

    assert sum(at_once(6, agree)) == 2
    assert approvals.get(request.id).state(now) is ApprovalState.APPROVED
    (found,) = approvals.list()
    assert found.id == approvals.demand(ApprovalAct.DESTROY, KeyPurpose.CA, "key", {"key-id": "00"}, actor="user:wang")

    def begin(number: int) -> bool:
        with database.transaction() as session:
            approvals.reserve(session, request.id)
            approvals.finish(session, request.id, actor="user:wang")
        return True

    def begins(number: int) -> bool:
        with suppress(ConflictError):
            return begin(number)
        return False

    assert sum(at_once(4, begins)) == 1, "an approval is used once"
    later = Approvals(
        database, clock=lambda: now + timedelta(days=30), random=os.urandom, four_eyes=True, three_persons=False
    )
    assert later.list() == ()


def test_the_inventory_is_filtered(database: Database, now: datetime) -> None:
    make(
        database, now,
        NewKey(label="a", algorithm="sm2", purpose=KeyPurpose.CA),
        NewKey(label="b", algorithm="ec-p256", activate=False),
    )  # fmt: skip
    with database.transaction() as session:

        def labels(wanted: KeyFilter) -> list[str]:
            return [record.label for record in store.key_records(session, wanted=wanted)]

        assert labels(KeyFilter(machine="machine-2")) == ["a", "b"]
        assert labels(KeyFilter(machine="machine")) == []
        assert labels(KeyFilter(state=KeyState.GENERATED)) == ["b"]
        assert labels(KeyFilter(purpose=KeyPurpose.CA)) == ["a"]


@pytest.mark.hsm
def test_of_two_at_one_ceremony_file_each_counts_once(
    open_machines: Callable[..., AbstractContextManager[HsmService]],
) -> None:
    with open_machines(HsmSettings(four_eyes=True)) as service:
        ceremonies = service.ceremonies

        def review(data: bytes, name: str, login: str) -> bool:
            with suppress(ConflictError):
                return len(ceremonies.review(data, name, login=login)) > 0
            return False

        for number in range(10):
            data = CEREMONY + b"# %d\n" % number
            assert sum(at_once(2, lambda i, d=data: review(d, NAMES[i], "user:one"))) == 1, "one person under two names"
            for name in NAMES:
                review(data, name, "user:two")
            assert len(set(at_once(3, lambda _, d=data: ceremonies.begin(d, rehearsal=True)))) == 1


@pytest.mark.hsm
def test_the_data_key_from_before_versions_is_adopted_once(
    open_machines: Callable[..., AbstractContextManager[HsmService]], database: Database, now: datetime
) -> None:
    with open_machines() as service:
        for number in range(10):
            name = f"old-{number}"
            with database.transaction() as session:
                session.add(
                    DataKey(name=name, key_uri="pkcs11:object=x-kek-1;type=private", wrapped=b"", created_at=now)
                )
            fresh = [DataKeys(database, service, clock=lambda: now) for _ in range(4)]
            assert at_once(4, lambda i, n=name, f=fresh: f[i]._adopt(n)) == [1] * 4


def test_processes_that_meet_the_same_certificate_link_it_once(
    database: Database, now: datetime, software_keys: SoftwareKeys
) -> None:
    certificate = Workshop(software_keys).ca("root").certificate
    for number in range(10):
        label = f"key-{number}"
        with database.transaction() as session:
            store.request(session, NewKey(label=label, algorithm="sm2"), key_id=b"", uri=label, at=now, host="here")
            store.finish(session, label, public_key_der=certificate.public_key_der, machines=["machine-1"], at=now)
        kept = [
            KeyCertificates(database, KeyRegister(database), clock=lambda: now, wake=lambda: None) for _ in range(4)
        ]
        for certificates in kept:
            certificates.note(label, certificate.der)
        at_once(4, lambda i, kept=kept: kept[i].write())
        assert kept[0].of(label) == (certificate.der,)
        with database.transaction() as session:
            rows = session.scalars(select(AuditRow).where(AuditRow.subject == label)).all()
        assert len(rows) == 1


def test_what_the_database_cannot_hold_is_refused_as_the_callers_mistake(database: Database) -> None:
    with pytest.raises(MalformedError) as caught, database.transaction() as session:
        store.key_record(session, "a\0b")
    assert caught.value.code == "database.value"
