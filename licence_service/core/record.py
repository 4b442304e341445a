"""The facts of one business licence (营业执照), validated.

``LicenceRecord`` is what a department sends, by a row of a CSV file or by the JSON interface; whoever holds one knows
that its codes check, its dates are in order and its wording fits the company type.
"""

import re
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Literal, TypeAlias

from stdnum.cn import ric, uscc
from stdnum.exceptions import InvalidComponent

from licence_service.core.licence_type import BUSINESS_LICENCE, COMPANY_FAMILIES, CompanyFamily, LicenceType
from trustcore.errors import MalformedError

__all__ = [
    "LONG_TERM",
    "LicenceRecord",
    "LongTerm",
    "RecordError",
    "Until",
    "check_citizen_number",
    "check_credit_code",
    "chinese_date",
    "parse_date",
]


class LongTerm(StrEnum):
    """A term without end is a value, not a missing one."""

    LONG_TERM = "长期"


LONG_TERM = LongTerm.LONG_TERM
Until: TypeAlias = date | Literal[LongTerm.LONG_TERM]
"""The last day of a term, inclusive, or 长期."""

_ORGANISATION_WEIGHTS = (3, 7, 9, 10, 5, 8, 4, 2)
_CITIZEN_NUMBER = re.compile(r"(1[1-5]|2[1-3]|3[1-7]|4[1-6]|5[0-4]|6[1-5]|71|8[1-3])[0-9]{15}[0-9X]")
_BASE_36 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_DATES = tuple(
    re.compile(form)
    for form in (
        r"([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})",
        r"([0-9]{4})/([0-9]{1,2})/([0-9]{1,2})",
        r"([0-9]{4})([0-9]{2})([0-9]{2})",
        r"([0-9]{4})年([0-9]{1,2})月([0-9]{1,2})日",
    )
)
_CAPITAL = re.compile(r"[0-9]{1,12}(\.[0-9]{1,6})?万元?(人民币|美元|欧元|英镑|日元|港元|新加坡元)?")
_LIMITS = {
    "name": 200, "company_type": 60, "representative": 120, "registered_capital": 60, "domicile": 240,
    "scope": 2400, "registration_authority": 60,
}  # fmt: skip


class RecordError(MalformedError):
    """One field of a record breaks a rule; ``column`` is its Chinese name, ``zh`` the reason in Chinese.

    The sentence never repeats the value of a field with personal data.
    """

    def __init__(self, column: str, *, code: str, en: str, zh: str) -> None:
        super().__init__(f"{column}: {en}.", code=f"licence.record.{code}", column=column)
        self.column = column
        self.en = en
        self.zh = zh


@dataclass(frozen=True, slots=True, kw_only=True)
class LicenceRecord:
    """What stands on one business licence, and whose it is.

    Raises:
        RecordError: when made with a value that breaks a rule.
    """

    credit_code: str
    """统一社会信用代码, GB 32100-2015."""
    name: str
    company_type: str
    """类型, one of ``COMPANY_FAMILIES``; parentheses are ASCII."""
    representative: str
    """法定代表人, 负责人, 经营者, 投资人 or 执行事务合伙人, by company type."""
    representative_id: str = field(repr=False)
    """公民身份号码, GB 11643-1999. Personal: never printed, logged or shown."""
    registered_capital: str | None
    """注册资本 as ``500万元人民币``; ``None`` where the type has none."""
    established_on: date
    valid_from: date
    valid_until: Until
    domicile: str
    scope: str
    """经营范围."""
    registration_authority: str
    approved_on: date
    """核准日期, the date under the seal."""

    def __post_init__(self) -> None:
        """Check every field; see ``_checks``."""
        for name, limit in _LIMITS.items():
            _check_text(self, name, limit)
        family = COMPANY_FAMILIES.get(self.company_type)
        if family is None:
            raise RecordError(
                "类型", code="company-type", en="the company type is not known", zh="市场主体类型不在代码表内"
            )
        check_credit_code(self.credit_code)
        if self.credit_code[:2] != family.code_prefix:
            raise RecordError(
                "统一社会信用代码",
                code="credit-code-class",
                en=f"a code of this company type begins with {family.code_prefix}",
                zh=f"该类型的代码应以 {family.code_prefix} 开头",
            )
        check_citizen_number(self.representative_id)
        self._check_capital(family)
        self._check_dates()

    @property
    def licence_type(self) -> LicenceType:
        """The type of licence this record fills."""
        return BUSINESS_LICENCE

    @property
    def family(self) -> CompanyFamily:
        """How the fields are called for this company type."""
        return COMPANY_FAMILIES[self.company_type]

    def as_json(self) -> dict[str, str | None]:
        """The record as JSON-ready data, **without** the representative's ID number."""
        return {
            "credit_code": self.credit_code,
            "name": self.name,
            "company_type": self.company_type,
            "representative": self.representative,
            "registered_capital": self.registered_capital,
            "established_on": self.established_on.isoformat(),
            "valid_from": self.valid_from.isoformat(),
            "valid_until": until_text(self.valid_until),
            "domicile": self.domicile,
            "scope": self.scope,
            "registration_authority": self.registration_authority,
            "approved_on": self.approved_on.isoformat(),
        }

    @classmethod
    def from_json(cls, data: dict[str, str | None], *, representative_id: str) -> "LicenceRecord":
        """A record from what ``as_json`` gave (or an interface received), and the ID number kept apart.

        Any white space, such as the ideographic space U+3000, becomes one space.
        """

        def text(name: str) -> str:
            return " ".join((data.get(name) or "").split())

        established_on = parse_date("成立日期", text("established_on"))
        return cls(
            credit_code=text("credit_code"),
            name=text("name"),
            company_type=ascii_parentheses(text("company_type")),
            representative=text("representative"),
            representative_id=representative_id.strip(),
            registered_capital=text("registered_capital") or None,
            established_on=established_on,
            valid_from=parse_date("营业期限自", text("valid_from")) if text("valid_from") else established_on,
            valid_until=parse_until(text("valid_until")),
            domicile=text("domicile"),
            scope=text("scope"),
            registration_authority=text("registration_authority"),
            approved_on=parse_date("核准日期", text("approved_on")),
        )

    def _check_capital(self, family: CompanyFamily) -> None:
        if family.capital_label is None:
            if self.registered_capital is not None:
                raise RecordError(
                    "注册资本", code="capital-superfluous",
                    en="this company type has no registered capital", zh="该类型没有注册资本",
                )  # fmt: skip
        elif self.registered_capital is None:
            raise RecordError("注册资本", code="empty", en="the field is empty", zh="不能为空")
        elif not _CAPITAL.fullmatch(self.registered_capital):
            raise RecordError(
                "注册资本", code="capital", en="the capital must look like 500万元人民币", zh="应写作“500万元人民币”"
            )

    def _check_dates(self) -> None:
        if self.approved_on < self.established_on:
            raise RecordError("核准日期", code="dates", en="the date lies before 成立日期", zh="不能早于成立日期")
        if self.valid_until is not LONG_TERM and self.valid_until < self.valid_from:
            raise RecordError("营业期限至", code="dates", en="the term ends before it begins", zh="不能早于营业期限自")
        if ric.get_birth_date(self.representative_id) >= self.approved_on:
            raise RecordError(
                "法定代表人身份证号", code="dates",
                en="the birth date in the ID number lies after 核准日期", zh="出生日期不能晚于核准日期",
            )  # fmt: skip


