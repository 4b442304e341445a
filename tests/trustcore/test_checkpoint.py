from datetime import datetime

import pytest
from sqlalchemy import delete

from trustcore import audit
from trustcore.audit import AuditRow
from trustcore.checkpoint import Checkpoint, last_row, make_checkpoint, read_checkpoint, verify_checkpoint
from trustcore.crypto.algorithms import KeyAlgorithm
from trustcore.crypto.software import SoftwareKeys
from trustcore.database import Database
from trustcore.errors import MalformedError, NotFoundError
from trustcore.report import Report, Verdict
from trustcore.signing import Signer, ensure_key


@pytest.fixture
def signer(software_keys: SoftwareKeys) -> Signer:
    return software_keys.signer(ensure_key(software_keys, "audit", KeyAlgorithm.SM2))


@pytest.fixture
def checkpoint(database: Database, signer: Signer, now: datetime) -> Checkpoint:
    """Of a trail of five rows, which then grew by three."""
    _grow(database, now, 5)
    with database.transaction() as session:
        last = last_row(session)
    made = make_checkpoint(last, signer, at=now)
    _grow(database, now, 3)
    return made


def _grow(database: Database, now: datetime, count: int) -> None:
    for number in range(count):
        with database.transaction() as session:
            audit.record(session, at=now, actor="tester", action="test.done", subject=str(number))


def _verify(database: Database, checkpoint: Checkpoint, key: bytes) -> Report:
    with database.transaction() as session:
        return verify_checkpoint(session, checkpoint, public_key_der=key)


def test_a_trail_that_only_grew_holds_its_checkpoint(
    database: Database, checkpoint: Checkpoint, signer: Signer
) -> None:
    again = read_checkpoint(checkpoint.as_json())
    assert again == checkpoint
    assert _verify(database, again, signer.public_key_der).verdict is Verdict.VALID


def test_rows_that_were_cut_off_are_noticed(database: Database, checkpoint: Checkpoint, signer: Signer) -> None:
    with database.transaction() as session:
        session.execute(delete(AuditRow).where(AuditRow.number > 4))
    report = _verify(database, checkpoint, signer.public_key_der)

    assert [step.code for step in report.problems] == ["audit.checkpoint.held"]


def test_rows_written_anew_are_noticed(
    database: Database, checkpoint: Checkpoint, signer: Signer, now: datetime
) -> None:
    with database.transaction() as session:
        session.execute(delete(AuditRow).where(AuditRow.number > 3))
    _grow(database, now, 5)
    report = _verify(database, checkpoint, signer.public_key_der)

    assert [step.code for step in report.problems] == ["audit.checkpoint.held"]


def test_a_checkpoint_of_another_key_proves_nothing(
    database: Database, checkpoint: Checkpoint, software_keys: SoftwareKeys
) -> None:
    stranger = software_keys.signer(software_keys.generate("stranger", KeyAlgorithm.SM2))
    report = _verify(database, checkpoint, stranger.public_key_der)
    assert [step.code for step in report.problems] == ["audit.checkpoint.signature"]


@pytest.mark.parametrize("change", [{"audit_row": "x"}, {"digest": "zz"}, {"signature": "?"}, {"algorithm": "none"}])
def test_a_file_that_is_no_checkpoint_is_refused(checkpoint: Checkpoint, change: dict[str, object]) -> None:
    with pytest.raises(MalformedError):
        read_checkpoint({**checkpoint.as_json(), **change})


def test_an_empty_trail_has_no_checkpoint(database: Database) -> None:
    with pytest.raises(NotFoundError), database.transaction() as session:
        last_row(session)
