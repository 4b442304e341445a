"""Licence types as data. Today one: the business licence (营业执照) of the State Administration for Market Regulation.

The type code is proven by live identifiers. Licence-specific elements carry the prefix ``KZ_`` and pinyin initials, as
deployed metadata does; ``registry_key`` is the name the market regulation systems use in their own interfaces.
"""

from dataclasses import dataclass

__all__ = ["BUSINESS_LICENCE", "COMPANY_FAMILIES", "CompanyFamily", "LicenceType", "TypeElement"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TypeElement:
    """One licence-specific element (业务信息)."""

    key: str
    """Short name with its prefix: ``KZ_MC``."""
    name_zh: str
    name_en: str
    registry_key: str
    required: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class LicenceType:
    """What all licences of a type share."""

    code: str
    """证照类型代码, 21 characters."""
    name_zh: str
    name_en: str
    defining_authority: str
    holder_type_code: str
    """持证主体代码类型代码, GB/T 36903-2018 Annex A."""
    holder_type_name: str
    elements: tuple[TypeElement, ...]


BUSINESS_LICENCE = LicenceType(
    code="11100000MB0143028R001",
    name_zh="营业执照",
    name_en="Business licence",
    defining_authority="国家市场监督管理总局",
    holder_type_code="001",
    holder_type_name="统一社会信用代码",
    elements=tuple(
        TypeElement(key=key, name_zh=zh, name_en=en, registry_key=registry, required=required)
        for key, zh, en, registry, required in (
            ("KZ_TYSHXYDM", "统一社会信用代码", "UnifiedSocialCreditCode", "uniscid", True),
            ("KZ_MC", "名称", "EntityName", "entname", True),
            ("KZ_LX", "类型", "EntityType", "enttypeCn", True),
            ("KZ_FDDBR", "法定代表人", "LegalRepresentative", "lerep", True),
            ("KZ_ZCZB", "注册资本", "RegisteredCapital", "regcap", False),
            ("KZ_CLRQ", "成立日期", "EstablishmentDate", "estdate", True),
            ("KZ_YYQXZ", "营业期限自", "OperatingTermFrom", "opfrom", True),
            ("KZ_YYQXZHI", "营业期限至", "OperatingTermUntil", "opto", True),
            ("KZ_ZS", "住所", "Domicile", "dom", True),
            ("KZ_JYFW", "经营范围", "BusinessScope", "opscope", True),
            ("KZ_DJJG", "登记机关", "RegistrationAuthority", "regorgCn", True),
            ("KZ_HZRQ", "核准日期", "ApprovalDate", "apprdate", True),
        )
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CompanyFamily:
    """How a kind of market entity words its licence (市场主体登记管理条例 §8, licence forms of 2019)."""

    name: str
    code_prefix: str
    """First two characters of its credit code, GB 32100-2015 table 1."""
    representative_label: str
    capital_label: str | None
    established_label: str
    term_label: str
    domicile_label: str


_COMPANY = CompanyFamily(
    name="公司", code_prefix="91", representative_label="法定代表人", capital_label="注册资本",
    established_label="成立日期", term_label="营业期限", domicile_label="住所",
)  # fmt: skip
_BRANCH = CompanyFamily(
    name="分支机构", code_prefix="91", representative_label="负责人", capital_label=None,
    established_label="成立日期", term_label="营业期限", domicile_label="营业场所",
)  # fmt: skip
_SOLE = CompanyFamily(
    name="个人独资企业", code_prefix="91", representative_label="投资人", capital_label="出资额",
    established_label="成立日期", term_label="营业期限", domicile_label="住所",
)  # fmt: skip
_PARTNERSHIP = CompanyFamily(
    name="合伙企业", code_prefix="91", representative_label="执行事务合伙人", capital_label="出资额",
    established_label="成立日期", term_label="合伙期限", domicile_label="主要经营场所",
)  # fmt: skip
_HOUSEHOLD = CompanyFamily(
    name="个体工商户", code_prefix="92", representative_label="经营者", capital_label=None,
    established_label="注册日期", term_label="营业期限", domicile_label="经营场所",
)  # fmt: skip
_COOPERATIVE = CompanyFamily(
    name="农民专业合作社", code_prefix="93", representative_label="法定代表人", capital_label="成员出资总额",
    established_label="成立日期", term_label="业务期限", domicile_label="住所",
)  # fmt: skip

COMPANY_FAMILIES = {
    **dict.fromkeys(
        (
            "有限责任公司(自然人独资)", "有限责任公司(自然人投资或控股)", "有限责任公司(法人独资)",
            "有限责任公司(非自然人投资或控股的法人独资)", "有限责任公司(自然人投资或控股的法人独资)",
            "有限责任公司(国有独资)", "有限责任公司(国有控股)", "其他有限责任公司",
            "有限责任公司(中外合资)", "有限责任公司(外国法人独资)", "有限责任公司(外商投资、非独资)",
            "有限责任公司(港澳台法人独资)", "有限责任公司(台港澳与境内合资)",
            "股份有限公司(上市、自然人投资或控股)", "股份有限公司(上市、国有控股)",
            "股份有限公司(非上市、自然人投资或控股)", "股份有限公司(非上市、国有控股)",
            "股份有限公司(外商投资、未上市)", "全民所有制", "集体所有制", "股份合作制",
        ),
        _COMPANY,
    ),
    **dict.fromkeys(
        (
            "有限责任公司分公司(自然人独资)", "有限责任公司分公司(自然人投资或控股)", "有限责任公司分公司(法人独资)",
            "有限责任公司分公司(国有控股)", "股份有限公司分公司(非上市、自然人投资或控股)",
            "股份有限公司分公司(上市、国有控股)", "外商投资企业分公司", "合伙企业分支机构", "个人独资企业分支机构",
        ),
        _BRANCH,
    ),
    "个人独资企业": _SOLE,
    **dict.fromkeys(("普通合伙企业", "特殊普通合伙企业", "有限合伙企业", "外商投资有限合伙企业"), _PARTNERSHIP),
    "个体工商户": _HOUSEHOLD,
    **dict.fromkeys(("农民专业合作社", "农民专业合作社联合社"), _COOPERATIVE),
}  # fmt: skip
"""Company type as it stands on the licence → how its fields are called."""
