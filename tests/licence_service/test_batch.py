"""A whole file of rows: bad rows, dead machines, second runs."""

from pathlib import Path

import pytest

from licence_service.core.licence import Form
from licence_service.core.states import LicenceState
from licence_service.service import LicenceService
from trustcore.database import Database
from trustcore.errors import BusyError, MalformedError

SAMPLES = Path(__file__).parents[2] / "samples" / "business-licences.csv"


@pytest.fixture
def export() -> bytes:
    """The header and the first twelve rows of the samples."""
    return b"\n".join(SAMPLES.read_bytes().splitlines()[:13])


def test_every_row_is_issued_and_one_in_ten_in_three_forms(service: LicenceService, export: bytes) -> None:
    told: list[tuple[int, int]] = []
    result = service.issue_batch(export, name="export.csv", progress=lambda done, total: told.append((done, total)))
    assert result.bad == ()
    assert len(result.licences) == result.total == 12
    assert told == [(done, 12) for done in range(13)]
    assert [i for i, one in enumerate(result.licences) if one.document(Form.SM2_PDF)] == [0, 10]
    assert all(one.state is LicenceState.VALID for one in result.licences)


def test_a_second_run_issues_nothing_again(service: LicenceService, export: bytes, seals: object) -> None:
    first = service.issue_batch(export, name="export.csv")
    sealed = list(seals.stamped)  # type: ignore[attr-defined]
    second = service.issue_batch(export, name="renamed.csv")
    assert second == first
    assert seals.stamped == sealed  # type: ignore[attr-defined]


def test_bad_rows_are_named_and_the_good_ones_issued(service: LicenceService, export: bytes) -> None:
    lines = export.splitlines()
    lines[3] = b"9" + lines[3]
    lines[7] = b'"' + lines[7]
    lines[9] = lines[9].replace("晴川市市场监督管理局".encode(), "望江市市场监督管理局".encode())
    result = service.issue_batch(b"\n".join(lines), name="export.csv")
    assert len(result.licences) == 9
    assert [(bad.number, bad.column, bad.code) for bad in result.bad] == [
        (4, "统一社会信用代码", "licence.record.credit-code"),
        (8, "", "licence.row.unreadable"),
        (10, "登记机关", "licence.issuer.other"),
    ]
    assert result.bad[2].sentence_zh == "第 10 行登记机关：登记机关不是本发证机关。"


def test_after_the_rows_are_mended_only_they_are_issued(service: LicenceService, export: bytes) -> None:
    lines = export.splitlines()
    good = lines[3]
    lines[3] = good[:40]
    first = service.issue_batch(b"\n".join(lines), name="export.csv")
    lines[3] = good
    second = service.issue_batch(b"\n".join(lines), name="export.csv")
    assert second.bad == ()
    assert {one.identifier for one in first.licences} < {one.identifier for one in second.licences}
    assert len({one.identifier for one in second.licences}) == 12


def test_a_row_that_was_issued_with_other_contents_is_refused(service: LicenceService, export: bytes) -> None:
    service.issue_batch(export, name="export.csv")
    changed = export.replace("示例大道".encode(), "样例大道".encode())
    assert changed != export
    result = service.issue_batch(changed, name="export.csv")
    assert {bad.code for bad in result.bad} == {"licence.request.other-body"}
    assert len(result.licences) + len(result.bad) == 12


def test_a_machine_that_dies_stops_the_run_and_the_next_goes_on(
    service: LicenceService, export: bytes, seals: object
) -> None:
    stamps: list[str] = []

    def down(form: str) -> None:
        stamps.append(form)
        if len(stamps) == 12:
            raise BusyError("no machine can sign now", code="hsm.pool.down")

    seals.before_stamp = down  # type: ignore[attr-defined]
    with pytest.raises(BusyError) as caught:
        service.issue_batch(export, name="export.csv")
    assert caught.value.code == "hsm.pool.down"
    assert caught.value.detail == (
        "Row 7: no machine can sign now. The 5 licences of the rows before it stay issued; run the same command again"
        " to go on."
    )
    before = {one.identifier for one in service.recent() if one.state is LicenceState.VALID}
    assert len(before) == 5
    result = service.issue_batch(export, name="export.csv")
    identifiers = [one.identifier for one in result.licences]
    assert before < set(identifiers)
    assert len(set(identifiers)) == 12
    assert sorted(int(identifier.split(".")[-3]) for identifier in identifiers) == list(range(1, 13))


def test_a_file_that_is_no_export_issues_nothing(service: LicenceService) -> None:
    with pytest.raises(MalformedError):
        service.issue_batch(b"a,b\n1,2\n", name="x.csv")
    assert service.recent() == ()


def test_two_files_with_the_same_company_issue_it_once(
    service: LicenceService, export: bytes, database: Database
) -> None:
    lines = export.splitlines()
    service.issue_batch(b"\n".join(lines[:6]), name="first.csv")
    service.issue_batch(b"\n".join([lines[0], *lines[4:9]]), name="second.csv")
    newest = service.recent(limit=5)
    others = service.recent(before=newest[-1].number, limit=5)
    assert len({one.identifier for one in (*newest, *others)}) == 8


def test_a_row_that_stands_twice_in_a_file_is_issued_once(
    service: LicenceService, export: bytes, seals: object
) -> None:
    lines = export.splitlines()
    result = service.issue_batch(b"\n".join([*lines[:4], lines[2], lines[3]]), name="twice.csv")
    identifiers = [licence.identifier for licence in result.licences]
    assert len(result.bad) + len(identifiers) == 5
    assert len(set(identifiers)) == 3
    assert len(seals.stamped) == 7  # type: ignore[attr-defined]
