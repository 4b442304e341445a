"""Issuing a whole file of rows: resumable, and a bad row does not keep the good ones from being issued."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from licence_service.core.licence import Form, Licence
from licence_service.core.rows import BadRow, Row
from trustcore.errors import ConflictError, MalformedError, RejectedError, TrustError

__all__ = ["BatchResult", "Progress", "default_forms", "issue_rows", "row_request_id"]

Progress = Callable[[int, int], None]
"""Called with how many rows are done, and of how many."""

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
    rows: tuple[Row, ...], issue: Callable[[Row], Licence], progress: Progress, total: int
) -> tuple[list[Licence], list[BadRow]]:
    """Issue row after row.

    What a rule refuses becomes a ``BadRow``; when a machine or the disk cannot serve, the run stops with that error,
    which then names the row.
    """
    licences: list[Licence] = []
    bad: list[BadRow] = []
    done = total - len(rows)
    progress(done, total)
    for row in rows:
        try:
            licences.append(issue(row))
        except (RejectedError, ConflictError, MalformedError) as error:
            bad.append(_bad_row(row, error))
        except TrustError as error:
            raise type(error)(
                f"Row {row.number}: {error.detail.rstrip('.')}. The {len(licences)} licences of the rows before it stay"
                " issued; run the same command again to go on.",
                code=error.code,
                **{**error.facts, "row": row.number},
            ) from error
        done += 1
        progress(done, total)
    return licences, bad


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
