"""The page of a business licence (营业执照), once, in millimetres, for the OFD and the PDF renderer alike.

The form follows the A4 landscape licence in use since 2019: code at the top left, QR code at the top right, two columns
of fields, registration authority and date under the seal. The national emblem is not drawn: it may stand only on a
real licence.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

from licence_service.core.ornament import FAINT, GOLD, frame, rosette
from licence_service.core.record import LONG_TERM, LicenceRecord, chinese_date
from trustcore.errors import RejectedError

__all__ = ["PAGE_HEIGHT_MM", "PAGE_WIDTH_MM", "Box", "Curve", "Page", "Text", "compose", "wrap"]

PAGE_WIDTH_MM = 297.0
PAGE_HEIGHT_MM = 210.0
"""A4 landscape, GB/T 148-1997."""

Advance = Callable[[str], float]
"""Width of one character in em."""

Colour = tuple[int, int, int]
Point = tuple[float, float]

_INK: Colour = (28, 28, 30)
_LABEL: Colour = (110, 84, 40)
_DIM: Colour = (96, 96, 96)
_TITLE: Colour = (38, 30, 22)

_NO_LINE_START = "，。；、：）》”’！？,.;:)]%"
_NO_LINE_END = "（《“‘(["
_TOKENS = re.compile(r"[0-9A-Za-zÀ-ɏ.\-/]+|.")
_LABEL_WIDTH_MM = 25.0
_LINE_HEIGHT = 1.42
_SMALLEST_MM = 1.9


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """One line of text; every character stands where its advance puts it, plus ``spacing_mm``."""

    x_mm: float
    y_mm: float
    """The baseline, from the top of the page."""
    size_mm: float
    text: str
    colour: Colour = _INK
    spacing_mm: float = 0.0
    element: str | None = None
    """Short name of the metadata element this text shows (数据索引, GB/T 36905-2018)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """A rectangle, from the top left of the page."""

    x_mm: float
    y_mm: float
    width_mm: float
    height_mm: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """A stroked polyline."""

    points: tuple[Point, ...]
    width_mm: float
    colour: Colour


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Everything to draw, back to front: curves, texts, QR code; the seal is put on afterwards."""

    curves: tuple[Curve, ...]
    texts: tuple[Text, ...]
    qr: Box
    seal: Box
    """Where the issuer's seal goes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Field:
    label: str
    value: str
    element: str
    height_mm: float
    """Room for the value, downwards from the line of the label."""
    size_mm: float = 4.5


_QR = Box(x_mm=238.0, y_mm=24.0, width_mm=30.0, height_mm=30.0)
_SEAL = Box(x_mm=206.0, y_mm=143.0, width_mm=42.0, height_mm=42.0)
_LEFT = Box(x_mm=30.0, y_mm=80.0, width_mm=128.0, height_mm=106.0)
_RIGHT = Box(x_mm=168.0, y_mm=80.0, width_mm=100.0, height_mm=60.0)


def compose(record: LicenceRecord, *, identifier: str, issuer: str, advance: Advance) -> Page:
    """The page of one licence.

    Args:
        record: what stands on it.
        identifier: GB/T 36904 identifier, printed small at the foot.
        issuer: name of the registration authority.
        advance: width of a character in em; raises for a character no font has.

    Raises:
        RejectedError: ``licence.layout.too-long`` when a text does not fit its field even in the smallest type.
    """
    texts = (
        *_head(record, advance),
        *_column(_LEFT, _left_fields(record), advance),
        *_column(_RIGHT, _right_fields(record), advance),
        *_foot(record, identifier, issuer, advance),
    )
    return Page(curves=_ornaments(), texts=texts, qr=_QR, seal=_SEAL)


@cache
def _ornaments() -> tuple[Curve, ...]:
    """What is the same on every page."""
    return (
        *(Curve(points=points, width_mm=0.1, colour=FAINT) for points in rosette((148.5, 118.0), 52.0)),
        *(Curve(points=points, width_mm=width, colour=GOLD) for points, width in frame(PAGE_WIDTH_MM, PAGE_HEIGHT_MM)),
    )


def _left_fields(record: LicenceRecord) -> tuple[_Field, ...]:
    return (
        _Field(label="名称", value=record.name, element="KZ_MC", height_mm=14.0),
        _Field(label="类型", value=record.company_type, element="KZ_LX", height_mm=11.0),
        _Field(
            label=record.family.representative_label, value=record.representative, element="KZ_FDDBR", height_mm=12.0
        ),
        _Field(label="经营范围", value=record.scope, element="KZ_JYFW", height_mm=66.0, size_mm=4.2),
    )


def _right_fields(record: LicenceRecord) -> tuple[_Field, ...]:
    family = record.family
    start = chinese_date(record.valid_from)
    term = LONG_TERM.value if record.valid_until is LONG_TERM else f"{start}至{chinese_date(record.valid_until)}"
    fields = [
        _Field(
            label=family.established_label, value=chinese_date(record.established_on), element="KZ_CLRQ", height_mm=11.5
        ),
        _Field(label=family.term_label, value=term, element="KZ_YYQXZHI", height_mm=11.5),
        _Field(label=family.domicile_label, value=record.domicile, element="KZ_ZS", height_mm=24.0),
    ]
    if family.capital_label and record.registered_capital:
        capital = _Field(label=family.capital_label, value=record.registered_capital, element="KZ_ZCZB", height_mm=11.5)
        fields.insert(0, capital)
    return tuple(fields)


