"""A department's CSV export → validated records, and for each row that is none, one clear sentence.

UTF-8 (with or without byte order mark) and GB 18030 (which includes GBK and GB 2312) are recognised by the header. A
row is one line of the file: a quotation mark that is never closed spoils its own line only, and a row number is a line
number.
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass

from licence_service.core.record import LicenceRecord, RecordError
from trustcore.errors import MalformedError

__all__ = ["COLUMNS", "BadRow", "Row", "RowFile", "read_rows"]

COLUMNS = (
    "统一社会信用代码",
    "名称",
    "类型",
    "法定代表人",
    "法定代表人身份证号",
    "注册资本",
    "成立日期",
    "营业期限自",
    "营业期限至",
    "住所",
    "经营范围",
    "登记机关",
    "核准日期",
)
"""The header, in this order."""

_FIELDS = (
    "credit_code", "name", "company_type", "representative", "representative_id", "registered_capital",
    "established_on", "valid_from", "valid_until", "domicile", "scope", "registration_authority", "approved_on",
)  # fmt: skip
_LARGEST_FILE_BYTES = 64 * 1024 * 1024
_ENCODINGS = ("utf-8-sig", "gb18030")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A good row."""

    number: int
    """Line in the file; the header is 1."""
    record: LicenceRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class BadRow:
    """A row that is no licence, and why."""

    number: int
    column: str
    """Chinese name of the column, empty where the line as a whole cannot be read."""
    code: str
    en: str
    """The reason as half a sentence."""
    zh: str

    @property
    def sentence(self) -> str:
        """Row, column and reason in one English sentence, without personal data."""
        place = f"Row {self.number}, {self.column}" if self.column else f"Row {self.number}"
        return f"{place}: {self.en}."

    @property
    def sentence_zh(self) -> str:
        """The same sentence in Chinese."""
        return f"第 {self.number} 行{self.column}：{self.zh}。"


@dataclass(frozen=True, slots=True, kw_only=True)
class RowFile:
    """Everything a file holds."""

    encoding: str
    rows: tuple[Row, ...]
    bad: tuple[BadRow, ...]


def read_rows(data: bytes) -> RowFile:
    """Read a whole file.

    Raises:
        MalformedError: ``licence.csv.*`` when the file as a whole is no such export: empty, too large, another
            encoding, another header.
    """
    if not data.strip():
        raise MalformedError("The CSV file is empty.", code="licence.csv.empty")
    if len(data) > _LARGEST_FILE_BYTES:
        raise MalformedError("The CSV file is larger than 64 MiB; split it.", code="licence.csv.too-large")
    lines = data.splitlines()
    encoding = _encoding(lines[0])
    rows: list[Row] = []
    bad: list[BadRow] = []
    seen: dict[str, int] = {}
    for number, cells in _lines(lines, encoding, bad):
        try:
            record = _record(cells)
        except RecordError as error:
            bad.append(BadRow(number=number, column=error.column, code=error.code, en=error.en, zh=error.zh))
            continue
        if first := seen.get(record.credit_code):
            bad.append(
                BadRow(
                    number=number,
                    column=COLUMNS[0],
                    code="licence.row.duplicate",
                    en=f"the same code already stands in row {first}",
                    zh=f"与第 {first} 行重复",
                )
            )
            continue
        seen[record.credit_code] = number
        rows.append(Row(number=number, record=record))
    return RowFile(encoding=encoding, rows=tuple(rows), bad=tuple(bad))


def _encoding(header: bytes) -> str:
    for encoding in _ENCODINGS:
        try:
            cells = tuple(cell.strip() for cell in next(csv.reader([header.decode(encoding)], strict=True)))
        except (UnicodeDecodeError, csv.Error, StopIteration):
            continue
        if cells == COLUMNS:
            return encoding
    if header.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise MalformedError("The CSV file is UTF-16; save it as UTF-8.", code="licence.csv.encoding")
    try:
        readable = header.decode("utf-8-sig")
    except UnicodeDecodeError:
        readable = header.decode("gb18030", errors="replace")
    missing = [name for name in COLUMNS if name not in readable]
    if not missing:
        raise MalformedError(
            f"The columns of the CSV file must be, in this order: {', '.join(COLUMNS)}.", code="licence.csv.header"
        )
    raise MalformedError(
        f"The first line of the CSV file is not the expected header; missing: {', '.join(missing)}.",
        code="licence.csv.header",
    )


def _lines(lines: list[bytes], encoding: str, bad: list[BadRow]) -> Iterator[tuple[int, list[str]]]:
    def refuse(number: int, code: str, en: str, zh: str) -> None:
        bad.append(BadRow(number=number, column="", code=f"licence.row.{code}", en=en, zh=zh))

    for number, line in enumerate(lines[1:], start=2):
        if not line.strip(b" \t,"):
            continue
        try:
            cells = next(csv.reader([line.decode("utf-8" if encoding == "utf-8-sig" else encoding)], strict=True))
        except UnicodeDecodeError:
            refuse(number, "encoding", "the line cannot be read as text", "文字编码无法识别")
        except csv.Error:
            refuse(number, "unreadable", "the line is not readable as CSV (is a quotation mark open?)", "CSV 格式错误")
        else:
            if len(cells) == len(COLUMNS):
                yield number, cells
            else:
                refuse(
                    number, "columns", f"the line has {len(cells)} columns instead of {len(COLUMNS)}",
                    f"有 {len(cells)} 列，应为 {len(COLUMNS)} 列",
                )  # fmt: skip


def _record(cells: list[str]) -> LicenceRecord:
    fields: dict[str, str | None] = dict(zip(_FIELDS, (cell.strip() for cell in cells), strict=True))
    return LicenceRecord.from_json(fields, representative_id=fields.pop("representative_id") or "")
