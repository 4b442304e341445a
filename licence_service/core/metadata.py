"""GB/T 36903-2018 metadata of a licence, under its pinyin, English and snake_case names, and as XML.

Built from deployed practice (three independent vendors), unverified against the standard's text.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from xml.sax.saxutils import escape, quoteattr

from licence_service.core.identifiers import LicenceIdentifier
from licence_service.core.record import LicenceRecord, until_text

__all__ = ["ELEMENTS", "Element", "MetadataValue", "NameForm", "licence_metadata", "metadata_xml"]

_OFD_NAMESPACE = "http://www.ofdspec.org/2016"


class NameForm(StrEnum):
    """Which of an element's names to write."""

    PINYIN = "pinyin"
    """``ZZMC``: initials, in files and in most provinces' interfaces."""
    ENGLISH = "english"
    """``CertificateName``."""
    SNAKE = "snake"
    """``certificate_name``, in the national catalogue."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Element:
    """One element of the standard."""

    pinyin: str
    english: str
    snake: str
    zh: str


ELEMENTS = {
    pinyin: Element(pinyin=pinyin, english=english, snake=snake, zh=zh)
    for pinyin, english, snake, zh in (
        ("ZZMC", "CertificateName", "certificate_name", "证照名称"),
        ("ZZLXMC", "CertificateTypeName", "certificate_type_name", "证照类型名称"),
        ("ZZLXDM", "CertificateTypeCode", "certificate_type_name_code", "证照类型代码"),
        ("ZZBH", "CertificateNumber", "certificate_number", "证照编号"),
        ("ZZBS", "CertificateIdentifier", "certificate_identifier", "证照标识"),
        ("ZZBBH", "CertificateVersion", "certificate_version", "证照版本号"),
        ("ZZBFJG", "CertificateIssuingAuthorityName", "certificate_issuing_authority_name", "证照颁发机构"),
        ("ZZBFJGDM", "CertificateIssuingAuthorityCode", "certificate_issuing_authority_code", "证照颁发机构代码"),
        ("ZZBFRQ", "CertificateIssuedDate", "certificate_issuing_authority_date", "证照颁发日期"),
        ("CZZT", "CertificateHolderName", "certificate_holder_name", "持证主体"),
        ("CZZTDM", "CertificateHolderCode", "certificate_holder_code", "持证主体代码"),
        ("CZZTDMLX", "CertificateHolderTypeName", "certificate_holder_type_name", "持证主体代码类型"),
        ("CZZTDMLXDM", "CertificateHolderTypeCode", "certificate_holder_type", "持证主体代码类型代码"),
        ("ZZYXQQSRQ", "CertificateEffectiveDate", "certificate_validate_start", "证照有效期起始日期"),
        ("ZZYXQJZRQ", "CertificateExpiringDate", "certificate_validate_end", "证照有效期截止日期"),
        ("ZZGXQDM", "CertificateAreaCode", "certificate_area_code", "证照所属管辖属地编码"),
        ("CJSJ", "CreationTime", "creation_time", "创建时间"),
    )
}
"""Basic elements (基础信息) that an issued licence carries, by pinyin name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MetadataValue:
    """An element and its value in one licence."""

    element: Element
    value: str

    def name(self, form: NameForm) -> str:
        """The element's name in one of its forms."""
        return {
            NameForm.PINYIN: self.element.pinyin,
            NameForm.ENGLISH: self.element.english,
            NameForm.SNAKE: self.element.snake,
        }[form]


def licence_metadata(
    record: LicenceRecord, identifier: LicenceIdentifier, *, issuer: str, created_at: datetime
) -> tuple[MetadataValue, ...]:
    """All elements of one licence: the basic ones, then the type's own with their prefix ``KZ_``.

    The representative's ID number is not among them.
    """
    licence_type = record.licence_type
    basic = {
        "ZZMC": licence_type.name_zh,
        "ZZLXMC": licence_type.name_zh,
        "ZZLXDM": identifier.type_code,
        "ZZBH": record.credit_code,
        "ZZBS": str(identifier),
        "ZZBBH": identifier.version,
        "ZZBFJG": issuer,
        "ZZBFJGDM": identifier.issuer_code,
        "ZZBFRQ": record.approved_on.isoformat(),
        "CZZT": record.name,
        "CZZTDM": record.credit_code,
        "CZZTDMLX": licence_type.holder_type_name,
        "CZZTDMLXDM": licence_type.holder_type_code,
        "ZZYXQQSRQ": record.valid_from.isoformat(),
        "ZZYXQJZRQ": until_text(record.valid_until),
        "ZZGXQDM": record.credit_code[2:8],
        "CJSJ": created_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    values = [MetadataValue(element=ELEMENTS[pinyin], value=value) for pinyin, value in basic.items()]
    for element, value in zip(licence_type.elements, _own_values(record), strict=True):
        if value:
            name = Element(pinyin=element.key, english=element.name_en, snake=element.registry_key, zh=element.name_zh)
            values.append(MetadataValue(element=name, value=value))
    return tuple(values)


def _own_values(record: LicenceRecord) -> tuple[str, ...]:
    return (
        record.credit_code,
        record.name,
        record.company_type,
        record.representative,
        record.registered_capital or "",
        record.established_on.isoformat(),
        record.valid_from.isoformat(),
        until_text(record.valid_until),
        record.domicile,
        record.scope,
        record.registration_authority,
        record.approved_on.isoformat(),
    )


def metadata_xml(values: tuple[MetadataValue, ...], form: NameForm = NameForm.PINYIN) -> bytes:
    """The metadata as the XML that travels in a licence file: GB/T 33190 ``CustomDatas``, UTF-8.

    Deployed files write ``CuslomDatas``; the correct spelling is written here.
    """
    lines = [
        f"  <ofd:CustomData Name={quoteattr(value.name(form))} Title={quoteattr(value.element.zh)}>"
        f"{escape(value.value)}</ofd:CustomData>"
        for value in values
    ]
    return "\n".join(
        (
            '<?xml version="1.0" encoding="UTF-8"?>',
            f'<ofd:CustomDatas xmlns:ofd="{_OFD_NAMESPACE}">',
            *lines,
            "</ofd:CustomDatas>",
            "",
        )
    ).encode()
