"""The seal service on PostgreSQL, with many callers at once."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select

from seal_service.models import SealRow, UseRow
from trustcore import audit
from trustcore.errors import ConflictError, TrustError
from trustcore.report import Verdict

from support.postgres import postgres_server
from support.seal_suite import SPEC, Suite, make_pdf, make_suite

pytestmark = pytest.mark.postgres


@pytest.fixture(scope="module")
def on_postgres() -> Iterator[Suite]:
    with postgres_server() as url:
        made = make_suite(url)
        yield made
        made.database.close()


def test_many_who_ask_for_the_same_seal_at_once_get_one(on_postgres: Suite) -> None:
    spec = replace(SPEC, code="3702000044444")
    with ThreadPoolExecutor(4) as pool:
        asked = lambda _: on_postgres.service.make_seal(spec, request_id="together").id  # noqa: E731
        assert len(set(pool.map(asked, range(4)))) == 1
    with on_postgres.database.transaction() as session:
        assert len(session.scalars(select(SealRow).where(SealRow.code == spec.code)).all()) == 1


def test_uses_at_once_are_all_recorded_in_one_chain(on_postgres: Suite) -> None:
    service, seal_id = on_postgres.service, on_postgres.seal.id
    with ThreadPoolExecutor(4) as pool:
        sealed = list(pool.map(lambda n: service.stamp_pdf(seal_id, make_pdf(text=f"{n}"), form="gm"), range(8)))
    assert {service.verify(document).verdict for document in sealed} == {Verdict.VALID}
    with on_postgres.database.transaction() as session:
        assert [row.outcome for row in session.scalars(select(UseRow).where(UseRow.kind == "pdf-gm"))] == ["done"] * 8
        assert audit.verify_chain(session).verdict is Verdict.VALID


def test_one_request_sent_many_times_at_once_signs_once(on_postgres: Suite) -> None:
    service, seal_id = on_postgres.service, on_postgres.seal.id

    def ask(_: int) -> bytes | str:
        try:
            return service.sign(seal_id, message=b"once", request_id="many").signature
        except TrustError as error:
            return error.code

    with ThreadPoolExecutor(4) as pool:
        answers = set(pool.map(ask, range(4)))
    assert len({answer for answer in answers if isinstance(answer, bytes)}) == 1
    assert {answer for answer in answers if isinstance(answer, str)} <= {"seal.request.in-progress"}
    assert service.sign(seal_id, message=b"once", request_id="many").signature in answers
    with pytest.raises(ConflictError):
        service.sign(seal_id, message=b"twice", request_id="many")
    assert service.close_reservations(older_than=timedelta(0)) == 0