def _head(record: LicenceRecord, advance: Advance) -> Iterator[Text]:
    yield Text(x_mm=30.0, y_mm=32.0, size_mm=4.0, text="统一社会信用代码", colour=_LABEL)
    yield Text(x_mm=30.0, y_mm=39.0, size_mm=5.0, text=record.credit_code, spacing_mm=0.35, element="KZ_TYSHXYDM")
    yield from _centred("营业执照", 148.5, 50.0, 19.0, advance, spacing_mm=7.0, colour=_TITLE, element="ZZMC")
    yield from _centred("（电子证照 ELECTRONIC LICENCE）", 148.5, 61.5, 3.6, advance, spacing_mm=0.3, colour=_LABEL)
    middle = _QR.x_mm + _QR.width_mm / 2
    below = _QR.y_mm + _QR.height_mm
    yield from _centred("扫描二维码，查验本证照是否有效", middle, below + 4.2, 2.5, advance, colour=_DIM)
    yield from _centred("Scan to see whether this licence stands", middle, below + 7.8, 2.3, advance, colour=_DIM)


def _foot(record: LicenceRecord, identifier: str, issuer: str, advance: Advance) -> Iterator[Text]:
    middle = _SEAL.x_mm + _SEAL.width_mm / 2
    size = 5.0 if len(issuer) <= 14 else 4.0
    yield from _centred("登记机关", middle - 43.0, 166.5, 5.0, advance, spacing_mm=1.2, colour=_LABEL)
    yield from _centred(issuer, middle, 166.5, size, advance, element="ZZBFJG")
    yield from _centred(chinese_date(record.approved_on), middle, 177.0, 4.5, advance, spacing_mm=0.4, element="ZZBFRQ")
    yield from _centred(
        f"证照标识 {identifier}", PAGE_WIDTH_MM / 2, 190.0, 2.5, advance, spacing_mm=0.1, colour=_DIM, element="ZZBS"
    )


def _centred(
    text: str, x_mm: float, y_mm: float, size_mm: float, advance: Advance, *, spacing_mm: float = 0.0,
    colour: Colour = _INK, element: str | None = None,
) -> Iterator[Text]:  # fmt: skip
    width = sum(advance(c) for c in text) * size_mm + spacing_mm * (len(text) - 1)
    yield Text(
        x_mm=x_mm - width / 2, y_mm=y_mm, size_mm=size_mm, text=text, colour=colour, spacing_mm=spacing_mm,
        element=element,
    )  # fmt: skip


def _column(area: Box, fields: tuple[_Field, ...], advance: Advance) -> Iterator[Text]:
    y_mm = area.y_mm
    value_x_mm = area.x_mm + _LABEL_WIDTH_MM + 5.0
    width_mm = area.width_mm - _LABEL_WIDTH_MM - 5.0
    for field in fields:
        yield _label(field.label, area.x_mm, y_mm)
        size_mm, lines = _fit(field, width_mm, advance)
        for number, line in enumerate(lines):
            yield Text(
                x_mm=value_x_mm,
                y_mm=y_mm + number * size_mm * _LINE_HEIGHT - (4.5 - size_mm) * 0.2,
                size_mm=size_mm,
                text=line,
                element=field.element,
            )
        y_mm += field.height_mm


def _label(label: str, x_mm: float, y_mm: float) -> Text:
    """A label set flush on both sides, as printed forms have it; long ones in smaller type."""
    size_mm = min(4.5, _LABEL_WIDTH_MM / len(label))
    spacing_mm = (_LABEL_WIDTH_MM - size_mm * len(label)) / (len(label) - 1)
    return Text(x_mm=x_mm, y_mm=y_mm, size_mm=size_mm, text=label, colour=_LABEL, spacing_mm=spacing_mm)


def _fit(field: _Field, width_mm: float, advance: Advance) -> tuple[float, tuple[str, ...]]:
    """The largest type in which the value fits its room, and its lines."""
    size_mm = field.size_mm
    while size_mm >= _SMALLEST_MM:
        lines = wrap(field.value, width_mm / size_mm, advance)
        if len(lines) * size_mm * _LINE_HEIGHT <= field.height_mm:
            return size_mm, lines
        size_mm = round(size_mm - 0.1, 2)
    raise RejectedError(
        f"The text of {field.label} is too long for the page ({len(field.value)} characters).",
        code="licence.layout.too-long",
        field=field.label,
        length=len(field.value),
    )


def wrap(text: str, width_em: float, advance: Advance) -> tuple[str, ...]:
    """Break a text into lines by Chinese rules (GB/T 15834-2011 §5.1): no line begins with closing punctuation.

    Closing punctuation hangs into the margin by at most one character; words and numbers of Latin letters stay whole
    where they fit a line.
    """
    lines: list[str] = []
    line, used = "", 0.0
    for token, width in _tokens(text, width_em, advance):
        hangs = token in _NO_LINE_START and used <= width_em
        if line and used + width > width_em and not hangs:
            tail = line[-1] if len(line) > 1 and line[-1] in _NO_LINE_END else ""
            lines.append(line[: len(line) - len(tail)])
            line, used = tail, sum(advance(c) for c in tail)
        line += token
        used += width
    return (*lines, line) if line else tuple(lines)


def _tokens(text: str, width_em: float, advance: Advance) -> Iterator[tuple[str, float]]:
    """Words and single characters, with their widths."""
    for token in _TOKENS.findall(text):
        width = advance(token) if len(token) == 1 else sum(map(advance, token))
        if width > width_em:
            yield from ((char, advance(char)) for char in token)
        else:
            yield token, width
