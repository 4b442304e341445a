"""Many clerks at once: no number twice, one licence for one request; on both databases."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from licence_service.core.licence import Form, Licence
from licence_service.core.record import LicenceRecord
from licence_service.core.rows import read_rows
from licence_service.service import LicenceService
from trustcore import audit
from trustcore.database import Database
from trustcore.report import Verdict

from support.postgres import PostgresMissingError, postgres_server

SAMPLES = Path(__file__).parents[2] / "samples" / "business-licences.csv"


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    if request.param == "sqlite":
        opened = Database(f"sqlite:///{tmp_path / 'test.db'}")
        opened.create_tables()
        yield opened
        opened.close()
        return
    try:
        with postgres_server() as url:
            opened = Database(url)
            opened.create_tables()
            yield opened
            opened.close()
    except PostgresMissingError:
        pytest.skip("PostgreSQL is not installed")


def test_clerks_at_once_get_different_numbers_without_gaps(
    open_service: Callable[..., LicenceService], database: Database
) -> None:
    services = [open_service() for _clerk in range(4)]
    records = [row.record for row in read_rows(SAMPLES.read_bytes()).rows[:12]]

    def issue(number: int) -> str:
        return services[number % 4].issue(records[number], request_id=f"r{number}", forms=(Form.OFD,)).identifier

    with ThreadPoolExecutor(4) as pool:
        identifiers = list(pool.map(issue, range(len(records))))
    assert sorted(int(identifier.split(".")[-3]) for identifier in identifiers) == list(range(1, 13))
    with database.transaction() as session:
        assert audit.verify_chain(session).verdict is Verdict.VALID


def test_one_request_sent_at_once_is_one_licence(
    open_service: Callable[..., LicenceService], make_record: Callable[..., LicenceRecord]
) -> None:
    record = make_record()

    def issue(_attempt: int) -> Licence:
        return open_service().issue(record, request_id="r1")

    with ThreadPoolExecutor(4) as pool:
        licences = list(pool.map(issue, range(4)))
    assert len({licence.identifier for licence in licences}) == 1
    assert len(licences[0].documents) == 2