def check_credit_code(code: str) -> None:
    """Check a unified social credit code by GB 32100-2015 §5 and its organisation code by GB 11714-1997 §3.

    Raises:
        RecordError: naming which of the two checks fails.
    """
    if len(code) != 18 or code != uscc.compact(code) or not uscc.is_valid(code):
        raise RecordError(
            "统一社会信用代码", code="credit-code", en="the code is not valid under GB 32100", zh="不符合 GB 32100"
        )
    total = sum(_BASE_36.index(c) * w for c, w in zip(code[8:16], _ORGANISATION_WEIGHTS, strict=True))
    check = 11 - total % 11
    if code[16] != ("X" if check == 10 else str(check % 11)):
        raise RecordError(
            "统一社会信用代码",
            code="organisation-code",
            en="the organisation code inside it is not valid under GB 11714",
            zh="其中的组织机构代码不符合 GB 11714",
        )


def check_citizen_number(number: str) -> None:
    """Check a citizen's ID number by GB 11643-1999: province, birth date, ISO 7064 MOD 11-2.

    Only the province of the division is checked: people keep the code of a county that was abolished, or that did not
    exist yet when they were born.

    Raises:
        RecordError: without the number in it.
    """
    if not (
        _CITIZEN_NUMBER.fullmatch(number) and _has_birth_date(number) and ric.calc_check_digit(number) == number[17]
    ):
        raise RecordError(
            "法定代表人身份证号",
            code="citizen-number",
            en="the ID number is not valid under GB 11643",
            zh="不符合 GB 11643",
        )


def _has_birth_date(number: str) -> bool:
    try:
        ric.get_birth_date(number)
    except InvalidComponent:
        return False
    return True


def parse_date(column: str, text: str) -> date:
    """Read ``2019-05-08``, ``2019/5/8``, ``20190508`` or ``2019年5月8日``.

    Raises:
        RecordError: naming ``column``.
    """
    if not text:
        raise RecordError(column, code="empty", en="the field is empty", zh="不能为空")
    for form in _DATES:
        if match := form.fullmatch(text):
            try:
                return date(*(int(part) for part in match.groups()))
            except ValueError as error:
                raise RecordError(column, code="date", en="there is no such date", zh="日期不存在") from error
    raise RecordError(column, code="date", en="the date must look like 2019-05-08", zh="应写作“2019-05-08”")


def parse_until(text: str) -> Until:
    """Read the end of a term: a date, or 长期."""
    if text == LONG_TERM:
        return LONG_TERM
    return parse_date("营业期限至", text)


def until_text(until: Until) -> str:
    """The end of a term as data: ISO 8601 or 长期."""
    return str(until) if until is LONG_TERM else until.isoformat()


def chinese_date(day: date) -> str:
    """The date as a licence prints it: ``2019年05月08日``."""
    return f"{day.year}年{day.month:02d}月{day.day:02d}日"


def ascii_parentheses(text: str) -> str:
    """Company types are written with full-width or ASCII parentheses; the table has ASCII ones."""
    return text.replace("（", "(").replace("）", ")").replace(" ", "")


_COLUMNS = {
    "name": "名称", "company_type": "类型", "representative": "法定代表人", "registered_capital": "注册资本",
    "domicile": "住所", "scope": "经营范围", "registration_authority": "登记机关",
}  # fmt: skip


def _check_text(record: LicenceRecord, name: str, limit: int) -> None:
    value = getattr(record, name)
    column = _COLUMNS[name]
    if value is None:
        return
    if not value:
        raise RecordError(column, code="empty", en="the field is empty", zh="不能为空")
    if len(value) > limit:
        raise RecordError(
            column, code="too-long", en=f"the text is longer than {limit} characters", zh=f"超过 {limit} 个字"
        )
    if not value.isprintable() or value != " ".join(value.split()):
        raise RecordError(
            column, code="invisible-character", en="the text holds an invisible character", zh="含有不可见字符"
        )
