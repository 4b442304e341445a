"""What a signature covers: the ByteRange, the hole for its value, and what came after it."""

import re

from seal_service.pdf.document import PdfDocument, PdfSignature
from trustcore.asn1.reader import parse_prefix
from trustcore.errors import MalformedError
from trustcore.report import ReportBuilder, Status

__all__ = ["check_changes", "check_coverage", "covered_octets"]

_CLAUSE = "ISO 32000-2 §12.8.1"
_CONTENTS_KEY = re.compile(rb"/Contents\s*\Z")
_HEX = re.compile(rb"(?:[0-9A-F]{2})*\Z|(?:[0-9a-f]{2})*\Z")
"""Digits of one case: a changed case is a changed octet that would decode to the same value."""


def covered_octets(data: bytes, signature: PdfSignature) -> bytes:
    """The octets the signature is about; only for a ByteRange that passed :func:`check_coverage`."""
    start, length, after, rest = signature.byte_range
    return data[start : start + length] + data[after : after + rest]


def check_coverage(report: ReportBuilder, data: bytes, signature: PdfSignature) -> bytes | None:
    """Add steps on ByteRange and hole; return the DER value without its padding when all of them passed."""
    place = {"field": signature.field_name, "byte_range": " ".join(map(str, signature.byte_range))}
    problem = _range_problem(data, signature) or _hole_problem(data, signature)
    if not report.check(
        not problem,
        "pdf.signature.byte-range",
        zh="签名范围覆盖除签名值以外的全部字节" if not problem else "签名范围(ByteRange)与签名值的位置不符",
        en=f"The ByteRange leaves out exactly the signature value{f': no, {problem}' if problem else ''}",
        clause=_CLAUSE,
        evidence=place,
    ):
        return None
    try:
        value = parse_prefix(signature.contents)
    except MalformedError as error:
        report.add(
            Status.FAILED, "pdf.signature.value", zh="签名值不是 DER 编码", en="The signature value is not DER",
            clause=_CLAUSE, evidence=place | {"error": error.code},
        )  # fmt: skip
        return None
    padding = signature.contents[value.end :]
    clean = not any(padding)
    report.check(
        clean,
        "pdf.signature.padding",
        zh="签名值之后只有零填充" if clean else "签名值之后的填充区含有非零字节",
        en="Only zeros fill the room after the signature value" if clean else "Other octets follow the signature value",
        clause=_CLAUSE,
        evidence=place | {"value_bytes": str(value.end), "padding_bytes": str(len(padding))},
    )
    return value.raw if clean else None


def _range_problem(data: bytes, signature: PdfSignature) -> str:
    numbers = signature.byte_range
    if len(numbers) != 4:
        return "it has not four numbers"
    start, length, after, rest = numbers
    if start != 0:
        return "it does not begin with the file"
    if min(numbers) < 0 or not 0 < length < after or after + rest > len(data) or rest == 0:
        return "it does not lie in the file"
    return ""


def _hole_problem(data: bytes, signature: PdfSignature) -> str:
    _, begin, end, _ = signature.byte_range
    if data[begin : begin + 1] != b"<" or data[end - 1 : end] != b">":
        return "the part left out is not a hexadecimal string"
    if not _CONTENTS_KEY.search(data[max(0, begin - 32) : begin]):
        return "the part left out is not /Contents"
    digits = data[begin + 1 : end - 1]
    if not _HEX.match(digits):
        return "the part left out has other characters than digits of one case"
    if bytes.fromhex(digits.decode("ascii")) != signature.contents:
        return "the part left out is not the value a reader sees"
    return ""


def check_changes(report: ReportBuilder, document: PdfDocument, signature: PdfSignature, *, covered: int) -> None:
    """Add the step on later updates.

    Args:
        report: where to add.
        document: the file.
        signature: whose coverage is looked at.
        covered: end of the part of the file that any right signature covers.
    """
    code, clause = "pdf.signature.changes", "ISO 32000-2 §12.8.2.2; ETSI EN 319 142-1 §5.5"
    place = {"field": signature.field_name, "covered_bytes": str(signature.end), "file_bytes": str(len(document.data))}
    if signature.end == len(document.data):
        report.add(
            Status.PASSED, code, zh="签名覆盖整个文件", en="The signature covers the whole file", clause=clause,
            evidence=place,
        )  # fmt: skip
        return
    if not document.ends_a_revision(signature):
        report.add(
            Status.FAILED, code, zh="签名覆盖的部分不是完整的文档版本",
            en="The covered part is not a complete revision of the document", clause=clause, evidence=place,
        )  # fmt: skip
        return
    changes = document.changes_after(signature)
    place["changes"] = changes.detail
    if not changes.harmless or (covered < len(document.data) and not changes.validation_data_only):
        report.add(
            Status.FAILED, code, zh="签名之后文档被改动", en="The document was changed after this signature",
            clause=clause, evidence=place,
        )  # fmt: skip
    elif covered < len(document.data):
        report.add(
            Status.INDETERMINATE, code, zh="签名之后追加了未受签名保护的验证数据",
            en="Validation data that no signature covers was added later", clause=clause, evidence=place,
        )  # fmt: skip
    else:
        report.add(
            Status.PASSED, code, zh="此后只追加了其他签名,并受其保护",
            en="Only further signatures were added later, and they cover the file", clause=clause, evidence=place,
        )  # fmt: skip
