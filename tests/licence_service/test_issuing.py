"""Reserve → sign → record, cut off anywhere."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from licence_service.core.identifiers import Diagnosis, parse_identifier
from licence_service.core.licence import Form
from licence_service.core.record import LicenceRecord
from licence_service.core.states import LicenceState
from licence_service.service import LicenceService
from licence_service.settings import LicenceSettings
from trustcore import audit
from trustcore.database import Database
from trustcore.errors import BusyError, ConflictError, InternalError, NotFoundError, RejectedError
from trustcore.report import Report, ReportBuilder, Verdict

ALL = (Form.OFD, Form.PDF, Form.SM2_PDF)
STEPS = ("ofd", "pades", "gm", "put 1", "put 2", "put 3", "record")


class Killed(BaseException):
    """The process dies here."""


class DyingDocuments:
    """The real store of a process that dies right after a file was kept."""

    def __init__(self, documents: object, at: int) -> None:
        self._documents, self._left = documents, at

    def put(self, data: bytes) -> str:
        sha256: str = self._documents.put(data)  # type: ignore[attr-defined]
        self._left -= 1
        if self._left == 0:
            raise Killed
        return sha256

    def get(self, sha256: str) -> bytes:
        data: bytes = self._documents.get(sha256)  # type: ignore[attr-defined]
        return data


def test_a_licence_is_issued_with_number_token_and_files(
    service: LicenceService, make_record: Callable[..., LicenceRecord]
) -> None:
    licence = service.issue(make_record(), request_id="r1", forms=ALL)
    assert parse_identifier(licence.identifier).diagnosis is Diagnosis.STANDARD
    assert licence.state is LicenceState.VALID
    assert licence.address == f"http://localhost:8000/v/{licence.token}"
    assert len(licence.token) == 26
    assert {document.form for document in licence.documents} == set(ALL)
    for document in licence.documents:
        assert document.report is not None
        assert document.report.verdict is Verdict.VALID
        data = service.document(licence.identifier, document.form)
        assert len(data) == document.size_bytes
        assert service.verify(data).licence == licence


def test_the_same_request_gives_the_same_licence_and_seals_nothing_again(
    service: LicenceService, make_record: Callable[..., LicenceRecord], seals: object
) -> None:
    first = service.issue(make_record(), request_id="r1")
    assert service.issue(make_record(), request_id="r1") == first
    assert seals.stamped == ["ofd", "pades"]  # type: ignore[attr-defined]


@pytest.mark.parametrize("change", [{"name": "晴川市样例有限公司"}, {"representative_id": "440524188001010014"}])
def test_the_same_request_with_other_contents_is_a_conflict(
    service: LicenceService, make_record: Callable[..., LicenceRecord], change: dict[str, str]
) -> None:
    service.issue(make_record(), request_id="r1")
    with pytest.raises(ConflictError) as caught:
        service.issue(make_record(**change), request_id="r1")
    assert caught.value.code == "licence.request.other-body"


def test_the_same_request_with_other_forms_is_a_conflict(
    service: LicenceService, make_record: Callable[..., LicenceRecord]
) -> None:
    service.issue(make_record(), request_id="r1")
    with pytest.raises(ConflictError):
        service.issue(make_record(), request_id="r1", forms=ALL)


@pytest.mark.parametrize("step", STEPS)
def test_a_process_killed_anywhere_leaves_a_licence_that_the_same_request_finishes(  # noqa: PLR0917 - fixtures
    step: str,
    open_service: Callable[..., LicenceService],
    make_record: Callable[..., LicenceRecord],
    seals: object,
    documents: object,
    database: Database,
) -> None:
    def die(form: str) -> None:
        if form == step:
            raise Killed

    seals.before_stamp = die  # type: ignore[attr-defined]
    dying = open_service(documents=DyingDocuments(documents, int(step[-1]) if step.startswith("put") else 0))
    if step == "record":
        _die_at_the_last_transaction(database)
    with pytest.raises((Killed, IntegrityError)):
        dying.issue(make_record(), request_id="r1", forms=ALL)
    reserved = _column(database, "identifier")
    _revive(database)
    seals.before_stamp = lambda _form: None  # type: ignore[attr-defined]
    licence = open_service().issue(make_record(), request_id="r1", forms=ALL)
    assert [licence.identifier] == reserved == _column(database, "identifier")
    assert licence.state is LicenceState.VALID
    assert {document.form for document in licence.documents} == set(ALL)
    other = open_service().issue(make_record(credit_code="91110000600037341L"), request_id="r2")
    assert other.identifier != licence.identifier


def test_a_dead_process_is_cleaned_up_without_its_caller(
    service: LicenceService, make_record: Callable[..., LicenceRecord], seals: object, clock: object
) -> None:
    def die(form: str) -> None:
        if form == "pades":
            raise Killed

    seals.before_stamp = die  # type: ignore[attr-defined]
    with pytest.raises(Killed):
        service.issue(make_record(), request_id="r1")
    seals.before_stamp = lambda _form: None  # type: ignore[attr-defined]
    assert service.resume_pending(older_than=timedelta(minutes=5)) == ()
    clock.now += timedelta(minutes=6)  # type: ignore[attr-defined]
    (licence,) = service.resume_pending(older_than=timedelta(minutes=5))
    assert licence.state is LicenceState.VALID
    assert service.issue(make_record(), request_id="r1") == licence
    assert service.resume_pending() == ()


def test_one_licence_that_a_rule_refuses_does_not_keep_others_from_being_finished(
    service: LicenceService, make_record: Callable[..., LicenceRecord], seals: object, clock: object
) -> None:
    def die(_form: str) -> None:
        raise Killed

    seals.before_stamp = die  # type: ignore[attr-defined]
    for request_id in ("r1", "r2"):
        with pytest.raises(Killed):
            service.issue(make_record(), request_id=request_id)
    stamps: list[str] = []

    def refuse_the_first(form: str) -> None:
        stamps.append(form)
        if len(stamps) == 1:
            raise RejectedError("the document is refused", code="seal.document.refused")

    seals.before_stamp = refuse_the_first  # type: ignore[attr-defined]
    clock.now += timedelta(seconds=1)  # type: ignore[attr-defined]
    assert len(service.resume_pending()) == 1
    assert len(service.resume_pending()) == 1


def test_a_machine_that_is_down_costs_no_second_number(
    service: LicenceService, make_record: Callable[..., LicenceRecord], seals: object, database: Database
) -> None:
    def down(_form: str) -> None:
        raise BusyError("no machine can sign now", code="hsm.pool.down")

    seals.before_stamp = down  # type: ignore[attr-defined]
    for _attempt in range(3):
        with pytest.raises(BusyError):
            service.issue(make_record(), request_id="r1")
    assert len(_column(database, "identifier")) == 1


def test_numbers_rise_and_are_never_used_twice(
    service: LicenceService, make_record: Callable[..., LicenceRecord]
) -> None:
    first = service.issue(make_record(), request_id="r1")
    service.change_state(first.identifier, LicenceState.VOID, reason="作废", actor="test")
    second = service.issue(make_record(), request_id="r2")
    assert [identifier.split(".")[-3] for identifier in (first.identifier, second.identifier)] == [
        "0000000001",
        "0000000002",
    ]


def test_a_record_of_another_authority_is_not_sealed(
    service: LicenceService, make_record: Callable[..., LicenceRecord], database: Database
) -> None:
    with pytest.raises(RejectedError) as caught:
        service.issue(make_record(registration_authority="望江市市场监督管理局"), request_id="r1")
    assert caught.value.code == "licence.issuer.other"
    assert _column(database, "identifier") == []


def test_a_text_that_cannot_be_printed_costs_no_number(
    service: LicenceService, make_record: Callable[..., LicenceRecord], database: Database
) -> None:
    with pytest.raises(RejectedError):
        service.issue(make_record(name="晴川市示例\U0003134a有限公司"), request_id="r1")
    assert _column(database, "identifier") == []
    assert _column(database, "last", table="licence_counter") == []


def test_a_file_that_the_verifier_refuses_is_not_issued(
    service: LicenceService, make_record: Callable[..., LicenceRecord], seals: object
) -> None:
    def refuse(_data: bytes) -> Report:
        builder = ReportBuilder("file")
        builder.check(False, "simulated.seal", zh="印章损坏", en="The seal is broken", clause="-")
        return builder.build()

    seals.verify = refuse  # type: ignore[attr-defined]
    with pytest.raises(InternalError) as caught:
        service.issue(make_record(), request_id="r1")
    assert caught.value.code == "licence.document.invalid"


def test_id_numbers_are_nowhere_in_the_database_in_the_clear(
    service: LicenceService, make_record: Callable[..., LicenceRecord], database: Database
) -> None:
    record = make_record()
    service.issue(record, request_id="r1")
    with database.transaction() as session:
        for (table,) in session.execute(text("SELECT name FROM sqlite_master WHERE type = 'table'")).all():
            rows = session.execute(text(f'SELECT * FROM "{table}"')).all()  # noqa: S608 - names of tables
            assert record.representative_id not in str(rows), table


def test_every_act_is_in_the_audit_trail_without_personal_data(
    service: LicenceService, make_record: Callable[..., LicenceRecord], database: Database
) -> None:
    record = make_record()
    licence = service.issue(record, request_id="r1", actor="clerk-7")
    service.change_state(licence.identifier, LicenceState.SUSPENDED, reason="核查", actor="clerk-8")
    with database.transaction() as session:
        rows = list(reversed(audit.rows(session)))
        assert audit.verify_chain(session).verdict is Verdict.VALID
    assert [row.action for row in rows] == [
        "licence.number.reserved",
        "licence.document.sealed",
        "licence.document.sealed",
        "licence.issued",
        "licence.suspended",
    ]
    assert {row.actor for row in rows} == {"clerk-7", "clerk-8"}
    told = json.dumps([[row.subject, row.facts] for row in rows], ensure_ascii=False)
    assert record.representative_id not in told
    assert record.representative not in told


def test_states_follow_the_rules(service: LicenceService, make_record: Callable[..., LicenceRecord]) -> None:
    licence = service.issue(make_record(), request_id="r1")
    for target in (LicenceState.SUSPENDED, LicenceState.VALID, LicenceState.CANCELLED):
        changed = service.change_state(licence.identifier, target, reason="依申请", actor="test")
        assert changed.state is target
        assert changed.state_reason == "依申请"
    assert service.change_state(licence.identifier, LicenceState.CANCELLED, reason="", actor="test") == changed
    with pytest.raises(ConflictError) as caught:
        service.change_state(licence.identifier, LicenceState.VALID, reason="", actor="test")
    assert caught.value.code == "licence.state.transition"
    with pytest.raises(NotFoundError):
        service.change_state("1.2.3", LicenceState.VALID, reason="", actor="test")


def test_no_more_files_are_made_of_a_void_licence(
    service: LicenceService, make_record: Callable[..., LicenceRecord], seals: object
) -> None:
    def die(_form: str) -> None:
        raise Killed

    seals.before_stamp = die  # type: ignore[attr-defined]
    with pytest.raises(Killed):
        service.issue(make_record(), request_id="r1")
    (pending,) = service.recent()
    with pytest.raises(ConflictError):
        service.change_state(pending.identifier, LicenceState.CANCELLED, reason="", actor="test")
    service.change_state(pending.identifier, LicenceState.VOID, reason="", actor="test")
    with pytest.raises(ConflictError) as caught:
        service.issue(make_record(), request_id="r1")
    assert caught.value.code == "licence.state.closed"


def test_a_genuine_file_of_a_cancelled_licence_does_not_stand(
    service: LicenceService, make_record: Callable[..., LicenceRecord]
) -> None:
    licence = service.issue(make_record(), request_id="r1")
    data = service.document(licence.identifier, Form.OFD)
    assert service.verify(data).report.verdict is Verdict.VALID
    service.change_state(licence.identifier, LicenceState.CANCELLED, reason="依申请", actor="test")
    verification = service.verify(data)
    assert verification.report.verdict is Verdict.INVALID
    assert [step.code for step in verification.report.problems] == ["licence.register.standing"]
    assert verification.state is LicenceState.CANCELLED


def test_a_changed_file_is_invalid_and_not_known(
    service: LicenceService, make_record: Callable[..., LicenceRecord]
) -> None:
    licence = service.issue(make_record(), request_id="r1")
    data = bytearray(service.document(licence.identifier, Form.OFD))
    data[100] ^= 1
    verification = service.verify(bytes(data))
    assert verification.report.verdict is Verdict.INVALID
    assert verification.licence is None


def test_an_address_on_a_file_does_not_follow_the_settings(
    open_service: Callable[..., LicenceService], make_record: Callable[..., LicenceRecord]
) -> None:
    licence = open_service().issue(make_record(), request_id="r1")
    moved = open_service(settings=replace_settings(public_url="https://licence.example"))
    assert moved.licence(licence.identifier).address == licence.address


def replace_settings(**changes: str) -> LicenceSettings:
    return LicenceSettings().model_copy(update=changes)


def test_a_token_is_found_in_either_case(service: LicenceService, make_record: Callable[..., LicenceRecord]) -> None:
    licence = service.issue(make_record(), request_id="r1")
    assert service.licence_by_token(licence.token.lower()) == licence
    assert replace(licence, token="") != licence
    with pytest.raises(NotFoundError):
        service.licence_by_token("A" * 26)


def _column(database: Database, name: str, *, table: str = "licence_licence") -> list[object]:
    with database.transaction() as session:
        return [value for (value,) in session.execute(text(f"SELECT {name} FROM {table} ORDER BY 1"))]  # noqa: S608


def _die_at_the_last_transaction(database: Database) -> None:
    with database.transaction() as session:
        session.execute(
            text(
                "CREATE TRIGGER power_cut BEFORE UPDATE OF state ON licence_licence WHEN NEW.state = 'valid' "
                "BEGIN SELECT RAISE(ABORT, 'power cut'); END"
            )
        )


def _revive(database: Database) -> None:
    with database.transaction() as session:
        session.execute(text("DROP TRIGGER IF EXISTS power_cut"))
