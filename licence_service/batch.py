"""Issuing a whole file of rows: resumable, and a bad row does not keep the good ones from being issued."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from licence_service.core.licence import Form, Licence
from licence_service.core.rows import BadRow, Row
from licence_service.issuing import OF_ONE_LICENCE
from trustcore.errors import TrustError

__all__ = ["TOGETHER", "BatchResult", "Progress", "default_forms", "issue_rows", "row_request_id"]

Progress = Callable[[int, int], None]
"""Called with how many rows are done, and of how many."""

TOGETHER = 16
"""Rows that share the transactions of issuing: at most so many are sealed a second time when a process is killed."""
_SM2_PDF_EVERY = 10
_FIRST_ROW = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchResult:
    """What became of a file of rows."""

    batch_id: int
    total: int
    """Rows in the file, good and bad."""
    licences: tuple[Licence, ...]
    """In the order of the file; those issued by an earlier run are among them."""
    bad: tuple[BadRow, ...]
    """In the order of the file."""


def default_forms(row: Row) -> tuple[Form, ...]:
    """OFD and PDF for every row, an SM2 PDF too for one row in ten, beginning with the first."""
    if (row.number - _FIRST_ROW) % _SM2_PDF_EVERY == 0:
        return (Form.OFD, Form.PDF, Form.SM2_PDF)
    return (Form.OFD, Form.PDF)


def row_request_id(row: Row) -> str:
    """What makes a row the same row in another run or another file: type of licence, code, date of approval."""
    key = f"{row.record.licence_type.code}:{row.record.credit_code}:{row.record.approved_on.isoformat()}"
    return f"row:{hashlib.sha256(key.encode()).hexdigest()}"


def issue_rows(
    rows: tuple[Row, ...],
    issue: Callable[[Sequence[Row]], Sequence[Licence | TrustError]],
    progress: Progress,
    total: int,
) -> tuple[list[Licence], list[BadRow]]:
    """Issue rows, some at a time.

    What a rule refuses becomes a ``BadRow``; when a machine or the disk cannot serve, the run stops with that error,
    which then names the row.
    """
    licences: list[Licence] = []
    bad: list[BadRow] = []
    done = total - len(rows)
    progress(done, total)
    for start in range(0, len(rows), TOGETHER):
        together = rows[start : start + TOGETHER]
        for row, answer in zip(together, issue(together), strict=True):
            if isinstance(answer, OF_ONE_LICENCE):
                bad.append(_bad_row(row, answer))
            elif isinstance(answer, TrustError):
                raise _stop(row, answer, len(licences)) from answer
            else:
                licences.append(answer)
            done += 1
            progress(done, total)
    return licences, bad


def _stop(row: Row, error: TrustError, issued: int) -> TrustError:
    return type(error)(
        f"Row {row.number}: {error.detail.rstrip('.')}. The {issued} licences of the rows before it stay"
        " issued; run the same command again to go on.",
        code=error.code,
        **{**error.facts, "row": row.number},
    )


def _bad_row(row: Row, error: TrustError) -> BadRow:
    column = str(error.facts.get("field", ""))
    return BadRow(
        number=row.number, column=column, code=error.code, en=error.detail.rstrip("."), zh=_ZH.get(error.code, "被拒绝")
    )


_ZH = {
    "licence.issuer.other": "登记机关不是本发证机关",
    "licence.layout.too-long": "文字过长，版面放不下",
    "ofd.font.missing-glyph": "有字库中没有的字",
    "licence.request.other-body": "该证照此前已按其他内容签发",
    "licence.state.closed": "该证照已不在有效状态",
}
"""Reasons in Chinese, by code."""
